//! Measures a parsed document: depth, aliases, directives, root fields, expanded selections.
//!
//! A fragment is measured once and its numbers are added wherever it is used, so a document whose
//! fragments spread each other twice on every level costs linear time although it stands for
//! billions of fields.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Pos, Positioned};

/// A fragment that spreads itself, directly or through others.
#[derive(Debug)]
pub(super) struct Circular {
    pub(super) fragment: Name,
    pub(super) pos: Pos,
}

/// What a selection set amounts to once its fragments are written out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    pub(super) depth: usize,
    /// Fields directly in this set.
    pub(super) fields: usize,
    /// Fields here and below.
    pub(super) selections: u64,
    /// Introspection's lists within lists: each level multiplies the answer.
    pub(super) lists: usize,
    /// The most of those below `__schema` or `__type`.
    pub(super) introspection_lists: usize,
    /// Fields directly in this set that ask for the schema.
    pub(super) introspection: usize,
    /// Fields directly in this set that ask for anything else.
    pub(super) business: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.depth = self.depth.max(other.depth);
        self.fields = self.fields.saturating_add(other.fields);
        self.selections = self.selections.saturating_add(other.selections);
        self.lists = self.lists.max(other.lists);
        self.introspection_lists = self.introspection_lists.max(other.introspection_lists);
        self.introspection = self.introspection.saturating_add(other.introspection);
        self.business = self.business.saturating_add(other.business);
    }

    /// Whether the operation only asks for the schema, as GraphiQL does.
    pub(super) fn is_introspection(&self) -> bool {
        self.introspection > 0 && self.business == 0
    }
}

/// Walks one document; aliases and directives are counted as written, not expanded.
pub(super) struct Measure<'a> {
    document: &'a ExecutableDocument,
    /// `None` while a fragment is being measured.
    fragments: HashMap<&'a Name, Option<Size>>,
    pub(super) aliases: usize,
    pub(super) directives: usize,
}

impl<'a> Measure<'a> {
    /// Measures every fragment, used or not: validation walks all of them.
    pub(super) fn new(document: &'a ExecutableDocument) -> Result<Self, Circular> {
        let mut measure = Self { document, fragments: HashMap::new(), aliases: 0, directives: 0 };
        for (name, fragment) in &document.fragments {
            measure.fragment(name, fragment.pos)?;
        }
        Ok(measure)
    }

    pub(super) fn operation(
        &mut self,
        operation: &'a OperationDefinition,
    ) -> Result<Size, Circular> {
        self.count_directives(&operation.directives);
        for variable in &operation.variable_definitions {
            self.count_directives(&variable.node.directives);
        }
        self.selection_set(&operation.selection_set.node)
    }

    fn fragment(&mut self, name: &'a Name, pos: Pos) -> Result<Size, Circular> {
        match self.fragments.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => return Err(Circular { fragment: name.clone(), pos }),
            None => {}
        }
        // Validation says better than we could that a fragment is unknown.
        let Some(fragment) = self.document.fragments.get(name) else { return Ok(Size::default()) };
        self.fragments.insert(name, None);
        self.count_directives(&fragment.node.directives);
        let size = self.selection_set(&fragment.node.selection_set.node)?;
        self.fragments.insert(name, Some(size));
        Ok(size)
    }

    fn selection_set(&mut self, set: &'a SelectionSet) -> Result<Size, Circular> {
        let mut size = Size::default();
        for selection in &set.items {
            self.count_directives(selection.node.directives());
            size.add(match &selection.node {
                Selection::Field(field) => self.field(&field.node)?,
                Selection::InlineFragment(inline) => {
                    self.selection_set(&inline.node.selection_set.node)?
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node, spread.pos)?
                }
            });
        }
        Ok(size)
    }

    fn field(&mut self, field: &'a Field) -> Result<Size, Circular> {
        self.aliases += usize::from(field.alias.is_some());
        let below = self.selection_set(&field.selection_set.node)?;
        let name = field.name.node.as_str();
        let asks_for_schema = matches!(name, "__schema" | "__type");
        let is_list = matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields");
        Ok(Size {
            depth: below.depth + 1,
            fields: 1,
            selections: below.selections.saturating_add(1),
            lists: below.lists + usize::from(is_list),
            introspection_lists: if asks_for_schema { below.lists } else { 0 },
            introspection: usize::from(asks_for_schema),
            business: usize::from(!asks_for_schema && name != "__typename"),
        })
    }

    fn count_directives(&mut self, directives: &[Positioned<Directive>]) {
        self.directives += directives.len();
    }
}
