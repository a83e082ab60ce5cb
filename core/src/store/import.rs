//! SQL on sessions that came from files.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx};
use sqlx::types::Json;

use crate::{
    character::CharacterId,
    persona::PersonaId,
    session::{SessionId, import::Report},
};

/// Keeps what is told about a session that is being made, and when the story began.
pub(crate) async fn insert(
    db: &Db,
    session: SessionId,
    report: &Report,
    began_at: DateTime<Utc>,
) -> Result<()> {
    const REPORT: &str = "INSERT INTO session_import (session_id, report) VALUES ($1, $2)";
    const BEGAN: &str = "UPDATE session SET created_at = $2 WHERE id = $1";
    let mut tx = db.begin().await?;
    tx.query(REPORT).bind(session).bind(Json(report.clone())).execute().await?;
    tx.query(BEGAN).bind(session).bind(began_at).execute().await?;
    Ok(tx.commit().await?)
}

/// What was told about a session.
pub(crate) async fn report(db: &Db, session: SessionId) -> Result<Option<Report>> {
    const SQL: &str = "SELECT report FROM session_import WHERE session_id = $1";
    let row: Option<(Json<Report>,)> = db.read(SQL).bind(session).optional().await?;
    Ok(row.map(|(report,)| report.0))
}

/// Removes people who were copied for a session that did not come to be; not those whom
/// something else knows by now.
pub(crate) async fn remove_people(
    tx: &mut Tx,
    personas: &[PersonaId],
    characters: &[CharacterId],
) -> Result<()> {
    const PERSONAS: &str = "
        DELETE FROM persona
        WHERE id IN (..)
            AND NOT EXISTS (SELECT 1 FROM session s WHERE s.persona_id = persona.id)
            AND NOT EXISTS (SELECT 1 FROM message m WHERE m.author_persona_id = persona.id)";
    const CHARACTERS: &str = "
        DELETE FROM character
        WHERE id IN (..)
            AND NOT EXISTS (SELECT 1 FROM cast_member c WHERE c.character_id = character.id)
            AND NOT EXISTS (SELECT 1 FROM message m WHERE m.author_character_id = character.id)";
    if !personas.is_empty() {
        tx.query(PERSONAS).bind_list(personas).execute().await?;
    }
    if !characters.is_empty() {
        tx.query(CHARACTERS).bind_list(characters).execute().await?;
    }
    Ok(())
}
