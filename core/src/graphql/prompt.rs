//! Prompts in the graph: what a model was told, or would be.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use skald_base::graph::{parse_id, parse_optional_id};

use super::{
    context::Graph,
    loaders::BlocksKey,
    memory::{self, RecalledMemory},
    node::{self, Node},
    turn::SpeakerInput,
};
use crate::{
    prompt::{
        self, Block, BlockSource, Dropped,
        record::{PlanBody, PlanRecord},
    },
    turn::{self, Preview},
};

/// What a block of a prompt says.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "prompt::BlockKind")]
enum PromptBlockKind {
    /// How to write: the server's own text, with the session's style.
    System,
    /// What the character's creator wants of the model.
    CharacterSystem,
    /// Who a character on stage is.
    Character,
    /// Who the player is.
    Persona,
    /// How a character on stage talks.
    Examples,
    /// A word of the player's, where the conversation would begin with the model's.
    Opening,
    /// A message of the path.
    History,
    /// A passage of the story above the history that came to mind (`memories`), or the word
    /// before the first of them.
    Memory,
    /// What the character's creator wants said last.
    PostHistory,
    /// Who speaks now, or what is to be narrated.
    Direction,
    /// What was asked of this reply alone.
    Instruction,
    /// What is written of this reply already: the text of the one it goes on from.
    Beginning,
}

/// In whose mouth a block is put.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "prompt::PromptRole")]
enum PromptRole {
    /// Nobody's: the standing instructions.
    System,
    /// The player's.
    User,
    /// The model's.
    Model,
}

/// Why a block did not go in.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "prompt::DropReason")]
enum DropReason {
    /// It takes more room than its kind may have.
    TooLarge,
    /// What is more important took the room.
    OutOfRoom,
    /// You hid it from models (`hideMessage`); only what stands below the first message that
    /// did go in is counted.
    Hidden,
}

/// Blocks of one kind that did not go in.
#[derive(SimpleObject)]
struct DroppedBlock {
    /// What they say.
    kind: PromptBlockKind,
    /// How many they are.
    count: i64,
    /// Their estimated size, as far as they were read; old messages may not have been.
    tokens: u32,
    /// Why they did not go in.
    reason: DropReason,
}

/// What a model was told, or would be: blocks in the order in which they are sent.
pub(super) struct PromptPlan(Source);

enum Source {
    Stored(Box<PlanRecord>),
    Preview(Box<Preview>),
}

/// A piece of a prompt.
struct PromptBlock(Block);

/// What a model was told, or would be: blocks in the order in which they are sent.
#[Object]
impl PromptPlan {
    /// The model it was made for.
    async fn model(&self) -> &str {
        match &self.0 {
            Source::Stored(record) => &record.plan.0.model,
            Source::Preview(preview) => &preview.model,
        }
    }

    /// The blocks, in the order in which they are sent; up to about 1,000.
    #[graphql(complexity = "50 + 200 * child_complexity")]
    async fn blocks(&self, ctx: &Context<'_>) -> Result<Vec<PromptBlock>> {
        let blocks = match &self.0 {
            Source::Stored(record) => stored_blocks(ctx, record).await?,
            Source::Preview(preview) => preview.plan.blocks.clone(),
        };
        Ok(blocks.into_iter().map(PromptBlock).collect())
    }

    /// The estimated size of all blocks, in tokens. What the provider counted is in
    /// `generation.usage.prompt`.
    async fn tokens(&self) -> u32 {
        match &self.0 {
            Source::Stored(record) => record.plan.0.tokens,
            Source::Preview(preview) => preview.plan.tokens,
        }
    }

    /// How many tokens it could have had, the reply's share taken off.
    async fn budget(&self) -> u32 {
        match &self.0 {
            Source::Stored(record) => record.plan.0.budget(),
            Source::Preview(preview) => preview.plan.budget.prompt(),
        }
    }

    /// What did not go in, and why.
    async fn dropped(&self) -> Vec<DroppedBlock> {
        let dropped = match &self.0 {
            Source::Stored(record) => &record.plan.0.dropped,
            Source::Preview(preview) => &preview.plan.dropped,
        };
        dropped.iter().map(DroppedBlock::from).collect()
    }

    /// What came to mind of the story above the history, strongest first: what went in, and about
    /// as much of what came next. Empty if the whole story fits into the prompt. What was erased
    /// since is left out.
    #[graphql(complexity = "20 + 24 * child_complexity")]
    async fn memories(&self, ctx: &Context<'_>) -> Result<Vec<RecalledMemory>> {
        match &self.0 {
            Source::Stored(record) => memory::stored(ctx, &record.plan.0.memories).await,
            Source::Preview(preview) => {
                Ok(preview.plan.memories.iter().cloned().map(Into::into).collect())
            }
        }
    }

    /// The body of the HTTP request to the model's provider, byte for byte as it was sent; it
    /// holds no key. Null if the model has no wire, as the offline storyteller.
    #[graphql(complexity = 100)]
    async fn request_body(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        match &self.0 {
            Source::Stored(record) => {
                let blocks = stored_blocks(ctx, record).await;
                blocks.map(|blocks| record.plan.0.body(&blocks)).transpose()
            }
            Source::Preview(preview) => preview.body.clone().map(Ok),
        }
    }
}

/// A piece of a prompt.
#[Object]
impl PromptBlock {
    /// What it says.
    async fn kind(&self) -> PromptBlockKind {
        self.0.kind.into()
    }

    /// In whose mouth it is put.
    async fn role(&self) -> PromptRole {
        self.0.role.into()
    }

    /// The text, as the model reads it.
    async fn text(&self) -> &str {
        &self.0.text
    }

    /// Its estimated size in tokens.
    async fn tokens(&self) -> u32 {
        self.0.tokens
    }

    /// The id of what it was made from; null if it is the server's own text or was asked of this
    /// reply alone.
    async fn source_id(&self) -> Option<ID> {
        self.0.source.map(|source| ID(source.id()))
    }

    /// What it was made from, as it is now; null if that is gone or not yours to see.
    async fn source(&self, ctx: &Context<'_>) -> Option<Result<Node>> {
        let id = ID(self.0.source.map(BlockSource::id)?);
        node::find(ctx, "sourceId", &id).await.transpose()
    }
}

async fn stored_blocks(ctx: &Context<'_>, record: &PlanRecord) -> Result<Vec<Block>> {
    let body: &PlanBody = &record.plan.0;
    let key = BlocksKey { session: record.session_id, blocks: body.blocks.clone() };
    let records = ctx.loaders().load(key).await?.unwrap_or_default();
    Ok(body.blocks(records))
}

impl From<PlanRecord> for PromptPlan {
    fn from(record: PlanRecord) -> Self {
        Self(Source::Stored(Box::new(record)))
    }
}

impl From<&Dropped> for DroppedBlock {
    fn from(dropped: &Dropped) -> Self {
        let Dropped { kind, count, tokens, reason } = *dropped;
        Self { kind: kind.into(), count, tokens, reason: reason.into() }
    }
}

/// What to preview: a turn as it could be sent.
#[derive(InputObject)]
struct PromptPreviewInput {
    /// The session.
    session_id: ID,
    /// The message to go on from; the head if absent.
    parent_id: Option<ID>,
    /// What you would send; absent, a reply to the parent is previewed.
    content: Option<String>,
    /// Who should speak; if absent, who spoke last.
    speaker: Option<SpeakerInput>,
    /// An instruction for this reply alone.
    instruction: Option<String>,
    /// The model to ask; the session's if absent.
    model_id: Option<String>,
}

/// Queries on prompts.
#[derive(Default)]
pub(super) struct PromptQuery;

#[Object]
impl PromptQuery {
    /// What a model would be told if you sent this now; nothing is sent and nothing is stored.
    ///
    /// If what must be there does not fit into the model's context, the error is
    /// `BAD_USER_INPUT` and names the largest part and its size.
    #[graphql(complexity = "100 + child_complexity")]
    async fn prompt_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The turn.")] input: PromptPreviewInput,
    ) -> Result<PromptPlan> {
        let wish = turn::PreviewWish {
            session_id: parse_id("input.sessionId", &input.session_id)?,
            parent_id: parse_optional_id("input.parentId", input.parent_id.as_ref())?,
            content: input.content,
            speaker: input.speaker.map(SpeakerInput::parse).transpose()?,
            instruction: input.instruction,
            model_id: input.model_id,
        };
        let preview = turn::preview(ctx.app(), ctx.viewer(), wish).await?;
        Ok(PromptPlan(Source::Preview(Box::new(preview))))
    }
}
