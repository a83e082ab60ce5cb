//! Finding users by id: many at once, as nodes, and as entities of a federation.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context, ID, Interface, Object,
    dataloader::{DataLoader, Loader},
    runtime::{TokioSpawner, TokioTimer},
};
use skald_base::{Db, Error, UserId, graph::parse_id, id::parse_any};

use super::{context::loader, user::User};
use crate::{app::Auth, store};

/// Loads users by id, any number with one statement; make one per request.
pub struct UserLoader(Db);

impl Loader<UserId> for UserLoader {
    type Value = User;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, User>, Arc<Error>> {
        let accounts = store::account::find_many(&self.0, ids).await?;
        let named = accounts.into_iter().map(|account| (account.id, User(account)));
        Ok(named.collect())
    }
}

/// A loader's error is shared by all who waited; only its text can be passed on.
pub(super) fn unshare(error: Arc<Error>) -> Error {
    Arc::try_unwrap(error).unwrap_or_else(|shared| Error::Internal(shared.describe()))
}

impl Auth {
    /// A loader of users, for the data of one request.
    pub fn loader(&self) -> DataLoader<UserLoader> {
        let loader = UserLoader(self.db.clone());
        DataLoader::new(loader, TokioSpawner::current(), TokioTimer::default())
    }
}

/// Anything that has an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The id of the object."))]
pub enum Node {
    /// A user.
    User(User),
}

/// What a schema without core lacks: `node`.
#[derive(Default)]
pub struct AuthOnlyQuery;

#[Object]
impl AuthOnlyQuery {
    /// The object with this id; null if there is none.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of any object.")] id: ID,
    ) -> Option<async_graphql::Result<Node>> {
        let load = async || {
            if parse_any(&id).is_none() {
                return Err(Error::invalid("id", "not an id"));
            }
            // Every id of ours has the right form; those of other kinds are not here.
            let Ok(id) = parse_id("id", &id) else {
                return Ok(None);
            };
            loader(ctx)?.load_one(id).await.map_err(unshare)
        };
        let found = load().await.map_err(async_graphql::Error::from);
        found.map(|user| user.map(Node::User)).transpose()
    }
}

/// Users as entities: only for schemas behind a federation router.
#[derive(Default)]
pub struct AuthEntities;

#[Object]
impl AuthEntities {
    /// The user that another subgraph refers to.
    ///
    /// It never fails: one error would void the router's whole list.
    #[graphql(entity)]
    async fn find_user_by_id(&self, ctx: &Context<'_>, id: ID) -> Option<User> {
        let load = async || {
            let id: UserId = parse_id("id", &id)?;
            loader(ctx)?.load_one(id).await.map_err(unshare)
        };
        match load().await {
            Ok(user) => user,
            Err(error) => {
                tracing::warn!(error = error.describe(), "no user for an entity reference");
                None
            }
        }
    }
}
