//! What is stored of a message so that it can be found. Pure.

use std::collections::BTreeSet;

use crate::{
    session::SessionId,
    text::{self, Word},
};

/// What is stored of a message so that it can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The terms in order, a blank around each, so that a row of words is a piece of text.
    pub(crate) terms: String,
    /// The session's token, and each whole word of which the term is only a part: what somebody
    /// types is found before it is finished.
    pub(crate) extra: String,
}

impl Terms {
    /// The terms of a text in this session.
    pub(crate) fn of(session: SessionId, text: &str) -> Self {
        let words = text::words(text);
        let longer = |word: &Word| !word.term.starts_with(&word.form);
        let forms: BTreeSet<&str> =
            words.iter().filter(|word| longer(word)).map(|word| word.form.as_str()).collect();
        let token = token(session);
        let extra = std::iter::once(token.as_str()).chain(forms);
        Self { terms: row(words.iter().map(|word| word.term.as_str())), extra: row(extra) }
    }
}

/// A word that every message of a session has and that no text can have.
pub(crate) fn token(session: SessionId) -> String {
    format!("_{}", session.uuid().simple())
}

/// Words as they stand in what is stored: a blank around each.
pub(crate) fn row<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut row = String::from(" ");
    for word in words {
        row.push_str(word);
        row.push(' ');
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_terms_its_session_and_its_longer_words() {
        let session = SessionId::from_uuid(uuid::Uuid::from_u128(0xab));
        let terms = Terms::of(session, "Running, running by the Волнам!");
        assert_eq!(terms.terms, " run run by the волн ");
        assert_eq!(terms.extra, " _000000000000000000000000000000ab running волнам ");
        assert_eq!(Terms::of(session, "…").terms, " ");
    }
}
