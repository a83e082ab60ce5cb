//! HTTP to providers: one shared client, three timeouts, bodies as they arrive.
//!
//! Dropping an [`Answer`] or a future of this file closes the provider's
//! socket: that is how a call is cancelled.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::{LlmError, LlmErrorKind};

/// The longest body that is read whole, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// How long to wait for a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the request to the first byte of the answer's body.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
}

/// What a provider may be given to wait; absent ones follow from where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutConfig {
    /// Seconds until the first byte of an answer. Default 60, for a server on this machine or
    /// in its network 600: it may read the whole prompt first.
    pub first_byte_seconds: Option<u64>,
    /// Seconds of silence within an answer. Default 60, for a local server 120.
    pub idle_seconds: Option<u64>,
}

impl TimeoutConfig {
    /// The timeouts for a server that is or is not in the own network.
    pub fn resolve(self, local: bool) -> Timeouts {
        let (first_byte, idle) = if local { (600, 120) } else { (60, 60) };
        Timeouts {
            first_byte: Duration::from_secs(self.first_byte_seconds.unwrap_or(first_byte)),
            idle: Duration::from_secs(self.idle_seconds.unwrap_or(idle)),
        }
    }
}

/// The client that all providers share. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Http(reqwest::Client);

/// One request to a provider. Its `Debug` shows neither headers nor body.
pub struct Call {
    /// Where to; never with a key in it.
    pub url: String,
    /// Header names and values; the key is one of them.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON to post; without it the request is a GET.
    pub body: Option<String>,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// An answer whose body has not been read yet.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    response: reqwest::Response,
    /// Until when the next piece has to come.
    deadline: Instant,
    idle: Duration,
}

impl Http {
    /// A client with no connections yet.
    pub fn new() -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("skald/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(30))
            .build();
        client.map(Self).map_err(|error| format!("cannot set up HTTP: {error}"))
    }

    /// Sends a request and waits for the answer's head.
    pub async fn send(&self, call: Call) -> Result<Answer, LlmError> {
        let deadline = Instant::now() + call.timeouts.first_byte;
        let request = match call.body {
            Some(body) => {
                self.0.post(&call.url).header("content-type", "application/json").body(body)
            }
            None => self.0.get(&call.url),
        };
        // A compressed stream may be held back by whoever compresses it.
        let request = request.header("accept-encoding", "identity");
        let request = call
            .headers
            .into_iter()
            .fold(request, |request, (name, value)| request.header(name, value));
        let response = timeout_at(deadline, request.send()).await;
        let response = response.map_err(|_| LlmErrorKind::Timeout)?.map_err(unreachable)?;
        let status = response.status().as_u16();
        Ok(Answer { status, response, deadline, idle: call.timeouts.idle })
    }
}

impl Answer {
    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the body says it is JSON rather than a stream of events.
    pub fn is_json(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("application/json"))
    }

    /// A header, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next piece of the body; none at its end. A socket that breaks is [`LlmErrorKind::Cut`].
    pub async fn piece(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, LlmError> {
        let piece = timeout_at(self.deadline, self.response.chunk()).await;
        let piece = piece.map_err(|_| LlmErrorKind::Timeout)?.map_err(|_| LlmErrorKind::Cut)?;
        self.deadline = Instant::now() + self.idle;
        Ok(piece)
    }

    /// The whole body as text.
    pub async fn text(mut self) -> Result<String, LlmError> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            body.extend_from_slice(piece.as_ref());
            if body.len() > MAX_BODY {
                return Err(LlmError::new(LlmErrorKind::Protocol).detail("the answer never ends"));
            }
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// The request never got an answer. The address may hold a password, so it is not named.
#[expect(clippy::needless_pass_by_value, reason = "stands where an error is mapped")]
fn unreachable(error: reqwest::Error) -> LlmError {
    if error.is_timeout() && !error.is_connect() {
        return LlmErrorKind::Timeout.into();
    }
    if error.is_builder() {
        return LlmError::new(LlmErrorKind::BadRequest).detail("the address is not a URL");
    }
    let mut source: &dyn std::error::Error = &error;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    LlmError::new(LlmErrorKind::Unreachable).detail(source.to_string())
}

impl std::fmt::Debug for Call {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Call").field("url", &self.url).finish_non_exhaustive()
    }
}
