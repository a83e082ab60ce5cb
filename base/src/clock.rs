//! Time and fresh ids, as arguments, so that tests can hold both still.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rand::{RngCore, SeedableRng, rngs::StdRng};
use uuid::{Builder, Uuid};

use crate::id::{Id, Kind};

/// Tells the time, in whole microseconds (the finest that PostgreSQL keeps).
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that shows `now`.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(AtomicI64::new(now.timestamp_micros()))
    }

    /// Moves the clock forward (or back, with a negative delta).
    pub fn advance(&self, by: TimeDelta) {
        let micros = by.num_microseconds().unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

/// Makes ids (`UUIDv7`) that grow within this process, from a clock and a seed.
///
/// Within one millisecond the 12 bits after the time count up, so that ids made
/// by one process sort in the order they were made.
#[derive(Clone)]
pub struct Ids {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

struct State {
    rng: StdRng,
    last_millis: u64,
    counter: u16,
}

impl Ids {
    /// Ids from `clock`, with randomness from the operating system.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::from_rng(clock, StdRng::from_os_rng())
    }

    /// Ids that are the same in every run, for tests.
    pub fn seeded(clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self::from_rng(clock, StdRng::seed_from_u64(seed))
    }

    /// The next id of any kind.
    pub fn next<K: Kind>(&self) -> Id<K> {
        Id::from_uuid(self.next_uuid())
    }

    fn from_rng(clock: Arc<dyn Clock>, rng: StdRng) -> Self {
        let state = State { rng, last_millis: 0, counter: 0 };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    fn next_uuid(&self) -> Uuid {
        let now = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or_default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now > state.last_millis {
            state.last_millis = now;
            state.counter = 0;
        } else if state.counter == 0x0fff {
            // More than 4,096 ids in a millisecond, or a clock that went back: run ahead.
            state.last_millis += 1;
            state.counter = 0;
        } else {
            state.counter += 1;
        }
        let mut random = [0_u8; 10];
        state.rng.fill_bytes(&mut random);
        let [high, low] = state.counter.to_be_bytes();
        let [first, second, ..] = &mut random;
        (*first, *second) = (high, low);
        Builder::from_unix_timestamp_millis(state.last_millis, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::viewer::UserId;

    #[test]
    fn ids_grow_within_one_millisecond_and_repeat_for_a_seed() {
        let clock = Arc::new(TestClock::new(DateTime::from_timestamp_micros(1_000_000).unwrap()));
        let ids = Ids::seeded(clock.clone(), 7);
        let made: Vec<UserId> = (0..10_000).map(|_| ids.next()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        let again = Ids::seeded(clock, 7);
        assert_eq!(made[0], again.next());
    }
}
