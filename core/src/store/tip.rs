//! SQL on branch tips: the leaves a player has visited, and who leads to them.
//!
//! Each message below which the player has been leads to the leaf visited last
//! there. The messages that lead to one leaf follow one another, from the *top*
//! of its row down to the leaf, so one row answers for them all. Finding where a
//! message leads costs a few O(log depth) steps for each fork above it at which
//! the player went elsewhere, however many leaves there are. These are the
//! preferred paths of link-cut trees: D. D. Sleator and R. E. Tarjan, "A data
//! structure for dynamic trees", JCSS 26 (1983).
//!
//! A leaf to which only itself leads has no row: selecting it needs none.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx};

use super::message::{ancestor_at, fork, step_of_pair};
use crate::{
    session::SessionId,
    tree::{Message, MessageId},
};

/// Visits a leaf: all that is above it leads there now.
pub(crate) async fn visit(
    tx: &mut Tx,
    session: SessionId,
    leaf: MessageId,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO branch_tip (session_id, leaf_id, visited_at, top_id)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (session_id, leaf_id) DO UPDATE
        SET visited_at = excluded.visited_at, top_id = excluded.top_id";
    let (mut root, mut depth) = (leaf, 0);
    while let Some((top, other)) = step_at(tx, session, (leaf, depth)).await? {
        if depth == 0 {
            root = top;
        }
        let Some(other) = other else { break };
        let Some((_, at)) = fork(tx, other, leaf).await? else { break };
        depth = at + 1;
        cut(tx, session, (other, depth)).await?;
    }
    tx.query(SQL).bind(session).bind(leaf).bind(now).bind(root).execute().await?;
    Ok(())
}

/// Goes on from the leaf where the player is to a message one or two levels below it.
///
/// The same as [`visit`] in one statement, for what players do most; false if it is not that.
pub(crate) async fn go_on(
    tx: &mut Tx,
    session: SessionId,
    (from, to): (MessageId, MessageId),
    now: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "
        UPDATE branch_tip
        SET leaf_id = $3, visited_at = $4
        WHERE session_id = $1 AND leaf_id = $2 AND top_id IS NOT NULL
            AND EXISTS (
                SELECT 1
                FROM message m
                JOIN message above ON above.id = m.parent_id
                WHERE m.id = $3 AND (above.id = $2 OR above.parent_id = $2)
                    AND NOT EXISTS (
                        SELECT 1 FROM branch_tip b
                        WHERE b.session_id = $1 AND b.top_id IN (m.id, above.id)))";
    let query = tx.query(SQL).bind(session).bind(from).bind(to).bind(now);
    Ok(query.execute().await? == 1)
}

/// What led into a branch that is being deleted leads to the message above it.
pub(crate) async fn turn_back(tx: &mut Tx, deleted: &Message) -> Result<()> {
    const FIND: &str = "
        SELECT top_id, visited_at FROM branch_tip WHERE session_id = $1 AND leaf_id = $2";
    const END_ABOVE: &str = "
        INSERT INTO branch_tip (session_id, leaf_id, visited_at, top_id)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (session_id, leaf_id) DO UPDATE
        SET visited_at = excluded.visited_at, top_id = excluded.top_id";
    let session = deleted.session_id;
    let Some(parent) = deleted.parent_id else { return Ok(()) };
    let Some(leaf) = newest_below(tx, deleted).await? else { return Ok(()) };
    let row = tx.query(FIND).bind(session).bind(leaf);
    let (top, visited_at): (MessageId, DateTime<Utc>) = row.one().await?;
    if top == deleted.id {
        return Ok(());
    }
    cut(tx, session, (leaf, deleted.depth)).await?;
    let query = tx.query(END_ABOVE).bind(session).bind(parent).bind(visited_at);
    query.bind(top).execute().await?;
    Ok(())
}

/// The living leaf of a session that was visited last.
pub(crate) async fn newest(tx: &mut Tx, session: SessionId) -> Result<Option<MessageId>> {
    const SQL: &str = "
        SELECT t.leaf_id
        FROM message root
        JOIN branch_tip t ON t.session_id = root.session_id AND t.top_id = root.id
        WHERE root.session_id = $1 AND root.parent_id IS NULL AND root.deleted_at IS NULL
        ORDER BY t.visited_at DESC, t.leaf_id DESC
        LIMIT 1";
    let row: Option<(MessageId,)> = tx.query(SQL).bind(session).optional().await?;
    Ok(row.map(|(id,)| id))
}

/// For a `DataLoader`: where each message leads to, if it is not to itself.
///
/// All go down from their roots together, from fork to fork. What a screen shows is the path to
/// the head, and siblings of messages on it: that takes two statements.
pub(crate) async fn newest_below_each(
    db: &Db,
    messages: &[MessageId],
) -> Result<HashMap<MessageId, MessageId>> {
    let mut found = HashMap::new();
    let mut waiting = HashMap::from([(0, messages.to_vec())]);
    while !waiting.is_empty() {
        let mut tops = Vec::new();
        for (depth, at) in std::mem::take(&mut waiting) {
            for led in led_from(db, depth, &at).await? {
                let next = led.fork_depth + 1;
                match led.depth - led.fork_depth {
                    0 => drop(found.insert(led.message_id, led.leaf_id)),
                    1 => tops.push(led.message_id),
                    _ => waiting.entry(next).or_default().push(led.message_id),
                }
            }
        }
        found.extend(leaves_of(db, &tops).await?);
    }
    Ok(found)
}

/// A message, and where a message above it leads to.
#[derive(sqlx::FromRow)]
struct Led {
    message_id: MessageId,
    /// Its own depth.
    depth: i64,
    /// The leaf that its ancestor leads to.
    leaf_id: MessageId,
    /// The depth of the last message that the paths to it and to the leaf share.
    fork_depth: i64,
}

/// Where the ancestor at a depth of each message leads to, for those with a row that begins there.
async fn led_from(db: &Db, depth: i64, messages: &[MessageId]) -> Result<Vec<Led>> {
    const SQL: &str = concat!(
        "WITH RECURSIVE walk
             (message_id, session_id, id, parent_id, depth, jump_id, jump_depth) AS (
             SELECT id, session_id, id, parent_id, depth, jump_id, jump_depth
             FROM message
             WHERE id IN (..)
             UNION ALL
             SELECT w.message_id, w.session_id, m.id, m.parent_id, m.depth, m.jump_id, m.jump_depth
             FROM walk w
             JOIN message m
                 ON m.id = CASE WHEN w.jump_depth >= $1 THEN w.jump_id ELSE w.parent_id END
             WHERE w.depth > $1
         ), pair (message_id, own_depth, leaf_id, a, a_up, a_depth, a_jump, a_far,
             b, b_up, b_depth, b_jump, b_far) AS (
             SELECT w.message_id, b.depth, a.id, a.id, a.parent_id, a.depth, a.jump_id,
                 a.jump_depth, b.id, b.parent_id, b.depth, b.jump_id, b.jump_depth
             FROM walk w
             JOIN branch_tip t ON t.session_id = w.session_id AND t.top_id = w.id
             JOIN message a ON a.id = t.leaf_id
             JOIN message b ON b.id = w.message_id
             WHERE w.depth = $1
             UNION ALL
             SELECT p.message_id, p.own_depth, p.leaf_id, a.id, a.parent_id, a.depth, a.jump_id,
                 a.jump_depth, b.id, b.parent_id, b.depth, b.jump_id, b.jump_depth ",
        step_of_pair!(),
        ")
         SELECT message_id, own_depth AS depth, leaf_id, a_depth AS fork_depth
         FROM pair
         WHERE a = b"
    );
    Ok(db.read(SQL).bind(depth).bind_list(messages).all().await?)
}

/// The leaves of the rows that begin at these messages.
async fn leaves_of(db: &Db, tops: &[MessageId]) -> Result<Vec<(MessageId, MessageId)>> {
    const SQL: &str = "
        SELECT m.id, t.leaf_id
        FROM message m
        JOIN branch_tip t ON t.session_id = m.session_id AND t.top_id = m.id
        WHERE m.id IN (..)";
    if tops.is_empty() {
        return Ok(Vec::new());
    }
    Ok(db.read(SQL).bind_list(tops).all().await?)
}

/// The living leaf below (or at) a message that was visited last; none if it has no row.
pub(crate) async fn newest_below(tx: &mut Tx, message: &Message) -> Result<Option<MessageId>> {
    let (session, mut depth) = (message.session_id, 0);
    while let Some((_, Some(leaf))) = step_at(tx, session, (message.id, depth)).await? {
        match fork(tx, leaf, message.id).await? {
            Some((at, _)) if at == message.id => return Ok(Some(leaf)),
            Some((_, at)) => depth = at + 1,
            None => break,
        }
    }
    Ok(None)
}

/// The message at a depth on the way to `to`, and the leaf of the row that begins there.
async fn step_at(
    tx: &mut Tx,
    session: SessionId,
    (to, depth): (MessageId, i64),
) -> Result<Option<(MessageId, Option<MessageId>)>> {
    const SQL: &str = "
        WITH RECURSIVE walk (id, parent_id, depth, jump_id, jump_depth) AS (
            SELECT id, parent_id, depth, jump_id, jump_depth FROM message WHERE id = $1
            UNION ALL
            SELECT m.id, m.parent_id, m.depth, m.jump_id, m.jump_depth
            FROM walk w
            JOIN message m
                ON m.id = CASE WHEN w.jump_depth >= $2 THEN w.jump_id ELSE w.parent_id END
            WHERE w.depth > $2
        )
        SELECT walk.id, t.leaf_id
        FROM walk
        LEFT JOIN branch_tip t ON t.session_id = $3 AND t.top_id = walk.id
        WHERE walk.depth = $2";
    Ok(tx.query(SQL).bind(to).bind(depth).bind(session).optional().await?)
}

/// What leads to a leaf begins at this depth from now on; if that is nothing, the row goes.
async fn cut(tx: &mut Tx, session: SessionId, (leaf, depth): (MessageId, i64)) -> Result<()> {
    const MOVE: &str = "
        UPDATE branch_tip SET top_id = $3 WHERE session_id = $1 AND leaf_id = $2";
    // A message that has anything below it, deleted or not, is a step on the way there.
    const FORGET: &str = "
        DELETE FROM branch_tip
        WHERE session_id = $1 AND leaf_id = $2
            AND ($3 IS NULL OR NOT EXISTS (SELECT 1 FROM message WHERE parent_id = $2))";
    let top = ancestor_at(tx, leaf, depth).await?;
    let mut forgotten = 0;
    if top.is_none_or(|top| top == leaf) {
        let query = tx.query(FORGET).bind(session).bind(leaf).bind(top);
        forgotten = query.execute().await?;
    }
    if forgotten == 0 {
        tx.query(MOVE).bind(session).bind(leaf).bind(top).execute().await?;
    }
    Ok(())
}
