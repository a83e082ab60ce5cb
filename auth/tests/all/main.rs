//! Stories of accounts, sign-ins and tokens, told through the graph, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]

mod account;
mod keys;
mod refresh;
mod sign_in;
mod throttle;
mod token;
mod user;
mod world;
