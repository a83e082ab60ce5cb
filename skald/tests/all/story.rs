//! A first story: from registering to a swiped, stopped and resumed reply.

use serde_json::json;

use crate::{
    client::{Player, Reader, read_some, read_to_end, request_id},
    server::each_home,
};

#[tokio::test]
async fn a_reply_arrives_piece_by_piece_and_can_be_swiped() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let first = freya.send(&session, "What is *down* there? 🕯").await;
        let (mut socket, _) = freya.watch(&first, 0).await;
        let (reader, ended) = read_to_end(&mut socket, Reader::default()).await;
        assert_eq!(ended["status"], "COMPLETE");
        assert_eq!(ended["content"], reader.text());
        assert!(!reader.thought.is_empty(), "the thought has its own channel");

        let second = freya.swipe(&first, "skald/offline").await;
        let (mut socket, _) = freya.watch(&second, 0).await;
        let (other, _) = read_to_end(&mut socket, Reader::default()).await;
        assert_ne!(other.text(), reader.text());
        let message = freya.message(&second).await;
        let alternatives = json!({ "count": 2, "messageIds": [first, second] });
        assert_eq!((&message["position"], &message["alternatives"]), (&json!(1), &alternatives));

        let select = "mutation($input: SelectMessageInput!) {
            selectMessage(input: $input) { session { head { id } } errors { code } } }";
        let data = freya.run(select, json!({ "input": { "messageId": first } })).await;
        assert_eq!(data["selectMessage"]["session"]["head"]["id"], json!(first));
        let third = freya.send(&session, "I take the lantern.").await;
        let (mut socket, _) = freya.watch(&third, 0).await;
        read_to_end(&mut socket, Reader::default()).await;
        let path = "query($id: ID!) { session(id: $id) { path { nodes { id role } } } }";
        let data = freya.run(path, json!({ "id": session })).await;
        let nodes = data["session"]["path"]["nodes"].as_array().unwrap().clone();
        let roles: Vec<_> = nodes.iter().map(|node| node["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["CHARACTER", "PLAYER", "CHARACTER", "PLAYER", "CHARACTER"]);
        assert_eq!((&nodes[2]["id"], &nodes[4]["id"]), (&json!(first), &json!(third)));
        assert_eq!(server.stop().await, Some(0));
    })
    .await;
}

#[tokio::test]
async fn a_stopped_reply_keeps_its_half() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let reply = freya.send(&session, "Tell me everything.").await;
        let (mut socket, _) = freya.watch(&reply, 0).await;
        let reader = read_some(&mut socket, 20).await;
        let stop = "mutation($input: StopReplyInput!) {
            stopReply(input: $input) { reply { status content } errors { code } } }";
        let data = freya.run(stop, json!({ "input": { "messageId": reply } })).await;
        let (reader, ended) = read_to_end(&mut socket, reader).await;
        assert_eq!(
            data["stopReply"]["reply"],
            json!({ "status": "STOPPED", "content": reader.text() })
        );
        assert_eq!(ended["content"], reader.text());
    })
    .await;
}

#[tokio::test]
async fn a_page_that_was_closed_in_the_middle_misses_nothing() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let reply = freya.send(&session, "Tell me everything.").await;
        let (mut socket, _) = freya.watch(&reply, 0).await;
        let reader = read_some(&mut socket, 20).await;
        drop(socket);
        // From where it was, and from the beginning, on another device.
        let (mut resumed, _) = freya.watch(&reply, reader.content.len()).await;
        let (mut anew, _) = freya.watch(&reply, 0).await;
        let (resumed, ended) = read_to_end(&mut resumed, reader).await;
        let (anew, _) = read_to_end(&mut anew, Reader::default()).await;
        assert_eq!(ended["content"], resumed.text());
        assert_eq!(anew.text(), resumed.text());
        assert_eq!(anew.thought, resumed.thought);
    })
    .await;
}

#[tokio::test]
async fn a_chat_screen_needs_only_the_session_s_events() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let query = "query($id: ID!) { session(id: $id) { sequence } }";
        let data = freya.run(query, json!({ "id": session })).await;
        let after = data["session"]["sequence"].clone();
        let mut socket = freya.open_socket().await;
        let events =
            "subscription($id: ID!, $after: Int) { sessionEvents(sessionId: $id, after: $after) {
            __typename sequence
            ... on MessagesAdded { messages { id } clientRequestId }
            ... on ReplyDelta { messageId channel offset text }
            ... on ReplyFinished { message { content } } } }";
        socket.subscribe(events, json!({ "id": session, "after": after })).await;
        assert_eq!(socket.event("sessionEvents").await.unwrap()["__typename"], "CaughtUp");
        let request = request_id();
        let input = json!({ "sessionId": session, "content": "Hello", "clientRequestId": request });
        let send = "mutation($input: SendMessageInput!) {
            sendMessage(input: $input) { message { id } reply { id } errors { code } } }";
        let turn = freya.run(send, json!({ "input": input })).await["sendMessage"].clone();
        let added = socket.event("sessionEvents").await.unwrap();
        let messages = json!([{ "id": turn["message"]["id"] }, { "id": turn["reply"]["id"] }]);
        assert_eq!((&added["messages"], &added["clientRequestId"]), (&messages, &json!(request)));
        let mut reader = Reader::default();
        let ended = loop {
            let event = socket.event("sessionEvents").await.unwrap();
            if let Some(message) = reader.take(&event) {
                break message;
            }
        };
        assert_eq!(ended["content"], reader.text());
    })
    .await;
}

#[tokio::test]
async fn a_player_recognises_their_devices() {
    each_home(async |home| {
        let server = home.serve().await;
        let mut freya = Player::anonymous(&server);
        freya.http = reqwest::Client::builder().user_agent("Lantern/2 (phone)").build().unwrap();
        let register = "mutation { register(input: { username: \"freya\", email: \"f@example.org\",
            password: \"a lantern for every window\" }) { accessToken errors { code } } }";
        let data = freya.run(register, json!({})).await;
        freya.token = data["register"]["accessToken"].as_str().map(ToOwned::to_owned);
        let devices = "{ viewer { account { signIns { userAgent current } } } }";
        let data = freya.run(devices, json!({})).await;
        let phone = json!([{ "userAgent": "Lantern/2 (phone)", "current": true }]);
        assert_eq!(data["viewer"]["account"]["signIns"], phone);
    })
    .await;
}
