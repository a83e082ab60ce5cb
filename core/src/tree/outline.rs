//! A tree at a glance: light nodes by the thousand, and what they add up to.

use chrono::{DateTime, Utc};
use skald_base::{
    Error, Result,
    graph::{Page, PageEnd, Slice, parse_time_cursor},
};

use super::{MessageId, MessageRole, MessageStatus};
use crate::{app::App, session::SessionId, store};

/// Nodes on a page at most, and unless told otherwise.
pub const MAX_OUTLINE: usize = 5000;

/// Characters of an excerpt at most.
const EXCERPT: usize = 120;

/// A message as a tree view needs it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the graph documents each field")]
pub struct OutlineNode {
    pub id: MessageId,
    pub parent_id: Option<MessageId>,
    pub role: MessageRole,
    pub status: MessageStatus,
    pub created_at: DateTime<Utc>,
    pub excerpt: String,
}

/// What the living messages of a session add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct TreeStats {
    /// How many there are.
    pub messages: i64,
    /// How many of them are leaves.
    pub branches: i64,
    /// Unicode characters of all texts.
    pub characters: i64,
}

/// Checks a request for a page of the outline.
pub fn check(first: Option<i32>, after: Option<String>) -> Result<Page> {
    let size = usize::try_from(first.unwrap_or(i32::MAX)).ok();
    let size = if first.is_none() { Some(MAX_OUTLINE) } else { size };
    let size = size.filter(|size| *size <= MAX_OUTLINE).ok_or_else(|| {
        Error::invalid("first", format!("first must be between 0 and {MAX_OUTLINE}"))
    })?;
    Ok(Page { size, end: PageEnd::Front, after, before: None })
}

/// The living messages of a session in order of creation, with the beginnings of their texts.
pub async fn outline(app: &App, session: SessionId, page: &Page) -> Result<Slice<OutlineNode>> {
    let after = page.after.as_deref().map(|text| parse_time_cursor("after", text)).transpose()?;
    let rows = store::outline::page(&app.db, session, after, page.limit()).await?;
    Ok(page.cut(rows).map(trim))
}

/// A node as it is shown: with its white space folded.
fn trim(mut node: OutlineNode) -> OutlineNode {
    let words: Vec<&str> = node.excerpt.split_whitespace().collect();
    node.excerpt = words.join(" ").chars().take(EXCERPT).collect();
    node
}
