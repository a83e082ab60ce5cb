//! Embedding: texts as vectors, so that what means the same is near though it shares no word.
//!
//! Vectors are kept beside what they belong to: a scope (a session, character, persona or
//! lorebook) has its texts' vectors, found by the SHA-256 of the text that was embedded. So an
//! edit makes a new one, and what is missing is seen from what there is. Without a model of the
//! role `EMBEDDING`, or while it cannot be reached, memories are found by their words alone.
//!
//! | module | what it holds |
//! |---|---|
//! | `text` | what is embedded of a text, and by what it is found |
//! | `rest` | when a model that fails is left alone |
//! | `ask` | the model is asked: for a query soon or not at all, for texts until it answers |
//! | `vectors`, `cache` | the vectors of a scope in memory, and of those asked lately within a bound |
//! | `look` | how near the texts of a scope are to a query |
//! | `fill` | what is missing is embedded in the background |

mod ask;
mod cache;
pub(crate) mod fill;
mod look;
mod rest;
mod text;
mod vectors;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use skald_base::Id;
use uuid::Uuid;

pub(crate) use self::look::{Sight, look};
pub use self::{ask::Asking, cache::Cache, fill::Queue, text::TextHash, vectors::Vectors};
use crate::recall::Weights;

/// How vectors are used and kept. What fits depends on the model: these were measured with
/// `all-MiniLM-L6-v2`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingSettings {
    /// Percent that meaning counts in what comes to mind; the rest is for words. Default 50.
    pub meaning_percent: u32,
    /// Percent of meaning that what stands around a passage has; the rest is its own. Default 50.
    pub around_percent: u32,
    /// Milliseconds that a turn waits for the vector of its question; then words alone decide.
    /// Default 5000.
    pub patience_ms: u32,
    /// Bytes of memory for the vectors of stories that were played lately: 20,000 of 768 numbers
    /// take 60 MiB. What does not fit is read from the database in each turn. Default 268435456
    /// (256 MiB).
    pub cache_bytes: usize,
}

/// What owns texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope(Uuid);

/// Vectors that can be compared: those of one model, of one length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    /// The model's id on the graph.
    pub(crate) model: String,
    /// How many numbers a vector has.
    pub(crate) dimensions: usize,
}

/// What the engine has of all this.
#[derive(Debug)]
pub struct Embedding {
    /// How vectors are used and kept.
    pub settings: EmbeddingSettings,
    pub(crate) asking: Asking,
    pub(crate) cache: Cache,
    pub(crate) queue: Queue,
}

impl Default for EmbeddingSettings {
    fn default() -> Self {
        Self {
            meaning_percent: 50,
            around_percent: 50,
            patience_ms: 5000,
            cache_bytes: 256 * 1024 * 1024,
        }
    }
}

impl EmbeddingSettings {
    /// How much vectors count.
    pub fn weights(&self) -> Weights {
        let part = |percent: u32| f64::from(percent.min(100)) / 100.0;
        Weights { meaning: part(self.meaning_percent), around: part(self.around_percent) }
    }
}

impl Scope {
    /// A session, character, persona or lorebook.
    pub(crate) fn of<K>(owner: Id<K>) -> Self {
        Self(owner.uuid())
    }

    /// As SQL has it.
    pub(crate) fn uuid(self) -> Uuid {
        self.0
    }

    /// From SQL.
    pub(crate) fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl Embedding {
    /// Nothing in memory yet.
    pub fn new(settings: EmbeddingSettings) -> Self {
        let cache = Cache::new(settings.cache_bytes);
        Self { settings, asking: Asking::default(), cache, queue: Queue::default() }
    }
}
