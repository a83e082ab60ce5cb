//! SQL on memory: what was told on a path, as far as it can come to mind.

use skald_base::{Db, Result, db::Source};

use crate::{memory::Heard, tree::MessageId};

/// What a message said in one of its revisions.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Wording {
    pub(crate) message_id: MessageId,
    pub(crate) revision: i64,
    pub(crate) content: String,
}

/// From a message up to `limit` messages towards the root; the message itself last.
pub(crate) async fn path(
    source: &mut impl Source,
    leaf: MessageId,
    limit: i64,
) -> Result<Vec<Heard>> {
    const SQL: &str = "
        WITH RECURSIVE up (id, parent_id, n) AS (
            SELECT id, parent_id, 1 FROM message WHERE id = $1
            UNION ALL
            SELECT m.id, m.parent_id, up.n + 1
            FROM up JOIN message m ON m.id = up.parent_id
            WHERE up.n < $2
        )
        SELECT m.id, m.depth, m.role, m.author_name, m.author_avatar_url, m.author_user_id,
            m.author_persona_id, m.author_character_id, m.content, m.revision, m.status,
            m.hidden_from_prompt, m.created_at
        FROM up JOIN message m ON m.id = up.id
        ORDER BY up.n DESC";
    Ok(source.sql(SQL).bind(leaf).bind(limit).all().await?)
}

/// These messages as they are now, in no order.
pub(crate) async fn heard(db: &Db, ids: &[MessageId]) -> Result<Vec<Heard>> {
    const SQL: &str = "
        SELECT id, depth, role, author_name, author_avatar_url, author_user_id,
            author_persona_id, author_character_id, content, revision, status,
            hidden_from_prompt, created_at
        FROM message
        WHERE id IN (..)";
    Ok(db.read(SQL).bind_list(ids).all().await?)
}

/// For a `DataLoader`: what messages said in these revisions; perhaps in others too.
pub(crate) async fn wordings(db: &Db, wanted: &[(MessageId, i64)]) -> Result<Vec<Wording>> {
    const NOW: &str = "
        SELECT id AS message_id, revision, content FROM message WHERE id IN (..)";
    const BEFORE: &str = "
        SELECT message_id, revision, content
        FROM message_revision
        WHERE message_id IN (..) AND revision IN (..)";
    let ids: Vec<MessageId> = wanted.iter().map(|(id, _)| *id).collect();
    let mut wordings: Vec<Wording> = db.read(NOW).bind_list(&ids).all().await?;
    let is_present = |(id, revision): &&(MessageId, i64)| {
        wordings.iter().any(|now| now.message_id == *id && now.revision == *revision)
    };
    let (ids, revisions): (Vec<MessageId>, Vec<i64>) =
        wanted.iter().filter(|one| !is_present(one)).copied().unzip();
    if !ids.is_empty() {
        let before = db.read(BEFORE).bind_list(&ids).bind_list(&revisions);
        wordings.extend(before.all::<Wording>().await?);
    }
    Ok(wordings)
}
