//! Makes found what was stored before there was search, or by an older version.
//!
//! Runs once, in the background, when the process starts: small batches with
//! a rest after each, newest messages first, so that players find more and
//! more and wait for nothing.

use std::time::Duration;

use skald_base::Result;
use tokio::time::sleep;
use uuid::Uuid;

use crate::{app::App, store, tree::MessageId};

/// Messages of one transaction, for which nobody else can write on SQLite.
const BATCH: i64 = 50;

/// Between two batches others write.
const REST: Duration = Duration::from_millis(20);

/// Before it is tried again if the database is away.
const PAUSE: Duration = Duration::from_secs(5);

/// Indexes what is not indexed, or in an older way; ends when nothing is left.
pub(crate) async fn run(app: App) {
    let work = async {
        let (mut before, mut indexed) = (MessageId::from_uuid(Uuid::max()), 0);
        loop {
            match index_batch(&app, before).await {
                Ok(None) => break,
                Ok(Some((last, count))) => {
                    (before, indexed) = (last, indexed + count);
                    sleep(REST).await;
                }
                Err(error) => {
                    let error = error.describe();
                    tracing::warn!(error, "cannot index messages for search; trying again");
                    sleep(PAUSE).await;
                }
            }
        }
        if indexed > 0 {
            tracing::info!(indexed, "messages from before can be found now");
        }
    };
    tokio::select! {
        () = work => {}
        () = app.lifecycle.stopping().cancelled() => {}
    }
}

/// The last message of the next batch and how many it had; none if nothing is left.
async fn index_batch(app: &App, before: MessageId) -> Result<Option<(MessageId, usize)>> {
    let batch = store::search::unindexed(&app.db, before, BATCH).await?;
    let Some(last) = batch.last().map(|message| message.id) else { return Ok(None) };
    store::search::index_afterwards(&app.db, &batch).await?;
    Ok(Some((last, batch.len())))
}
