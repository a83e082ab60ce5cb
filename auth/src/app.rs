//! The auth service: what every function of it needs, built once.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::JwkSet;
use skald_base::{Clock, Db, Error, Ids, Lifecycle, Result};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    config::AuthConfig,
    key::{self, KeyError, Keys, Sealer},
    password::Passwords,
    revocation::Revocations,
    store,
    throttle::Throttle,
    token::Verifier,
};

/// How often a process looks for what others revoked, and for new keys.
const POLL: Duration = Duration::from_secs(2);
/// How far back a poll looks: longer than clocks differ and transactions last.
const OVERLAP: TimeDelta = TimeDelta::minutes(1);
/// Past its life, an access token is certainly refused after this time.
const MARGIN: TimeDelta = TimeDelta::minutes(5);
/// How often what nobody can use any more is deleted.
const PURGE: Duration = Duration::from_hours(24);

/// The auth service; cheap to clone.
#[derive(Clone)]
pub struct Auth {
    pub(crate) db: Db,
    pub(crate) config: Arc<AuthConfig>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
    pub(crate) passwords: Passwords,
    pub(crate) keys: Keys,
    pub(crate) revocations: Revocations,
    pub(crate) throttle: Arc<Throttle>,
    sealer: Sealer,
}

/// Why the auth service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is wrong; the sentence names it.
    #[error("auth.{0}")]
    Config(String),
    /// The signing keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The database failed.
    #[error("auth database: {0}")]
    Database(String),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        Self::Database(error.describe())
    }
}

impl Auth {
    /// Starts on a migrated database; makes or rotates the signing key if it is time.
    pub async fn open(
        db: Db,
        config: AuthConfig,
        clock: Arc<dyn Clock>,
        ids: Ids,
    ) -> Result<Self, OpenError> {
        config.check().map_err(OpenError::Config)?;
        let sealer = Sealer::new(config.key_secret.as_ref())?;
        let now = clock.now();
        let since = verify_since(&config, now);
        let mut stored = store::key::list(&db, since).await?;
        let fresh = |key: &key::StoredKey| {
            key.retired_at.is_none()
                && key.created_at + config.key_life() > now
                && (key.sealed || !sealer.is_set())
        };
        if !stored.iter().any(fresh) {
            store::key::take_over(&db, &key::generate(&sealer, now)?).await?;
            stored = store::key::list(&db, since).await?;
        }
        let auth = Self {
            passwords: Passwords::new(&config)?,
            keys: Keys::open(&stored, &sealer)?,
            revocations: Revocations::default(),
            throttle: Arc::new(Throttle::new(clock.clone())),
            config: Arc::new(config),
            db,
            clock,
            ids,
            sealer,
        };
        auth.read_revocations(since).await?;
        Ok(auth)
    }

    /// Checks access tokens in this process.
    pub fn verifier(&self) -> Verifier {
        let (keys, revocations) = (self.keys.public(), self.revocations.clone());
        Verifier::new(&self.config, keys, revocations, self.clock.clone())
    }

    /// What this process knows to be revoked.
    pub fn revocations(&self) -> Revocations {
        self.revocations.clone()
    }

    /// The public keys, for `/.well-known/jwks.json`.
    pub fn jwks(&self) -> JwkSet {
        self.keys.published()
    }

    /// Puts a new signing key in place; tokens of the old one stay valid until they expire.
    pub async fn rotate_keys(&self) -> Result<(), OpenError> {
        let key = key::generate(&self.sealer, self.clock.now())?;
        store::key::take_over(&self.db, &key).await?;
        self.reload_keys().await?;
        tracing::info!(kid = key.kid, "new signing key");
        Ok(())
    }

    /// Removes a signing key that got into wrong hands: its tokens are void at once.
    pub async fn remove_key(&self, kid: &str) -> Result<(), OpenError> {
        if self.keys.active_kid() == kid {
            self.rotate_keys().await?;
        }
        store::key::remove(&self.db, kid).await?;
        self.reload_keys().await?;
        tracing::warn!(kid, "signing key removed");
        Ok(())
    }

    /// Learns what other processes did: revocations and new keys.
    pub async fn catch_up(&self) -> Result<(), OpenError> {
        let now = self.clock.now();
        self.read_revocations(now - OVERLAP).await?;
        self.revocations.forget(verify_since(&self.config, now), now);
        self.reload_keys().await
    }

    /// Deletes what nobody can use any more; rotates the signing key if it is time.
    pub async fn clean_up(&self) -> Result<(), OpenError> {
        let now = self.clock.now();
        let dead = verify_since(&self.config, now);
        let unused = now - self.config.refresh_life();
        let sign_ins = store::sign_in::purge(&self.db, now, unused).await?;
        store::revocation::purge(&self.db, dead).await?;
        store::key::purge(&self.db, dead).await?;
        let keys = store::key::list(&self.db, dead).await?;
        let newest = keys.iter().filter(|key| key.retired_at.is_none());
        let newest = newest.map(|key| key.created_at).max();
        if newest.is_none_or(|made| made + self.config.key_life() <= now) {
            self.rotate_keys().await?;
        }
        if sign_ins > 0 {
            tracing::info!(sign_ins, "expired sign-ins deleted");
        }
        Ok(())
    }

    /// Catches up and cleans up until the process stops.
    pub fn background(&self, lifecycle: &Lifecycle) {
        let (auth, stop) = (self.clone(), lifecycle.stopping().clone());
        let polls = async move {
            let mut ticks = interval(POLL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if let Err(error) = auth.catch_up().await {
                    tracing::error!(%error, "reading revocations failed");
                }
            }
        };
        lifecycle.spawn(async move { stop.run_until_cancelled(polls).await.unwrap_or(()) });
        let (auth, stop) = (self.clone(), lifecycle.stopping().clone());
        let purges = async move {
            let mut ticks = interval(PURGE);
            loop {
                ticks.tick().await;
                if let Err(error) = auth.clean_up().await {
                    tracing::error!(%error, "deleting expired sign-ins failed");
                }
            }
        };
        lifecycle.spawn(async move { stop.run_until_cancelled(purges).await.unwrap_or(()) });
    }

    async fn read_revocations(&self, since: DateTime<Utc>) -> Result<()> {
        for (revocation, at) in store::revocation::since(&self.db, since).await? {
            self.revocations.apply(revocation, at);
        }
        Ok(())
    }

    async fn reload_keys(&self) -> Result<(), OpenError> {
        let since = verify_since(&self.config, self.clock.now());
        let stored = store::key::list(&self.db, since).await?;
        Ok(self.keys.reload(&stored, &self.sealer)?)
    }
}

/// A token that was issued before this moment has expired.
fn verify_since(config: &AuthConfig, now: DateTime<Utc>) -> DateTime<Utc> {
    now - config.access_life() - MARGIN
}
