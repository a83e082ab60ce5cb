//! How near the texts of a scope are to a query.

use std::sync::{Arc, RwLock};

use skald_base::Result;

use super::{
    Scope, Space, TextHash, Vectors, ask,
    cache::{Shared, read, write},
};
use crate::{
    app::App,
    recall::{Index, Surroundings},
    store,
};

/// Missing vectors that are looked for in the database at once: others may have stored them.
const MISSING: usize = 512;

/// How a query sees texts, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) space: Space,
    query: Arc<[f32]>,
    vectors: Shared,
    places: Vec<Option<usize>>,
}

/// How a query sees the texts of a scope, if an embedder says; a text may have no vector yet.
///
/// Whatever fails is logged: words are left.
pub(crate) async fn look(
    app: &App,
    scope: Scope,
    (texts, query): (&[TextHash], &str),
) -> Option<Sight> {
    let (space, query) = ask::query(app, query).await?;
    match find(app, scope, (texts, &space)).await {
        Ok((vectors, places)) => Some(Sight { space, query, vectors, places }),
        Err(error) => {
            let error = error.describe();
            tracing::warn!(error, "memories are found by their words: the database failed");
            None
        }
    }
}

/// The vectors of a scope, and where those of these texts stand.
async fn find(
    app: &App,
    scope: Scope,
    (texts, space): (&[TextHash], &Space),
) -> Result<(Shared, Vec<Option<usize>>)> {
    let cache = &app.embedding.cache;
    let vectors = match cache.find(scope, space) {
        Some(vectors) => vectors,
        None => load(app, scope, space).await?,
    };
    let places = || -> Vec<Option<usize>> {
        let vectors = read(&vectors);
        texts.iter().map(|hash| vectors.place(*hash)).collect()
    };
    let mut found = places();
    // Those that were told last are most likely to be new.
    let missing = texts.iter().zip(&found).rev().filter(|(_, place)| place.is_none());
    let missing: Vec<TextHash> = missing.map(|(hash, _)| *hash).take(MISSING).collect();
    if !missing.is_empty() {
        let stored = store::embedding::find(&app.db, (scope, space), &missing).await?;
        if !stored.is_empty() {
            let mut vectors = write(&vectors);
            for (hash, bytes) in &stored {
                vectors.add_bytes(*hash, bytes);
            }
            drop(vectors);
            found = places();
        }
    }
    cache.keep(scope, space, &vectors);
    Ok((vectors, found))
}

/// The vectors of a scope, from the database.
async fn load(app: &App, scope: Scope, space: &Space) -> Result<Shared> {
    let mut vectors = Vectors::new(space.dimensions);
    let take = |hash, bytes: &[u8]| vectors.add_bytes(hash, bytes);
    store::embedding::read_all(&app.db, (scope, space), take).await?;
    Ok(Arc::new(RwLock::new(vectors)))
}

impl Sight {
    /// Which texts have no vector yet, in their order.
    pub(crate) fn missing(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        let places = self.places.iter().enumerate();
        places.filter(|(_, place)| place.is_none()).map(|(text, _)| text)
    }

    /// Of each text its cosine with the query. It takes a while where there are many.
    pub(crate) fn cosines(&self) -> Vec<Option<f32>> {
        read(&self.vectors).products(&self.places, &self.query)
    }

    /// Tells what stands around the passages of an index of their vectors.
    pub(crate) fn teach(&self, surroundings: &mut Surroundings, index: &Index) {
        let vectors = read(&self.vectors);
        let vector = |item: usize| vectors.at(self.places.get(item).copied().flatten()?);
        surroundings.learn(index, vector);
    }
}
