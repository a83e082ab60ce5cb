//! SQL, one file per noun, each text beside its function.
//!
//! The only place that names a table. Functions take a [`skald_base::db::Source`]
//! where they may run on the pool or in a transaction, a [`skald_base::Tx`]
//! where they must be part of one.

pub(crate) mod alternatives;
pub(crate) mod calibration;
pub(crate) mod character;
pub(crate) mod deletion;
pub(crate) mod embedding;
pub(crate) mod event;
pub(crate) mod export;
pub(crate) mod fact;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod graft;
pub(crate) mod import;
pub(crate) mod library;
pub(crate) mod lore_entry;
pub(crate) mod lorebook;
pub(crate) mod memory;
pub(crate) mod message;
pub(crate) mod outline;
pub(crate) mod persona;
pub(crate) mod prompt;
pub(crate) mod purge;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod revision;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod session_list;
pub(crate) mod tip;
pub(crate) mod usage;

use skald_base::{Dialect, Result, Tx, UserId};

/// Makes changes that count or compare things of one user wait for each other.
///
/// Rows cannot be locked before they exist. SQLite has one writer and needs nothing.
///
/// Locks are taken in one order, so that nobody waits in a circle: the session, the user, then
/// what is stored, for that holds the rows it names (personas, characters, sessions), and the
/// user's library last.
pub(crate) async fn lock_user(tx: &mut Tx, user: UserId) -> Result<()> {
    const SQL: &str = "SELECT pg_advisory_xact_lock($1)";
    if tx.dialect() == Dialect::Postgres {
        let (_, random) = user.uuid().as_u64_pair();
        tx.query(SQL).bind(random.cast_signed()).execute().await?;
    }
    Ok(())
}
