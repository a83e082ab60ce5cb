//! Chats of `SillyTavern`: JSONL files, one path through a story each. Pure.
//!
//! **Reading** takes pieces of a file as they come and gives one [`Item`] a line:
//!
//! ```text
//! let mut reader = Reader::default();
//! reader.feed(&bytes);                       any number of times; reader.end() after the last
//! while let Some(item) = reader.next() { … } Item::Header, Item::Entry or Item::Skipped
//! ```
//!
//! **Merging** makes one tree of several files ([`Merge`]): what begins with the
//! same messages is the same path. `merge.begin()` before each file,
//! `merge.add(entry)` for each entry gives the new [`Node`]s, parents before
//! children, with keys for a graft ([`scion()`] makes what a graft takes);
//! `merge.ends()` is where each file ended: heads and tips for the session.
//!
//! **Writing** is one line at a time ([`write::header`], [`write::entry`]).
//! [`files::leaves`] says which leaves of a tree need a file of their own, and
//! [`files::branchings`] which file branches off which, and where.
//!
//! Texts are taken as they stand: `SillyTavern` puts names in the place of
//! macros before it stores a message, so what still reads `{{user}}` was meant
//! to be read so.

pub mod date;
pub mod files;
mod lines;
mod merge;
mod read;
mod scion;
mod surrogates;
#[cfg(test)]
mod tests;
pub mod write;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

pub use self::{
    merge::{Merge, Node},
    read::{MOST_LINE_BYTES, Reader},
    scion::scion,
};
use crate::tree::MessageRole;

/// What a line of a file says.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// The head of the file; old group chats have none.
    Header(Header),
    /// A message, with its alternatives.
    Entry {
        /// The line, from 1.
        line: u64,
        /// What it says.
        entry: Entry,
    },
    /// Nothing that can be used.
    Skipped {
        /// The line, from 1.
        line: u64,
        /// Why, as an English sentence without a full stop.
        reason: &'static str,
    },
}

/// The head of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// The player's name; newer files do not say it here.
    pub user_name: Option<String>,
    /// The character's name; newer files do not say it here.
    pub character_name: Option<String>,
    /// When the chat was begun.
    pub created_at: Option<DateTime<Utc>>,
    /// The name of the file that this one branches off.
    pub main_chat: Option<String>,
    /// Everything else about the chat, as it stands in `chat_metadata`.
    pub metadata: Map<String, Value>,
}

/// A message with its alternatives ("swipes").
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Who wrote it.
    pub speaker: Speaker,
    /// Whether models are not shown it.
    pub hidden: bool,
    /// The name of the checkpoint that was made here.
    pub bookmark: Option<String>,
    /// The names of the files that branch off here.
    pub branches: Vec<String>,
    /// The alternatives, at least one.
    pub versions: Vec<Version>,
    /// Which of them the path goes through.
    pub selected: usize,
    /// What had to be changed or left, if anything.
    pub adapted: Vec<Adapted>,
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// As what.
    pub role: MessageRole,
    /// Under which name.
    pub name: String,
    /// In group chats: the character's file, which tells it from others of the same name.
    pub avatar: Option<String>,
}

/// One alternative of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Version {
    /// The text.
    pub content: String,
    /// Hidden reasoning.
    pub thought: Option<String>,
    /// The model that wrote it.
    pub model: Option<String>,
    /// When it was sent.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the model began.
    pub started_at: Option<DateTime<Utc>>,
    /// When the model ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What an import changes or leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Adapted {
    /// The text of a message was not that of its selected swipe: the text stands.
    SelectedSwipe,
    /// `swipe_id` named no swipe: the last one, or the message's own text, is selected.
    SwipeMissing,
    /// Empty swipes, or several with the same text, were left out.
    SwipeDropped,
    /// There were more swipes than are read: the first ones and the selected one were taken.
    TooManySwipes,
    /// Halves of characters, such as a cut emoji leaves, were replaced.
    HalfCharacter,
    /// A date could not be read: that of the message above is taken.
    Date,
    /// Pictures and files were left.
    Attachment,
    /// A summary kept with a message was left.
    Summary,
}

impl Adapted {
    /// What was done, as an English sentence without a full stop.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::SelectedSwipe => {
                "the text of a message differed from its selected swipe and was kept"
            }
            Self::SwipeMissing => "the selected swipe was missing: another one was selected",
            Self::SwipeDropped => "swipes that were empty or said the same were left out",
            Self::TooManySwipes => {
                "of more than 1000 swipes the first ones and the selected one were taken"
            }
            Self::HalfCharacter => "halves of characters were replaced",
            Self::Date => "dates that could not be read were taken from the message above",
            Self::Attachment => "pictures and files were left out",
            Self::Summary => "summaries kept with messages were left out",
        }
    }
}
