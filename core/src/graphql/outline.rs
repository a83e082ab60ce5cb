//! A session at a glance: the outline of its tree, and its figures.

use async_graphql::{
    Context, ID, InputType, Object, Result, SimpleObject, Value, connection::PageInfo,
};
use skald_base::graph::{Slice, time_cursor};

use super::{
    connection::total,
    context::Graph,
    generation::TokenUsage,
    leaves::{Leaf, Leaves},
    loaders::{StatsKey, UsageKey},
    message::{MessageRole, MessageStatus},
    usage::{Money, known_cost, tokens},
};
use crate::{
    session::SessionId,
    store,
    tree::outline::{self, MAX_OUTLINE, TreeStats},
    usage::ModelSum,
};

/// A page of a session's tree in light nodes, for a tree view.
#[derive(SimpleObject)]
pub(super) struct Outline {
    /// The nodes, in order of creation, parents before children.
    nodes: Leaves<OutlineNode>,
    /// What lies beyond the page.
    page_info: PageInfo,
    /// How many messages the session has. Ask for it only if you show it: it costs a count.
    total_count: Option<i64>,
}

/// A message as a tree view needs it; read the rest with `message(id:)`.
#[derive(SimpleObject)]
pub(super) struct OutlineNode {
    /// The id of the message.
    message_id: ID,
    /// The id of the message it follows; null at a root.
    parent_id: Option<ID>,
    /// What it is in the story.
    role: MessageRole,
    /// How far the writing has come.
    status: MessageStatus,
    /// The first 120 characters of the text, white space folded; of a text
    /// that is being written, as it was last saved (within 250 ms).
    excerpt: String,
    /// The name under which it is kept; null if it is not.
    bookmark: Option<String>,
}

impl From<outline::OutlineNode> for OutlineNode {
    fn from(node: outline::OutlineNode) -> Self {
        Self {
            message_id: node.id.into(),
            parent_id: node.parent_id.map(ID::from),
            role: node.role.into(),
            status: node.status.into(),
            excerpt: node.excerpt,
            bookmark: node.bookmark,
        }
    }
}

impl Leaf for OutlineNode {
    fn leaf(&self, field: &str) -> Option<Value> {
        Some(match field {
            "messageId" => self.message_id.to_value(),
            "parentId" => self.parent_id.to_value(),
            "role" => self.role.to_value(),
            "status" => self.status.to_value(),
            "excerpt" => self.excerpt.to_value(),
            "bookmark" => self.bookmark.to_value(),
            _ => return None,
        })
    }
}

/// What a page costs in complexity: a hundred light nodes count as one, a count as ten fields.
pub(super) fn outline_cost(first: Option<i32>, child: usize) -> usize {
    let size = first.and_then(|size| usize::try_from(size).ok()).unwrap_or(MAX_OUTLINE);
    10 + size.min(MAX_OUTLINE).div_ceil(100) * child
}

/// A page of this session's outline.
pub(super) async fn read(
    ctx: &Context<'_>,
    session: SessionId,
    first: Option<i32>,
    after: Option<String>,
) -> Result<Outline> {
    let page = outline::check(first, after)?;
    let total_count = total(ctx, store::message::count(&ctx.app().db, session)).await?;
    let slice = outline::outline(ctx.app(), session, &page).await?;
    let Slice { rows, has_previous, has_next } = slice;
    let cursor = |node: &outline::OutlineNode| time_cursor(node.created_at, node.id);
    let page_info = PageInfo {
        has_previous_page: has_previous,
        has_next_page: has_next,
        start_cursor: rows.first().map(cursor),
        end_cursor: rows.last().map(cursor),
    };
    Ok(Outline {
        nodes: Leaves(rows.into_iter().map(Into::into).collect()),
        page_info,
        total_count,
    })
}

/// The figures of a session; deleted messages do not count.
pub(super) struct SessionStats(pub(super) SessionId);

impl SessionStats {
    async fn tree(&self, ctx: &Context<'_>) -> Result<TreeStats> {
        Ok(ctx.loaders().load(StatsKey(self.0)).await?.unwrap_or_default())
    }

    async fn sums(&self, ctx: &Context<'_>) -> Result<Vec<ModelSum>> {
        Ok(ctx.loaders().load(UsageKey(self.0)).await?.unwrap_or_default())
    }
}

/// The figures of a session; deleted messages do not count.
#[Object]
impl SessionStats {
    /// How many messages the tree has.
    async fn messages(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(self.tree(ctx).await?.messages)
    }

    /// How many paths lead through the tree: its leaves.
    async fn branches(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(self.tree(ctx).await?.branches)
    }

    /// How long all texts are together, in Unicode characters.
    async fn characters(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(self.tree(ctx).await?.characters)
    }

    /// The tokens of all calls of models, those for deleted messages too.
    async fn tokens(&self, ctx: &Context<'_>) -> Result<TokenUsage> {
        Ok(tokens(&self.sums(ctx).await?))
    }

    /// What the calls cost whose price is known; null if none is. `Session.usage` says more.
    async fn cost(&self, ctx: &Context<'_>) -> Result<Option<Money>> {
        Ok(known_cost(&self.sums(ctx).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::outline_cost;

    #[test]
    fn a_whole_page_passes_the_usual_limit() {
        // Everything that an outline has is twelve fields; the usual limit is 5,000.
        assert_eq!(outline_cost(None, 12), 610);
        assert_eq!(outline_cost(Some(100), 12), 22);
        assert_eq!(outline_cost(Some(0), 12), 10);
        assert!(outline_cost(Some(i32::MAX), 90) < 5_000);
    }
}
