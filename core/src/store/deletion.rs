//! SQL on deletions: subtrees that go, and come back as they were.

use chrono::{DateTime, Utc};
use skald_base::{Result, Tx, db::Source};
use uuid::Uuid;

use super::message::columns;
use crate::{
    session::SessionId,
    tree::{Message, MessageId},
};

/// Marks a message and everything living below it as deleted.
pub(crate) async fn delete_subtree(
    tx: &mut Tx,
    root: MessageId,
    deletion: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "
        UPDATE message
        SET deleted_at = $2, deletion_id = $3
        WHERE deleted_at IS NULL AND id IN (
            WITH RECURSIVE down (id) AS (
                SELECT id FROM message WHERE id = $1
                UNION ALL
                SELECT m.id FROM down JOIN message m ON m.parent_id = down.id
            )
            SELECT id FROM down)";
    tx.query(SQL).bind(root).bind(now).bind(deletion).execute().await?;
    Ok(())
}

/// Undoes one deletion, and only that one.
pub(crate) async fn restore(tx: &mut Tx, session: SessionId, deletion: Uuid) -> Result<()> {
    const SQL: &str = "
        UPDATE message SET deleted_at = NULL, deletion_id = NULL
        WHERE session_id = $1 AND deletion_id = $2";
    tx.query(SQL).bind(session).bind(deletion).execute().await?;
    Ok(())
}

/// A message and everything below it, deleted ones left out; parents before children.
pub(crate) async fn living_below(
    source: &mut impl Source,
    root: MessageId,
    limit: i64,
) -> Result<Vec<Message>> {
    const SQL: &str = concat!(
        "WITH RECURSIVE down (id) AS (
             SELECT id FROM message WHERE id = $1 AND deleted_at IS NULL
             UNION ALL
             SELECT m.id FROM down JOIN message m ON m.parent_id = down.id
             WHERE m.deleted_at IS NULL
         )
         SELECT ",
        columns!(),
        " FROM down JOIN message m ON m.id = down.id ORDER BY m.depth, m.id LIMIT $2"
    );
    Ok(source.sql(SQL).bind(root).bind(limit).all().await?)
}

/// The topmost message that one deletion took.
pub(crate) async fn deletion_root(
    tx: &mut Tx,
    session: SessionId,
    deletion: Uuid,
) -> Result<Message> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM message m WHERE m.session_id = $1 AND m.deletion_id = $2 ORDER BY m.depth LIMIT 1"
    );
    Ok(tx.query(SQL).bind(session).bind(deletion).one().await?)
}
