//! The auth subgraph: accounts, passwords, sign-ins, tokens and keys.
//!
//! ```text
//! graphql/user.rs  graphql/sign_in.rs            translate
//!      account.rs       sign_in.rs  token/       decide (name.rs, password/policy.rs: pure)
//! store/account.rs  store/sign_in.rs             speak SQL
//! ```
//!
//! [`Auth`] is built once and goes into the schema's data. A request carries a
//! [`Viewer`](skald_base::Viewer), a [`ClientAddress`] and a loader of users
//! ([`Auth::loader`]). Everyone who takes access tokens holds a [`Verifier`].
//!
//! Two things are secret: the configuration, and the auth database, which holds
//! the signing keys (see [`AuthConfig::key_secret`]). Passwords, tokens and
//! addresses never reach the log.

mod account;
mod app;
mod config;
pub mod graphql;
pub mod http;
mod key;
mod name;
mod password;
mod revocation;
mod sign_in;
mod store;
mod throttle;
mod token;

use skald_base::Migrations;
use sqlx::migrate::Migrator;

pub use app::{Auth, OpenError};
pub use config::{Argon2Config, AuthConfig, Rate, ThrottleConfig};
pub use graphql::{
    AuthEntities, AuthMutation, AuthOnlyQuery, AuthQuery, ClientAddress, User, UserAgent,
    UserLoader, auth_schema, auth_subgraph, subgraph_sdl,
};
pub use key::{KeyError, PublicKeys};
pub use revocation::{Revocation, Revocations};
pub use token::{TokenError, Verified, Verifier};

static COMMON: Migrator = sqlx::migrate!("../migrations/auth/common");
static SQLITE: Migrator = sqlx::migrate!("../migrations/auth/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../migrations/auth/postgres");

/// The schema of the auth database.
pub const MIGRATIONS: Migrations =
    Migrations { common: &COMMON, sqlite: &SQLITE, postgres: &POSTGRES };
