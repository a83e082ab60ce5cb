//! Who is asking, and what the binary puts into each of their operations.
//!
//! The transport knows credentials and deadlines; what a viewer is and which loaders resolvers
//! need stays behind [`Caller`]'s closure.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::Request;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::{HeaderMap, header};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::origin;

const MAX_USER_AGENT: usize = 256;

/// Decides who is asking, once per HTTP request or WebSocket connection.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Answers with the caller, who may be anonymous, or refuses a bad token.
    async fn authenticate(&self, credentials: Credentials) -> Result<Caller, AuthenticationError>;
}

/// What a client showed of itself.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The token of `Authorization: Bearer`, or of `connection_init`'s `authorization`.
    pub bearer: Option<String>,
    /// The address of the other end of the connection.
    pub peer: Option<IpAddr>,
    /// What the client calls itself, so that an owner can tell devices apart: one line of 256 bytes
    /// at most. Anybody may claim anything.
    pub user_agent: Option<String>,
    /// Where the client found this server, such as `https://chat.example.org`: links begin so.
    pub base: Option<String>,
}

impl fmt::Debug for Credentials {
    // A token that reaches a log can be used by whoever reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("bearer", &self.bearer.as_ref().map(|_| "[redacted]"))
            .field("peer", &self.peer)
            .field("user_agent", &self.user_agent)
            .field("base", &self.base)
            .finish()
    }
}

impl Credentials {
    pub(crate) fn from_headers(headers: &HeaderMap, peer: Option<IpAddr>) -> Self {
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| strip_bearer(value.trim()))
            .map(str::to_owned);
        Self { bearer, peer, user_agent: user_agent(headers), base: origin::base(headers) }
    }

    /// Browsers cannot set headers on a WebSocket, so the token of the payload comes first.
    pub(crate) fn or_payload(mut self, payload: &Map<String, Value>) -> Self {
        let token = payload
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("authorization"))
            .and_then(|(_, value)| value.as_str())
            .map(str::trim);
        if let Some(token) = token {
            self.bearer = Some(strip_bearer(token).unwrap_or(token).to_owned());
        }
        self
    }
}

/// It is shown and logged, so it is made short and harmless.
fn user_agent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::USER_AGENT)?;
    let mut text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    text.retain(|character| !character.is_control());
    text.truncate(text.floor_char_boundary(MAX_USER_AGENT));
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Other schemes (a proxy's `Basic`) are not meant for us and count as no token.
fn strip_bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

type Prepare = dyn Fn(Request) -> Request + Send + Sync;

/// Somebody who may run operations, until a time and until revoked.
#[derive(Clone)]
pub struct Caller {
    expires_at: Option<DateTime<Utc>>,
    revoked: CancellationToken,
    prepare: Arc<Prepare>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Caller {
    /// A caller whose sockets and streams end at `expires_at`.
    ///
    /// `prepare` puts what resolvers need (the viewer, loaders) into each operation's request.
    pub fn new(
        expires_at: Option<DateTime<Utc>>,
        prepare: impl Fn(Request) -> Request + Send + Sync + 'static,
    ) -> Self {
        Self { expires_at, revoked: CancellationToken::new(), prepare: Arc::new(prepare) }
    }

    /// Sockets and streams of this caller end as soon as `token` is cancelled.
    #[must_use]
    pub fn revoked_by(self, token: CancellationToken) -> Self {
        Self { revoked: token, ..self }
    }

    pub(crate) fn prepare(&self, request: Request) -> Request {
        (self.prepare)(request)
    }

    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at
    }

    pub(crate) fn revoked(&self) -> &CancellationToken {
        &self.revoked
    }
}

/// Why a token was refused, in words the client may read.
#[derive(Clone, Copy, Debug)]
pub struct AuthenticationError {
    /// One short sentence, such as "the token has expired".
    pub message: &'static str,
}

impl fmt::Display for AuthenticationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for AuthenticationError {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn user_agent(value: &[u8]) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_bytes(value).unwrap());
        Credentials::from_headers(&headers, None).user_agent
    }

    #[test]
    fn a_user_agent_is_one_short_line() {
        assert_eq!(user_agent(b"Skald/1.0 (\tphone)").unwrap(), "Skald/1.0 (phone)");
        // Control characters beyond ASCII are no text either.
        assert_eq!(user_agent("a\u{85}b".as_bytes()).unwrap(), "ab");
        assert_eq!(user_agent(b"na\xefve").unwrap(), "na\u{fffd}ve");
        assert_eq!(user_agent(format!("x{}", "é".repeat(200)).as_bytes()).unwrap().len(), 255);
        assert_eq!(user_agent(b"  "), None);
        assert_eq!(Credentials::from_headers(&HeaderMap::new(), None).user_agent, None);
    }
}
