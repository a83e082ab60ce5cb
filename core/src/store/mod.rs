//! SQL, one file per noun, each text beside its function.
//!
//! The only place that names a table. Functions take a [`skald_base::db::Source`]
//! where they may run on the pool or in a transaction, a [`skald_base::Tx`]
//! where they must be part of one.

pub(crate) mod character;
pub(crate) mod event;
pub(crate) mod message;
pub(crate) mod persona;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod session;
pub(crate) mod tip;
