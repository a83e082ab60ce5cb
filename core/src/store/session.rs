//! SQL on sessions, their participants and their cast.

use skald_base::{Db, Result, Tx, UserId, db::Source};

use crate::{
    session::{CastMember, Session, SessionId},
    tree::MessageId,
};

macro_rules! columns {
    () => {
        "s.id, s.owner_id, s.mode, s.title, s.language, s.narrative_voice, s.relationship, \
         s.story_model, s.supervisor_model, s.fallback_model, s.reply_length, \
         s.narrative_tense, s.atmosphere, s.instruction, s.persona_id, s.forked_from_id, \
         s.forked_at_id, s.head_id, s.last_sequence, s.version, s.created_at, \
         s.last_activity_at, s.archived_at, s.deleted_at, s.title_folded"
    };
}

pub(super) use columns;

macro_rules! of_participant {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM session s
              JOIN session_participant p ON p.session_id = s.id AND p.user_id = $2
              WHERE s.id = $1"
        )
    };
}

/// Stores a session. Nobody sees it before its owner is [admitted](admit).
pub(crate) async fn insert(tx: &mut Tx, session: &Session) -> Result<()> {
    const SQL: &str = "
        INSERT INTO session (id, owner_id, mode, title, language, narrative_voice, relationship,
            story_model, supervisor_model, fallback_model, reply_length, narrative_tense,
            atmosphere, instruction, persona_id, forked_from_id, forked_at_id, head_id,
            last_sequence, version, created_at, last_activity_at, archived_at, deleted_at,
            title_folded)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, NULL,
            0, $18, $19, $20, $21, NULL, $22)";
    let settings = session.settings.clone();
    tx.query(SQL)
        .bind(session.id)
        .bind(session.owner_id)
        .bind(session.mode)
        .bind(settings.title)
        .bind(settings.language)
        .bind(settings.narrative_voice)
        .bind(settings.relationship)
        .bind(settings.story_model)
        .bind(settings.supervisor_model)
        .bind(settings.fallback_model)
        .bind(settings.style.length)
        .bind(settings.style.tense)
        .bind(settings.style.atmosphere)
        .bind(settings.style.instruction)
        .bind(session.persona_id)
        .bind(session.forked_from_id)
        .bind(session.forked_at_id)
        .bind(session.version)
        .bind(session.created_at)
        .bind(session.last_activity_at)
        .bind(session.archived_at)
        .bind(session.title_folded.clone())
        .execute()
        .await?;
    Ok(())
}

/// Makes the owner a participant: from here on the session is seen.
pub(crate) async fn admit(tx: &mut Tx, session: &Session) -> Result<()> {
    const SQL: &str = "
        INSERT INTO session_participant (session_id, user_id, role, joined_at)
        VALUES ($1, $2, 'OWNER', $3)";
    let query = tx.query(SQL).bind(session.id).bind(session.owner_id);
    query.bind(session.created_at).execute().await?;
    Ok(())
}

pub(crate) async fn insert_cast(tx: &mut Tx, member: &CastMember) -> Result<()> {
    const SQL: &str = "
        INSERT INTO cast_member (session_id, position, character_id, name, avatar_url)
        VALUES ($1, $2, $3, $4, $5)";
    let member = member.clone();
    let query = tx.query(SQL).bind(member.session_id).bind(member.position);
    let query = query.bind(member.character_id).bind(member.name).bind(member.avatar_url);
    query.execute().await?;
    Ok(())
}

pub(crate) async fn find(
    source: &mut impl Source,
    id: SessionId,
    viewer: UserId,
) -> Result<Option<Session>> {
    Ok(source.sql(of_participant!()).bind(id).bind(viewer).optional().await?)
}

/// Whoever takes part: for the reply that is being written in it.
pub(crate) async fn find_any(source: &mut impl Source, id: SessionId) -> Result<Option<Session>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM session s WHERE s.id = $1");
    Ok(source.sql(SQL).bind(id).optional().await?)
}

/// Lets nobody else change a session; rows that name it can be stored meanwhile.
pub(crate) async fn lock(tx: &mut Tx, id: SessionId, viewer: UserId) -> Result<Option<Session>> {
    const POSTGRES: &str = concat!(of_participant!(), " FOR NO KEY UPDATE OF s");
    let sql = tx.pick(of_participant!(), POSTGRES);
    Ok(tx.query(sql).bind(id).bind(viewer).optional().await?)
}

/// Whoever takes part: for the end of a reply.
pub(crate) async fn lock_any(tx: &mut Tx, id: SessionId) -> Result<Option<Session>> {
    const SQLITE: &str = concat!("SELECT ", columns!(), " FROM session s WHERE s.id = $1");
    const POSTGRES: &str =
        concat!("SELECT ", columns!(), " FROM session s WHERE s.id = $1 FOR NO KEY UPDATE");
    let sql = tx.pick(SQLITE, POSTGRES);
    Ok(tx.query(sql).bind(id).optional().await?)
}

pub(crate) async fn update(tx: &mut Tx, session: &Session) -> Result<()> {
    const SQL: &str = "
        UPDATE session
        SET title = $2, language = $3, narrative_voice = $4, relationship = $5, story_model = $6,
            supervisor_model = $7, fallback_model = $8, reply_length = $9, narrative_tense = $10,
            atmosphere = $11, instruction = $12, persona_id = $13, version = $14, deleted_at = $15,
            archived_at = $16, title_folded = $17
        WHERE id = $1";
    let settings = session.settings.clone();
    tx.query(SQL)
        .bind(session.id)
        .bind(settings.title)
        .bind(settings.language)
        .bind(settings.narrative_voice)
        .bind(settings.relationship)
        .bind(settings.story_model)
        .bind(settings.supervisor_model)
        .bind(settings.fallback_model)
        .bind(settings.style.length)
        .bind(settings.style.tense)
        .bind(settings.style.atmosphere)
        .bind(settings.style.instruction)
        .bind(session.persona_id)
        .bind(session.version)
        .bind(session.deleted_at)
        .bind(session.archived_at)
        .bind(session.title_folded.clone())
        .execute()
        .await?;
    Ok(())
}

pub(crate) async fn set_head(tx: &mut Tx, id: SessionId, head: Option<MessageId>) -> Result<()> {
    const SQL: &str = "UPDATE session SET head_id = $2 WHERE id = $1";
    tx.query(SQL).bind(id).bind(head).execute().await?;
    Ok(())
}

pub(crate) async fn cast(
    source: &mut impl Source,
    sessions: &[SessionId],
) -> Result<Vec<CastMember>> {
    const SQL: &str = "
        SELECT session_id, position, character_id, name, avatar_url
        FROM cast_member
        WHERE session_id IN (..)
        ORDER BY session_id, position";
    Ok(source.sql(SQL).bind_list(sessions).all().await?)
}

/// For a `DataLoader`: sessions in which this user takes part.
pub(crate) async fn by_ids(db: &Db, ids: &[SessionId], viewer: UserId) -> Result<Vec<Session>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM session s
          JOIN session_participant p ON p.session_id = s.id AND p.user_id = $1
          WHERE s.id IN (..)"
    );
    Ok(db.read(SQL).bind(viewer).bind_list(ids).all().await?)
}
