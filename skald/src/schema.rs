//! The merged graph: auth and core as one schema.

use std::sync::Arc;

use async_graphql::{
    ContextSelectionSet, MergedObject, OutputType, Positioned, SDLExportOptions, Schema, Value,
    dataloader::DataLoader, parser::types::Field,
};
use skald_auth::{Auth, AuthMutation, AuthQuery, UserLoader};
use skald_base::UserId;
use skald_core::{
    App,
    graphql::{BoxedValue, CoreMutation, CoreQuery, CoreSubscription, ResolveUser, UserDirectory},
};
use skald_transport::{Settings, TimeLimit};

use crate::cli::Subgraph;

/// All queries. Auth's come first: its full `User` is the one that counts.
#[derive(MergedObject, Default)]
pub(crate) struct Query(AuthQuery, CoreQuery);

/// All mutations.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(AuthMutation, CoreMutation);

/// The all-in-one schema.
pub(crate) type MergedSchema = Schema<Query, Mutation, CoreSubscription>;

/// Builds the all-in-one schema; without services it can only be printed.
pub(crate) fn merged(services: Option<(Auth, App)>, settings: &Settings) -> MergedSchema {
    // Only `User` stands in both: any other conflict must panic here.
    let builder = Schema::build_with_ignore_name_conflicts(
        Query::default(),
        Mutation::default(),
        CoreSubscription,
        ["User"],
    )
    .limit_complexity(settings.documents.complexity)
    .extension(TimeLimit::new(&settings.requests))
    .disable_suggestions();
    match services {
        None => builder.finish(),
        Some((auth, app)) => {
            builder.data(UserDirectory(Arc::new(Directory))).data(auth).data(app).finish()
        }
    }
}

/// Prints the public schema, or a subgraph's.
pub(crate) fn print(subgraph: Option<Subgraph>) -> String {
    let federation = || SDLExportOptions::new().federation().sorted_fields().sorted_enum_items();
    match subgraph {
        None => merged(None, &Settings::default()).sdl(),
        Some(Subgraph::Core) => {
            skald_core::graphql::core_schema(None).sdl_with_options(federation())
        }
        Some(Subgraph::Auth) => skald_auth::subgraph_sdl(federation()),
    }
}

/// Finds users in auth, in the same process.
struct Directory;

impl ResolveUser for Directory {
    fn resolve<'a>(
        &'a self,
        id: UserId,
        ctx: &'a ContextSelectionSet<'a>,
        field: &'a Positioned<Field>,
    ) -> BoxedValue<'a> {
        Box::pin(async move {
            let failed =
                |message: String| async_graphql::ServerError::new(message, Some(field.pos));
            let users = ctx.data_unchecked::<DataLoader<UserLoader>>();
            let user = users.load_one(id).await.map_err(|error| failed(error.describe()))?;
            match user {
                // The account is gone: null, in a place that is always nullable.
                None => Ok(Value::Null),
                Some(user) => OutputType::resolve(&user, ctx, field).await,
            }
        })
    }
}
