//! SQL on branch tips: the leaves a player has visited.

use chrono::{DateTime, Utc};
use skald_base::{Result, Tx};

use crate::{
    session::SessionId,
    tree::{Message, MessageId},
};

/// Visits a leaf. Its parent is no leaf any more, so its tip moves along.
pub(crate) async fn visit(
    tx: &mut Tx,
    session: SessionId,
    leaf: MessageId,
    now: DateTime<Utc>,
) -> Result<()> {
    const MOVE: &str = "
        DELETE FROM branch_tip
        WHERE session_id = $1 AND leaf_id = (SELECT parent_id FROM message WHERE id = $2)";
    const VISIT: &str = "
        INSERT INTO branch_tip (session_id, leaf_id, visited_at)
        VALUES ($1, $2, $3)
        ON CONFLICT (session_id, leaf_id) DO UPDATE SET visited_at = excluded.visited_at";
    tx.query(MOVE).bind(session).bind(leaf).execute().await?;
    tx.query(VISIT).bind(session).bind(leaf).bind(now).execute().await?;
    Ok(())
}

/// Forgets a leaf that is one no more.
pub(crate) async fn leave(tx: &mut Tx, session: SessionId, leaf: MessageId) -> Result<()> {
    const SQL: &str = "DELETE FROM branch_tip WHERE session_id = $1 AND leaf_id = $2";
    tx.query(SQL).bind(session).bind(leaf).execute().await?;
    Ok(())
}

/// The living leaf of a session that was visited last.
pub(crate) async fn newest(tx: &mut Tx, session: SessionId) -> Result<Option<MessageId>> {
    const SQL: &str = "
        SELECT t.leaf_id
        FROM branch_tip t
        JOIN message m ON m.id = t.leaf_id
        WHERE t.session_id = $1 AND m.deleted_at IS NULL
        ORDER BY t.visited_at DESC, t.leaf_id DESC
        LIMIT 1";
    let row: Option<(MessageId,)> = tx.query(SQL).bind(session).optional().await?;
    Ok(row.map(|(id,)| id))
}

/// The living leaf below (or at) a message that was visited last.
pub(crate) async fn newest_below(tx: &mut Tx, message: &Message) -> Result<Option<MessageId>> {
    const SQL: &str = "
        WITH RECURSIVE walk (leaf_id, visited_at, id, parent_id, depth, jump_id, jump_depth) AS (
            SELECT t.leaf_id, t.visited_at, m.id, m.parent_id, m.depth, m.jump_id, m.jump_depth
            FROM branch_tip t
            JOIN message m ON m.id = t.leaf_id
            WHERE t.session_id = $1 AND m.deleted_at IS NULL AND m.depth >= $2
            UNION ALL
            SELECT w.leaf_id, w.visited_at, m.id, m.parent_id, m.depth, m.jump_id, m.jump_depth
            FROM walk w
            JOIN message m
                ON m.id = CASE WHEN w.jump_depth >= $2 THEN w.jump_id ELSE w.parent_id END
            WHERE w.depth > $2
        )
        SELECT leaf_id FROM walk WHERE id = $3 ORDER BY visited_at DESC, leaf_id DESC LIMIT 1";
    let query = tx.query(SQL).bind(message.session_id).bind(message.depth).bind(message.id);
    let row: Option<(MessageId,)> = query.optional().await?;
    Ok(row.map(|(id,)| id))
}
