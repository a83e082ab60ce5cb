//! What is missing is embedded in the background.
//!
//! Nothing has to be noted for it: whoever finds that texts have no vectors says where they
//! stand, and what a process forgets, the next look finds again. A text that another scope has is
//! copied, none is embedded twice. The nearest texts come first.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use skald_base::Result;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use super::{Scope, Space, TextHash, ask, cache::write, vectors::bytes_of};
use crate::{app::App, llm::LlmError, store, tree::MessageId};

/// Scopes that wait at most; who finds no place asks again with its next turn.
const WAITING: usize = 64;
/// Texts whose vectors are looked for at once.
const LOOKED_FOR: usize = 512;
/// Texts that are embedded together at first, and at most.
const FIRST_BATCH: usize = 16;
const LARGEST_BATCH: usize = 96;
/// A batch should take about so long, so that no query waits long behind it.
const USUAL: Duration = Duration::from_secs(1);
/// Before it is tried again, where nobody says when.
const PAUSE: Duration = Duration::from_secs(30);

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a message, from byte to byte.
    Message {
        /// The message.
        id: MessageId,
        /// Where it begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
}

/// Texts of a scope that may have no vectors.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) scope: Scope,
    /// Those that are wanted most come first.
    pub(crate) texts: Vec<(TextHash, Place)>,
}

/// The scopes that wait for this process.
#[derive(Debug, Default)]
pub struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    came: Notify,
    /// Texts that the model refused however short: they are not tried again by this process.
    refused: Mutex<HashSet<(String, TextHash)>>,
}

impl Queue {
    /// Adds a job, in the place of an older one of its scope; a full queue takes none.
    pub(crate) fn add(&self, job: Job) {
        let mut jobs = self.lock();
        if let Some(older) = jobs.iter_mut().find(|older| older.scope == job.scope) {
            *older = job;
        } else if jobs.len() < WAITING {
            jobs.push_back(job);
        }
        drop(jobs);
        self.came.notify_one();
    }

    async fn next(&self) -> Job {
        loop {
            let job = self.lock().pop_front();
            match job {
                Some(job) => return job,
                None => self.came.notified().await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) -> MutexGuard<'_, HashSet<(String, TextHash)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_refused(&self, model: &str, text: TextHash) -> bool {
        let refused = self.refused();
        !refused.is_empty() && refused.contains(&(model.to_owned(), text))
    }
}

/// Why a job was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The model.
    Model(LlmError),
    /// The database.
    Database(skald_base::Error),
}

impl From<LlmError> for Failure {
    fn from(error: LlmError) -> Self {
        Self::Model(error)
    }
}

impl From<skald_base::Error> for Failure {
    fn from(error: skald_base::Error) -> Self {
        Self::Database(error)
    }
}

/// Does one job after another, until the server stops.
pub(crate) async fn run(app: App) {
    let stopping = app.lifecycle.stopping().clone();
    let working = async {
        loop {
            let job = app.embedding.queue.next().await;
            let scope = job.scope;
            match work(&app, job, &mut |_| {}).await {
                Ok(0) => {}
                Ok(embedded) => tracing::debug!(scope = %scope.uuid(), embedded, "texts embedded"),
                Err(failure) => pause_after(&app, failure).await,
            }
        }
    };
    tokio::select! {
        () = stopping.cancelled() => {}
        () = working => {}
    }
}

/// Waits until it makes sense to go on. The job is forgotten: the next turn finds what is missing.
async fn pause_after(app: &App, failure: Failure) {
    match failure {
        Failure::Model(error) => {
            let detail = error.for_log();
            tracing::debug!(detail, "texts are not embedded just now: {error}");
        }
        Failure::Database(error) => {
            let error = error.describe();
            tracing::warn!(error, "texts are not embedded just now: the database failed");
            sleep(PAUSE).await;
        }
    }
    if let Some(until) = app.embedding.asking.rests_until() {
        sleep_until(until).await;
    }
}

/// Embeds what a job names and is missing; how many texts. `progress` hears how many of them are
/// settled, one way or another.
pub(crate) async fn work(
    app: &App,
    job: Job,
    progress: &mut (dyn FnMut(usize) + Send),
) -> Result<usize, Failure> {
    let space = ask::space(app).await?;
    let missing = missing(app, &job, &space).await?;
    progress(job.texts.len() - missing.len());
    let mut left = missing.as_slice();
    let (mut batch, mut embedded) = (FIRST_BATCH, 0);
    while !left.is_empty() {
        let (now, rest) = left.split_at(batch.min(left.len()));
        let began = Instant::now();
        embedded += embed(app, (job.scope, &space), now).await?;
        batch = next_batch(batch, began.elapsed());
        progress(now.len());
        left = rest;
    }
    while store::embedding::erase_others(&app.db, job.scope, &space).await? > 0 {}
    Ok(embedded)
}

/// As many as take about the usual time.
fn next_batch(batch: usize, took: Duration) -> usize {
    if took < USUAL / 2 {
        (batch * 2).min(LARGEST_BATCH)
    } else if took > USUAL * 2 {
        (batch / 2).max(1)
    } else {
        batch
    }
}

/// The texts of a job that have no vector anywhere; those of other scopes are copied.
async fn missing(app: &App, job: &Job, space: &Space) -> Result<Vec<(TextHash, Place)>> {
    let place = (job.scope, space);
    let (mut missing, mut seen) = (Vec::new(), HashSet::new());
    for texts in job.texts.chunks(LOOKED_FOR) {
        let hashes: Vec<TextHash> = texts.iter().map(|(hash, _)| *hash).collect();
        let there = store::embedding::known(&app.db, place, &hashes).await?;
        let gone: Vec<TextHash> = hashes.into_iter().filter(|hash| !there.contains(hash)).collect();
        let copied = if store::embedding::copy(&app.db, place, &gone).await? > 0 {
            store::embedding::known(&app.db, place, &gone).await?
        } else {
            HashSet::new()
        };
        let is_missing = |(hash, _): &&(TextHash, Place)| {
            !there.contains(hash)
                && !copied.contains(hash)
                && !app.embedding.queue.is_refused(&space.model, *hash)
                && seen.insert(*hash)
        };
        missing.extend(texts.iter().filter(is_missing));
    }
    Ok(missing)
}

/// Embeds texts and stores their vectors; how many. What was edited or erased meanwhile is left
/// out.
async fn embed(
    app: &App,
    (scope, space): (Scope, &Space),
    wanted: &[(TextHash, Place)],
) -> Result<usize, Failure> {
    let texts = read(app, wanted).await?;
    if texts.is_empty() {
        return Ok(0);
    }
    let bare: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
    let vectors = ask::documents(app, &bare).await?;
    let mut found: Vec<(TextHash, Vec<f32>)> = Vec::with_capacity(texts.len());
    for ((hash, _), vector) in texts.iter().zip(vectors) {
        match vector {
            // A model that changed its mind about their length is asked anew where they belong.
            Some(vector) if vector.len() == space.dimensions => found.push((*hash, vector)),
            Some(_other_length) => {}
            None => {
                app.embedding.queue.refused().insert((space.model.clone(), *hash));
            }
        }
    }
    let stored = found.iter().map(|(hash, vector)| (*hash, bytes_of(vector)));
    let stored: Vec<(TextHash, Vec<u8>)> = stored.collect();
    store::embedding::save(&app.db, (scope, space), &stored).await?;
    if let Some(vectors) = app.embedding.cache.find(scope, space) {
        let mut vectors = write(&vectors);
        for (hash, vector) in &found {
            vectors.add(*hash, vector);
        }
    }
    Ok(found.len())
}

/// The texts that stand at these places still, each with its hash.
async fn read(app: &App, wanted: &[(TextHash, Place)]) -> Result<Vec<(TextHash, String)>> {
    let ids: Vec<MessageId> = wanted.iter().map(|(_, Place::Message { id, .. })| *id).collect();
    let contents: HashMap<MessageId, String> =
        store::embedding::contents(&app.db, &ids).await?.into_iter().collect();
    let text = |(hash, place): &(TextHash, Place)| {
        let Place::Message { id, start, end } = *place;
        let text = contents.get(&id)?.get(start..end).filter(|text| !text.trim().is_empty())?;
        (TextHash::of(text) == *hash).then(|| (*hash, text.to_owned()))
    };
    Ok(wanted.iter().filter_map(text).collect())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn job(scope: u128, texts: &[&str]) -> Job {
        let place = Place::Message { id: MessageId::from_uuid(Uuid::nil()), start: 0, end: 1 };
        let texts = texts.iter().map(|text| (TextHash::of(text), place)).collect();
        Job { scope: Scope::from_uuid(Uuid::from_u128(scope)), texts }
    }

    #[tokio::test]
    async fn a_scope_waits_once_and_a_full_queue_takes_no_more() {
        let queue = Queue::default();
        queue.add(job(1, &["a"]));
        queue.add(job(2, &[]));
        queue.add(job(1, &["a", "b"]));
        for scope in 3..100 {
            queue.add(job(scope, &[]));
        }
        assert_eq!(queue.lock().len(), WAITING);
        assert_eq!(queue.next().await.texts.len(), 2);
        assert_eq!(queue.next().await.scope.uuid(), Uuid::from_u128(2));
    }

    #[test]
    fn batches_grow_until_they_take_their_time() {
        let (fast, slow) = (Duration::from_millis(100), Duration::from_secs(3));
        assert_eq!(next_batch(16, fast), 32);
        assert_eq!(next_batch(96, fast), 96);
        assert_eq!(next_batch(16, USUAL), 16);
        assert_eq!(next_batch(1, slow), 1);
        assert_eq!(next_batch(16, slow), 8);
    }
}
