//! From the parameters of a request to an operation that may be executed.
//!
//! The same for every way in: parameters are typed, the text is bounded and parsed once, the
//! document is measured, the operation chosen and its variables looked at. Whatever is refused
//! here is a *request error*: nothing was executed.

mod measure;
mod params;
mod tokens;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::parser::{self, parse_query, types::OperationType};
use async_graphql::{Pos, Request, ServerError, Value, Variables};

use self::measure::{Measure, Size};
pub(crate) use self::params::Params;
use crate::error::{code, coded, limit_exceeded};
use crate::settings::{DocumentLimits, Settings};

/// Brackets within brackets the parser's stack is known to hold.
const MAX_NESTING: usize = 64;
/// Levels of lists of schema elements within each other; the same as in graphql-js.
const MAX_INTROSPECTION_LISTS: usize = 2;

/// An operation that may be executed.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) kind: OperationType,
    /// Carries the parsed document.
    pub(crate) request: Request,
}

impl Operation {
    /// Checks everything that can be checked without the schema.
    pub(crate) fn prepare(params: Params, settings: &Settings) -> Result<Self, ServerError> {
        let limits = &settings.documents;
        check_text(&params.query, limits)?;
        let document = parse_query(&params.query).map_err(|error| parse_error(&error))?;
        let name = params.operation_name.filter(|name| !name.is_empty());
        check_document(&document, settings)?;
        let operation = choose(&document, name.as_deref())?;
        check_variables(operation, &params.variables)?;

        let kind = operation.ty;
        let mut request = Request::new(params.query).variables(params.variables);
        request.operation_name = name;
        request.extensions = params.extensions;
        request.set_parsed_query(document);
        Ok(Self { kind, request })
    }
}

fn check_text(text: &str, limits: &DocumentLimits) -> Result<(), ServerError> {
    within("queryBytes", text.len(), limits.query_bytes)?;
    let extent = tokens::extent(text);
    within("tokens", extent.tokens, limits.tokens)?;
    within("nesting", extent.nesting, MAX_NESTING)
}

fn check_document(document: &ExecutableDocument, settings: &Settings) -> Result<(), ServerError> {
    let limits = &settings.documents;
    let circular = |circular: measure::Circular| {
        let message = format!("fragment \"{}\" spreads itself", circular.fragment);
        coded(code::VALIDATION_FAILED, message, Some(circular.pos))
    };
    let mut measure = Measure::new(document).map_err(circular)?;
    let mut selections = 0_u64;
    for (_, operation) in document.operations.iter() {
        let size = measure.operation(&operation.node).map_err(circular)?;
        selections = selections.saturating_add(size.selections);
        check_size(&size, operation.pos, settings)?;
    }
    within("aliases", measure.aliases, limits.aliases)?;
    within("directives", measure.directives, limits.directives)?;
    let selections = usize::try_from(selections).unwrap_or(usize::MAX);
    within("expandedSelections", selections, limits.expanded_selections)
}

fn check_size(size: &Size, pos: Pos, settings: &Settings) -> Result<(), ServerError> {
    let limits = &settings.documents;
    if size.introspection > 0 && !settings.introspection {
        return Err(coded(code::VALIDATION_FAILED, "introspection is disabled", Some(pos)));
    }
    let depth = if size.is_introspection() { limits.introspection_depth } else { limits.depth };
    within("depth", size.depth, depth)?;
    within("introspectionLists", size.introspection_lists, MAX_INTROSPECTION_LISTS)?;
    within("rootFields", size.fields, limits.root_fields)
}

fn within(limit: &'static str, actual: usize, allowed: usize) -> Result<(), ServerError> {
    if actual > allowed { Err(limit_exceeded(limit, allowed)) } else { Ok(()) }
}

fn choose<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, ServerError> {
    let refused = |message: String| coded(code::BAD_REQUEST, message, None);
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        (DocumentOperations::Single(_), Some(name)) => {
            Err(refused(format!("unknown operation \"{}\"", shortened(name))))
        }
        (DocumentOperations::Multiple(operations), Some(name)) => operations
            .get(name)
            .map(|operation| &operation.node)
            .ok_or_else(|| refused(format!("unknown operation \"{}\"", shortened(name)))),
        (DocumentOperations::Multiple(operations), None) => {
            let mut operations = operations.values();
            match (operations.next(), operations.next()) {
                (Some(only), None) => Ok(&only.node),
                _ => Err(refused("operationName must say which operation to run".to_owned())),
            }
        }
    }
}

/// A missing value of a required variable is the request's fault, not a field's.
fn check_variables(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), ServerError> {
    for definition in &operation.variable_definitions {
        let variable = &definition.node;
        let is_absent = match variables.get(&variable.name.node) {
            None => variable.default_value.is_none(),
            Some(value) => *value == Value::Null,
        };
        if is_absent && !variable.var_type.node.nullable {
            let message = format!(
                "variable \"${}\" of type \"{}\" needs a value",
                shortened(&variable.name.node),
                shortened(&variable.var_type.node.to_string()),
            );
            return Err(coded(code::BAD_USER_INPUT, message, Some(definition.pos)));
        }
    }
    Ok(())
}

fn parse_error(error: &parser::Error) -> ServerError {
    let message = error.to_string();
    // The parser draws the text with an arrow; its last line says what it expected.
    let reason = message.rsplit_once("= ").map_or(message.as_str(), |(_, reason)| reason.trim());
    let mut parsed = coded(code::PARSE_FAILED, format!("syntax error: {reason}"), None);
    parsed.locations = error.positions().collect();
    parsed
}

fn shortened(name: &str) -> &str {
    name.char_indices().nth(64).map_or(name, |(end, _)| name.get(..end).unwrap_or(name))
}
