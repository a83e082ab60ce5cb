//! Health, readiness and the end of the process.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{Answer, PATIENCE, TestServer};
use crate::websocket::Socket;

#[tokio::test]
async fn readiness_says_what_is_missing() {
    let server = TestServer::start().await;
    let ready = async || Answer::of(server.get("/readyz").send().await.unwrap()).await;
    assert_eq!(ready().await.status, 200);
    *server.missing.lock().unwrap() = Some("no database".to_owned());
    let answer = ready().await;
    assert_eq!((answer.status, &*answer.text), (503, "no database\n"));
    let alive = Answer::of(server.get("/healthz").send().await.unwrap()).await;
    assert_eq!(alive.status, 200);
}

#[tokio::test]
async fn a_shutdown_lets_running_queries_finish_and_ends_the_rest() {
    let server = TestServer::start().await;
    let mut socket = Socket::ready(&server).await;
    socket.subscribe("s", "subscription { silence }").await;
    server.signals.entered.notified().await;
    let mut events = server
        .post()
        .header("accept", "text/event-stream")
        .json(&json!({ "query": "subscription { silence }" }))
        .send()
        .await
        .unwrap();
    server.signals.entered.notified().await;
    let (post, released) = (server.post(), server.signals.clone());
    let running = server.shutdown.tasks.spawn(async move {
        let request = post.json(&json!({ "query": "{ wait }" }));
        Answer::of(request.send().await.unwrap()).await
    });
    server.signals.entered.notified().await;

    server.shutdown.closing.cancel();
    assert_eq!(socket.closed().await, (1012, "Service Restart".to_owned()));
    while events.chunk().await.unwrap().is_some() {}
    released.released.notify_one();
    assert_eq!(running.await.unwrap().status, 200);
    assert!(server.shutdown.finish(PATIENCE).await, "nothing is left");
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn new_requests_are_sent_away_while_the_old_finish() {
    let server = TestServer::start().await;
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    // The server has begun to read this request, so the shutdown waits for its end.
    connection.write_all(b"GET /graphql HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let probe = server.get("/healthz").send().await.unwrap();
    assert_eq!(probe.status(), 200);
    server.shutdown.closing.cancel();
    connection.write_all(b"connection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    // The race is real: a connection without a whole request may also be closed.
    connection.read_to_string(&mut answer).await.unwrap_or_default();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_sends_no_headers_is_closed() {
    let server = TestServer::start().await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"POST /graphql HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut buffer = Vec::new();
    let closed = async {
        silent.read_to_end(&mut buffer).await.unwrap();
        slow.read_to_end(&mut buffer).await.unwrap();
    };
    // Twice the ten seconds that the server waits.
    tokio::time::timeout(Duration::from_secs(20), closed).await.unwrap();
}

#[tokio::test]
async fn a_socket_that_does_not_say_goodbye_is_given_up() {
    let server = TestServer::start().await;
    let socket = Socket::ready(&server).await;
    // Sockets wait longer than that for a client to close.
    assert!(!server.shutdown.finish(Duration::from_millis(50)).await);
    assert!(server.shutdown.finish(PATIENCE).await);
    drop(socket);
}
