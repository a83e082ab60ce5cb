//! The live feed within one process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::broadcast;

use super::{LiveEvent, ReplyProgress, SessionEvent};
use crate::session::SessionId;

/// How many events a receiver may fall behind before it has to read again.
///
/// A feed's ring is allocated whole, so this is memory for every session that
/// is watched; falling behind costs a slow client one more read, nothing else.
const CAPACITY: usize = 128;

type Feeds = Mutex<HashMap<SessionId, broadcast::Sender<Arc<LiveEvent>>>>;

/// The live feeds of all sessions somebody watches.
#[derive(Clone, Default)]
pub struct Live {
    feeds: Arc<Feeds>,
}

/// Somebody's ear on a session's feed.
pub struct Listener {
    receiver: broadcast::Receiver<Arc<LiveEvent>>,
    session: SessionId,
    feeds: Arc<Feeds>,
}

/// The listener fell behind: what it missed must be read from the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed;

impl Live {
    /// Listens to a session from now on.
    pub fn listen(&self, session: SessionId) -> Listener {
        let mut feeds = lock(&self.feeds);
        let feed = feeds.entry(session).or_insert_with(|| broadcast::channel(CAPACITY).0);
        Listener { receiver: feed.subscribe(), session, feeds: self.feeds.clone() }
    }

    /// Tells that these events were committed.
    pub fn publish_stored(&self, events: Vec<SessionEvent>) {
        for event in events {
            self.publish(event.session_id, LiveEvent::Stored(event));
        }
    }

    /// Tells how a running reply moved on.
    pub fn publish_progress(&self, session: SessionId, progress: ReplyProgress) {
        self.publish(session, LiveEvent::Reply(progress));
    }

    fn publish(&self, session: SessionId, event: LiveEvent) {
        if let Some(feed) = lock(&self.feeds).get(&session) {
            // The last listener may be leaving just now; then nobody is told.
            drop(feed.send(Arc::new(event)));
        }
    }
}

impl Listener {
    /// The next event.
    pub async fn next(&mut self) -> Result<Arc<LiveEvent>, Missed> {
        self.receiver.recv().await.map_err(|_| Missed)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut feeds = lock(&self.feeds);
        // This listener still counts: the feed goes with the last one.
        if feeds.get(&self.session).is_some_and(|feed| feed.receiver_count() <= 1) {
            feeds.remove(&self.session);
        }
    }
}

fn lock(feeds: &Feeds) -> MutexGuard<'_, HashMap<SessionId, broadcast::Sender<Arc<LiveEvent>>>> {
    feeds.lock().unwrap_or_else(PoisonError::into_inner)
}
