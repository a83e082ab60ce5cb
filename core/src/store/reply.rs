//! SQL on replies: the jobs by which models write messages.
//!
//! Every write to a running reply is fenced by the process that holds its
//! lease and by the attempt, so that a process that was away too long cannot
//! overwrite what another one did since.

use chrono::{DateTime, Utc};
use skald_base::{Db, Dialect, Result, Tx, UserId, db::Source};
use uuid::Uuid;

use crate::{
    session::SessionId,
    tree::MessageId,
    turn::{Ending, Reply, flush::LEASE_MILLIS, recovery::Abandoned, reply::Draft},
};

macro_rules! columns {
    () => {
        "message_id, session_id, user_id, job, model, attempt, stage, leased_by, stop_requested, \
         draft_content, draft_thought, failure_code, failure_message, retry_at, finish_reason, \
         prompt_tokens, cached_tokens, output_tokens, thought_tokens, cost, created_at, first_text_at, \
         finished_at"
    };
}

/// Milliseconds since 1970 on the database's clock, which all processes share.
pub(crate) async fn now_millis(source: &mut impl Source) -> Result<i64> {
    const SQLITE: &str = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    const POSTGRES: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    let sql = match source.dialect() {
        Dialect::Sqlite => SQLITE,
        Dialect::Postgres => POSTGRES,
    };
    let (now,): (i64,) = source.sql(sql).one().await?;
    Ok(now)
}

pub(crate) async fn insert(tx: &mut Tx, reply: &Reply) -> Result<()> {
    const SQL: &str = "
        INSERT INTO reply (message_id, session_id, user_id, job, model, attempt, stage, leased_by,
            leased_until, stop_requested, draft_content, draft_thought, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, FALSE, $10, '', $11)";
    let until = now_millis(tx).await? + LEASE_MILLIS;
    tx.query(SQL)
        .bind(reply.message_id)
        .bind(reply.session_id)
        .bind(reply.user_id)
        .bind(reply.job.clone())
        .bind(reply.model.clone())
        .bind(reply.attempt)
        .bind(reply.stage)
        .bind(reply.leased_by)
        .bind(until)
        .bind(reply.draft_content.clone())
        .bind(reply.created_at)
        .execute()
        .await?;
    Ok(())
}

pub(crate) async fn find(source: &mut impl Source, id: MessageId) -> Result<Option<Reply>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM reply WHERE message_id = $1");
    Ok(source.sql(SQL).bind(id).optional().await?)
}

/// For a `DataLoader`.
pub(crate) async fn by_ids(db: &Db, ids: &[MessageId]) -> Result<Vec<Reply>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM reply WHERE message_id IN (..)");
    Ok(db.read(SQL).bind_list(ids).all().await?)
}

/// How many replies run for this user, and in this session.
pub(crate) async fn count_running(
    tx: &mut Tx,
    user: UserId,
    session: SessionId,
) -> Result<(i64, i64)> {
    const SQL: &str = "
        SELECT
            (SELECT count(*) FROM reply WHERE user_id = $1 AND finished_at IS NULL),
            (SELECT count(*) FROM reply WHERE session_id = $2 AND finished_at IS NULL)";
    Ok(tx.query(SQL).bind(user).bind(session).one().await?)
}

/// The running replies of these sessions.
pub(crate) async fn running_in(
    db: &Db,
    sessions: &[SessionId],
) -> Result<Vec<(SessionId, MessageId)>> {
    const SQL: &str = "
        SELECT session_id, message_id
        FROM reply
        WHERE session_id IN (..) AND finished_at IS NULL
        ORDER BY message_id";
    Ok(db.read(SQL).bind_list(sessions).all().await?)
}

/// The running replies of all sessions a user takes part in.
pub(crate) async fn running_for(db: &Db, user: UserId) -> Result<Vec<MessageId>> {
    const SQL: &str = "
        SELECT r.message_id
        FROM reply r
        JOIN session_participant p ON p.session_id = r.session_id AND p.user_id = $1
        WHERE r.finished_at IS NULL
        ORDER BY r.message_id";
    let rows: Vec<(MessageId,)> = db.read(SQL).bind(user).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// What became of a draft that was to be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// It is saved, and the lease renewed.
    Saved {
        /// Whether somebody asked to stop the reply.
        stop_requested: bool,
    },
    /// The reply ended, or went on to another attempt, since the draft was copied.
    Late,
    /// Another process has taken the reply over.
    Lost,
}

/// Locks those of these replies that nobody else has locked; which ones.
pub(crate) async fn lock_free(tx: &mut Tx, ids: &[MessageId]) -> Result<Vec<MessageId>> {
    const SQLITE: &str = "SELECT message_id FROM reply WHERE message_id IN (..)";
    const POSTGRES: &str =
        "SELECT message_id FROM reply WHERE message_id IN (..) FOR UPDATE SKIP LOCKED";
    let sql = tx.pick(SQLITE, POSTGRES);
    let rows: Vec<(MessageId,)> = tx.query(sql).bind_list(ids).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Saves a draft and renews the lease.
///
/// The message's own row is written once, at the end: nothing that is indexed
/// changes four times a second.
pub(crate) async fn flush(
    tx: &mut Tx,
    (id, process): (MessageId, Uuid),
    draft: &Draft,
    until: i64,
) -> Result<Flushed> {
    const SQL: &str = "
        UPDATE reply
        SET draft_content = $4, draft_thought = $5, stage = $6, leased_until = $7,
            failure_code = $8, failure_message = $9, retry_at = $10, first_text_at = $11
        WHERE message_id = $1 AND leased_by = $2 AND attempt = $3 AND finished_at IS NULL
        RETURNING stop_requested";
    const IS_OURS: &str = "SELECT count(*) FROM reply WHERE message_id = $1 AND leased_by = $2";
    let row: Option<(bool,)> = tx
        .query(SQL)
        .bind(id)
        .bind(process)
        .bind(draft.attempt)
        .bind(draft.content.as_str().to_owned())
        .bind(draft.thought.as_str().to_owned())
        .bind(draft.stage)
        .bind(until)
        .bind(draft.failure.as_ref().map(|failure| failure.code))
        .bind(draft.failure.as_ref().map(|failure| failure.message.clone()))
        .bind(draft.retry_at)
        .bind(draft.first_text_at)
        .optional()
        .await?;
    if let Some((stop_requested,)) = row {
        return Ok(Flushed::Saved { stop_requested });
    }
    let (ours,): (i64,) = tx.query(IS_OURS).bind(id).bind(process).one().await?;
    Ok(if ours == 1 { Flushed::Late } else { Flushed::Lost })
}

/// Begins the next attempt, with this model; false if another process has the reply.
///
/// The draft is what the reply goes on from, which is the text of its message.
pub(crate) async fn next_attempt(
    tx: &mut Tx,
    reply: &Reply,
    process: Uuid,
    model: &str,
) -> Result<bool> {
    const SQL: &str = "
        UPDATE reply
        SET attempt = attempt + 1, stage = 'RECALLING', draft_thought = '',
            draft_content = (SELECT content FROM message WHERE id = message_id),
            failure_code = NULL, failure_message = NULL, retry_at = NULL, model = $4
        WHERE message_id = $1 AND leased_by = $2 AND attempt = $3 AND finished_at IS NULL";
    let query = tx.query(SQL).bind(reply.message_id).bind(process).bind(reply.attempt);
    Ok(query.bind(model.to_owned()).execute().await? == 1)
}

/// Begins a failed reply again: `again` with its next attempt; false if it has begun already.
pub(crate) async fn begin_again(tx: &mut Tx, again: &Reply) -> Result<bool> {
    const SQL: &str = "
        UPDATE reply
        SET attempt = $2, user_id = $3, model = $4, leased_by = $5, leased_until = $6,
            draft_content = $7, stage = 'RECALLING', stop_requested = FALSE, draft_thought = '',
            failure_code = NULL, failure_message = NULL, retry_at = NULL, finish_reason = NULL,
            prompt_tokens = NULL, cached_tokens = NULL, output_tokens = NULL,
            thought_tokens = NULL, cost = NULL, first_text_at = NULL, finished_at = NULL
        WHERE message_id = $1 AND attempt = $2 - 1 AND finished_at IS NOT NULL";
    let until = now_millis(tx).await? + LEASE_MILLIS;
    let query = tx.query(SQL).bind(again.message_id).bind(again.attempt).bind(again.user_id);
    let query = query.bind(again.model.clone()).bind(again.leased_by).bind(until);
    Ok(query.bind(again.draft_content.clone()).execute().await? == 1)
}

/// Stores how a reply ended; false if another process has it.
pub(crate) async fn finish(
    tx: &mut Tx,
    reply: &Reply,
    process: Uuid,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "
        UPDATE reply
        SET draft_content = '', draft_thought = '', finish_reason = $4, failure_code = $5,
            failure_message = $6, prompt_tokens = $7, cached_tokens = $8, output_tokens = $9,
            thought_tokens = $10, finished_at = $11, stage = $12, retry_at = $15,
            first_text_at = $13, cost = $14
        WHERE message_id = $1 AND leased_by = $2 AND attempt = $3 AND finished_at IS NULL";
    let usage = ending.usage;
    let changed = tx
        .query(SQL)
        .bind(reply.message_id)
        .bind(process)
        .bind(reply.attempt)
        .bind(ending.finish_reason)
        .bind(ending.failure.as_ref().map(|failure| failure.code))
        .bind(ending.failure.as_ref().map(|failure| failure.message.clone()))
        .bind(usage.map(|usage| i64::from(usage.prompt)))
        .bind(usage.map(|usage| i64::from(usage.cached)))
        .bind(usage.map(|usage| i64::from(usage.output)))
        .bind(usage.map(|usage| i64::from(usage.thought)))
        .bind(now)
        .bind(ending.stage)
        .bind(ending.first_text_at)
        .bind(ending.cost)
        .bind(ending.retry_at)
        .execute()
        .await?;
    Ok(changed == 1)
}

/// Asks for a stop, whichever process writes.
pub(crate) async fn request_stop(tx: &mut Tx, id: MessageId) -> Result<()> {
    const SQL: &str = "
        UPDATE reply SET stop_requested = TRUE WHERE message_id = $1 AND finished_at IS NULL";
    tx.query(SQL).bind(id).execute().await?;
    Ok(())
}

/// Asks all replies of a session to stop; which ones.
pub(crate) async fn request_stop_in_session(
    tx: &mut Tx,
    session: SessionId,
) -> Result<Vec<MessageId>> {
    const SQL: &str = "
        UPDATE reply SET stop_requested = TRUE
        WHERE session_id = $1 AND finished_at IS NULL
        RETURNING message_id";
    let rows: Vec<(MessageId,)> = tx.query(SQL).bind(session).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Asks the replies that one deletion took to stop; which ones.
pub(crate) async fn request_stop_deleted(
    tx: &mut Tx,
    session: SessionId,
    deletion: Uuid,
) -> Result<Vec<MessageId>> {
    const SQL: &str = "
        UPDATE reply SET stop_requested = TRUE
        WHERE session_id = $1 AND finished_at IS NULL
            AND message_id IN (SELECT id FROM message WHERE deletion_id = $2)
        RETURNING message_id";
    let rows: Vec<(MessageId,)> = tx.query(SQL).bind(session).bind(deletion).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The replies that nobody writes any more.
pub(crate) async fn abandoned(db: &Db, which: Abandoned) -> Result<Vec<MessageId>> {
    const SQL: &str = "
        SELECT message_id FROM reply
        WHERE finished_at IS NULL AND leased_until < $1
        ORDER BY message_id";
    let before = expired_before(db, which).await?;
    let rows: Vec<(MessageId,)> = db.read(SQL).bind(before).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Takes an abandoned reply over; none if somebody else was quicker.
pub(crate) async fn take_over(
    db: &Db,
    id: MessageId,
    process: Uuid,
    which: Abandoned,
) -> Result<Option<Reply>> {
    const SQL: &str = concat!(
        "UPDATE reply SET leased_by = $2, leased_until = $3
         WHERE message_id = $1 AND finished_at IS NULL AND leased_until < $4
         RETURNING ",
        columns!()
    );
    let before = expired_before(db, which).await?;
    let until = now_millis(&mut db.reader()).await? + LEASE_MILLIS;
    let query = db.write(SQL).bind(id).bind(process).bind(until);
    Ok(query.bind(before).optional().await?)
}

async fn expired_before(db: &Db, which: Abandoned) -> Result<i64> {
    match which {
        Abandoned::All => Ok(i64::MAX),
        Abandoned::Expired => now_millis(&mut db.reader()).await,
    }
}
