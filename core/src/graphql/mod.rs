//! The graph of the story engine: one file per noun, resolvers that translate.
//!
//! A resolver reads its input, asks the domain and wraps the answer; what may
//! be seen by whom is decided below. [`prepare`] puts what resolvers need into
//! every operation. In the merged graph these roots stand beside auth's.

mod character;
mod connection;
mod context;
mod event;
mod generation;
mod loaders;
mod message;
mod model;
mod node;
mod persona;
mod session;
mod subscription;
mod user;

use async_graphql::{MergedObject, Request, Schema};
use skald_base::Viewer;

use self::loaders::Loaders;
pub use self::{
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
    session::SessionQuery,
    message::MessageQuery,
    model::ModelQuery,
);

/// The mutations of the story engine.
#[derive(MergedObject, Default)]
pub struct CoreMutation(
    persona::PersonaMutation,
    character::CharacterMutation,
    session::SessionMutation,
    message::MessageMutation,
    message::ReplyMutation,
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
pub fn prepare(app: &App, viewer: Viewer, request: Request) -> Request {
    request.data(viewer).data(Loaders::new(app.clone(), viewer))
}
