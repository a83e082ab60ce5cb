//! What became of the lines of files: imported, adapted, skipped. Pure.

use std::collections::BTreeMap;

use super::{Adapted, Item};

/// Skipped lines that are named; more are only counted.
const NAMED: usize = 100;

/// What became of the files of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Messages that the tree has, alternatives included.
    pub imported: u64,
    /// What was changed or left, and how often.
    pub adapted: BTreeMap<Adapted, u64>,
    /// The first lines that could not be used.
    pub skipped: Vec<Skipped>,
    /// How many lines could not be used, named above or not.
    pub skipped_count: u64,
}

/// A line that could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file it is in, from 0.
    pub file: usize,
    /// The line, from 1.
    pub line: u64,
    /// Why, as an English sentence without a full stop.
    pub reason: &'static str,
}

impl Report {
    /// Notes what the reader made of a line of a file.
    pub fn note(&mut self, file: usize, item: &Item) {
        match item {
            Item::Header(_) => {}
            Item::Entry(entry) => {
                for adapted in &entry.adapted {
                    *self.adapted.entry(*adapted).or_default() += 1;
                }
            }
            Item::Skipped { line, reason } => {
                self.skipped_count += 1;
                if self.skipped.len() < NAMED {
                    self.skipped.push(Skipped { file, line: *line, reason });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_chat_at_all_does_not_fill_the_memory() {
        let mut report = Report::default();
        for line in 1..=100_000 {
            report.note(1, &Item::Skipped { line, reason: "the line is no JSON" });
        }
        assert_eq!((report.skipped.len(), report.skipped_count), (NAMED, 100_000));
        let first = Skipped { file: 1, line: 1, reason: "the line is no JSON" };
        assert_eq!(report.skipped.first(), Some(&first));
    }
}
