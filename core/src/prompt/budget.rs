//! Fitting a prompt into a model's context. Pure.

use super::BlockKind;
use crate::memory::MemorySettings;

/// Tokens of prompt and reply together that are used at most, even if the model takes more.
const MAX_TOKENS: u32 = 32_000;

/// Tokens of a reply, unless told otherwise.
const REPLY_TOKENS: u32 = 1200;

/// Tokens of thought that a model's context is to hold beside prompt and reply.
const THOUGHT_TOKENS: u32 = 4096;

/// After trimming, the history fills this much of its room: the rest lets it grow for many
/// turns before its beginning, and with it the provider's cache, changes again.
const TRIMMED: f64 = 0.7;

/// A history that fills less than this of its room is filled anew.
const UNDERFILLED: f64 = 0.5;

/// Messages of a history at most, however short they are.
pub const MOST_MESSAGES: usize = 1000;

/// How many tokens there are to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// For prompt and reply together.
    pub total: u32,
    /// Kept free for the reply.
    pub reply: u32,
    /// Kept for what comes to mind of a story that does not fit as a whole.
    pub memory: u32,
}

/// The blocks that must be there do not fit by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the prompt needs {needed} tokens and {available} are there: the largest part is {} with \
     {size} tokens; shorten it, or choose a model with a larger context",
    .largest.name()
)]
pub struct TooLarge {
    /// What the blocks need.
    pub needed: u32,
    /// What there is, the reply's share taken off.
    pub available: u32,
    /// The largest block.
    pub largest: BlockKind,
    /// Its size.
    pub size: u32,
}

impl Budget {
    /// The budget for a model with this context and a reply of this length.
    ///
    /// Servers count thoughts and reply together, so a model that thinks needs room for both.
    pub fn new(context_tokens: u32, reply_tokens: Option<u32>, thinks: bool) -> Self {
        let thought = if thinks { THOUGHT_TOKENS.min(context_tokens / 4) } else { 0 };
        let total = context_tokens.saturating_sub(thought).min(MAX_TOKENS);
        Self { total, reply: reply_tokens.unwrap_or(REPLY_TOKENS).min(total / 4), memory: 0 }
    }

    /// The same with room for what comes to mind.
    #[must_use]
    pub fn with_memory(self, settings: &MemorySettings) -> Self {
        Self { memory: settings.room(self.prompt()), ..self }
    }

    /// What the prompt may have.
    pub fn prompt(self) -> u32 {
        self.total.saturating_sub(self.reply)
    }

    /// What is left for the others when the must-have blocks are in.
    pub fn room(self, must_have: impl Iterator<Item = (BlockKind, u32)>) -> Result<u32, TooLarge> {
        let available = self.prompt();
        let (mut needed, mut largest) = (0_u32, (BlockKind::System, 0));
        for (kind, tokens) in must_have {
            needed = needed.saturating_add(tokens);
            if tokens > largest.1 {
                largest = (kind, tokens);
            }
        }
        let (largest, size) = largest;
        available.checked_sub(needed).ok_or(TooLarge { needed, available, largest, size })
    }
}

/// A history that is to be fitted, oldest message first.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// The sizes of its messages.
    pub sizes: &'a [u32],
    /// Whether it begins where the story begins, rather than where reading stopped.
    pub complete: bool,
    /// Where the last prompt's history began.
    pub previous: Option<usize>,
}

/// The first message that goes in.
///
/// As long as it can, the history begins where the last one did, so that a
/// provider finds the beginning of the prompt in its cache. If it has to be
/// trimmed, it is trimmed by a good part at once.
pub fn first_kept(history: History<'_>, room: u32) -> usize {
    let History { sizes, complete, previous } = history;
    let from = |first: usize| sizes.iter().skip(first).copied().fold(0, u32::saturating_add);
    if let Some(first) = previous.filter(|first| *first < sizes.len()) {
        let size = from(first);
        let underfilled = is_underfilled(size, sizes.len() - first, room);
        if size <= room && (!underfilled || first == 0 && complete) {
            return first;
        }
    }
    if complete && from(0) <= room {
        return 0;
    }
    let goal = share(room, TRIMMED);
    let fits = sizes.iter().rev().scan(goal, |left, size| {
        *left = left.checked_sub(*size)?;
        Some(())
    });
    // Reading stopped somewhere: beginning there would begin elsewhere in the next turn.
    let most = if complete { sizes.len() } else { MOST_MESSAGES * 7 / 10 };
    // The newest message is what is answered: it goes in if there is room at all.
    let newest = sizes.last().is_some_and(|size| *size <= room);
    sizes.len() - fits.count().min(most).max(usize::from(newest))
}

/// Whether a history of this size and so many messages leaves so much room that older messages
/// should come in.
pub fn is_underfilled(size: u32, messages: usize, room: u32) -> bool {
    f64::from(size) < f64::from(room) * UNDERFILLED && messages < MOST_MESSAGES / 2
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a u32 is one"
)]
fn share(of: u32, part: f64) -> u32 {
    (f64::from(of) * part) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_kept_fits(
            sizes in prop::collection::vec(0_u32..500, 0..60),
            room in 0_u32..5000,
            complete: bool,
            previous in prop::option::of(0_usize..70),
        ) {
            let first = first_kept(History { sizes: &sizes, complete, previous }, room);
            prop_assert!(first <= sizes.len());
            let kept: u32 = sizes.iter().skip(first).sum();
            prop_assert!(kept <= room);
            if sizes.last().is_some_and(|size| *size <= room) {
                prop_assert!(first < sizes.len(), "what is answered goes in");
            }
            if complete && sizes.iter().sum::<u32>() <= room && previous.is_none() {
                prop_assert_eq!(first, 0);
            }
        }

        /// The beginning of the history moves rarely: each time, a good part is dropped at once.
        #[test]
        fn the_beginning_stays_for_many_turns(size in 20_u32..100, turns in 50_usize..400) {
            let room = 5000;
            let (mut first, mut moves, mut sizes) = (0, 0, Vec::new());
            for _ in 0..turns {
                sizes.extend([size, size]);
                let history = History { sizes: &sizes, complete: true, previous: Some(first) };
                let next = first_kept(history, room);
                moves += usize::from(next != first);
                first = next;
            }
            let grown = u32::try_from(sizes.len()).unwrap() * size;
            let step = f64::from(room) * (1.0 - TRIMMED) - f64::from(2 * size);
            prop_assert!(f64::from(u32::try_from(moves).unwrap()) <= f64::from(grown) / step);
        }
    }

    #[test]
    fn a_history_that_became_too_short_is_filled_anew() {
        let sizes = [100; 40];
        let history = History { sizes: &sizes, complete: true, previous: Some(35) };
        assert_eq!(first_kept(history, 10_000), 0);
        assert_eq!(first_kept(history, 800), 35);
        assert_eq!(first_kept(history, 3000), 19);
    }

    #[test]
    fn must_haves_that_do_not_fit_are_named() {
        let budget = Budget::new(4000, None, false);
        assert_eq!(budget, Budget { total: 4000, reply: 1000, memory: 0 });
        assert_eq!(Budget::new(16_000, None, true).total, 16_000 - 4000);
        assert_eq!(Budget::new(1_000_000, None, true).total, MAX_TOKENS);
        let blocks = [(BlockKind::System, 100), (BlockKind::Character, 3000)];
        let error = budget.room(blocks.into_iter()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the prompt needs 3100 tokens and 3000 are there: the largest part is the character \
             with 3000 tokens; shorten it, or choose a model with a larger context"
        );
    }
}
