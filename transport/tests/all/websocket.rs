//! graphql-transport-ws, message by message.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::server::{PATIENCE, TestServer};

/// A client without any opinion of its own.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn open(server: &TestServer) -> Self {
        Self::open_with(server, &[("sec-websocket-protocol", "graphql-transport-ws")])
            .await
            .unwrap()
    }

    pub(crate) async fn open_with(
        server: &TestServer,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let url = server.url("/graphql").replace("http", "ws");
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        connect_async(request).await.map(|(socket, _)| Self(socket))
    }

    pub(crate) async fn init(server: &TestServer, payload: Value) -> Self {
        let mut socket = Self::open(server).await;
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        socket
    }

    /// A socket that may subscribe.
    pub(crate) async fn ready(server: &TestServer) -> Self {
        let mut socket = Self::init(server, json!({})).await;
        assert_eq!(socket.message().await, json!({ "type": "connection_ack" }));
        socket
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.send_text(message.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    pub(crate) async fn frame(&mut self) -> Option<Result<Message, Error>> {
        tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap()
    }

    /// The next message; pings of the server are answered on the way.
    pub(crate) async fn message(&mut self) -> Value {
        loop {
            let frame = self.frame().await.unwrap().unwrap();
            if let Message::Text(text) = &frame {
                return serde_json::from_str(text).unwrap();
            }
            assert!(frame.is_ping(), "unexpected {frame:?}");
        }
    }

    /// Why the server closed; messages before that are skipped.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.frame().await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                other => panic!("no close frame but {other:?}"),
            }
        }
    }
}

fn code(message: &Value) -> &str {
    message["payload"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn queries_mutations_and_subscriptions_share_a_socket() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("silent", "subscription { silence }").await;
    socket.subscribe("q", "{ hello }").await;
    assert_eq!(
        socket.message().await,
        json!({ "type": "next", "id": "q", "payload": { "data": { "hello": "hello" } } })
    );
    assert_eq!(socket.message().await, json!({ "type": "complete", "id": "q" }));
    socket.subscribe("m", "mutation { touch }").await;
    assert_eq!(socket.message().await["payload"]["data"]["touch"], true);
    assert_eq!(socket.message().await["type"], "complete");
}

#[tokio::test]
async fn operations_run_at_the_same_time() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("slow", "{ wait }").await;
    server.signals.entered.notified().await;
    socket.subscribe("fast", "{ hello }").await;
    assert_eq!(socket.message().await["id"], "fast");
    assert_eq!(socket.message().await["id"], "fast");
    server.signals.released.notify_one();
    assert_eq!(socket.message().await["id"], "slow");
}

#[tokio::test]
async fn complete_drops_the_stream_and_frees_its_id() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("s", "subscription { silence }").await;
    server.signals.entered.notified().await;
    socket.send(json!({ "type": "complete", "id": "s" })).await;
    server.signals.dropped.notified().await;
    socket.subscribe("s", "{ hello }").await;
    assert_eq!(socket.message().await["payload"]["data"]["hello"], "hello");
}

#[tokio::test]
async fn a_lost_client_drops_its_streams() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("s", "subscription { silence }").await;
    server.signals.entered.notified().await;
    drop(socket);
    server.signals.dropped.notified().await;
}

#[tokio::test]
async fn documents_are_checked_as_over_http() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    for (query, expected) in [
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($a: Int!) { sum(a: $a) }", "BAD_USER_INPUT"),
        (&"{ hello } ".repeat(2000), "LIMIT_EXCEEDED"),
        ("query { ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        socket.subscribe("x", query).await;
        let message = socket.message().await;
        assert_eq!((&message["type"], code(&message)), (&json!("error"), expected), "{query}");
    }
    // Nothing followed those errors.
    socket.send(json!({ "type": "ping", "payload": { "n": 1 } })).await;
    assert_eq!(socket.message().await, json!({ "type": "pong", "payload": { "n": 1 } }));
}

#[tokio::test]
async fn errors_of_a_running_stream_are_masked_and_coded() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("t", "subscription { troubled }").await;
    assert_eq!(socket.message().await["payload"]["data"]["troubled"], 1);
    let denied = socket.message().await;
    assert_eq!(denied["type"], "next");
    assert_eq!(denied["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN");

    socket.subscribe("r", "subscription { refused }").await;
    loop {
        let message = socket.message().await;
        if message["id"] == "r" {
            assert_eq!(message["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN");
            break;
        }
        assert!(!message.to_string().contains("10.0.0.7"), "{message}");
    }
}

#[tokio::test]
async fn a_panic_ends_one_operation_only() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("e", "subscription { explosive }").await;
    assert_eq!(socket.message().await["payload"]["data"]["explosive"], 1);
    let failed = socket.message().await;
    assert_eq!(failed["payload"]["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR");
    assert_eq!(socket.message().await, json!({ "type": "complete", "id": "e" }));
    socket.subscribe("q", "{ hello }").await;
    assert_eq!(socket.message().await["payload"]["data"]["hello"], "hello");
}

#[tokio::test]
async fn the_token_comes_from_the_payload_or_the_header() {
    let server = TestServer::start().await;
    let payloads = [
        json!({ "authorization": "Bearer alice" }),
        json!({ "Authorization": "alice" }),
        json!({ "AUTHORIZATION": "bearer alice" }),
    ];
    for payload in payloads {
        let mut socket = Socket::init(&server, payload).await;
        assert_eq!(socket.message().await["type"], "connection_ack");
        socket.subscribe("v", "subscription { viewerOf }").await;
        assert_eq!(socket.message().await["payload"]["data"]["viewerOf"], "alice");
    }
    let headers =
        [("sec-websocket-protocol", "graphql-transport-ws"), ("authorization", "Bearer alice")];
    let mut socket = Socket::open_with(&server, &headers).await.unwrap();
    socket.send(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    socket.subscribe("v", "{ viewer }").await;
    assert_eq!(socket.message().await["payload"]["data"]["viewer"], "alice");
}

#[tokio::test]
async fn the_user_agent_is_passed_on() {
    let server = TestServer::start().await;
    let request = server.post().header("user-agent", "over http");
    request.json(&json!({ "query": "{ hello }" })).send().await.unwrap();
    assert_eq!(server.user_agent.lock().unwrap().as_deref(), Some("over http"));
    let headers =
        [("sec-websocket-protocol", "graphql-transport-ws"), ("user-agent", "on a socket")];
    let mut socket = Socket::open_with(&server, &headers).await.unwrap();
    socket.send(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    assert_eq!(server.user_agent.lock().unwrap().as_deref(), Some("on a socket"));
}
