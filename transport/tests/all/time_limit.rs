//! Nothing is executed for longer than it may, nor for a client that has left.

use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Answer, PATIENCE, TestServer};
use crate::websocket::Socket;

async fn impatient() -> TestServer {
    TestServer::with_settings(|settings| settings.requests.query_ms = 200).await
}

async fn dropped(server: &TestServer) {
    // The stones alone would take as long as all patience.
    let soon = tokio::time::timeout(PATIENCE / 4, server.signals.dropped.notified());
    soon.await.expect("what nobody waits for is dropped");
}

fn assert_timed_out(answer: &Value) {
    assert_eq!(answer["data"], Value::Null);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "TIMEOUT", "{answer}");
}

#[tokio::test]
async fn a_query_that_never_waits_is_given_up_too() {
    let server = impatient().await;
    for query in ["{ mountain { stones { weight } } }", "{ mountain { peak } }"] {
        let answer = server.ask(query).await;
        assert_eq!(answer.status, 504, "{query}");
        assert_timed_out(&answer.json());
        dropped(&server).await;
    }
}

#[tokio::test]
async fn each_event_has_its_time_over_http() {
    let server = impatient().await;
    for field in ["stones { weight }", "peak"] {
        let query = format!("subscription {{ mountains {{ {field} }} }}");
        for accept in ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0"] {
            let request = server.post().header("accept", accept).json(&json!({ "query": query }));
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert_eq!(answer.text.matches("TIMEOUT").count(), 2, "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn each_event_has_its_time_on_a_socket() {
    let server = impatient().await;
    let mut socket = Socket::ready(&server).await;
    for field in ["stones { weight }", "peak"] {
        socket.subscribe("m", &format!("subscription {{ mountains {{ {field} }} }}")).await;
        for _ in 0..2 {
            let event = socket.message().await;
            assert_eq!(event["type"], "next");
            assert_timed_out(&event["payload"]);
        }
        assert_eq!(socket.message().await["type"], "complete");
    }
}

#[tokio::test]
async fn waiting_for_an_event_takes_no_time() {
    let server = TestServer::with_settings(|settings| settings.requests.query_ms = 50).await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("t", "subscription { tick }").await;
    for tick in 1..=3 {
        assert_eq!(socket.message().await["payload"]["data"]["tick"], tick);
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_event_that_is_being_resolved() {
    let server = TestServer::with_settings(|settings| settings.requests.query_ms = 60_000).await;
    for field in ["stones { weight }", "peak"] {
        let query = format!("subscription {{ mountains {{ {field} }} }}");
        let mut socket = Socket::ready(&server).await;
        socket.subscribe("m", &query).await;
        server.signals.entered.notified().await;
        drop(socket);
        dropped(&server).await;

        let request = server.post().header("accept", "text/event-stream");
        let request = request.json(&json!({ "query": query })).send();
        // The stream's head may come late, so the request as a whole is given up.
        let entered = async {
            server.signals.entered.notified().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let response = tokio::select! {
            response = request => Some(response.unwrap()),
            () = entered => None,
        };
        drop(response);
        dropped(&server).await;
    }
}
