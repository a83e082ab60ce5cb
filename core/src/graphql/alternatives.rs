//! Siblings in the graph: what a client shows as swipes.

use async_graphql::{Context, ID, Object, Result};
use skald_base::id::format_any;
use uuid::Uuid;

use super::{
    connection::{Page, cost, forward, page, slice_ids},
    context::Graph,
    message::Message,
};
use crate::{
    session::SessionId,
    tree::{AlternativesKey, Below, MessageId, Side},
};

/// All messages in one place of the tree: below the same parent, on the same side.
///
/// One entity for all of them, so that a cache has one counter to update.
pub(super) struct Alternatives(pub(super) AlternativesKey);

/// Ids in `Alternatives.messageIds` at most.
const MAX_IDS: usize = 1000;

const PLAYER_ALTERNATIVES: &str = "alternatives_player";
const STORY_ALTERNATIVES: &str = "alternatives_story";

impl Alternatives {
    /// Whether ids with this prefix name alternatives.
    pub(super) fn is_prefix(prefix: &str) -> bool {
        [PLAYER_ALTERNATIVES, STORY_ALTERNATIVES].contains(&prefix)
    }

    /// The alternatives with this id, if the viewer may read what they hang on.
    pub(super) async fn find(ctx: &Context<'_>, prefix: &str, uuid: Uuid) -> Result<Option<Self>> {
        let side = match prefix {
            PLAYER_ALTERNATIVES => Side::Player,
            STORY_ALTERNATIVES => Side::Story,
            _ => return Ok(None),
        };
        let (message, session) = (MessageId::from_uuid(uuid), SessionId::from_uuid(uuid));
        let below = if ctx.loaders().load(message).await?.is_some() {
            Below::Message(message)
        } else if ctx.loaders().load(session).await?.is_some() {
            Below::Session(session)
        } else {
            return Ok(None);
        };
        Ok(Some(Self(AlternativesKey { below, side })))
    }
}

/// All messages in one place of the tree: below the same parent, on the same side.
///
/// One entity for all of them, so that a cache has one counter to update.
#[Object]
impl Alternatives {
    /// The id, which all alternatives share.
    pub(super) async fn id(&self) -> ID {
        let prefix = match self.0.side {
            Side::Player => PLAYER_ALTERNATIVES,
            Side::Story => STORY_ALTERNATIVES,
        };
        let uuid = match self.0.below {
            Below::Message(id) => id.uuid(),
            Below::Session(id) => id.uuid(),
        };
        ID(format_any(prefix, uuid))
    }

    /// How many there are; at least 1.
    async fn count(&self, ctx: &Context<'_>) -> Result<i32> {
        let ids = ctx.loaders().load(self.0).await?.unwrap_or_default();
        Ok(i32::try_from(ids.len()).unwrap_or(i32::MAX))
    }

    /// Their ids, in order of creation; the first 1,000. If `count` says that there are more, the
    /// rest come with `messages`. Counts as ten fields in the complexity of a query.
    #[graphql(complexity = 10)]
    async fn message_ids(&self, ctx: &Context<'_>) -> Result<Vec<ID>> {
        let ids = ctx.loaders().load(self.0).await?.unwrap_or_default();
        Ok(ids.into_iter().take(MAX_IDS).map(ID::from).collect())
    }

    /// The messages themselves, in order of creation; 20 a page unless told
    /// otherwise, 100 at most.
    #[graphql(complexity = "cost(first, None, child_complexity)")]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Message>> {
        let ids = ctx.loaders().load(self.0).await?.unwrap_or_default();
        message_page(ctx, &ids, first, after).await
    }
}

/// A page of messages that are known by id.
pub(super) async fn message_page(
    ctx: &Context<'_>,
    ids: &[MessageId],
    first: Option<i32>,
    after: Option<String>,
) -> Result<Page<Message>> {
    let request = forward(first, after).check_forward()?;
    let slice = slice_ids(ids, &request)?;
    let rows = ctx.loaders().load_all(&slice.rows).await?;
    let slice = skald_base::graph::Slice {
        rows: rows.into_iter().map(Message).collect(),
        has_previous: slice.has_previous,
        has_next: slice.has_next,
    };
    let total = i64::try_from(ids.len()).ok();
    Ok(page(slice, total, |message| message.0.id.to_string()))
}
