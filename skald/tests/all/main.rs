//! The real binary, as players and scripts meet it: processes, sockets, a browser.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bad_input;
mod client;
mod command_line;
mod crowd;
mod durability;
mod faults;
mod files;
mod flood;
mod models;
mod outage;
mod processes;
mod real_clients;
mod schema;
mod server;
mod story;
mod watcher;
