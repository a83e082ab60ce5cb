//! Formats of other programs: from their files to our nouns and back. Pure.
//!
//! Nothing here reads a file, a clock or a database: bytes and values come as
//! arguments, and what is made of them is given back piece by piece.

pub mod silly_tavern;
