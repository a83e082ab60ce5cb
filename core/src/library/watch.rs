//! Watching a library: what changed after a cursor, then everything as it changes.

use std::time::Duration;

use async_stream::try_stream;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use skald_base::{Error, Result, Viewer};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Change, LibraryChange, LibraryNode};
use crate::{app::App, store};

/// How often the log is read though nobody told: another process may have written.
const LOOK: Duration = Duration::from_secs(2);

/// Changes that are read at once.
const PAGE: i64 = 100;

/// What a watcher of a library is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LibraryNews {
    /// How far the watcher has come.
    pub sequence: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub what: What,
}

/// What happened in a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Something was added, changed or removed.
    Node(LibraryNode, Change),
    /// The replay is over; what follows is happening now.
    CaughtUp,
    /// The log does not reach back that far: read the lists again.
    ResyncNeeded,
}

/// Watches the viewer's library from a cursor (or from now) until the client leaves.
pub async fn watch(
    app: App,
    viewer: Viewer,
    after: Option<String>,
) -> Result<impl Stream<Item = Result<LibraryNews>> + use<>> {
    let user = viewer.user()?.id;
    let after = after.map(|text| parse_cursor(&text)).transpose()?;
    // Listening begins before the look that counts: nothing falls in between.
    let mut live = app.library.listen(user);
    let ends = store::library::ends(&app.db, user).await?;
    let from = after.unwrap_or(ends.last_sequence);
    Ok(try_stream! {
        let mut sequence = from;
        let mut is_caught_up = false;
        let at_once = |sequence, what| LibraryNews { sequence, at: app.clock.now(), what };
        if from > ends.last_sequence || from < ends.forgotten_sequence {
            sequence = ends.last_sequence;
            yield at_once(sequence, What::ResyncNeeded);
        }
        let mut ticks = interval_at(Instant::now() + LOOK, LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // What moves on while it is read comes again, so it counts as new by where this began.
            let began = sequence;
            loop {
                let page = store::library::after(&app.db, user, sequence, PAGE).await?;
                let is_last = page.len() < usize::try_from(PAGE).unwrap_or_default();
                for change in page {
                    sequence = change.sequence;
                    yield news(&change, began);
                }
                if is_last {
                    break;
                }
            }
            if !is_caught_up {
                is_caught_up = true;
                yield at_once(sequence, What::CaughtUp);
            }
            tokio::select! {
                () = live.next() => {}
                _tick = ticks.tick() => {}
            }
        }
    })
}

fn news(change: &LibraryChange, began: i64) -> LibraryNews {
    let what = if change.removed {
        Change::Removed
    } else if change.added_sequence > began {
        Change::Added
    } else {
        Change::Changed
    };
    LibraryNews { sequence: change.sequence, at: change.at, what: What::Node(change.node, what) }
}

fn parse_cursor(text: &str) -> Result<i64> {
    let sequence = text.parse().ok().filter(|sequence| *sequence >= 0);
    sequence.ok_or_else(|| Error::invalid("after", "not a cursor of a library event"))
}
