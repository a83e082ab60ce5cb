//! Search: what was said is found again, in all branches, by whoever may read it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Plan, Tale, World, bjorn, eventually, freya, id, ids, scripted_story, story};
use skald_base::testing::{TestDb, each_database};
use skald_core::{MIGRATIONS, llm::LlmErrorKind};

const SEARCH: &str = "query($id: ID!, $text: String!, $first: Int, $after: String) {
    session(id: $id) { search(text: $text, first: $first, after: $after) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { message { id content } snippet highlights { start end }
            onActivePath branchesOff { id } } } } }";

impl World {
    /// What a player finds in a tale.
    async fn finds(&self, tale: &Tale, text: &str) -> Vec<Value> {
        let found = self.search(tale, json!({ "text": text })).await;
        found["nodes"].as_array().unwrap().clone()
    }

    /// The texts that a player finds in a tale.
    async fn found(&self, tale: &Tale, text: &str) -> Vec<String> {
        let nodes = self.finds(tale, text).await;
        nodes.iter().map(|hit| hit["message"]["content"].as_str().unwrap().to_owned()).collect()
    }

    async fn search(&self, tale: &Tale, mut variables: Value) -> Value {
        variables["id"] = tale.session.clone().into();
        self.ask(freya(), SEARCH, variables).await["search"].clone()
    }

    /// The player writes beside the greeting, and nobody answers.
    async fn notes(&self, tale: &Tale, content: &str) -> String {
        let input = json!({ "messageId": tale.greeting, "content": content });
        id(&self.does(freya(), "editMessage", input).await["message"])
    }
}

/// The highlighted pieces of a hit.
fn highlighted(hit: &Value) -> Vec<String> {
    let units: Vec<u16> = hit["snippet"].as_str().unwrap().encode_utf16().collect();
    let at = |n: &Value| usize::try_from(n.as_i64().unwrap()).unwrap();
    let ranges = hit["highlights"].as_array().unwrap().iter();
    ranges
        .map(|range| String::from_utf16(&units[at(&range["start"])..at(&range["end"])]).unwrap())
        .collect()
}

#[tokio::test]
async fn freya_finds_what_was_said_in_any_form() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let (waves, tree) = ("Бегущая по волнам ушла.", "Ёлка — 🐉 — стояла у ёлки.");
        let (run, snow) = ("She was running; an old house, an old\n\nman.", "雪国へ行く。");
        let odd = "Émile’s café: 100 o'clock, end.Next AND foo_bar";
        for text in [waves, tree, run, snow, odd] {
            world.notes(&tale, text).await;
        }
        for (typed, expected) in [
            ("волна", vec![waves]),
            ("ВОЛНЫ бегущий", vec![waves]),
            ("бегу", vec![waves]),
            ("волнами ёлка", vec![]),
            ("елки", vec![tree]),
            ("е\u{308}лка", vec![tree]),
            ("runs", vec![run]),
            ("runni", vec![run]),
            ("\"runni\"", vec![]),
            ("\"old man\"", vec![run]),
            ("\"old house\" wom", vec![]),
            ("\"house man\"", vec![]),
            ("house man", vec![run]),
            ("雪国", vec![snow]),
            ("国へ", vec![snow]),
            ("国雪", vec![]),
            ("emile cafe", vec![odd]),
            ("O’Clock 100", vec![odd]),
            ("bar foo next", vec![odd]),
            ("mira looks", vec!["Mira looks Astrid over."]),
        ] {
            assert_eq!(world.found(&tale, typed).await, expected, "{typed}");
        }
        let hit = &world.finds(&tale, "\"old man\" run").await[0];
        assert_eq!(hit["snippet"], "She was running; an old house, an old man.");
        assert_eq!(highlighted(hit), ["running", "old man"]);
        assert_eq!(
            highlighted(&world.finds(&tale, "елка сто").await[0]),
            ["Ёлка", "стояла", "ёлки"]
        );
    })
    .await;
}

#[tokio::test]
async fn whatever_is_typed_is_no_error_but_without_a_word() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        for typed in [
            "\"",
            "a\"b",
            "AND",
            "NOT x",
            "a OR",
            "NEAR(a b, 3)",
            "x*",
            "-x",
            "^x",
            "{a b}: c",
            "'",
            "a'b'",
            "a & b",
            "a | !b",
            "(a",
            ":*",
            "a:*b",
            "<->",
            "\\",
            "a\\'",
            "_",
            "_0",
            "%",
            "terms : x",
            "extra:x",
            ";--",
            "\u{0}a",
        ] {
            let variables = json!({ "id": tale.session, "text": typed });
            let answer = world.send(freya(), SEARCH, variables).await;
            let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("none");
            assert!(["none", "BAD_USER_INPUT"].contains(&code), "{typed}: {answer}");
        }
        for typed in ["", " \n", "…?! \"\" 🐉", "a\u{0}b", &"word ".repeat(101)] {
            let variables = json!({ "id": tale.session, "text": typed });
            assert_eq!(
                world.refusal(freya(), SEARCH, variables).await,
                "BAD_USER_INPUT",
                "{typed}"
            );
        }
        for wrong in [json!({ "text": "a", "after": "x" }), json!({ "text": "a", "first": 101 })] {
            let mut variables = wrong.clone();
            variables["id"] = tale.session.clone().into();
            assert_eq!(
                world.refusal(freya(), SEARCH, variables).await,
                "BAD_USER_INPUT",
                "{wrong}"
            );
        }
        // As long as is allowed, in one word, in many, and in characters that are words.
        for typed in ["x".repeat(500), "a ".repeat(250), "雪".repeat(166)] {
            assert_eq!(world.found(&tale, &typed).await, Vec::<String>::new());
        }
    })
    .await;
}

#[tokio::test]
async fn a_text_is_found_from_its_end_until_it_changes_or_goes() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let turn = world.says(freya(), &tale, "Is there a dragon?").await;
        assert_eq!(world.found(&tale, "dragon").await, ["Is there a dragon?"]);
        let call = script.call().await;
        call.say("A dragon sleeps.").await;
        assert_eq!(world.found(&tale, "sleep").await, Vec::<String>::new());
        call.end().await;
        let reply = world.ends(freya(), &id(&turn["reply"])).await;
        assert_eq!(world.found(&tale, "sleep").await, ["A dragon sleeps."]);
        // Newest texts first, also after an edit.
        assert_eq!(world.found(&tale, "dragon").await, ["A dragon sleeps.", "Is there a dragon?"]);
        let said = id(&turn["message"]);
        let edit =
            json!({ "messageId": said, "content": "Is a wyvern a dragon?", "mode": "IN_PLACE" });
        world.does(freya(), "editMessage", edit).await;
        assert_eq!(world.found(&tale, "wyvern").await, ["Is a wyvern a dragon?"]);
        assert_eq!(world.found(&tale, "there").await, Vec::<String>::new());
        let all = ["A dragon sleeps.", "Is a wyvern a dragon?"];
        assert_eq!(world.found(&tale, "dragon").await, all);
        world.does(freya(), "deleteMessage", json!({ "messageId": id(&reply) })).await;
        assert_eq!(world.found(&tale, "dragon").await, ["Is a wyvern a dragon?"]);
        world.does(freya(), "deleteMessage", json!({ "messageId": said })).await;
        assert_eq!(world.found(&tale, "dragon").await, Vec::<String>::new());
        world.does(freya(), "restoreMessage", json!({ "messageId": said })).await;
        assert_eq!(world.found(&tale, "dragon").await, ["Is a wyvern a dragon?"]);
        world.does(freya(), "restoreMessage", json!({ "messageId": id(&reply) })).await;
        assert_eq!(world.found(&tale, "dragon").await, all);
    })
    .await;
}

#[tokio::test]
async fn a_hit_says_where_it_branches_off() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let (said, reply) = world.talks(freya(), &tale, "The lantern is lit.").await;
        let swipe =
            json!({ "messageId": id(&said), "content": "The lantern is dark.", "reply": true });
        let other = world.does(freya(), "editMessage", swipe).await;
        world.ends(freya(), &id(&other["reply"])).await;
        let place = |hits: &[Value], message: &str| {
            let hit = hits.iter().find(|hit| hit["message"]["id"] == message).unwrap();
            (hit["onActivePath"].clone(), hit["branchesOff"].clone())
        };
        let greeting = json!({ "id": tale.greeting });
        let hits = world.finds(&tale, "lantern is").await;
        assert_eq!(place(&hits, &id(&said)), (json!(false), greeting.clone()));
        assert_eq!(place(&hits, &id(&other["message"])), (json!(true), Value::Null));
        world.does(freya(), "selectMessage", json!({ "messageId": id(&reply) })).await;
        let hits = world.finds(&tale, "lantern is").await;
        assert_eq!(place(&hits, &id(&said)), (json!(true), Value::Null));
        assert_eq!(place(&hits, &id(&other["message"])), (json!(false), greeting));
        // Below another root nothing is shared.
        let root = world.notes(&tale, "A lantern is nowhere.").await;
        let hits = world.finds(&tale, "lantern is").await;
        assert_eq!(place(&hits, &id(&said)), (json!(false), Value::Null));
        assert_eq!(place(&hits, &root), (json!(true), Value::Null));
    })
    .await;
}

#[tokio::test]
async fn nobody_finds_what_others_said() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let other = world.tale_of(freya(), &tale.persona, &tale.character).await;
        world.notes(&tale, "The password is swordfish.").await;
        assert_eq!(world.found(&tale, "swordfish").await.len(), 1);
        assert_eq!(world.found(&other, "swordfish").await, Vec::<String>::new());
        let variables = json!({ "id": tale.session, "text": "swordfish" });
        assert_eq!(world.ask(bjorn(), SEARCH, variables).await, Value::Null);
        let token = tale.session.parse::<skald_core::session::SessionId>().unwrap();
        let token = format!("_{}", token.uuid().simple());
        assert_eq!(world.found(&other, &token).await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_page_of_hits_costs_a_fixed_number_of_statements() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        for n in 0..25 {
            world.notes(&tale, &format!("Torch number {n}")).await;
        }
        let cost = async |first: i64| {
            let before = world.db.statements();
            let page = world.search(&tale, json!({ "text": "torch", "first": first })).await;
            assert_eq!(page["nodes"].as_array().unwrap().len(), usize::try_from(first).unwrap());
            assert_eq!(page["totalCount"], 25);
            world.db.statements() - before
        };
        assert_eq!(cost(2).await, cost(20).await);
        let first = world.search(&tale, json!({ "text": "torch numb" })).await;
        assert_eq!(first["nodes"][0]["message"]["content"], "Torch number 24");
        assert_eq!(first["pageInfo"]["hasNextPage"], true);
        let after = first["pageInfo"]["endCursor"].clone();
        let rest = world.search(&tale, json!({ "text": "torch numb", "after": after })).await;
        let rest = ids(&rest["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hit| hit["message"].clone())
            .collect());
        assert_eq!(rest.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn what_was_written_before_there_was_search_is_found_after_the_start() {
    each_database(MIGRATIONS, async |TestDb { db, url, dir: _dir }| {
        let world = World::open(db.clone(), url.clone(), Plan::default()).await;
        let tale = world.tale(freya()).await;
        for n in 0..120 {
            world.notes(&tale, &format!("Candle {n}")).await;
        }
        world.notes(&tale, "…").await;
        let newest_first: Vec<String> = (0..120).rev().map(|n| format!("Candle {n}")).collect();
        let found = async |world: &World| {
            let (mut found, mut after) = (Vec::new(), Value::Null);
            loop {
                let page = world
                    .search(&tale, json!({ "text": "candle", "first": 50, "after": after }))
                    .await;
                let nodes = page["nodes"].as_array().unwrap().iter();
                found.extend(
                    nodes.map(|hit| hit["message"]["content"].as_str().unwrap().to_owned()),
                );
                if page["pageInfo"]["hasNextPage"] == false {
                    return found;
                }
                after = page["pageInfo"]["endCursor"].clone();
            }
        };
        world.app.lifecycle.stop(Duration::ZERO).await;
        // As an older release left it, once without any terms and once with terms of its own.
        for (seed, sql, rows) in [
            (8, "DELETE FROM message_terms", 122),
            (9, "UPDATE message_terms SET version = 0, terms = ' soup ', extra = ' '", 122),
            (10, "DELETE FROM message_terms WHERE number < -60", 62),
        ] {
            assert_eq!(db.write(sql).execute().await.unwrap(), rows, "{sql}");
            assert_ne!(found(&world).await, newest_first);
            let world =
                World::open(db.clone(), url.clone(), Plan { seed, ..Plan::default() }).await;
            let current = "SELECT count(*) FROM message_terms WHERE version > 0";
            eventually(async || world.count(current).await == 122).await;
            assert_eq!(found(&world).await, newest_first, "{sql}");
            assert_eq!(world.found(&tale, "soup").await, Vec::<String>::new());
            // What comes now is newer than all of it.
            world.notes(&tale, "Wick of a candle").await;
            assert_eq!(world.found(&tale, "candle").await[0], "Wick of a candle");
            let newest = &world.finds(&tale, "wick").await[0]["message"];
            let sql = "DELETE FROM message WHERE id = $1";
            let newest: skald_core::tree::MessageId = id(newest).parse().unwrap();
            db.write("UPDATE session SET head_id = NULL").execute().await.unwrap();
            db.write(sql).bind(newest).execute().await.unwrap();
            assert_eq!(world.found(&tale, "wick").await, Vec::<String>::new());
            world.app.lifecycle.stop(Duration::ZERO).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_erased_session_leaves_nothing_in_the_index() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        world.notes(&tale, "The password is swordfish.").await;
        world.db.write("UPDATE session SET head_id = NULL").execute().await.unwrap();
        world.db.write("DELETE FROM session").execute().await.unwrap();
        assert_eq!(world.count("SELECT count(*) FROM message_terms").await, 0);
        if world.db.pick("sqlite", "postgres") == "sqlite" {
            let whole =
                "INSERT INTO message_search (message_search, rank) VALUES ('integrity-check', 1)";
            world.db.write(whole).execute().await.unwrap();
            let left = "SELECT count(*) FROM message_search WHERE message_search MATCH 'swordfish'";
            assert_eq!(world.count(left).await, 0);
        }
    })
    .await;
}

#[tokio::test]
async fn the_index_answers_and_not_a_walk_over_all_messages() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        world.notes(&tale, "The password is swordfish.").await;
        if world.db.pick("sqlite", "postgres") == "postgres" {
            return;
        }
        let plan = "EXPLAIN QUERY PLAN SELECT t.number FROM message_search
            CROSS JOIN message_terms t ON t.number = message_search.rowid
            CROSS JOIN message m ON m.id = t.message_id
            WHERE message_search MATCH 'swordfish' AND message_search.rowid < 100
            ORDER BY message_search.rowid DESC LIMIT 20";
        let steps: Vec<(i64, i64, i64, String)> = world.db.read(plan).all().await.unwrap();
        let steps: Vec<&str> = steps.iter().map(|step| step.3.as_str()).collect();
        assert!(steps[0].starts_with("SCAN message_search VIRTUAL TABLE INDEX"), "{steps:?}");
        assert!(steps[1..].iter().all(|step| step.starts_with("SEARCH")), "{steps:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_longer_said_is_no_longer_found() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        // A failed reply that somebody wrote by hand, and then took back.
        let reply = id(&world.says(freya(), &tale, "Hi.").await["reply"]);
        script.call().await.fail(LlmErrorKind::Auth.into()).await;
        world.ends(freya(), &reply).await;
        let edit = json!({ "messageId": reply, "content": "Mine alone.", "mode": "IN_PLACE" });
        world.does(freya(), "editMessage", edit).await;
        assert_eq!(world.found(&tale, "alone").await, ["Mine alone."]);
        let back = json!({ "messageId": reply, "revision": 1 });
        world.does(freya(), "restoreRevision", back).await;
        assert_eq!(world.found(&tale, "alone").await, [""; 0]);

        // A reply that went on from another's text, failed, and is written again.
        let swipe = json!({ "messageId": reply });
        let swipe = world.does(freya(), "regenerateReply", swipe).await;
        let cut = id(&swipe["reply"]);
        let call = script.call().await;
        let mut events = world.watch_reply(freya(), json!({ "id": cut }));
        call.say("A lantern in").await;
        events.until(|event| event["text"] == "A lantern in").await;
        world.does(freya(), "stopReply", json!({ "messageId": cut })).await;
        let onward = json!({ "messageId": cut });
        let onward = id(&world.does(freya(), "continueReply", onward).await["reply"]);
        script.call().await.fail(LlmErrorKind::Auth.into()).await;
        world.ends(freya(), &onward).await;
        assert_eq!(world.found(&tale, "lantern").await.len(), 2);
        world.does(freya(), "retryReply", json!({ "messageId": onward })).await;
        let call = script.call().await;
        assert_eq!(world.found(&tale, "lantern").await, ["A lantern in"], "only what is at rest");
        call.tell(" the dark.").await;
        world.ends(freya(), &onward).await;
        assert_eq!(world.found(&tale, "dark").await, ["A lantern in the dark."]);
    })
    .await;
}
