//! Checks access tokens: with known keys only, and against what was revoked since.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use skald_base::{Clock, Viewer, viewer::SignedIn};
use tokio_util::sync::CancellationToken;

use super::{ACCESS_TOKEN, Claims};
use crate::{config::AuthConfig, key::PublicKeys, revocation::Revocations};

/// How far two clocks may be apart.
const LEEWAY: TimeDelta = TimeDelta::seconds(30);
/// No access token of ours is nearly as long.
const MAX_TOKEN: usize = 4_096;

/// Checks access tokens; cheap to clone.
///
/// In auth's own process it comes from [`Auth::verifier`](crate::Auth::verifier);
/// elsewhere it is built over keys that were fetched as a JWKS.
#[derive(Clone)]
pub struct Verifier {
    keys: PublicKeys,
    revocations: Revocations,
    validation: Arc<Validation>,
    clock: Arc<dyn Clock>,
}

/// A caller whose token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The caller, with the role of this moment.
    pub viewer: SignedIn,
    /// When the token expires, and a socket opened with it closes.
    pub expires_at: DateTime<Utc>,
}

/// Why a token does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no access token of ours.
    #[error("the access token is not valid")]
    Invalid,
    /// It was one: refresh it and try again.
    #[error("the access token has expired")]
    Expired,
    /// Its sign-in has ended: sign in again.
    #[error("the sign-in has ended")]
    Ended,
}

impl From<Verified> for Viewer {
    fn from(verified: Verified) -> Self {
        Self::User(verified.viewer)
    }
}

impl Verifier {
    /// Checks tokens by these keys and revocations.
    pub fn new(
        config: &AuthConfig,
        keys: PublicKeys,
        revocations: Revocations,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&config.issuer]);
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // By our clock, below, not by the machine's.
        validation.validate_exp = false;
        Self { keys, revocations, validation: Arc::new(validation), clock }
    }

    /// Whose token this is.
    pub fn verify(&self, token: &str) -> Result<Verified, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid = expected_kid(&header).ok_or(TokenError::Invalid)?;
        let key = self.keys.find(kid).ok_or(TokenError::Invalid)?;
        let claims: Claims =
            decode(token, &key, &self.validation).map_err(|_| TokenError::Invalid)?.claims;
        let expires_at = moment(claims.exp)?;
        let now = self.clock.now();
        if moment(claims.iat)? > now + LEEWAY {
            return Err(TokenError::Invalid);
        }
        if expires_at + LEEWAY <= now {
            return Err(TokenError::Expired);
        }
        if self.revocations.has_ended(claims.sid) {
            return Err(TokenError::Ended);
        }
        let viewer = SignedIn {
            id: claims.sub,
            sign_in: claims.sid,
            role: self.revocations.role(claims.sub).unwrap_or(claims.role),
            minor: claims.minor,
        };
        Ok(Verified { viewer, expires_at })
    }

    /// Cancelled when the caller's sign-in ends or their role changes: close their sockets then.
    ///
    /// It is watched until the token expires, when the socket closes anyway.
    pub fn watch(&self, verified: &Verified) -> CancellationToken {
        let until = verified.expires_at + LEEWAY;
        self.revocations.watch(&verified.viewer, until)
    }
}

/// The key id, if the head is that of an access token of ours.
///
/// Where a head says the key is to be found (`jku`, `x5u`, `jwk`) is not looked at.
fn expected_kid(header: &Header) -> Option<&str> {
    let typ = header.typ.as_deref()?;
    let fits = typ.eq_ignore_ascii_case(ACCESS_TOKEN)
        && header.alg == Algorithm::EdDSA
        && header.crit.is_none();
    header.kid.as_deref().filter(|_| fits)
}

fn moment(seconds: i64) -> Result<DateTime<Utc>, TokenError> {
    DateTime::from_timestamp_secs(seconds).ok_or(TokenError::Invalid)
}
