//! Sessions made out of messages from elsewhere: whole, or not there at all.

use serde_json::{Value, json};
use skald_base::{Dialect, Error, UserErrorCode, Viewer, graph::ClientRequestId, testing::TestDb};
use skald_core::{
    MIGRATIONS,
    request::Claim,
    session::{
        SessionId, SessionMode, Settings,
        graft::{Graft, Member, Opened, Revision, Scion, Stock},
    },
    tree::{Author, MessageRole, MessageStatus},
};

use crate::harness::{Plan, World, bjorn, eventually, freya, story};

fn claim(who: &Viewer, request: &str) -> Claim {
    let request = ClientRequestId::parse("input.clientRequestId", request).unwrap();
    Claim::new(who.user().unwrap().id, "importSession", &request, &"a file")
}

fn stock(world: &World) -> Stock {
    let settings = Settings { language: "en".into(), ..Settings::default() };
    let cast = vec![Member { character_id: None, name: "Mira".into(), avatar_url: None }];
    let id = world.app.ids.next();
    Stock {
        id,
        mode: SessionMode::Sandbox,
        settings,
        persona_id: None,
        cast,
        tags: Vec::new(),
        archived_at: None,
        forked: None,
        copies: Vec::new(),
    }
}

async fn open(world: &World, request: &str) -> Result<Opened<u64>, UserErrorCode> {
    let opened = Graft::open(&world.app, stock(world), &claim(&freya(), request)).await;
    opened.map_err(code)
}

pub(crate) async fn graft(world: &World, request: &str) -> Graft<u64> {
    match open(world, request).await {
        Ok(Opened::New(graft)) => *graft,
        Ok(Opened::Made(id)) => panic!("{id} is made already"),
        Err(code) => panic!("{code:?}"),
    }
}

pub(crate) fn code(error: Error) -> UserErrorCode {
    match &error {
        Error::User(user) => user.code,
        Error::Unauthenticated | Error::Database(_) | Error::Internal(_) => {
            panic!("{}", error.describe())
        }
    }
}

/// A message of a long story: player and character take turns, one second each.
fn scion(world: &World, key: u64, parent: Option<u64>) -> Scion<u64> {
    let role = if key.is_multiple_of(2) { MessageRole::Character } else { MessageRole::Player };
    let start = world.app.clock.now() - chrono::TimeDelta::days(30);
    Scion {
        key,
        parent,
        role,
        author: Author { author_name: "Somebody".into(), ..Author::default() },
        content: format!("Message {key}."),
        thought: None,
        status: MessageStatus::Complete,
        revisions: Vec::new(),
        hidden_from_prompt: false,
        bookmark: None,
        edited_from: None,
        continued_from: None,
        created_at: start + chrono::TimeDelta::seconds(i64::try_from(key).unwrap()),
        edited_at: None,
        reply: None,
    }
}

pub(crate) async fn add_line(world: &World, graft: &mut Graft<u64>, length: u64) {
    for key in 0..length {
        graft.add(scion(world, key, key.checked_sub(1))).await.map_err(code).unwrap();
    }
}

async fn sessions(world: &World, who: Viewer) -> Value {
    world.ask(who, "{ sessions { nodes { id } } }", json!({})).await["nodes"].clone()
}

/// What half a session would have left behind.
async fn remains(world: &World) -> Vec<i64> {
    let mut remains = world.rows().await;
    remains.push(world.count("SELECT count(*) FROM session_graft").await);
    remains
}

#[tokio::test]
async fn nobody_sees_a_session_before_it_is_whole() {
    story(async |world| {
        let mut graft = graft(world, "import-1").await;
        add_line(world, &mut graft, 700).await;
        let late = Scion { key: 700, content: "Another end.".into(), ..scion(world, 3, Some(650)) };
        let late = Scion {
            revisions: vec![Revision { content: "An end.".into(), created_at: late.created_at }],
            edited_from: Some(651),
            ..late
        };
        graft.add(late).await.map_err(code).unwrap();
        assert!(world.count("SELECT count(*) FROM message").await >= 512);
        let (message, other) = (graft.made_of(3).unwrap(), graft.made_of(700).unwrap());
        let (session,): (SessionId,) =
            world.db.read("SELECT session_id FROM session_graft").one().await.unwrap();

        let everywhere = "query($s: ID!, $m: ID!, $both: [ID!]!) { session(id: $s) { id }
            message(id: $m) { id } s: node(id: $s) { __typename } m: node(id: $m) { __typename }
            nodes(ids: $both) { __typename } sessions { nodes { id } totalCount } }";
        let variables = json!({ "s": session, "m": message, "both": [session, message] });
        let seen = world.send(freya(), everywhere, variables.clone()).await;
        let nothing = json!({ "session": null, "message": null, "s": null, "m": null,
            "nodes": [null, null], "sessions": { "nodes": [], "totalCount": 0 } });
        assert_eq!(seen["data"], nothing, "{seen}");
        for (name, input) in [
            ("sendMessage", json!({ "sessionId": session, "content": "Hello?" })),
            ("deleteSession", json!({ "id": session })),
            ("deleteMessage", json!({ "messageId": message })),
        ] {
            assert_eq!(world.denied(freya(), name, input).await, "NOT_FOUND", "{name}");
        }
        assert_eq!(open(world, "import-1").await.err(), Some(UserErrorCode::Conflict));

        let tips = [(699, world.app.clock.now())];
        let made = graft.finish(Some(700), &tips).await.map_err(code).unwrap();
        assert_eq!((made.id, made.head_id), (session, Some(other)));
        let seen = world.send(freya(), everywhere, variables.clone()).await;
        assert_eq!(seen["data"]["sessions"]["totalCount"], 1);
        assert_eq!(world.send(bjorn(), everywhere, variables).await["data"], nothing);
        assert!(matches!(open(world, "import-1").await, Ok(Opened::Made(id)) if id == session));
        assert_eq!(sessions(world, freya()).await.as_array().unwrap().len(), 1);
        assert_eq!(world.count("SELECT count(*) FROM session_graft").await, 0);

        // The jump pointers are right: windows far up are found through them.
        let window = "query($s: ID!, $before: String) { session(id: $s) { sequence
            path(last: 2, before: $before) { nodes { depth content createdAt
                revisions { nodes { content } } editedFrom { content } } } } }";
        let at = graft_message(world, session, "Message 40.").await;
        let far = world.ask(freya(), window, json!({ "s": session, "before": at })).await;
        let texts: Vec<_> = far["path"]["nodes"].as_array().unwrap().iter().collect();
        assert_eq!((&texts[0]["content"], &texts[1]["depth"]), (&json!("Message 38."), &json!(39)));
        let end = world.ask(freya(), window, json!({ "s": session })).await;
        let end = &end["path"]["nodes"];
        assert_eq!(end[1]["revisions"]["nodes"], json!([{ "content": "An end." }]));
        // The one it was edited from came before it, though it is said to be newer.
        assert_eq!(end[1]["editedFrom"]["content"], "Message 651.");
        assert_eq!(end[1]["createdAt"], end[0]["createdAt"], "raised to its parent's");

        let mut events = world.watch_session(freya(), json!({ "id": session, "after": 0 }));
        let moved = events.until_type("HeadMoved").await;
        assert_eq!(
            (&moved["sequence"], &moved["clientRequestId"]),
            (&json!(1), &json!("import-1"))
        );
        let select = json!({ "messageId": message });
        let back = world.does(freya(), "selectMessage", select).await;
        assert_eq!(back["session"]["head"]["id"], json!(other), "visited last");
        let elsewhere = json!({ "messageId": graft_message(world, session, "Message 660.").await });
        let end = graft_message(world, session, "Message 699.").await;
        let back = world.does(freya(), "selectMessage", elsewhere).await;
        assert_eq!(back["session"]["head"]["id"], end, "the other branch is not forgotten");
    })
    .await;
}

/// The id of the message with this text.
async fn graft_message(world: &World, session: SessionId, content: &str) -> Value {
    let sql = "SELECT id FROM message WHERE session_id = $1 AND content = $2";
    let query = world.db.read(sql).bind(session).bind(content.to_owned());
    let (id,): (skald_core::tree::MessageId,) = query.one().await.unwrap();
    json!(id)
}

#[tokio::test]
async fn what_comes_to_nothing_leaves_nothing() {
    story(async |world| {
        let before = remains(world).await;
        let mut given_up = graft(world, "import-1").await;
        add_line(world, &mut given_up, 600).await;
        assert_ne!(remains(world).await, before);
        given_up.discard().await;
        assert_eq!(remains(world).await, before);

        let mut dropped = graft(world, "import-1").await;
        add_line(world, &mut dropped, 300).await;
        drop(dropped);
        eventually(async || remains(world).await == before).await;

        // Lost to another process, which then removes it.
        let mut lost = graft(world, "import-1").await;
        add_line(world, &mut lost, 300).await;
        world.db.write("UPDATE session_graft SET leased_by = session_id").execute().await.unwrap();
        let finished = lost.finish(Some(299), &[]).await;
        assert_eq!(finished.err().map(code), Some(UserErrorCode::Conflict));
        world.db.write("UPDATE session_graft SET leased_until = 0").execute().await.unwrap();
        eventually(async || remains(world).await == before).await;
        assert_eq!(sessions(world, freya()).await, json!([]));

        let mut whole = graft(world, "import-1").await;
        add_line(world, &mut whole, 300).await;
        assert!(whole.finish(Some(299), &[]).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn what_a_crash_left_is_removed_at_the_next_start() {
    skald_base::testing::each_database(MIGRATIONS, async |TestDb { db, url, dir: _dir }| {
        let first = World::open(db.clone(), url.clone(), Plan::default()).await;
        let before = remains(&first).await;
        let mut half = graft(&first, "import-1").await;
        add_line(&first, &mut half, 600).await;
        // Nothing is tidied up, as when the process dies.
        std::mem::forget(half);
        first.db.write("UPDATE session_graft SET leased_until = 0").execute().await.unwrap();
        let second = World::open(db, url, Plan { seed: 8, ..Plan::default() }).await;
        assert_eq!(remains(&second).await, before);
        let mut again = graft(&second, "import-1").await;
        add_line(&second, &mut again, 3).await;
        assert!(again.finish(Some(2), &[]).await.is_ok());
        for world in [first, second] {
            world.app.lifecycle.stop(std::time::Duration::ZERO).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_player_has_few_in_the_making() {
    story(async |world| {
        let _one = graft(world, "import-1").await;
        let two = graft(world, "import-2").await;
        assert_eq!(open(world, "import-3").await.err(), Some(UserErrorCode::LimitExceeded));
        two.discard().await;
        assert!(open(world, "import-3").await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn what_was_taken_over_is_not_finished_even_in_the_same_process() {
    // Messages cannot be removed for a while: so the removal is caught in the middle.
    const HOLD: &str =
        "CREATE TRIGGER hold BEFORE DELETE ON message BEGIN SELECT RAISE(ABORT, 'held'); END";
    const HELD: &str = "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN RAISE EXCEPTION ''held''; END'";
    const HOLD_LARGE: &str =
        "CREATE TRIGGER hold BEFORE DELETE ON message FOR EACH ROW EXECUTE FUNCTION held()";
    const LET_GO: &str = "DROP TRIGGER hold";
    const LET_GO_LARGE: &str = "DROP TRIGGER hold ON message";
    story(async |world| {
        let does = async |sql: &'static str| world.db.write(sql).execute().await.unwrap();
        let before = remains(world).await;
        let mut graft = graft(world, "import-1").await;
        add_line(world, &mut graft, 600).await;
        let let_go = match world.db.dialect() {
            Dialect::Sqlite => {
                does(HOLD).await;
                LET_GO
            }
            Dialect::Postgres => {
                does(HELD).await;
                does(HOLD_LARGE).await;
                LET_GO_LARGE
            }
        };
        // As after a night with the lid closed.
        does("UPDATE session_graft SET leased_until = 0").await;
        let taken = "SELECT count(*) FROM session_graft WHERE leased_until > 0";
        eventually(async || world.count(taken).await == 1).await;
        let finished = graft.finish(Some(3), &[]).await;
        assert_eq!(finished.err().map(code), Some(UserErrorCode::Conflict));
        assert_eq!(sessions(world, freya()).await, json!([]));
        does(let_go).await;
        does("UPDATE session_graft SET leased_until = 0").await;
        eventually(async || remains(world).await == before).await;
    })
    .await;
}

#[tokio::test]
async fn very_many_revisions_are_stored_bit_by_bit() {
    story(async |world| {
        let mut graft = graft(world, "import-1").await;
        let late = scion(world, 0, None);
        let empty = Revision { content: String::new(), created_at: late.created_at };
        let late = Scion { revisions: vec![empty; 25_000], ..late };
        graft.add(late).await.map_err(code).unwrap();
        let stored = "SELECT count(*) FROM message_revision";
        let count = world.count(stored).await;
        assert!((10_000..25_000).contains(&count), "{count}");
        let made = graft.finish(Some(0), &[]).await.map_err(code).unwrap();
        assert_eq!(world.count(stored).await, 25_000);
        let last = "SELECT max(revision) FROM message_revision";
        assert_eq!(world.count(last).await, 25_000);
        let head = "query($s: ID!) { session(id: $s) { head { revision } } }";
        let told = world.ask(freya(), head, json!({ "s": made.id })).await["head"].clone();
        assert_eq!(told["revision"], 25_001);
    })
    .await;
}
