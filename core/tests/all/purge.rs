//! The purge: what was deleted long ago goes for good, and nothing else.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use skald_base::{Db, Dialect, clock::TestClock};
use skald_core::{
    Limits,
    purge::{self, Erased},
    session::SessionId,
};
use sqlx::AssertSqlSafe;

use crate::{
    harness::{Plan, Tale, World, freya, id, ids, story_with},
    script::{Script, scripted},
};

/// A world whose clock the test moves, and its storyteller.
async fn purged_story(limits: Limits, tell: impl AsyncFn(&World, &TestClock, &Script)) {
    let plan = || {
        let clock = Arc::new(TestClock::new(DateTime::from_timestamp(1_750_000_000, 0).unwrap()));
        let (llm, script) = scripted();
        let (llm, limits, clock_of) = (Arc::new(llm), limits.clone(), clock.clone());
        let plan = Plan { llm, limits, clock: clock_of, ..Plan::default() };
        (plan, (clock, script))
    };
    story_with(plan, async |world, (clock, script)| tell(world, &clock, &script).await).await;
}

async fn purge(world: &World) -> Erased {
    purge::once(&world.app).await.map_err(|error| error.describe()).unwrap()
}

fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

/// A little later than things can be restored.
fn month() -> TimeDelta {
    days(30) + TimeDelta::minutes(11)
}

async fn send(world: &World, script: &Script, tale: &Tale, parent: &str) -> (String, String) {
    let input = json!({ "sessionId": tale.session, "parentId": parent, "content": "Hi." });
    let turn = world.does(freya(), "sendMessage", input).await;
    let (message, reply) = (id(&turn["message"]), id(&turn["reply"]));
    script.call().await.tell(&format!("Reply to {message}.")).await;
    world.ends(freya(), &reply).await;
    (message, reply)
}

#[tokio::test]
async fn what_was_deleted_long_ago_is_gone_and_the_rest_stays() {
    purged_story(Limits::default(), async |world, clock, script| {
        let tale = world.tale(freya()).await;
        let (kept, kept_reply) = send(world, script, &tale, &tale.greeting).await;
        let (old, old_reply) = send(world, script, &tale, &tale.greeting).await;
        let (young, _) = send(world, script, &tale, &tale.greeting).await;
        let (rescued, rescued_reply) = send(world, script, &tale, &tale.greeting).await;
        let edit = json!({ "messageId": kept, "content": "Hello.", "mode": "SIBLING" });
        let copy = id(&world.does(freya(), "editMessage", edit).await["message"]);
        for message in [&old, &rescued] {
            world.does(freya(), "deleteMessage", json!({ "messageId": message })).await;
        }
        clock.advance(days(29));
        world.does(freya(), "deleteMessage", json!({ "messageId": young })).await;
        world.does(freya(), "restoreMessage", json!({ "messageId": rescued })).await;
        assert_eq!(purge(world).await, Erased::default());
        clock.advance(days(1) + TimeDelta::minutes(1));
        // Too late to be restored, too early to be erased: two clocks may differ.
        let restore = json!({ "messageId": old });
        assert_eq!(world.denied(freya(), "restoreMessage", restore.clone()).await, "NOT_FOUND");
        assert_eq!(purge(world).await, Erased::default());
        clock.advance(TimeDelta::minutes(10));
        let erased = purge(world).await;
        assert_eq!(erased.messages, 2);
        assert!(erased.requests > 0 && erased.events > 0 && erased.blocks > 0, "{erased:?}");
        for gone in [&old, &old_reply] {
            assert_eq!(world.message(freya(), gone).await, Value::Null);
            let node = "query($id: ID!) { node(id: $id) { id } }";
            assert_eq!(world.ask(freya(), node, json!({ "id": gone })).await, Value::Null);
        }
        assert_eq!(world.denied(freya(), "restoreMessage", restore).await, "NOT_FOUND");
        for stays in [&kept, &kept_reply, &young, &rescued, &rescued_reply, &copy] {
            assert_eq!(id(&world.message(freya(), stays).await), **stays);
        }
        // What was said of the rest can still be explained.
        let told =
            "query($id: ID!) { message(id: $id) { generation { prompt { blocks { text } } } } }";
        let told = world.ask(freya(), told, json!({ "id": rescued_reply })).await;
        let blocks = told["generation"]["prompt"]["blocks"].as_array().unwrap().clone();
        assert!(blocks.iter().any(|block| block["text"].as_str().unwrap().contains("Hi.")));
        assert_eq!(purge(world).await, Erased::default());
        world.does(freya(), "restoreMessage", json!({ "messageId": young })).await;
        // The session goes on, and whoever was away reads it again.
        let (_, reply) = send(world, script, &tale, &kept_reply).await;
        assert_eq!(world.message(freya(), &reply).await["status"], "COMPLETE");
        let mut events = world.watch_session(freya(), json!({ "id": tale.session, "after": 3 }));
        assert_eq!(events.next().await.unwrap()["__typename"], "ResyncNeeded");
        assert_eq!(events.next().await.unwrap()["__typename"], "CaughtUp");
    })
    .await;
}

#[tokio::test]
async fn a_purge_that_broke_off_is_finished_by_the_next_one() {
    purged_story(Limits::default(), async |world, clock, script| {
        let tale = world.tale(freya()).await;
        let input = json!({ "sessionId": tale.session, "content": "The secret." });
        let sent = world.does(freya(), "sendMessage", input).await;
        script.call().await.tell("I will keep it.").await;
        world.ends(freya(), &id(&sent["reply"])).await;
        let sent = json!({ "messageId": sent["message"]["id"] });
        world.does(freya(), "deleteMessage", sent).await;
        clock.advance(month());
        let mut broke_off = Vec::new();
        for table in ["session_event", "prompt_plan", "prompt_block", "message"] {
            // As if the process died just when it came to this table.
            for statement in broken(&world.db, table) {
                world.db.write(AssertSqlSafe(statement)).execute().await.unwrap();
            }
            broke_off.push(purge::once(&world.app).await.is_err());
            for statement in mended(&world.db, table) {
                world.db.write(AssertSqlSafe(statement)).execute().await.unwrap();
            }
        }
        purge(world).await;
        assert_eq!(world.count("SELECT count(*) FROM message").await, 1);
        assert_eq!(world.count("SELECT count(*) FROM session_event").await, 0);
        let secret = "SELECT count(*) FROM prompt_block WHERE text LIKE '%secret%'";
        assert_eq!(world.count(secret).await, 0);
        assert_eq!(broke_off, [true; 4]);
        assert_eq!(purge(world).await, Erased::default());
    })
    .await;
}

/// Nothing can be erased from this table any more.
fn broken(db: &Db, table: &str) -> Vec<String> {
    match db.dialect() {
        Dialect::Sqlite => vec![format!(
            "CREATE TRIGGER broken BEFORE DELETE ON {table}
             BEGIN SELECT RAISE(ABORT, 'broken'); END"
        )],
        Dialect::Postgres => vec![
            "CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'broken'; END; $$"
                .into(),
            format!(
                "CREATE TRIGGER broken BEFORE DELETE ON {table}
                 FOR EACH ROW EXECUTE FUNCTION broken()"
            ),
        ],
    }
}

/// It can be again.
fn mended(db: &Db, table: &str) -> Vec<String> {
    match db.dialect() {
        Dialect::Sqlite => vec!["DROP TRIGGER broken".into()],
        Dialect::Postgres => vec![format!("DROP TRIGGER broken ON {table}")],
    }
}

#[tokio::test]
async fn a_deleted_session_goes_with_all_that_is_its_own() {
    purged_story(Limits::default(), async |world, clock, script| {
        let tale = world.tale(freya()).await;
        let (_, reply) = send(world, script, &tale, &tale.greeting).await;
        let tags = json!({ "id": tale.session, "tags": ["sea"] });
        world.does(freya(), "updateSession", tags).await;
        let other = world.tale_of(freya(), &tale.persona, &tale.character).await;
        let saved = world.tale(freya()).await;
        for session in [&tale.session, &saved.session] {
            world.does(freya(), "deleteSession", json!({ "id": session })).await;
        }
        for (name, id) in [("deletePersona", &tale.persona), ("deleteCharacter", &tale.character)] {
            crate::fact::add(world, freya(), id, "Is known.").await;
            world.does(freya(), name, json!({ "id": id })).await;
        }
        clock.advance(days(30) - TimeDelta::seconds(1));
        world.does(freya(), "restoreSession", json!({ "id": saved.session })).await;
        clock.advance(TimeDelta::seconds(2));
        let restore = json!({ "id": tale.session });
        assert_eq!(world.denied(freya(), "restoreSession", restore).await, "NOT_FOUND");
        clock.advance(TimeDelta::minutes(11));
        let erased = purge(world).await;
        assert_eq!((erased.sessions, erased.messages, erased.cards), (1, 3, 0), "{erased:?}");
        assert_eq!(world.session(freya(), &tale.session).await, Value::Null);
        assert_eq!(world.message(freya(), &reply).await, Value::Null);
        assert_eq!(world.session(freya(), &saved.session).await["deletedAt"], Value::Null);
        // A story that lives still knows whom it is about.
        let alive = world.session(freya(), &other.session).await;
        assert_eq!(id(&alive["cast"][0]["character"]), tale.character);
        assert_eq!(id(&alive["persona"]), tale.persona);
        world.does(freya(), "deleteSession", json!({ "id": other.session })).await;
        clock.advance(month());
        let erased = purge(world).await;
        assert_eq!((erased.sessions, erased.cards, erased.facts), (1, 2, 2), "{erased:?}");
        let left = "SELECT count(*) FROM session_tag";
        assert_eq!(world.count(left).await, 0);
        assert_eq!(world.count("SELECT count(*) FROM session").await, 1);
        assert_eq!(world.count("SELECT count(*) FROM prompt_block").await, 0);
        // What it cost stays on the bill.
        let usage = world.ask(freya(), "{ usage(period: ALL) { calls } }", json!({})).await;
        assert_eq!(usage["calls"], 1);
    })
    .await;
}

#[tokio::test]
async fn nothing_goes_where_nothing_shall() {
    let limits = Limits { purge_after_days: 0, events_per_session: 0, ..Limits::default() };
    purged_story(limits, async |world, clock, _| {
        let tale = world.tale(freya()).await;
        world.does(freya(), "deleteMessage", json!({ "messageId": tale.greeting })).await;
        world.does(freya(), "deleteSession", json!({ "id": tale.session })).await;
        clock.advance(days(10_000));
        assert_eq!(purge(world).await, Erased::default());
        world.does(freya(), "restoreSession", json!({ "id": tale.session })).await;
        world.does(freya(), "restoreMessage", json!({ "messageId": tale.greeting })).await;
    })
    .await;
}

#[tokio::test]
async fn a_reply_that_is_being_written_is_waited_for() {
    purged_story(Limits::default(), async |world, clock, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Hi.").await["reply"]);
        let call = script.call().await;
        // As if the server that writes it had been away for a month.
        let session: SessionId = tale.session.parse().unwrap();
        let hide = "UPDATE session SET deleted_at = created_at WHERE id = $1";
        world.db.write(hide).bind(session).execute().await.unwrap();
        clock.advance(month());
        let erased = purge(world).await;
        assert_eq!((erased.sessions, erased.messages), (0, 0));
        call.tell("Hello.").await;
        world.ends(freya(), &reply).await;
        assert_eq!(purge(world).await.sessions, 1);
    })
    .await;
}

#[tokio::test]
async fn a_log_keeps_its_newest_events() {
    let limits = Limits { events_per_session: 4, replay_events: 3, ..Limits::default() };
    purged_story(limits, async |world, _, _| {
        let tale = world.tale(freya()).await;
        let title = async |n: i32| {
            let input = json!({ "id": tale.session, "title": n.to_string() });
            world.does(freya(), "updateSession", input).await;
        };
        for n in 3..=9 {
            title(n).await;
        }
        assert_eq!(purge(world).await.events, 5);
        assert_eq!(purge(world).await, Erased::default());
        let watch = |after: i64| {
            world.watch_session(freya(), json!({ "id": tale.session, "after": after }))
        };
        for after in [0, 4, 5] {
            let mut events = watch(after);
            let resync = events.next().await.unwrap();
            assert_eq!(
                (&resync["__typename"], &resync["sequence"]),
                (&json!("ResyncNeeded"), &json!(9))
            );
            assert_eq!(events.next().await.unwrap()["__typename"], "CaughtUp");
            title(9).await;
            let next = events.until_type("SessionUpdated").await;
            assert_eq!(next["sequence"], world.session(freya(), &tale.session).await["sequence"]);
            purge(world).await;
            let back = "UPDATE session SET last_sequence = 9";
            world.db.write("DELETE FROM session_event WHERE sequence > 9").execute().await.unwrap();
            world.db.write(back).execute().await.unwrap();
        }
        let mut events = watch(8);
        assert_eq!(events.next().await.unwrap()["sequence"], 9);
        assert_eq!(events.next().await.unwrap()["__typename"], "CaughtUp");
    })
    .await;
}

#[tokio::test]
async fn a_library_forgets_what_was_removed_long_ago() {
    purged_story(Limits::default(), async |world, clock, _| {
        let signe = world.persona(freya(), "Signe").await;
        let astrid = world.persona(freya(), "Astrid").await;
        world.does(freya(), "deletePersona", json!({ "id": signe })).await;
        clock.advance(month());
        world.does(freya(), "updatePersona", json!({ "id": astrid, "name": "A" })).await;
        assert_eq!(purge(world).await.removals, 1);
        let query = "subscription($after: String) { libraryEvents(after: $after) {
            __typename cursor ... on LibraryNodeChanged { node { id } } } }";
        for (after, expected) in [
            ("2", ["LibraryResyncNeeded", "LibraryCaughtUp"]),
            ("3", ["LibraryNodeChanged", "LibraryCaughtUp"]),
        ] {
            let mut events = world.subscribe(freya(), query, json!({ "after": after }));
            for name in expected {
                assert_eq!(events.next().await.unwrap()["__typename"], name, "after {after}");
            }
        }
        assert_eq!(purge(world).await, Erased::default());
    })
    .await;
}

#[tokio::test]
async fn two_processes_may_purge_at_once() {
    purged_story(Limits::default(), async |world, clock, script| {
        let tale = world.tale(freya()).await;
        let mut below = tale.greeting.clone();
        for _ in 0..10 {
            below = send(world, script, &tale, &below).await.1;
        }
        world.does(freya(), "deleteMessage", json!({ "messageId": tale.greeting })).await;
        clock.advance(month());
        let (one, other) = tokio::join!(purge(world), purge(world));
        assert_eq!(one.messages + other.messages, 21);
        assert_eq!(world.count("SELECT count(*) FROM message").await, 0);
    })
    .await;
}

/// The ids of the living messages, and of those that can still be restored.
async fn living(db: &Db) -> Vec<skald_core::tree::MessageId> {
    let sql = "SELECT id FROM message WHERE deleted_at IS NULL ORDER BY id";
    let rows: Vec<(skald_core::tree::MessageId,)> = db.read(sql).all().await.unwrap();
    rows.into_iter().map(|(id,)| id).collect()
}

#[tokio::test]
async fn nothing_living_is_ever_touched() {
    purged_story(Limits::default(), async |world, clock, script| {
        let tale = world.tale(freya()).await;
        let mut dice = StdRng::seed_from_u64(11);
        let nodes = "query($id: ID!) { session(id: $id) { outline { nodes { id: messageId } } } }";
        let mut deleted = Vec::new();
        for _ in 0..60 {
            let all = world.ask(freya(), nodes, json!({ "id": tale.session })).await;
            let all = ids(&all["outline"]["nodes"]);
            let pick = |dice: &mut StdRng| all.get(dice.random_range(0..all.len().max(1))).cloned();
            match (dice.random_range(0..6), pick(&mut dice)) {
                (0..3, Some(parent)) => drop(send(world, script, &tale, &parent).await),
                (3, Some(message)) if message != tale.greeting => {
                    world.does(freya(), "deleteMessage", json!({ "messageId": message })).await;
                    deleted.push(message);
                }
                (4, _) if !deleted.is_empty() => {
                    // Whether it works depends on what is above; what matters is what it leaves.
                    let message = deleted[dice.random_range(0..deleted.len())].clone();
                    world.denied(freya(), "restoreMessage", json!({ "messageId": message })).await;
                }
                _ => clock.advance(days(dice.random_range(1..20))),
            }
            let before = living(&world.db).await;
            purge(world).await;
            assert_eq!(living(&world.db).await, before);
            // Everything that hangs somewhere hangs below something.
            let orphans = "SELECT count(*) FROM message m WHERE m.parent_id IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM message p WHERE p.id = m.parent_id)";
            assert_eq!(world.count(orphans).await, 0);
        }
        let leaf = world.session(freya(), &tale.session).await["head"].clone();
        assert_eq!(world.message(freya(), &id(&leaf)).await["deletedAt"], Value::Null);
    })
    .await;
}
