//! What every resolver of both subgraphs needs: ids from clients, payloads, pages.

use async_graphql::ID;
use chrono::{DateTime, Utc};

use crate::{
    error::{Error, Result, UserError, UserErrorCode},
    id::{Id, Kind},
};

/// Nodes on a page when the client does not say.
pub const DEFAULT_PAGE: usize = 20;
/// Nodes on a page at most.
pub const MAX_PAGE: usize = 100;

/// Reads an id that a client sent at `path`; an id of another kind is bad input.
pub fn parse_id<K: Kind>(path: &str, id: &ID) -> Result<Id<K>> {
    id.parse().map_err(|error: crate::id::IdError| Error::invalid(path, error.to_string()))
}

/// Reads an optional id that a client sent at `path`.
pub fn parse_optional_id<K: Kind>(path: &str, id: Option<&ID>) -> Result<Option<Id<K>>> {
    id.map(|id| parse_id(path, id)).transpose()
}

/// Reads a list of ids that a client sent at `path`.
pub fn parse_ids<K: Kind>(path: &str, ids: &[ID]) -> Result<Vec<Id<K>>> {
    ids.iter().map(|id| parse_id(path, id)).collect()
}

/// Splits what a service answered into a payload's noun and its `errors`.
///
/// What the caller cannot mend in the input (no token, our fault) stays a
/// top-level error.
pub fn payload<T>(outcome: Result<T>) -> async_graphql::Result<(Option<T>, Vec<UserError>)> {
    match outcome {
        Ok(noun) => Ok((Some(noun), Vec::new())),
        Err(Error::User(error)) => Ok((None, vec![error])),
        Err(error @ (Error::Unauthenticated | Error::Database(_) | Error::Internal(_))) => {
            Err(error.into())
        }
    }
}

/// Makes "not found" null, as single-object queries answer; other errors stay.
pub fn nullable<T>(outcome: Result<T>) -> Option<async_graphql::Result<T>> {
    match outcome {
        Ok(value) => Some(Ok(value)),
        Err(Error::User(error)) if error.code == UserErrorCode::NotFound => None,
        Err(error) => Some(Err(error.into())),
    }
}

/// The arguments of a connection, as the client sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageArguments {
    /// Nodes from the front.
    pub first: Option<i32>,
    /// Only nodes after this cursor.
    pub after: Option<String>,
    /// Nodes from the back.
    pub last: Option<i32>,
    /// Only nodes before this cursor.
    pub before: Option<String>,
}

/// From which end of the list a page is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageEnd {
    /// `first` nodes, in order.
    Front,
    /// `last` nodes, in order.
    Back,
}

/// A checked request for a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many nodes at most, between 0 and [`MAX_PAGE`].
    pub size: usize,
    /// From which end.
    pub end: PageEnd,
    /// Only nodes after this cursor.
    pub after: Option<String>,
    /// Only nodes before this cursor.
    pub before: Option<String>,
}

impl PageArguments {
    /// Checks the arguments; without `first` and `last` the page is the default one from `end`.
    pub fn check(self, end: PageEnd) -> Result<Page> {
        let (size, end) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("last", "give first or last, not both"));
            }
            (Some(first), None) => (size("first", first)?, PageEnd::Front),
            (None, Some(last)) => (size("last", last)?, PageEnd::Back),
            (None, None) => (DEFAULT_PAGE, end),
        };
        Ok(Page { size, end, after: self.after, before: self.before })
    }

    /// Checks the arguments of a list that can only be read from the front.
    pub fn check_forward(self) -> Result<Page> {
        if self.last.is_some() || self.before.is_some() {
            return Err(Error::invalid("last", "this list is read with first and after"));
        }
        self.check(PageEnd::Front)
    }
}

fn size(name: &str, value: i32) -> Result<usize> {
    usize::try_from(value)
        .ok()
        .filter(|size| *size <= MAX_PAGE)
        .ok_or_else(|| Error::invalid(name, format!("{name} must be between 0 and {MAX_PAGE}")))
}

/// The rows of one page, and what lies beyond its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<T> {
    /// The rows, in reading order.
    pub rows: Vec<T>,
    /// Whether there are rows before them.
    pub has_previous: bool,
    /// Whether there are rows after them.
    pub has_next: bool,
}

impl<T> Slice<T> {
    /// The same page with other rows.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Slice<U> {
        let Self { rows, has_previous, has_next } = self;
        Slice { rows: rows.into_iter().map(change).collect(), has_previous, has_next }
    }
}

impl Page {
    /// One row more than the page: it tells whether there is a next page.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size + 1).unwrap_or(i64::MAX)
    }

    /// Cuts the extra row off and says what lies beyond the page's ends.
    ///
    /// `rows` are in reading order; with [`PageEnd::Back`] the extra row is the first.
    pub fn cut<T>(&self, mut rows: Vec<T>) -> Slice<T> {
        let more = rows.len() > self.size;
        match self.end {
            PageEnd::Front => {
                rows.truncate(self.size);
                Slice { rows, has_previous: self.after.is_some(), has_next: more }
            }
            PageEnd::Back => {
                let surplus = rows.len().saturating_sub(self.size);
                rows.drain(..surplus);
                Slice { rows, has_previous: more, has_next: self.before.is_some() }
            }
        }
    }
}

/// A cursor of a list ordered by time: the moment and the id of its row.
pub fn time_cursor<K: Kind>(at: DateTime<Utc>, id: Id<K>) -> String {
    format!("{}~{id}", at.timestamp_micros())
}

/// Reads a cursor of a list ordered by time, which a client sent at `path`.
pub fn parse_time_cursor<K: Kind>(path: &str, text: &str) -> Result<(DateTime<Utc>, Id<K>)> {
    let parse = || {
        let (micros, id) = text.split_once('~')?;
        let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        Some((at, id.parse().ok()?))
    };
    parse().ok_or_else(|| Error::invalid(path, "not a cursor of this list"))
}

/// The request id of a client for something that creates: checked, not yet used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientRequestId(String);

impl ClientRequestId {
    /// Checks a request id: 1 to 100 visible ASCII characters.
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        let fits =
            (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !fits {
            return Err(Error::invalid(
                path,
                "clientRequestId must be 1 to 100 visible ASCII characters",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text the client sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text from a client, checked: not blank where it must say something, not too long, no NUL.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// The longest allowed text, in bytes of UTF-8.
    pub max_bytes: usize,
    /// Whether white space alone will do.
    pub blank: Blank,
}

/// Whether white space alone will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blank {
    /// The text may be empty.
    Allowed,
    /// The text must say something.
    Refused,
}

impl TextRule {
    /// A text that must say something.
    pub const fn required(max_bytes: usize) -> Self {
        Self { max_bytes, blank: Blank::Refused }
    }

    /// A text that may be empty.
    pub const fn optional(max_bytes: usize) -> Self {
        Self { max_bytes, blank: Blank::Allowed }
    }

    /// Checks `text`, which the client sent at `path`.
    pub fn check(self, path: &str, text: &str) -> Result<()> {
        let name = path.rsplit('.').next().unwrap_or(path);
        if self.blank == Blank::Refused && text.trim().is_empty() {
            let error = UserError::new(UserErrorCode::Blank, format!("{name} is empty"));
            return Err(error.at(path).into());
        }
        if text.len() > self.max_bytes {
            let message = format!("{name} is longer than {} bytes", self.max_bytes);
            return Err(UserError::new(UserErrorCode::TooLong, message).at(path).into());
        }
        if text.contains('\0') {
            return Err(Error::invalid(path, format!("{name} contains a NUL character")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::viewer::{UserId, UserKind};

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(micros in 0_i64..4_102_444_800_000_000, uuid: u128) {
            let at = DateTime::from_timestamp_micros(micros).unwrap();
            let id = UserId::from_uuid(uuid::Uuid::from_u128(uuid));
            prop_assert_eq!(parse_time_cursor("after", &time_cursor(at, id)).unwrap(), (at, id));
        }

        #[test]
        fn any_text_is_a_cursor_or_an_error(text in ".{0,60}") {
            drop(parse_time_cursor::<UserKind>("after", &text));
        }
    }

    #[test]
    fn a_page_knows_what_lies_beyond_its_ends() {
        let front =
            PageArguments { first: Some(2), ..Default::default() }.check(PageEnd::Back).unwrap();
        let slice = Slice { rows: vec![1, 2], has_previous: false, has_next: true };
        assert_eq!(front.cut(vec![1, 2, 3]), slice);
        let back = PageArguments { before: Some("x".into()), ..Default::default() };
        let back = Page { size: 2, ..back.check(PageEnd::Back).unwrap() };
        let slice = Slice { rows: vec![2, 3], has_previous: true, has_next: true };
        assert_eq!(back.cut(vec![1, 2, 3]), slice);
        assert!(
            PageArguments { first: Some(101), ..Default::default() }.check(PageEnd::Front).is_err()
        );
        assert!(
            PageArguments { first: Some(-1), ..Default::default() }.check(PageEnd::Front).is_err()
        );
    }
}
