//! Indexes of stories, kept between turns within a bound of memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::told::Told;
use crate::{session::SessionId, tree::MessageId};

/// A stretch of a path: from a depth down to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) session: SessionId,
    /// The depth at which it begins.
    pub(super) first: i64,
    /// The message with which it ends, and its depth.
    pub(super) last: MessageId,
    pub(super) depth: i64,
}

/// What was told on a stretch, as of a moment in its session's log.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    pub(super) stretch: Stretch,
    /// The last event that it knows.
    pub(super) sequence: i64,
    pub(super) told: Arc<Told>,
}

/// Volumes that were asked lately.
#[derive(Debug)]
pub struct Shelf {
    most_bytes: usize,
    /// The one that was asked last stands last.
    volumes: Mutex<Vec<(Volume, usize)>>,
}

impl Shelf {
    /// An empty shelf for so many bytes.
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, volumes: Mutex::default() }
    }

    /// The volumes of a session that begin at this depth, the deepest first.
    pub(super) fn find(&self, session: SessionId, first: i64) -> Vec<Volume> {
        let volumes = self.lock();
        let is_wanted =
            |volume: &&Volume| volume.stretch.session == session && volume.stretch.first == first;
        let found = volumes.iter().map(|(volume, _)| volume).filter(is_wanted);
        let mut found: Vec<Volume> = found.cloned().collect();
        found.sort_by_key(|volume| std::cmp::Reverse(volume.stretch.depth));
        found
    }

    /// Puts a volume in the place of an older one of its stretch; what was not asked for longest
    /// goes until all fit.
    pub(super) fn put(&self, volume: Volume) {
        let bytes = volume.told.bytes();
        let mut volumes = self.lock();
        volumes.retain(|(other, _)| other.stretch != volume.stretch);
        if bytes > self.most_bytes {
            return;
        }
        volumes.push((volume, bytes));
        let mut all: usize = volumes.iter().map(|(_, bytes)| bytes).sum();
        volumes.retain(|(_, bytes)| {
            let stays = all <= self.most_bytes;
            all -= if stays { 0 } else { *bytes };
            stays
        });
    }

    /// Takes a volume away that is not true any more.
    pub(super) fn drop(&self, stretch: Stretch) {
        self.lock().retain(|(other, _)| other.stretch != stretch);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Volume, usize)>> {
        self.volumes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::memory::tests::heard;

    fn volume(session: u128, depth: i64) -> Volume {
        let mut told = Told::default();
        told.hear(&heard(1, "The ring lies under the well."));
        let last = MessageId::from_uuid(Uuid::from_u128(depth.unsigned_abs().into()));
        let session = SessionId::from_uuid(Uuid::from_u128(session));
        let stretch = Stretch { session, first: 0, last, depth };
        Volume { stretch, sequence: 1, told: Arc::new(told) }
    }

    fn depths(shelf: &Shelf, session: u128) -> Vec<i64> {
        let session = SessionId::from_uuid(Uuid::from_u128(session));
        shelf.find(session, 0).iter().map(|volume| volume.stretch.depth).collect()
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let size = volume(1, 1).told.bytes();
        let shelf = Shelf::new(2 * size);
        shelf.put(volume(1, 1));
        shelf.put(volume(1, 5));
        assert_eq!(depths(&shelf, 1), [5, 1]);
        shelf.put(volume(1, 1));
        shelf.put(volume(2, 9));
        assert_eq!((depths(&shelf, 1), depths(&shelf, 2)), (vec![1], vec![9]));
        shelf.drop(volume(2, 9).stretch);
        assert_eq!((depths(&shelf, 1), depths(&shelf, 2)), (vec![1], vec![]));
        let none = Shelf::new(size - 1);
        none.put(volume(1, 1));
        assert!(depths(&none, 1).is_empty());
    }
}
