//! SQL on whole trees: light nodes, and what they add up to.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result};

use crate::{
    session::SessionId,
    tree::{
        MessageId,
        outline::{OutlineNode, TreeStats},
    },
};

/// What the messages of one session among several add up to.
#[derive(sqlx::FromRow)]
struct SessionStats {
    session_id: SessionId,
    #[sqlx(flatten)]
    stats: TreeStats,
}

/// Living messages in order of creation, each with the first 240 characters of its text.
///
/// A reply is being written when its draft is more than the text that it goes on from.
/// The cut is made in the database, so that no whole text travels.
pub(crate) async fn page(
    db: &Db,
    session: SessionId,
    after: Option<(DateTime<Utc>, MessageId)>,
    limit: i64,
) -> Result<Vec<OutlineNode>> {
    const SQL: &str = "
        SELECT m.id, m.parent_id, m.role, m.created_at,
            CASE WHEN m.status = 'PENDING' AND EXISTS (
                    SELECT 1 FROM reply r
                    WHERE r.message_id = m.id AND r.draft_content <> m.content)
                THEN 'WRITING'
                ELSE m.status
            END AS status,
            CASE WHEN m.status IN ('PENDING', 'WRITING')
                THEN coalesce((
                    SELECT substr(r.draft_content, 1, 240) FROM reply r
                    WHERE r.message_id = m.id), '')
                ELSE substr(m.content, 1, 240)
            END AS excerpt
        FROM message m
        WHERE m.session_id = $1 AND m.deleted_at IS NULL
            AND ($2 IS NULL OR (m.created_at, m.id) > ($2, $3))
        ORDER BY m.created_at, m.id
        LIMIT $4";
    let query = db.read(SQL).bind(session).bind(after.map(|(at, _)| at));
    Ok(query.bind(after.map(|(_, id)| id)).bind(limit).all().await?)
}

/// For a `DataLoader`: what the living messages of these sessions add up to.
pub(crate) async fn stats(db: &Db, sessions: &[SessionId]) -> Result<Vec<(SessionId, TreeStats)>> {
    const SQL: &str = "
        SELECT m.session_id, count(*) AS messages,
            CAST(sum(CASE WHEN EXISTS (
                SELECT 1 FROM message c WHERE c.parent_id = m.id AND c.deleted_at IS NULL)
                THEN 0 ELSE 1 END) AS BIGINT) AS branches,
            CAST(sum(length(m.content)) AS BIGINT) AS characters
        FROM message m
        WHERE m.session_id IN (..) AND m.deleted_at IS NULL
        GROUP BY m.session_id";
    let rows: Vec<SessionStats> = db.read(SQL).bind_list(sessions).all().await?;
    Ok(rows.into_iter().map(|row| (row.session_id, row.stats)).collect())
}
