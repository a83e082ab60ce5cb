//! The flusher: saves all drafts four times a second, in one statement.
//!
//! It goes before everybody who waits for the database: the longer the queue,
//! the more text a crash would take.
//!
//! The same statement renews each reply's lease and tells which replies were
//! asked to stop (perhaps in another process) or taken over. A crash loses at
//! most the text since the last flush.

use std::time::Duration;

use skald_base::Result;
use tokio::time::{MissedTickBehavior, interval};

use super::reply::RunningReply;
use crate::{
    app::App,
    store::{
        self,
        reply::{DraftCopy, Flushed},
    },
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
    let tx = app.db.begin_first().await?;
    // Copied only now: what models said while this waited is saved too.
    let drafts: Vec<DraftCopy> = work.iter().map(|reply| copy(reply)).collect();
    match store::reply::flush(tx, app.replies.process(), &drafts).await {
        Ok(outcomes) => {
            for (reply, outcome) in work.iter().zip(outcomes) {
                heed(reply, outcome);
            }
            Ok(())
        }
        Err(error) => {
            for reply in &work {
                reply.edit(|draft| draft.dirty = true);
            }
            Err(error)
        }
    }
}

/// What is to be stored of a draft: of one that has not changed, no text.
fn copy(reply: &RunningReply) -> DraftCopy {
    reply.edit(|draft| {
        let texts = || (draft.content.as_str().to_owned(), draft.thought.as_str().to_owned());
        let copy = DraftCopy {
            id: reply.message_id,
            attempt: draft.attempt,
            stage: draft.stage,
            texts: draft.dirty.then(texts),
            failure: draft.failure.clone(),
            retry_at: draft.retry_at,
            first_text_at: draft.first_text_at,
        };
        draft.dirty = false;
        copy
    })
}

fn heed(reply: &RunningReply, outcome: Flushed) {
    match outcome {
        Flushed::Saved { stop_requested: true } => reply.stop.cancel(),
        Flushed::Saved { stop_requested: false } => {}
        Flushed::Late => reply.edit(|draft| draft.dirty = true),
        Flushed::Lost => reply.lost.cancel(),
    }
}
