//! The words of a text as recall sees them. Pure.
//!
//! [`crate::text`] cuts, folds and stems; here comes what only recall needs: stop words, which
//! are told apart by their apostrophes ("we'll" is one, "well" is none), and pairs of characters
//! where a script has no spaces.

use std::ops::Range;

use super::stop::is_stop_word;
use crate::text;

/// A word of a text.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// Where it stands, in bytes of the text.
    pub(super) range: Range<usize>,
    /// Folded, without a final `'s`.
    pub(super) form: String,
    /// What all its forms have in common.
    pub(super) term: String,
    /// Whether it says nothing about what a text is about.
    pub(super) is_filler: bool,
    /// How it begins.
    pub(super) case: Case,
    /// Whether something is said to be its own: `Mira's`.
    pub(super) is_owner: bool,
    /// Whether it belongs to the word before, in scripts without spaces.
    is_joined: bool,
}

/// How a word begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// With a capital letter.
    Capital,
    /// With anything else.
    Small,
}

/// The words of a text, in order.
pub(super) fn words(text: &str) -> Vec<Word> {
    let found = text::words(text).into_iter();
    found.map(|word| Word::new(word, text)).collect()
}

impl Word {
    fn new(word: text::Word, text: &str) -> Self {
        let text::Word { range, mut form, term, is_joined } = word;
        let written = text.get(range.clone()).unwrap_or_default().replace('’', "'");
        let is_owner = written.ends_with("'s") || written.ends_with("'S");
        if is_owner {
            form.pop();
        }
        let is_filler = if written.contains('\'') {
            is_stop_word(&written.to_lowercase()) || is_owner && is_stop_word(&form)
        } else {
            is_stop_word(&form)
        };
        let is_capital = written.chars().next().is_some_and(char::is_uppercase);
        let case = if is_capital { Case::Capital } else { Case::Small };
        Self { range, form, term, is_filler, case, is_owner, is_joined }
    }
}

/// What these words are about: the terms of all but stop words, repeated as they are.
///
/// Of a row of characters without spaces each pair is one: a single one says little.
pub(super) fn terms<'a>(words: impl IntoIterator<Item = &'a Word>) -> Vec<String> {
    let mut terms: Vec<String> = Vec::new();
    // The character before, and whether it stands in a pair already.
    let mut last: Option<(&Word, bool)> = None;
    for word in words.into_iter().filter(|word| !word.is_filler) {
        let before = last.take().filter(|_| word.is_joined);
        if let Some((before, is_paired)) = before {
            if !is_paired {
                terms.pop();
            }
            terms.push(format!("{}{}", before.term, word.term));
        } else {
            terms.push(word.term.clone());
        }
        last = Some((word, before.is_some()));
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_about_its_words_with_meaning() {
        for (text, expected) in [
            ("We'll dig the well of Mira’s town", "dig well mira town"),
            ("He's running; she'd shed tears. It's Will's!", "run shed tear"),
            ("Что ты делала у Чёрного озера? Её не было там.", "дела черн озер"),
            ("I don't know, DON'T ask: who'd go?", "know ask whod go"),
            ("雪国へ行く。駅", "雪国 国へ へ行 行く 駅"),
            ("雪 or 月", "雪 月"),
            ("…!?", ""),
        ] {
            assert_eq!(terms(&words(text)).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn a_word_knows_how_it_is_written() {
        let words = words("Mira's café, olé");
        let seen: Vec<_> =
            words.iter().map(|word| (&*word.form, word.case, word.is_owner)).collect();
        assert_eq!(
            seen,
            [
                ("mira", Case::Capital, true),
                ("cafe", Case::Small, false),
                ("ole", Case::Small, false)
            ]
        );
    }
}
