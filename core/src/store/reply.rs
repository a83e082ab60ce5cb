//! SQL on replies: the jobs by which models write messages.
//!
//! Every write to a running reply is fenced by the process that holds its
//! lease and by the attempt, so that a process that was away too long cannot
//! overwrite what another one did since.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use skald_base::{
    Db, Dialect, Result, Tx, UserId,
    db::{Query, Source, by_powers},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    session::SessionId,
    tree::MessageId,
    turn::{Ending, Failure, Reply, Stage, flush::LEASE_MILLIS, recovery::Abandoned},
};

macro_rules! columns {
    () => {
        "message_id, session_id, user_id, job, model, attempt, stage, leased_by, stop_requested, \
         draft_content, draft_thought, failure_code, failure_message, retry_at, finish_reason, \
         prompt_tokens, cached_tokens, output_tokens, thought_tokens, cost, created_at, first_text_at, \
         finished_at"
    };
}

macro_rules! now_sqlite {
    () => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
}

macro_rules! now_postgres {
    () => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
}

/// Milliseconds since 1970 on the database's clock, which all processes share.
pub(crate) async fn now_millis(source: &mut impl Source) -> Result<i64> {
    const SQLITE: &str = concat!("SELECT ", now_sqlite!());
    const POSTGRES: &str = concat!("SELECT ", now_postgres!());
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

/// Stores replies of messages that were written elsewhere: they have ended.
pub(crate) async fn insert_ended(tx: &mut Tx, replies: &[Reply]) -> Result<()> {
    const SQL: &str = "
        INSERT INTO reply (message_id, session_id, user_id, job, model, attempt, stage, leased_by,
            leased_until, stop_requested, draft_content, draft_thought, failure_code,
            failure_message, retry_at, finish_reason, prompt_tokens, cached_tokens, output_tokens,
            thought_tokens, cost, created_at, first_text_at, finished_at)
        VALUES (..)";
    for some in by_powers(replies) {
        tx.query(SQL).bind_rows(24, some, bind_row).execute().await?;
    }
    Ok(())
}

fn bind_row<'c>(query: Query<'c>, reply: &Reply) -> Query<'c> {
    query
        .bind(reply.message_id)
        .bind(reply.session_id)
        .bind(reply.user_id)
        .bind(reply.job.clone())
        .bind(reply.model.clone())
        .bind(reply.attempt)
        .bind(reply.stage)
        .bind(None::<Uuid>)
        .bind(0_i64)
        .bind(false)
        .bind("")
        .bind("")
        .bind(reply.failure_code)
        .bind(reply.failure_message.clone())
        .bind(reply.retry_at)
        .bind(reply.finish_reason)
        .bind(reply.prompt_tokens)
        .bind(reply.cached_tokens)
        .bind(reply.output_tokens)
        .bind(reply.thought_tokens)
        .bind(reply.cost)
        .bind(reply.created_at)
        .bind(reply.first_text_at)
        .bind(reply.finished_at.unwrap_or(reply.created_at))
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
    /// The reply ended, went on to another attempt, or is held by somebody for a moment.
    Late,
    /// Another process has taken the reply over.
    Lost,
}

/// What of a draft is stored while it grows.
#[derive(Clone, Debug)]
pub(crate) struct DraftCopy {
    pub(crate) id: MessageId,
    pub(crate) attempt: i64,
    pub(crate) stage: Stage,
    /// Text and thought; none if they are stored already.
    pub(crate) texts: Option<(String, String)>,
    pub(crate) failure: Option<Failure>,
    pub(crate) retry_at: Option<DateTime<Utc>>,
    pub(crate) first_text_at: Option<DateTime<Utc>>,
}

/// Replies that one statement saves: SQLite takes 32,766 values, nine of each reply.
const SAVED_AT_ONCE: usize = 1024;

/// Saves drafts and renews their leases; what became of each, in their order.
///
/// The messages' own rows are written once, at the end: nothing that is indexed
/// changes four times a second.
pub(crate) async fn flush(mut tx: Tx, process: Uuid, drafts: &[DraftCopy]) -> Result<Vec<Flushed>> {
    let mut outcomes = Vec::with_capacity(drafts.len());
    for drafts in drafts.chunks(SAVED_AT_ONCE) {
        let saved = save(&mut tx, process, drafts).await?;
        let held = |draft: &&DraftCopy| !saved.contains_key(&draft.id);
        let others: Vec<MessageId> = drafts.iter().filter(held).map(|draft| draft.id).collect();
        let ours = match others.as_slice() {
            [] => HashSet::new(),
            others => ours(&mut tx, process, others).await?,
        };
        outcomes.extend(drafts.iter().map(|draft| match saved.get(&draft.id) {
            Some(stop_requested) => Flushed::Saved { stop_requested: *stop_requested },
            None if ours.contains(&draft.id) => Flushed::Late,
            None => Flushed::Lost,
        }));
    }
    tx.commit().await?;
    Ok(outcomes)
}

/// Saves these drafts in one statement; whose they are, and who was asked to stop.
async fn save(
    tx: &mut Tx,
    process: Uuid,
    drafts: &[DraftCopy],
) -> Result<HashMap<MessageId, bool>> {
    // A deletion locks replies too, in an order of its own: what somebody holds is left out, so
    // that the two never wait for each other.
    const FREE: &str = ", free AS (
            SELECT message_id FROM reply
            WHERE message_id IN (SELECT id FROM work)
            FOR UPDATE SKIP LOCKED)";
    const IS_FREE: &str = "AND message_id IN (SELECT message_id FROM free)";
    let (now, free, is_free) = match tx.dialect() {
        Dialect::Sqlite => (now_sqlite!(), "", ""),
        Dialect::Postgres => (now_postgres!(), FREE, IS_FREE),
    };
    let rows = drafts.len().next_power_of_two();
    // Only constants and `$n` placeholders are put together.
    let mut query = tx.query(AssertSqlSafe(format!(
        "WITH work (id, attempt, stage, content, thought, code, message, retry_at, first_text_at)
             AS (VALUES {values}){free}
         UPDATE reply
         SET leased_until = {now} + {LEASE_MILLIS}, stage = work.stage,
             draft_content = COALESCE(work.content, draft_content),
             draft_thought = COALESCE(work.thought, draft_thought), failure_code = work.code,
             failure_message = work.message, retry_at = work.retry_at,
             first_text_at = work.first_text_at
         FROM work
         WHERE message_id = work.id AND leased_by = $1 AND reply.attempt = work.attempt
             AND finished_at IS NULL {is_free}
         RETURNING message_id, stop_requested",
        values = places(rows, 9, 2),
    )));
    query = query.bind(process);
    // Filled up with the last one, so that the statement cache sees few lengths.
    for draft in drafts.iter().chain(drafts.last().into_iter().cycle()).take(rows) {
        let (content, thought) = draft.texts.clone().unzip();
        let (code, message) =
            draft.failure.as_ref().map(|failure| (failure.code, failure.message.clone())).unzip();
        query = query.bind(draft.id).bind(draft.attempt).bind(draft.stage);
        query = query.bind(content).bind(thought).bind(code).bind(message);
        query = query.bind(draft.retry_at).bind(draft.first_text_at);
    }
    let saved: Vec<(MessageId, bool)> = query.all().await?;
    Ok(saved.into_iter().collect())
}

/// Which of these replies this process still holds.
async fn ours(tx: &mut Tx, process: Uuid, ids: &[MessageId]) -> Result<HashSet<MessageId>> {
    const SQL: &str = "SELECT message_id FROM reply WHERE leased_by = $1 AND message_id IN (..)";
    let rows: Vec<(MessageId,)> = tx.query(SQL).bind(process).bind_list(ids).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// `($2, $3), ($4, $5)`: rows of placeholders, numbered from `first`.
fn places(rows: usize, columns: usize, first: usize) -> String {
    let row = |row: usize| {
        let from = first + row * columns;
        let row: Vec<String> = (from..from + columns).map(|n| format!("${n}")).collect();
        format!("({})", row.join(","))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(",")
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
            draft_content = $7, job = $8, taken_up = 0, stage = 'RECALLING', stop_requested = FALSE, draft_thought = '',
            failure_code = NULL, failure_message = NULL, retry_at = NULL, finish_reason = NULL,
            prompt_tokens = NULL, cached_tokens = NULL, output_tokens = NULL,
            thought_tokens = NULL, cost = NULL, first_text_at = NULL, finished_at = NULL
        WHERE message_id = $1 AND attempt = $2 - 1 AND finished_at IS NOT NULL";
    let until = now_millis(tx).await? + LEASE_MILLIS;
    let query = tx.query(SQL).bind(again.message_id).bind(again.attempt).bind(again.user_id);
    let query = query.bind(again.model.clone()).bind(again.leased_by).bind(until);
    let query = query.bind(again.draft_content.clone()).bind(again.job.clone());
    Ok(query.execute().await? == 1)
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

/// A reply that was abandoned and is ours now.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct TakenOver {
    #[sqlx(flatten)]
    pub(crate) reply: Reply,
    /// How often its writer was gone since somebody asked for it.
    pub(crate) taken_up: i64,
}

/// Leaves a reply to whoever finds it: its writer goes, in order.
pub(crate) async fn release(db: &Db, reply: &Reply, process: Uuid) -> Result<()> {
    const SQL: &str = "
        UPDATE reply SET leased_by = NULL, leased_until = 0
        WHERE message_id = $1 AND leased_by = $2 AND attempt = $3 AND finished_at IS NULL";
    let query = db.write(SQL).bind(reply.message_id).bind(process).bind(reply.attempt);
    query.execute().await?;
    Ok(())
}

/// Takes an abandoned reply over; none if somebody else was quicker.
pub(crate) async fn take_over(
    db: &Db,
    id: MessageId,
    process: Uuid,
    which: Abandoned,
) -> Result<Option<TakenOver>> {
    const SQL: &str = concat!(
        "UPDATE reply
         SET leased_by = $2, leased_until = $3,
             taken_up = taken_up + CASE WHEN leased_by IS NULL THEN 0 ELSE 1 END
         WHERE message_id = $1 AND finished_at IS NULL AND leased_until < $4
         RETURNING taken_up, ",
        columns!()
    );
    let before = expired_before(db, which).await?;
    let until = now_millis(&mut db.reader()).await? + LEASE_MILLIS;
    let query = db.write(SQL).bind(id).bind(process).bind(until);
    Ok(query.bind(before).optional().await?)
}

/// Leases that end before this moment have expired.
pub(crate) async fn expired_before(db: &Db, which: Abandoned) -> Result<i64> {
    match which {
        Abandoned::All => Ok(i64::MAX),
        Abandoned::Expired => now_millis(&mut db.reader()).await,
    }
}
