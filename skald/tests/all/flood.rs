//! Two hundred replies at full speed: each watcher is told everything in order, and nobody waits
//! for the one who does not read.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use skald_doubles::{Delivery, Gate, OpenAiDouble, OpenAiFault, Profile};
use tokio::task::JoinSet;

use crate::{
    client::Player,
    faults::serve,
    server::{Server, each_home},
    watcher::{Heard, Screen, Watcher},
};

const SESSIONS: usize = 10;
const REPLIES: usize = 200;
/// How often the idle client asks for each piece: so much that no system keeps it all for it.
const ECHOES: usize = 25;
/// What the flood may add to the server's memory, in KiB: for each reply its prompts, its draft and
/// 600 KiB for those who watch it. An unoptimised build was seen to take half of that.
const ROOM: u64 = 128 * 1024;

/// The model that is asked first has no word to say until its gate opens, and none then either:
/// so all replies go over to the offline storyteller at one moment, each for itself.
async fn gatekeeper() -> (OpenAiDouble, Gate) {
    let (double, gate) = (OpenAiDouble::start(Profile::Plain).await, Gate::new());
    double.fails(OpenAiFault::ModelGone);
    double.deliver(Delivery::new().hold_headers(&gate));
    (double, gate)
}

fn settings(double: &OpenAiDouble) -> [(&'static str, String); 10] {
    let for_ever = || "600000".to_owned();
    [
        ("TOKIO_WORKER_THREADS", "2".into()),
        ("OPENAI_BASE_URL", double.url()),
        ("SKALD_ROLES__STORY__MODEL", "openai/story-large".into()),
        ("SKALD_ROLES__STORY__FALLBACK", "skald/offline".into()),
        ("SKALD_OFFLINE__TOKENS_PER_SECOND", "0".into()),
        ("SKALD_LIMITS__REPLIES_PER_USER", REPLIES.to_string()),
        ("SKALD_LIMITS__REPLIES_PER_SESSION", REPLIES.to_string()),
        ("SKALD_TRANSPORT__WEBSOCKET__OPERATIONS", REPLIES.to_string()),
        // Who does not read is cut off after a while; this story is about the time before.
        ("SKALD_TRANSPORT__WEBSOCKET__WRITE_TIMEOUT_MS", for_ever()),
        ("SKALD_TRANSPORT__WEBSOCKET__PING_INTERVAL_MS", for_ever()),
    ]
}

/// A subscription to a reply that is told each piece of text, and so many echoes of it.
fn watching(echoes: usize) -> String {
    let echoes: Vec<_> = (0..echoes).map(|n| format!("e{n}: text")).collect();
    let echoes = echoes.join(" ");
    format!(
        "subscription($id: ID!) {{ reply(messageId: $id) {{ __typename attempt
            ... on SessionEvent {{ at }}
            ... on ReplyDelta {{ channel offset text {echoes} }}
            ... on ReplyReset {{ content thought }}
            ... on ReplyFinished {{ message {{ id parentId role status content thought }} }}
            ... on ReplyFailed {{ message {{ id status }} }} }} }}"
    )
}

/// A figure of the server's memory, in KiB.
fn memory(server: &Server, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// A session before the flood.
struct Scene {
    session: String,
    greeting: String,
    sequence: u64,
    messages: BTreeMap<String, Value>,
}

impl Scene {
    async fn begin(player: &Player) -> Self {
        let session = player.begin().await;
        let query = "query($id: ID!) { session(id: $id) { sequence head { id } } }";
        let data = player.run(query, json!({ "id": session })).await["session"].clone();
        let greeting = data["head"]["id"].as_str().unwrap().to_owned();
        let messages = messages(player, &session).await;
        Self { session, greeting, sequence: data["sequence"].as_u64().unwrap(), messages }
    }
}

/// All messages of a session as they are stored, by their ids.
async fn messages(player: &Player, session: &str) -> BTreeMap<String, Value> {
    let query = "query($id: ID!) { session(id: $id) { messages(first: 100) {
        nodes { id parentId role status content thought } pageInfo { hasNextPage } } } }";
    let page = player.run(query, json!({ "id": session })).await["session"]["messages"].clone();
    assert_eq!(page["pageInfo"]["hasNextPage"], false);
    let nodes = page["nodes"].as_array().unwrap().iter();
    nodes.map(|node| (node["id"].as_str().unwrap().to_owned(), node.clone())).collect()
}

fn words(number: usize) -> String {
    format!("Tell me tale {number}.")
}

/// Checks that a tree has what was sent, each with its reply, and nothing else.
fn check_tree(scene: &Scene, stored: &BTreeMap<String, Value>, asked: &BTreeMap<String, String>) {
    let mut left = stored.clone();
    for (id, before) in &scene.messages {
        assert_eq!(left.remove(id).as_ref(), Some(before), "it was there before");
    }
    for (reply, words) in asked {
        let reply = left.remove(reply).expect("the reply is there");
        let said = left.remove(reply["parentId"].as_str().unwrap()).expect("one reply each");
        assert_eq!((&reply["role"], &reply["status"]), (&json!("CHARACTER"), &json!("COMPLETE")));
        assert_eq!((&said["role"], &said["content"]), (&json!("PLAYER"), &json!(words)));
        assert_eq!(said["parentId"], json!(scene.greeting));
    }
    assert!(left.is_empty(), "nobody sent {left:?}");
}

/// Checks what was told of each reply against what is stored.
fn check_whole(heard: &BTreeMap<String, Heard>, stored: &BTreeMap<String, Value>) {
    for (reply, heard) in heard {
        assert_eq!(heard.end.as_ref(), stored.get(reply), "the end is what is stored");
        assert_eq!(Some(&heard.assembled()), stored.get(reply), "piece by piece, all of it");
    }
}

/// When the last event was told.
fn last_told(heard: &BTreeMap<String, Heard>) -> DateTime<Utc> {
    heard.values().map(|heard| heard.told_at).max().unwrap()
}

/// Checks what a screen was told: each end once, and no text that is not in what is stored.
fn check_screen(
    screen: &Screen,
    asked: &BTreeMap<String, String>,
    stored: &BTreeMap<String, Value>,
) {
    assert!(screen.heard.keys().eq(asked.keys()), "it is told of each reply, and of no other");
    for (reply, heard) in &screen.heard {
        assert_eq!(heard.end.as_ref(), stored.get(reply), "the end is what is stored");
        // Who falls behind an end finds the text there.
        for (text, told) in [("content", &heard.reader.content), ("thought", &heard.reader.thought)]
        {
            let whole = stored[reply][text].as_str().unwrap_or_default();
            assert!(whole.starts_with(&String::from_utf16(told).unwrap()), "{text} of {reply}");
        }
    }
    let mut counts = BTreeMap::<_, usize>::new();
    for (_, event) in &screen.log {
        *counts.entry(event.as_str()).or_default() += 1;
    }
    let turns = ["HeadMoved", "MessagesAdded", "ReplyFinished"].map(|event| (event, asked.len()));
    assert_eq!(counts, turns.into_iter().chain([("SessionUpdated", 1)]).collect());
}

/// Checks what a session has become and what was told of it; its messages.
async fn check_session(
    player: &Player,
    scene: &Scene,
    screen: &Screen,
    asked: &BTreeMap<String, String>,
) -> BTreeMap<String, Value> {
    let messages = messages(player, &scene.session).await;
    check_tree(scene, &messages, asked);
    check_screen(screen, asked, &messages);
    let again = Screen::begin(player.open_socket().await, &scene.session, scene.sequence).await;
    assert_eq!(again.log, screen.log, "what was told is what is stored");
    messages
}

/// Sends a message below each greeting in turn; the replies in that order.
async fn send_all(player: &Player, scenes: &[Scene]) -> Vec<String> {
    let send = |number: usize| {
        let scene = &scenes[number % SESSIONS];
        let words = words(number);
        async move { player.send_below(&scene.session, &scene.greeting, &words).await }
    };
    stream::iter(0..REPLIES).map(send).buffered(4).collect().await
}

/// Makes the last event of each session, behind all that was told of its replies.
async fn end_all(player: &Player, scenes: &[Scene]) {
    let rename = "mutation($id: ID!) {
        updateSession(input: { id: $id, title: \"Told\" }) { errors { code } } }";
    for scene in scenes {
        let data = player.run(rename, json!({ "id": scene.session })).await;
        assert_eq!(data["updateSession"]["errors"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_reaches_every_watcher_whole_and_only_the_idle_one_waits() {
    each_home(async |home| {
        let (double, gate) = gatekeeper().await;
        let server = serve(&home, &settings(&double)).await;
        let freya = Player::register(&server, "freya").await;
        let (mut scenes, mut screens) = (Vec::new(), JoinSet::new());
        for _ in 0..SESSIONS {
            let scene = Scene::begin(&freya).await;
            let socket = freya.open_socket().await;
            let screen = Screen::begin(socket, &scene.session, scene.sequence).await;
            let number = scenes.len();
            screens.spawn(async move { (number, screen.until("SessionUpdated").await) });
            scenes.push(scene);
        }
        let before = memory(&server, "VmRSS");
        let replies = send_all(&freya, &scenes).await;
        let one = Watcher::begin(freya.open_socket().await, &watching(0), &replies).await;
        let other = Watcher::begin(freya.open_socket().await, &watching(0), &replies).await;
        let narrow = freya.open_narrow_socket().await;
        let idle = Watcher::begin(narrow, &watching(ECHOES), &replies).await;
        for _ in 0..REPLIES {
            double.next_call().await;
        }

        gate.open();
        let watchers: JoinSet<_> = [one, other].into_iter().map(Watcher::until_the_end).collect();
        let told = watchers.join_all().await;
        end_all(&freya, &scenes).await;
        let screens: BTreeMap<_, _> = screens.join_all().await.into_iter().collect();
        // All are done, and the idle one has not read a byte of it.
        let late = idle.until_the_end().await;
        let done = told.iter().map(last_told).max().unwrap();
        assert!(last_told(&late) > done, "what was not read was not made before");

        let mut stored = BTreeMap::new();
        for (number, screen) in screens {
            let asked = (number..REPLIES).step_by(SESSIONS);
            let asked = asked.map(|number| (replies[number].clone(), words(number))).collect();
            stored.extend(check_session(&freya, &scenes[number], &screen, &asked).await);
        }
        told.iter().chain([&late]).for_each(|told| check_whole(told, &stored));
        let grown = memory(&server, "VmHWM") - before;
        assert!(grown < ROOM, "the flood took {grown} KiB");
        assert_eq!(server.stop().await, Some(0));
    })
    .await;
}
