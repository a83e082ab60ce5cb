//! When a model that fails is left alone. Pure: moments are times since somebody began to count.

use std::time::Duration;

use crate::llm::{LlmError, LlmErrorKind};

/// Failures in a row after which it is left alone.
const FAILURES: u32 = 3;
/// For how long at first; twice that after each further failure.
const FIRST: Duration = Duration::from_secs(30);
/// For how long at most, and where nothing but an operator's hand helps.
const LONGEST: Duration = Duration::from_mins(10);

/// Whether a model is left alone just now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rest {
    failures: u32,
    until: Option<Duration>,
}

impl Rest {
    /// Until when it is left alone, if it is.
    pub(super) fn until(self, now: Duration) -> Option<Duration> {
        self.until.filter(|until| *until > now)
    }

    /// It answered; whether it had been left alone.
    pub(super) fn answered(&mut self) -> bool {
        std::mem::take(self).until.is_some()
    }

    /// It failed; for how long it is left alone now, if this failure was one too many.
    ///
    /// What it refused is no failure of the model's.
    pub(super) fn failed(&mut self, error: &LlmError, now: Duration) -> Option<Duration> {
        if is_refusal(error.kind) || self.until(now).is_some() {
            return None;
        }
        self.failures += 1;
        let again = self.failures.saturating_sub(FAILURES);
        let grown = FIRST.saturating_mul(2_u32.saturating_pow(again));
        let rest = if needs_a_hand(error.kind) {
            LONGEST
        } else if self.failures < FAILURES {
            return None;
        } else {
            error.retry_after.unwrap_or_default().max(grown).min(LONGEST)
        };
        self.until = Some(now + rest);
        Some(rest)
    }
}

/// Whether nothing but an operator's hand helps.
fn needs_a_hand(kind: LlmErrorKind) -> bool {
    matches!(kind, LlmErrorKind::Auth | LlmErrorKind::Quota | LlmErrorKind::ModelNotFound)
}

/// Whether a text was refused, and another one may not be.
pub(super) fn is_refusal(kind: LlmErrorKind) -> bool {
    matches!(kind, LlmErrorKind::BadRequest | LlmErrorKind::ContextOverflow | LlmErrorKind::Blocked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(kind: LlmErrorKind, count: usize) -> Vec<Option<u64>> {
        let (mut rest, mut now) = (Rest::default(), Duration::from_secs(7));
        let error = LlmError::from(kind);
        let rests = (0..count).map(|_| {
            let pause = rest.failed(&error, now);
            now += pause.unwrap_or_default();
            pause.map(|pause| pause.as_secs())
        });
        rests.collect()
    }

    #[test]
    fn who_fails_again_and_again_is_left_alone_for_longer_and_longer() {
        let grown = [None, None, Some(30), Some(60), Some(120), Some(240), Some(480), Some(600)];
        assert_eq!(failures(LlmErrorKind::Unreachable, 8), grown);
        assert_eq!(failures(LlmErrorKind::Auth, 2), [Some(600), Some(600)]);
        assert_eq!(failures(LlmErrorKind::BadRequest, 4), [None; 4], "the text was refused");
    }

    #[test]
    fn an_answer_ends_it() {
        let (mut rest, now) = (Rest::default(), Duration::from_secs(7));
        let error = LlmError::from(LlmErrorKind::Timeout).after(Duration::from_secs(90));
        for _ in 0..FAILURES {
            rest.failed(&error, now);
        }
        assert_eq!(rest.until(now), Some(now + Duration::from_secs(90)), "as it wished");
        assert_eq!(rest.until(now + Duration::from_secs(91)), None, "it may be asked again");
        assert!(rest.answered());
        assert!(!rest.answered());
        assert_eq!(rest.failed(&error, now), None, "it begins anew");
    }
}
