//! Gemini: Google's models over its own API, version v1beta.
//!
//! ```text
//! POST /models/{id}:streamGenerateContent?alt=sse    a reply, as events
//! POST /models/{id}:countTokens                      the size of a prompt
//! POST /models/{id}:batchEmbedContents               vectors, a hundred at a time
//! GET  /models?pageSize=&pageToken=                  what there is
//!
//! request                 what is sent
//! quirk                   what is not sent again, since a model refused it
//! response, failure       what comes back, and what it means
//! loose                   what comes back outside of events
//! pacific                 when a day's allowance is renewed
//! embedding, listing      vectors and models
//! ```
//!
//! The key travels in a header only: addresses end up in logs. What is sent and
//! received is told to nobody but the tracing target `skald::wire`.

mod embedding;
mod failure;
mod listing;
mod loose;
mod pacific;
mod quirk;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_stream::stream;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use skald_base::config::Secret;

use self::{
    embedding::{BATCH, Batch},
    failure::Setting,
    quirk::Quirks,
    request::{Body, Count},
    response::Reading,
};
use super::{
    Chunk, ChunkStream, Embedding, Listed, LlmError, LlmErrorKind, Provider, Reply, Request,
    bounds::within_bounds,
    http::{Answer, Call, Http, Timeouts},
    sse::{Frame, SseParser, TooLong},
};

/// Where Google answers.
pub const BASE_URL: &str = "https://generativelanguage.googleapis.com/v1beta";

/// How long a finished answer may take to close its body, so that its connection can be used
/// again.
const CLOSING: Duration = Duration::from_millis(100);

/// No server has so many pages of models.
const MAX_PAGES: usize = 100;

/// One account at one address.
#[derive(Clone, Debug)]
pub struct GeminiConfig {
    /// Where it answers, with the version: [`BASE_URL`], or a proxy.
    pub base_url: String,
    /// The key of the account.
    pub key: Secret,
    /// How long to wait for it.
    pub timeouts: Timeouts,
    /// What its filter lets through.
    pub safety: Safety,
}

/// From which probability on the filter refuses harassment, hate, sex and danger.
///
/// Some filters cannot be switched off, whatever stands here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Safety {
    /// The filter does not run.
    #[default]
    Off,
    /// It runs and lets everything through.
    BlockNone,
    /// High.
    BlockOnlyHigh,
    /// Medium.
    BlockMediumAndAbove,
    /// Low.
    BlockLowAndAbove,
}

/// The provider of Google's models.
#[derive(Debug)]
pub struct Gemini {
    base: String,
    key: Secret,
    timeouts: Timeouts,
    safety: Safety,
    http: Http,
    /// What each model turned out not to take.
    quirks: Mutex<HashMap<String, Quirks>>,
}

impl Gemini {
    /// A provider; nothing is sent yet.
    pub fn new(config: GeminiConfig, http: Http) -> Self {
        let GeminiConfig { base_url, key, timeouts, safety } = config;
        let base = base_url.trim().trim_end_matches('/').to_owned();
        Self { base, key, timeouts, safety, http, quirks: Mutex::default() }
    }

    fn quirks(&self) -> MutexGuard<'_, HashMap<String, Quirks>> {
        self.quirks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, model: &str) -> Quirks {
        self.quirks().get(model).cloned().unwrap_or_default()
    }

    fn render(&self, request: &Request, quirks: &Quirks) -> String {
        json(&Body::new(request, self.safety, quirks))
    }

    /// Another body for a request whose body was refused, if the refusal says what to leave out.
    ///
    /// Only what made a difference is remembered.
    fn adapt(&self, request: &Request, body: &str, refusal: &LlmError) -> Option<String> {
        if refusal.kind != LlmErrorKind::BadRequest {
            return None;
        }
        let mut quirks = self.known(&request.model);
        let current = self.render(request, &quirks);
        if current != body {
            // Another call has learned something meanwhile.
            return Some(current);
        }
        let quirk = quirk::learn(&refusal.detail, &quirks)?;
        quirks.insert(quirk);
        let adapted = self.render(request, &quirks);
        if adapted == body {
            return None;
        }
        tracing::debug!(model = request.model, ?quirk, "a model refused an option");
        self.quirks().entry(request.model.clone()).or_default().insert(quirk);
        Some(adapted)
    }

    /// Calls an endpoint; an answer that is no success is an error.
    async fn call(&self, path: &str, body: Option<String>) -> Result<Answer, LlmError> {
        tracing::trace!(target: "skald::wire", path, body, "sent");
        let call = Call {
            url: format!("{}{path}", self.base),
            headers: vec![("x-goog-api-key", self.key.expose().to_owned())],
            body,
            timeouts: self.timeouts,
        };
        let answer = self.http.send(call).await?;
        if answer.is_success() { Ok(answer) } else { Err(self.refusal(answer).await) }
    }

    async fn refusal(&self, answer: Answer) -> LlmError {
        let status = answer.status;
        let date = answer.header("date").map(str::to_owned);
        // The status says enough, should the body not come.
        let body = answer.text().await.unwrap_or_default();
        tracing::trace!(target: "skald::wire", status, body, "refused");
        let key = self.key.expose();
        failure::of_body(&body, Setting { status, date: date.as_deref(), key }).without(key)
    }

    /// Calls an endpoint and reads its whole answer.
    async fn whole(&self, path: &str, body: Option<String>) -> Result<serde_json::Value, LlmError> {
        let answer = self.call(path, body).await?;
        let status = answer.status;
        let text = answer.text().await?;
        tracing::trace!(target: "skald::wire", status, body = text, "received");
        let key = self.key.expose();
        let setting = Setting { status, date: None, key };
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|_| failure::of_page(&text, setting))?;
        match failure::find_error(&value) {
            Some(error) => Err(failure::of_error(error, setting).without(key)),
            None => Ok(value),
        }
    }
}

#[async_trait]
impl Provider for Gemini {
    fn body(&self, request: &Request) -> String {
        self.render(request, &self.known(&request.model))
    }

    async fn stream(&self, request: Request) -> Result<Reply, LlmError> {
        let path = format!("/models/{}:streamGenerateContent?alt=sse", request.model);
        let mut body = self.body(&request);
        loop {
            let refusal = match self.call(&path, Some(body.clone())).await {
                Ok(answer) => {
                    let reading =
                        Reading::new(answer.status, answer.header("date"), self.key.clone());
                    let chunks = within_bounds(chunks(answer, reading));
                    return Ok(Reply { body: Some(body), chunks });
                }
                Err(refusal) => refusal,
            };
            body = self.adapt(&request, &body, &refusal).ok_or(refusal)?;
        }
    }

    async fn count(&self, request: &Request) -> Result<Option<u32>, LlmError> {
        let path = format!("/models/{}:countTokens", request.model);
        let answer = self.whole(&path, Some(json(&Count::new(request)))).await?;
        match response::tokens(answer.get("totalTokens")) {
            Some(tokens) => Ok(Some(tokens)),
            None => Err(LlmError::new(LlmErrorKind::Protocol).detail("a count has no number")),
        }
    }

    async fn list(&self) -> Result<Vec<Listed>, LlmError> {
        let mut models = Vec::new();
        let mut token = None;
        for _ in 0..MAX_PAGES {
            let page = self.whole(&listing::path(token.as_deref()), None).await?;
            models.extend(listing::models(&page));
            token = listing::next(&page);
            if token.is_none() {
                return Ok(models);
            }
        }
        Err(LlmError::new(LlmErrorKind::Protocol).detail("the list of models never ends"))
    }

    async fn embed(&self, call: Embedding<'_>) -> Result<Vec<Vec<f32>>, LlmError> {
        let path = format!("/models/{}:batchEmbedContents", call.model);
        let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(call.texts.len());
        for texts in call.texts.chunks(BATCH) {
            let batch = Embedding { texts, ..call };
            let answer = self.whole(&path, Some(json(&Batch::new(batch)))).await?;
            let dimensions = call.dimensions.and_then(|length| usize::try_from(length).ok());
            let dimensions = dimensions.or_else(|| vectors.first().map(Vec::len));
            vectors.extend(embedding::vectors(&answer, texts.len(), dimensions)?);
        }
        Ok(vectors)
    }
}

/// Bodies hold texts and numbers under names that are text: they can always be written.
fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("a body of texts and numbers is JSON")
}

/// The chunks of an answer as it arrives. Nothing is read unless somebody waits for it.
fn chunks(mut answer: Answer, mut reading: Reading) -> ChunkStream {
    Box::pin(stream! {
        let mut parser = SseParser::default();
        while !reading.has_ended() {
            let items = match answer.piece().await {
                Ok(Some(piece)) => {
                    let piece = piece.as_ref();
                    tracing::trace!(target: "skald::wire", text = %String::from_utf8_lossy(piece), "received");
                    match parser.push(piece) {
                        Ok(frames) => {
                            if frames.iter().any(Frame::says_something) {
                                answer.heard();
                            }
                            frames.into_iter().flat_map(|frame| reading.take(frame)).collect()
                        }
                        Err(TooLong) => reading.too_long(),
                    }
                }
                Ok(None) => reading.finish(std::mem::take(&mut parser).finish()),
                // What came before the socket broke is text of the story all the same.
                Err(error) if error.kind == LlmErrorKind::Cut => {
                    reading.finish(std::mem::take(&mut parser).finish())
                }
                Err(error) => reading.break_off(error),
            };
            for item in items {
                if matches!(item, Ok(Chunk::Finished { .. })) {
                    close(&mut answer).await;
                }
                yield item;
            }
        }
    })
}

/// Reads the little that comes after the end; a body left unread costs a connection.
async fn close(answer: &mut Answer) {
    let closing = async { while let Ok(Some(_)) = answer.piece().await {} };
    // Whoever does not close in time loses the connection, and nothing else.
    drop(tokio::time::timeout(CLOSING, closing).await);
}
