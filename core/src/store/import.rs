//! SQL on sessions that came from files.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx};
use sqlx::types::Json;

use crate::{
    character::CharacterId,
    library::LibraryNode,
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
/// something else knows by now. Gives those who are gone.
pub(crate) async fn remove_people(
    tx: &mut Tx,
    personas: &[PersonaId],
    characters: &[CharacterId],
) -> Result<Vec<LibraryNode>> {
    const PERSONAS: &str = "
        DELETE FROM persona
        WHERE id IN (..)
            AND NOT EXISTS (SELECT 1 FROM session s WHERE s.persona_id = persona.id)
            AND NOT EXISTS (SELECT 1 FROM message m WHERE m.author_persona_id = persona.id)
        RETURNING id";
    const CHARACTERS: &str = "
        DELETE FROM character
        WHERE id IN (..)
            AND NOT EXISTS (SELECT 1 FROM cast_member c WHERE c.character_id = character.id)
            AND NOT EXISTS (SELECT 1 FROM message m WHERE m.author_character_id = character.id)
        RETURNING id";
    let mut gone = Vec::new();
    if !personas.is_empty() {
        let rows: Vec<(PersonaId,)> = tx.query(PERSONAS).bind_list(personas).all().await?;
        gone.extend(rows.into_iter().map(|(id,)| LibraryNode::from(id)));
    }
    if !characters.is_empty() {
        let rows: Vec<(CharacterId,)> = tx.query(CHARACTERS).bind_list(characters).all().await?;
        gone.extend(rows.into_iter().map(|(id,)| LibraryNode::from(id)));
    }
    Ok(gone)
}
