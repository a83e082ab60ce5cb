//! The flusher: saves all drafts four times a second, in one transaction.
//!
//! The same statement renews each reply's lease and tells which replies were
//! asked to stop (perhaps in another process) or taken over. A crash loses at
//! most the text since the last flush.

use std::time::Duration;

use skald_base::Result;
use tokio::time::{MissedTickBehavior, interval};

use crate::{app::App, store};

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
        if let Err(error) = flush(&app, count % RENEW_EVERY == 0).await {
            let error = error.describe();
            tracing::warn!(error, "cannot save drafts; they stay in memory");
        }
    }
}

/// Saves what is new; with `renew`, keeps the leases of silent replies too.
#[expect(clippy::fn_params_excessive_bools, reason = "one flag, private to this file")]
async fn flush(app: &App, renew: bool) -> Result<()> {
    let mut work = app.replies.all();
    work.retain(|reply| renew || reply.draft().dirty);
    if work.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    let until = store::reply::now_millis(&mut tx).await? + LEASE_MILLIS;
    for reply in &work {
        let draft = reply.edit(|draft| {
            let copy = draft.clone();
            draft.dirty = false;
            copy
        });
        let fence = (reply.message_id, app.replies.process());
        match store::reply::flush(&mut tx, fence, &draft, until).await? {
            Some(true) => reply.stop.cancel(),
            Some(false) => {}
            None if reply.done.is_cancelled() || app.replies.find(reply.message_id).is_none() => {}
            None => reply.lost.cancel(),
        }
    }
    tx.commit().await?;
    Ok(())
}
