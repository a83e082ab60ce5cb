//! Text as search sees it, the same in every language and on every database. Pure.
//!
//! [`words`] cuts a text into words, folds them (upper and lower case, accents,
//! ё) and stems them. Whatever it makes is stored: whoever changes the outcome
//! raises [`VERSION`], and what was stored under another version is made anew.

mod fold;
mod script;

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use self::{fold::fold, script::Script};

/// Counts changes of what [`words`] makes of a text.
pub const VERSION: i64 = 1;

/// A longer word is known by so many characters of its beginning.
pub const LONGEST_TERM: usize = 64;

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Where it stands, in bytes of the text.
    pub range: Range<usize>,
    /// The whole word, folded.
    pub form: String,
    /// What all forms of the word have in common.
    pub term: String,
    /// Whether it belongs to the word before: scripts without spaces have a word for every
    /// character, and only a row of them means something.
    pub is_joined: bool,
}

/// The words of a text, in order.
///
/// Neither forms nor terms contain white space or signs.
pub fn words(text: &str) -> Vec<Word> {
    let mut words = Words { text, found: Vec::new() };
    for (start, segment) in text.unicode_word_indices() {
        words.split(start, segment);
    }
    words.found
}

struct Words<'a> {
    text: &'a str,
    found: Vec<Word>,
}

impl Words<'_> {
    /// Cuts what Unicode calls a word where a reader would: `end.next` is two, 雪国 is two.
    fn split(&mut self, start: usize, segment: &str) {
        let mut open: Option<Range<usize>> = None;
        for (at, cluster) in segment.grapheme_indices(true) {
            let range = start + at..start + at + cluster.len();
            match Script::of(cluster) {
                Some(Script::Spaced) => {
                    open = Some(open.map_or(range.start, |open| open.start)..range.end);
                }
                Some(Script::Unspaced) => {
                    self.push(open.take(), Script::Spaced);
                    self.push(Some(range), Script::Unspaced);
                }
                None => self.push(open.take(), Script::Spaced),
            }
        }
        self.push(open, Script::Spaced);
    }

    fn push(&mut self, range: Option<Range<usize>>, script: Script) {
        let Some((range, text)) =
            range.and_then(|range| Some((range.clone(), self.text.get(range)?)))
        else {
            return;
        };
        let Some((form, term)) = fold(text) else { return };
        let is_joined = script == Script::Unspaced
            && self.found.last().is_some_and(|last| {
                last.range.end == range.start
                    && self.text.get(last.range.clone()).and_then(Script::of) == Some(script)
            });
        self.found.push(Word { range, form, term, is_joined });
    }
}

#[cfg(test)]
mod tests;
