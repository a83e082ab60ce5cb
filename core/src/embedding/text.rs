//! What is embedded of a text, and by what its vector is found. Pure.

use sha2::{Digest, Sha256};

/// Characters that are embedded at most: models read little more, and some refuse what is longer.
const LONGEST: usize = 4000;

/// The SHA-256 of what is embedded of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextHash([u8; 32]);

impl TextHash {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(embedded(text)).into())
    }

    /// As SQL has it.
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// From SQL; none if it has another length.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// What is embedded of a text: its beginning, without the space around it.
pub(super) fn embedded(text: &str) -> &str {
    let text = text.trim();
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_known_by_what_is_embedded_of_it() {
        let long = "ы".repeat(5000);
        assert_eq!(embedded(&long).chars().count(), LONGEST);
        assert_eq!(embedded("  a ring \n"), "a ring");
        assert_eq!(TextHash::of("a ring"), TextHash::of(" a ring\n"));
        assert_ne!(TextHash::of("a ring"), TextHash::of("A ring"));
        let hash = TextHash::of("a ring");
        assert_eq!(TextHash::from_bytes(&hash.bytes()), Some(hash));
        assert_eq!(TextHash::from_bytes(&[1, 2]), None);
    }
}
