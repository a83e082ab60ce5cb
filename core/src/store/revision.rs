//! SQL on revisions: what messages said before they were edited in place.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx};

use crate::tree::{Message, MessageId};

/// A former text of a message.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(clippy::struct_field_names, reason = "the migration names it so")]
pub(crate) struct Revision {
    pub(crate) revision: i64,
    pub(crate) content: String,
    pub(crate) created_at: DateTime<Utc>,
}

/// Replaces the text, in what search finds too, and keeps the old one as a revision.
pub(crate) async fn revise(
    tx: &mut Tx,
    message: &Message,
    content: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    const KEEP: &str = "
        INSERT INTO message_revision (message_id, revision, content, created_at)
        VALUES ($1, $2, $3, $4)";
    const REPLACE: &str = "
        UPDATE message SET content = $2, revision = revision + 1, edited_at = $3 WHERE id = $1";
    let written_at = message.edited_at.unwrap_or(message.created_at);
    let keep = tx.query(KEEP).bind(message.id).bind(message.revision);
    keep.bind(message.content.clone()).bind(written_at).execute().await?;
    tx.query(REPLACE).bind(message.id).bind(content.to_owned()).bind(now).execute().await?;
    super::search::index(tx, (message.session_id, message.id), content).await
}

/// What a message said before, oldest first.
pub(crate) async fn revisions(
    db: &Db,
    id: MessageId,
    after: i64,
    limit: i64,
) -> Result<Vec<Revision>> {
    const SQL: &str = "
        SELECT revision, content, created_at
        FROM message_revision
        WHERE message_id = $1 AND revision > $2
        ORDER BY revision
        LIMIT $3";
    Ok(db.read(SQL).bind(id).bind(after).bind(limit).all().await?)
}

/// What a message said in one of its revisions but the present one.
pub(crate) async fn find_revision(
    tx: &mut Tx,
    id: MessageId,
    revision: i64,
) -> Result<Option<Revision>> {
    const SQL: &str = "
        SELECT revision, content, created_at
        FROM message_revision
        WHERE message_id = $1 AND revision = $2";
    Ok(tx.query(SQL).bind(id).bind(revision).optional().await?)
}
