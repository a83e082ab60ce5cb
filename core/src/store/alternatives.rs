//! SQL on alternatives: what stands in one place of the tree.

use skald_base::{Db, Result, Tx};

use crate::{
    session::SessionId,
    tree::{MessageId, MessageRole},
};

/// A sibling: what it takes to count and order alternatives.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct Sibling {
    pub(crate) id: MessageId,
    pub(crate) session_id: SessionId,
    pub(crate) parent_id: Option<MessageId>,
    pub(crate) role: MessageRole,
}

/// The living siblings below these parents, in their order.
pub(crate) async fn below_messages(db: &Db, parents: &[MessageId]) -> Result<Vec<Sibling>> {
    const SQL: &str = "
        SELECT id, session_id, parent_id, role
        FROM message
        WHERE parent_id IN (..) AND deleted_at IS NULL
        ORDER BY created_at, id";
    Ok(db.read(SQL).bind_list(parents).all().await?)
}

/// The living roots of these sessions, in their order.
pub(crate) async fn roots(db: &Db, sessions: &[SessionId]) -> Result<Vec<Sibling>> {
    const SQL: &str = "
        SELECT id, session_id, parent_id, role
        FROM message
        WHERE session_id IN (..) AND parent_id IS NULL AND deleted_at IS NULL
        ORDER BY created_at, id";
    Ok(db.read(SQL).bind_list(sessions).all().await?)
}

/// The first living root of a session.
pub(crate) async fn first_root(tx: &mut Tx, session: SessionId) -> Result<Option<MessageId>> {
    const SQL: &str = "
        SELECT id
        FROM message
        WHERE session_id = $1 AND parent_id IS NULL AND deleted_at IS NULL
        ORDER BY created_at, id
        LIMIT 1";
    let row: Option<(MessageId,)> = tx.query(SQL).bind(session).optional().await?;
    Ok(row.map(|(id,)| id))
}
