//! The job by which a model writes a message, as it is stored.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skald_base::UserId;
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    character::CharacterId,
    llm::{FinishReason, LlmError, LlmErrorKind},
    session::SessionId,
    tree::MessageId,
};

/// The job by which a model writes a message, as stored.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration and the graph document each field")]
pub struct Reply {
    pub message_id: MessageId,
    pub session_id: SessionId,
    pub user_id: UserId,
    pub job: Json<Job>,
    pub model: String,
    pub attempt: i64,
    pub stage: Stage,
    pub leased_by: Option<Uuid>,
    pub stop_requested: bool,
    pub draft_content: String,
    pub draft_thought: String,
    pub failure_code: Option<FailureCode>,
    pub failure_message: Option<String>,
    pub retry_at: Option<DateTime<Utc>>,
    pub finish_reason: Option<Finish>,
    pub prompt_tokens: Option<i64>,
    pub cached_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub thought_tokens: Option<i64>,
    pub cost: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub first_text_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl Reply {
    /// Why it failed, or why its last attempt did.
    pub fn failure(&self) -> Option<Failure> {
        let message = self.failure_message.clone().unwrap_or_default();
        self.failure_code.map(|code| Failure::new(code, message))
    }
}

/// What was asked of the model, kept so that a crash can be recovered from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Who writes.
    pub speaker: Speaker,
    /// An instruction for this reply alone.
    pub instruction: Option<String>,
    /// How freely to choose words.
    pub temperature: Option<f32>,
    /// Whether the player said that they are not of age.
    pub minor: bool,
    /// The model that was wished for this reply alone.
    #[serde(default)]
    pub model: Option<String>,
}

impl Job {
    /// A job without any wish of its own.
    pub fn new(speaker: Speaker, minor: bool) -> Self {
        Self { speaker, instruction: None, temperature: None, minor, model: None }
    }
}

/// Who writes a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Speaker {
    /// A character of the cast.
    Character {
        /// The character; none if it is gone for good.
        id: Option<CharacterId>,
        /// Its name on stage.
        name: String,
    },
    /// The player's persona, for whom a model writes once.
    Player,
    /// The narrator, with a task.
    Narrator {
        /// What to narrate.
        task: NarratorTask,
    },
}

/// What the narrator is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum NarratorTask {
    Scene,
    Transition,
    Recap,
}

/// How far a running reply has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum Stage {
    Recalling,
    Waiting,
    Writing,
    Retrying,
}

/// Why a complete reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum Finish {
    Stop,
    Length,
}

impl From<FinishReason> for Finish {
    fn from(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Stop => Self::Stop,
            FinishReason::Length => Self::Length,
        }
    }
}

/// Why a reply failed, for players.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason, as a code.
    pub code: FailureCode,
    /// The reason, as a sentence.
    pub message: String,
    /// When trying again may help, as far as the provider says.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that no provider has anything to say about.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }
}

/// Why a reply failed, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum FailureCode {
    RateLimited,
    Quota,
    Auth,
    ModelNotFound,
    BadRequest,
    Blocked,
    Overloaded,
    Loading,
    Unreachable,
    Timeout,
    Cut,
    Empty,
    Protocol,
    PromptTooLarge,
    Internal,
}

impl FailureCode {
    /// Whether trying again later may help.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::Loading
            | Self::Unreachable
            | Self::Timeout
            | Self::Cut
            | Self::Empty
            | Self::Internal => true,
            Self::Quota
            | Self::Auth
            | Self::ModelNotFound
            | Self::BadRequest
            | Self::Blocked
            | Self::Protocol
            | Self::PromptTooLarge => false,
        }
    }
}

impl From<&LlmError> for Failure {
    fn from(error: &LlmError) -> Self {
        let code = match error.kind {
            LlmErrorKind::RateLimited => FailureCode::RateLimited,
            LlmErrorKind::Quota => FailureCode::Quota,
            LlmErrorKind::Auth => FailureCode::Auth,
            LlmErrorKind::ModelNotFound => FailureCode::ModelNotFound,
            LlmErrorKind::BadRequest => FailureCode::BadRequest,
            LlmErrorKind::ContextOverflow => FailureCode::PromptTooLarge,
            LlmErrorKind::Blocked => FailureCode::Blocked,
            LlmErrorKind::Overloaded => FailureCode::Overloaded,
            LlmErrorKind::Loading => FailureCode::Loading,
            LlmErrorKind::Unreachable => FailureCode::Unreachable,
            LlmErrorKind::Timeout => FailureCode::Timeout,
            LlmErrorKind::Cut => FailureCode::Cut,
            LlmErrorKind::Empty => FailureCode::Empty,
            LlmErrorKind::Protocol => FailureCode::Protocol,
        };
        Self { code, message: error.to_string(), retry_after: error.retry_after }
    }
}
