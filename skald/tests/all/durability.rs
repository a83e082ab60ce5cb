//! Restarts, crashes and deploys: nothing that was acknowledged is lost.

use serde_json::json;

use crate::{
    client::{Player, Reader, read_some, read_to_end},
    server::each_home,
};

#[tokio::test]
async fn a_reply_that_was_cut_by_kill_9_is_interrupted_and_can_be_swiped() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let first = freya.send(&session, "Tell me everything.").await;
        // A long one, so that it cannot end before the server does.
        let reply = freya.swipe(&first, "skald/offline:long").await;
        let (mut socket, _) = freya.watch(&reply, 0).await;
        let seen = read_some(&mut socket, 400).await;
        server.kill().await;

        let server = home.serve().await;
        let freya = freya.on(&server);
        // On PostgreSQL the lease of the dead process has to run out first.
        let (mut socket, _) = freya.watch(&reply, seen.content.len()).await;
        let seen_units = seen.content.len();
        let (reader, ended) = read_to_end(&mut socket, seen).await;
        assert_eq!(ended["status"], "INTERRUPTED");
        assert_eq!(ended["content"], reader.text());
        // Drafts are saved every quarter second, in which about 75 characters come. A machine
        // with other work may be late, but not by a second.
        assert!(
            reader.content.len() + 300 > seen_units,
            "{} of {seen_units}",
            reader.content.len()
        );

        let again = freya.swipe(&reply, "skald/offline").await;
        let (mut socket, _) = freya.watch(&again, 0).await;
        let (_, ended) = read_to_end(&mut socket, Reader::default()).await;
        assert_eq!(ended["status"], "COMPLETE");
        assert_eq!(freya.message(&again).await["position"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_reply_without_text_is_written_after_all_when_the_server_comes_back() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let first = freya.send(&session, "Hello").await;
        // Two seconds pass before this model's first word.
        let slow = freya.swipe(&first, "skald/offline:slow").await;
        server.kill().await;
        let server = home.serve_with(&[("SKALD_OFFLINE__TOKENS_PER_SECOND", "0")]).await;
        let freya = freya.on(&server);
        let (mut socket, _) = freya.watch(&slow, 0).await;
        let seen = read_some(&mut socket, 1).await;
        assert!(!seen.content.is_empty());
        assert_eq!(freya.message(&slow).await["generation"]["attempt"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_graceful_stop_saves_what_is_written_and_tells_sockets_to_come_back() {
    each_home(async |home| {
        let server = home.serve_with(&[("SKALD_GRACE_SECONDS", "0")]).await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let reply = freya.send(&session, "Tell me everything.").await;
        let (mut socket, _) = freya.watch(&reply, 0).await;
        let mut reader = read_some(&mut socket, 100).await;
        let goodbye = async {
            loop {
                let message = socket.anything().await;
                if message["closed"].is_number() {
                    return message["closed"].clone();
                }
                let event = &message["payload"]["data"]["reply"];
                if event["__typename"].is_string() {
                    reader.take(event);
                }
            }
        };
        let (code, closed) = tokio::join!(server.stop(), goodbye);
        assert_eq!((code, closed), (Some(0), json!(1012)), "clients retry after a restart");
        let server = home.serve().await;
        let freya = freya.on(&server);
        let message = freya.message(&reply).await;
        assert_eq!(message["status"], "INTERRUPTED");
        let content = message["content"].as_str().unwrap();
        assert!(content.starts_with(&reader.text()), "{content:?}");
    })
    .await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart_and_so_is_the_sign_in() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let reply = freya.send(&session, "Hello").await;
        let (mut socket, _) = freya.watch(&reply, 0).await;
        read_to_end(&mut socket, Reader::default()).await;
        let story = "query($id: ID!) { session(id: $id) { id sequence head { id content }
            path { nodes { id content thought } } persona { name } cast { name } } }";
        let before = freya.run(story, json!({ "id": session })).await;
        assert_eq!(server.stop().await, Some(0));
        let server = home.serve().await;
        let freya = freya.on(&server);
        assert_eq!(freya.run(story, json!({ "id": session })).await, before);
        let refresh = "mutation($input: RefreshInput!) {
            refresh(input: $input) { accessToken errors { code } } }";
        let input = json!({ "input": { "refreshToken": freya.refresh_token } });
        let data = freya.run(refresh, input).await;
        assert!(data["refresh"]["accessToken"].is_string());
    })
    .await;
}
