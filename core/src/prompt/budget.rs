//! Fitting a prompt into a model's context. Pure.

use super::BlockKind;

/// Tokens of prompt and reply together that are used at most, even if the model takes more.
const MAX_TOKENS: u32 = 32_000;

/// How many tokens there are to spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// For prompt and reply together.
    pub total: u32,
    /// Kept free for the reply.
    pub reply: u32,
}

/// The blocks that must be there do not fit by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the prompt needs {needed} tokens and {available} are there; the largest part is the {largest:?} block with {size}"
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
    /// The default budget for a model with this context.
    pub fn for_context(tokens: u32) -> Self {
        let total = tokens.min(MAX_TOKENS);
        Self { total, reply: 1200.min(total / 4) }
    }

    /// What is left for history when the must-have blocks are in.
    pub fn room(self, must_have: impl Iterator<Item = (BlockKind, u32)>) -> Result<u32, TooLarge> {
        let available = self.total.saturating_sub(self.reply);
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

/// How many of the newest items fit into `room`; items come oldest first.
pub fn keep_newest(sizes: impl DoubleEndedIterator<Item = u32>, room: u32) -> usize {
    let fits = sizes.rev().scan(room, |left, size| {
        *left = left.checked_sub(size)?;
        Some(())
    });
    fits.count()
}

/// An estimate of how many tokens a text has, without its model's tokenizer.
///
/// Latin text has about four bytes to a token, other alphabets about two and a
/// half letters, CJK letters and emoji about one each; a tenth is added for
/// what a message costs around its text.
pub fn estimate_tokens(text: &str) -> u32 {
    let (mut latin, mut alphabet, mut ideograph) = (0_usize, 0_usize, 0_usize);
    for letter in text.chars() {
        match u32::from(letter) {
            0..=0x7f => latin += 1,
            0x80..=0x1fff => alphabet += 1,
            _ => ideograph += 1,
        }
    }
    let estimate = latin.div_ceil(4) + (alphabet * 2).div_ceil(5) + ideograph;
    u32::try_from(estimate + estimate.div_ceil(10)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_kept_fits_and_one_more_would_not(sizes in prop::collection::vec(0_u32..500, 0..40), room in 0_u32..5000) {
            let keep = keep_newest(sizes.iter().copied(), room);
            let total = |count: usize| sizes.iter().rev().take(count).sum::<u32>();
            prop_assert!(total(keep) <= room);
            prop_assert!(keep == sizes.len() || total(keep + 1) > room);
        }
    }

    #[test]
    fn must_haves_that_do_not_fit_are_named() {
        let budget = Budget::for_context(4000);
        assert_eq!(budget, Budget { total: 4000, reply: 1000 });
        let blocks = [(BlockKind::System, 100), (BlockKind::Character, 3000)];
        let error = budget.room(blocks.into_iter()).unwrap_err();
        assert_eq!(
            (error.largest, error.size, error.needed, error.available),
            (BlockKind::Character, 3000, 3100, 3000)
        );
    }
}
