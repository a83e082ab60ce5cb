//! Users, whom this subgraph knows by id alone.
//!
//! In the core subgraph `User` is a stub with a key; the router asks auth for
//! the rest. In the merged graph a [`UserDirectory`] is installed, and the same
//! [`UserRef`] resolves the selection on auth's full type.

use std::{borrow::Cow, future::Future, pin::Pin, sync::Arc};

use async_graphql::{
    ContextSelectionSet, ID, OutputType, Positioned, ServerResult, SimpleObject, Value,
    parser::types::Field, registry::Registry,
};
use skald_base::UserId;

/// A person with an account.
#[derive(SimpleObject)]
#[graphql(name = "User", unresolvable = "id")]
struct UserStub {
    /// The user's id.
    id: ID,
}

/// What resolving a user's fields comes to.
pub type BoxedValue<'a> = Pin<Box<dyn Future<Output = ServerResult<Value>> + Send + 'a>>;

/// Resolves a selection on the full `User` of the merged graph.
pub trait ResolveUser: Send + Sync {
    /// The selected fields of this user; null if there is no such user.
    fn resolve<'a>(
        &'a self,
        id: UserId,
        ctx: &'a ContextSelectionSet<'a>,
        field: &'a Positioned<Field>,
    ) -> BoxedValue<'a>;
}

/// Where the merged graph finds users; schema data.
#[derive(Clone)]
pub struct UserDirectory(pub Arc<dyn ResolveUser>);

/// A user, by id. Always in a nullable place: the account may be gone.
#[derive(Clone, Copy)]
pub struct UserRef(pub UserId);

impl OutputType for UserRef {
    fn type_name() -> Cow<'static, str> {
        "User".into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <UserStub as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match ctx.data_opt::<UserDirectory>() {
            Some(directory) => directory.0.resolve(self.0, ctx, field).await,
            None => OutputType::resolve(&UserStub { id: self.0.into() }, ctx, field).await,
        }
    }
}
