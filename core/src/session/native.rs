//! Skald's own format: one JSON document that holds all of a session. Pure.
//!
//! People stand in it by what is written about them, messages by their number in the document,
//! parents before their children. No id of a database is in it, so it can be read anywhere. Each
//! person and each message is one line, for those who look at it; readers need not rely on that.
//!
//! A reader takes every document of its major version. Fields that came with a later minor
//! version are told to the player and left out.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skald_base::Result;
use sqlx::types::Json;

use super::{SessionMode, Settings};
use crate::{
    fact::Note,
    tree::{MessageRole, MessageStatus},
    turn::{FailureCode, Finish, NarratorTask},
};

/// The first word of a document.
pub const FORMAT: &str = "skald-session";
/// Counts changes that an older reader would misread.
pub const MAJOR: u32 = 1;
/// Counts fields that an older reader may leave out.
pub const MINOR: u32 = 2;

/// What a document says of the session itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRecord {
    /// How the story is driven.
    pub mode: SessionMode,
    /// Title, language, style and so on.
    pub settings: Settings,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// Since when it is put away. Since version 1.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<DateTime<Utc>>,
    /// The player's tags, in order. Since version 1.1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whom the player plays, by their place in the list of personas.
    #[serde(default)]
    pub persona: Option<usize>,
    /// Who is on stage, in order.
    #[serde(default)]
    pub cast: Vec<CastRecord>,
}

/// A character on stage, with name and picture as they were when it joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CastRecord {
    /// The name on the bill.
    pub name: String,
    /// The picture on the bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Its place in the list of characters; none if it is gone for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub character: Option<usize>,
}

/// Something that is known of a persona or a character: of one of them. Since version 1.2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FactRecord {
    /// Of a persona, by its place in the list of personas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<usize>,
    /// Of a character, by its place in the list of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub character: Option<usize>,
    /// The fact itself.
    pub text: String,
    /// The writer's own word for what kind of fact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// If there are any, one of them has to be said before the fact comes to mind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl FactRecord {
    /// What is written down about whoever is at a place of the list of personas or of characters.
    pub(crate) fn of(persona: Option<usize>, character: Option<usize>, note: Note) -> Self {
        let Note { text, category, keys } = note;
        Self { persona, character, text, category, keys: keys.0 }
    }

    /// What is written down; refuses what cannot be.
    pub(crate) fn note(&self) -> Result<Note> {
        let Self { text, category, keys, .. } = self.clone();
        Note { text, category, keys: Json(keys) }.checked()
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageRecord {
    /// Its number: 0, 1, 2 … in the order of the document.
    pub number: usize,
    /// The number of the message it answers; none at a root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<usize>,
    /// What it is in the story.
    pub role: MessageRole,
    /// Who wrote it, as they were then.
    pub author: AuthorRecord,
    /// Its text.
    pub content: String,
    /// Hidden reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thought: Option<String>,
    /// How its writing ended.
    pub status: MessageStatus,
    /// Whether models are not told it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hidden_from_prompt: bool,
    /// The name it is kept under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bookmark: Option<String>,
    /// The number of the message it is an edited version of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_from: Option<usize>,
    /// The number of the reply whose text it begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued_from: Option<usize>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was last edited in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<DateTime<Utc>>,
    /// What it said before, oldest first. An export writes this field and the next one by
    /// themselves: they stay the last two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<RevisionRecord>,
    /// How a model wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationRecord>,
}

/// Who wrote a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorRecord {
    /// The name.
    pub name: String,
    /// The picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Whether the player wrote it, or had it written as their persona.
    #[serde(default, skip_serializing_if = "is_false")]
    pub player: bool,
    /// Whom the player played, by their place in the list of personas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<usize>,
    /// Which character, by its place in the list of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub character: Option<usize>,
}

/// What a message said before it was edited in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevisionRecord {
    /// The text.
    pub content: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// How a model wrote a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerationRecord {
    /// The model.
    pub model: String,
    /// The attempt that ended it, from 1.
    pub attempt: i64,
    /// The narrator's task; none if a character spoke, or if it is the player's own message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<NarratorTask>,
    /// An instruction for this reply alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// How freely words were chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Why it ended, if it ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<Finish>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureRecord>,
    /// Tokens of the prompt, of it cached, of the text, of the thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<[i64; 4]>,
    /// What it cost, in billionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<i64>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its first word came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_text_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// Why a reply failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureRecord {
    /// The reason, as a code.
    pub code: FailureCode,
    /// The reason, as a sentence.
    pub message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}
