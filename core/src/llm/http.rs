//! HTTP to providers: shared connections, four timeouts, bodies as they arrive.
//!
//! Certificates are looked for when a server that needs them is first called: a machine
//! without any can still talk to one that speaks plain HTTP. Servers of the own network
//! are never asked for through a proxy. Dropping an [`Answer`] or a future of this file
//! closes the provider's socket: that is how a call is cancelled.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::header::HeaderValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::{LlmError, LlmErrorKind, address::is_local};

/// The longest body that is read whole, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;
/// How long one call may take in all, unless somebody says otherwise.
const TOTAL: Duration = Duration::from_mins(30);

/// How long to wait for a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the request to the first data of the answer. A sign of life is no data.
    pub first_byte: Duration,
    /// Between two pieces of data.
    pub idle: Duration,
}

/// What a provider may be given to wait; absent ones follow from where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutConfig {
    /// Seconds until the first data of an answer. Default 60, for a server on this machine or
    /// in its network 600: it may read the whole prompt first.
    pub first_byte_seconds: Option<u64>,
    /// Seconds without data within an answer. Default 60, for a local server 120.
    pub idle_seconds: Option<u64>,
    /// Seconds that one call may take in all. Default 1800.
    pub total_seconds: Option<u64>,
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

    /// What is wrong with it, as one sentence that names the setting.
    pub(super) fn check(self, provider: &str) -> Result<(), String> {
        for (name, seconds) in [
            ("first_byte_seconds", self.first_byte_seconds),
            ("idle_seconds", self.idle_seconds),
            ("total_seconds", self.total_seconds),
        ] {
            if seconds.is_some_and(|seconds| !(1..=86_400).contains(&seconds)) {
                return Err(format!("{provider}.timeouts.{name}: choose 1 to 86400 seconds"));
            }
        }
        Ok(())
    }

    /// How long one call may take in all.
    pub fn total(self) -> Duration {
        self.total_seconds.map_or(TOTAL, Duration::from_secs)
    }
}

/// The client that all providers share. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Http {
    clients: Arc<Clients>,
    total: Duration,
}

/// Clients by what they are for; those that need certificates are built when they are needed.
#[derive(Debug)]
struct Clients {
    /// To servers of the own network that speak plain HTTP.
    near: reqwest::Client,
    /// To servers of the own network that speak HTTPS.
    near_secure: OnceLock<reqwest::Client>,
    /// To all others: a proxy may be reached over HTTPS, even if a server is not.
    far: OnceLock<reqwest::Client>,
    /// To servers elsewhere that speak plain HTTP, where there are no certificates.
    far_plain: OnceLock<reqwest::Client>,
}

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
    /// Until when data has to come.
    deadline: Instant,
    /// Until when everything has to have come.
    ceiling: Instant,
    idle: Duration,
}

impl Http {
    /// A client with no connections yet. It needs no certificates.
    pub fn new() -> Result<Self, String> {
        let near = plain().no_proxy().build();
        let near = near.map_err(|error| format!("cannot set up HTTP: {}", root_of(&error)))?;
        let [near_secure, far, far_plain] = [const { OnceLock::new() }; 3];
        let clients = Arc::new(Clients { near, near_secure, far, far_plain });
        Ok(Self { clients, total: TOTAL })
    }

    /// The same connections for calls that may take so long in all.
    #[must_use]
    pub fn within(&self, total: Duration) -> Self {
        Self { clients: self.clients.clone(), total }
    }

    /// Sends a request and waits for the answer's head.
    pub async fn send(&self, call: Call) -> Result<Answer, LlmError> {
        let began = Instant::now();
        let ceiling = began + self.total;
        let deadline = ceiling.min(began + call.timeouts.first_byte);
        let client = self.clients.for_url(&call.url)?;
        let request = match call.body {
            Some(body) => {
                client.post(&call.url).header("content-type", "application/json").body(body)
            }
            None => client.get(&call.url),
        };
        // A compressed stream may be held back by whoever compresses it.
        let mut request = request.header("accept-encoding", "identity");
        for (name, value) in call.headers {
            request = request.header(name, secret(&value)?);
        }
        let response = timeout_at(deadline, request.send()).await;
        let response = response.map_err(|_| LlmErrorKind::Timeout)?.map_err(unreachable)?;
        let status = response.status().as_u16();
        Ok(Answer { status, response, deadline, ceiling, idle: call.timeouts.idle })
    }
}

impl Clients {
    fn for_url(&self, url: &str) -> Result<&reqwest::Client, LlmError> {
        let secure = url.trim_start().get(..6).is_some_and(|it| it.eq_ignore_ascii_case("https:"));
        match (is_local(url), secure) {
            (true, false) => Ok(&self.near),
            (true, true) => built(&self.near_secure, common().no_proxy()),
            (false, true) => built(&self.far, common()),
            (false, false) => {
                built(&self.far, common()).or_else(|_| built(&self.far_plain, plain()))
            }
        }
    }
}

/// What all clients have in common.
fn common() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("skald/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_secs(30))
}

/// A client that trusts nobody, for servers that prove nothing.
fn plain() -> reqwest::ClientBuilder {
    common().tls_certs_only([])
}

/// The client at its place; a failure is not kept, for certificates can be installed.
fn built(
    place: &OnceLock<reqwest::Client>,
    builder: reqwest::ClientBuilder,
) -> Result<&reqwest::Client, LlmError> {
    if let Some(client) = place.get() {
        return Ok(client);
    }
    let client = builder.build().map_err(|error| {
        let why = root_of(&error);
        let detail = format!("this machine has no usable CA certificates for HTTPS: {why}");
        LlmError::new(LlmErrorKind::Unreachable).detail(detail)
    })?;
    Ok(place.get_or_init(|| client))
}

/// The value of a header that nobody is to see.
fn secret(value: &str) -> Result<HeaderValue, LlmError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        LlmError::new(LlmErrorKind::BadRequest).detail("the key holds what no header may")
    })?;
    value.set_sensitive(true);
    Ok(value)
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
    ///
    /// Pieces alone do not put the deadline off: see [`Answer::heard`].
    pub async fn piece(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, LlmError> {
        // Bytes that are there already would be taken before the clock is looked at.
        if Instant::now() >= self.ceiling {
            return Err(LlmError::new(LlmErrorKind::Timeout).detail("the call took too long"));
        }
        let piece = timeout_at(self.deadline, self.response.chunk()).await;
        Ok(piece.map_err(|_| LlmErrorKind::Timeout)?.map_err(|_| LlmErrorKind::Cut)?)
    }

    /// Data came, not only a sign of life: the next may take its time anew.
    pub fn heard(&mut self) {
        self.deadline = self.ceiling.min(Instant::now() + self.idle);
    }

    /// The whole body as text.
    pub async fn text(mut self) -> Result<String, LlmError> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            self.heard();
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
    LlmError::new(LlmErrorKind::Unreachable).detail(root_of(&error))
}

/// What lies at the bottom of an error.
fn root_of(error: &reqwest::Error) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    source.to_string()
}

impl std::fmt::Debug for Call {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Call").field("url", &self.url).finish_non_exhaustive()
    }
}
