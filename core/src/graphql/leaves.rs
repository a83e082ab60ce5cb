//! Long lists of small objects, resolved in one go.
//!
//! The library resolves every field of every object as a future of its own: some microseconds
//! each, which for thousands of nodes with six fields is most of the answer. Where no field waits
//! for anything, what is asked can be read once for the whole list.

use std::borrow::Cow;

use async_graphql::{
    ContainerType, ContextSelectionSet, Name, OutputType, Positioned, ServerError, ServerResult,
    Value,
    indexmap::IndexMap,
    parser::types::{Field, Selection},
    registry::Registry,
};

/// An object whose fields are all at hand and have no fields of their own.
pub(super) trait Leaf: ContainerType {
    /// The value of a field by its name in the graph; nothing if there is no such field.
    fn leaf(&self, field: &str) -> Option<Value>;
}

/// A list of such objects.
pub(super) struct Leaves<T>(pub(super) Vec<T>);

/// What is asked of each object: the name in the answer, and the name of the field.
type Asked<'a> = IndexMap<&'a Name, &'a str>;

impl<T: Leaf> OutputType for Leaves<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let mut asked = Asked::new();
        read::<T>(ctx, &mut asked)?;
        let mut values = Vec::with_capacity(self.0.len());
        for leaf in &self.0 {
            // As for every field elsewhere: others may run meanwhile.
            tokio::task::consume_budget().await;
            let of = |(key, field): (&&Name, &&str)| ((*key).clone(), value(leaf, field));
            values.push(Value::Object(asked.iter().map(of).collect()));
        }
        Ok(Value::List(values))
    }
}

fn value<T: Leaf>(leaf: &T, field: &str) -> Value {
    match field {
        "__typename" => Value::String(leaf.introspection_type_name().into_owned()),
        // Validation has refused what the type does not have.
        field => leaf.leaf(field).unwrap_or_default(),
    }
}

/// Collects what a selection asks of each object, fragments included. What is skipped is gone
/// already: the library takes it out of the document.
fn read<'a, T: Leaf>(ctx: &ContextSelectionSet<'a>, asked: &mut Asked<'a>) -> ServerResult<()> {
    for selection in &ctx.item.node.items {
        let (condition, set) = match &selection.node {
            Selection::Field(field) => {
                asked.insert(&field.node.response_key().node, field.node.name.node.as_str());
                continue;
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                let fragment = ctx.query_env.fragments.get(name).ok_or_else(|| {
                    ServerError::new(format!("Unknown fragment \"{name}\"."), Some(spread.pos))
                })?;
                (Some(&fragment.node.type_condition), &fragment.node.selection_set)
            }
            Selection::InlineFragment(fragment) => {
                (fragment.node.type_condition.as_ref(), &fragment.node.selection_set)
            }
        };
        if condition.is_none_or(|condition| *condition.node.on.node == *T::type_name()) {
            read::<T>(&ctx.with_selection_set(set), asked)?;
        }
    }
    Ok(())
}
