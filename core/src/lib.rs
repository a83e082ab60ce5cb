//! The core subgraph: the story engine.
//!
//! Data flows one way: `graphql` → domain → `store` | `llm` | `events`.
//! The domain, in reading order:
//!
//! ```text
//! persona, character      whom the player plays, whom a model plays
//! fact                    what is known of either
//! lorebook                what is known of a world, and where it is told
//! session                 one playthrough; `session::change` is one change to it
//! tree                    messages and the laws of their tree; `tree::change` edits it
//! turn                    from what the player sends to a reply that is saved
//! prompt                  what a model is told (pure)
//! memory                  what of an outgrown story comes to mind in a turn
//! calibration             how models' tokenizers weigh
//! llm                     models that write
//! usage                   what they cost
//! embedding               texts as vectors, so that what means the same is near
//! events                  the stored log and the live feed
//! library                 what changes on a player's lists, for those who watch them
//! purge                   what erases what was deleted long ago
//! interchange             files of other programs (pure)
//! text, search            words, folded and stemmed (pure); finding a message by them
//! recall                  which passages of a story come to mind for a text (pure)
//! request                 doing a thing once, however often it is asked
//! file                    what is sent and fetched over HTTP, and the links to it
//! ```
//!
//! Beside it `store` is the only place that names a table, `graphql` the only
//! one that knows the graph, `http` the only one that knows HTTP, and [`app::App`] what all of them
//! are given.

pub mod app;
pub mod calibration;
pub mod character;
pub mod embedding;
pub mod events;
pub mod fact;
pub mod file;
mod fold;
pub mod graphql;
pub mod http;
pub mod interchange;
mod keys;
pub mod library;
pub mod llm;
pub mod lorebook;
pub mod memory;
pub mod patch;
pub mod persona;
pub mod prompt;
pub mod purge;
pub mod recall;
pub mod request;
pub mod search;
pub mod session;
mod store;
pub mod text;
pub mod tree;
pub mod turn;
pub mod usage;

use skald_base::Migrations;

pub use app::{App, Limits, Setup};
pub use embedding::EmbeddingSettings;
pub use file::{FileSettings, Files};
pub use memory::MemorySettings;

/// The core database's migrations.
pub static MIGRATIONS: Migrations = Migrations {
    common: &sqlx::migrate!("../migrations/core/common"),
    sqlite: &sqlx::migrate!("../migrations/core/sqlite"),
    postgres: &sqlx::migrate!("../migrations/core/postgres"),
};
