//! What auth and core share, and nothing of the story.
//!
//! Both subgraphs need a database handle for two dialects, typed ids, time as an
//! argument, tasks that end in order, and one vocabulary for the graph's errors
//! and pages. No noun of the story (persona, message, …) may enter this crate.
//!
//! Reading order: [`id`] and [`clock`], then [`db`], then [`error`] and
//! [`graph`], then the process-wide [`config`], [`lifecycle`], [`telemetry`].

pub mod clock;
pub mod config;
pub mod db;
pub mod error;
pub mod graph;
pub mod id;
pub mod lifecycle;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod viewer;

pub use clock::{Clock, Ids, SystemClock};
pub use db::{Db, Dialect, Migrations, Tx};
pub use error::{Error, Result, UserError, UserErrorCode};
pub use id::{Id, Kind};
pub use lifecycle::Lifecycle;
pub use viewer::{Role, SignInId, UserId, Viewer};
