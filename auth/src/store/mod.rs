//! The only place that names a table of the auth database.
//!
//! One file per noun; a statement stands beside the function that sends it.
//! What is not there is `None`, and the caller decides what that means.

pub(crate) mod account;
pub(crate) mod key;
pub(crate) mod revocation;
pub(crate) mod sign_in;

use skald_base::Error;

/// Which of these columns a unique constraint was about, in either dialect's words.
pub(crate) fn violated<'a>(error: &Error, columns: &[&'a str]) -> Option<&'a str> {
    let Error::Database(inner) = error else {
        return None;
    };
    if !error.is_unique_violation() {
        return None;
    }
    let inner = inner.as_database_error()?;
    // PostgreSQL names the constraint `table_column_key`, SQLite says `table.column`.
    let text = inner.constraint().unwrap_or(inner.message());
    columns.iter().find(|column| text.contains(**column)).copied()
}
