//! Former texts of messages in the graph.

use async_graphql::{Context, Result, SimpleObject};
use chrono::{DateTime, Utc};
use skald_base::{Error, graph::PageArguments};

use super::{
    connection::{Page, page},
    context::Graph,
};
use crate::{store, tree};

/// A former text of a message that was edited in place.
#[derive(SimpleObject)]
pub(super) struct MessageRevision {
    /// Which one, counted from 1.
    revision: i64,
    /// What it said.
    content: String,
    /// When it was written.
    created_at: DateTime<Utc>,
}

/// A page of what a message said before; the cursor is the revision's number.
pub(super) async fn revision_page(
    ctx: &Context<'_>,
    message: &tree::Message,
    arguments: PageArguments,
) -> Result<Page<MessageRevision>> {
    let request = arguments.check_forward()?;
    let wrong = |_| Error::invalid("after", "not a cursor of this list");
    let after = request.after.as_deref().map(|text| text.parse::<i64>().map_err(wrong));
    let after = after.transpose()?.unwrap_or_default();
    let rows = match message.revision {
        // Nearly all messages: nothing to ask for.
        1 => Vec::new(),
        _ => store::revision::revisions(&ctx.app().db, message.id, after, request.limit()).await?,
    };
    let slice = request.cut(rows).map(|row| MessageRevision {
        revision: row.revision,
        content: row.content,
        created_at: row.created_at,
    });
    Ok(page(slice, Some(message.revision - 1), |row| row.revision.to_string()))
}
