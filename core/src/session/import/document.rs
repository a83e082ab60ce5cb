//! Reads Skald's own format from any source of bytes, one message at a time. Pure.
//!
//! Nothing is trusted: every text, number and moment is looked at before somebody acts on it, and
//! no part of a document may be so large that reading it would fill the memory.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fmt,
    io::{self, Read},
    rc::Rc,
};

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::{
    check::{MAX_FACTS, MAX_PEOPLE, check_head, check_message},
    list::{AtMost, LastMentions},
};
use crate::{
    character::Card,
    persona::PersonaProfile,
    session::native::{FORMAT, FactRecord, MAJOR, MINOR, MessageRecord, SessionRecord},
};

/// Bytes of one message, or of everybody in a story, at most.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Messages of one document at most.
pub(super) const MAX_MESSAGES: usize = 200_000;
/// Names of unknown fields that are told at most.
const MAX_UNKNOWN: usize = 20;

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw(pub(super) String);

/// Everything before the messages.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) session: SessionRecord,
    pub(super) personas: Vec<PersonaProfile>,
    pub(super) characters: Vec<Card>,
    pub(super) facts: Vec<FactRecord>,
}

/// A document without its messages.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outline {
    pub(super) head: Head,
    pub(super) messages: usize,
    /// The number of the selected leaf.
    pub(super) selected: Option<usize>,
    /// The numbers of the leaves that were visited, each once, the one visited last at the end.
    pub(super) tips: Vec<usize>,
    /// Fields that this version does not know.
    pub(super) unknown: BTreeSet<String>,
}

/// Takes one message after the other; false to stop.
pub(super) type Take<'a> = &'a mut dyn FnMut(MessageRecord) -> bool;

/// Reads a whole document.
pub(super) fn read(source: impl Read, take: Take<'_>) -> Result<Outline, Flaw> {
    let left = Rc::new(Cell::new(PART_BYTES));
    let bounded = Bounded { source, left: Rc::clone(&left) };
    let mut json = serde_json::Deserializer::from_reader(bounded);
    let unknown = RefCell::new(BTreeSet::new());
    let mut note = |path: serde_ignored::Path<'_>| {
        let mut unknown = unknown.borrow_mut();
        if unknown.len() < MAX_UNKNOWN {
            unknown.insert(field_of(&path.to_string()));
        }
    };
    let parsed = {
        let noted = serde_ignored::Deserializer::new(&mut json, &mut note);
        let document = Document { left, take };
        document.deserialize(noted).and_then(|parsed| json.end().map(|()| parsed))
    };
    let mut outline = parsed.map_err(|error| Flaw(error.to_string()))?;
    outline.unknown = unknown.into_inner();
    Ok(outline)
}

/// The field without the places in lists before it.
fn field_of(path: &str) -> String {
    let is_place = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit()) || *part == "?";
    let parts: Vec<&str> = path.split('.').filter(|part| !is_place(part)).collect();
    parts.join(".").chars().take(100).collect()
}

/// Fails when one part of a document has too many bytes.
struct Bounded<R> {
    source: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let left = self.left.get().checked_sub(count);
        let too_large = || io::Error::other("one part of the file is too large");
        self.left.set(left.ok_or_else(too_large)?);
        Ok(count)
    }
}

/// The whole document.
struct Document<'a> {
    left: Rc<Cell<usize>>,
    take: Take<'a>,
}

/// What was read of a document so far.
#[derive(Default)]
struct Parts {
    is_ours: bool,
    version: Option<String>,
    session: Option<SessionRecord>,
    personas: Vec<PersonaProfile>,
    characters: Vec<Card>,
    facts: Vec<FactRecord>,
    head: Option<Head>,
    messages: Option<usize>,
    selected: Option<usize>,
    tips: Vec<usize>,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Outline;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Outline, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Outline;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a Skald session")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Outline, A::Error> {
        let mut parts = Parts::default();
        while let Some(key) = map.next_key::<String>()? {
            self.left.set(PART_BYTES);
            match key.as_str() {
                "format" => parts.is_ours = map.next_value::<String>()? == FORMAT,
                _ if !parts.is_ours => {
                    return Err(A::Error::custom("the file does not begin as a Skald session"));
                }
                "version" => parts.set_version(map.next_value()?).map_err(A::Error::custom)?,
                "session" => parts.session = Some(map.next_value()?),
                "personas" => {
                    parts.personas = map.next_value_seed(AtMost::new(MAX_PEOPLE, "personas"))?;
                }
                "characters" => {
                    let list = AtMost::new(MAX_PEOPLE, "characters");
                    parts.characters = map.next_value_seed(list)?;
                }
                "facts" => parts.facts = map.next_value_seed(AtMost::new(MAX_FACTS, "facts"))?,
                "messages" => {
                    let head = parts.begin().map_err(A::Error::custom)?;
                    let messages = Messages { left: &self.left, take: &mut self.take, head };
                    let count = map.next_value_seed(messages)?;
                    parts.messages = Some(count);
                }
                "head" => parts.selected = map.next_value()?,
                "tips" => parts.tips = map.next_value_seed(LastMentions)?,
                _ => {
                    map.next_value::<serde::de::IgnoredAny>()?;
                }
            }
        }
        parts.end().map_err(A::Error::custom)
    }
}

impl Parts {
    fn set_version(&mut self, version: String) -> Result<(), String> {
        let major = version.split('.').next().and_then(|major| major.parse().ok());
        if major != Some(MAJOR) {
            let version: String = version.chars().take(20).collect();
            return Err(format!(
                "version {version:?} of the format is not known, {MAJOR}.{MINOR} is"
            ));
        }
        self.version = Some(version);
        Ok(())
    }

    /// Everything that has to be known before the first message.
    fn begin(&mut self) -> Result<&Head, String> {
        if self.messages.is_some() {
            return Err("there are messages twice".into());
        }
        self.version.as_ref().ok_or("version has to stand before messages")?;
        let session = self.session.take().ok_or("session has to stand before messages")?;
        let (personas, characters) =
            (std::mem::take(&mut self.personas), std::mem::take(&mut self.characters));
        let facts = std::mem::take(&mut self.facts);
        let head = Head { session, personas, characters, facts };
        check_head(&head)?;
        Ok(self.head.insert(head))
    }

    fn end(self) -> Result<Outline, String> {
        let messages = self.messages.ok_or("messages are missing")?;
        let head = self.head.ok_or("session is missing")?;
        let numbers = self.selected.iter().chain(&self.tips);
        if let Some(number) = numbers.copied().find(|number| *number >= messages) {
            return Err(format!("head or tips name message {number}, which is not there"));
        }
        let Self { selected, tips, .. } = self;
        Ok(Outline { head, messages, selected, tips, unknown: BTreeSet::new() })
    }
}

/// The list of messages; gives their count.
struct Messages<'a, 'b> {
    left: &'a Cell<usize>,
    take: &'a mut Take<'b>,
    head: &'a Head,
}

impl<'de> DeserializeSeed<'de> for Messages<'_, '_> {
    type Value = usize;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Messages<'_, '_> {
    type Value = usize;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while let Some(message) = list.next_element::<MessageRecord>()? {
            self.left.set(PART_BYTES);
            if count == MAX_MESSAGES {
                return Err(A::Error::custom(format!("more than {MAX_MESSAGES} messages")));
            }
            check_message(self.head, count, &message)
                .map_err(|flaw| A::Error::custom(format!("message {}: {flaw}", message.number)))?;
            if !(self.take)(message) {
                return Err(A::Error::custom("nobody reads on"));
            }
            count += 1;
        }
        Ok(count)
    }
}
