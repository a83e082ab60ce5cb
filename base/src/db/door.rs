//! Who waits for a connection waits at the door, so that what cannot wait finds no queue.
//!
//! The pools serve in the order of arrival. Only so few are let in that
//! [`super::Db::begin_first`], which walks past the door, finds a connection
//! free; on SQLite, which has one writer, it waits for one transaction.

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt};
use sqlx::{Error, Result};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// The door to a pool.
#[derive(Clone)]
pub(super) struct Door {
    places: Arc<Semaphore>,
    patience: Duration,
}

/// A place inside, given back when it is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Door {
    /// Lets so many in at once, at least one; nobody waits longer than `patience`.
    pub(super) fn new(places: u32, patience: Duration) -> Self {
        let places = usize::try_from(places.max(1)).unwrap_or(Semaphore::MAX_PERMITS);
        let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { places, patience }
    }

    /// Waits for a place, in the order of arrival.
    pub(super) async fn pass(self) -> Result<Place> {
        let passed = timeout(self.patience, self.places.acquire_owned()).await;
        let permit = passed.map_err(|_late| Error::PoolTimedOut)?;
        Ok(Place { _permit: permit.map_err(|_closed| Error::PoolClosed)? })
    }
}

impl Place {
    /// These rows; the place is given back after the last one.
    pub(super) fn hold_until_end<R>(self, rows: impl Stream<Item = R>) -> impl Stream<Item = R> {
        rows.map(move |row| {
            let _held = &self;
            row
        })
    }
}
