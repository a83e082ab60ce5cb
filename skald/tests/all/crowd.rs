//! Five hundred replies at once: nobody waits for a database that models keep waiting.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::json;
use skald_doubles::{Delivery, Endpoint, Gate, GeminiDouble};
use tokio::time::{Duration, timeout};

use crate::{
    client::{Player, Socket},
    server::{Server, each_home},
};

const SESSIONS: usize = 10;
const REPLIES: usize = 500;
/// Longer than a query takes on a busy machine, shorter than waiting for a connection may take.
const PROMPT: Duration = Duration::from_secs(8);

/// Fewer connections than replies, and a limit that lets one player ask for all of them.
fn settings(double: &GeminiDouble) -> [(&'static str, String); 5] {
    [
        ("GEMINI_API_KEY", "a-key-of-the-double".into()),
        ("SKALD_PROVIDERS__GEMINI__BASE_URL", double.url()),
        ("SKALD_DATABASE__CONNECTIONS", "10".into()),
        ("SKALD_LIMITS__REPLIES_PER_USER", REPLIES.to_string()),
        ("SKALD_LIMITS__REPLIES_PER_SESSION", REPLIES.to_string()),
    ]
}

/// The sessions of a player, and a socket on which their ends are heard.
async fn sessions(player: &Player) -> (Vec<(String, String)>, Socket) {
    let mut socket = player.open_socket().await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let session = player.begin().await;
        let query = "query($id: ID!) { session(id: $id) { head { id } } }";
        let data = player.run(query, json!({ "id": session })).await;
        let events = "subscription($id: ID!) { sessionEvents(sessionId: $id, channels: []) {
            __typename
            ... on ReplyFinished { message { id status content } }
            ... on ReplyFailed { message { id status } } } }";
        socket.subscribe(events, json!({ "id": session })).await;
        let greeting = data["session"]["head"]["id"].as_str().unwrap().to_owned();
        sessions.push((session, greeting));
    }
    (sessions, socket)
}

/// Waits until the double has been asked for every reply.
async fn all_asked(double: &GeminiDouble) {
    let mut asked = 0;
    while asked < REPLIES {
        let call = timeout(Duration::from_mins(1), double.next_call()).await;
        let call = call.unwrap_or_else(|_| panic!("only {asked} replies were asked for"));
        asked += usize::from(call.endpoint == Endpoint::Generate);
    }
}

/// Reads, writes and signs in, as other players do meanwhile.
async fn ordinary_life(server: &Server, freya: &Player, session: &str) {
    let life = async {
        let bjorn = Player::register(server, "bjorn").await;
        bjorn.begin().await;
        let path = "query($id: ID!) { session(id: $id) {
            path(last: 3) { nodes { content } } runningReplies { id status content } } }";
        let data = freya.run(path, json!({ "id": session })).await;
        let running = data["session"]["runningReplies"].as_array().unwrap().clone();
        assert_eq!(running.len(), REPLIES / SESSIONS, "all are still being written");
        let id = running[0]["id"].as_str().unwrap();
        let (mut socket, _) = freya.watch(id, 0).await;
        let event = socket.event("reply").await.unwrap();
        assert_eq!((&event["__typename"], &event["text"]), (&json!("ReplyDelta"), &json!("Tale")));
    };
    // Several times, so that drafts are saved and leases renewed in between.
    for _ in 0..5 {
        timeout(PROMPT, freya.run("{ personas { totalCount } }", json!({}))).await.unwrap();
    }
    timeout(PROMPT, life).await.expect("ordinary life goes on");
}

/// Every end, with its text; nothing may end twice.
async fn all_ends(socket: &mut Socket) -> BTreeMap<String, String> {
    let mut ends = BTreeMap::new();
    while ends.len() < REPLIES {
        let message = socket.anything().await;
        let event = &message["payload"]["data"]["sessionEvents"];
        let Some(ended) = event.get("message") else { continue };
        assert_eq!(ended["status"], "COMPLETE", "{ended}");
        let [id, content] = ["id", "content"].map(|key| ended[key].as_str().unwrap().to_owned());
        assert_eq!(ends.insert(id, content), None, "ended twice");
    }
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_replies_need_no_more_than_ten_connections() {
    each_home(async |home| {
        let double = GeminiDouble::start().await;
        let gate = Gate::new();
        double.words_per_chunk(1);
        double.deliver(Delivery::new().hold_after(1, &gate));
        let mut told: Vec<String> =
            (0..REPLIES).map(|n| format!("Tale {n:03} of the long night")).collect();
        for tale in &told {
            double.says_once(tale);
        }
        let settings = settings(&double);
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let server = home.serve_with(&settings).await;
        let freya = Player::register(&server, "freya").await;
        let (sessions, mut socket) = sessions(&freya).await;

        let send = |n: usize| {
            let (session, greeting) = &sessions[n % SESSIONS];
            freya.send_below(session, greeting, "Tell me a tale.")
        };
        let replies: Vec<String> =
            stream::iter(0..REPLIES).map(send).buffer_unordered(16).collect().await;
        all_asked(&double).await;
        ordinary_life(&server, &freya, &sessions[0].0).await;

        gate.open();
        let ends = all_ends(&mut socket).await;
        let mut heard: Vec<String> = ends.values().cloned().collect();
        heard.sort();
        told.sort();
        assert_eq!(heard, told, "each tale is told once");
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) {
            ... on Message { id status content } } }";
        for ids in replies.chunks(100) {
            let data = freya.run(query, json!({ "ids": ids })).await;
            for node in data["nodes"].as_array().unwrap() {
                let stored = json!({ "id": node["id"], "status": "COMPLETE",
                    "content": ends[node["id"].as_str().unwrap()] });
                assert_eq!(*node, stored);
            }
        }
        assert_eq!(server.stop().await, Some(0));
    })
    .await;
}
