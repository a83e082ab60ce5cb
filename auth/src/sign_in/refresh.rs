//! Refreshing: how long a sign-in lives on, and when it is in two hands.
//!
//! A refresh token is good for one exchange. If the answer is lost, the same
//! token is taken again for a minute, as long as its successor was not used;
//! that successor is replaced, so that one token is live. A token whose
//! successor was used, or that comes back later, is in two hands: the whole
//! sign-in ends. So is a replaced one that comes late; shortly after its
//! replacement it is only refused, because clients race themselves.

use chrono::{DateTime, TimeDelta, Utc};
use skald_base::{Error, Result, Tx, UserError, UserErrorCode};

use super::{Granted, RefreshToken, SignIn, TokenHash};
use crate::{app::Auth, store};

/// Two refreshes this close together are a lost answer or a race of one client, not a theft.
const RACE: TimeDelta = TimeDelta::seconds(60);

impl Auth {
    /// Exchanges a refresh token for fresh tokens.
    pub(crate) async fn refresh(&self, presented: &str) -> Result<Granted> {
        let now = self.clock.now();
        let hash = TokenHash::of(presented);
        let mut tx = self.db.begin().await?;
        let sign_in = store::sign_in::lock_by_token(&mut tx, &hash).await?;
        let token = store::sign_in::find_token(&mut tx, &hash).await?;
        let (Some(sign_in), Some(token)) = (sign_in, token) else {
            return Err(refused());
        };
        if sign_in.ended_at.is_some() || sign_in.expires_at <= now || token.expires_at <= now {
            return Err(refused());
        }
        if !exchange(&mut tx, &token, now).await? {
            if token.replaced_at.is_none_or(|at| at + RACE < now) {
                return self.end_family(tx, &sign_in).await;
            }
            return Err(refused());
        }
        store::sign_in::touch(&mut tx, sign_in.id, now).await?;
        let account = store::account::find_in(&mut tx, sign_in.account_id).await?;
        let account = account.ok_or_else(refused)?;
        let granted = self.issue(&mut tx, account, &sign_in, Some(hash)).await?;
        tx.commit().await?;
        Ok(granted)
    }

    /// A used token came back: thief or owner, both are out.
    async fn end_family(&self, mut tx: Tx, sign_in: &SignIn) -> Result<Granted> {
        self.end(&mut tx, sign_in.id).await?;
        tx.commit().await?;
        self.revoke(&[sign_in.id]);
        tracing::warn!(sign_in = %sign_in.id, user = %sign_in.account_id,
            "refresh token used twice: sign-in ended");
        Err(refused())
    }
}

/// Marks a token as used, or withdraws its unused successor; false if it has no right to one.
async fn exchange(tx: &mut Tx, token: &RefreshToken, now: DateTime<Utc>) -> Result<bool> {
    if token.replaced_at.is_some() {
        return Ok(false);
    }
    if let Some(used) = token.used_at {
        return Ok(
            used + RACE >= now && store::sign_in::replace_successor(tx, &token.hash, now).await?
        );
    }
    store::sign_in::use_token(tx, &token.hash, now).await?;
    Ok(true)
}

fn refused() -> Error {
    UserError::new(
        UserErrorCode::RefreshTokenInvalid,
        "this refresh token is no longer valid, sign in again",
    )
    .at("input.refreshToken")
    .into()
}
