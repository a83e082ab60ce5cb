//! What somebody looks for, read from what they typed. Pure.
//!
//! Whatever is typed is a query: nothing in it is syntax but a pair of quotation marks.

use std::{collections::HashMap, ops::Range};

use crate::text::{self, Word};

/// What somebody looks for: a text has to hold all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query(Vec<Part>);

/// A part of what somebody looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// These terms, one right behind the other; often there is one.
    Row(Vec<String>),
    /// A word that may still be unfinished.
    Begun {
        /// Its term, were it finished.
        term: String,
        /// What there is of it.
        form: String,
    },
}

/// Where a text holds a part of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    /// Which words of the text.
    pub(crate) words: Range<usize>,
    /// Which part of the query.
    pub(crate) part: usize,
}

/// A shorter beginning would be found everywhere.
const SHORTEST_BEGINNING: usize = 3;

impl Query {
    /// Reads what was typed; none if there is no word in it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let words = text::words(text);
        let quotes = quotes(text);
        let quote_of =
            |word: &Word| quotes.iter().position(|quote| quote.contains(&word.range.start));
        let mut rows: Vec<(Option<usize>, Vec<&Word>)> = Vec::new();
        for word in &words {
            let quote = quote_of(word);
            match rows.last_mut() {
                Some((last, row)) if *last == quote && (quote.is_some() || word.is_joined) => {
                    row.push(word);
                }
                _ => rows.push((quote, vec![word])),
            }
        }
        let last = rows.len().checked_sub(1)?;
        let mut parts = Vec::new();
        for (n, (quote, row)) in rows.into_iter().enumerate() {
            let part = match (quote, row.as_slice()) {
                (None, [word]) if n == last && is_beginning(word) => {
                    Part::Begun { term: word.term.clone(), form: word.form.clone() }
                }
                (_, row) => Part::Row(row.iter().map(|word| word.term.clone()).collect()),
            };
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        Some(Self(parts))
    }

    /// All of which a text has to hold.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Where a text with these words holds parts of the query, in order.
    pub(crate) fn matches(&self, words: &[Word]) -> Vec<Match> {
        // So that a word is not compared with every part: there may be hundreds.
        let mut rows: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut begun = Vec::new();
        for (part, wanted) in self.0.iter().enumerate() {
            match wanted {
                Part::Row(terms) => {
                    let first = terms.first().map(String::as_str).unwrap_or_default();
                    rows.entry(first).or_default().push(part);
                }
                Part::Begun { .. } => begun.push(part),
            }
        }
        let mut matches = Vec::new();
        for (start, word) in words.iter().enumerate() {
            let rows = rows.get(word.term.as_str()).into_iter().flatten();
            for part in rows.chain(&begun).copied() {
                let Some(wanted) = self.0.get(part) else { continue };
                let range = start..start + wanted.length();
                if words.get(range.clone()).is_some_and(|found| wanted.is(found)) {
                    matches.push(Match { words: range, part });
                }
            }
        }
        matches
    }
}

impl Part {
    fn length(&self) -> usize {
        match self {
            Self::Row(terms) => terms.len(),
            Self::Begun { .. } => 1,
        }
    }

    fn is(&self, words: &[Word]) -> bool {
        match self {
            Self::Row(terms) => words.iter().map(|word| &word.term).eq(terms),
            Self::Begun { term, form } => words.iter().all(|word| {
                word.term == *term || word.term.starts_with(form) || word.form.starts_with(form)
            }),
        }
    }
}

fn is_beginning(word: &Word) -> bool {
    word.form.chars().count() >= SHORTEST_BEGINNING
}

/// What stands between pairs of quotation marks; a mark without a partner counts for nothing.
fn quotes(text: &str) -> Vec<Range<usize>> {
    let marks: Vec<usize> =
        text.match_indices(['"', '“', '”', '„', '«', '»']).map(|(at, _)| at).collect();
    let pairs = marks.chunks_exact(2);
    pairs.filter_map(|pair| Some(*pair.first()?..*pair.last()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(terms: &[&str]) -> Part {
        Part::Row(terms.iter().map(ToString::to_string).collect())
    }

    fn begun(term: &str, form: &str) -> Part {
        Part::Begun { term: term.into(), form: form.into() }
    }

    #[test]
    fn what_is_typed_is_read_as_a_reader_would() {
        for (text, parts) in [
            ("Running water", vec![row(&["run"]), begun("water", "water")]),
            ("\"old man\" sea", vec![row(&["old", "man"]), begun("sea", "sea")]),
            ("sea \"old man\"", vec![row(&["sea"]), row(&["old", "man"])]),
            ("«Бегущая по волнам»", vec![row(&["бегущ", "по", "волн"])]),
            ("\"old man", vec![row(&["old"]), begun("man", "man")]),
            ("\"\" old \"", vec![begun("old", "old")]),
            ("волны Волна, волн", vec![row(&["волн"]), begun("волн", "волн")]),
            ("雪国 へ", vec![row(&["雪", "国"]), row(&["へ"])]),
            ("a", vec![row(&["a"])]),
            (
                "NOT AND OR* ^a:b -c NEAR(",
                vec![
                    row(&["not"]),
                    row(&["and"]),
                    row(&["or"]),
                    row(&["a"]),
                    row(&["b"]),
                    row(&["c"]),
                    begun("near", "near"),
                ],
            ),
        ] {
            assert_eq!(Query::parse(text), Some(Query(parts)), "{text}");
        }
        for text in ["", "   ", "…!? —", "\"\"", "🐉"] {
            assert_eq!(Query::parse(text), None, "{text}");
        }
    }
}
