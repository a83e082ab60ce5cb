//! The graph of auth: roots to merge, and the schemas that need nothing else.
//!
//! In the merged graph, [`AuthQuery`] and [`AuthMutation`] are all of auth;
//! `node` and the `Node` interface are core's there. [`AuthOnlyQuery`] brings
//! them to a schema without core, and [`AuthEntities`] belongs to schemas
//! behind a federation router.

mod account;
mod context;
mod date;
mod node;
mod sign_in;
mod user;

use async_graphql::{EmptySubscription, MergedObject, ObjectType, SDLExportOptions, Schema};

use crate::app::Auth;

pub use account::AccountMutation;
pub use context::{ClientAddress, UserAgent};
pub use node::{AuthEntities, AuthOnlyQuery, Node, UserLoader};
pub use sign_in::SignInMutation;
pub use user::{AuthQuery, User};

/// Everything of auth that can be changed.
#[derive(MergedObject, Default)]
pub struct AuthMutation(AccountMutation, SignInMutation);

/// Everything that can be asked.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct AloneQuery(AuthQuery, AuthOnlyQuery, AuthEntities);

/// Everything that can be asked.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct SubgraphQuery(AuthQuery, AuthEntities);

/// Everything that can be changed.
#[derive(MergedObject, Default)]
#[graphql(name = "Mutation")]
pub struct AloneMutation(AuthMutation);

/// Auth by itself, with `node` and with entities for a federation router.
pub fn auth_schema(auth: Auth) -> Schema<AloneQuery, AloneMutation, EmptySubscription> {
    build(auth)
}

/// Auth as one of two subgraphs: `node` is left to core, else a router could not choose.
pub fn auth_subgraph(auth: Auth) -> Schema<SubgraphQuery, AloneMutation, EmptySubscription> {
    build(auth)
}

/// The subgraph's schema as text, without a running service.
pub fn subgraph_sdl(options: SDLExportOptions) -> String {
    Schema::build(SubgraphQuery::default(), AloneMutation::default(), EmptySubscription)
        .enable_federation()
        .finish()
        .sdl_with_options(options)
}

fn build<Q: ObjectType + Default + 'static>(
    auth: Auth,
) -> Schema<Q, AloneMutation, EmptySubscription> {
    Schema::build(Q::default(), AloneMutation::default(), EmptySubscription)
        .enable_federation()
        .data(auth)
        .finish()
}
