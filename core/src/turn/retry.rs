//! Whether and when a failed call is made again, and with which model. Pure.

use std::time::Duration;

use super::{Failure, FailureCode};

/// Tries with one model at most, as long as no text was shown.
pub const MAX_TRIES: i64 = 3;

/// Tries while a model is being loaded: about a minute, at two seconds each.
const LOADING_TRIES: i64 = 30;

/// A provider that wants a longer pause is not waited for.
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// A call that failed.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// Why.
    pub failure: &'a Failure,
    /// How many calls of this model there were, this one included.
    pub tries: i64,
    /// Whether the prompt was refused as too long, and the next one will be shorter.
    pub shorter: bool,
    /// Whether a reader has seen text of it.
    pub text_shown: bool,
    /// Whether there is another model to turn to.
    pub has_fallback: bool,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Leave it at that.
    GiveUp,
    /// Ask the same model after this time.
    Again(Duration),
    /// Ask the other model at once.
    Fallback,
}

/// Decides; `chance` spreads those who wait for the same provider.
pub fn judge(trial: Trial<'_>, chance: u64) -> Verdict {
    let Trial { failure, tries, shorter, text_shown, has_fallback } = trial;
    // A reader never sees a text change under their eyes.
    if text_shown || failure.code == FailureCode::Internal {
        return Verdict::GiveUp;
    }
    if shorter && tries < MAX_TRIES {
        return Verdict::Again(Duration::ZERO);
    }
    let wait = failure.retry_after.unwrap_or_else(|| backoff(tries, chance));
    let most = if failure.code == FailureCode::Loading { LOADING_TRIES } else { MAX_TRIES };
    if failure.code.is_retryable() && tries < most && wait <= LONGEST_WAIT {
        return Verdict::Again(wait);
    }
    // Another provider's filter may be laxer: that is the player's choice, not ours.
    if has_fallback && failure.code != FailureCode::Blocked {
        return Verdict::Fallback;
    }
    Verdict::GiveUp
}

/// One second, doubled with each try, and up to a quarter more.
fn backoff(tries: i64, chance: u64) -> Duration {
    let doubled = u32::try_from(tries.clamp(1, 6) - 1).map_or(1, |n| 2_u32.saturating_pow(n));
    let base = Duration::from_secs(1) * doubled;
    base + base / 4 * u32::try_from(chance % 1000).unwrap_or_default() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(code: FailureCode, change: impl FnOnce(&mut Trial<'_>)) -> Verdict {
        let failure = Failure::new(code, "");
        let mut trial = Trial {
            failure: &failure,
            tries: 1,
            shorter: false,
            text_shown: false,
            has_fallback: false,
        };
        change(&mut trial);
        judge(trial, 0)
    }

    #[test]
    fn what_may_pass_is_tried_again_a_little_later() {
        let second = Duration::from_secs(1);
        for code in [
            FailureCode::RateLimited,
            FailureCode::Overloaded,
            FailureCode::Unreachable,
            FailureCode::Timeout,
            FailureCode::Cut,
            FailureCode::Empty,
        ] {
            assert_eq!(verdict(code, |_| {}), Verdict::Again(second), "{code:?}");
            assert_eq!(verdict(code, |trial| trial.tries = 2), Verdict::Again(2 * second));
            assert_eq!(verdict(code, |trial| trial.tries = 3), Verdict::GiveUp);
            assert_eq!(verdict(code, |trial| trial.text_shown = true), Verdict::GiveUp);
        }
    }

    #[test]
    fn a_model_that_is_being_loaded_is_waited_for() {
        let again = |tries| verdict(FailureCode::Loading, |trial| trial.tries = tries);
        assert!(matches!(again(29), Verdict::Again(_)));
        assert_eq!(again(30), Verdict::GiveUp);
    }

    #[test]
    fn the_provider_says_when_to_come_back() {
        let after = |delay| {
            let mut failure = Failure::new(FailureCode::RateLimited, "");
            failure.retry_after = Some(delay);
            let text_shown = false;
            let shorter = false;
            let has_fallback = false;
            judge(Trial { failure: &failure, tries: 1, shorter, text_shown, has_fallback }, 0)
        };
        let (soon, late) = (Duration::from_millis(850), Duration::from_secs(301));
        assert_eq!(after(soon), Verdict::Again(soon));
        assert_eq!(after(late), Verdict::GiveUp);
    }

    #[test]
    fn the_other_model_takes_over_where_the_first_cannot_write() {
        for (code, tries, expected) in [
            (FailureCode::Quota, 1, Verdict::Fallback),
            (FailureCode::ModelNotFound, 1, Verdict::Fallback),
            (FailureCode::Auth, 1, Verdict::Fallback),
            (FailureCode::PromptTooLarge, 1, Verdict::Fallback),
            (FailureCode::Overloaded, 1, Verdict::Again(Duration::from_secs(1))),
            (FailureCode::Overloaded, 3, Verdict::Fallback),
            (FailureCode::Blocked, 1, Verdict::GiveUp),
            (FailureCode::Internal, 1, Verdict::GiveUp),
        ] {
            let trial = verdict(code, |trial| {
                trial.has_fallback = true;
                trial.tries = tries;
            });
            assert_eq!(trial, expected, "{code:?} {tries}");
        }
    }

    #[test]
    fn a_prompt_that_can_be_shorter_is_sent_again_at_once() {
        let again = |shorter, tries| {
            verdict(FailureCode::PromptTooLarge, |trial| {
                trial.shorter = shorter;
                trial.tries = tries;
            })
        };
        assert_eq!(again(true, 1), Verdict::Again(Duration::ZERO));
        assert_eq!(again(true, 3), Verdict::GiveUp);
        assert_eq!(again(false, 1), Verdict::GiveUp);
    }

    #[test]
    fn those_who_wait_come_back_one_after_another() {
        let waits: Vec<_> = [0, 250, 999].into_iter().map(|chance| backoff(2, chance)).collect();
        assert!(waits.is_sorted() && waits.first() < waits.last());
        assert!(waits.iter().all(|wait| wait.as_secs_f64() < 2.5));
    }
}
