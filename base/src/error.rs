//! Whose fault it is, and the words for it that clients localise.
//!
//! An expected outcome of a mutation is a [`UserError`]: data in the payload.
//! Everywhere else it becomes a top-level GraphQL error whose
//! `extensions.code` is one of a closed list. What is our fault is logged and
//! masked: the client learns nothing of it but `INTERNAL_SERVER_ERROR`.

use std::time::Duration;

use async_graphql::{Enum, ErrorExtensions, SimpleObject};

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
///
/// It has no `Display` on purpose: async-graphql turns everything that has one
/// into an error without a code, and would take the place of our conversion.
#[derive(Debug)]
pub enum Error {
    /// The caller can mend it: bad input, a conflict, a limit.
    User(UserError),
    /// There is no valid token, and one is needed.
    Unauthenticated,
    /// The database failed, which is our fault.
    Database(sqlx::Error),
    /// Something else failed, which is our fault.
    Internal(String),
}

/// Why a mutation did not do what was asked, as data.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
#[graphql(shareable)]
pub struct UserError {
    /// What went wrong, as a code for programs. Localise by it.
    pub code: UserErrorCode,
    /// What went wrong, as an English sentence without a full stop.
    pub message: String,
    /// The input field at fault, outermost first, such as `["input", "name"]`.
    pub path: Option<Vec<String>>,
    /// Milliseconds after which the same call may succeed, where that is known.
    pub retry_after_ms: Option<i32>,
}

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
pub enum UserErrorCode {
    /// A value has the wrong form, or an id names another kind of thing.
    BadUserInput,
    /// A text that must say something is empty.
    Blank,
    /// A text or list is longer than allowed.
    TooLong,
    /// It does not exist, or it is not yours.
    NotFound,
    /// It exists and you see it, but you may not do this.
    Forbidden,
    /// Somebody else has this name already.
    Taken,
    /// It changed since you read it, or the request id was used with other input.
    Conflict,
    /// The message above is still being written; stop it or wait for its end.
    ReplyRunning,
    /// A configured limit is reached, such as replies running at once.
    LimitExceeded,
    /// Too many tries; `retryAfterMs` says how long to wait.
    RateLimited,
    /// The password is too short, too common or too long.
    WeakPassword,
    /// User name, e-mail address or password is wrong.
    BadCredentials,
    /// The refresh token is unknown, used up or expired: sign in again.
    RefreshTokenInvalid,
}

impl UserErrorCode {
    /// The code as it stands in `extensions.code` of a top-level error.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadUserInput
            | Self::Blank
            | Self::TooLong
            | Self::Taken
            | Self::WeakPassword
            | Self::BadCredentials
            | Self::RefreshTokenInvalid => "BAD_USER_INPUT",
            Self::NotFound => "NOT_FOUND",
            Self::Forbidden => "FORBIDDEN",
            Self::Conflict | Self::ReplyRunning => "CONFLICT",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::RateLimited => "RATE_LIMITED",
        }
    }
}

impl UserError {
    /// An error with a code and a sentence, not tied to a field.
    pub fn new(code: UserErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), path: None, retry_after_ms: None }
    }

    /// Names the input field at fault: `"input.name"` becomes a path.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.path = Some(path.split('.').map(ToOwned::to_owned).collect());
        self
    }

    /// Says when the same call may succeed.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after_ms = Some(i32::try_from(after.as_millis()).unwrap_or(i32::MAX));
        self
    }
}

impl From<UserError> for Error {
    fn from(error: UserError) -> Self {
        Self::User(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Error {
    /// What happened, for the log; never for a client if it is our fault.
    pub fn describe(&self) -> String {
        match self {
            Self::User(error) => error.message.clone(),
            Self::Unauthenticated => "sign in first".into(),
            Self::Database(error) => format!("database: {error}"),
            Self::Internal(message) => message.clone(),
        }
    }

    /// There is no such thing, or it is not the caller's: the two look the same.
    pub fn not_found(noun: &str) -> Self {
        UserError::new(UserErrorCode::NotFound, format!("{noun} not found")).into()
    }

    /// A value at `path` (dotted, from `input`) has the wrong form.
    pub fn invalid(path: &str, message: impl Into<String>) -> Self {
        UserError::new(UserErrorCode::BadUserInput, message).at(path).into()
    }

    /// The state changed under the caller.
    pub fn conflict(message: impl Into<String>) -> Self {
        UserError::new(UserErrorCode::Conflict, message).into()
    }

    /// Names the input field at fault, if the error is the caller's.
    #[must_use]
    pub fn at(self, path: &str) -> Self {
        match self {
            Self::User(error) => Self::User(error.at(path)),
            Self::Unauthenticated | Self::Database(_) | Self::Internal(_) => self,
        }
    }

    /// Whether the database refused a second row with the same unique key.
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Database(error) => error
                .as_database_error()
                .is_some_and(sqlx::error::DatabaseError::is_unique_violation),
            Self::User(_) | Self::Unauthenticated | Self::Internal(_) => false,
        }
    }
}

/// The one place where an error becomes a top-level GraphQL error.
///
/// Our own faults get no code here: the transport masks every error without
/// one, logs it and puts a request id in its place.
impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::User(error) => Self::new(error.message).extend_with(|_, extensions| {
                extensions.set("code", error.code.as_str());
                if let Some(after) = error.retry_after_ms {
                    extensions.set("retryAfterMs", after);
                }
            }),
            Error::Unauthenticated => Self::new("sign in first")
                .extend_with(|_, extensions| extensions.set("code", "UNAUTHENTICATED")),
            Error::Database(_) | Error::Internal(_) => Self::new(error.describe()),
        }
    }
}
