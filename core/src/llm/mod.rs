//! Models that write, judge and embed: what they are asked, what they answer.
//!
//! The engine talks to one [`Llm`], which is all models of this server. Behind
//! it stand providers, each a wire format. A provider turns a [`Request`] into
//! a stream of [`Chunk`]s; dropping the stream cancels the call. A new provider
//! is a folder beside these that implements [`Provider`].
//!
//! ```text
//! request                 what a model is asked: blocks of a prompt, options, story
//! model, catalogue        what models can do and cost
//! error                   why one did not write
//! address, http, sse      where servers are, how bytes travel
//! bounds                  how much one call may write
//! gemini                  Google's models, over their own API
//! think                   thoughts that arrive in the midst of the text
//! structured              questions whose answer is JSON
//! openai                  servers that speak OpenAI's wire format
//! offline                 the storyteller that needs no key
//! registry, config        all of them together, and what an operator says of them
//! ```

pub mod address;
pub mod bounds;
pub mod catalogue;
pub mod config;
pub mod error;
pub mod gemini;
pub mod http;
pub mod model;
pub mod offline;
pub mod openai;
pub mod registry;
pub mod request;
pub mod sse;
pub mod structured;
pub mod think;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

pub use self::{
    error::{LlmError, LlmErrorKind},
    model::{Abilities, LastTurn, Model, ModelRole, Price, Sampler, Thinking},
    request::{NarratorTask, Options, Output, Request, Role, Story, Turn, Voice},
};

/// The chunks of one reply, in order; the last one is [`Chunk::Finished`].
///
/// A stream that ends without it was cut. An error ends the stream.
pub type ChunkStream = BoxStream<'static, Result<Chunk, LlmError>>;

/// All models of this server.
#[async_trait]
pub trait Llm: Send + Sync + 'static {
    /// The models on offer, the default storyteller first.
    fn models(&self) -> Vec<Model>;

    /// The model with this id.
    fn model(&self, id: &str) -> Option<Model> {
        self.models().into_iter().find(|model| model.id == id)
    }

    /// What was chosen for a role, if anything was.
    fn role(&self, role: ModelRole) -> Option<RoleChoice> {
        let model = self.models().into_iter().find(|model| model.roles.contains(&role))?;
        Some(RoleChoice::of(model.id))
    }

    /// The body of the HTTP request that [`Llm::stream`] would send; none if there is no wire.
    fn body(&self, _request: &Request) -> Option<String> {
        None
    }

    /// Starts a reply. Both this and the stream's first item may take as long as the model thinks.
    async fn stream(&self, request: Request) -> Result<Reply, LlmError>;

    /// The exact size of a prompt in tokens, if its provider counts.
    async fn count(&self, _request: &Request) -> Result<Option<u32>, LlmError> {
        Ok(None)
    }

    /// The embeddings of these texts by the embedding role's model, in their order.
    async fn embed(&self, _texts: &[String], _for: Purpose) -> Result<Vec<Vec<f32>>, LlmError> {
        Err(LlmError::new(LlmErrorKind::ModelNotFound).detail("no embedding model is configured"))
    }
}

/// One wire format, spoken to one server. Model ids are the server's own.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The body of the HTTP request that [`Provider::stream`] would send. Pure and repeatable.
    fn body(&self, request: &Request) -> String;

    /// Starts a reply.
    async fn stream(&self, request: Request) -> Result<Reply, LlmError>;

    /// The exact size of a prompt in tokens, if the server counts.
    async fn count(&self, request: &Request) -> Result<Option<u32>, LlmError>;

    /// The models that the server says it has, and what it says of them.
    async fn list(&self) -> Result<Vec<Listed>, LlmError>;

    /// What is safe to believe of its models, if that was found out by talking to it.
    fn defaults(&self) -> Option<Abilities> {
        None
    }

    /// Unit vectors for these texts, in their order.
    async fn embed(&self, call: Embedding<'_>) -> Result<Vec<Vec<f32>>, LlmError>;
}

/// A reply that has begun.
pub struct Reply {
    /// The body that was really sent; none if there is no wire. It differs from what
    /// [`Llm::body`] said if the server refused that one, or if another call has
    /// learned meanwhile what the server takes.
    pub body: Option<String>,
    /// What the model writes.
    pub chunks: ChunkStream,
}

impl From<ChunkStream> for Reply {
    fn from(chunks: ChunkStream) -> Self {
        Self { body: None, chunks }
    }
}

/// What an operator chose for a role.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleChoice {
    /// The id of the model.
    pub model: String,
    /// The id of the model that takes over when it cannot write.
    pub fallback: Option<String>,
    /// How it is called.
    pub options: Options,
}

impl RoleChoice {
    /// A model, called as it is called by default.
    pub fn of(model: String) -> Self {
        Self { model, fallback: None, options: Options::default() }
    }
}

/// A model as its server lists it; absent is what the server does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// The server's own id.
    pub id: String,
    /// The name people read.
    pub name: Option<String>,
    /// Tokens of prompt and reply together.
    pub context_tokens: Option<u32>,
    /// Tokens of reply at most.
    pub output_tokens: Option<u32>,
    /// Whether it embeds instead of writing.
    pub embeds: bool,
    /// What it costs now.
    pub price: Option<Price>,
}

/// Texts to embed.
#[derive(Clone, Copy, Debug)]
pub struct Embedding<'a> {
    /// The server's own id of the model.
    pub model: &'a str,
    /// How long the vectors should be; the model's own length if absent.
    pub dimensions: Option<u32>,
    /// What the vectors are for.
    pub purpose: Purpose,
    /// The texts.
    pub texts: &'a [String],
}

/// What embeddings are for: some models embed a question unlike its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be found.
    Document,
    /// To find.
    Query,
}

/// A piece of a reply as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Text of the story.
    Content(String),
    /// Hidden reasoning; never part of the story.
    Thought(String),
    /// What the call has cost so far; a later one replaces it.
    Usage(Usage),
    /// The end, with what it cost, if the provider says.
    Finished {
        /// Why the model stopped.
        reason: FinishReason,
        /// Tokens in and out.
        usage: Option<Usage>,
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
