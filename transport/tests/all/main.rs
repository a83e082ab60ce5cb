//! The transport as clients see it: a toy schema behind a real listening socket.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod documents;
mod errors;
mod http;
mod lifecycle;
mod mountain;
mod nulls;
mod page;
mod real_clients;
mod server;
mod streams;
mod time_limit;
mod toy;
mod websocket;
mod websocket_limits;
