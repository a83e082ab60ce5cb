//! Crashes, restarts, lost leases, and models that fail in every way they can.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use skald_base::{
    Db, Dialect,
    testing::{TestDb, each_database},
};
use skald_core::{
    Limits, MIGRATIONS,
    llm::{
        LlmError, LlmErrorKind,
        offline::{Offline, Pace},
    },
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use crate::{
    harness::{Plan, Tale, World, eventually, freya, id, scripted_story, story_with},
    script::{Hurried, Script, scripted},
};

/// A process of its own: a runtime that can be cut off in the middle of everything.
struct Process {
    runtime: Runtime,
    world: World,
    script: Script,
}

impl Process {
    async fn start(url: &str, seed: u64) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (llm, script) = scripted();
        let plan = Plan { llm: Arc::new(llm), seed, ..Plan::default() };
        let url = url.to_owned();
        let open = async move {
            let db = Db::connect(&url, 4).await.unwrap();
            World::open(db, url, plan).await
        };
        let world = runtime.spawn(open).await.unwrap();
        Self { runtime, world, script }
    }

    /// Does something inside the process.
    async fn run<F>(&self, task: impl FnOnce(World) -> F) -> F::Output
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.runtime.spawn(task(self.world.clone())).await.unwrap()
    }

    /// Sends a message below the greeting; the reply's id.
    async fn reply(&self, tale: &Tale) -> String {
        let input =
            json!({ "sessionId": tale.session, "parentId": tale.greeting, "content": "Go on." });
        let send = |world: World| async move { world.does(freya(), "sendMessage", input).await };
        id(&self.run(send).await["reply"])
    }

    /// Every task ends where it stands.
    fn crash(self) {
        self.runtime.shutdown_background();
    }
}

async fn draft(db: &Db, reply: &str, column: &'static str) -> String {
    let sql = match column {
        "content" => "SELECT draft_content FROM reply WHERE message_id = $1",
        _ => "SELECT draft_thought FROM reply WHERE message_id = $1",
    };
    let reply: skald_core::tree::MessageId = reply.parse().unwrap();
    let (text,): (String,) = db.read(sql).bind(reply).one().await.unwrap();
    text
}

/// Changes a reply's row behind the program's back.
async fn meddle(db: &Db, sql: &'static str, reply: &str) {
    let reply: skald_core::tree::MessageId = reply.parse().unwrap();
    assert_eq!(db.write(sql).bind(reply).execute().await.unwrap(), 1);
}

const EXPIRE: &str = "UPDATE reply SET leased_until = 0 WHERE message_id = $1";
const STOP: &str = "UPDATE reply SET stop_requested = TRUE WHERE message_id = $1";
const STEAL: &str = "UPDATE reply SET leased_by = message_id, leased_until = leased_until + 60000
    WHERE message_id = $1";

/// Ever again, as long as it is not dropped, somebody holds a connection for a moment.
fn crowd(db: &Db, heads: usize) -> JoinSet<()> {
    let mut crowd = JoinSet::new();
    for _ in 0..heads {
        let db = db.clone();
        crowd.spawn(async move {
            loop {
                let tx = db.begin().await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
                tx.commit().await.unwrap();
            }
        });
    }
    crowd
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_takes_at_most_a_second_of_text_however_many_wait_for_the_database() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let input = json!({ "sessionId": tale.session, "content": "Go on." });
        let reply = id(&world.does(freya(), "sendMessage", input).await["reply"]);
        let call = script.call().await;
        // Its own way to the database, so that looking is not kept waiting.
        let outside = Db::connect(&world.url, 1).await.unwrap();
        call.say("One").await;
        eventually(async || draft(&outside, &reply, "content").await == "One").await;
        // Who comes last waits for more than two seconds.
        let connections = if outside.dialect() == Dialect::Sqlite { 1 } else { 7 };
        let crowd = crowd(&world.db, connections * 25);
        let mut text = "One".to_owned();
        for word in [" two", " three", " four"] {
            call.say(word).await;
            text.push_str(word);
            let said = Instant::now();
            eventually(async || draft(&outside, &reply, "content").await == text).await;
            let unsafe_for = said.elapsed();
            assert!(unsafe_for < Duration::from_secs(1), "saved after {unsafe_for:?}");
        }
        drop(crowd);
        call.end().await;
        world.ends(freya(), &reply).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_that_was_saved() {
    each_database(MIGRATIONS, async |TestDb { db, url, dir: _dir }| {
        let first = Process::start(&url, 1).await;
        let tale = first.run(async |world: World| world.tale(freya()).await).await;
        let mut replies = Vec::new();
        for (thought, text) in [("", "Half a tale"), ("Hm…", ""), ("", "Enough"), ("", "Mine")] {
            let reply = first.reply(&tale).await;
            let call = first.script.call().await;
            if !thought.is_empty() {
                call.think(thought).await;
            }
            if !text.is_empty() {
                call.say(text).await;
            }
            let is_saved = async || {
                draft(&db, &reply, "content").await == text
                    && draft(&db, &reply, "thought").await == thought
            };
            eventually(is_saved).await;
            replies.push((reply, call));
        }
        let [half, silent, stopped, living] = [0, 1, 2, 3].map(|n: usize| replies[n].0.clone());
        first.crash();
        meddle(&db, STOP, &stopped).await;
        for reply in [&half, &silent, &stopped] {
            meddle(&db, EXPIRE, reply).await;
        }

        let second = Process::start(&url, 2).await;
        // The one with no text yet is tried again, from the start.
        let call = second.script.call().await;
        assert_eq!(call.request.story.attempt, 2);
        call.tell("Whole.").await;
        let end = |reply: String| {
            let second = &second;
            async move { second.run(async move |world: World| world.ends(freya(), &reply).await).await }
        };
        let silent = end(silent).await;
        assert_eq!((&silent["status"], &silent["content"]), (&json!("COMPLETE"), &json!("Whole.")));
        assert_eq!(silent["thought"], Value::Null);
        assert_eq!(silent["generation"]["attempt"], 2);
        let half = end(half).await;
        assert_eq!(half["status"], "INTERRUPTED");
        assert_eq!(half["content"], "Half a tale");
        assert_eq!(half["generation"]["attempt"], 1);
        let stopped = end(stopped).await;
        assert_eq!((&stopped["status"], &stopped["content"]), (&json!("STOPPED"), &json!("Enough")));

        let swipe = json!({ "messageId": half["id"] });
        let again = second
            .run(async move |world: World| world.does(freya(), "regenerateReply", swipe).await)
            .await;
        second.script.call().await.tell("A whole tale.").await;
        assert_eq!(end(id(&again["reply"])).await["content"], "A whole tale.");

        // Its lease has not expired: with PostgreSQL somebody may be writing it still.
        let look = living.clone();
        let status = second.run(async move |world: World| world.message(freya(), &look).await).await;
        match db.dialect() {
            Dialect::Sqlite => assert_eq!(status["status"], "INTERRUPTED"),
            Dialect::Postgres => {
                assert_eq!(status["status"], "WRITING");
                assert_eq!(status["content"], "Mine");
                meddle(&db, EXPIRE, &living).await;
                let third = Process::start(&url, 3).await;
                let message =
                    third.run(async move |world: World| world.message(freya(), &living).await).await;
                assert_eq!(message["status"], "INTERRUPTED");
                assert_eq!(message["content"], "Mine");
                third.crash();
            }
        }
        second.crash();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_takes_nothing_of_the_text_that_was_gone_on_from() {
    each_database(MIGRATIONS, async |TestDb { db, url, dir: _dir }| {
        let first = Process::start(&url, 1).await;
        let tale = first.run(async |world: World| world.tale(freya()).await).await;
        let cut = first.reply(&tale).await;
        let call = first.script.call().await;
        call.say("She walked to the").await;
        eventually(async || draft(&db, &cut, "content").await == "She walked to the").await;
        let stop = json!({ "messageId": cut });
        let onward = stop.clone();
        let onward = first
            .run(async move |world: World| {
                world.does(freya(), "stopReply", stop).await;
                world.does(freya(), "continueReply", onward).await
            })
            .await;
        let reply = id(&onward["reply"]);
        let _silent = first.script.call().await;
        assert_eq!(draft(&db, &reply, "content").await, "She walked to the");
        first.crash();
        meddle(&db, EXPIRE, &reply).await;

        // Not a word was added: it is tried again.
        let second = Process::start(&url, 2).await;
        let call = second.script.call().await;
        assert_eq!(call.request.story.attempt, 2);
        assert_eq!(call.request.story.begun, "She walked to the");
        call.say(" old do").await;
        eventually(async || draft(&db, &reply, "content").await == "She walked to the old do")
            .await;
        second.crash();
        meddle(&db, EXPIRE, &reply).await;

        // A word was: it is kept.
        let third = Process::start(&url, 3).await;
        let look = reply.clone();
        let message = third.run(async move |world: World| world.ends(freya(), &look).await).await;
        assert_eq!(message["status"], "INTERRUPTED");
        assert_eq!(message["content"], "She walked to the old do");
        third.crash();
    })
    .await;
}

#[tokio::test]
async fn a_reply_that_fails_with_every_process_is_given_up() {
    each_database(MIGRATIONS, async |TestDb { db, url, dir: _dir }| {
        let mut process = Process::start(&url, 1).await;
        let tale = process.run(async |world: World| world.tale(freya()).await).await;
        let reply = process.reply(&tale).await;
        for attempt in 1..=3 {
            let call = process.script.call().await;
            assert_eq!(call.request.story.attempt, attempt);
            process.crash();
            meddle(&db, EXPIRE, &reply).await;
            process = Process::start(&url, u64::from(attempt) + 1).await;
        }
        let message =
            process.run(async move |world: World| world.ends(freya(), &reply).await).await;
        assert_eq!(message["generation"]["attempt"], 3);
        // There is nothing to go on from: it can be tried again.
        assert_eq!(message["status"], "FAILED");
        assert_eq!(message["generation"]["failure"]["code"], "INTERNAL");
        process.crash();
    })
    .await;
}

#[tokio::test]
async fn going_down_lets_replies_finish_and_keeps_the_rest() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let mut calls = Vec::new();
        for text in ["I will be ", "I was "] {
            let input = json!({ "sessionId": tale.session, "parentId": tale.greeting,
                "content": "Go on." });
            let reply = id(&world.does(freya(), "sendMessage", input).await["reply"]);
            let call = script.call().await;
            call.say(text).await;
            calls.push((reply, call));
        }
        let (cut, _pen) = calls.pop().unwrap();
        let input = json!({ "sessionId": tale.session, "parentId": tale.greeting,
            "content": "Begin." });
        let silent = id(&world.does(freya(), "sendMessage", input).await["reply"]);
        let _silent_pen = script.call().await;
        let (finished, call) = calls.pop().unwrap();
        let mut ends = Vec::new();
        for reply in [&finished, &cut] {
            let mut events = world.watch_reply(freya(), json!({ "id": reply }));
            events.until(|event| event.get("text").is_some()).await;
            ends.push(events);
        }
        let stop = world.app.lifecycle.stop(Duration::from_millis(500));
        let tell = async {
            world.app.lifecycle.stopping().cancelled().await;
            call.tell("finished.").await;
        };
        tokio::join!(stop, tell);
        let end = ends[0].until(|event| event.get("message").is_some()).await;
        assert_eq!(end["message"]["status"], "COMPLETE");
        assert_eq!(end["message"]["content"], "I will be finished.");
        let end = ends[1].until(|event| event.get("message").is_some()).await;
        assert_eq!(end["message"]["status"], "INTERRUPTED");
        assert_eq!(end["message"]["content"], "I was ");
        // Without a word there is nothing to go on from: it can be tried again.
        let silent = world.ends(freya(), &silent).await;
        assert_eq!(silent["status"], "FAILED");
        assert_eq!(silent["generation"]["failure"]["code"], "INTERNAL");
    })
    .await;
}

#[tokio::test]
async fn who_lost_the_lease_writes_no_more() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        let call = script.call().await;
        let mut events = world.watch_reply(freya(), json!({ "id": reply }));
        call.say("Mine.").await;
        eventually(async || draft(&world.db, &reply, "content").await == "Mine.").await;
        meddle(&world.db, STEAL, &reply).await;
        call.say(" All mine!").await;
        call.dropped().await;
        eventually(async || world.app.replies.is_idle()).await;
        assert_eq!(draft(&world.db, &reply, "content").await, "Mine.");
        let message = world.message(freya(), &reply).await;
        assert_eq!((&message["status"], &message["content"]), (&json!("WRITING"), &json!("Mine.")));
        // Whoever has it now ends it; who watches here learns of it too.
        meddle(&world.db, EXPIRE, &reply).await;
        let other = Process::start(&world.url, 2).await;
        let end = events.until(|event| event.get("message").is_some()).await;
        assert_eq!(end["message"]["status"], "INTERRUPTED");
        assert_eq!(end["message"]["content"], "Mine.");
        other.crash();
    })
    .await;
}

#[tokio::test]
async fn a_stop_asked_of_another_process_arrives() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        let call = script.call().await;
        call.say("Half").await;
        meddle(&world.db, STOP, &reply).await;
        call.dropped().await;
        let message = world.ends(freya(), &reply).await;
        assert_eq!((&message["status"], &message["content"]), (&json!("STOPPED"), &json!("Half")));
    })
    .await;
}

#[tokio::test]
async fn every_way_to_fail_has_its_end() {
    let hurried = || {
        let llm = Arc::new(Hurried(Offline::new(Pace::Instant, true)));
        let limits =
            Limits { replies_per_session: 100, replies_per_user: 100, ..Limits::default() };
        (Plan { llm, limits, ..Plan::default() }, ())
    };
    story_with(hurried, async |world, ()| {
        let tale = world.tale(freya()).await;
        let rehearse = async |name: &str| {
            let model = format!("skald/offline:{name}");
            let swipe = json!({ "messageId": tale.greeting, "modelId": model });
            let reply = id(&world.does(freya(), "regenerateReply", swipe).await["reply"]);
            world.watch_reply(freya(), json!({ "id": reply })).all().await
        };
        let cases = [
            ("retries-twice", "COMPLETE", "STOP", Value::Null, 3),
            ("rate-limited", "FAILED", "", json!("RATE_LIMITED"), 3),
            ("blocked", "FAILED", "", json!("BLOCKED"), 1),
            ("auth", "FAILED", "", json!("AUTH"), 1),
            ("cut", "INTERRUPTED", "", json!("CUT"), 1),
            ("blocked-late", "INTERRUPTED", "", json!("BLOCKED"), 1),
            ("length", "COMPLETE", "LENGTH", Value::Null, 1),
            ("thinking", "COMPLETE", "STOP", Value::Null, 1),
        ];
        let told = join_all(cases.iter().map(|case| rehearse(case.0))).await;
        for ((name, status, finish, failure, attempt), events) in cases.into_iter().zip(told) {
            let end = events.last().unwrap();
            let message = &end["message"];
            let generation = &message["generation"];
            assert_eq!(message["status"], status, "{name}: {message}");
            assert_eq!(generation["finishReason"].as_str().unwrap_or_default(), finish, "{name}");
            assert_eq!(generation["failure"]["code"], failure, "{name}");
            assert_eq!(generation["attempt"], attempt, "{name}");
            assert_eq!(end["attempt"], attempt, "{name}");
            let is_failure = status == "FAILED";
            let kind = if is_failure { "ReplyFailed" } else { "ReplyFinished" };
            assert_eq!(end["__typename"], kind, "{name}");
            assert_eq!(message["content"] == "", is_failure, "{name}");
            // The other waits are over before anybody can have subscribed.
            if name == "retries-twice" {
                let retries = events.iter().filter(|event| event["stage"] == "RETRYING");
                assert_eq!(retries.count(), 2);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_model_that_breaks_the_rules_breaks_nothing_else() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let ask = async || {
            let input = json!({ "sessionId": tale.session, "parentId": tale.greeting,
                "content": "Go on." });
            let reply = id(&world.does(freya(), "sendMessage", input).await["reply"]);
            (reply, script.call().await)
        };
        let (innocent, other) = ask().await;
        other.say("One").await;
        // PostgreSQL cannot store a NUL.
        let (reply, call) = ask().await;
        call.think("\0").await;
        call.say("\0Nu\0ll\0").await;
        eventually(async || draft(&world.db, &reply, "content").await == "Null").await;
        call.end().await;
        let message = world.ends(freya(), &reply).await;
        assert_eq!((&message["status"], &message["content"]), (&json!("COMPLETE"), &json!("Null")));
        other.tell(" two").await;
        assert_eq!(world.ends(freya(), &innocent).await["content"], "One two");

        let (reply, call) = ask().await;
        let mut watcher = world.watch_reply(freya(), json!({ "id": reply }));
        call.say(" \n").await;
        call.end().await;
        let retrying = watcher.until(|event| event["stage"] == "RETRYING").await;
        assert_eq!(retrying["failure"]["code"], "EMPTY");
        script.call().await.tell("\n\nAt last.").await;
        let message = world.ends(freya(), &reply).await;
        assert_eq!(
            (&message["content"], &message["status"]),
            (&json!("At last."), &json!("COMPLETE"))
        );

        let (reply, call) = ask().await;
        call.fail(LlmError::new(LlmErrorKind::BadRequest).detail(crate::script::PANIC)).await;
        let message = world.ends(freya(), &reply).await;
        assert_eq!(message["status"], "FAILED");
        assert_eq!(message["generation"]["failure"]["code"], "INTERNAL");
        let running = world.session(freya(), &tale.session).await["runningReplies"].clone();
        assert_eq!(running, json!([]));
    })
    .await;
}
