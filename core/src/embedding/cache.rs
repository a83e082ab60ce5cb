//! The vectors of scopes that were asked lately, within a bound of memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::{Scope, Space, Vectors};

/// Vectors that several may read while one adds to them.
pub(crate) type Shared = Arc<RwLock<Vectors>>;

/// The vectors of scopes that were asked lately.
#[derive(Debug)]
pub struct Cache {
    most_bytes: usize,
    /// Those that were asked last stand last.
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    scope: Scope,
    space: Space,
    vectors: Shared,
}

impl Cache {
    /// Room for so many bytes.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, entries: Mutex::default() }
    }

    /// The vectors of a scope, if they are there.
    pub(crate) fn find(&self, scope: Scope, space: &Space) -> Option<Shared> {
        let mut entries = self.lock();
        let is_meant = |entry: &Entry| entry.scope == scope && entry.space == *space;
        let place = entries.iter().position(is_meant)?;
        let entry = entries.remove(place);
        let vectors = entry.vectors.clone();
        entries.push(entry);
        Some(vectors)
    }

    /// Keeps the vectors of a scope; those that were not asked for longest go until all fit.
    pub(crate) fn keep(&self, scope: Scope, space: &Space, vectors: &Shared) {
        let mut entries = self.lock();
        entries.retain(|entry| entry.scope != scope);
        let (space, vectors) = (space.clone(), vectors.clone());
        entries.push(Entry { scope, space, vectors });
        let sizes: Vec<usize> = entries.iter().map(|entry| read(&entry.vectors).bytes()).collect();
        let mut all: usize = sizes.iter().sum();
        let mut sizes = sizes.into_iter();
        entries.retain(|_| {
            let size = sizes.next().unwrap_or_default();
            let stays = all <= self.most_bytes;
            all -= if stays { 0 } else { size };
            stays
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The vectors, to read.
pub(crate) fn read(vectors: &Shared) -> std::sync::RwLockReadGuard<'_, Vectors> {
    vectors.read().unwrap_or_else(PoisonError::into_inner)
}

/// The vectors, to add to.
pub(crate) fn write(vectors: &Shared) -> std::sync::RwLockWriteGuard<'_, Vectors> {
    vectors.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::embedding::TextHash;

    fn scope(number: u128) -> Scope {
        Scope::from_uuid(Uuid::from_u128(number))
    }

    fn space(model: &str) -> Space {
        Space { model: model.into(), dimensions: 64 }
    }

    fn vectors() -> Shared {
        let mut vectors = Vectors::new(64);
        vectors.add(TextHash::of("a"), &[0.5; 64]);
        Arc::new(RwLock::new(vectors))
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let size = read(&vectors()).bytes();
        let cache = Cache::new(2 * size);
        cache.keep(scope(1), &space("m"), &vectors());
        cache.keep(scope(2), &space("m"), &vectors());
        assert!(cache.find(scope(1), &space("m")).is_some());
        cache.keep(scope(3), &space("m"), &vectors());
        let there = |number| cache.find(scope(number), &space("m")).is_some();
        assert_eq!([1, 2, 3].map(there), [true, false, true]);
        assert!(cache.find(scope(1), &space("n")).is_none(), "another model's");
        cache.keep(scope(1), &space("n"), &vectors());
        assert!(!there(1), "of one scope those of one model are kept");
        let none = Cache::new(size - 1);
        none.keep(scope(1), &space("m"), &vectors());
        assert!(none.find(scope(1), &space("m")).is_none());
    }
}
