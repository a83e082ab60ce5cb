//! Passwords: Argon2id on a few workers, with a queue that has an end.
//!
//! A hash takes 19 MiB and tens of milliseconds on purpose. Unbounded, a
//! hundred logins at once would take the process down, so that past the queue
//! callers are told to come back.

mod policy;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use skald_base::{Error, Result, UserError, UserErrorCode, config::Secret};
use tokio::{sync::Semaphore, task::spawn_blocking};
use unicode_normalization::UnicodeNormalization;

use crate::{
    config::{Argon2Config, AuthConfig},
    throttle::Network,
};

pub(crate) use policy::check as check_policy;

/// The longest password, in characters.
const MAX_PASSWORD: usize = 256;
/// More bytes than this are too many characters, and not worth the work of normalising them.
const MAX_BYTES: usize = 4_096;

/// A password as it was typed, in one encoding (NFC), never cut.
#[derive(Clone, Debug)]
pub(crate) struct Password(Secret);

impl Password {
    /// Takes what was typed.
    pub(crate) fn new(text: &str) -> Self {
        if text.len() > MAX_BYTES {
            // Too long it stays.
            return Self(Secret::new(text.chars().take(MAX_PASSWORD + 1).collect::<String>()));
        }
        Self(Secret::new(text.nfc().collect::<String>()))
    }

    fn text(&self) -> &str {
        self.0.expose()
    }

    fn is_too_long(&self) -> bool {
        self.text().chars().count() > MAX_PASSWORD
    }
}

/// What a password is, compared with a stored hash.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is another password.
    Wrong,
    /// It is the password; if the stored hash is too weak, a stronger one.
    Right {
        /// What to store instead.
        rehashed: Option<String>,
    },
}

/// Hashes and compares passwords.
#[derive(Clone)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// Compared with when there is no such user, so that it takes as long.
    decoy: Arc<str>,
    /// Who hashes.
    workers: Arc<Semaphore>,
    /// Who hashes or waits to.
    queue: Arc<Semaphore>,
    /// Who waits from where.
    waiting: Waiting,
}

/// How many wait from each address; nobody may fill the queue alone.
#[derive(Clone)]
struct Waiting {
    most: usize,
    by_network: Arc<Mutex<HashMap<Network, usize>>>,
}

/// One who waits, until it is dropped.
struct Waits(Option<(Waiting, Network)>);

impl Waiting {
    /// A place for one more from there; none if they have their share.
    fn enter(&self, network: Option<Network>) -> Option<Waits> {
        let Some(network) = network else {
            return Some(Waits(None));
        };
        let mut all = self.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.entry(network).or_default();
        if *held >= self.most {
            return None;
        }
        *held += 1;
        Some(Waits(Some((self.clone(), network))))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let Some((waiting, network)) = &self.0 else {
            return;
        };
        let mut all = waiting.by_network.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = all.get_mut(network) {
            *held -= 1;
            if *held == 0 {
                all.remove(network);
            }
        }
    }
}

impl Passwords {
    /// Workers as configured; makes one hash.
    pub(crate) fn new(config: &AuthConfig) -> Result<Self> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers = match config.hash_workers {
            0 => cores(),
            workers => workers,
        };
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params(config.argon2)?);
        let decoy = hash(&argon2, &Password::new("nobody has this password"))?;
        Ok(Self {
            argon2,
            decoy: decoy.into(),
            workers: Arc::new(Semaphore::new(workers)),
            queue: Arc::new(Semaphore::new(workers.saturating_add(config.hash_queue))),
            waiting: Waiting { most: config.hash_queue_per_address, by_network: Arc::default() },
        })
    }

    /// A PHC string of a password, with a fresh salt.
    pub(crate) async fn hash(
        &self,
        network: Option<Network>,
        password: Password,
    ) -> Result<String> {
        let argon2 = self.argon2.clone();
        self.run(network, move || hash(&argon2, &password)).await
    }

    /// Compares a password with a stored hash, or with a decoy if there is none.
    pub(crate) async fn verify(
        &self,
        network: Option<Network>,
        password: Password,
        stored: Option<&str>,
    ) -> Result<Verdict> {
        if password.is_too_long() {
            return Ok(Verdict::Wrong);
        }
        let argon2 = self.argon2.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.decoy).to_owned();
        self.run(network, move || {
            let parsed = PasswordHash::new(&stored).map_err(internal)?;
            let right = argon2.verify_password(password.text().as_bytes(), &parsed);
            if right.is_err() || !known {
                return Ok(Verdict::Wrong);
            }
            let weak = is_weaker(&parsed, argon2.params());
            let rehashed = weak.then(|| hash(&argon2, &password)).transpose()?;
            Ok(Verdict::Right { rehashed })
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        network: Option<Network>,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let waits = self.waiting.enter(network).ok_or_else(busy)?;
        let Ok(place) = self.queue.clone().try_acquire_owned() else {
            return Err(busy());
        };
        let worker = self.workers.clone().acquire_owned().await;
        let worker = worker.map_err(internal)?;
        drop(waits);
        // The permits go along: a caller who leaves does not stop the hash.
        let done = spawn_blocking(move || {
            let _held = (place, worker);
            work()
        });
        done.await.map_err(internal)?
    }
}

fn params(config: Argon2Config) -> Result<Params> {
    Params::new(config.memory_kib, config.iterations, config.parallelism, None).map_err(internal)
}

fn hash(argon2: &Argon2<'_>, password: &Password) -> Result<String> {
    let hash: PasswordHash = argon2.hash_password(password.text().as_bytes()).map_err(internal)?;
    Ok(hash.to_string())
}

fn is_weaker(stored: &PasswordHash, wanted: &Params) -> bool {
    Params::try_from(stored).map_or(true, |params| {
        params.m_cost() < wanted.m_cost() || params.t_cost() < wanted.t_cost()
    })
}

fn busy() -> Error {
    UserError::new(UserErrorCode::RateLimited, "busy, try again in a moment")
        .retry_after(Duration::from_secs(1))
        .into()
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("password hash: {error}"))
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, task::Poll};

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn knows_a_password_again_and_strengthens_a_weak_hash() {
        let mut config = AuthConfig::for_tests();
        let weak = Passwords::new(&config).unwrap();
        let stored = weak.hash(None, Password::new("пароль é")).await.unwrap();
        // The same letters, encoded apart.
        let typed = Password::new("пароль e\u{301}");
        let same = weak.verify(None, typed.clone(), Some(&stored)).await.unwrap();
        assert_eq!(same, Verdict::Right { rehashed: None });
        let other = weak.verify(None, Password::new("other"), Some(&stored)).await;
        assert_eq!(other.unwrap(), Verdict::Wrong);
        let nobody = Password::new("nobody has this password");
        assert_eq!(weak.verify(None, nobody, None).await.unwrap(), Verdict::Wrong);

        config.argon2.iterations = 2;
        let strong = Passwords::new(&config).unwrap();
        let Verdict::Right { rehashed: Some(stronger) } =
            strong.verify(None, typed.clone(), Some(&stored)).await.unwrap()
        else {
            panic!("a weak hash is replaced");
        };
        assert!(stronger.contains("t=2"));
        let again = strong.verify(None, typed, Some(&stronger)).await.unwrap();
        assert_eq!(again, Verdict::Right { rehashed: None });
    }

    #[test]
    fn what_is_far_too_long_is_not_kept() {
        let endless = Password::new(&"\u{fdfa}".repeat(300_000));
        assert!(endless.is_too_long());
        assert_eq!(endless.text().chars().count(), MAX_PASSWORD + 1);
        assert!(Password::new(&"x".repeat(MAX_BYTES + 1)).is_too_long());
        assert!(!Password::new(&"e\u{301}".repeat(MAX_PASSWORD)).is_too_long());
    }

    #[tokio::test]
    async fn a_full_queue_says_so() {
        let config = AuthConfig { hash_workers: 1, hash_queue: 1, ..AuthConfig::for_tests() };
        let passwords = Passwords::new(&config).unwrap();
        let _both = passwords.queue.clone().acquire_many_owned(2).await.unwrap();
        let Err(Error::User(error)) = passwords.hash(None, Password::new("anything")).await else {
            panic!("there is no place in the queue");
        };
        assert_eq!(error.code, UserErrorCode::RateLimited);
        assert_eq!(error.retry_after_ms, Some(1_000));
    }

    #[tokio::test]
    async fn one_address_does_not_fill_the_queue() {
        let config =
            AuthConfig { hash_workers: 1, hash_queue_per_address: 2, ..AuthConfig::for_tests() };
        let passwords = Passwords::new(&config).unwrap();
        let worker = passwords.workers.clone().acquire_owned().await.unwrap();
        let network = |last| Some(Network::from(IpAddr::from([10, 0, 0, last])));
        let hash = |last| {
            let passwords = passwords.clone();
            let hash = async move { passwords.hash(network(last), Password::new("any")).await };
            Box::pin(hash)
        };
        let (mut first, mut second, mut third, mut other) = (hash(1), hash(1), hash(1), hash(2));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        let Poll::Ready(Err(Error::User(error))) = poll!(&mut third) else {
            panic!("this address has its share");
        };
        assert_eq!(error.code, UserErrorCode::RateLimited);
        assert!(poll!(&mut other).is_pending());
        // Who leaves makes room.
        drop(second);
        let mut again = hash(1);
        assert!(poll!(&mut again).is_pending());
        drop(worker);
        let (first, again, other) = tokio::join!(first, again, other);
        assert!(first.is_ok() && again.is_ok() && other.is_ok());
        assert!(passwords.waiting.by_network.lock().unwrap().is_empty());
    }
}
