//! Buckets of tries: who guesses passwords has to wait, the owner hardly ever.
//!
//! A try is counted where a field asks for it, not per request: a hundred
//! aliases are a hundred tries. The right password gives its try back; what any
//! login takes from wider buckets, because it costs a hash, is never given back.
//! Buckets live in this process; each replica counts for itself.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use skald_base::{Clock, Error, Result, UserError, UserErrorCode, UserId};

use crate::config::Rate;

/// Fewer buckets than this are not worth looking for full ones.
const PRUNE_ABOVE: usize = 10_000;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// Wrong logins from an address.
    LoginAddress(Network),
    /// Wrong logins with a name, whoever has it, from an address, if it is known.
    LoginName(String, Option<Network>),
    /// Wrong logins to an account, by whichever of its names.
    LoginAccount(UserId, Option<Network>),
    /// All logins from an address: a right one costs a hash, too.
    AnyLoginAddress(Network),
    /// All logins with a name from an address.
    AnyLoginName(String, Option<Network>),
    /// Registrations from an address.
    Register(Network),
}

/// An address, or the /64 that one household has in IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

/// Counts tries.
pub(crate) struct Throttle {
    clock: Arc<dyn Clock>,
    buckets: Mutex<Buckets>,
}

struct Buckets {
    by_key: HashMap<Key, Bucket>,
    /// Past so many, those that are full again are forgotten.
    prune_above: usize,
}

impl Buckets {
    fn prune(&mut self, now: DateTime<Utc>) {
        if self.by_key.len() > self.prune_above {
            self.by_key.retain(|_, bucket| {
                bucket.refill(now);
                !bucket.is_full()
            });
            // Twice what is left, so that a flood of addresses does not make every try a search.
            self.prune_above = PRUNE_ABOVE.max(self.by_key.len() * 2);
        }
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    rate: Rate,
    tries: f64,
    at: DateTime<Utc>,
}

impl Bucket {
    fn refill(&mut self, now: DateTime<Utc>) {
        let hours = (now - self.at).as_seconds_f64().max(0.0) / 3600.0;
        let full = f64::from(self.rate.burst);
        self.tries = (self.tries + hours * f64::from(self.rate.per_hour)).min(full);
        self.at = now;
    }

    fn is_full(&self) -> bool {
        self.tries >= f64::from(self.rate.burst)
    }

    fn wait(&self) -> Duration {
        let hours = (1.0 - self.tries) / f64::from(self.rate.per_hour);
        Duration::from_secs_f64((hours * 3600.0).max(0.001))
    }
}

impl Throttle {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let buckets = Buckets { by_key: HashMap::new(), prune_above: PRUNE_ABOVE };
        Self { clock, buckets: Mutex::new(buckets) }
    }

    /// Takes a try; none left is `RATE_LIMITED` with the time until the next.
    pub(crate) fn take(&self, key: &Key, rate: Rate) -> Result<()> {
        let now = self.clock.now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.prune(now);
        let bucket = buckets.by_key.entry(key.clone()).or_insert(Bucket {
            rate,
            tries: f64::from(rate.burst),
            at: now,
        });
        bucket.refill(now);
        if bucket.tries < 1.0 {
            return Err(too_many_tries(bucket.wait()));
        }
        bucket.tries -= 1.0;
        Ok(())
    }

    /// Gives tries back: it was the right password.
    pub(crate) fn give_back(&self, keys: &[Key]) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(bucket) = buckets.by_key.get_mut(key) {
                bucket.tries = (bucket.tries + 1.0).min(f64::from(bucket.rate.burst));
            }
        }
    }
}

fn too_many_tries(wait: Duration) -> Error {
    UserError::new(UserErrorCode::RateLimited, "too many tries, wait a little")
        .retry_after(wait)
        .into()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use skald_base::clock::TestClock;

    use super::*;

    #[test]
    fn an_empty_bucket_fills_one_try_at_a_time() {
        let clock = Arc::new(TestClock::new(DateTime::UNIX_EPOCH));
        let throttle = Throttle::new(clock.clone());
        let rate = Rate { burst: 3, per_hour: 600 };
        let key = Key::Register(Network::from(IpAddr::from([127, 0, 0, 1])));
        for _ in 0..3 {
            throttle.take(&key, rate).unwrap();
        }
        let Err(Error::User(error)) = throttle.take(&key, rate) else {
            panic!("the fourth try is refused");
        };
        assert_eq!(error.retry_after_ms, Some(6_000));
        clock.advance(TimeDelta::seconds(6));
        throttle.take(&key, rate).unwrap();
        assert!(throttle.take(&key, rate).is_err());
        throttle.give_back(std::slice::from_ref(&key));
        throttle.take(&key, rate).unwrap();
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let clock = Arc::new(TestClock::new(DateTime::UNIX_EPOCH));
        let throttle = Throttle::new(clock.clone());
        let rate = Rate { burst: 1, per_hour: 60 };
        let take = |n: usize| throttle.take(&Key::LoginName(n.to_string(), None), rate);
        (0..=PRUNE_ABOVE).for_each(|n| take(n).unwrap());
        clock.advance(TimeDelta::minutes(1));
        take(PRUNE_ABOVE + 1).unwrap();
        assert_eq!(throttle.buckets.lock().unwrap().by_key.len(), 1);
    }

    #[test]
    fn a_household_is_one_network() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
    }
}
