//! Passages: what comes to mind as a whole. Pure.
//!
//! A message is one passage; a long one is cut into several, at the ends of
//! paragraphs or sentences. Put together again they are the message.

use std::ops::Range;

/// Characters of a passage, about.
const LENGTH: usize = 1200;
/// What is little longer is not cut.
const LONGEST: usize = 1500;
/// A passage is not cut shorter than this for the sake of a better place.
const SHORTEST: usize = 400;

/// Where the passages of a text stand, in bytes, one behind the other.
pub(super) fn cut(text: &str) -> Vec<Range<usize>> {
    let mut passages = Vec::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let end = if rest.chars().nth(LONGEST).is_some() {
            start + end_of_first(rest)
        } else {
            text.len()
        };
        passages.push(start..end);
        start = end;
    }
    passages
}

/// Where the first passage of a long text ends: at a paragraph's end, else a sentence's, else
/// between words, else anywhere.
fn end_of_first(text: &str) -> usize {
    let at = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let (shortest, longest) = (at(SHORTEST), at(LENGTH));
    let window = text.get(..longest).unwrap_or(text);
    let last = |is_end: &dyn Fn(char, char) -> bool| {
        let letters = window.char_indices().zip(window.chars().skip(1));
        let ends = letters.filter(|((_, letter), next)| is_end(*letter, *next));
        ends.map(|((at, letter), _)| at + letter.len_utf8()).filter(|end| *end >= shortest).last()
    };
    let ends_paragraph = |letter: char, next: char| letter == '\n' && next != '\n';
    let ends_sentence = |letter: char, next: char| {
        let is_stop =
            matches!(letter, '.' | '!' | '?' | '…' | '"' | '»' | '”' | '*' | '。' | '！' | '？');
        is_stop && (next.is_whitespace() || !letter.is_ascii() && next.is_alphabetic())
    };
    let ends_word = |letter: char, next: char| letter.is_whitespace() && !next.is_whitespace();
    last(&ends_paragraph)
        .or_else(|| last(&ends_sentence))
        .or_else(|| last(&ends_word))
        .unwrap_or(longest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        cut(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn a_long_text_is_cut_where_something_ends() {
        let (sentence, word) = ("The rain drums on the roof. ", "rain ");
        let paragraph = sentence.repeat(30);
        for (text, ends) in [
            (sentence.repeat(50), None),
            (format!("{paragraph}\n\n{paragraph}"), Some("roof. \n\n")),
            (sentence.repeat(90), Some("roof.")),
            (format!("„{}“", "Дождь стучит по крыше… ".repeat(90)), Some("крыше…")),
            (word.repeat(400), Some("rain ")),
            ("x".repeat(2000), Some("xxx")),
        ] {
            let pieces = pieces(&text);
            assert_eq!(pieces.len() == 1, ends.is_none(), "{text}");
            if let Some(end) = ends {
                assert!(pieces[0].ends_with(end), "{}", pieces[0]);
            }
        }
    }

    proptest! {
        #[test]
        fn all_passages_together_are_the_message(
            parts in prop::collection::vec("[a-zа-я .!?…\n雪]{0,300}", 0..20),
        ) {
            let text = parts.concat();
            let pieces = pieces(&text);
            prop_assert_eq!(pieces.concat(), &*text);
            for piece in pieces {
                let length = piece.chars().count();
                prop_assert!((1..=LONGEST).contains(&length), "{length}");
            }
        }
    }
}
