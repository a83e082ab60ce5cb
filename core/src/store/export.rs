//! SQL on what only an export reads.

use skald_base::{Db, Result};

use crate::{character::CharacterId, persona::PersonaId, session::SessionId, tree::MessageId};

/// Everybody who wrote a living message of a session.
pub(crate) async fn authors(
    db: &Db,
    session: SessionId,
) -> Result<Vec<(Option<PersonaId>, Option<CharacterId>)>> {
    const SQL: &str = "
        SELECT DISTINCT author_persona_id, author_character_id
        FROM message
        WHERE session_id = $1 AND deleted_at IS NULL";
    Ok(db.read(SQL).bind(session).all().await?)
}

/// The living leaves that were visited in a session, the one visited last at the end.
pub(crate) async fn tips(db: &Db, session: SessionId) -> Result<Vec<MessageId>> {
    const SQL: &str = "
        SELECT t.leaf_id
        FROM branch_tip t
        JOIN message m ON m.id = t.leaf_id
        WHERE t.session_id = $1 AND m.deleted_at IS NULL
        ORDER BY t.visited_at, t.leaf_id";
    let rows: Vec<(MessageId,)> = db.read(SQL).bind(session).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
