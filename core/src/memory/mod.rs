//! Memory: what of a story comes to mind again when its turn has come.
//!
//! What can come to mind is not written down a second time: it is the story
//! itself, passage by passage, as far as it stands above what the prompt still
//! shows. So an edit, a hidden message or another branch is true at once.
//!
//! | module | what it holds |
//! |---|---|
//! | `passage` | a message cut into what comes to mind as a whole |
//! | `people` | authors of messages as people of a cast |
//! | `question` | what a turn asks: the last words, who says them to whom |
//! | `told`, `shelf` | what was told on a path, indexed; indexes kept between turns |
//! | `story` | the index of a path: found, read on, or read anew |
//! | `select` | which of what comes to mind goes into the prompt |
//! | `remember` | all of it together, for a turn and for a preview |
//!
//! What ranks passages is [`crate::recall`]. Another source of memories is another
//! [`Source`], whose passages stand beside those of the story where `remember` asks.

mod passage;
mod people;
mod question;
mod remember;
mod select;
mod shelf;
mod story;
mod told;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::told::Heard;
pub use self::{
    remember::{RecallScope, RecallWish, preview, remind},
    shelf::Shelf,
};
use crate::tree::MessageId;

/// How much comes to mind, and what that may cost.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MemorySettings {
    /// Percent of a prompt that may go to what comes to mind of the story above it, once the
    /// story has outgrown the prompt. 0 recalls nothing. Default 15.
    pub prompt_percent: u32,
    /// Tokens that may go to it at most, however large the prompt. Default 2000.
    pub prompt_tokens: u32,
    /// Bytes of memory for the indexes of stories that were played lately, about: a story of
    /// 5000 messages takes some 5 MiB. What does not fit is read again in its next turn. Default
    /// 33554432 (32 MiB).
    pub cache_bytes: usize,
}

/// What a memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MemoryKind {
    /// A passage of the story.
    Episode,
}

/// Where a memory comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// A passage of a message: from where to where in the text of a revision, in bytes.
    Episode {
        /// The message.
        message: MessageId,
        /// Its revision.
        revision: i64,
        /// Where the passage begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
}

/// Something that came to mind.
#[derive(Clone, Debug, PartialEq)]
pub struct Recalled {
    /// Where it comes from.
    pub source: Source,
    /// How deep in the tree it was told.
    pub depth: i64,
    /// Who told it, by the name of then.
    pub teller: String,
    /// What was told.
    pub text: String,
    /// How strongly it came to mind: about 1 for the best words alone, at most about 2.
    pub score: f64,
    /// Its rank by words alone, from 1; none if others brought it.
    pub lexical_rank: Option<usize>,
    /// Whether it went into the prompt.
    pub included: bool,
    /// Why it came to mind, and why it stayed out if it did.
    pub reason: String,
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self { prompt_percent: 15, prompt_tokens: 2000, cache_bytes: 32 * 1024 * 1024 }
    }
}

impl MemorySettings {
    /// Tokens for what comes to mind, of a prompt of so many.
    pub fn room(&self, prompt: u32) -> u32 {
        let share = u64::from(prompt) * u64::from(self.prompt_percent.min(100)) / 100;
        u32::try_from(share).unwrap_or(u32::MAX).min(self.prompt_tokens)
    }
}

impl Source {
    /// What it is.
    pub fn kind(self) -> MemoryKind {
        match self {
            Self::Episode { .. } => MemoryKind::Episode,
        }
    }

    /// Where in its message it begins.
    pub fn start(self) -> usize {
        match self {
            Self::Episode { start, .. } => start,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::tree::{Author, MessageRole, MessageStatus};

    pub(crate) fn heard(number: u128, content: &str) -> Heard {
        Heard {
            id: MessageId::from_uuid(Uuid::from_u128(number)),
            depth: i64::try_from(number).unwrap(),
            role: MessageRole::Character,
            author: Author { author_name: "Mira".into(), ..Author::default() },
            content: content.into(),
            revision: 1,
            status: MessageStatus::Complete,
            hidden_from_prompt: false,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    pub(crate) fn recalled(score: f64, text: &str) -> Recalled {
        let message = MessageId::from_uuid(Uuid::nil());
        Recalled {
            source: Source::Episode { message, revision: 1, start: 0, end: text.len() },
            depth: 0,
            teller: "Mira".into(),
            text: text.into(),
            score,
            lexical_rank: None,
            included: false,
            reason: "it has \"ring\"".into(),
        }
    }

    #[test]
    fn memories_have_a_share_of_the_prompt() {
        let usual = MemorySettings::default();
        for (prompt, room) in [(0, 0), (4_000, 600), (32_000, 2_000), (u32::MAX, 2_000)] {
            assert_eq!(usual.room(prompt), room);
        }
        let none = MemorySettings { prompt_percent: 0, ..usual };
        assert_eq!(none.room(32_000), 0);
    }
}
