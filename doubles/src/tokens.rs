//! Counts tokens with a real tokenizer, so that usage is honest in every language.
//!
//! Which model's tokenizer it is does not matter to a client: its own guess must be
//! near, not equal. `o200k_base` is at home in English, Russian and Chinese.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// What a message costs beside its words: its role and its borders.
pub const PER_MESSAGE: usize = 4;

/// Prompts that are remembered, to find beginnings that repeat.
const PROMPTS_KEPT: usize = 64;

/// The number of tokens of a text.
pub fn count(text: &str) -> usize {
    bpe_openai::o200k_base().count(text)
}

/// The number of tokens of a prompt made of these messages.
pub fn count_prompt<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    Vocabulary::O200k.count_prompt(texts)
}

/// A real vocabulary: how dear a language is differs much between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vocabulary {
    /// `o200k_base`, of 2024, at home in many languages.
    #[default]
    O200k,
    /// `cl100k_base`, of 2022, to which Russian and Chinese are nearly twice as dear.
    Cl100k,
}

impl Vocabulary {
    /// The number of tokens of a prompt made of these messages.
    pub fn count_prompt<'a>(self, texts: impl IntoIterator<Item = &'a str>) -> usize {
        let tokenizer = match self {
            Self::O200k => bpe_openai::o200k_base(),
            Self::Cl100k => bpe_openai::cl100k_base(),
        };
        texts.into_iter().map(|text| tokenizer.count(text) + PER_MESSAGE).sum()
    }
}

/// Remembers prompts, as servers do that give a discount on a beginning they have seen.
#[derive(Debug, Default)]
pub(crate) struct PrefixCache(Mutex<VecDeque<String>>);

impl PrefixCache {
    /// How many tokens of this prompt were seen before; none below the minimum.
    pub(crate) fn hit(&self, prompt: String, minimum: usize) -> usize {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = seen.iter().map(|old| common_prefix(old, &prompt)).max().unwrap_or_default();
        // A token has one byte at least: this spares the counting of short beginnings.
        let known = prompt.get(..longest).filter(|known| known.len() >= minimum);
        let tokens = known.map_or(0, count);
        if seen.len() == PROMPTS_KEPT {
            seen.pop_front();
        }
        seen.push_back(prompt);
        if tokens < minimum { 0 } else { tokens }
    }
}

/// The bytes that both begin with, up to a border of letters.
fn common_prefix(old: &str, new: &str) -> usize {
    const BLOCK: usize = 1024;
    let blocks = old.as_bytes().chunks(BLOCK).zip(new.as_bytes().chunks(BLOCK));
    let whole = blocks.take_while(|(old, new)| old == new && old.len() == BLOCK).count() * BLOCK;
    let rest = old.bytes().skip(whole).zip(new.bytes().skip(whole));
    let same = whole + rest.take_while(|(old, new)| old == new).count();
    (0..=same).rev().find(|at| new.is_char_boundary(*at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_as_the_vocabulary_has_them() {
        assert_eq!(count(""), 0);
        assert_eq!(count("Hello, world!"), 4);
        assert!(count("Метель стихла к утру.") < 12);
        assert!(count("雪停了。") <= 5);
    }

    #[test]
    fn a_repeated_beginning_is_found_if_it_is_long_enough() {
        let cache = PrefixCache::default();
        let world = "The inn stands at the ford. ".repeat(20);
        assert_eq!(cache.hit(format!("{world}One."), 50), 0);
        let known = cache.hit(format!("{world}Two."), 50);
        assert!((130..=150).contains(&known), "{known}");
        assert_eq!(cache.hit(format!("Else. {world}"), 50), 0);
    }
}
