//! SQL on sessions that are being made out of messages from elsewhere.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx, UserId, db::by_powers};
use uuid::Uuid;

use super::reply::{expired_before, now_millis};
use crate::{
    request::Claim,
    session::{SessionId, graft::LEASE_MILLIS},
    tree::MessageId,
    turn::recovery::Abandoned,
};

/// A text that a message had before.
#[derive(Clone, Debug)]
pub(crate) struct OldText {
    pub(crate) message_id: MessageId,
    pub(crate) revision: i64,
    pub(crate) content: String,
    pub(crate) created_at: DateTime<Utc>,
}

/// A leaf that was visited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    pub(crate) leaf_id: MessageId,
    /// The topmost message that leads to it.
    pub(crate) top_id: MessageId,
    pub(crate) visited_at: DateTime<Utc>,
}

/// Notes that this process makes the session.
pub(crate) async fn insert(
    tx: &mut Tx,
    session: SessionId,
    claim: &Claim,
    process: Uuid,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO session_graft (session_id, user_id, request_id, leased_by, leased_until)
        VALUES ($1, $2, $3, $4, $5)";
    let until = now_millis(tx).await? + LEASE_MILLIS;
    let query = tx.query(SQL).bind(session).bind(claim.user);
    let query = query.bind(claim.request.as_str().to_owned()).bind(process).bind(until);
    query.execute().await?;
    Ok(())
}

/// Renews the lease; false if another process has taken the session over.
pub(crate) async fn renew(tx: &mut Tx, session: SessionId, process: Uuid) -> Result<bool> {
    const SQL: &str = "
        UPDATE session_graft SET leased_until = $3 WHERE session_id = $1 AND leased_by = $2";
    let until = now_millis(tx).await? + LEASE_MILLIS;
    Ok(tx.query(SQL).bind(session).bind(process).bind(until).execute().await? == 1)
}

/// Whether the session is still being made.
pub(crate) async fn is_growing(tx: &mut Tx, session: SessionId) -> Result<bool> {
    const SQL: &str = "SELECT count(*) FROM session_graft WHERE session_id = $1";
    let (count,): (i64,) = tx.query(SQL).bind(session).one().await?;
    Ok(count > 0)
}

/// How many sessions are being made for a user.
pub(crate) async fn count(tx: &mut Tx, user: UserId) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM session_graft WHERE user_id = $1";
    let (count,): (i64,) = tx.query(SQL).bind(user).one().await?;
    Ok(count)
}

/// The session is whole: nothing is left to do.
pub(crate) async fn finish(tx: &mut Tx, session: SessionId) -> Result<()> {
    const SQL: &str = "DELETE FROM session_graft WHERE session_id = $1";
    tx.query(SQL).bind(session).execute().await?;
    Ok(())
}

/// Stores what messages said before.
pub(crate) async fn insert_revisions(tx: &mut Tx, texts: &[OldText]) -> Result<()> {
    const SQL: &str = "
        INSERT INTO message_revision (message_id, revision, content, created_at) VALUES (..)";
    for some in by_powers(texts) {
        let insert = tx.query(SQL).bind_rows(4, some, |query, text| {
            let query = query.bind(text.message_id).bind(text.revision);
            query.bind(text.content.clone()).bind(text.created_at)
        });
        insert.execute().await?;
    }
    Ok(())
}

/// Stores the leaves that were visited beside the head, and who leads to them.
pub(crate) async fn insert_tips(tx: &mut Tx, session: SessionId, tips: &[Tip]) -> Result<()> {
    const SQL: &str = "
        INSERT INTO branch_tip (session_id, leaf_id, top_id, visited_at)
        VALUES (..)";
    for some in by_powers(tips) {
        let insert = tx.query(SQL).bind_rows(4, some, |query, tip| {
            query.bind(session).bind(tip.leaf_id).bind(tip.top_id).bind(tip.visited_at)
        });
        insert.execute().await?;
    }
    Ok(())
}

/// The sessions whose making nobody goes on with.
pub(crate) async fn abandoned(db: &Db, which: Abandoned) -> Result<Vec<SessionId>> {
    const SQL: &str = "
        SELECT session_id FROM session_graft WHERE leased_until < $1 ORDER BY session_id";
    let before = expired_before(db, which).await?;
    let rows: Vec<(SessionId,)> = db.read(SQL).bind(before).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Takes an abandoned one over; false if somebody else was quicker.
pub(crate) async fn take_over(
    db: &Db,
    session: SessionId,
    process: Uuid,
    which: Abandoned,
) -> Result<bool> {
    const SQL: &str = "
        UPDATE session_graft SET leased_by = $2, leased_until = $3
        WHERE session_id = $1 AND leased_until < $4";
    let before = expired_before(db, which).await?;
    let until = now_millis(&mut db.reader()).await? + LEASE_MILLIS;
    let query = db.write(SQL).bind(session).bind(process).bind(until).bind(before);
    Ok(query.execute().await? == 1)
}

/// Removes some of the messages of a session that nobody saw, the lowest first; how many.
pub(crate) async fn remove_some(tx: &mut Tx, session: SessionId, limit: i64) -> Result<u64> {
    // Children are newer than their parents here, which is what this order needs.
    const SQL: &str = "
        DELETE FROM message WHERE id IN (
            SELECT id FROM message
            WHERE session_id = $1
            ORDER BY created_at DESC, id DESC
            LIMIT $2)";
    Ok(tx.query(SQL).bind(session).bind(limit).execute().await?)
}

/// Removes the session itself and frees the request that asked for it.
pub(crate) async fn remove_rest(tx: &mut Tx, session: SessionId) -> Result<()> {
    const REQUEST: &str = "
        DELETE FROM client_request
        WHERE (user_id, request_id) IN (
            SELECT user_id, request_id FROM session_graft WHERE session_id = $1)";
    const SESSION: &str = "DELETE FROM session WHERE id = $1";
    tx.query(REQUEST).bind(session).execute().await?;
    tx.query(SESSION).bind(session).execute().await?;
    Ok(())
}
