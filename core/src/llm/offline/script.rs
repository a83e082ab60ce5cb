//! The reply as a script: pieces of text, pauses and failures, in order.
//!
//! Pure: the whole reply is known before the first piece is sent, so stop texts and
//! limits are applied to the whole, and no piece can carry half of a stop text.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};

use super::super::{Chunk, FinishReason, LlmError, Request, Usage};
use super::prose::Reply;

/// One thing that happens on the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, for a while, at any pace.
    Wait(Duration),
    /// A chunk; pieces of text take as long as their [`weight`].
    Send(Chunk),
    /// The end, with an error.
    Fail(LlmError),
    /// Nothing, for ever.
    Hang,
}

/// A token is 44 units: exactly 4 bytes of ASCII or 4.4 bytes of anything else.
pub(super) const UNITS_PER_TOKEN: u64 = 44;
const ASCII_UNITS: u64 = 11;
const OTHER_UNITS_PER_BYTE: u64 = 10;

/// About how many tokens a text is.
///
/// Four bytes of ASCII make a token; of other scripts two-byte letters at 2.2 a
/// token, which is where Cyrillic lies with today's tokenizers.
pub fn estimate_tokens(text: &str) -> u32 {
    u32::try_from(weight(text).div_ceil(UNITS_PER_TOKEN)).unwrap_or(u32::MAX)
}

/// The text's size in parts of a token.
pub(super) fn weight(text: &str) -> u64 {
    text.chars().map(char_weight).sum()
}

fn char_weight(c: char) -> u64 {
    if c.is_ascii() { ASCII_UNITS } else { OTHER_UNITS_PER_BYTE * c.len_utf8() as u64 }
}

/// The script of a normal reply.
pub(super) fn script(request: &Request, reply: &Reply, rng: &mut StdRng) -> Vec<Step> {
    let limit = u64::from(request.max_output_tokens) * UNITS_PER_TOKEN;
    // Where tokens are scarce they are better spent on text.
    let thinks = estimate_tokens(&reply.thought).saturating_mul(4) <= request.max_output_tokens;
    let thought = if thinks { reply.thought.as_str() } else { "" };
    // Rounded up to whole tokens, as they are counted in the usage.
    let left = limit.saturating_sub(u64::from(estimate_tokens(thought)) * UNITS_PER_TOKEN);
    let stopped = before_stop(&reply.text, &request.stop);
    let text = within(stopped, left);
    let finished = Chunk::Finished {
        reason: if text.len() < stopped.len() { FinishReason::Length } else { FinishReason::Stop },
        usage: Some(usage(request, thought, text)),
    };
    let thought = pieces(thought, rng).into_iter().map(Chunk::Thought);
    let thought: Vec<Chunk> = thought.collect();
    let text = pieces(text, rng).into_iter().map(Chunk::Content);
    thought.into_iter().chain(text).chain([finished]).map(Step::Send).collect()
}

fn usage(request: &Request, thought: &str, text: &str) -> Usage {
    let prompt: u64 = weight(&request.system_text())
        + request.turns.iter().map(|turn| weight(&turn.text())).sum::<u64>();
    Usage {
        prompt: u32::try_from(prompt.div_ceil(UNITS_PER_TOKEN)).unwrap_or(u32::MAX),
        cached: 0,
        output: estimate_tokens(text),
        thought: estimate_tokens(thought),
    }
}

/// The text up to where the first stop text begins.
fn before_stop<'t>(text: &'t str, stop: &[String]) -> &'t str {
    let at = stop
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| text.find(stop.as_str()))
        .min();
    at.and_then(|at| text.get(..at)).unwrap_or(text)
}

/// As much of the text as weighs no more than `units`.
fn within(text: &str, units: u64) -> &str {
    let (mut weighed, mut cut) = (0, 0);
    let mut previous = None;
    for (at, c) in text.char_indices() {
        if previous.is_none_or(|previous| may_split(previous, c)) {
            cut = at;
        }
        weighed += char_weight(c);
        if weighed > units {
            return text.get(..cut).unwrap_or_default();
        }
        previous = Some(c);
    }
    text
}

/// Cuts text at random into pieces of a few letters up to several words.
fn pieces(text: &str, rng: &mut StdRng) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut wanted = piece_length(rng);
    for c in text.chars() {
        let is_full = piece.chars().count() >= wanted;
        if is_full && piece.chars().next_back().is_some_and(|last| may_split(last, c)) {
            pieces.push(std::mem::take(&mut piece));
            wanted = piece_length(rng);
        }
        piece.push(c);
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

fn piece_length(rng: &mut StdRng) -> usize {
    if rng.random_ratio(1, 8) { rng.random_range(10..24) } else { rng.random_range(2..8) }
}

/// Whether a piece may end between two characters.
///
/// Only between characters that never join with their neighbours; a name in a
/// script beyond these travels whole. That is stricter than grapheme clusters and
/// needs no tables.
fn may_split(before: char, after: char) -> bool {
    stands_alone(before) && stands_alone(after) && (before, after) != ('\r', '\n')
}

fn stands_alone(c: char) -> bool {
    matches!(c, '\n' | '\r' | ' '..='~')
        || matches!(c, '\u{a1}'..='\u{24f}') && c != '\u{ad}' && c != '©' && c != '®'
        || matches!(c, '\u{400}'..='\u{482}' | '\u{48a}'..='\u{52f}')
        || matches!(c, '\u{2010}'..='\u{2027}')
        || matches!(c, '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{4e00}'..='\u{9fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn tokens_are_a_fourth_of_latin_and_about_half_of_cyrillic_letters() {
        assert_eq!(estimate_tokens(""), 0);
        assert_eq!(estimate_tokens("four"), 1);
        assert_eq!(estimate_tokens(&"a".repeat(400)), 100);
        assert_eq!(estimate_tokens(&"ж".repeat(220)), 100);
    }

    #[test]
    fn a_stop_text_ends_the_text_before_it() {
        let stops = [String::new(), "\nAlex:".to_owned(), "rain".to_owned()];
        assert_eq!(before_stop("the rain\nAlex: no", &stops), "the ");
        assert_eq!(before_stop("nothing here", &stops), "nothing here");
    }

    #[test]
    fn nothing_is_split_inside_a_cluster() {
        let text = "a👩‍👩‍👧‍👦b e\u{301}e\u{301} 🇫🇷🇩🇪 नमस्ते שלום ok❤️ ok";
        for seed in 0..500 {
            let pieces = pieces(text, &mut StdRng::seed_from_u64(seed));
            assert_eq!(pieces.concat(), text);
            for piece in &pieces {
                assert!(!piece.starts_with(['\u{301}', '\u{200d}', '\u{fe0f}']), "{pieces:?}");
                assert!(!piece.ends_with('\u{200d}'), "{pieces:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn pieces_make_the_text_again(text in any::<String>(), seed: u64) {
            let pieces = pieces(&text, &mut StdRng::seed_from_u64(seed));
            prop_assert_eq!(pieces.concat(), text);
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
        }

        #[test]
        fn a_cut_text_is_a_prefix_within_the_limit(text in any::<String>(), units in 0_u64..2_000) {
            let cut = within(&text, units);
            prop_assert!(text.starts_with(cut));
            prop_assert!(weight(cut) <= units);
        }
    }
}
