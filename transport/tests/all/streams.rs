//! Subscriptions over HTTP: server-sent events and multipart, byte by byte.

use reqwest::Response;
use serde_json::{Value, json};

use crate::server::{Answer, TestServer};

const MULTIPART: &str = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json";

async fn open(server: &TestServer, accept: &str, query: &str) -> Response {
    let request = server.post().header("accept", accept).json(&json!({ "query": query }));
    request.send().await.unwrap()
}

/// The data of each `next`, and whether `complete` came last.
fn events(text: &str) -> (Vec<Value>, bool) {
    let mut data = Vec::new();
    let mut is_complete = false;
    for event in text.split("\n\n").filter(|event| !event.is_empty() && *event != ":") {
        assert!(!is_complete, "nothing follows complete: {text}");
        if event == "event: complete\ndata:" {
            is_complete = true;
        } else {
            let json = event.strip_prefix("event: next\ndata: ").unwrap();
            data.push(serde_json::from_str(json).unwrap());
        }
    }
    (data, is_complete)
}

fn parts(text: &str) -> Vec<Value> {
    let text = text.strip_suffix("\r\n--graphql--\r\n").unwrap_or_else(|| panic!("{text}"));
    let head = "content-type: application/json\r\n\r\n";
    text.split("\r\n--graphql\r\n")
        .filter(|part| !part.is_empty())
        .map(|part| serde_json::from_str(part.strip_prefix(head).unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn events_of_a_subscription_then_complete() {
    let server = TestServer::start().await;
    let response = open(&server, "text/event-stream", "subscription { tick }").await;
    let answer = Answer::of(response).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-accel-buffering"), "no");
    let (data, is_complete) = events(&answer.text);
    let ticks: Vec<_> = (1..=3).map(|tick| json!({ "data": { "tick": tick } })).collect();
    assert_eq!((data, is_complete), (ticks, true));
}

#[tokio::test]
async fn queries_and_get_work_over_events_too() {
    let server = TestServer::start().await;
    for query in ["{ hello }", "mutation { touch }"] {
        let answer = Answer::of(open(&server, "text/event-stream", query).await).await;
        let (data, is_complete) = events(&answer.text);
        assert_eq!((data.len(), is_complete), (1, true), "{query}");
    }
    let request =
        server.get("/graphql?query=subscription%7Btick%7D").header("accept", "text/event-stream");
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(events(&answer.text).0.len(), 3);
}

#[tokio::test]
async fn request_errors_are_answered_before_a_stream_begins() {
    let server = TestServer::start().await;
    for accept in ["text/event-stream", MULTIPART] {
        let invalid = Answer::of(open(&server, accept, "subscription { nope }").await).await;
        assert_eq!((invalid.status, &*invalid.code()), (400, "GRAPHQL_VALIDATION_FAILED"));
        assert_eq!(invalid.header("content-type"), "application/json; charset=utf-8");
    }
    let unparsed = Answer::of(open(&server, "text/event-stream", "subscription {").await).await;
    assert_eq!((unparsed.status, &*unparsed.code()), (400, "GRAPHQL_PARSE_FAILED"));
    let request = server
        .post()
        .header("accept", "text/event-stream")
        .header("authorization", "Bearer bad")
        .json(&json!({ "query": "subscription { tick }" }));
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 401);
}

#[tokio::test]
async fn errors_of_events_are_masked() {
    let server = TestServer::start().await;
    for accept in ["text/event-stream", MULTIPART] {
        let answer = Answer::of(open(&server, accept, "subscription { troubled }").await).await;
        assert!(answer.text.contains("FORBIDDEN"), "{}", answer.text);
        assert!(!answer.text.contains("10.0.0.7"), "{}", answer.text);
    }
}

#[tokio::test]
async fn multipart_in_every_form_clients_ask_for_it() {
    let server = TestServer::start().await;
    for accept in [
        MULTIPART,
        "multipart/mixed;subscriptionSpec=\"1.0\", text/event-stream",
        "application/json, multipart/mixed; boundary=\"graphql\"; subscriptionSpec=\"1.0\"",
    ] {
        let answer = Answer::of(open(&server, accept, "subscription { tick }").await).await;
        assert_eq!(
            answer.header("content-type"),
            "multipart/mixed;boundary=graphql;subscriptionSpec=1.0"
        );
        let ticks: Vec<_> =
            (1..=3).map(|tick| json!({ "payload": { "data": { "tick": tick } } })).collect();
        assert_eq!(parts(&answer.text), ticks, "{accept}");
    }
    let query = Answer::of(open(&server, MULTIPART, "{ hello }").await).await;
    assert_eq!(query.header("content-type"), "application/json; charset=utf-8");
}

#[tokio::test]
async fn silence_is_filled_with_heartbeats() {
    let server = TestServer::with_settings(|settings| {
        settings.streams.sse_heartbeat_ms = 20;
        settings.streams.multipart_heartbeat_ms = 20;
    })
    .await;
    let beat = "\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql";
    for (accept, beat) in [("text/event-stream", ":\n\n"), (MULTIPART, beat)] {
        let mut response = open(&server, accept, "subscription { silence }").await;
        let mut text = String::new();
        while text.matches(beat).count() < 3 {
            let chunk = response.chunk().await.unwrap().unwrap();
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        drop(response);
        server.signals.dropped.notified().await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_callers_rights() {
    let server = TestServer::start().await;
    for (accept, token) in [("text/event-stream", "brief"), (MULTIPART, "brief")] {
        let request = server
            .post()
            .header("accept", accept)
            .bearer_auth(token)
            .json(&json!({ "query": "subscription { silence }" }));
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert!(answer.text.contains("UNAUTHENTICATED"), "{}", answer.text);
        if accept == MULTIPART {
            assert_eq!(parts(&answer.text)[0]["payload"], Value::Null);
        } else {
            assert!(events(&answer.text).1);
        }
    }
    let response = open(&server, "text/event-stream", "subscription { silence }").await;
    server.revoked.cancel();
    assert!(Answer::of(response).await.text.contains("the token was revoked"));
}

#[tokio::test]
async fn multipart_says_that_the_server_restarts() {
    let server = TestServer::start().await;
    let response = open(&server, MULTIPART, "subscription { silence }").await;
    server.shutdown.closing.cancel();
    let answer = Answer::of(response).await;
    let last = parts(&answer.text).pop().unwrap();
    assert_eq!(last["payload"], Value::Null);
    assert_eq!(last["errors"][0]["message"], "the server is restarting");
}
