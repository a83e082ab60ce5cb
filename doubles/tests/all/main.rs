//! The doubles, asked over real HTTP by a client that knows nothing of them.

mod client;
mod gemini;
mod openai;
mod wire;
