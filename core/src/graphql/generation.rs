//! How a model wrote a message.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use skald_base::id::format_any;

use super::{
    context::Graph,
    loaders::PlanKey,
    prompt::PromptPlan,
    usage::{Money, money},
};
use crate::turn::{self, Failure, Reply};

/// The prefix of a generation's id; its UUID is its message's.
pub(super) const GENERATION: &str = "generation";

/// How far a running reply has come.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "turn::Stage")]
pub(super) enum ReplyStage {
    /// What comes to mind of a long story is looked for, and the prompt put together.
    Recalling,
    /// The model has the prompt and has not answered yet.
    Waiting,
    /// Text arrives.
    Writing,
    /// The model failed; the server waits and tries again.
    Retrying,
}

/// Why a complete reply ended.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "turn::Finish")]
pub(super) enum FinishReason {
    /// The model was done.
    Stop,
    /// It ran into the limit of tokens: the text ends in the middle.
    Length,
}

/// Why a reply failed, for programs.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "turn::FailureCode")]
pub(super) enum ReplyFailureCode {
    /// The provider asks to slow down; try again in a moment.
    RateLimited,
    /// The provider's allowance is used up.
    Quota,
    /// The provider refused the server's key; choose another model, or tell the host.
    Auth,
    /// The provider has no such model, or not any more; choose another one.
    ModelNotFound,
    /// The provider refused the request.
    BadRequest,
    /// The provider's filter blocked the prompt or the reply; word it differently.
    Blocked,
    /// The model is overloaded; try again in a moment.
    Overloaded,
    /// The model is being loaded; the server waits for it for about a minute.
    Loading,
    /// The model's server cannot be reached; try again, or choose another model.
    Unreachable,
    /// The model did not answer in time.
    Timeout,
    /// The model's answer was cut off.
    Cut,
    /// The model ended without a word of the story; try again.
    Empty,
    /// The provider's answer could not be read.
    Protocol,
    /// The character, the persona and the instructions alone do not fit into the model's context.
    PromptTooLarge,
    /// The server failed.
    Internal,
}

/// Why a reply failed.
#[derive(Clone, SimpleObject)]
pub(super) struct ReplyFailure {
    /// The reason, as a code. Localise by it.
    code: ReplyFailureCode,
    /// The reason, as an English sentence.
    message: String,
    /// Whether trying again may help.
    retryable: bool,
    /// When the server tries again by itself, or when trying again may help, if that is known.
    retry_at: Option<DateTime<Utc>>,
}

/// Tokens of one reply. Prompt includes cached; output excludes thought.
#[derive(SimpleObject)]
pub(super) struct TokenUsage {
    /// Tokens of the prompt, cached ones included.
    pub(super) prompt: i64,
    /// Tokens of the prompt that the provider had cached.
    pub(super) cached: i64,
    /// Tokens of the reply's text.
    pub(super) output: i64,
    /// Tokens of hidden reasoning.
    pub(super) thought: i64,
}

/// When a reply came how far.
#[expect(clippy::struct_field_names, reason = "moments are named so all over the graph")]
#[derive(SimpleObject)]
struct ReplyTimings {
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When its first text arrived.
    first_text_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
}

/// How a model wrote a message.
pub(super) struct Generation(pub(super) Reply);

/// How a model wrote a message.
#[Object]
impl Generation {
    /// The id, such as `generation_01jd…`.
    pub(super) async fn id(&self) -> ID {
        ID(format_any(GENERATION, self.0.message_id.uuid()))
    }

    /// The model that wrote or writes; another than was asked, if that one could not.
    async fn model(&self) -> &str {
        &self.0.model
    }

    /// Which attempt this is, counted from 1; a new one begins only while no text was shown.
    async fn attempt(&self) -> i64 {
        self.0.attempt
    }

    /// How far it has come, or had come when it ended.
    async fn stage(&self) -> ReplyStage {
        self.0.stage.into()
    }

    /// Why it ended; null unless the message is `COMPLETE`.
    async fn finish_reason(&self) -> Option<FinishReason> {
        self.0.finish_reason.map(Into::into)
    }

    /// Why it failed, or why the last attempt did.
    async fn failure(&self) -> Option<ReplyFailure> {
        Some(reply_failure(self.0.failure()?, self.0.retry_at))
    }

    /// Tokens in and out, as the provider counted them; null until it ended.
    async fn usage(&self) -> Option<TokenUsage> {
        Some(TokenUsage {
            prompt: self.0.prompt_tokens?,
            cached: self.0.cached_tokens.unwrap_or_default(),
            output: self.0.output_tokens.unwrap_or_default(),
            thought: self.0.thought_tokens.unwrap_or_default(),
        })
    }

    /// What the attempt that ended it cost, at that day's price; null if tokens or price are not
    /// known.
    async fn cost(&self) -> Option<Money> {
        self.0.cost.map(money)
    }

    /// What the model was told; null if that is not known, or not yet.
    async fn prompt(&self, ctx: &Context<'_>) -> Option<Result<PromptPlan>> {
        let loaded = ctx.loaders().load(PlanKey(self.0.message_id)).await;
        loaded.map(|found| found.map(PromptPlan::from)).map_err(Into::into).transpose()
    }

    /// When it came how far.
    async fn timings(&self) -> ReplyTimings {
        ReplyTimings {
            created_at: self.0.created_at,
            first_text_at: self.0.first_text_at,
            finished_at: self.0.finished_at,
        }
    }
}

/// A failure as clients see it.
pub(super) fn reply_failure(failure: Failure, retry_at: Option<DateTime<Utc>>) -> ReplyFailure {
    let Failure { code, message, .. } = failure;
    ReplyFailure { code: code.into(), message, retryable: code.is_retryable(), retry_at }
}
