//! The models of this server.

use async_graphql::{Context, Enum, Object, SimpleObject};
use chrono::NaiveDate;

use super::context::Graph;
use crate::llm::{self, registry::split};

/// What a model is used for.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "llm::ModelRole")]
pub(super) enum ModelRole {
    /// Writes replies.
    Story,
    /// Judges how a story goes and steers it.
    Supervisor,
    /// Turns texts into vectors, by which memories are found.
    Embedding,
}

impl ModelRole {
    /// The role by the word under which calls are stored.
    pub(super) fn from_stored(word: &str) -> Self {
        match word {
            "SUPERVISOR" => Self::Supervisor,
            "EMBEDDING" => Self::Embedding,
            _ => Self::Story,
        }
    }
}

/// How much a model thinks before it writes, least first.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "llm::Thinking")]
enum ThinkingLevel {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// A little.
    Low,
    /// A good deal.
    Medium,
    /// As much as it wants.
    High,
}

/// An option by which a model chooses words.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "llm::Sampler")]
enum Sampler {
    /// How freely words are chosen.
    Temperature,
    /// Nucleus sampling: only the likeliest words that together have this share.
    TopP,
    /// Only so many of the likeliest words.
    TopK,
    /// Only words at least this share as likely as the likeliest.
    MinP,
    /// A divisor for words that stand there already.
    RepetitionPenalty,
    /// A fine for words that stand there already.
    PresencePenalty,
    /// A fine for words by how often they stand there.
    FrequencyPenalty,
    /// Makes a choice repeatable.
    Seed,
}

/// With whose turn the conversation that a model is sent may end.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "llm::LastTurn")]
enum ModelLastTurn {
    /// The user's or the model's.
    Any,
    /// The user's only.
    User,
}

/// What a model costs on certain days, in units of `currency` for a million tokens.
#[derive(SimpleObject)]
struct ModelPrice {
    /// The first day on which it holds, in UTC; null if it always has.
    from: Option<NaiveDate>,
    /// The last day on which it holds; null until further notice.
    until: Option<NaiveDate>,
    /// A million tokens of prompt.
    input: f64,
    /// A million tokens of prompt that the provider had cached.
    cached_input: f64,
    /// A million tokens of reply or thought.
    output: f64,
    /// Always `USD` so far.
    currency: &'static str,
}

impl From<&llm::Price> for ModelPrice {
    fn from(price: &llm::Price) -> Self {
        let &llm::Price { from, until, input, cached_input, output } = price;
        let cached_input = cached_input.unwrap_or(input);
        Self { from, until, input, cached_input, output, currency: "USD" }
    }
}

/// A model of this server: what it can do, and what it costs.
struct Model {
    model: llm::Model,
    default_for: Vec<ModelRole>,
}

/// A model of this server: what it can do, and what it costs.
#[Object]
impl Model {
    /// The id by which it is chosen, such as `skald/offline` or `gemini/gemini-3.8-flash`.
    async fn id(&self) -> &str {
        &self.model.id
    }

    /// Who provides it, as this server's operator named them: what stands before the id's slash.
    async fn provider(&self) -> &str {
        split(&self.model.id).0
    }

    /// The name people read.
    async fn name(&self) -> &str {
        &self.model.name
    }

    /// What it is, in a sentence.
    async fn description(&self) -> &str {
        &self.model.description
    }

    /// What it can be used for. Only one with `STORY` can be chosen for a session or a reply.
    async fn roles(&self) -> Vec<ModelRole> {
        self.model.roles.iter().copied().map(ModelRole::from).collect()
    }

    /// What it is used for when nobody chooses.
    async fn default_for(&self) -> &[ModelRole] {
        &self.default_for
    }

    /// Whether it writes when nobody chooses.
    async fn is_default(&self) -> bool {
        self.default_for.contains(&ModelRole::Story)
    }

    /// How many tokens of prompt and reply together it takes.
    async fn context_tokens(&self) -> u32 {
        self.model.abilities.context_tokens
    }

    /// How many tokens of reply it writes at most, thought included; null if only its context
    /// limits it.
    async fn output_tokens(&self) -> Option<u32> {
        self.model.abilities.output_tokens
    }

    /// Whether it thinks before it writes; the thought is a channel of its own.
    async fn thinks(&self) -> bool {
        self.model.abilities.thinks
    }

    /// How much it can be told to think, least first; empty if it cannot be told.
    async fn thinking_levels(&self) -> Vec<ThinkingLevel> {
        self.model.abilities.thinking.iter().copied().map(ThinkingLevel::from).collect()
    }

    /// Which options for choosing words it takes; others are left out of what it is sent.
    async fn samplers(&self) -> Vec<Sampler> {
        self.model.abilities.samplers.iter().copied().map(Sampler::from).collect()
    }

    /// Whether it goes on from the beginning of a reply; others are asked to in words.
    async fn prefill(&self) -> bool {
        self.model.abilities.prefill
    }

    /// With whose turn the conversation that it is sent may end.
    async fn last_turn(&self) -> ModelLastTurn {
        self.model.abilities.last_turn.into()
    }

    /// Length of the vectors it makes; null if it makes none, or nobody has said.
    async fn dimensions(&self) -> Option<u32> {
        self.model.abilities.dimensions
    }

    /// What it costs whoever runs this server, oldest price first; empty if that is not known.
    async fn prices(&self) -> Vec<ModelPrice> {
        self.model.prices.iter().map(Into::into).collect()
    }

    /// Whether it exists to rehearse a client's states (slow, blocked, cut …) without a key.
    async fn rehearsal(&self) -> bool {
        self.model.rehearsal
    }
}

/// Queries on models.
#[derive(Default)]
pub(super) struct ModelQuery;

#[Object]
impl ModelQuery {
    /// The models of this server, the default storyteller first; at most 500.
    #[graphql(complexity = "10 + 20 * child_complexity")]
    async fn models(&self, ctx: &Context<'_>) -> Vec<Model> {
        use llm::ModelRole::{Embedding, Story, Supervisor};
        let llm = &ctx.app().llm;
        let roles = [Story, Supervisor, Embedding];
        let chosen = roles.map(|role| (role, llm.role(role).map(|choice| choice.model)));
        let in_graph = |model: llm::Model| {
            let is_default = |id: &Option<String>| id.as_deref() == Some(model.id.as_str());
            let roles = chosen.iter().filter(|(_, id)| is_default(id));
            let default_for = roles.map(|(role, _)| ModelRole::from(*role)).collect();
            Model { model, default_for }
        };
        llm.models().into_iter().map(in_graph).collect()
    }
}
