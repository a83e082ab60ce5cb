//! Who is asking, as every resolver and service sees it.

use crate::{
    error::{Error, Result},
    id::{Id, Kind},
};

/// Marks ids of users.
pub enum UserKind {}
impl Kind for UserKind {
    const PREFIX: &'static str = "user";
}
/// The id of a user.
pub type UserId = Id<UserKind>;

/// Marks ids of sign-ins.
pub enum SignInKind {}
impl Kind for SignInKind {
    const PREFIX: &'static str = "signin";
}
/// The id of a sign-in: one device that holds tokens.
pub type SignInId = Id<SignInKind>;

/// What a user may do beyond their own things.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    async_graphql::Enum,
    serde::Serialize,
    serde::Deserialize,
    sqlx::Type,
)]
#[graphql(name = "AccountRole")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Plays and writes.
    User,
    /// May also look after the public catalogue.
    Moderator,
    /// May also change roles and see accounts.
    Admin,
}

/// Who is asking: nobody, or a user by way of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// A caller without a token.
    Anonymous,
    /// A caller with a valid access token.
    User(SignedIn),
}

/// A user who is asking, as their access token describes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The user.
    pub id: UserId,
    /// The sign-in that the token belongs to.
    pub sign_in: SignInId,
    /// What the user may do.
    pub role: Role,
    /// Whether the user said that they are not of age.
    pub minor: bool,
}

impl Viewer {
    /// The user who is asking; anonymous callers get `UNAUTHENTICATED`.
    pub fn user(&self) -> Result<SignedIn> {
        match self {
            Self::Anonymous => Err(Error::Unauthenticated),
            Self::User(user) => Ok(*user),
        }
    }

    /// The id of the user who is asking, if anybody is.
    pub fn id(&self) -> Option<UserId> {
        match self {
            Self::Anonymous => None,
            Self::User(user) => Some(user.id),
        }
    }
}
