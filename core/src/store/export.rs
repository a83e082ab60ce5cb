//! SQL on what only an export reads.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result};

use super::message::DepthCursor;
use crate::{
    character::CharacterId,
    persona::PersonaId,
    session::SessionId,
    tree::{MessageId, MessageRole},
};

/// What no reader sees.
const BLANKS: &str = " \t\n\r\u{b}\u{c}\u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\
    \u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";

/// What a message says, or says so far; so too its thought.
macro_rules! said {
    () => {
        "COALESCE(CASE WHEN r.finished_at IS NULL THEN NULLIF(r.draft_content, '') END, m.content)"
    };
}
macro_rules! thought {
    () => {
        "COALESCE(CASE WHEN r.finished_at IS NULL THEN NULLIF(r.draft_thought, '') END, m.thought)"
    };
}

/// A [`Bone`] of a message `m` with its reply `r`; `$1` are [`BLANKS`], looked for in short texts.
macro_rules! bone {
    () => {
        concat!(
            "m.id, m.parent_id, m.depth, m.created_at, m.role, m.author_name, \
             m.author_character_id, m.hidden_from_prompt, m.bookmark IS NOT NULL AS is_bookmarked, \
             CAST(octet_length(",
            said!(),
            ") + COALESCE(octet_length(",
            thought!(),
            "), 0) AS BIGINT) AS bytes, (octet_length(",
            said!(),
            ") < 256 AND trim(",
            said!(),
            ", $1) = '') AS is_blank"
        )
    };
}

/// All that is known of a message before its text is read.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Bone {
    pub(crate) id: MessageId,
    pub(crate) parent_id: Option<MessageId>,
    pub(crate) depth: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) role: MessageRole,
    pub(crate) author_name: String,
    pub(crate) author_character_id: Option<CharacterId>,
    pub(crate) hidden_from_prompt: bool,
    pub(crate) is_bookmarked: bool,
    /// Of its text and its thought.
    pub(crate) bytes: i64,
    /// Whether it says nothing.
    pub(crate) is_blank: bool,
}

/// What is told of a message to other programs.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Told {
    pub(crate) id: MessageId,
    pub(crate) role: MessageRole,
    pub(crate) author_name: String,
    pub(crate) author_character_id: Option<CharacterId>,
    pub(crate) content: String,
    pub(crate) thought: Option<String>,
    pub(crate) hidden_from_prompt: bool,
    pub(crate) bookmark: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) model: Option<String>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

/// The living messages of a session, parents before their children, siblings in order.
pub(crate) async fn bones(
    db: &Db,
    session: SessionId,
    after: DepthCursor,
    limit: i64,
) -> Result<Vec<Bone>> {
    const SQL: &str = concat!(
        "SELECT ",
        bone!(),
        " FROM message m
          LEFT JOIN reply r ON r.message_id = m.id
          WHERE m.session_id = $2 AND (m.depth, m.created_at, m.id) > ($3, $4, $5)
              AND m.deleted_at IS NULL
          ORDER BY m.depth, m.created_at, m.id
          LIMIT $6"
    );
    let query = db.read(SQL).bind(BLANKS).bind(session);
    let query = query.bind(after.depth).bind(after.at).bind(after.id);
    Ok(query.bind(limit).all().await?)
}

/// The living messages of a path and their siblings in the same role, parents before their
/// children, siblings in order.
pub(crate) async fn bones_of_path(
    db: &Db,
    (session, leaf): (SessionId, MessageId),
    limit: i64,
) -> Result<Vec<Bone>> {
    const SQL: &str = concat!(
        "WITH RECURSIVE up (id, parent_id, role) AS (
             SELECT id, parent_id, role FROM message WHERE id = $2
             UNION ALL
             SELECT m.id, m.parent_id, m.role FROM up JOIN message m ON m.id = up.parent_id
         ),
         kept (id) AS (
             SELECT s.id FROM up JOIN message s ON s.parent_id = up.parent_id AND s.role = up.role
             UNION ALL
             SELECT s.id
             FROM up JOIN message s
                 ON s.session_id = $3 AND s.parent_id IS NULL AND s.role = up.role
             WHERE up.parent_id IS NULL
         )
         SELECT ",
        bone!(),
        " FROM kept
          JOIN message m ON m.id = kept.id
          LEFT JOIN reply r ON r.message_id = m.id
          WHERE m.deleted_at IS NULL
          ORDER BY m.depth, m.created_at, m.id
          LIMIT $4"
    );
    let query = db.read(SQL).bind(BLANKS).bind(leaf).bind(session);
    Ok(query.bind(limit).all().await?)
}

/// What these messages tell, in no order.
pub(crate) async fn told(db: &Db, ids: &[MessageId]) -> Result<Vec<Told>> {
    const SQL: &str = concat!(
        "SELECT m.id, m.role, m.author_name, m.author_character_id, ",
        said!(),
        " AS content, ",
        thought!(),
        " AS thought, m.hidden_from_prompt, m.bookmark, m.created_at, r.model,
          r.created_at AS started_at, r.finished_at
          FROM message m
          LEFT JOIN reply r ON r.message_id = m.id
          WHERE m.id IN (..)"
    );
    Ok(db.read(SQL).bind_list(ids).all().await?)
}

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
