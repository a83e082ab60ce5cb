//! What was found, counted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::report::{Times, rounded, say};

/// No more text than that may be missing after a crash.
const MAX_TEXT_LOSS: Duration = Duration::from_secs(1);

/// What a fault is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Something that was acknowledged is not there.
    Lost,
    /// Something is there twice.
    Duplicated,
    /// Something is there in part, or does not fit the rest.
    Torn,
    /// A reply does not end.
    NonTerminal,
}

/// What all rounds of a lane came to.
#[derive(Default)]
pub(super) struct Tally {
    rounds: u32,
    faults: Vec<Fault>,
    max_text_loss: Duration,
    ready: Vec<Duration>,
    settled: Vec<Duration>,
    /// Acts that were acknowledged, and acts that were not.
    acts: (usize, usize),
    replies: usize,
}

impl Tally {
    /// Notes a fault, and tells it.
    pub(super) fn fault(&mut self, fault: Fault, what: impl AsRef<str>) {
        say(&format!("  FAULT {fault:?}: {}", what.as_ref()));
        self.faults.push(fault);
    }

    /// Notes a fault if this is false.
    pub(super) fn expect(&mut self, holds: bool, fault: Fault, what: impl FnOnce() -> String) {
        if !holds {
            self.fault(fault, what());
        }
    }

    pub(super) fn text_loss(&mut self, loss: Duration) {
        if loss > MAX_TEXT_LOSS.max(self.max_text_loss) {
            say(&format!("  {} ms of text are lost", loss.as_millis()));
        }
        self.max_text_loss = self.max_text_loss.max(loss);
    }

    pub(super) fn ready_after(&mut self, time: Duration) {
        self.ready.push(time);
    }

    pub(super) fn settled_after(&mut self, time: Duration) {
        self.settled.push(time);
    }

    pub(super) fn played(&mut self, acknowledged: usize, unknown: usize, replies: usize) {
        self.acts.0 += acknowledged;
        self.acts.1 += unknown;
        self.replies += replies;
    }

    pub(super) fn round_done(&mut self) {
        self.rounds += 1;
    }

    pub(super) fn add(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.faults.extend(other.faults);
        self.max_text_loss = self.max_text_loss.max(other.max_text_loss);
        self.ready.extend(other.ready);
        self.settled.extend(other.settled);
        self.played(other.acts.0, other.acts.1, other.replies);
    }

    fn count(&self, fault: Fault) -> usize {
        self.faults.iter().filter(|other| **other == fault).count()
    }

    pub(super) fn is_clean(&self) -> bool {
        self.faults.is_empty() && self.max_text_loss <= MAX_TEXT_LOSS
    }

    /// A line for people.
    pub(super) fn describe(&self, lane: &str) -> String {
        let longest = |times: &[Duration]| rounded(Times::new(times.to_vec()).percentile(100));
        format!(
            "{lane}: {} rounds, {} acts acknowledged and {} not, {} replies; faults {}; at most \
             {} ms of text lost; ready again after {} ms at most; all replies ended {} ms later \
             at most",
            self.rounds,
            self.acts.0,
            self.acts.1,
            self.replies,
            self.faults.len(),
            self.max_text_loss.as_millis(),
            longest(&self.ready),
            longest(&self.settled),
        )
    }

    /// The last line, for scripts.
    pub(super) fn json(&self) -> Value {
        let millis = u64::try_from(self.max_text_loss.as_millis()).unwrap_or(u64::MAX);
        json!({
            "rounds": self.rounds,
            "lost": self.count(Fault::Lost),
            "duplicated": self.count(Fault::Duplicated),
            "torn": self.count(Fault::Torn),
            "non_terminal": self.count(Fault::NonTerminal),
            "max_text_loss_ms": millis,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_any_kind_and_a_second_of_text_are_too_much() {
        assert!(Tally::default().is_clean());
        for fault in [Fault::Lost, Fault::Duplicated, Fault::Torn, Fault::NonTerminal] {
            let mut tally = Tally::default();
            tally.expect(true, fault, || unreachable!());
            tally.expect(false, fault, || "as it should".into());
            let mut sum = Tally::default();
            sum.add(tally);
            assert!(!sum.is_clean());
            assert_eq!(sum.count(fault), 1);
        }
        let mut tally = Tally::default();
        tally.text_loss(MAX_TEXT_LOSS);
        assert!(tally.is_clean());
        tally.text_loss(Duration::from_millis(1001));
        assert!(!tally.is_clean());
        assert_eq!(tally.json()["max_text_loss_ms"], 1001);
    }
}
