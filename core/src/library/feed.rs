//! The live feed of libraries within one process: how far each player's log has come.
//!
//! Only the number travels; what changed is read from the log. So a listener
//! holds one number however slow it is, and a burst of changes is read at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use skald_base::UserId;
use tokio::sync::watch;

use super::Noted;

type Feeds = Mutex<HashMap<UserId, watch::Sender<i64>>>;

/// The live feeds of all libraries that somebody watches.
#[derive(Clone, Default)]
pub struct LibraryFeed {
    feeds: Arc<Feeds>,
}

/// Somebody's ear on the feed of a library.
pub struct LibraryListener {
    /// Gone only while it is dropped.
    receiver: Option<watch::Receiver<i64>>,
    user: UserId,
    feeds: Arc<Feeds>,
}

impl LibraryFeed {
    /// Listens to a player's library from now on.
    pub fn listen(&self, user: UserId) -> LibraryListener {
        let mut feeds = lock(&self.feeds);
        let feed = feeds.entry(user).or_insert_with(|| watch::channel(0).0);
        LibraryListener { receiver: Some(feed.subscribe()), user, feeds: self.feeds.clone() }
    }

    /// Tells that this was committed.
    pub fn tell(&self, noted: &Noted) {
        if let Some(feed) = lock(&self.feeds).get(&noted.user) {
            feed.send_replace(noted.sequence);
        }
    }
}

impl LibraryListener {
    /// Returns when something was told since the last time.
    pub async fn next(&mut self) {
        match &mut self.receiver {
            // The sender lives as long as there are receivers.
            Some(receiver) => drop(receiver.changed().await),
            None => std::future::pending().await,
        }
    }
}

impl Drop for LibraryListener {
    fn drop(&mut self) {
        // Under the lock, so that of two who leave together the last one sees that it is.
        let mut feeds = lock(&self.feeds);
        drop(self.receiver.take());
        if feeds.get(&self.user).is_some_and(|feed| feed.receiver_count() == 0) {
            feeds.remove(&self.user);
        }
    }
}

fn lock(feeds: &Feeds) -> MutexGuard<'_, HashMap<UserId, watch::Sender<i64>>> {
    feeds.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_hears_of_its_own_player_and_leaves_nothing() {
        let feed = LibraryFeed::default();
        let [freya, bjorn] = [1, 2].map(|n| UserId::from_uuid(uuid::Uuid::from_u128(n)));
        let mut ear = feed.listen(freya);
        feed.tell(&Noted { user: bjorn, sequence: 7 });
        feed.tell(&Noted { user: freya, sequence: 1 });
        feed.tell(&Noted { user: freya, sequence: 2 });
        ear.next().await;
        assert!(futures_util::FutureExt::now_or_never(ear.next()).is_none());
        drop(ear);
        assert!(lock(&feed.feeds).is_empty());
    }
}
