//! Stories told through the graph, on both databases, as clients would notice them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]
#![expect(
    clippy::too_many_lines,
    clippy::similar_names,
    clippy::needless_pass_by_value,
    reason = "a story is told in one go, with names of people and literals of JSON"
)]

mod client;
mod durable;
mod events;
mod file;
mod gemini;
mod graft;
mod graph;
mod harness;
mod hearing;
mod import;
mod openai;
mod persona;
mod privacy;
mod prompt;
mod providers;
mod refusal;
mod resume;
mod script;
mod story;
mod style;
mod tree;
mod usage;
