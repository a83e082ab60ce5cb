//! Servers that speak OpenAI's wire format, at home or far away.
//!
//! They differ in what they understand ([`Profile`]), in how they say what went
//! wrong, and in what their models' templates accept. What a server refuses is
//! left out or put otherwise, once, and remembered for that model. A call is
//! cancelled by dropping it: nothing here runs on its own.
//!
//! ```text
//! profile     what kinds of servers understand; detect: which kind it is
//! request     a request's body; adapt: what a refusal changes in it
//! response    a reply's chunks
//! failure     what errors mean
//! listing     models and how much they hold
//! embedding   vectors
//! ```

mod adapt;
mod detect;
mod embedding;
mod failure;
mod listing;
mod profile;
mod request;
mod response;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::StreamExt;
use skald_base::config::Secret;
use tokio::time::{Instant, timeout, timeout_at};

use self::{
    adapt::adapt,
    failure::Failure,
    request::{Body, Learned},
    response::Reading,
};
pub use self::{detect::detect, profile::Profile};
use super::{
    Abilities, ChunkStream, Embedding, Listed, LlmError, LlmErrorKind, Provider, Reply, Request,
    bounds::within_bounds,
    http::{Answer, Call, Http, Timeouts},
    sse::{Frame, SseParser},
};

/// How often one request is put otherwise.
const ATTEMPTS: usize = 12;
/// How long the usage may come after the end of the text.
const AFTERMATH: Duration = Duration::from_secs(2);
/// How long the end of the body may come after `[DONE]`.
const FAREWELL: Duration = Duration::from_millis(20);

/// Where a server is and what it is.
#[derive(Clone, Debug)]
pub struct OpenAiConfig {
    /// The address that ends in `/v1`.
    pub base_url: String,
    /// The key, if it wants one.
    pub key: Option<Secret>,
    /// What kind of server it is.
    pub profile: Profile,
    /// How long to wait for it.
    pub timeouts: Timeouts,
}

/// One server that speaks OpenAI's wire format.
#[derive(Debug)]
pub struct OpenAi {
    config: OpenAiConfig,
    http: Http,
    /// What kind of server it is; none as long as it has not been recognised.
    profile: Mutex<Option<Profile>>,
    /// By model.
    learned: Arc<Mutex<HashMap<String, Learned>>>,
}

impl OpenAi {
    /// A server at an address, of which nothing has been learned yet.
    pub fn new(config: OpenAiConfig, http: Http) -> Self {
        let base_url = config.base_url.trim().trim_end_matches('/').to_owned();
        let profile = Mutex::new(Some(config.profile));
        let config = OpenAiConfig { base_url, ..config };
        Self { config, http, profile, learned: Arc::default() }
    }

    /// A server of which is found out what it is: now, or when its models are listed, if it
    /// is away. Until then it is what the configuration says.
    pub async fn recognised(config: OpenAiConfig, http: Http) -> Self {
        let server = Self { profile: Mutex::default(), ..Self::new(config, http) };
        server.recognise().await;
        server
    }

    async fn recognise(&self) {
        if self.known().is_some() {
            return;
        }
        let OpenAiConfig { base_url, key, .. } = &self.config;
        let profile = detect::recognise(base_url, key.as_ref(), &self.http).await;
        if profile.is_some() {
            *self.profile.lock().unwrap_or_else(PoisonError::into_inner) = profile;
            // What it refused was put as to another kind of server.
            self.learned().clear();
        }
    }

    fn known(&self) -> Option<Profile> {
        *self.profile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn profile(&self) -> Profile {
        self.known().unwrap_or(self.config.profile)
    }

    /// A call to a path under the base address, with or without a body.
    fn call(&self, path: &str, body: Option<String>) -> Call {
        Call {
            url: format!("{}{path}", self.config.base_url),
            headers: vec![authorization(self.config.key.as_ref())],
            body,
            timeouts: self.config.timeouts,
        }
    }

    fn learned(&self) -> MutexGuard<'_, HashMap<String, Learned>> {
        locked(&self.learned)
    }

    fn learned_of(&self, model: &str) -> Learned {
        self.learned().get(model).cloned().unwrap_or_default()
    }

    /// Posts a request in the form that the server takes; that form, and its answer.
    async fn ask(&self, request: &Request) -> Result<(String, Answer), LlmError> {
        let profile = self.profile();
        let mut learned = self.learned_of(&request.model);
        for _ in 0..ATTEMPTS {
            let body = Body::new(request, profile, &learned);
            let json = body.json();
            tracing::trace!(target: "skald::wire", body = json, "request");
            let answer = self.http.send(self.call("/chat/completions", Some(json.clone()))).await?;
            if answer.is_success() {
                self.remember(&request.model, learned);
                return Ok((json, answer));
            }
            let failure = failure(answer, self.config.key.as_ref()).await?;
            learned = adapt(&learned, &failure, &body, profile).ok_or_else(|| failure.error())?;
        }
        Err(LlmError::new(LlmErrorKind::BadRequest).detail("the server takes no form of it"))
    }

    /// Only what made a request succeed is remembered.
    fn remember(&self, model: &str, learned: Learned) {
        let mut all = self.learned();
        let thinks = all.get(model).is_some_and(|known| known.thinks);
        let learned = Learned { thinks: learned.thinks || thinks, ..learned };
        if learned != Learned::default() {
            all.insert(model.to_owned(), learned);
        }
    }

    fn notes(&self, model: &str) -> Notes {
        Notes { learned: self.learned.clone(), model: model.to_owned() }
    }
}

#[async_trait]
impl Provider for OpenAi {
    fn body(&self, request: &Request) -> String {
        let learned = self.learned_of(&request.model);
        Body::new(request, self.profile(), &learned).json()
    }

    async fn stream(&self, request: Request) -> Result<Reply, LlmError> {
        let (body, answer) = self.ask(&request).await?;
        let reading = Reading::new(self.config.key.clone());
        let chunks = read(answer, reading, self.notes(&request.model));
        Ok(Reply { body: Some(body), chunks: within_bounds(chunks) })
    }

    /// No server counts a whole chat as its template writes it.
    async fn count(&self, _request: &Request) -> Result<Option<u32>, LlmError> {
        Ok(None)
    }

    async fn list(&self) -> Result<Vec<Listed>, LlmError> {
        self.recognise().await;
        listing::list(self).await
    }

    fn defaults(&self) -> Option<Abilities> {
        Some(self.profile().abilities())
    }

    async fn embed(&self, call: Embedding<'_>) -> Result<Vec<Vec<f32>>, LlmError> {
        embedding::embed(self, call).await
    }
}

/// Where a reply notes what it shows of its model.
struct Notes {
    learned: Arc<Mutex<HashMap<String, Learned>>>,
    model: String,
}

impl Notes {
    fn thinks(&self) {
        locked(&self.learned).entry(self.model.clone()).or_default().thinks = true;
    }
}

fn locked(learned: &Mutex<HashMap<String, Learned>>) -> MutexGuard<'_, HashMap<String, Learned>> {
    learned.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The header with the key. Some servers refuse a request without one, whatever it is.
fn authorization(key: Option<&Secret>) -> (&'static str, String) {
    ("authorization", format!("Bearer {}", key.map_or("none", Secret::expose)))
}

/// The error in an answer that is none.
async fn failure(answer: Answer, key: Option<&Secret>) -> Result<Failure, LlmError> {
    let header = |name: &str| answer.header(name).map(str::to_owned);
    let (status, after, date) = (answer.status, header("retry-after"), header("date"));
    let body = match answer.text().await {
        Ok(body) => body,
        // The status says enough.
        Err(error) if error.kind == LlmErrorKind::Cut => String::new(),
        Err(error) => return Err(error),
    };
    let failure = Failure::read(status, &body, key.map(Secret::expose));
    tracing::trace!(target: "skald::wire", ?failure, "refusal");
    Ok(failure.retry(after.as_deref(), date.as_deref()))
}

/// The chunks of an answer as it arrives.
fn read(mut answer: Answer, mut reading: Reading, notes: Notes) -> ChunkStream {
    async_stream::try_stream! {
        let mut parser = SseParser::default();
        let mut knows = false;
        let mut until = None;
        while !reading.is_done() {
            if reading.is_ending() {
                until.get_or_insert_with(|| Instant::now() + AFTERMATH);
            }
            let Some(bytes) = next_piece(&mut answer, until).await? else { break };
            let frames = parser.push(bytes.as_ref()).map_err(|_| {
                LlmError::new(LlmErrorKind::Protocol).detail("an event never ends")
            })?;
            if frames.iter().any(Frame::says_something) {
                answer.heard();
            }
            for frame in frames {
                tracing::trace!(target: "skald::wire", ?frame, "answer");
                for chunk in reading.take(&frame)? {
                    yield chunk;
                }
            }
            if reading.thought() && !std::mem::replace(&mut knows, true) {
                notes.thinks();
            }
        }
        for frame in parser.finish() {
            for chunk in reading.take_last(&frame)? {
                yield chunk;
            }
        }
        if reading.is_done() {
            drain(answer).await;
        }
        let (chunks, end) = reading.end();
        for chunk in chunks {
            yield chunk;
        }
        yield end?;
    }
    .boxed()
}

/// Reads to the end of the body, which mostly came with the last event: a connection
/// that is read to its end serves the next call too.
async fn drain(mut answer: Answer) {
    let rest = async { while let Ok(Some(_)) = answer.piece().await {} };
    drop(timeout(FAREWELL, rest).await);
}

/// The next piece; none at the end. When the model has said why it stopped, a
/// server that falls silent or away has ended too, and so has one that says no end
/// `until` then.
async fn next_piece(
    answer: &mut Answer,
    until: Option<Instant>,
) -> Result<Option<impl AsRef<[u8]> + use<>>, LlmError> {
    let Some(until) = until else {
        return match answer.piece().await {
            // What came before the break may yet hold an end.
            Err(error) if error.kind == LlmErrorKind::Cut => Ok(None),
            other => other,
        };
    };
    if Instant::now() >= until {
        return Ok(None);
    }
    Ok(timeout_at(until, answer.piece()).await.ok().and_then(Result::ok).flatten())
}
