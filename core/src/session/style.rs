//! How a player wants a story written: what every reply of a session keeps to. Pure.

use serde::{Deserialize, Serialize};
use skald_base::{Result, graph::TextRule};

/// How long a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum ReplyLength {
    Short,
    Medium,
    Long,
}

/// In which tense the story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum NarrativeTense {
    Past,
    Present,
}

/// How a player wants a story written; what is absent is left to the story.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase", default)]
pub struct Style {
    /// How long replies are; as long as what the player writes if absent.
    #[sqlx(rename = "reply_length")]
    pub length: Option<ReplyLength>,
    /// The tense; the one the story is told in so far if absent.
    #[sqlx(rename = "narrative_tense")]
    pub tense: Option<NarrativeTense>,
    /// The mood to keep, in the player's words.
    pub atmosphere: Option<String>,
    /// What the player asks of every reply.
    pub instruction: Option<String>,
}

impl Style {
    /// Refuses texts that are too long; the style was sent at `path`.
    pub(super) fn check(&self, path: &str) -> Result<()> {
        let atmosphere = self.atmosphere.as_deref().unwrap_or_default();
        TextRule::optional(2_000).check(&format!("{path}.atmosphere"), atmosphere)?;
        let instruction = self.instruction.as_deref().unwrap_or_default();
        TextRule::optional(16 * 1024).check(&format!("{path}.instruction"), instruction)
    }
}
