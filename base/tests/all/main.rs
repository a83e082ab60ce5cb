//! The query builder on real databases: what it promises holds on both.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod db;
