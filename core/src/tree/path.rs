//! Reading a path: the messages from the root to a leaf, a window at a time.

use skald_base::{
    Error, Result,
    graph::{Page, PageEnd, Slice},
};

use super::{Message, MessageId};
use crate::{app::App, session::SessionId, store};

/// A window of the path to `leaf`. Cursors are message ids.
///
/// Which depths it covers is arithmetic; finding them is O(log depth) and the
/// read is one walk as long as the window, wherever it lies.
pub async fn window(
    app: &App,
    session: SessionId,
    leaf: MessageId,
    page: &Page,
) -> Result<Slice<Message>> {
    let mut reader = app.db.reader();
    let found = store::message::find(&mut reader, leaf).await?;
    let found = found.filter(|message| message.session_id == session);
    let leaf = found.ok_or_else(|| Error::not_found("message").at("leaf"))?;
    let above = |depth: Option<i64>, otherwise| depth.map_or(otherwise, |depth| depth + 1);
    let after = depth_on_path(app, &leaf, "after", page.after.as_deref()).await?;
    let before = depth_on_path(app, &leaf, "before", page.before.as_deref()).await?;
    let (low, high) = (above(after, 0), before.map_or(leaf.depth, |depth| depth - 1));
    let size = i64::try_from(page.size).unwrap_or(i64::MAX);
    let (from, to) = match page.end {
        PageEnd::Front => (low, high.min(low + size - 1)),
        PageEnd::Back => (low.max(high - size + 1), high),
    };
    if from > to {
        let (has_previous, has_next) = (low > 0, high < leaf.depth);
        return Ok(Slice { rows: Vec::new(), has_previous, has_next });
    }
    let last = store::message::ancestor_at(&mut reader, leaf.id, to).await?.unwrap_or(leaf.id);
    let steps = store::message::path_up(&mut reader, &[last], to - from + 1).await?;
    let rows = steps.into_iter().map(|step| step.message).collect();
    Ok(Slice { rows, has_previous: from > 0, has_next: to < leaf.depth })
}

/// The depth of a cursor's message, which must be on the path to `leaf`.
async fn depth_on_path(
    app: &App,
    leaf: &Message,
    name: &str,
    cursor: Option<&str>,
) -> Result<Option<i64>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let elsewhere = || Error::invalid(name, "not a message of this path");
    let id: MessageId = cursor.parse().map_err(|_| elsewhere())?;
    let mut reader = app.db.reader();
    let place = store::message::find_place(&mut reader, id).await?.ok_or_else(elsewhere)?;
    if place.depth > leaf.depth
        || store::message::ancestor_at(&mut reader, leaf.id, place.depth).await? != Some(id)
    {
        return Err(elsewhere());
    }
    Ok(Some(place.depth))
}
