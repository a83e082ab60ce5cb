//! Hits of a search in the graph.

use std::ops::Range;

use async_graphql::{Context, Object, Result, SimpleObject};
use skald_base::graph::PageArguments;

use super::{
    connection::{Page, page, total},
    context::Graph,
    loaders::SharedKey,
    message::Message,
};
use crate::{
    search::{Hit, Search},
    session::Session,
    tree::MessageId,
};

/// A message that holds what you looked for.
pub(super) struct SearchHit {
    hit: Hit,
    /// Of the session, when it was read.
    head: Option<MessageId>,
}

/// A piece of a text, in UTF-16 code units, as `text.slice(start, end)` of JavaScript counts.
#[derive(SimpleObject)]
struct TextRange {
    /// Where it begins.
    start: i32,
    /// Where it ends: the first unit that is no part of it.
    end: i32,
}

impl SearchHit {
    /// The last message it shares with the active path: itself, if it is on it.
    async fn shared(&self, ctx: &Context<'_>) -> Result<Option<MessageId>> {
        let Some(head) = self.head else { return Ok(None) };
        let key = SharedKey { head, message: self.hit.message.id };
        Ok(ctx.loaders().load(key).await?)
    }
}

/// A message that holds what you looked for.
#[Object]
impl SearchHit {
    /// The message.
    async fn message(&self) -> Message {
        Message(self.hit.message.clone())
    }

    /// The piece of its text that holds most of what you looked for: 240 characters at most, white
    /// space folded, `…` where something is left out.
    async fn snippet(&self) -> &str {
        &self.hit.snippet.text
    }

    /// What was found, as pieces of `snippet`, in order; none lies over another. Whole words, even
    /// where you typed the beginning of one.
    async fn highlights(&self) -> Vec<TextRange> {
        let unit = |unit: usize| i32::try_from(unit).unwrap_or(i32::MAX);
        let range =
            |range: &Range<usize>| TextRange { start: unit(range.start), end: unit(range.end) };
        self.hit.snippet.highlights.iter().map(range).collect()
    }

    /// Whether it is on the path to the session's head. If not, `selectMessage` leads there.
    async fn on_active_path(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.shared(ctx).await? == Some(self.hit.message.id))
    }

    /// The last message it shares with the active path. Null if it is on that path itself, or
    /// shares nothing with it because it has another root.
    async fn branches_off(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        let shared = self.shared(ctx).await?.filter(|shared| *shared != self.hit.message.id);
        let Some(shared) = shared else { return Ok(None) };
        Ok(ctx.loaders().load(shared).await?.map(Message))
    }
}

/// The hits of a search in a session that the viewer may read.
pub(super) async fn search_page(
    ctx: &Context<'_>,
    session: &Session,
    text: &str,
    request: PageArguments,
) -> Result<Page<SearchHit>> {
    let search = Search::new(session.id, text)?;
    let mut slice = search.page(ctx.app(), &request.check_forward()?).await?;
    if is_explained(ctx) {
        slice = search.explain(ctx.app(), slice).await?;
    }
    let total = total(ctx, search.count(ctx.app())).await?;
    let head = session.head_id;
    let slice = slice.map(|hit| SearchHit { hit, head });
    Ok(page(slice, total, |found| found.hit.number.to_string()))
}

/// Whether the client wants to know why texts were found.
fn is_explained(ctx: &Context<'_>) -> bool {
    let field = ctx.look_ahead();
    [field.field("nodes"), field.field("edges").field("node")]
        .iter()
        .any(|hit| hit.field("snippet").exists() || hit.field("highlights").exists())
}
