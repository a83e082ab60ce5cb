//! Weaving a reply: which sentences are said, and in which order.
//!
//! Everything here is pure: the same story and seed give the same text.

mod english;
mod player;
mod russian;
mod scenes;
mod sentences;
mod template;
mod tongue;
mod weaver;

use rand::{SeedableRng, rngs::StdRng};

use self::scenes::{count_words, paragraphs};
use self::weaver::Weaver;
use super::super::Request;

/// What the storyteller has to say to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) thought: String,
    pub(super) text: String,
}

/// How much is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Usual,
    /// A thought of about sixty words.
    Thoughtful,
    /// About 1,500 words.
    Long,
}

const LONG_WORDS: usize = 1_450;

/// Writes a reply.
pub(super) fn write(request: &Request, size: Size) -> Reply {
    let mut rng = StdRng::seed_from_u64(request.seed);
    if request.story.writes_player {
        let (thought, text) = (String::new(), player::message(&request.story, &mut rng));
        let text = if request.story.begun.is_empty() {
            text
        } else {
            gone_on(&request.story.begun, &text)
        };
        return Reply { thought, text };
    }
    let mut weaver = Weaver::new(request, rng);
    let thought = weaver.thought(size == Size::Thoughtful);
    let mut text = paragraphs(&weaver.passage());
    while size == Size::Long && count_words(&text) < LONG_WORDS {
        weaver.turn_page(&text);
        text.push_str("\n\n");
        text.push_str(&paragraphs(&weaver.passage()));
    }
    if !request.story.begun.is_empty() {
        return Reply { thought, text: gone_on(&request.story.begun, &text) };
    }
    if let Some(note) = weaver.note() {
        text.push_str("\n\n");
        text.push_str(note);
    }
    Reply { thought, text }
}

/// A passage after a text that may have been cut anywhere: a cut sentence trails off.
fn gone_on(begun: &str, passage: &str) -> String {
    let is_cut = begun.trim_end().ends_with(|last: char| last.is_alphanumeric() || last == ',');
    let joint = if is_cut { "…\n\n" } else { "\n\n" };
    format!("{joint}{passage}")
}

#[cfg(test)]
mod tests;
