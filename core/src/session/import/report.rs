//! What became of a file: how much was taken, what was adapted, what was left out. Pure.

use serde::{Deserialize, Serialize};

/// Notes of one kind that are kept; the others are counted.
const MAX_NOTES: usize = 100;

/// From what a session was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum ImportFormat {
    NativeJson,
    SillyTavern,
}

/// What became of the files of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the graph documents each field")]
pub struct Report {
    pub format: ImportFormat,
    pub messages: usize,
    pub adapted: Notes,
    pub skipped: Notes,
}

/// One thing that a player should know about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// The file, as the player calls it.
    pub file_name: String,
    /// The line it is about, from 1; none if it is about the whole.
    pub line: Option<usize>,
    /// One sentence without a full stop.
    pub message: String,
}

/// Notes of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notes {
    /// The first ones.
    pub first: Vec<Note>,
    /// How many there are.
    pub count: usize,
}

impl Notes {
    /// Adds a note.
    pub fn add(&mut self, file_name: &str, line: Option<usize>, message: impl Into<String>) {
        self.count += 1;
        if self.first.len() < MAX_NOTES {
            let file_name = file_name.to_owned();
            // What a file calls its fields may have characters that no database keeps.
            let message = message.into().replace('\0', "\u{fffd}");
            self.first.push(Note { file_name, line, message });
        }
    }
}

impl Report {
    /// Nothing is known yet.
    pub fn new(format: ImportFormat) -> Self {
        Self { format, messages: 0, adapted: Notes::default(), skipped: Notes::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_notes_are_kept_and_all_are_counted() {
        let mut notes = Notes::default();
        for line in 1..=250 {
            notes.add("a.jsonl", Some(line), "left out");
        }
        assert_eq!((notes.first.len(), notes.count), (100, 250));
        assert_eq!(notes.first.last().and_then(|note| note.line), Some(100));
        let mut notes = Notes::default();
        notes.add("a.jsonl", None, "a\0b has no place here");
        assert_eq!(notes.first[0].message, "a\u{fffd}b has no place here");
    }
}
