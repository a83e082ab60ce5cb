//! Rehearsal models: one for each state in which a client may find a reply.
//!
//! Each is the usual script with something done to it. A new one is a variant, its
//! card in [`Rehearsal::card`] and an arm in [`Rehearsal::stage`].

use std::time::Duration;

use super::super::{Chunk, FinishReason, LlmError, LlmErrorKind};
use super::pace::Pace;
use super::prose::Size;
use super::script::{Step, estimate_tokens};

const SLOW_START: Duration = Duration::from_secs(2);
const SLOW_TOKENS_PER_SECOND: u32 = 8;
const RETRY_AFTER: Duration = Duration::from_secs(7);
const OVERLOADED_ATTEMPTS: u32 = 2;
/// How many pieces of text come before a reply stalls or is blocked.
const PIECES_BEFORE_TROUBLE: usize = 8;

/// What goes differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rehearsal {
    Slow,
    Thinking,
    Cut,
    Blocked,
    BlockedLate,
    RateLimited,
    RetriesTwice,
    Stall,
    Length,
    Auth,
    Long,
}

/// How a rehearsal is listed.
pub(super) struct Card {
    pub(super) suffix: &'static str,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
}

impl Rehearsal {
    pub(super) const ALL: [Self; 11] = [
        Self::Slow,
        Self::Thinking,
        Self::Cut,
        Self::Blocked,
        Self::BlockedLate,
        Self::RateLimited,
        Self::RetriesTwice,
        Self::Stall,
        Self::Length,
        Self::Auth,
        Self::Long,
    ];

    pub(super) fn find(suffix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rehearsal| rehearsal.card().suffix == suffix)
    }

    pub(super) fn card(self) -> Card {
        let (suffix, name, description) = match self {
            Self::Slow => {
                ("slow", "Slow", "Says nothing for 2 seconds, then writes 8 tokens a second.")
            }
            Self::Thinking => ("thinking", "Thinking", "Thinks about 60 words before it writes."),
            Self::Cut => ("cut", "Cut off", "The stream ends after a third of the reply."),
            Self::Blocked => ("blocked", "Blocked", "A filter refuses before any text."),
            Self::BlockedLate => {
                ("blocked-late", "Blocked late", "A filter refuses after some text.")
            }
            Self::RateLimited => {
                ("rate-limited", "Rate limited", "Always asks to come back in 7 seconds.")
            }
            Self::RetriesTwice => (
                "retries-twice",
                "Retries twice",
                "Is overloaded twice and writes on the third attempt.",
            ),
            Self::Stall => ("stall", "Stalls", "Writes a little, then nothing, for ever."),
            Self::Length => {
                ("length", "Out of tokens", "Ends in mid-sentence at the limit of tokens.")
            }
            Self::Auth => ("auth", "Key refused", "Refuses the key."),
            Self::Long => ("long", "Long", "Writes about 1,500 words."),
        };
        Card { suffix, name, description }
    }

    pub(super) fn size(self) -> Size {
        match self {
            Self::Thinking => Size::Thoughtful,
            Self::Long => Size::Long,
            Self::Slow
            | Self::Cut
            | Self::Blocked
            | Self::BlockedLate
            | Self::RateLimited
            | Self::RetriesTwice
            | Self::Stall
            | Self::Length
            | Self::Auth => Size::Usual,
        }
    }

    /// Slowness is the point of `slow`, so it is slow at any pace.
    pub(super) fn pace(self, usual: Pace) -> Pace {
        if self == Self::Slow { Pace::tokens_per_second(SLOW_TOKENS_PER_SECOND) } else { usual }
    }

    /// The error with which a call is refused outright, if it is.
    pub(super) fn refuse(self, attempt: u32) -> Result<(), LlmError> {
        match self {
            Self::RateLimited => Err(LlmError::new(LlmErrorKind::RateLimited).after(RETRY_AFTER)),
            Self::RetriesTwice if attempt <= OVERLOADED_ATTEMPTS => {
                Err(LlmErrorKind::Overloaded.into())
            }
            Self::Auth => Err(LlmErrorKind::Auth.into()),
            Self::RetriesTwice
            | Self::Slow
            | Self::Thinking
            | Self::Cut
            | Self::Blocked
            | Self::BlockedLate
            | Self::Stall
            | Self::Length
            | Self::Long => Ok(()),
        }
    }

    /// Does to a script what this rehearsal is for.
    pub(super) fn stage(self, mut script: Vec<Step>) -> Vec<Step> {
        match self {
            Self::Slow => script.insert(0, Step::Wait(SLOW_START)),
            Self::Cut => keep_pieces(&mut script, |pieces| pieces / 3),
            Self::Blocked => script = vec![blocked("rehearsal of a refused prompt")],
            Self::BlockedLate => {
                keep_pieces(&mut script, |pieces| pieces.min(PIECES_BEFORE_TROUBLE));
                script.push(blocked("rehearsal of a refused reply"));
            }
            Self::Stall => {
                keep_pieces(&mut script, |pieces| pieces.min(PIECES_BEFORE_TROUBLE));
                script.push(Step::Hang);
            }
            Self::Length => run_out(&mut script),
            Self::Thinking | Self::RateLimited | Self::RetriesTwice | Self::Auth | Self::Long => {}
        }
        script
    }
}

fn blocked(reason: &str) -> Step {
    Step::Fail(LlmError::new(LlmErrorKind::Blocked).detail(reason))
}

/// Keeps the thought and the first pieces of text, as many as `how_many` of all; no end.
fn keep_pieces(script: &mut Vec<Step>, how_many: impl Fn(usize) -> usize) {
    let all = script.iter().filter(|step| text(step).is_some()).count();
    let first = script.iter().position(|step| text(step).is_some()).unwrap_or_default();
    script.truncate(first + how_many(all));
}

/// Ends half-way through, in mid-sentence, as if at the limit.
fn run_out(script: &mut Vec<Step>) {
    let Some(Step::Send(Chunk::Finished { mut usage, .. })) = script.last().cloned() else {
        return;
    };
    keep_pieces(script, |pieces| pieces / 2);
    while script.last().and_then(text).is_some_and(ends_sentence) {
        script.pop();
    }
    let written: String = script.iter().filter_map(text).collect();
    if let Some(usage) = &mut usage {
        usage.output = estimate_tokens(&written);
    }
    script.push(Step::Send(Chunk::Finished { reason: FinishReason::Length, usage }));
}

fn ends_sentence(piece: &str) -> bool {
    !piece.trim_end().ends_with(|c: char| c.is_alphanumeric() || c == ',')
}

fn text(step: &Step) -> Option<&str> {
    match step {
        Step::Send(Chunk::Content(text)) => Some(text),
        Step::Send(Chunk::Thought(_) | Chunk::Usage(_) | Chunk::Finished { .. })
        | Step::Wait(_)
        | Step::Fail(_)
        | Step::Hang => None,
    }
}
