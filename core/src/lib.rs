//! The core subgraph: the story engine.
//!
//! Data flows one way: `graphql` → domain → `store` | `llm` | `events`.
//! The domain, in reading order:
//!
//! ```text
//! persona, character      whom the player plays, whom a model plays
//! session                 one playthrough; `session::change` is one change to it
//! tree                    messages and the laws of their tree; `tree::change` edits it
//! turn                    from what the player sends to a reply that is saved
//! prompt                  what a model is told (pure)
//! calibration             how models' tokenizers weigh
//! llm                     models that write
//! usage                   what they cost
//! events                  the stored log and the live feed
//! request                 doing a thing once, however often it is asked
//! ```
//!
//! Beside it `store` is the only place that names a table, `graphql` the only
//! one that knows the graph, and [`app::App`] what all of them are given.

pub mod app;
pub mod calibration;
pub mod character;
pub mod events;
mod fold;
pub mod graphql;
pub mod llm;
pub mod patch;
pub mod persona;
pub mod prompt;
pub mod request;
pub mod session;
mod store;
pub mod tree;
pub mod turn;
pub mod usage;

use skald_base::Migrations;

pub use app::{App, Limits, Setup};

/// The core database's migrations.
pub static MIGRATIONS: Migrations = Migrations {
    common: &sqlx::migrate!("../migrations/core/common"),
    sqlite: &sqlx::migrate!("../migrations/core/sqlite"),
    postgres: &sqlx::migrate!("../migrations/core/postgres"),
};
