//! Refresh tokens: 256 random bits for the client, their SHA-256 for the database.

use std::fmt::Write as _;

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use skald_base::{Error, Result, config::Secret};

/// Begins every refresh token, so that secret scanners know one when they see it.
const PREFIX: &str = "skald_refresh_";

/// What the database keeps of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct TokenHash(Vec<u8>);

impl TokenHash {
    /// The hash of what a client presents; nothing else of it is looked at.
    pub(crate) fn of(token: &str) -> Self {
        // 256 random bits cannot be guessed: no salt, no stretching.
        Self(digest(&SHA256, token.as_bytes()).as_ref().to_vec())
    }
}

/// A fresh token and its hash.
pub(crate) fn generate() -> Result<(Secret, TokenHash)> {
    let mut bits = [0_u8; 32];
    rand::fill(&mut bits).map_err(|_| Error::Internal("no randomness".into()))?;
    let mut text = String::from(PREFIX);
    for byte in bits {
        // Writing to a string cannot fail.
        let _always_ok = write!(text, "{byte:02x}");
    }
    let hash = TokenHash::of(&text);
    Ok((Secret::new(text), hash))
}
