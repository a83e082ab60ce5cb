//! SQL on what a fork takes from a session: which messages, and what belongs to them.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result};

use crate::{
    session::{SessionId, fork::ForkScope},
    tree::{Message, MessageId},
};

/// A message that a fork takes.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct Taken {
    pub(crate) id: MessageId,
    pub(crate) depth: i64,
}

/// A leaf that was visited.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct Tip {
    pub(crate) leaf_id: MessageId,
    pub(crate) depth: i64,
    pub(crate) visited_at: DateTime<Utc>,
}

/// What a message said before.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct OldText {
    pub(crate) revision: i64,
    pub(crate) content: String,
    pub(crate) created_at: DateTime<Utc>,
}

macro_rules! path_up {
    () => {
        "WITH RECURSIVE up (id, parent_id, depth, role) AS (
             SELECT id, parent_id, depth, role FROM message WHERE id = $1
             UNION ALL
             SELECT m.id, m.parent_id, m.depth, m.role
             FROM up JOIN message m ON m.id = up.parent_id
         )"
    };
}

/// The living messages that a fork at this one takes: parents before children, siblings in order.
pub(crate) async fn taken(
    db: &Db,
    (session, message): (SessionId, MessageId),
    scope: ForkScope,
) -> Result<Vec<Taken>> {
    const PATH: &str = concat!(path_up!(), " SELECT id, depth FROM up ORDER BY depth");
    const WITH_SIBLINGS: &str = concat!(
        path_up!(),
        ", kept (id, depth, created_at) AS (
             SELECT s.id, s.depth, s.created_at
             FROM up JOIN message s ON s.parent_id = up.parent_id
             WHERE s.deleted_at IS NULL AND (s.role = 'PLAYER') = (up.role = 'PLAYER')
             UNION ALL
             SELECT s.id, s.depth, s.created_at
             FROM up JOIN message s ON s.session_id = $2 AND s.parent_id IS NULL
             WHERE up.depth = 0 AND s.deleted_at IS NULL
                 AND (s.role = 'PLAYER') = (up.role = 'PLAYER')
         )
         SELECT id, depth FROM kept ORDER BY depth, created_at, id"
    );
    const SUBTREE: &str = concat!(
        path_up!(),
        ", down (id, depth, created_at) AS (
             SELECT id, depth, created_at FROM message
             WHERE parent_id = $1 AND deleted_at IS NULL
             UNION ALL
             SELECT m.id, m.depth, m.created_at
             FROM down JOIN message m ON m.parent_id = down.id
             WHERE m.deleted_at IS NULL
         ),
         kept (id, depth, created_at) AS (
             SELECT m.id, m.depth, m.created_at FROM up JOIN message m ON m.id = up.id
             UNION ALL
             SELECT id, depth, created_at FROM down
         )
         SELECT id, depth FROM kept ORDER BY depth, created_at, id"
    );
    let query = match scope {
        ForkScope::Path => db.read(PATH).bind(message),
        ForkScope::PathWithSiblings => db.read(WITH_SIBLINGS).bind(message).bind(session),
        ForkScope::Subtree => db.read(SUBTREE).bind(message),
    };
    Ok(query.all().await?)
}

/// The leaves of a session that were visited, the last one first.
pub(crate) async fn tips(db: &Db, session: SessionId) -> Result<Vec<Tip>> {
    const SQL: &str = "
        SELECT t.leaf_id, m.depth, t.visited_at
        FROM branch_tip t
        JOIN message m ON m.id = t.leaf_id
        WHERE t.session_id = $1 AND m.deleted_at IS NULL
        ORDER BY t.visited_at DESC, t.leaf_id DESC";
    Ok(db.read(SQL).bind(session).all().await?)
}

/// These messages, in no order, whoever may see them.
pub(crate) async fn messages(db: &Db, ids: &[MessageId]) -> Result<Vec<Message>> {
    const SQL: &str =
        concat!("SELECT ", super::message::columns!(), " FROM message m WHERE m.id IN (..)");
    Ok(db.read(SQL).bind_list(ids).all().await?)
}

/// How many bytes the texts of these messages have, in no order.
pub(crate) async fn sizes(db: &Db, ids: &[MessageId]) -> Result<Vec<(MessageId, i64)>> {
    const SQL: &str = "
        SELECT id, CAST(octet_length(content) + coalesce(octet_length(thought), 0) AS BIGINT)
        FROM message
        WHERE id IN (..)";
    Ok(db.read(SQL).bind_list(ids).all().await?)
}

/// Some of what a message said before: the revisions after one and before another, oldest first.
pub(crate) async fn old_texts(
    db: &Db,
    message: MessageId,
    (after, before): (i64, i64),
) -> Result<Vec<OldText>> {
    // An imported text may have 1 MiB.
    const SQL: &str = "
        SELECT revision, content, created_at
        FROM message_revision
        WHERE message_id = $1 AND revision > $2 AND revision < $3
        ORDER BY revision
        LIMIT 8";
    Ok(db.read(SQL).bind(message).bind(after).bind(before).all().await?)
}
