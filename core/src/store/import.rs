//! SQL on sessions that came from files.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result};
use sqlx::types::Json;

use crate::session::{SessionId, import::Report};

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
