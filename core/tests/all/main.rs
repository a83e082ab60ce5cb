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

mod again;
mod branches;
mod chat_files;
mod chats;
mod client;
mod continuation;
mod durable;
mod embedding;
mod events;
mod fact;
mod file;
mod fork;
mod gemini;
mod graft;
mod graph;
mod handover;
mod harness;
mod hearing;
mod held;
mod impersonation;
mod import;
mod laws;
mod library;
mod library_events;
mod lorebook;
mod mark;
mod memory;
mod openai;
mod outline;
mod persona;
mod privacy;
mod prompt;
mod providers;
mod purge;
mod references;
mod refusal;
mod repeat;
mod resume;

mod script;
mod search;
mod slow;
mod stale;
mod story;
mod style;
mod tree;
mod usage;
