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
    /// Gone only while it is dropped.
    receiver: Option<broadcast::Receiver<Arc<LiveEvent>>>,
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
        Listener { receiver: Some(feed.subscribe()), session, feeds: self.feeds.clone() }
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
        let Some(receiver) = &mut self.receiver else { return Err(Missed) };
        receiver.recv().await.map_err(|_| Missed)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Under the lock, so that of two who leave together the last one sees that it is.
        let mut feeds = lock(&self.feeds);
        drop(self.receiver.take());
        if feeds.get(&self.session).is_some_and(|feed| feed.receiver_count() == 0) {
            feeds.remove(&self.session);
        }
    }
}

fn lock(feeds: &Feeds) -> MutexGuard<'_, HashMap<SessionId, broadcast::Sender<Arc<LiveEvent>>>> {
    feeds.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_goes_with_its_last_listener() {
        let live = Live::default();
        let session = SessionId::from_uuid(uuid::Uuid::nil());
        let (one, other) = (live.listen(session), live.listen(session));
        drop(one);
        assert_eq!(lock(&live.feeds).len(), 1);
        drop(other);
        assert!(lock(&live.feeds).is_empty());
    }
}
