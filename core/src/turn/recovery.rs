//! What a crash left: replies whose writer is gone are ended or taken up, sessions that were not
//! made to the end are removed.

use std::time::Duration;

use skald_base::{Dialect, Result};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Reply,
    end::{self, Ending},
    flush::LEASE_MILLIS,
    retry::MAX_TRIES,
    run::{self, Start},
};
use crate::{app::App, session::graft, store, tree::MessageStatus};

/// Which unfinished replies nobody writes any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abandoned {
    /// All of them: this process has the database to itself and has just started.
    All,
    /// Those whose lease has expired.
    Expired,
}

/// Ends or takes up what the last process left, before this one says it is ready.
///
/// A SQLite folder has one process (a file lock sees to that), so nobody else
/// can be writing; PostgreSQL may have more, and leases tell.
pub async fn at_start(app: &App) -> Result<()> {
    let abandoned = match app.db.dialect() {
        Dialect::Sqlite => Abandoned::All,
        Dialect::Postgres => Abandoned::Expired,
    };
    let taken = sweep(app, abandoned).await?;
    graft::recover(app, abandoned).await?;
    if taken > 0 {
        tracing::info!(taken, "took up replies that an earlier process left");
    }
    Ok(())
}

/// How often a process looks for replies that another one left: with the lease of 10 s they end
/// well within 15 s.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks for expired leases now and then, until the process ends.
pub async fn run_sweeper(app: App) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _tick = ticks.tick() => {}
            () = app.lifecycle.stopping().cancelled() => return,
        }
        if let Err(error) = sweep(&app, Abandoned::Expired).await {
            let error = error.describe();
            tracing::warn!(error, "cannot look for abandoned replies");
        }
        if let Err(error) = graft::recover(&app, Abandoned::Expired).await {
            let error = error.describe();
            tracing::warn!(error, "cannot look for sessions that nobody makes any more");
        }
    }
}

/// Takes abandoned replies over, one by one; how many.
async fn sweep(app: &App, abandoned: Abandoned) -> Result<usize> {
    let ids = store::reply::abandoned(&app.db, abandoned).await?;
    let mut taken = 0;
    for id in ids {
        if app.replies.find(id).is_some() {
            continue;
        }
        let process = app.replies.process();
        if let Some(reply) = store::reply::take_over(&app.db, id, process, abandoned).await? {
            take_up(app, reply).await?;
            taken += 1;
        }
    }
    Ok(taken)
}

async fn take_up(app: &App, mut reply: Reply) -> Result<()> {
    let message = store::message::find(&mut app.db.reader(), reply.message_id).await?;
    // What a reply goes on from is the text of its message until it ends.
    let begins_with = message.map(|message| message.content).unwrap_or_default();
    let (status, failure) = match &reply {
        reply if reply.stop_requested => (MessageStatus::Stopped, None),
        reply if reply.draft_content.len() > begins_with.len() => {
            (MessageStatus::Interrupted, None)
        }
        reply if reply.attempt >= MAX_TRIES => (MessageStatus::Failed, Some(end::without_a_word())),
        _ => {
            let mut tx = app.db.begin().await?;
            let process = app.replies.process();
            if store::reply::next_attempt(&mut tx, &reply, process, &reply.model).await? {
                tx.commit().await?;
                reply.attempt += 1;
                let tries = reply.attempt;
                run::spawn(app, Start { reply, begins_with, added_at: 0, tries });
            }
            return Ok(());
        }
    };
    let ending = Ending {
        status,
        stage: reply.stage,
        first_text_at: reply.first_text_at,
        content: reply.draft_content.clone(),
        thought: reply.draft_thought.clone(),
        finish_reason: None,
        usage: None,
        cost: None,
        failure,
        retry_at: None,
        learnt: None,
    };
    end::store_end(app, &reply, &ending).await?;
    Ok(())
}

const _: () = assert!(LEASE_MILLIS > 4 * 250 * 8, "a lease outlives several renewals");
