//! SQL of the purge. Whatever erases takes a bounded batch and says how many rows went.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx, UserId};

use crate::{prompt::record::Runs, session::SessionId};

/// Sessions that have messages deleted before a moment.
pub(crate) async fn sessions_with_deleted(
    db: &Db,
    before: DateTime<Utc>,
) -> Result<Vec<SessionId>> {
    const SQL: &str = "SELECT DISTINCT session_id FROM message WHERE deleted_at < $1";
    let rows: Vec<(SessionId,)> = db.read(SQL).bind(before).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Sessions deleted before a moment.
pub(crate) async fn deleted_sessions(db: &Db, before: DateTime<Utc>) -> Result<Vec<SessionId>> {
    const SQL: &str = "SELECT id FROM session WHERE deleted_at < $1 ORDER BY deleted_at, id";
    let rows: Vec<(SessionId,)> = db.read(SQL).bind(before).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Whether a reply is being written in a session.
pub(crate) async fn writes(tx: &mut Tx, session: SessionId) -> Result<bool> {
    const SQL: &str = "SELECT count(*) FROM reply WHERE session_id = $1 AND finished_at IS NULL";
    let (count,): (i64,) = tx.query(SQL).bind(session).one().await?;
    Ok(count > 0)
}

/// Whether a reply is being written to a message that was deleted before a moment.
pub(crate) async fn writes_deleted(
    tx: &mut Tx,
    session: SessionId,
    before: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "
        SELECT count(*)
        FROM reply r
        JOIN message m ON m.id = r.message_id
        WHERE r.session_id = $1 AND r.finished_at IS NULL AND m.deleted_at < $2";
    let (count,): (i64,) = tx.query(SQL).bind(session).bind(before).one().await?;
    Ok(count > 0)
}

/// Erases the plans of prompts of messages of a locked session that were deleted before a moment.
pub(crate) async fn erase_deleted_plans(
    tx: &mut Tx,
    session: SessionId,
    before: DateTime<Utc>,
) -> Result<u64> {
    const SQL: &str = "
        DELETE FROM prompt_plan WHERE message_id IN (
            SELECT p.message_id
            FROM prompt_plan p
            JOIN message m ON m.id = p.message_id
            WHERE p.session_id = $1 AND m.deleted_at < $2
            LIMIT 200)";
    Ok(tx.query(SQL).bind(session).bind(before).execute().await?)
}

/// Erases the deepest messages of a locked session that were deleted before a moment.
///
/// What hangs below a deleted message was deleted no later, and is deeper: it goes before it or
/// with it.
pub(crate) async fn erase_deepest_deleted(
    tx: &mut Tx,
    session: SessionId,
    before: DateTime<Utc>,
) -> Result<u64> {
    const SQL: &str = "
        DELETE FROM message WHERE id IN (
            SELECT id FROM message
            WHERE session_id = $1 AND deleted_at < $2
            ORDER BY depth DESC
            LIMIT 200)";
    Ok(tx.query(SQL).bind(session).bind(before).execute().await?)
}

/// What those messages say and said.
pub(crate) async fn deepest_deleted_texts(
    tx: &mut Tx,
    session: SessionId,
    before: DateTime<Utc>,
) -> Result<Vec<String>> {
    const SQL: &str = "
        WITH deepest AS (
            SELECT id, content FROM message
            WHERE session_id = $1 AND deleted_at < $2
            ORDER BY depth DESC
            LIMIT 200)
        SELECT content FROM deepest
        UNION ALL
        SELECT r.content FROM message_revision r JOIN deepest d ON d.id = r.message_id";
    let rows: Vec<(String,)> = tx.query(SQL).bind(session).bind(before).all().await?;
    Ok(rows.into_iter().map(|(content,)| content).collect())
}

/// Lets no leaf of a locked session be the selected one.
pub(crate) async fn clear_head(tx: &mut Tx, session: SessionId) -> Result<()> {
    const SQL: &str = "UPDATE session SET head_id = NULL WHERE id = $1 AND head_id IS NOT NULL";
    tx.query(SQL).bind(session).execute().await?;
    Ok(())
}

/// Erases the deepest messages of a locked session, whatever they are.
pub(crate) async fn erase_deepest(tx: &mut Tx, session: SessionId) -> Result<u64> {
    const SQL: &str = "
        DELETE FROM message WHERE id IN (
            SELECT id FROM message WHERE session_id = $1 ORDER BY depth DESC LIMIT 200)";
    Ok(tx.query(SQL).bind(session).execute().await?)
}

/// Erases a session and the little that is left of it.
pub(crate) async fn erase_session(tx: &mut Tx, session: SessionId) -> Result<u64> {
    const SQL: &str = "DELETE FROM session WHERE id = $1";
    Ok(tx.query(SQL).bind(session).execute().await?)
}

/// What was deleted before a moment, and stands neither in `$place` nor over a message; with
/// what belongs to it.
macro_rules! unknown {
    ($noun:literal, $place:literal, $joined:literal) => {
        concat!(
            $noun,
            " d",
            $joined,
            "
                WHERE d.deleted_at < $1
                    AND NOT EXISTS (SELECT 1 FROM ",
            $place,
            " WHERE ",
            $noun,
            "_id = d.id)
                    AND NOT EXISTS (SELECT 1 FROM message WHERE author_",
            $noun,
            "_id = d.id)"
        )
    };
}

/// Erases some of those.
macro_rules! erase_unknown {
    ($noun:literal, $place:literal) => {
        concat!(
            "DELETE FROM ",
            $noun,
            " WHERE id IN (SELECT d.id FROM ",
            unknown!($noun, $place, ""),
            " LIMIT 200)"
        )
    };
}

/// Erases some of what is known of those.
macro_rules! erase_facts {
    ($noun:literal, $place:literal, $joined:literal) => {
        concat!(
            "DELETE FROM fact WHERE id IN (SELECT f.id FROM ",
            unknown!($noun, $place, $joined),
            " LIMIT 500)"
        )
    };
}

/// Erases facts of personas and characters that are about to be erased: one may have very many.
pub(crate) async fn erase_facts(db: &Db, before: DateTime<Utc>) -> Result<u64> {
    const PERSONAS: &str =
        erase_facts!("persona", "session", " JOIN fact f ON f.persona_id = d.id");
    const CHARACTERS: &str =
        erase_facts!("character", "cast_member", " JOIN fact f ON f.character_id = d.id");
    let erased = db.write(PERSONAS).bind(before).execute().await?;
    if erased > 0 {
        return Ok(erased);
    }
    Ok(db.write(CHARACTERS).bind(before).execute().await?)
}

/// Erases personas deleted before a moment that no session and no message knows.
pub(crate) async fn erase_personas(db: &Db, before: DateTime<Utc>) -> Result<u64> {
    Ok(db.write(erase_unknown!("persona", "session")).bind(before).execute().await?)
}

/// Erases characters deleted before a moment that no cast and no message knows.
pub(crate) async fn erase_characters(db: &Db, before: DateTime<Utc>) -> Result<u64> {
    Ok(db.write(erase_unknown!("character", "cast_member")).bind(before).execute().await?)
}

/// Lorebooks deleted before a moment that are attached to nothing.
macro_rules! unattached {
    () => {
        " lorebook d WHERE d.deleted_at < $1
            AND NOT EXISTS (SELECT 1 FROM lorebook_attachment WHERE lorebook_id = d.id)"
    };
}

/// Erases entries of such lorebooks: one may have very many.
pub(crate) async fn erase_lore(db: &Db, before: DateTime<Utc>) -> Result<u64> {
    const SQL: &str = concat!(
        "DELETE FROM lore_entry WHERE id IN (
            SELECT e.id FROM (SELECT d.id FROM",
        unattached!(),
        ") gone JOIN lore_entry e ON e.lorebook_id = gone.id LIMIT 200)"
    );
    Ok(db.write(SQL).bind(before).execute().await?)
}

/// Erases such lorebooks.
pub(crate) async fn erase_lorebooks(db: &Db, before: DateTime<Utc>) -> Result<u64> {
    const SQL: &str =
        concat!("DELETE FROM lorebook WHERE id IN (SELECT d.id FROM", unattached!(), " LIMIT 200)");
    Ok(db.write(SQL).bind(before).execute().await?)
}

/// Erases requests of clients from before a moment.
pub(crate) async fn erase_requests(db: &Db, before: DateTime<Utc>) -> Result<u64> {
    const SQL: &str = "
        DELETE FROM client_request WHERE (user_id, request_id) IN (
            SELECT user_id, request_id FROM client_request
            WHERE created_at < $1
            ORDER BY created_at
            LIMIT 500)";
    Ok(db.write(SQL).bind(before).execute().await?)
}

/// Sessions that store more than this many events, and their last sequence.
///
/// Looks once at each session that ever had so many; no index serves it.
pub(crate) async fn long_logs(db: &Db, keep: i64) -> Result<Vec<(SessionId, i64)>> {
    const SQL: &str = "
        SELECT s.id, s.last_sequence
        FROM session s
        WHERE s.last_sequence > $1 AND EXISTS (
            SELECT 1 FROM session_event e
            WHERE e.session_id = s.id AND e.sequence <= s.last_sequence - $1)";
    Ok(db.read(SQL).bind(keep).all().await?)
}

/// Erases the oldest events of a session up to a sequence.
pub(crate) async fn cut_log(db: &Db, session: SessionId, up_to: i64) -> Result<u64> {
    const SQL: &str = "
        DELETE FROM session_event
        WHERE session_id = $1 AND sequence <= $2 AND sequence < 500 + (
            SELECT min(sequence) FROM session_event WHERE session_id = $1)";
    Ok(db.write(SQL).bind(session).bind(up_to).execute().await?)
}

/// Which blocks each plan of a session refers to.
pub(crate) async fn plans(tx: &mut Tx, session: SessionId) -> Result<Vec<Runs>> {
    const SQL: &str = "SELECT plan ->> 'blocks' FROM prompt_plan WHERE session_id = $1";
    let rows: Vec<(String,)> = tx.query(SQL).bind(session).all().await?;
    Ok(rows.into_iter().map(|(runs,)| Runs::from_stored(runs)).collect())
}

/// Erases blocks of a locked session, except those that are used.
pub(crate) async fn erase_blocks(
    tx: &mut Tx,
    session: SessionId,
    used: &BTreeSet<i64>,
) -> Result<u64> {
    const ALL: &str = "SELECT number FROM prompt_block WHERE session_id = $1";
    const ERASE: &str = "DELETE FROM prompt_block WHERE session_id = $1 AND number IN (..)";
    let all: Vec<(i64,)> = tx.query(ALL).bind(session).all().await?;
    let unused = all.into_iter().map(|(number,)| number).filter(|number| !used.contains(number));
    let unused: Vec<i64> = unused.take(500).collect();
    Ok(tx.query(ERASE).bind(session).bind_list(&unused).execute().await?)
}

/// Players whose libraries tell of removals from before a moment.
pub(crate) async fn users_with_removals(db: &Db, before: DateTime<Utc>) -> Result<Vec<UserId>> {
    const SQL: &str = "SELECT DISTINCT user_id FROM library_change WHERE removed AND at < $1";
    let rows: Vec<(UserId,)> = db.read(SQL).bind(before).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Drops a player's removals from before a moment, and remembers how far they reached.
pub(crate) async fn forget_removals(
    tx: &mut Tx,
    user: UserId,
    before: DateTime<Utc>,
) -> Result<u64> {
    const REMEMBER: &str = "
        UPDATE library
        SET forgotten_sequence = coalesce((
            SELECT max(c.sequence) FROM library_change c
            WHERE c.user_id = $1 AND c.removed AND c.at < $2
                AND c.sequence > library.forgotten_sequence), forgotten_sequence)
        WHERE user_id = $1";
    const FORGET: &str = "
        DELETE FROM library_change WHERE user_id = $1 AND removed AND at < $2";
    tx.query(REMEMBER).bind(user).bind(before).execute().await?;
    Ok(tx.query(FORGET).bind(user).bind(before).execute().await?)
}
