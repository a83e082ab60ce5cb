//! Stories on both databases.
