//! Watching a session: replay, live events, falling behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use skald_core::{
    Limits,
    events::EventBody,
    llm::{
        LlmError, LlmErrorKind,
        offline::{Offline, Pace},
    },
    session::SessionId,
};
use sqlx::types::Json;
use tokio::task::JoinSet;

use crate::{
    client::Client,
    harness::{Events, Plan, Tale, World, freya, id, scripted_story, story, story_with},
};

/// Reads the replay: everything up to `CaughtUp`.
async fn replay(events: &mut Events) -> Vec<Value> {
    let mut seen = Vec::new();
    loop {
        let event = events.next().await.unwrap();
        if event["__typename"] == "CaughtUp" {
            return seen;
        }
        seen.push(event);
    }
}

#[tokio::test]
async fn the_log_is_replayed_from_anywhere() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let mut live = world.watch_session(freya(), json!({ "id": tale.session, "after": 0 }));
        let mut told = replay(&mut live).await;
        let turn = world.says(freya(), &tale, "Hi.").await;
        let (said, reply) = (id(&turn["message"]), id(&turn["reply"]));
        script.call().await.tell("Hello.").await;
        world.ends(freya(), &reply).await;
        let edit = json!({ "messageId": said, "content": "Hello.", "mode": "IN_PLACE" });
        world.does(freya(), "editMessage", edit).await;
        world.does(freya(), "deleteMessage", json!({ "messageId": said })).await;
        world.does(freya(), "restoreMessage", json!({ "messageId": said })).await;
        world.does(freya(), "selectMessage", json!({ "messageId": reply })).await;
        world.does(freya(), "updateSession", json!({ "id": tale.session, "title": "A" })).await;
        world.does(freya(), "deleteSession", json!({ "id": tale.session })).await;
        let is_stored = |event: &Value| {
            !["ReplyDelta", "ReplyStageChanged"].contains(&event["__typename"].as_str().unwrap())
        };
        loop {
            let event = live.until(is_stored).await;
            told.push(event);
            if told.last().unwrap()["__typename"] == "SessionDeleted" {
                break;
            }
        }
        let kinds: Vec<_> =
            told.iter().map(|event| event["__typename"].as_str().unwrap()).collect();
        let expected = [
            "MessagesAdded",
            "HeadMoved",
            "MessagesAdded",
            "HeadMoved",
            "ReplyFinished",
            "MessageUpdated",
            "MessagesDeleted",
            "HeadMoved",
            "MessagesRestored",
            "HeadMoved",
            "SessionUpdated",
            "SessionDeleted",
        ];
        assert_eq!(kinds, expected);
        assert_eq!(told[2]["clientRequestId"], told[3]["clientRequestId"]);
        assert_eq!(told[3]["fork"]["id"], tale.greeting.as_str());
        assert_eq!(told[3]["branch"], json!([{ "id": said }, { "id": reply }]));
        assert_eq!(told[7]["head"]["id"], tale.greeting.as_str());
        assert_eq!(told[7]["fork"]["id"], tale.greeting.as_str());
        assert_eq!(told[7]["branch"], json!([]));
        assert_eq!(told[9]["branch"], json!([{ "id": said }, { "id": reply }]));
        for after in 0..=told.len() {
            let variables = json!({ "id": tale.session, "after": after });
            let mut again = world.watch_session(freya(), variables);
            let replayed = replay(&mut again).await;
            let sequences: Vec<_> =
                replayed.iter().map(|event| event["sequence"].clone()).collect();
            assert_eq!(sequences, (after + 1..=told.len()).map(Value::from).collect::<Vec<_>>());
            let kinds = replayed.iter().map(|event| event["__typename"].as_str().unwrap());
            assert_eq!(kinds.collect::<Vec<_>>(), expected[after..]);
        }
        assert_eq!(world.session(freya(), &tale.session).await["sequence"], told.len());
    })
    .await;
}

#[tokio::test]
async fn what_another_process_did_is_told_before_what_this_one_does() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let mut events = world.watch_session(freya(), json!({ "id": tale.session, "after": 0 }));
        replay(&mut events).await;
        let session: SessionId = tale.session.parse().unwrap();
        let mut tx = world.db.begin().await.unwrap();
        let count = "UPDATE session SET last_sequence = 3 WHERE id = $1";
        tx.query(count).bind(session).execute().await.unwrap();
        let insert = "INSERT INTO session_event (session_id, sequence, body, at)
            SELECT id, 3, $2, created_at FROM session WHERE id = $1";
        let body = Json(EventBody::SessionUpdated {});
        tx.query(insert).bind(session).bind(body).execute().await.unwrap();
        tx.commit().await.unwrap();
        world.does(freya(), "selectMessage", json!({ "messageId": tale.greeting })).await;
        world.does(freya(), "deleteMessage", json!({ "messageId": tale.greeting })).await;
        for (sequence, kind) in [(3, "SessionUpdated"), (4, "MessagesDeleted"), (5, "HeadMoved")] {
            let event = events.next().await.unwrap();
            assert_eq!(
                (&event["sequence"], &event["__typename"]),
                (&json!(sequence), &json!(kind))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_impossible_after_is_answered_with_a_resync() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let variables = json!({ "id": tale.session, "after": 1000 });
        let mut events = world.watch_session(freya(), variables);
        let resync = events.next().await.unwrap();
        assert_eq!(resync["__typename"], "ResyncNeeded");
        assert_eq!(resync["sequence"], 2);
        assert_eq!(events.next().await.unwrap()["__typename"], "CaughtUp");
        world.does(freya(), "updateSession", json!({ "id": tale.session, "title": "A" })).await;
        let next = events.next().await.unwrap();
        assert_eq!((&next["__typename"], &next["sequence"]), (&json!("SessionUpdated"), &json!(3)));
        let mut events = world.watch_session(freya(), json!({ "id": tale.session, "after": -1 }));
        let refused = events.response().await.unwrap();
        assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    })
    .await;
}

#[tokio::test]
async fn a_screen_that_joins_late_gets_each_running_text_from_its_start() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let mut calls = Vec::new();
        let first = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        calls.push((first.clone(), script.call().await));
        let swipe = json!({ "messageId": first });
        let second = id(&world.does(freya(), "regenerateReply", swipe).await["reply"]);
        calls.push((second.clone(), script.call().await));
        for (reply, call) in &calls {
            let mut watcher = world.watch_reply(freya(), json!({ "id": reply }));
            call.think("Hm.").await;
            call.say(&format!("I am {reply} 🦊")).await;
            watcher.until(|event| event["text"] == "Hm.").await;
            watcher.until(|event| event["channel"] == "CONTENT").await;
        }
        let sequence = world.session(freya(), &tale.session).await["sequence"].clone();
        let mut screens = Vec::new();
        for variables in [
            json!({ "id": tale.session }),
            json!({ "id": tale.session, "after": 0 }),
            json!({ "id": tale.session, "after": sequence, "channels": ["CONTENT"] }),
            json!({ "id": tale.session, "after": sequence, "channels": [] }),
        ] {
            let mut events = world.watch_session(freya(), variables.clone());
            let after = variables["after"].as_i64().unwrap_or(sequence.as_i64().unwrap());
            let mut client = Client::after(after);
            for event in replay(&mut events).await {
                client.take(&event);
            }
            client.caught_up = true;
            let channels = variables["channels"].as_array().map_or(2, Vec::len);
            for _ in 0..2 * channels {
                client.take(&events.until_type("ReplyDelta").await);
            }
            screens.push((client, events));
        }
        for (_, call) in calls {
            call.tell(" for ever.").await;
        }
        world.ends(freya(), &first).await;
        world.ends(freya(), &second).await;
        world.does(freya(), "updateSession", json!({ "id": tale.session, "title": "A" })).await;
        let mut thoughts = Vec::new();
        for (client, events) in &mut screens {
            loop {
                let event = events.next().await.unwrap();
                client.take(&event);
                if event["__typename"] == "SessionUpdated" {
                    break;
                }
            }
            assert!(client.has_all_ends());
            thoughts.push(client.texts[&first].thought.len());
        }
        assert_eq!(thoughts, [3, 3, 0, 0]);
        for (n, (client, _)) in screens.iter().enumerate() {
            for reply in [&first, &second] {
                let whole = format!("I am {reply} 🦊 for ever.");
                let text = &client.texts[reply];
                assert_eq!(text.content(), if n < 3 { whole } else { String::new() });
            }
        }
    })
    .await;
}

#[tokio::test]
async fn who_comes_back_learns_how_far_each_reply_is_even_without_a_text() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let waits = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        let mut watcher = world.watch_reply(freya(), json!({ "id": waits }));
        let soon = Some(Duration::from_mins(1));
        script.call().await.fail(LlmError::new(LlmErrorKind::RateLimited).after(soon)).await;
        watcher.until(|event| event["stage"] == "RETRYING").await;
        let swipe = json!({ "messageId": waits });
        let writes = id(&world.does(freya(), "regenerateReply", swipe).await["reply"]);
        let mut watcher = world.watch_reply(freya(), json!({ "id": writes }));
        let call = script.call().await;
        call.say("A wave").await;
        watcher.until(|event| event["text"] == "A wave").await;
        let sequence = world.session(freya(), &tale.session).await["sequence"].clone();
        for channels in [json!(["CONTENT"]), json!([])] {
            let variables = json!({ "id": tale.session, "after": sequence, "channels": channels });
            let mut events = world.watch_session(freya(), variables);
            replay(&mut events).await;
            let mut stages = Vec::new();
            for _ in 0..2 {
                let event = events.until_type("ReplyStageChanged").await;
                let told = ["messageId", "stage", "attempt"].map(|field| event[field].clone());
                stages.push(told);
            }
            stages.sort_by_key(|[reply, ..]| reply.to_string());
            let mut expected = [
                [json!(waits), json!("RETRYING"), json!(1)],
                [json!(writes), json!("WRITING"), json!(1)],
            ];
            expected.sort_by_key(|[reply, ..]| reply.to_string());
            assert_eq!(stages, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn a_restored_branch_comes_whole_without_what_was_deleted_apart() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let (said, kept) = world.talks(freya(), &tale, "I sing.").await;
        let (said, kept) = (id(&said), id(&kept));
        let swipe = json!({ "messageId": kept });
        let apart = id(&world.does(freya(), "regenerateReply", swipe.clone()).await["reply"]);
        let last = id(&world.does(freya(), "regenerateReply", swipe).await["reply"]);
        for reply in [&apart, &last] {
            world.ends(freya(), reply).await;
        }
        for message in [&apart, &said] {
            world.does(freya(), "deleteMessage", json!({ "messageId": message })).await;
        }
        let sequence = world.session(freya(), &tale.session).await["sequence"].clone();
        let watch = json!({ "id": tale.session, "after": sequence });
        let mut events = world.watch_session(freya(), watch.clone());
        world.does(freya(), "restoreMessage", json!({ "messageId": said })).await;
        let whole = |event: &Value| event["messages"].clone();
        let restored = events.until_type("MessagesRestored").await;
        assert_eq!(whole(&restored), json!([{ "id": said }, { "id": kept }, { "id": last }]));
        // Entities are read at delivery: what was deleted again is not there.
        world.does(freya(), "deleteMessage", json!({ "messageId": said })).await;
        let mut again = world.watch_session(freya(), watch);
        assert_eq!(whole(&again.until_type("MessagesRestored").await), json!([]));
    })
    .await;
}

#[tokio::test]
async fn who_falls_behind_loses_nothing() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let sequence = world.session(freya(), &tale.session).await["sequence"].as_i64().unwrap();
        let variables = json!({ "id": tale.session, "after": sequence });
        let mut slow = world.watch_session(freya(), variables);
        let mut client = Client::after(sequence);
        client.take(&slow.next().await.unwrap());
        let reply = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        let mut slow_reply = world.watch_reply(freya(), json!({ "id": reply }));
        slow_reply.next().await.unwrap();
        let call = script.call().await;
        // Far more than the feed keeps for a listener.
        for n in 0..200 {
            call.say(&format!("{n} 🐑 ")).await;
            let title = json!({ "id": tale.session, "title": n.to_string() });
            world.does(freya(), "updateSession", title).await;
        }
        call.end().await;
        let end = world.ends(freya(), &reply).await;
        loop {
            let event = slow.next().await.unwrap();
            client.take(&event);
            if event["__typename"] == "ReplyFinished" {
                break;
            }
        }
        assert_eq!(client.sequence, sequence + 2 + 200 + 1);
        assert!(client.has_all_ends());
        let events = slow_reply.all().await;
        let deltas = events.iter().filter_map(|event| event["text"].as_str());
        assert_eq!(deltas.collect::<String>(), end["content"].as_str().unwrap());
    })
    .await;
}

#[tokio::test]
async fn who_falls_behind_over_a_retry_starts_over() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        let call = script.call().await;
        let mut screen = world.watch_session(freya(), json!({ "id": tale.session }));
        let mut watcher = world.watch_reply(freya(), json!({ "id": reply }));
        let sequence = world.session(freya(), &tale.session).await["sequence"].as_i64().unwrap();
        let mut client = Client::after(sequence);
        client.take(&screen.next().await.unwrap());
        call.think("A first idea.").await;
        for events in [&mut screen, &mut watcher] {
            let delta = events.until(|event| event["text"] == "A first idea.").await;
            if delta.get("sequence").is_some() {
                client.take(&delta);
            }
        }
        let mut quick = world.watch_reply(freya(), json!({ "id": reply }));
        call.fail(LlmError::new(LlmErrorKind::RateLimited).after(Duration::ZERO)).await;
        let call = script.call().await;
        call.think("Another idea, and a longer one").await;
        quick.until(|event| event["text"] == "Another idea, and a longer one").await;
        for n in 0..150 {
            let title = json!({ "id": tale.session, "title": n.to_string() });
            world.does(freya(), "updateSession", title).await;
        }
        call.think(" at that.").await;
        quick.until(|event| event["text"] == " at that.").await;
        loop {
            let event = screen.next().await.unwrap();
            client.take(&event);
            if event["thought"] == "Another idea, and a longer one at that." {
                break;
            }
        }
        call.tell("So be it.").await;
        let end = world.ends(freya(), &reply).await;
        assert_eq!(end["thought"], "Another idea, and a longer one at that.");
        loop {
            let event = screen.next().await.unwrap();
            client.take(&event);
            if event["__typename"] == "ReplyFinished" {
                break;
            }
        }
        let thought = "A first idea.".encode_utf16().collect();
        let mut text = crate::client::Text { thought, attempt: 1, ..Default::default() };
        for event in watcher.all().await {
            match event["__typename"].as_str().unwrap() {
                "ReplyFinished" => text.finish(&event),
                _ => text.progress(&event),
            }
        }
        assert!(text.end.is_some());
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_reply_is_told_at_once() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        for _ in 0..20 {
            let input =
                json!({ "sessionId": tale.session, "parentId": tale.greeting, "content": "Hi." });
            let turn = world.does(freya(), "sendMessage", input).await;
            let started = std::time::Instant::now();
            world.ends(freya(), &id(&turn["reply"])).await;
            assert!(started.elapsed() < Duration::from_millis(1900), "{:?}", started.elapsed());
        }
    })
    .await;
}

/// What a busy player does: sends, swipes, stops, deletes, all below the greeting.
async fn play(world: World, tale: Tale, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let send = json!({ "sessionId": tale.session, "parentId": tale.greeting, "content": "Hi 🦊." });
    let mut reply = id(&world.does(freya(), "sendMessage", send.clone()).await["reply"]);
    for _ in 0..5 {
        match dice.random_range(0..4) {
            0 => reply = id(&world.does(freya(), "sendMessage", send.clone()).await["reply"]),
            1 => {
                let swipe = json!({ "messageId": reply });
                reply = id(&world.does(freya(), "regenerateReply", swipe).await["reply"]);
            }
            2 => {
                let stopped = world.does(freya(), "stopReply", json!({ "messageId": reply })).await;
                assert!(stopped["reply"]["id"] == reply.as_str());
            }
            _ => {
                world.does(freya(), "deleteMessage", json!({ "messageId": reply })).await;
                reply = id(&world.does(freya(), "sendMessage", send.clone()).await["reply"]);
            }
        }
    }
    world.ends(freya(), &reply).await;
}

/// Joins at some moment and reads until the title is set; the events.
async fn watch(world: World, tale: Tale, seed: u64, joined: Arc<AtomicUsize>) -> Client {
    let mut dice = StdRng::seed_from_u64(seed);
    tokio::time::sleep(Duration::from_millis(dice.random_range(0..300))).await;
    let from_start = dice.random_bool(0.4);
    let variables = if from_start {
        json!({ "id": tale.session, "after": 0 })
    } else {
        json!({ "id": tale.session })
    };
    let mut events = world.watch_session(freya(), variables);
    let mut client = Client::after(0);
    if !from_start {
        let first = events.next().await.unwrap();
        let is_stored = first["__typename"] != "CaughtUp";
        client = Client::after(first["sequence"].as_i64().unwrap() - i64::from(is_stored));
        client.take(&first);
    }
    // Whoever reads from the start hears of the title however late they come.
    joined.fetch_add(1, Ordering::SeqCst);
    loop {
        let event = events.next().await.unwrap();
        client.take(&event);
        if event["__typename"] == "SessionUpdated" {
            return client;
        }
        if dice.random_bool(0.02) {
            tokio::time::sleep(Duration::from_millis(dice.random_range(0..30))).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_busy_a_session_is_every_promise_holds() {
    let generous = || {
        let limits =
            Limits { replies_per_session: 1000, replies_per_user: 1000, ..Limits::default() };
        let llm = Arc::new(Offline::new(Pace::tokens_per_second(400), true));
        (Plan { llm, limits, ..Plan::default() }, ())
    };
    story_with(generous, async |world, ()| {
        let tale = world.tale(freya()).await;
        let mut players = JoinSet::new();
        let mut watchers = JoinSet::new();
        let joined = Arc::new(AtomicUsize::new(0));
        for seed in 0..8 {
            players.spawn(play(world.clone(), tale.clone(), seed));
        }
        for seed in 100..124 {
            watchers.spawn(watch(world.clone(), tale.clone(), seed, joined.clone()));
        }
        players.join_all().await;
        let running = "{ runningReplies { id } }";
        for reply in crate::harness::ids(&world.ask(freya(), running, json!({})).await) {
            world.ends(freya(), &reply).await;
        }
        // Joins after the end hear nothing of it.
        for seed in 200..204 {
            watchers.spawn(watch(world.clone(), tale.clone(), seed, joined.clone()));
        }
        crate::harness::eventually(async || world.app.replies.is_idle()).await;
        let everybody = watchers.len();
        let are_there = async || joined.load(Ordering::SeqCst) == everybody;
        crate::harness::eventually(are_there).await;
        let update = json!({ "id": tale.session, "title": "The end" });
        world.does(freya(), "updateSession", update).await;
        let clients = watchers.join_all().await;
        let mut whole = 0;
        for client in &clients {
            assert!(client.has_all_ends());
            whole += client.texts.values().filter(|text| text.deltas > 0).count();
        }
        assert!(whole > 100, "the watchers saw texts grow: {whole}");
    })
    .await;
}
