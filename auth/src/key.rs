//! Signing keys: one signs, those before it verify until their last token has expired.
//!
//! They live in the auth database, so that replicas share them; this makes the
//! database a secret. With `key_secret` set they are encrypted there
//! (AES-256-GCM), and a stolen copy of the database alone forges nothing.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{SHA256, digest},
    signature::Ed25519KeyPair,
};
use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, encode,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use serde::Serialize;
use skald_base::config::Secret;

use crate::token::ACCESS_TOKEN;

/// Why signing keys cannot be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// They were encrypted with another secret.
    #[error("the signing keys in the database were sealed with another key_secret")]
    Sealed,
    /// The crypto library refused.
    #[error("the signing key in the database is damaged, or no key could be made")]
    Broken,
}

/// A key as the database keeps it.
#[derive(Clone, sqlx::FromRow)]
pub(crate) struct StoredKey {
    pub(crate) kid: String,
    pub(crate) private_key: Vec<u8>,
    pub(crate) sealed: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) retired_at: Option<DateTime<Utc>>,
}

/// Public keys by their ids; clones share them.
#[derive(Clone, Default)]
pub struct PublicKeys(Arc<RwLock<HashMap<String, DecodingKey>>>);

impl PublicKeys {
    /// The keys of a JWKS; those that are not Ed25519 are left out.
    pub fn replace(&self, set: &JwkSet) {
        let keys = set.keys.iter().filter_map(|key| {
            let kid = key.common.key_id.clone()?;
            let eddsa = key.common.key_algorithm.map(|alg| alg.to_string()) == Some("EdDSA".into());
            let key = DecodingKey::from_jwk(key).ok()?;
            (eddsa).then_some((kid, key))
        });
        let keys = keys.collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    /// The key with this id.
    pub(crate) fn find(&self, kid: &str) -> Option<DecodingKey> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(kid).cloned()
    }
}

/// The keys of this process: signs with the newest, publishes all.
#[derive(Clone)]
pub(crate) struct Keys {
    active: Arc<RwLock<Active>>,
    public: PublicKeys,
}

struct Active {
    kid: String,
    key: EncodingKey,
    set: JwkSet,
}

impl Keys {
    /// Opens keys from the database; the first one that is not retired signs.
    pub(crate) fn open(stored: &[StoredKey], sealer: &Sealer) -> Result<Self, KeyError> {
        let keys = Self {
            active: Arc::new(RwLock::new(Active::open(stored, sealer)?)),
            public: PublicKeys::default(),
        };
        keys.public.replace(&keys.published());
        Ok(keys)
    }

    /// Takes over what the database says now.
    pub(crate) fn reload(&self, stored: &[StoredKey], sealer: &Sealer) -> Result<(), KeyError> {
        let active = Active::open(stored, sealer)?;
        self.public.replace(&active.set);
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = active;
        Ok(())
    }

    /// Signs an access token.
    pub(crate) fn sign<T: Serialize>(&self, claims: &T) -> jsonwebtoken::errors::Result<String> {
        let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(ACCESS_TOKEN.into());
        header.kid = Some(active.kid.clone());
        encode(&header, claims, &active.key)
    }

    /// The public keys for others to verify with.
    pub(crate) fn published(&self) -> JwkSet {
        let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
        active.set.clone()
    }

    /// The id of the key that signs.
    pub(crate) fn active_kid(&self) -> String {
        let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
        active.kid.clone()
    }

    /// The public keys, as they are from now on.
    pub(crate) fn public(&self) -> PublicKeys {
        self.public.clone()
    }
}

impl Active {
    fn open(stored: &[StoredKey], sealer: &Sealer) -> Result<Self, KeyError> {
        let mut active = None;
        let mut set = JwkSet::default();
        for key in stored {
            let pkcs8 = sealer.open(key)?;
            let private = EncodingKey::from_ed_der(&pkcs8);
            set.keys.push(public_key(&private)?);
            if active.is_none() && key.retired_at.is_none() {
                active = Some((key.kid.clone(), private));
            }
        }
        let (kid, key) = active.ok_or(KeyError::Broken)?;
        Ok(Self { kid, key, set })
    }
}

fn public_key(private: &EncodingKey) -> Result<Jwk, KeyError> {
    let key = Jwk::from_encoding_key(private, Algorithm::EdDSA);
    let mut key = key.map_err(|_| KeyError::Broken)?;
    let kid = key.thumbprint(ThumbprintHash::SHA256);
    key.common.key_id = Some(kid.map_err(|_| KeyError::Broken)?);
    key.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok(key)
}

/// Makes a new key, sealed if there is a secret.
pub(crate) fn generate(sealer: &Sealer, now: DateTime<Utc>) -> Result<StoredKey, KeyError> {
    let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Broken)?;
    // Version 1: jsonwebtoken does not read the public key that version 2 adds.
    let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Broken)?;
    let public = public_key(&EncodingKey::from_ed_der(pkcs8.as_ref()))?;
    let kid = public.common.key_id.ok_or(KeyError::Broken)?;
    Ok(StoredKey {
        private_key: sealer.seal(&kid, pkcs8.as_ref())?,
        kid,
        sealed: sealer.is_set(),
        created_at: now,
        retired_at: None,
    })
}

/// Encrypts private keys with the configured secret, if there is one.
#[derive(Clone)]
pub(crate) struct Sealer(Option<Arc<LessSafeKey>>);

impl Sealer {
    /// A sealer for this secret; its strength is the operator's care.
    pub(crate) fn new(secret: Option<&Secret>) -> Result<Self, KeyError> {
        let Some(secret) = secret else {
            return Ok(Self(None));
        };
        let text = format!("skald signing keys\n{}", secret.expose());
        let key = UnboundKey::new(&AES_256_GCM, digest(&SHA256, text.as_bytes()).as_ref());
        let key = key.map_err(|_| KeyError::Broken)?;
        Ok(Self(Some(Arc::new(LessSafeKey::new(key)))))
    }

    /// Whether new keys are sealed; then none that lies open goes on signing.
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// The nonce, then the ciphertext; without a secret the text as it is.
    fn seal(&self, kid: &str, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        let Some(key) = &self.0 else {
            return Ok(text.to_vec());
        };
        let mut nonce = [0_u8; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| KeyError::Broken)?;
        let mut sealed = text.to_vec();
        let (nonce_used, about) = (Nonce::assume_unique_for_key(nonce), Aad::from(kid));
        key.seal_in_place_append_tag(nonce_used, about, &mut sealed)
            .map_err(|_| KeyError::Broken)?;
        Ok([nonce.to_vec(), sealed].concat())
    }

    fn open(&self, stored: &StoredKey) -> Result<Vec<u8>, KeyError> {
        if !stored.sealed {
            return Ok(stored.private_key.clone());
        }
        let key = self.0.as_ref().ok_or(KeyError::Sealed)?;
        let (nonce, text) =
            stored.private_key.split_at_checked(NONCE_LEN).ok_or(KeyError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Broken)?;
        let mut text = text.to_vec();
        let opened = key.open_in_place(nonce, Aad::from(&stored.kid), &mut text);
        Ok(opened.map_err(|_| KeyError::Sealed)?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_with_its_secret_only() {
        let secret = |text: &str| Some(Secret::new(text.repeat(32)));
        let sealer = Sealer::new(secret("a").as_ref()).unwrap();
        let key = generate(&sealer, DateTime::UNIX_EPOCH).unwrap();
        let keys = Keys::open(std::slice::from_ref(&key), &sealer).unwrap();
        assert_eq!(keys.active_kid(), key.kid);
        for other in [secret("b"), None] {
            let other = Sealer::new(other.as_ref()).unwrap();
            let opened = Keys::open(std::slice::from_ref(&key), &other);
            assert_eq!(opened.err(), Some(KeyError::Sealed));
        }
        let moved = StoredKey { kid: "another".into(), ..key };
        assert!(Keys::open(&[moved], &sealer).is_err());
    }
}
