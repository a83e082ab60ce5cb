//! Every limit and switch of the transport, with its default.
//!
//! The binary puts [`Settings`] into its configuration file as it is; nothing here reads the
//! environment. A limit that refuses a request is named in the answer (`extensions.limit`).

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the transport allows; the default suits a server on a private network.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether clients may read the schema (`__schema`, `__type`). Default `true`.
    pub introspection: bool,
    /// Whether the page is served at `/`. Default `true`.
    pub graphiql: bool,
    /// Origins of other sites whose pages may call this server. Default none.
    ///
    /// Each like `https://chat.example.org`; `*` allows every origin. Pages of this server and
    /// clients that send no `Origin` are always allowed.
    pub allowed_origins: Vec<String>,
    /// What one GraphQL document may contain.
    pub documents: DocumentLimits,
    /// What one HTTP request may cost.
    pub requests: RequestLimits,
    /// What one WebSocket may cost.
    pub websocket: WebSocketLimits,
    /// How subscriptions are kept alive over HTTP.
    pub streams: StreamSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            introspection: true,
            graphiql: true,
            allowed_origins: Vec::new(),
            documents: DocumentLimits::default(),
            requests: RequestLimits::default(),
            websocket: WebSocketLimits::default(),
            streams: StreamSettings::default(),
        }
    }
}

/// What one GraphQL document may contain; checked before anything is executed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DocumentLimits {
    /// Length of the document's text, in bytes. Default 65,536.
    pub query_bytes: usize,
    /// Words and signs of the document. Default 2,000.
    pub tokens: usize,
    /// Levels of fields within fields. Default 15.
    pub depth: usize,
    /// The same for documents that only ask for the schema. Default 24.
    pub introspection_depth: usize,
    /// Fields with an alias. Default 30.
    pub aliases: usize,
    /// Fields at the top of one operation, fragments included. Default 20.
    pub root_fields: usize,
    /// Directives. Default 20.
    pub directives: usize,
    /// Fields once every fragment is written out where it is used. Default 5,000.
    pub expanded_selections: usize,
    /// Complexity as the schema counts it. Default 5,000.
    ///
    /// The schema enforces it (`limit_complexity`); it stands here so that a refusal can say what
    /// is allowed.
    pub complexity: usize,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self {
            query_bytes: 64 * 1024,
            tokens: 2_000,
            depth: 15,
            introspection_depth: 24,
            aliases: 30,
            root_fields: 20,
            directives: 20,
            expanded_selections: 5_000,
            complexity: 5_000,
        }
    }
}

/// What one HTTP request may cost.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RequestLimits {
    /// Length of a request body, in bytes. Default 1,048,576.
    pub body_bytes: usize,
    /// Time to receive a body, in milliseconds. Default 15,000.
    pub body_read_ms: u64,
    /// Time to execute a query, a mutation or one event, in milliseconds. Default 15,000.
    pub query_ms: u64,
    /// Length of one answer, or of one event, in bytes. Default 16,777,216.
    pub answer_bytes: usize,
}

impl Settings {
    /// How long a connection may wait for a client who reads nothing, before it is ended.
    ///
    /// Longer than a socket's own limit, which can still say why it closes.
    pub fn write_patience(&self) -> Duration {
        let longer = self.websocket.write_timeout().saturating_add(Duration::from_secs(5));
        longer.max(Duration::from_secs(30))
    }
}

impl RequestLimits {
    pub(crate) fn body_read(&self) -> Duration {
        Duration::from_millis(self.body_read_ms)
    }

    pub(crate) fn query(&self) -> Duration {
        Duration::from_millis(self.query_ms)
    }
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            body_read_ms: 15_000,
            query_ms: 15_000,
            answer_bytes: 16 * 1024 * 1024,
        }
    }
}

/// What one WebSocket may cost.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocketLimits {
    /// Time until `connection_init` is accepted, in milliseconds. Default 5,000.
    pub init_wait_ms: u64,
    /// Length of one message from the client, in bytes. Default 262,144.
    pub message_bytes: usize,
    /// Operations that run at the same time. Default 50.
    ///
    /// Their requests together may have four times `message_bytes`.
    pub operations: usize,
    /// Time between pings, in milliseconds; two without any answer end it. Default 15,000.
    pub ping_interval_ms: u64,
    /// Time a message may wait for a slow client, in milliseconds. Default 10,000.
    pub write_timeout_ms: u64,
    /// Messages that may wait for a slow client. Default 32.
    pub queued_messages: usize,
    /// Sockets and streaming responses one address may have open; 0 for no limit. Default 100.
    ///
    /// An IPv6 address counts with its /64 network. Behind a proxy all clients share its address:
    /// raise the limit there, or let the proxy count.
    pub per_address: usize,
}

impl WebSocketLimits {
    pub(crate) fn init_wait(&self) -> Duration {
        Duration::from_millis(self.init_wait_ms)
    }

    pub(crate) fn ping_interval(&self) -> Duration {
        Duration::from_millis(self.ping_interval_ms)
    }

    pub(crate) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms)
    }
}

impl Default for WebSocketLimits {
    fn default() -> Self {
        Self {
            init_wait_ms: 5_000,
            message_bytes: 256 * 1024,
            operations: 50,
            ping_interval_ms: 15_000,
            write_timeout_ms: 10_000,
            queued_messages: 32,
            per_address: 100,
        }
    }
}

/// How subscriptions are kept alive over HTTP.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StreamSettings {
    /// Silence after which an SSE comment is sent, in milliseconds. Default 12,000.
    pub sse_heartbeat_ms: u64,
    /// Silence after which an empty part is sent, in milliseconds. Default 5,000.
    pub multipart_heartbeat_ms: u64,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self { sse_heartbeat_ms: 12_000, multipart_heartbeat_ms: 5_000 }
    }
}
