//! The model of the role `EMBEDDING` is asked.
//!
//! A query is asked for once, and given up soon: somebody waits. Texts are asked for again as
//! long as that may help. A model that fails again and again is left alone for a while.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use super::{
    Space,
    rest::{Rest, is_refusal},
    text::embedded,
};
use crate::{
    app::App,
    llm::{LlmError, LlmErrorKind, ModelRole, Purpose},
};

/// Queries whose vectors are remembered: a swipe asks the same again.
const QUERIES: usize = 64;
/// Tries for one batch of texts.
const TRIES: u32 = 3;
/// A provider that wants a longer pause is not waited for.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
/// How long a server may take for one batch: it may have to load the model first.
const PATIENCE: Duration = Duration::from_mins(5);
/// A text that is refused is tried shorter, down to so many characters.
const SHORTEST: usize = 250;

/// What is known of the model.
#[derive(Debug)]
pub struct Asking {
    /// From when on moments are counted.
    began: Instant,
    rest: Mutex<Rest>,
    /// The last queries.
    queries: Mutex<VecDeque<Answered>>,
    /// How long the vectors of which model were last.
    space: Mutex<Option<Space>>,
}

/// A query and its vector.
#[derive(Debug)]
struct Answered {
    model: String,
    text: String,
    vector: Arc<[f32]>,
}

impl Default for Asking {
    fn default() -> Self {
        let (rest, queries, space) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { began: Instant::now(), rest, queries, space }
    }
}

impl Asking {
    /// Until when the model is left alone, if it is.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        let until = lock(&self.rest).until(self.began.elapsed())?;
        Some(self.began + until)
    }

    /// Notes what came of a call.
    fn note<T>(&self, model: &str, outcome: &Result<T, LlmError>) {
        let mut rest = lock(&self.rest);
        match outcome {
            Ok(_) if rest.answered() => {
                tracing::info!(model, "the embedder answers again");
            }
            Ok(_) => {}
            Err(error) => {
                let pause = rest.failed(error, self.began.elapsed());
                drop(rest);
                let Some(pause) = pause else { return };
                let (seconds, detail) = (pause.as_secs(), error.for_log());
                tracing::warn!(
                    model,
                    seconds,
                    detail,
                    "the embedder fails, and is left alone: memories are found by their words: \
                     {error}"
                );
            }
        }
    }

    fn learn(&self, model: &str, vectors: &[Vec<f32>]) {
        if let Some(vector) = vectors.first() {
            let space = Space { model: model.to_owned(), dimensions: vector.len() };
            *lock(&self.space) = Some(space);
        }
    }

    fn remembered(&self, model: &str, text: &str) -> Option<Arc<[f32]>> {
        let queries = lock(&self.queries);
        let found = queries.iter().find(|query| query.model == model && query.text == text);
        found.map(|query| query.vector.clone())
    }

    fn remember(&self, model: &str, text: &str, vector: &Arc<[f32]>) {
        let mut queries = lock(&self.queries);
        queries.truncate(QUERIES - 1);
        let (model, text, vector) = (model.to_owned(), text.to_owned(), vector.clone());
        queries.push_front(Answered { model, text, vector });
    }
}

/// The model that embeds, if there is one.
pub(super) fn model(app: &App) -> Option<String> {
    app.llm.role(ModelRole::Embedding).map(|choice| choice.model)
}

/// The vector of a query and where it belongs; none if nobody embeds just now.
pub(super) async fn query(app: &App, text: &str) -> Option<(Space, Arc<[f32]>)> {
    let asking = &app.embedding.asking;
    let (model, text) = (model(app)?, embedded(text));
    let with_space = |model: String, vector: Arc<[f32]>| {
        let space = Space { model, dimensions: vector.len() };
        (space, vector)
    };
    if let Some(vector) = asking.remembered(&model, text) {
        return Some(with_space(model, vector));
    }
    if text.is_empty() || asking.rests_until().is_some() {
        return None;
    }
    let patience = Duration::from_millis(app.embedding.settings.patience_ms.into());
    let texts = [text.to_owned()];
    let outcome = timeout(patience, app.llm.embed(&texts, Purpose::Query)).await;
    let outcome = outcome.unwrap_or_else(|_| Err(LlmErrorKind::Timeout.into()));
    asking.note(&model, &outcome);
    if let Err(error) = &outcome {
        let detail = error.for_log();
        tracing::debug!(model, detail, "no vector for a question: {error}");
    }
    let vectors = outcome.ok()?;
    asking.learn(&model, &vectors);
    let vector: Arc<[f32]> = vectors.into_iter().next()?.into();
    asking.remember(&model, text, &vector);
    Some(with_space(model, vector))
}

/// Where the vectors of the present model belong, if it tells.
pub(super) async fn space(app: &App) -> Result<Space, LlmError> {
    let model = model(app).ok_or(LlmErrorKind::ModelNotFound)?;
    let known = lock(&app.embedding.asking.space).clone();
    if let Some(known) = known.filter(|known| known.model == model) {
        return Ok(known);
    }
    let vectors = documents(app, &["A lantern in a window."]).await?;
    let dimensions = vectors.into_iter().flatten().next().map_or(0, |vector| vector.len());
    Ok(Space { model, dimensions })
}

/// The vectors of texts, in their order; none of a text that the model refuses however short.
///
/// Texts are tried again as long as that may help; then it is an error.
pub(super) async fn documents(
    app: &App,
    texts: &[&str],
) -> Result<Vec<Option<Vec<f32>>>, LlmError> {
    let texts: Vec<String> = texts.iter().map(|text| embedded(text).to_owned()).collect();
    match patiently(app, &texts).await {
        Ok(vectors) => Ok(vectors.into_iter().map(Some).collect()),
        // One of them is not to its liking; the others need not suffer.
        Err(error) if is_refusal(error.kind) => {
            let mut vectors = Vec::with_capacity(texts.len());
            for text in texts {
                vectors.push(alone(app, text).await?);
            }
            Ok(vectors)
        }
        Err(error) => Err(error),
    }
}

/// The vector of a text, or of its beginning if the model refuses all of it.
async fn alone(app: &App, mut text: String) -> Result<Option<Vec<f32>>, LlmError> {
    loop {
        match patiently(app, std::slice::from_ref(&text)).await {
            Ok(vectors) => return Ok(vectors.into_iter().next()),
            Err(error) if is_refusal(error.kind) => {}
            Err(error) => return Err(error),
        }
        let half = text.chars().count() / 2;
        if half < SHORTEST {
            tracing::warn!("the embedder refuses a text; it is found by its words alone");
            return Ok(None);
        }
        text = text.chars().take(half).collect();
    }
}

async fn patiently(app: &App, texts: &[String]) -> Result<Vec<Vec<f32>>, LlmError> {
    let model = model(app).ok_or(LlmErrorKind::ModelNotFound)?;
    let asking = &app.embedding.asking;
    let mut tries = 0;
    loop {
        let outcome = timeout(PATIENCE, app.llm.embed(texts, Purpose::Document)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(LlmErrorKind::Timeout.into()));
        asking.note(&model, &outcome);
        let error = match outcome {
            Ok(vectors) => {
                asking.learn(&model, &vectors);
                return Ok(vectors);
            }
            Err(error) => error,
        };
        tries += 1;
        let wait = error.retry_after.unwrap_or(Duration::from_secs(1) * tries);
        if !error.is_retryable() || tries >= TRIES || wait > LONGEST_WAIT {
            return Err(error);
        }
        sleep(wait).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
