//! The index of a path: found on the shelf, read on, or read anew.

use std::sync::Arc;

use skald_base::{Error, Result};

use super::{
    shelf::{Stretch, Volume},
    told::Told,
};
use crate::{app::App, events::EventBody, session::SessionId, store, tree::MessageId};

/// Messages of a path that can come to mind at most: the nearest ones.
const MOST_MESSAGES: i64 = 20_000;
/// The stretch begins at a multiple of this depth, so that it does not begin elsewhere in every
/// turn.
const STEP: i64 = 5_000;
/// Messages read at once.
const CHUNK: i64 = 1_000;
/// Events looked through at most; who missed more reads anew.
const MOST_EVENTS: i64 = 500;

/// What was told on the path that ends with a message.
pub(super) async fn told(
    app: &App,
    session: SessionId,
    last: MessageId,
) -> Result<Option<Arc<Told>>> {
    let mut reader = app.db.reader();
    // Before the first look at a message: what changes meanwhile is noticed the next time.
    let Some(found) = store::session::find_any(&mut reader, session).await? else {
        return Ok(None);
    };
    let Some(place) = store::message::find_place(&mut reader, last).await? else { return Ok(None) };
    let (depth, sequence) = (place.depth, found.last_sequence);
    let first = ((depth + 1 - MOST_MESSAGES).max(0) + STEP - 1) / STEP * STEP;
    let stretch = Stretch { session, first, last, depth };
    let (mut told, mut known) = (Arc::default(), first - 1);
    for volume in app.shelf.find(session, first) {
        if !is_true(app, &volume, sequence).await? {
            app.shelf.drop(volume.stretch);
        } else if is_above(app, &volume, stretch).await? {
            (told, known) = (volume.told, volume.stretch.depth);
            break;
        }
    }
    if known < depth {
        told = read(app, told, (known + 1, stretch)).await?;
    }
    app.shelf.put(Volume { stretch, sequence, told: told.clone() });
    Ok(Some(told))
}

/// Whether nothing has happened since that changed what it holds.
async fn is_true(app: &App, volume: &Volume, sequence: i64) -> Result<bool> {
    if volume.sequence >= sequence {
        return Ok(true);
    }
    let (session, after) = (volume.stretch.session, volume.sequence);
    let events = store::event::after(&app.db, session, after, MOST_EVENTS).await?;
    // The log may be cut, or go on behind what was read.
    let is_whole = (after + 1..).zip(&events).all(|(number, event)| number == event.sequence);
    let is_all = events.last().is_some_and(|last| last.sequence >= sequence);
    let told = &volume.told;
    Ok(is_whole && is_all && events.iter().all(|event| !changes(&event.body.0, told)))
}

fn changes(event: &EventBody, told: &Told) -> bool {
    match event {
        EventBody::MessageUpdated { message, .. }
        | EventBody::ReplyFinished { message }
        | EventBody::ReplyFailed { message } => told.holds(*message),
        EventBody::MessagesDeleted { .. } | EventBody::MessagesRestored { .. } => true,
        EventBody::MessagesAdded { .. }
        | EventBody::HeadMoved { .. }
        | EventBody::SessionUpdated {}
        | EventBody::SessionDeleted {} => false,
    }
}

/// Whether a volume's path leads to where this stretch ends.
async fn is_above(app: &App, volume: &Volume, stretch: Stretch) -> Result<bool> {
    let Stretch { last, depth, .. } = volume.stretch;
    if depth > stretch.depth {
        return Ok(false);
    }
    let ancestor = store::message::ancestor_at(&mut app.db.reader(), stretch.last, depth).await?;
    Ok(ancestor == Some(last))
}

/// Reads on from a depth, some messages at a time; the work is done where it holds nobody up.
async fn read(
    app: &App,
    mut told: Arc<Told>,
    (from, stretch): (i64, Stretch),
) -> Result<Arc<Told>> {
    let mut next = from;
    while next <= stretch.depth {
        let end = stretch.depth.min(next + CHUNK - 1);
        let mut reader = app.db.reader();
        let last = store::message::ancestor_at(&mut reader, stretch.last, end).await?;
        let missing = || Error::Internal("a path without one of its messages".into());
        let last = last.ok_or_else(missing)?;
        let messages = store::memory::path(&mut reader, last, end + 1 - next).await?;
        let hearing = app.lifecycle.tasks().spawn_blocking(move || {
            // What stands on the shelf stays as it is.
            let mut told = Arc::unwrap_or_clone(told);
            for message in &messages {
                told.hear(message);
            }
            Arc::new(told)
        });
        told = hearing.await.map_err(|error| Error::Internal(error.to_string()))?;
        next = end + 1;
    }
    Ok(told)
}
