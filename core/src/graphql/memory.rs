//! Memories in the graph: what came to mind, or would.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use skald_base::graph::{parse_id, parse_optional_id};

use super::{context::Graph, loaders::WordingKey, message::Message, turn::SpeakerInput};
use crate::{
    memory::{self, RecallWish, Recalled, Source},
    prompt::record::MemoryRecord,
};

/// What a memory is.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "memory::MemoryKind")]
enum MemoryKind {
    /// A passage of the story: a message, or a part of a long one.
    Episode,
}

/// Of which part of a path something should come to mind.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "memory::RecallScope")]
enum RecallScope {
    /// What stands above the messages that the prompt of the next reply shows: what a turn
    /// recalls. Nothing, as long as the whole story fits into the prompt.
    BeforeWindow,
    /// The whole path, down to the message named by `at`: for looking something up, and for
    /// measuring recall.
    Path,
}

/// Something that came to mind, or would.
pub(super) struct RecalledMemory {
    /// What it is and how it came, its text apart.
    record: MemoryRecord,
    text: String,
}

/// Something that came to mind, or would.
#[Object]
impl RecalledMemory {
    /// What was told, word for word as it was then; of a long message a passage of at most about
    /// 1,500 characters.
    async fn text(&self) -> &str {
        &self.text
    }

    /// What it is.
    async fn kind(&self) -> MemoryKind {
        self.record.source.kind().into()
    }

    /// The message that tells it, as it is now.
    async fn anchor(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        let Source::Episode { message, .. } = self.record.source;
        let found = ctx.loaders().load(message).await;
        found.map(|row| row.map(Message)).map_err(Into::into).transpose()
    }

    /// How strongly it came to mind, compared with the others of the same answer: about 1 for the
    /// best words alone, at most about 2.
    async fn score(&self) -> f64 {
        self.record.score
    }

    /// Its rank by words alone, from 1; null if it shares none with what was asked, itself or by
    /// what stands beside it.
    async fn lexical_rank(&self) -> Option<i32> {
        self.record.lexical_rank.and_then(|rank| i32::try_from(rank).ok())
    }

    /// Its rank by meaning alone, from 1; null as long as the server has no model for meanings.
    async fn dense_rank(&self) -> Option<i32> {
        None
    }

    /// Whether it went into the prompt, or would.
    async fn included(&self) -> bool {
        self.record.included
    }

    /// Why it came to mind, and why it did not go in if so: an English sentence for people.
    async fn reason(&self) -> &str {
        &self.record.reason
    }
}

impl From<Recalled> for RecalledMemory {
    fn from(recalled: Recalled) -> Self {
        Self { record: MemoryRecord::of(&recalled), text: recalled.text }
    }
}

/// What is stored of memories, with their texts; what was erased since is left out.
pub(super) async fn stored(
    ctx: &Context<'_>,
    records: &[MemoryRecord],
) -> Result<Vec<RecalledMemory>> {
    let key = |record: &MemoryRecord| {
        let Source::Episode { message, revision, .. } = record.source;
        WordingKey { message, revision }
    };
    let keys: Vec<WordingKey> = records.iter().map(key).collect();
    let told = ctx.loaders().load_each(&keys).await?;
    let memory = |record: &MemoryRecord| {
        let Source::Episode { start, end, .. } = record.source;
        let text = told.get(&key(record))?.get(start..end)?.trim().to_owned();
        Some(RecalledMemory { record: record.clone(), text })
    };
    Ok(records.iter().filter_map(memory).collect())
}

/// What to try memory with.
#[derive(InputObject)]
struct RecallPreviewInput {
    /// The session.
    session_id: ID,
    /// The message of whose path something should come to mind; the head if absent.
    at: Option<ID>,
    /// What the player would say below it. Absent, the last message asks, and neither it nor the
    /// one before it comes to mind.
    text: Option<String>,
    /// What was said before it: its words count too, all together half as much. The message
    /// before if absent; an empty text for none.
    context: Option<String>,
    /// Who would answer: whom "you" means. Who spoke last if absent.
    speaker: Option<SpeakerInput>,
    /// Of which part of the path; `BEFORE_WINDOW` if absent.
    scope: Option<RecallScope>,
    /// How many memories at most, from 1 to 100; 20 if absent.
    first: Option<i32>,
}

/// Queries on memory.
#[derive(Default)]
pub(super) struct MemoryQuery;

#[Object]
impl MemoryQuery {
    /// What would come to mind if you sent this now, strongest first; nothing is sent and nothing
    /// is stored.
    ///
    /// At most the 20,000 messages that are nearest to the end of the path take part; hidden and
    /// deleted ones, and those of other branches, never do. `included` says what would fit into
    /// the share of the prompt that memories have.
    #[graphql(complexity = "100 + 20 * child_complexity")]
    async fn recall_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to try.")] input: RecallPreviewInput,
    ) -> Result<Vec<RecalledMemory>> {
        let wish = RecallWish {
            session_id: parse_id("input.sessionId", &input.session_id)?,
            at: parse_optional_id("input.at", input.at.as_ref())?,
            text: input.text,
            context: input.context,
            speaker: input.speaker.map(SpeakerInput::parse).transpose()?,
            scope: input.scope.unwrap_or(RecallScope::BeforeWindow).into(),
            first: input.first,
        };
        let recalled = memory::preview(ctx.app(), ctx.viewer(), wish).await?;
        Ok(recalled.into_iter().map(Into::into).collect())
    }
}
