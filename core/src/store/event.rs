//! SQL on the session's log.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx};
use sqlx::types::Json;

use crate::{
    events::{EventBody, SessionEvent},
    session::SessionId,
};

/// Appends events to the log of a locked session and notes its activity.
pub(crate) async fn append(
    tx: &mut Tx,
    session: SessionId,
    bodies: Vec<EventBody>,
    now: DateTime<Utc>,
) -> Result<Vec<SessionEvent>> {
    const NUMBER: &str = "
        UPDATE session SET last_sequence = last_sequence + $2, last_activity_at = $3
        WHERE id = $1
        RETURNING last_sequence";
    const INSERT: &str = "
        INSERT INTO session_event (session_id, sequence, body, at) VALUES ($1, $2, $3, $4)";
    let count = i64::try_from(bodies.len()).unwrap_or(i64::MAX);
    if count == 0 {
        return Ok(Vec::new());
    }
    let number = tx.query(NUMBER).bind(session).bind(count).bind(now);
    let (last,): (i64,) = number.one().await?;
    let mut events = Vec::with_capacity(bodies.len());
    for (sequence, body) in (last - count + 1..).zip(bodies) {
        let insert = tx.query(INSERT).bind(session).bind(sequence);
        insert.bind(Json(body.clone())).bind(now).execute().await?;
        events.push(SessionEvent { session_id: session, sequence, body: Json(body), at: now });
    }
    Ok(events)
}

/// The log after a sequence, in order.
pub(crate) async fn after(
    db: &Db,
    session: SessionId,
    sequence: i64,
    limit: i64,
) -> Result<Vec<SessionEvent>> {
    const SQL: &str = "
        SELECT session_id, sequence, body, at
        FROM session_event
        WHERE session_id = $1 AND sequence > $2
        ORDER BY sequence
        LIMIT $3";
    Ok(db.read(SQL).bind(session).bind(sequence).bind(limit).all().await?)
}
