//! The flusher: saves all drafts four times a second, in one transaction.
//!
//! The same statement renews each reply's lease and tells which replies were
//! asked to stop (perhaps in another process) or taken over. A crash loses at
//! most the text since the last flush.

use std::{sync::Arc, time::Duration};

use skald_base::Result;
use tokio::time::{MissedTickBehavior, interval};

use super::reply::RunningReply;
use crate::{
    app::App,
    store::{self, reply::Flushed},
    tree::MessageId,
};

/// How often drafts are saved.
pub const FLUSH_EVERY: Duration = Duration::from_millis(250);

/// How long a lease lives without being renewed, in milliseconds.
pub const LEASE_MILLIS: i64 = 10_000;

/// Renew a lease that has nothing to save every so many flushes.
const RENEW_EVERY: u32 = 8;

/// Runs until the process ends and nothing is written any more.
pub async fn run(app: App) {
    let mut ticks = interval(FLUSH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count = 0_u32;
    loop {
        tokio::select! {
            () = app.replies.wait_for_work() => {}
            () = app.lifecycle.stopping().cancelled() => {}
        }
        if app.replies.is_idle() && app.lifecycle.stopping().is_cancelled() {
            return;
        }
        ticks.tick().await;
        count = count.wrapping_add(1);
        let which = if count.is_multiple_of(RENEW_EVERY) { Which::All } else { Which::Changed };
        if let Err(error) = flush(&app, which).await {
            let error = error.describe();
            tracing::warn!(error, "cannot save drafts; they stay in memory");
        }
    }
}

/// Which replies are saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// Those with something new.
    Changed,
    /// All: silent ones keep their lease.
    All,
}

async fn flush(app: &App, which: Which) -> Result<()> {
    let mut work = app.replies.all();
    work.retain(|reply| which == Which::All || reply.read(|draft| draft.dirty));
    if work.is_empty() {
        return Ok(());
    }
    let saved = save(app, &work).await;
    if saved.is_err() {
        for reply in &work {
            reply.edit(|draft| draft.dirty = true);
        }
    }
    saved
}

async fn save(app: &App, work: &[Arc<RunningReply>]) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let until = store::reply::now_millis(&mut tx).await? + LEASE_MILLIS;
    // A deletion locks replies too, in an order of its own: whatever it holds waits for the
    // next flush, so that the two never wait for each other.
    let ids: Vec<MessageId> = work.iter().map(|reply| reply.message_id).collect();
    let free = store::reply::lock_free(&mut tx, &ids).await?;
    for reply in work.iter().filter(|reply| free.contains(&reply.message_id)) {
        let draft = reply.edit(|draft| {
            let copy = draft.clone();
            draft.dirty = false;
            copy
        });
        let fence = (reply.message_id, app.replies.process());
        match store::reply::flush(&mut tx, fence, &draft, until).await? {
            Flushed::Saved { stop_requested: true } => reply.stop.cancel(),
            Flushed::Saved { stop_requested: false } => {}
            Flushed::Late => reply.edit(|draft| draft.dirty = true),
            Flushed::Lost => reply.lost.cancel(),
        }
    }
    tx.commit().await?;
    Ok(())
}
