//! Users in the graph: what anybody sees, and what only the owner and admins see.

use async_graphql::{Context, ID, Object, SimpleObject, connection::PageInfo};
use chrono::{DateTime, Utc};
use skald_base::{
    Role, Viewer,
    graph::{PageArguments, Slice, time_cursor},
};

use super::{
    context::{auth, loader, viewer},
    date::Date,
};
use crate::{
    account::{Account as Person, Search},
    name::key,
    sign_in::SignIn as Device,
    store,
};

/// Somebody who has an account here.
#[derive(Clone, Debug)]
pub struct User(pub(crate) Person);

/// Somebody who has an account here.
#[Object]
impl User {
    /// The user's id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The name to sign in with; unique, look-alikes included.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// The name to show.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// The address of a picture.
    async fn avatar_url(&self) -> Option<&str> {
        self.0.avatar_url.as_deref()
    }

    /// What the user says of themselves; plain text.
    async fn about(&self) -> Option<&str> {
        self.0.about.as_deref()
    }

    /// When the account was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// What concerns nobody else: null unless this is you, or you are an admin.
    async fn account(&self, ctx: &Context<'_>) -> Option<Account> {
        let Viewer::User(viewer) = viewer(ctx) else {
            return None;
        };
        let may = viewer.id == self.0.id || viewer.role == Role::Admin;
        may.then(|| Account(self.0.clone()))
    }
}

/// The private side of a user.
pub(super) struct Account(Person);

/// The private side of a user.
#[Object]
impl Account {
    /// The e-mail address.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// What the user may do.
    async fn role(&self) -> Role {
        self.0.role
    }

    /// The day of birth, if the user gave it.
    async fn birth_date(&self) -> Option<Date> {
        self.0.birth_date.map(Date)
    }

    /// The devices on which the user is signed in, the one used last first; 100 at most.
    async fn sign_ins(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<SignIn>> {
        let auth = auth(ctx)?;
        let now = auth.clock.now();
        let devices = store::sign_in::list(&auth.db, self.0.id, now).await?;
        Ok(devices.into_iter().map(SignIn).collect())
    }
}

/// A device on which a user is signed in.
pub(super) struct SignIn(Device);

/// A device on which a user is signed in.
#[Object]
impl SignIn {
    /// The sign-in's id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// When the user logged in.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When the device last got an access token.
    async fn last_used_at(&self) -> DateTime<Utc> {
        self.0.last_used_at
    }

    /// The `User-Agent` header of the login.
    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    /// Whether this is the device that is asking.
    async fn current(&self, ctx: &Context<'_>) -> bool {
        match viewer(ctx) {
            Viewer::Anonymous => false,
            Viewer::User(viewer) => viewer.sign_in == self.0.id,
        }
    }
}

/// A page of users.
pub(super) struct UserConnection {
    slice: Slice<Person>,
    search: Search,
}

/// A user on a page, and where they stand in the list.
#[derive(SimpleObject)]
pub(super) struct UserEdge {
    /// Give it as `after` to read on from here.
    cursor: String,
    /// The user.
    node: User,
}

fn cursor(person: &Person) -> String {
    time_cursor(person.created_at, person.id)
}

/// A page of users.
#[Object]
impl UserConnection {
    /// The users with their cursors.
    async fn edges(&self) -> Vec<UserEdge> {
        let edge =
            |person: &Person| UserEdge { cursor: cursor(person), node: User(person.clone()) };
        self.slice.rows.iter().map(edge).collect()
    }

    /// The users.
    async fn nodes(&self) -> Vec<User> {
        self.slice.rows.iter().cloned().map(User).collect()
    }

    /// Whether there is more, and where it begins.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_previous_page: self.slice.has_previous,
            has_next_page: self.slice.has_next,
            start_cursor: self.slice.rows.first().map(cursor),
            end_cursor: self.slice.rows.last().map(cursor),
        }
    }

    /// How many users there are in all; counted only when it is asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<i64>> {
        let count = async || store::account::count(&auth(ctx)?.db, &self.search).await;
        Some(count().await.map_err(Into::into))
    }
}

/// Questions about users.
#[derive(Default)]
pub struct AuthQuery;

#[Object]
impl AuthQuery {
    /// You; null without an access token.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<User>> {
        let id = viewer(ctx).id()?;
        let load = async || loader(ctx)?.load_one(id).await.map_err(super::node::unshare);
        load().await.map_err(Into::into).transpose()
    }

    /// The user with this name, however it is cased.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The username.")] username: String,
    ) -> Option<async_graphql::Result<User>> {
        let key = key(&username)?;
        let find = async || store::account::find_by_username(&auth(ctx)?.db, &key).await;
        let found = find().await.map_err(async_graphql::Error::from);
        found.map(|found| found.map(User)).transpose()
    }

    /// All users, newest first: for moderators and admins.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Users on a page: 20 if not given, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only users after this cursor.")] after: Option<String>,
        #[graphql(desc = "A part of the username; admins may give a whole e-mail address.")]
        search: Option<String>,
    ) -> async_graphql::Result<UserConnection> {
        let viewer = viewer(ctx).user()?;
        let arguments = PageArguments { first, after, ..PageArguments::default() };
        let page = arguments.check_forward()?;
        let search = Search::new(viewer, search.as_deref())?;
        let slice = auth(ctx)?.list_accounts(viewer, &search, &page).await?;
        Ok(UserConnection { slice, search })
    }
}
