//! SQL on branch tips: the leaves a player has visited.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx};

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

/// For a `DataLoader`: of each message the living leaf below (or at) it that was visited last.
///
/// The leaves visited last are looked at first, since they answer for nearly everything that a
/// screen shows: all of a path for one. So it takes one statement, and three at most.
pub(crate) async fn newest_below_each(
    db: &Db,
    messages: &[MessageId],
) -> Result<HashMap<MessageId, MessageId>> {
    const SQL: &str = "
        WITH RECURSIVE wanted AS (
            SELECT id, session_id, depth FROM message WHERE id IN (..)
        ), tip AS (
            SELECT t.session_id, t.leaf_id, row_number() OVER (
                PARTITION BY t.session_id ORDER BY t.visited_at DESC, t.leaf_id DESC) AS place
            FROM branch_tip t
            JOIN message m ON m.id = t.leaf_id
            WHERE m.deleted_at IS NULL AND t.session_id IN (SELECT session_id FROM wanted)
        ), walk (wanted_id, target, leaf_id, place, id, parent_id, depth, jump_id, jump_depth) AS (
            SELECT w.id, w.depth, t.leaf_id, t.place, m.id, m.parent_id, m.depth, m.jump_id,
                m.jump_depth
            FROM wanted w
            JOIN tip t ON t.session_id = w.session_id AND t.place > $1 AND t.place <= $2
            JOIN message m ON m.id = t.leaf_id AND m.depth >= w.depth
            UNION ALL
            SELECT w.wanted_id, w.target, w.leaf_id, w.place, m.id, m.parent_id, m.depth,
                m.jump_id, m.jump_depth
            FROM walk w
            JOIN message m
                ON m.id = CASE WHEN w.jump_depth >= w.target THEN w.jump_id ELSE w.parent_id END
            WHERE w.depth > w.target
        )
        SELECT wanted_id, leaf_id FROM walk WHERE id = wanted_id ORDER BY place";
    let mut found = HashMap::new();
    let mut left = messages.to_vec();
    for (after, to) in [(0, 4), (4, 64), (64, i64::MAX)] {
        let query = db.read(SQL).bind(after).bind(to).bind_list(&left);
        let rows: Vec<(MessageId, MessageId)> = query.all().await?;
        for (message, leaf) in rows {
            found.entry(message).or_insert(leaf);
        }
        left.retain(|message| !found.contains_key(message));
        if left.is_empty() {
            break;
        }
    }
    Ok(found)
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
