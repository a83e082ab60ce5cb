//! The doubles, asked over real HTTP by a client that knows nothing of them.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod gemini;
mod openai;
mod wire;
