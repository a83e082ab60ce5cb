//! The models this server can write with.

use async_graphql::{Context, Enum, Object, SimpleObject};

use super::context::Graph;
use crate::llm;

/// What a model is used for.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "llm::ModelRole")]
pub(super) enum ModelRole {
    /// Writes replies.
    Story,
    /// Judges a story and steers it.
    Supervisor,
    /// Turns texts into vectors, for memory.
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

/// A model this server can write with.
#[derive(SimpleObject)]
struct Model {
    /// The id by which it is chosen, such as `skald/offline`.
    id: String,
    /// The name people read.
    name: String,
    /// What it is, in a sentence.
    description: String,
    /// What it can be used for.
    roles: Vec<ModelRole>,
    /// How many tokens of prompt and reply together it takes.
    context_tokens: u32,
    /// Whether it thinks before it writes; the thought is a channel of its own.
    thinks: bool,
    /// Whether it exists to rehearse a client's states (slow, blocked, cut …) without a key.
    rehearsal: bool,
    /// Whether it writes when nobody chooses.
    is_default: bool,
}

impl From<llm::Model> for Model {
    fn from(model: llm::Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            description: model.description,
            roles: model.roles.into_iter().map(Into::into).collect(),
            context_tokens: model.abilities.context_tokens,
            thinks: model.abilities.thinks,
            rehearsal: model.rehearsal,
            is_default: false,
        }
    }
}

/// Queries on models.
#[derive(Default)]
pub(super) struct ModelQuery;

#[Object]
impl ModelQuery {
    /// The models this server can write with, the default first.
    async fn models(&self, ctx: &Context<'_>) -> Vec<Model> {
        let mut models: Vec<Model> = ctx.app().llm.models().into_iter().map(Model::from).collect();
        if let Some(first) = models.first_mut() {
            first.is_default = true;
        }
        models
    }
}
