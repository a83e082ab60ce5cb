//! Texts that grow, addressed in UTF-16 code units, as JavaScript counts.

use crate::events::Channel;

/// A text that only grows, with its length in UTF-16 code units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrowingText {
    text: String,
    units: usize,
}

impl GrowingText {
    /// Appends; the offset at which the piece begins.
    pub fn push(&mut self, piece: &str) -> usize {
        let offset = self.units;
        self.text.push_str(piece);
        self.units += utf16_len(piece);
        offset
    }

    /// The text so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its length in UTF-16 code units.
    pub fn units(&self) -> usize {
        self.units
    }
}

impl From<GrowingText> for String {
    fn from(text: GrowingText) -> Self {
        text.text
    }
}

impl From<String> for GrowingText {
    fn from(text: String) -> Self {
        let units = utf16_len(&text);
        Self { text, units }
    }
}

/// How many UTF-16 code units a text has.
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The rest of `text` from `offset` on, and where it really begins.
///
/// An offset inside a surrogate pair begins at the pair; one past the end is `None`.
pub fn rest_from(text: &str, offset: usize) -> Option<(usize, &str)> {
    let mut units = 0;
    for (index, letter) in text.char_indices() {
        if units == offset || units + letter.len_utf16() > offset {
            return text.get(index..).map(|rest| (units, rest));
        }
        units += letter.len_utf16();
    }
    (units == offset).then_some((units, ""))
}

/// How much of a reply a client has: the offsets at which each text goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Of which attempt; none if the client brought its offsets along.
    pub attempt: Option<i64>,
    /// Of the content.
    pub content: usize,
    /// Of the thought.
    pub thought: usize,
}

/// What to tell a client about a piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    /// Send this, at this offset.
    Send(usize, String),
    /// The client has all of it already.
    Known,
    /// Something before it is missing: read the whole text.
    Gap,
}

impl Seen {
    /// Takes a piece that begins at `offset`.
    pub fn advance(&mut self, channel: Channel, offset: usize, piece: &str) -> Advance {
        let seen = self.of(channel);
        if offset > *seen {
            return Advance::Gap;
        }
        match rest_from(piece, *seen - offset) {
            None | Some((_, "")) => Advance::Known,
            Some((skipped, rest)) => {
                *seen = offset + utf16_len(piece);
                Advance::Send(offset + skipped, rest.to_owned())
            }
        }
    }

    /// Whether the client has more than `content` and `thought` hold.
    pub fn exceeds(&self, content: usize, thought: usize) -> bool {
        self.content > content || self.thought > thought
    }

    /// Whether what the client has is (or may be) of an attempt before this one.
    pub fn is_older_than(&self, attempt: i64) -> bool {
        let has_text = self.content > 0 || self.thought > 0;
        has_text && self.attempt.unwrap_or(1) < attempt
    }

    /// Everything there is of an attempt.
    pub fn all_of(attempt: i64, content: &str, thought: &str) -> Self {
        let (content, thought) = (utf16_len(content), utf16_len(thought));
        Self { attempt: Some(attempt), content, thought }
    }

    fn of(&mut self, channel: Channel) -> &mut usize {
        match channel {
            Channel::Content => &mut self.content,
            Channel::Thought => &mut self.thought,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is lost, repeated or late: a client that follows the rule has a true prefix,
        /// and the whole text once everything was sent from the start.
        #[test]
        fn a_client_never_holds_a_false_text(
            pieces in prop::collection::vec("[a-zё😀漢]{0,5}", 0..12),
            order in prop::collection::vec(0_usize..12, 0..40),
        ) {
            let mut whole = GrowingText::default();
            let placed: Vec<_> = pieces.iter().map(|piece| (whole.push(piece), piece.clone())).collect();
            let (mut seen, mut client) = (Seen::default(), Vec::<u16>::new());
            let mut take = |offset: usize, piece: &str| {
                if let Advance::Send(offset, text) = seen.advance(Channel::Content, offset, piece) {
                    client.truncate(offset);
                    client.extend(text.encode_utf16());
                }
                client.clone()
            };
            let all: Vec<u16> = whole.as_str().encode_utf16().collect();
            for index in order {
                if let Some((offset, piece)) = placed.get(index) {
                    prop_assert!(all.starts_with(&take(*offset, piece)));
                }
            }
            prop_assert_eq!(take(0, whole.as_str()), all);
        }

        #[test]
        fn the_rest_begins_where_it_says(text in ".{0,30}", offset in 0_usize..40) {
            let units: Vec<u16> = text.encode_utf16().collect();
            match rest_from(&text, offset) {
                None => prop_assert!(offset > units.len()),
                Some((at, rest)) => {
                    prop_assert!(at == offset || at + 1 == offset);
                    prop_assert_eq!(rest.encode_utf16().collect::<Vec<_>>(), &units[at..]);
                }
            }
        }
    }
}
