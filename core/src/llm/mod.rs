//! Models that write: one trait, typed errors, and who stands behind a model id.
//!
//! A provider turns a [`Request`] into a stream of [`Chunk`]s. Dropping the
//! stream cancels the call. A new provider is a file beside this one that
//! implements [`Llm`], and one line where the application is wired.

pub mod offline;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

/// The chunks of one reply, in order; the last one is [`Chunk::Finished`].
///
/// A stream that ends without it was cut. An error ends the stream.
pub type ChunkStream = BoxStream<'static, Result<Chunk, LlmError>>;

/// A provider of models.
#[async_trait]
pub trait Llm: Send + Sync + 'static {
    /// The models it offers, best first.
    fn models(&self) -> Vec<Model>;

    /// Starts a reply. The stream's first item may take as long as the model thinks.
    async fn stream(&self, request: Request) -> Result<ChunkStream, LlmError>;
}

/// A model that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The id by which clients choose it, such as `skald/offline`.
    pub id: String,
    /// The name people read.
    pub name: String,
    /// What it is, in a sentence.
    pub description: String,
    /// How many tokens of prompt and reply together it takes.
    pub context_tokens: u32,
    /// Whether it thinks before it writes, visibly.
    pub thinks: bool,
    /// Whether it exists for rehearsing a client's states, not for stories.
    pub rehearsal: bool,
}

/// What a model is asked to write.
#[derive(Clone, Debug)]
pub struct Request {
    /// The model's id.
    pub model: String,
    /// Standing instructions: who is who, how to write.
    pub system: String,
    /// The conversation, oldest first; never empty, ends with [`Role::User`].
    pub turns: Vec<Turn>,
    /// Texts at which the model should stop, without writing them.
    pub stop: Vec<String>,
    /// Tokens of reply at most, thought included.
    pub max_output_tokens: u32,
    /// How freely to choose words; the model's own default if absent.
    pub temperature: Option<f32>,
    /// Makes a repeatable model repeat itself; differs for every swipe.
    pub seed: u64,
    /// What the story is about, for providers that need no prose prompt.
    pub story: Story,
}

/// The facts behind the prompt, in structure: what `offline` weaves its prose from.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// Which attempt at this reply it is, counted from 1.
    pub attempt: u32,
    /// The session's language as a BCP 47 tag, such as `en` or `ru`.
    pub language: String,
    /// Who writes the reply: a character's name, or none for the narrator.
    pub speaker: Option<String>,
    /// What the narrator is asked for, if the narrator writes.
    pub task: Option<NarratorTask>,
    /// The name of the player's persona.
    pub player: String,
    /// The names of all characters on stage.
    pub cast: Vec<String>,
    /// Sentences about the speaker: description, personality, scenario.
    pub about_speaker: String,
    /// Sentences about the player's persona.
    pub about_player: String,
    /// What the player wrote last.
    pub last_line: String,
    /// An instruction for this reply alone.
    pub instruction: Option<String>,
    /// How many messages stand on the path.
    pub depth: u32,
    /// In which grammatical person the story is told.
    pub voice: Voice,
}

/// In which grammatical person a character's replies are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// "I raise the lantern."
    First,
    /// "You see her raise the lantern."
    Second,
    /// "Mira raises the lantern."
    #[default]
    Third,
}

/// What the narrator is asked to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NarratorTask {
    /// Describe where we are.
    Scene,
    /// Move to another place or time.
    Transition,
    /// Tell what has happened so far.
    Recap,
}

/// One turn of the conversation, as a model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
}

/// Who speaks in a model's conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The player, and everything the model should answer to.
    User,
    /// The model's own earlier replies.
    Model,
}

/// A piece of a reply as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Text of the story.
    Content(String),
    /// Hidden reasoning; never part of the story.
    Thought(String),
    /// The end, with what it cost.
    Finished {
        /// Why the model stopped.
        reason: FinishReason,
        /// Tokens in and out.
        usage: Usage,
    },
}

/// Why a model stopped writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It ran into the limit of output tokens.
    Length,
}

/// Tokens of one call. Prompt includes cached; output excludes thought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt: u32,
    /// Tokens of the prompt that the provider had cached.
    pub cached: u32,
    /// Tokens of the reply's text.
    pub output: u32,
    /// Tokens of hidden reasoning.
    pub thought: u32,
}

/// Why a model did not write, as far as the provider tells.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// Too many requests just now.
    #[error("the model's provider asks to slow down")]
    RateLimited {
        /// When to try again, if the provider says.
        retry_after: Option<Duration>,
    },
    /// The day's or the account's allowance is used up.
    #[error("the provider's quota is used up")]
    Quota,
    /// The key is missing, wrong or not allowed.
    #[error("the provider refused the key")]
    Auth,
    /// The provider did not understand the request.
    #[error("the provider refused the request: {0}")]
    BadRequest(String),
    /// The provider's filter refused the prompt or the reply.
    #[error("the provider's filter blocked this: {0}")]
    Blocked(String),
    /// The provider is overloaded or away.
    #[error("the model is overloaded")]
    Overloaded,
    /// Nothing came in time.
    #[error("the model did not answer in time")]
    Timeout,
    /// The stream ended before its end.
    #[error("the model's answer was cut off")]
    Cut,
    /// The answer was not what the wire format says.
    #[error("the provider's answer could not be read: {0}")]
    Protocol(String),
}

impl LlmError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Overloaded | Self::Timeout | Self::Cut => true,
            Self::Quota
            | Self::Auth
            | Self::BadRequest(_)
            | Self::Blocked(_)
            | Self::Protocol(_) => false,
        }
    }
}
