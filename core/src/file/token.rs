//! What a link to a file allows, as a text that nobody makes or changes without the key. Pure.
//!
//! The text is base64url of 58 bytes (kind, user, subject, format, leaf, end) and their
//! HMAC-SHA256. Nothing in it has to be looked up to know whether it is genuine.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use skald_base::{Id, UserId};
use uuid::Uuid;

use super::upload::UploadId;
use crate::{
    session::{SessionId, export::ExportFormat},
    tree::MessageId,
};

/// Bytes of the key.
pub const KEY_BYTES: usize = 32;
/// Kind, user, subject, format, leaf, end.
const BODY_BYTES: usize = 1 + 16 + 16 + 1 + 16 + 8;
const MAC_BYTES: usize = 32;

const UPLOAD: u8 = 1;
const EXPORT: u8 = 2;

/// What a link allows, and for whom it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Sending a file.
    Upload {
        /// Whose it is.
        user: UserId,
        /// Which one.
        upload: UploadId,
    },
    /// Fetching a session.
    Export {
        /// Who asked for it.
        user: UserId,
        /// Which session.
        session: SessionId,
        /// In which format.
        format: ExportFormat,
        /// The end of the path; what the format does without one if absent.
        leaf: Option<MessageId>,
    },
}

/// The key that signs links.
pub struct LinkKey(Key);

impl LinkKey {
    /// The key with these bytes.
    pub fn new(secret: &[u8]) -> Self {
        Self(Key::new(HMAC_SHA256, secret))
    }

    /// The text of a link that is good until `expires_at`.
    pub fn seal(&self, grant: &Grant, expires_at: DateTime<Utc>) -> String {
        let mut bytes = grant.to_bytes(expires_at);
        let mac = sign(&self.0, &bytes);
        bytes.extend_from_slice(mac.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a text allows now; nothing if it is not genuine, or not good any more.
    pub fn open(&self, text: &str, now: DateTime<Utc>) -> Option<Grant> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, mac) = bytes.split_at_checked(BODY_BYTES)?;
        // In constant time, and for nothing but a whole MAC.
        verify(&self.0, body, mac).ok().filter(|()| mac.len() == MAC_BYTES)?;
        let (grant, expires_at) = Grant::from_bytes(body)?;
        (now < expires_at).then_some(grant)
    }
}

impl Grant {
    fn to_bytes(self, expires_at: DateTime<Utc>) -> Vec<u8> {
        let (kind, user, subject, format, leaf) = match self {
            Self::Upload { user, upload } => (UPLOAD, user, upload.uuid(), 0, None),
            Self::Export { user, session, format, leaf } => {
                (EXPORT, user, session.uuid(), format.code(), leaf)
            }
        };
        let mut bytes = Vec::with_capacity(BODY_BYTES + MAC_BYTES);
        bytes.push(kind);
        bytes.extend_from_slice(user.uuid().as_bytes());
        bytes.extend_from_slice(subject.as_bytes());
        bytes.push(format);
        bytes.extend_from_slice(leaf.map(Id::uuid).unwrap_or_default().as_bytes());
        bytes.extend_from_slice(&expires_at.timestamp_micros().to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<(Self, DateTime<Utc>)> {
        let (kind, rest) = bytes.split_first()?;
        let (user, rest) = take_uuid(rest)?;
        let (subject, rest) = take_uuid(rest)?;
        let (format, rest) = rest.split_first()?;
        let (leaf, rest) = take_uuid(rest)?;
        let micros = i64::from_be_bytes(rest.try_into().ok()?);
        let user = Id::from_uuid(user);
        let grant = match *kind {
            UPLOAD => Self::Upload { user, upload: Id::from_uuid(subject) },
            EXPORT => Self::Export {
                user,
                session: Id::from_uuid(subject),
                format: ExportFormat::from_code(*format)?,
                leaf: (!leaf.is_nil()).then(|| Id::from_uuid(leaf)),
            },
            _ => return None,
        };
        Some((grant, DateTime::from_timestamp_micros(micros)?))
    }
}

fn take_uuid(bytes: &[u8]) -> Option<(Uuid, &[u8])> {
    let (uuid, rest) = bytes.split_at_checked(16)?;
    Some((Uuid::from_slice(uuid).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_micros(1_800_000_000_000_001).unwrap()
    }

    fn grants(user: u128, subject: u128, leaf: u128) -> [Grant; 2] {
        let user = UserId::from_uuid(Uuid::from_u128(user));
        let leaf = (leaf != 0).then(|| Id::from_uuid(Uuid::from_u128(leaf)));
        let subject = Uuid::from_u128(subject);
        [
            Grant::Upload { user, upload: Id::from_uuid(subject) },
            Grant::Export {
                user,
                session: Id::from_uuid(subject),
                format: ExportFormat::Markdown,
                leaf,
            },
        ]
    }

    proptest! {
        #[test]
        fn a_link_says_what_it_was_made_for_until_it_ends(user: u128, subject: u128, leaf: u128) {
            let key = LinkKey::new(&[7; KEY_BYTES]);
            for grant in grants(user, subject, leaf) {
                let text = key.seal(&grant, now());
                prop_assert_eq!(key.open(&text, now() - TimeDelta::microseconds(1)), Some(grant));
                prop_assert_eq!(key.open(&text, now()), None);
                prop_assert_eq!(LinkKey::new(&[8; KEY_BYTES]).open(&text, now()), None);
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            }
        }

        #[test]
        fn no_byte_of_a_link_can_be_changed(at in 0_usize..BODY_BYTES + MAC_BYTES, flip in 1_u8..) {
            let key = LinkKey::new(&[7; KEY_BYTES]);
            for grant in grants(1, 2, 3) {
                let text = key.seal(&grant, now() + TimeDelta::hours(1));
                let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
                bytes[at] ^= flip;
                prop_assert_eq!(key.open(&URL_SAFE_NO_PAD.encode(&bytes), now()), None);
                bytes.truncate(at);
                prop_assert_eq!(key.open(&URL_SAFE_NO_PAD.encode(&bytes), now()), None);
            }
        }

        #[test]
        fn any_text_is_a_link_or_none(text in ".{0,200}") {
            prop_assert_eq!(LinkKey::new(&[7; KEY_BYTES]).open(&text, now()), None);
        }
    }
}
