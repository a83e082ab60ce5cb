//! Typed, readable ids: a prefix and a `UUIDv7` in base32, as in `TypeID`.
//!
//! One form everywhere (API, token, log); in SQL the bare UUID. The format is
//! that of the `TypeID` specification 0.3: 26 digits of Crockford's alphabet.
//! A new kind of id is a marker type with a prefix:
//!
//! ```
//! use skald_base::{Id, Kind};
//! pub enum Ship {}
//! impl Kind for Ship { const PREFIX: &'static str = "ship"; }
//! type ShipId = Id<Ship>;
//! let id: ShipId = "ship_01h455vb4pex5vsknk084sn02q".parse()?;
//! assert!("user_01h455vb4pex5vsknk084sn02q".parse::<ShipId>().is_err());
//! # Ok::<(), skald_base::id::IdError>(())
//! ```

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sqlx::{Database, Decode, Encode, Type, encode::IsNull, error::BoxDynError};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What an id names.
pub trait Kind: 'static {
    /// The word before the underscore: lower-case letters, `_` inside allowed.
    const PREFIX: &'static str;
}

/// The id of one kind of thing; ids of other kinds do not fit in its place.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

/// Why a text is not an id of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// It names another kind of thing.
    #[error("expected an id that begins with \"{expected}_\"")]
    Kind {
        /// The prefix that was expected.
        expected: &'static str,
    },
    /// The part after the prefix is not 26 base32 digits of a UUID.
    #[error("\"{expected}_\" must be followed by 26 base32 digits")]
    Digits {
        /// The prefix that was expected.
        expected: &'static str,
    },
}

impl<K> Id<K> {
    /// The id that wraps this UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The bare UUID, as SQL keeps it.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// Reads any id: its prefix and its UUID.
pub fn parse_any(text: &str) -> Option<(&str, Uuid)> {
    let (prefix, digits) = text.rsplit_once('_')?;
    Some((prefix, decode(digits)?))
}

/// Writes a UUID as an id with this prefix.
pub fn format_any(prefix: &str, uuid: Uuid) -> String {
    format!("{prefix}_{}", encode(uuid))
}

fn encode(uuid: Uuid) -> String {
    let value = uuid.as_u128();
    (0..26)
        .rev()
        .map(|place| {
            let digit = usize::try_from((value >> (5 * place)) & 31).unwrap_or_default();
            char::from(ALPHABET.get(digit).copied().unwrap_or(b'0'))
        })
        .collect()
}

fn decode(digits: &str) -> Option<Uuid> {
    // 26 digits hold 130 bits: the first one may not exceed 7.
    if digits.len() != 26 || digits.as_bytes().first()? > &b'7' {
        return None;
    }
    let value = digits.bytes().try_fold(0_u128, |value, byte| {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
        Some((value << 5) | u128::try_from(digit).ok()?)
    })?;
    Some(Uuid::from_u128(value))
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let expected = K::PREFIX;
        let digits = text
            .strip_prefix(expected)
            .and_then(|rest| rest.strip_prefix('_'))
            .ok_or(IdError::Kind { expected })?;
        decode(digits).map(Self::from_uuid).ok_or(IdError::Digits { expected })
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&format_any(K::PREFIX, self.0))
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

// By hand: derives would ask the marker for what only the UUID needs.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl<K, D: Database> Type<D> for Id<K>
where
    Uuid: Type<D>,
{
    fn type_info() -> D::TypeInfo {
        Uuid::type_info()
    }
    fn compatible(info: &D::TypeInfo) -> bool {
        Uuid::compatible(info)
    }
}
impl<'q, K, D: Database> Encode<'q, D> for Id<K>
where
    Uuid: Encode<'q, D>,
{
    fn encode_by_ref(&self, buffer: &mut D::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.encode_by_ref(buffer)
    }
}
impl<'r, K, D: Database> Decode<'r, D> for Id<K>
where
    Uuid: Decode<'r, D>,
{
    fn decode(value: D::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Uuid::decode(value).map(Self::from_uuid)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    enum Prefix {}
    impl Kind for Prefix {
        const PREFIX: &'static str = "prefix";
    }

    #[test]
    fn agrees_with_the_published_vectors() {
        // TypeID specification 0.3, spec/valid.yml.
        let vectors = [
            ("00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
            ("0000000000000000000000000g", "00000000-0000-0000-0000-000000000010"),
            ("7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
            ("0123456789abcdefghjkmnpqrs", "0110c853-1d09-52d8-d73e-1194e95b5f19"),
            ("01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ];
        for (digits, uuid) in vectors {
            let id: Id<Prefix> = format!("prefix_{digits}").parse().unwrap();
            assert_eq!(id.uuid().to_string(), uuid);
            assert_eq!(id.to_string(), format!("prefix_{digits}"));
        }
    }

    #[test]
    fn refuses_what_is_not_an_id() {
        for text in [
            "",
            "prefix",
            "prefix_",
            "other_01h455vb4pex5vsknk084sn02q",
            "prefix_01H455VB4PEX5VSKNK084SN02Q",
            "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "prefix_01h455vb4pex5vsknk084sn02l",
            "prefix_01h455vb4pex5vsknk084sn02",
            "prefix_ё1h455vb4pex5vsknk084sn02",
        ] {
            assert!(text.parse::<Id<Prefix>>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_uuid_survives_and_order_is_kept(a: u128, b: u128) {
            let (a, b) = (Id::<Prefix>::from_uuid(Uuid::from_u128(a)), Id::<Prefix>::from_uuid(Uuid::from_u128(b)));
            prop_assert_eq!(a.to_string().parse::<Id<Prefix>>().unwrap(), a);
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
