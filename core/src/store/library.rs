//! SQL on the log of libraries: one row for each node, its last change.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx, UserId};

use crate::library::{Change, LibraryChange, LibraryEnds, LibraryNode};

/// Numbers and stores changes of one player; the last number. Locks the player's row.
pub(crate) async fn append(
    tx: &mut Tx,
    user: UserId,
    changes: &[(LibraryNode, Change)],
    now: DateTime<Utc>,
) -> Result<i64> {
    const NUMBER: &str = "
        INSERT INTO library (user_id, last_sequence, forgotten_sequence) VALUES ($1, $2, 0)
        ON CONFLICT (user_id) DO UPDATE
        SET last_sequence = library.last_sequence + excluded.last_sequence
        RETURNING last_sequence";
    const STORE: &str = "
        INSERT INTO library_change (user_id, node_kind, node_id, sequence, added_sequence,
            removed, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (user_id, node_kind, node_id) DO UPDATE
        SET sequence = excluded.sequence, removed = excluded.removed, at = excluded.at,
            added_sequence = CASE WHEN excluded.added_sequence > 0
                THEN excluded.added_sequence ELSE library_change.added_sequence END";
    let count = i64::try_from(changes.len()).unwrap_or(i64::MAX);
    let (last,): (i64,) = tx.query(NUMBER).bind(user).bind(count).one().await?;
    for (sequence, (node, change)) in (last - count + 1..).zip(changes) {
        let added = if *change == Change::Added { sequence } else { 0 };
        let query = tx.query(STORE).bind(user).bind(node.kind).bind(node.id).bind(sequence);
        query.bind(added).bind(*change == Change::Removed).bind(now).execute().await?;
    }
    Ok(last)
}

/// Where a player's log ends, and what was dropped from it.
pub(crate) async fn ends(db: &Db, user: UserId) -> Result<LibraryEnds> {
    const SQL: &str = "SELECT last_sequence, forgotten_sequence FROM library WHERE user_id = $1";
    let found: Option<LibraryEnds> = db.read(SQL).bind(user).optional().await?;
    Ok(found.unwrap_or_default())
}

/// What changed after a number, in order.
pub(crate) async fn after(
    db: &Db,
    user: UserId,
    sequence: i64,
    limit: i64,
) -> Result<Vec<LibraryChange>> {
    const SQL: &str = "
        SELECT node_kind, node_id, sequence, added_sequence, removed, at
        FROM library_change
        WHERE user_id = $1 AND sequence > $2
        ORDER BY sequence
        LIMIT $3";
    Ok(db.read(SQL).bind(user).bind(sequence).bind(limit).all().await?)
}
