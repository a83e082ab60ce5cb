//! Two processes on one PostgreSQL: what one leaves, the other one ends.

use serde_json::json;
use tokio::time::{Duration, Instant};

use crate::{
    client::{Player, Reader, read_some, read_to_end},
    server::{Home, Server, postgres_home},
};

/// The lease of a dead process lives for 10 s; then somebody has to look.
const TAKEN_OVER: Duration = Duration::from_secs(15);
/// A wish to stop is heard when the next draft is saved, every quarter of a second.
const HEARD: Duration = Duration::from_secs(3);

async fn two_processes(home: &Home) -> (Server, Server) {
    (home.serve().await, home.serve().await)
}

/// A long reply that has begun; its id.
async fn begin_long(freya: &Player) -> (String, String) {
    let session = freya.begin().await;
    let first = freya.send(&session, "Tell me everything.").await;
    let reply = freya.swipe(&first, "skald/offline:long").await;
    (session, reply)
}

#[tokio::test]
async fn what_a_dead_process_was_writing_another_one_ends() {
    let Some(home) = postgres_home().await else { return };
    let (dying, living) = two_processes(&home).await;
    let freya = Player::register(&dying, "freya").await;
    let (session, reply) = begin_long(&freya).await;
    let there = freya.on(&living);
    let (mut socket, _) = there.watch(&reply, 0).await;
    let mut log = there.open_socket().await;
    let events = "subscription($id: ID!) { sessionEvents(sessionId: $id, channels: []) {
        __typename ... on ReplyFinished { message { id status } } } }";
    log.subscribe(events, json!({ "id": session })).await;
    let seen = read_some(&mut socket, 200).await;

    dying.kill().await;
    let died = Instant::now();
    let (reader, ended) = read_to_end(&mut socket, seen).await;
    let waited = died.elapsed();
    assert_eq!(
        (&ended["status"], &ended["content"]),
        (&json!("INTERRUPTED"), &json!(reader.text()))
    );
    assert!(waited <= TAKEN_OVER, "a watcher waited {waited:?}");
    loop {
        let event = log.event("sessionEvents").await.unwrap();
        if event["message"]["id"] == json!(reply) {
            assert_eq!(event["message"]["status"], "INTERRUPTED");
            break;
        }
    }
    let again = there.swipe(&reply, "skald/offline").await;
    let (mut socket, _) = there.watch(&again, 0).await;
    let (_, ended) = read_to_end(&mut socket, Reader::default()).await;
    assert_eq!(ended["status"], "COMPLETE");
}

#[tokio::test]
async fn a_reply_is_stopped_from_another_process() {
    let Some(home) = postgres_home().await else { return };
    let (writing, other) = two_processes(&home).await;
    let freya = Player::register(&writing, "freya").await;
    let (_, reply) = begin_long(&freya).await;
    let (mut here, _) = freya.watch(&reply, 0).await;
    let seen = read_some(&mut here, 50).await;
    let there = freya.on(&other);
    let (mut far, _) = there.watch(&reply, 0).await;

    let asked = Instant::now();
    let stop = "mutation($input: StopReplyInput!) {
        stopReply(input: $input) { reply { id } errors { code } } }";
    let data = there.run(stop, json!({ "input": { "messageId": reply } })).await;
    assert_eq!(data["stopReply"]["errors"], json!([]));
    let (reader, ended) = read_to_end(&mut here, seen).await;
    let waited = asked.elapsed();
    assert_eq!((&ended["status"], &ended["content"]), (&json!("STOPPED"), &json!(reader.text())));
    assert!(waited <= HEARD, "it wrote on for {waited:?}");
    let (far_reader, far_end) = read_to_end(&mut far, Reader::default()).await;
    assert_eq!((far_end, far_reader.text()), (ended, reader.text()));
}
