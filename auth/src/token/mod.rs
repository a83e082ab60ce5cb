//! Tokens: what an access token says, and who checks it.
//!
//! Access tokens are JWTs (`at+jwt`, `EdDSA`) that any process can check with the
//! published keys and the [`Revocations`](crate::Revocations); refresh tokens
//! mean something to this database alone.

pub(crate) mod refresh;
mod verifier;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use skald_base::{Error, Result, Role, SignInId, UserId, config::Secret};

use crate::{account::Account, app::Auth};

pub use verifier::{TokenError, Verified, Verifier};

/// The `typ` of access tokens (RFC 9068): no other JWT passes for one.
pub(crate) const ACCESS_TOKEN: &str = "at+jwt";

/// What an access token says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: UserId,
    pub(crate) sid: SignInId,
    pub(crate) role: Role,
    pub(crate) minor: bool,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
}

impl Auth {
    /// An access token for a sign-in, and when it expires.
    pub(crate) fn access_token(
        &self,
        account: &Account,
        sign_in: SignInId,
    ) -> Result<(Secret, DateTime<Utc>)> {
        let now = self.clock.now();
        let issued = now.duration_trunc(TimeDelta::seconds(1)).unwrap_or(now);
        let expires = issued + self.config.access_life();
        let claims = Claims {
            iss: self.config.issuer.clone(),
            aud: self.config.audience.clone(),
            sub: account.id,
            sid: sign_in,
            role: account.role,
            minor: account.is_minor(now),
            iat: issued.timestamp(),
            exp: expires.timestamp(),
        };
        let token = self.keys.sign(&claims);
        let token = token.map_err(|error| Error::Internal(format!("signing a token: {error}")))?;
        Ok((Secret::new(token), expires))
    }
}
