//! The graph of the story engine: one file per noun, resolvers that translate.
//!
//! A resolver reads its input, asks the domain and wraps the answer; what may
//! be seen by whom is decided below. [`prepare`] puts what resolvers need into
//! every operation. In the merged graph these roots stand beside auth's.

mod alternatives;
mod attachment;
mod character;
mod connection;
mod context;
mod event;
mod fact;
mod file;
mod fork;
mod generation;
mod import;
mod leaves;
mod library;
mod loaders;
mod lore_entry;
mod lorebook;
mod memory;
mod message;
mod model;
mod node;
mod outline;
mod persona;
mod prompt;
mod revision;
mod search;
mod session;
mod session_list;
mod settings;
mod stale;
mod subscription;
mod tree;
mod turn;
mod usage;
mod user;

use async_graphql::{MergedObject, Request, Schema, Value};
use skald_base::Viewer;

use self::loaders::Loaders;
pub use self::{
    file::LinkBase,
    node::Node,
    subscription::CoreSubscription,
    user::{BoxedValue, ResolveUser, UserDirectory, UserRef},
};
use crate::app::App;

/// The queries of the story engine.
#[derive(MergedObject, Default)]
pub struct CoreQuery(
    node::NodeQuery,
    persona::PersonaQuery,
    character::CharacterQuery,
    lorebook::LorebookQuery,
    session::SessionQuery,
    session_list::SessionListQuery,
    message::MessageQuery,
    memory::MemoryQuery,
    model::ModelQuery,
    prompt::PromptQuery,
    usage::UsageQuery,
);

/// The mutations of the story engine.
#[derive(MergedObject, Default)]
pub struct CoreMutation(
    persona::PersonaMutation,
    character::CharacterMutation,
    fact::FactMutation,
    lorebook::LorebookMutation,
    attachment::AttachmentMutation,
    lore_entry::LoreEntryMutation,
    session::SessionMutation,
    fork::ForkMutation,
    tree::MessageMutation,
    turn::ReplyMutation,
    file::FileMutation,
    import::ImportMutation,
);

/// The queries of a schema that is core alone.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct AloneQuery(CoreQuery);

/// The mutations of a schema that is core alone.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct AloneMutation(CoreMutation);

/// The schema of the core subgraph alone.
pub type CoreSchema = Schema<AloneQuery, AloneMutation, CoreSubscription>;

/// Builds the core subgraph's schema; without an application it can only be printed.
pub fn core_schema(app: Option<App>) -> CoreSchema {
    let builder = Schema::build(AloneQuery::default(), AloneMutation::default(), CoreSubscription)
        .enable_federation()
        .enable_subscription_in_federation();
    match app {
        Some(app) => builder.data(app).finish(),
        None => builder.finish(),
    }
}

/// Puts the viewer and fresh loaders into an operation.
pub fn prepare(app: &App, viewer: Viewer, mut request: Request) -> Request {
    name_absent_sizes(&mut request);
    request.data(viewer).data(Loaders::new(app.clone(), viewer))
}

/// Makes integers that a client declared and did not send null.
///
/// async-graphql 8.0.0-rc.5 refuses to reckon the complexity of `path(last: $last)`
/// if there is no `$last` (though an absent one is legal). To every argument of
/// this type null and absent mean the same; no other type is touched, for in an
/// update null clears and absence does not.
fn name_absent_sizes(request: &mut Request) {
    // What does not parse is refused, with all its reasons, when it is executed.
    let Ok(document) = request.parsed_query() else { return };
    let mut absent = Vec::new();
    for (_, operation) in document.operations.iter() {
        for definition in &operation.node.variable_definitions {
            let definition = &definition.node;
            let is_size = definition.var_type.node.to_string() == "Int";
            if is_size && definition.default_value.is_none() {
                absent.push(definition.name.node.clone());
            }
        }
    }
    for name in absent {
        request.variables.entry(name).or_insert(Value::Null);
    }
}
