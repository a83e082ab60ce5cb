//! Why a model did not write.

use std::{fmt, time::Duration};

/// Why a model did not write, as far as its provider tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmError {
    /// What went wrong.
    pub kind: LlmErrorKind,
    /// The provider's own words, keys cut out; for operators, and for players
    /// where the kind alone does not say what to change.
    pub detail: String,
    /// When the same call may succeed, if the provider says.
    pub retry_after: Option<Duration>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlmErrorKind {
    /// Too many requests just now.
    RateLimited,
    /// The day's or the account's allowance is used up.
    Quota,
    /// The key is missing, wrong or not allowed.
    Auth,
    /// There is no such model, or not any more.
    ModelNotFound,
    /// The provider did not understand the request.
    BadRequest,
    /// The prompt is longer than the model's context.
    ContextOverflow,
    /// The provider's filter refused the prompt or the reply.
    Blocked,
    /// The provider is overloaded.
    Overloaded,
    /// The model is being loaded.
    Loading,
    /// Nothing answers at the provider's address.
    Unreachable,
    /// Nothing came in time.
    Timeout,
    /// The stream ended before its end.
    Cut,
    /// The model ended without a word of the story.
    Empty,
    /// The answer was not what the wire format says.
    Protocol,
}

/// The longest detail that is kept.
const DETAIL: usize = 300;

impl LlmError {
    /// An error of this kind, with nothing more to say.
    pub fn new(kind: LlmErrorKind) -> Self {
        Self { kind, detail: String::new(), retry_after: None }
    }

    /// Adds the provider's own words, shortened to one line.
    #[must_use]
    pub fn detail(mut self, detail: impl AsRef<str>) -> Self {
        let words: Vec<&str> = detail.as_ref().split_whitespace().collect();
        self.detail = words.join(" ").chars().take(DETAIL).collect();
        self
    }

    /// Says when the same call may succeed.
    #[must_use]
    pub fn after(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.retry_after = delay.into();
        self
    }

    /// Cuts a secret out of the detail, should a provider repeat it.
    #[must_use]
    pub fn without(mut self, secret: &str) -> Self {
        if !secret.is_empty() {
            self.detail = self.detail.replace(secret, "(key)");
        }
        self
    }

    /// The provider's words, unless they may repeat what the story says.
    pub fn for_log(&self) -> &str {
        if self.kind.may_quote() { "" } else { &self.detail }
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

impl LlmErrorKind {
    /// Whether the same request may succeed later.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Overloaded
            | Self::Loading
            | Self::Unreachable
            | Self::Timeout
            | Self::Cut
            | Self::Empty => true,
            Self::Quota
            | Self::Auth
            | Self::ModelNotFound
            | Self::BadRequest
            | Self::ContextOverflow
            | Self::Blocked
            | Self::Protocol => false,
        }
    }

    /// What went wrong, and what a player can do about it.
    fn sentence(self) -> &'static str {
        match self {
            Self::RateLimited => "the model's provider asks to slow down: try again in a moment",
            Self::Quota => {
                "the provider's allowance is used up: choose another model, or try again when it \
                 is renewed"
            }
            Self::Auth => {
                "the provider refused the server's key: choose another model, or tell whoever \
                 runs this server"
            }
            Self::ModelNotFound => "the provider has no such model: choose another one",
            Self::BadRequest => "the provider refused the request",
            Self::ContextOverflow => {
                "the prompt is longer than the model's context: choose a model with a larger one, \
                 or shorten the character"
            }
            Self::Blocked => {
                "the provider's filter blocked this: word the last message differently, or choose \
                 another model"
            }
            Self::Overloaded => "the model is overloaded: try again in a moment",
            Self::Loading => "the model is being loaded: try again in a moment",
            Self::Unreachable => {
                "the model's server cannot be reached: try again, or choose another model"
            }
            Self::Timeout => "the model did not answer in time: try again",
            Self::Cut => "the model's answer was cut off: try again",
            Self::Empty => "the model answered without a word: try again",
            Self::Protocol => "the provider's answer could not be read: try another model",
        }
    }

    /// Whether a provider's words may repeat the prompt.
    fn may_quote(self) -> bool {
        match self {
            Self::BadRequest | Self::Blocked | Self::Protocol | Self::Empty => true,
            Self::RateLimited
            | Self::Quota
            | Self::Auth
            | Self::ModelNotFound
            | Self::ContextOverflow
            | Self::Overloaded
            | Self::Loading
            | Self::Unreachable
            | Self::Timeout
            | Self::Cut => false,
        }
    }

    /// Whether a player learns the provider's own words too.
    ///
    /// Of a key or an address they learn nothing.
    fn shows_detail(self) -> bool {
        match self {
            Self::BadRequest | Self::Blocked | Self::Empty => true,
            Self::RateLimited
            | Self::Quota
            | Self::Auth
            | Self::ModelNotFound
            | Self::ContextOverflow
            | Self::Overloaded
            | Self::Loading
            | Self::Unreachable
            | Self::Timeout
            | Self::Cut
            | Self::Protocol => false,
        }
    }
}

/// As a player may read it.
impl fmt::Display for LlmError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.kind.sentence())?;
        if self.kind.shows_detail() && !self.detail.is_empty() {
            write!(out, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for LlmError {}

impl From<LlmErrorKind> for LlmError {
    fn from(kind: LlmErrorKind) -> Self {
        Self::new(kind)
    }
}
