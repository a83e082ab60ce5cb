//! The purge: what was deleted long ago is erased, and logs are cut.
//!
//! Everything goes in small batches, each a short transaction of its own,
//! because SQLite has one writer and players are writing. What a batch erases it
//! finds anew under the lock of its session, so several processes may purge at
//! once, and a restoration that came before keeps what it brought back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use skald_base::{Error, Result, Tx};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    app::{App, Limits},
    embedding::{Scope, TextHash},
    memory,
    prompt::record::Runs,
    session::SessionId,
    store::{embedding, purge as store},
};

/// How often the purge runs.
const EVERY: Duration = Duration::from_hours(1);

/// So much later than it can no longer be restored a thing is erased: the clocks of two
/// processes may differ, and no restoration may come between two batches.
const MARGIN: TimeDelta = TimeDelta::minutes(10);

/// What one run erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Messages, those of erased sessions too.
    pub messages: u64,
    /// Sessions.
    pub sessions: u64,
    /// Personas and characters.
    pub cards: u64,
    /// Facts of personas and characters that were erased.
    pub facts: u64,
    /// Lorebooks.
    pub lorebooks: u64,
    /// Entries of lorebooks that were erased.
    pub entries: u64,
    /// Requests of clients.
    pub requests: u64,
    /// Events of sessions.
    pub events: u64,
    /// Blocks of prompts.
    pub blocks: u64,
    /// Removals in the logs of libraries.
    pub removals: u64,
    /// Vectors of texts.
    pub vectors: u64,
}

impl Limits {
    /// What was deleted before this moment cannot be restored; none if all can.
    pub fn restorable_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let days = i64::from(self.purge_after_days);
        (days > 0).then(|| now - TimeDelta::days(days))
    }
}

/// Refuses to restore what was deleted too long ago: it may be half erased.
pub fn check_restorable(
    app: &App,
    deleted_at: Option<DateTime<Utc>>,
    missing: impl FnOnce() -> Error,
) -> Result<()> {
    match (deleted_at, app.limits.restorable_since(app.clock.now())) {
        (Some(deleted_at), Some(since)) if deleted_at < since => Err(missing()),
        _ => Ok(()),
    }
}

/// Purges now and then, until the process ends.
pub async fn run(app: App) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _tick = ticks.tick() => {}
            () = app.lifecycle.stopping().cancelled() => return,
        }
        match once(&app).await {
            Ok(erased) if erased == Erased::default() => {}
            Ok(erased) => tracing::info!(?erased, "purged"),
            Err(error) => {
                let error = error.describe();
                tracing::warn!(error, "cannot purge; trying again in an hour");
            }
        }
    }
}

/// Purges everything that is due.
pub async fn once(app: &App) -> Result<Erased> {
    let mut erased = Erased::default();
    if let Some(since) = app.limits.restorable_since(app.clock.now()) {
        erase_old(app, since - MARGIN, &mut erased).await?;
    }
    if app.limits.events_per_session > 0 {
        let keep = i64::from(app.limits.events_per_session);
        for (session, last) in store::long_logs(&app.db, keep).await? {
            erased.events += cut_log(app, session, last - keep).await?;
        }
    }
    erased.vectors += erase_vectors(app).await?;
    Ok(erased)
}

/// Erases batch by batch until there is nothing left, or the process is asked to stop; how much.
macro_rules! in_batches {
    ($app:expr, $batch:expr) => {{
        let mut sum = 0;
        while !$app.lifecycle.stopping().is_cancelled() {
            match $batch.await? {
                0 => break,
                count => sum += count,
            }
        }
        sum
    }};
}

/// Erases what was deleted before a moment, and what belongs to it.
async fn erase_old(app: &App, before: DateTime<Utc>, erased: &mut Erased) -> Result<()> {
    for session in store::sessions_with_deleted(&app.db, before).await? {
        erase_deleted(app, session, before, erased).await?;
    }
    for session in store::deleted_sessions(&app.db, before).await? {
        erase_session(app, session, before, erased).await?;
    }
    erased.facts += in_batches!(app, store::erase_facts(&app.db, before));
    erased.cards += in_batches!(app, store::erase_personas(&app.db, before));
    erased.cards += in_batches!(app, store::erase_characters(&app.db, before));
    erased.entries += in_batches!(app, store::erase_lore(&app.db, before));
    erased.lorebooks += in_batches!(app, store::erase_lorebooks(&app.db, before));
    erased.requests += in_batches!(app, store::erase_requests(&app.db, before));
    for user in store::users_with_removals(&app.db, before).await? {
        let mut tx = app.db.begin().await?;
        erased.removals += store::forget_removals(&mut tx, user, before).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Erases what a session says of messages that were deleted before a moment, and then them.
///
/// They go last: as long as one of them is there, the next run begins here again.
async fn erase_deleted(
    app: &App,
    session: SessionId,
    before: DateTime<Utc>,
    erased: &mut Erased,
) -> Result<()> {
    let Some(tx) = lock_unwritten(app, session, before).await? else { return Ok(()) };
    drop(tx);
    // Its log tells of them: whoever comes back reads the session again.
    erased.events += cut_log(app, session, i64::MAX).await?;
    in_batches!(app, erase_plans(app, session, before));
    erased.blocks += in_batches!(app, erase_blocks(app, session));
    erased.messages += in_batches!(app, erase_messages(app, session, before));
    Ok(())
}

/// Erases the vectors of texts whose owner is gone.
async fn erase_vectors(app: &App) -> Result<u64> {
    let mut sum = 0;
    for scope in embedding::orphans(&app.db).await? {
        sum += in_batches!(app, embedding::erase_all(&app.db, scope));
    }
    Ok(sum)
}

/// Erases a batch of the plans of prompts of messages that were deleted before a moment.
async fn erase_plans(app: &App, session: SessionId, before: DateTime<Utc>) -> Result<u64> {
    let Some(mut tx) = lock_unwritten(app, session, before).await? else { return Ok(0) };
    let count = store::erase_deleted_plans(&mut tx, session, before).await?;
    tx.commit().await?;
    Ok(count)
}

/// Erases a batch of messages of a session that were deleted before a moment, the deepest first.
async fn erase_messages(app: &App, session: SessionId, before: DateTime<Utc>) -> Result<u64> {
    let Some(mut tx) = lock_unwritten(app, session, before).await? else { return Ok(0) };
    // A vector tells of its text what it is about.
    let texts = store::deepest_deleted_texts(&mut tx, session, before).await?;
    let hashes: Vec<TextHash> = texts.iter().flat_map(|text| memory::hashes_of(text)).collect();
    embedding::erase(&mut tx, Scope::of(session), &hashes).await?;
    let count = store::erase_deepest_deleted(&mut tx, session, before).await?;
    tx.commit().await?;
    Ok(count)
}

/// Erases one session that was deleted before a moment, unless somebody writes in it still.
async fn erase_session(
    app: &App,
    session: SessionId,
    before: DateTime<Utc>,
    erased: &mut Erased,
) -> Result<()> {
    erased.messages += in_batches!(app, erase_tree(app, session, before));
    let Some(tx) = lock_due(app, session, before).await? else { return Ok(()) };
    drop(tx);
    erased.events += cut_log(app, session, i64::MAX).await?;
    erased.blocks += in_batches!(app, erase_blocks(app, session));
    if let Some(mut tx) = lock_due(app, session, before).await? {
        erased.sessions += store::erase_session(&mut tx, session).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Erases a batch of the messages of a session that was deleted before a moment.
async fn erase_tree(app: &App, session: SessionId, before: DateTime<Utc>) -> Result<u64> {
    let Some(mut tx) = lock_due(app, session, before).await? else { return Ok(0) };
    store::clear_head(&mut tx, session).await?;
    let count = store::erase_deepest(&mut tx, session).await?;
    tx.commit().await?;
    Ok(count)
}

/// Erases a batch of the blocks of a session's prompts that no plan refers to.
async fn erase_blocks(app: &App, session: SessionId) -> Result<u64> {
    // Under the lock, so that no plan is stored meanwhile that refers to one of them.
    let Some(mut tx) = lock(app, session).await? else { return Ok(0) };
    let plans = store::plans(&mut tx, session).await?;
    let used = plans.iter().flat_map(Runs::numbers).collect();
    let count = store::erase_blocks(&mut tx, session, &used).await?;
    tx.commit().await?;
    Ok(count)
}

/// Erases the events of a session up to a sequence.
async fn cut_log(app: &App, session: SessionId, up_to: i64) -> Result<u64> {
    Ok(in_batches!(app, store::cut_log(&app.db, session, up_to)))
}

/// A transaction that alone may change this session, if it is there.
async fn lock(app: &App, session: SessionId) -> Result<Option<Tx>> {
    let mut tx = app.db.begin().await?;
    let found = crate::store::session::lock_any(&mut tx, session).await?;
    Ok(found.map(|_| tx))
}

/// The same, if nobody writes what was deleted in it before a moment.
async fn lock_unwritten(
    app: &App,
    session: SessionId,
    before: DateTime<Utc>,
) -> Result<Option<Tx>> {
    let Some(mut tx) = lock(app, session).await? else { return Ok(None) };
    let is_written = store::writes_deleted(&mut tx, session, before).await?;
    Ok((!is_written).then_some(tx))
}

/// The same, if the session was deleted before a moment and nobody writes in it.
async fn lock_due(app: &App, session: SessionId, before: DateTime<Utc>) -> Result<Option<Tx>> {
    let mut tx = app.db.begin().await?;
    let found = crate::store::session::lock_any(&mut tx, session).await?;
    let is_due = found.is_some_and(|found| found.deleted_at.is_some_and(|at| at < before));
    let is_due = is_due && !store::writes(&mut tx, session).await?;
    Ok(is_due.then_some(tx))
}
