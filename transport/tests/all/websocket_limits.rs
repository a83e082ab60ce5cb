//! When a socket is closed, and why.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::server::{Answer, PATIENCE, TestServer};
use crate::websocket::Socket;

#[tokio::test]
async fn bad_messages_close_with_4400() {
    let server = TestServer::start().await;
    let messages = [
        "[]",
        "{}",
        r#"{"type":3}"#,
        r#"{"type":"nope"}"#,
        r#"{"type":"ping","payload":3}"#,
        r#"{"type":"subscribe","payload":{"query":"{hello}"}}"#,
        r#"{"type":"subscribe","id":"","payload":{"query":"{hello}"}}"#,
        r#"{"type":"subscribe","id":"x"}"#,
        r#"{"type":"subscribe","id":"x","payload":{"query":3}}"#,
        r#"{"type":"complete"}"#,
    ];
    for message in messages {
        let mut socket = Socket::ready(&server).await;
        socket.send_text(message.to_owned()).await;
        assert_eq!(socket.closed().await.0, 4400, "{message}");
    }
}

#[tokio::test]
async fn a_large_message_closes_the_socket() {
    let server =
        TestServer::with_settings(|settings| settings.websocket.message_bytes = 1000).await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("x", &"#".repeat(2000)).await;
    assert_eq!(socket.closed().await.0, 4400);
}

#[tokio::test]
async fn a_duplicate_id_closes_with_a_short_reason() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    let id = "é".repeat(100);
    socket.subscribe(&id, "subscription { silence }").await;
    socket.subscribe(&id, "subscription { silence }").await;
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4409);
    assert!(reason.starts_with("Subscriber for é"));
}

#[tokio::test]
async fn no_init_closes_with_4408() {
    let server = TestServer::with_settings(|settings| settings.websocket.init_wait_ms = 50).await;
    let mut silent = Socket::open(&server).await;
    assert_eq!(silent.closed().await.0, 4408);
    let mut slow = Socket::init(&server, json!({ "authorization": "slow" })).await;
    assert_eq!(slow.closed().await.0, 4408);
}

#[tokio::test]
async fn a_second_init_closes_even_while_the_first_is_looked_at() {
    let server = TestServer::start().await;
    let mut socket = Socket::init(&server, json!({ "authorization": "slow" })).await;
    socket.send(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.closed().await.0, 4429);
}

#[tokio::test]
async fn an_expired_token_closes_with_4403() {
    let server = TestServer::start().await;
    let mut socket = Socket::init(&server, json!({ "authorization": "brief" })).await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    socket.subscribe("s", "subscription { silence }").await;
    assert_eq!(socket.closed().await, (4403, "Token expired".to_owned()));
    server.signals.dropped.notified().await;
}

#[tokio::test]
async fn a_revoked_caller_is_closed_at_once() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("s", "subscription { silence }").await;
    server.signals.entered.notified().await;
    server.revoked.cancel();
    assert_eq!(socket.closed().await, (4403, "Forbidden".to_owned()));
}

#[tokio::test]
async fn operations_per_socket_are_limited() {
    let server = TestServer::with_settings(|settings| settings.websocket.operations = 2).await;
    let mut socket = Socket::ready(&server).await;
    for id in ["a", "b", "c"] {
        socket.subscribe(id, "subscription { silence }").await;
    }
    let refused = socket.message().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("c")));
    let extensions = &refused["payload"][0]["extensions"];
    assert_eq!(extensions["limit"], "operationsPerSocket");
    assert_eq!(extensions["allowed"], 2);
}

#[tokio::test]
async fn pages_of_other_sites_may_not_connect() {
    let server = TestServer::with_settings(|settings| {
        settings.allowed_origins = vec!["https://chat.example.org".to_owned()];
    })
    .await;
    let own = format!("http://{}", server.address);
    for (origin, allowed) in [
        ("https://chat.example.org", true),
        (&*own, true),
        ("https://evil.com", false),
        ("https://chat.example.org.evil.com", false),
        ("null", false),
    ] {
        let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("origin", origin)];
        let opened = Socket::open_with(&server, &headers).await;
        assert_eq!(opened.is_ok(), allowed, "{origin}");
    }
}

#[tokio::test]
async fn sockets_and_streams_of_an_address_are_limited() {
    let server = TestServer::with_settings(|settings| settings.websocket.per_address = 2).await;
    let stream = async || {
        let request = server.post().header("accept", "text/event-stream");
        request.json(&json!({ "query": "subscription { silence }" })).send().await.unwrap()
    };
    let (socket, open) = (Socket::ready(&server).await, stream().await);
    assert_eq!(open.status(), 200);
    let refused = Answer::of(stream().await).await;
    assert_eq!((refused.status, &*refused.code()), (429, "LIMIT_EXCEEDED"));
    assert_eq!(
        (refused.error("limit"), refused.error("allowed")),
        (json!("connections"), 2.into())
    );
    let headers = [("sec-websocket-protocol", "graphql-transport-ws")];
    let Err(Error::Http(response)) = Socket::open_with(&server, &headers).await else {
        panic!("a third connection was accepted");
    };
    assert_eq!(response.status(), 429);
    // Queries are over soon and need no place.
    assert_eq!(server.ask("{ hello }").await.status, 200);
    drop((socket, open));
    let free = async {
        while Socket::open_with(&server, &headers).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while stream().await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, free).await.expect("places are freed");
}

#[tokio::test]
async fn other_protocols_are_not_spoken() {
    let server = TestServer::start().await;
    let headers = [("sec-websocket-protocol", "graphql-ws")];
    let Err(Error::Http(response)) = Socket::open_with(&server, &headers).await else {
        panic!("the legacy protocol was accepted");
    };
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn silent_clients_are_asked_and_then_closed() {
    let server =
        TestServer::with_settings(|settings| settings.websocket.ping_interval_ms = 100).await;
    let mut socket = Socket::ready(&server).await;
    // Reading answers pings, so this client stays.
    for _ in 0..5 {
        assert!(matches!(socket.frame().await, Some(Ok(Message::Ping(_)))));
    }
    socket.subscribe("q", "{ hello }").await;
    assert_eq!(socket.message().await["type"], "next");
    // Now it stops reading: the server lets go, as its stream shows.
    socket.subscribe("s", "subscription { silence }").await;
    server.signals.dropped.notified().await;
}

#[tokio::test]
async fn a_slow_consumer_is_closed_and_disturbs_nobody() {
    let server = TestServer::with_settings(|settings| {
        settings.websocket.write_timeout_ms = 300;
    })
    .await;
    let mut slow = Socket::ready(&server).await;
    slow.subscribe("f", "subscription { firehose }").await;
    let mut other = Socket::ready(&server).await;
    other.subscribe("q", "{ hello }").await;
    assert_eq!(other.message().await["type"], "next");
    server.signals.dropped.notified().await;
    // What the system's buffers took, and the queue: far from "for ever".
    let poured = server.signals.poured.load(Ordering::SeqCst);
    assert!(poured < 100_000, "{poured}");
    assert_eq!(slow.closed().await, (4290, "slow consumer".to_owned()));
}

#[tokio::test]
async fn a_firehose_can_be_stopped() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("f", "subscription { firehose }").await;
    for _ in 0..100 {
        assert_eq!(socket.message().await["id"], "f");
    }
    socket.send(json!({ "type": "complete", "id": "f" })).await;
    socket.subscribe("q", "{ hello }").await;
    while socket.message().await["id"] != "q" {}
    assert_eq!(server.signals.drops.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_long_ping_is_answered_without_its_payload() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.send(json!({ "type": "ping", "payload": { "text": "x".repeat(2000) } })).await;
    assert_eq!(socket.message().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn what_the_operations_of_a_socket_hold_is_limited() {
    let server =
        TestServer::with_settings(|settings| settings.websocket.message_bytes = 2000).await;
    let mut socket = Socket::ready(&server).await;
    let large = format!("subscription {{ silence }} #{}", "x".repeat(1700));
    for id in ["a", "b", "c", "d", "e"] {
        socket.subscribe(id, &large).await;
    }
    let refused = socket.message().await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("e")));
    assert_eq!(refused["payload"][0]["extensions"]["limit"], "operationBytesPerSocket");
    assert_eq!(refused["payload"][0]["extensions"]["allowed"], 8000);
    // What is stopped is not held any longer.
    socket.send(json!({ "type": "complete", "id": "a" })).await;
    socket.subscribe("f", &large).await;
    socket.subscribe("q", "{ hello }").await;
    assert_eq!(socket.message().await["id"], "q");
}

#[tokio::test]
async fn stopped_operations_are_dropped_while_the_client_reads_nothing() {
    let server = TestServer::with_settings(|settings| {
        settings.websocket.queued_messages = 1;
        settings.websocket.write_timeout_ms = 60_000;
    })
    .await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("s", "subscription { silence }").await;
    server.signals.entered.notified().await;
    socket.subscribe("f", "subscription { megabytes }").await;
    // The queue is full, so nothing is polled any more; the client still writes.
    server.signals.poured_to_the_brim().await;
    socket.send(json!({ "type": "complete", "id": "s" })).await;
    tokio::time::timeout(PATIENCE, server.signals.dropped.notified()).await.unwrap();
}

#[tokio::test]
async fn reading_a_little_now_and_then_is_slow() {
    let server = TestServer::with_settings(|settings| {
        settings.websocket.write_timeout_ms = 500;
        settings.websocket.queued_messages = 1000;
    })
    .await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("f", "subscription { firehose }").await;
    server.signals.poured_to_the_brim().await;
    let reading = async {
        loop {
            // A tenth of what waits, so that writing never stands still for long.
            for _ in 0..100 {
                drop(socket.frame().await);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        () = reading => {}
        () = server.signals.dropped.notified() => {}
        () = tokio::time::sleep(PATIENCE) => panic!("the client is still served"),
    }
}
