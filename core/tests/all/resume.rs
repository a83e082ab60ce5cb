//! Watching one reply: joining late, resuming anywhere, choosing channels.

use serde_json::{Value, json};
use skald_core::llm::{LlmError, LlmErrorKind};

use crate::{
    client::{Text, units},
    harness::{freya, id, scripted_story},
};

const CONTENT: &str = "Ёж 🦔 идёт. 👩‍🚀!";
const THOUGHT: &str = "Думаю… 🤔";

/// What a client has after these events, if it had this much before.
fn replay(events: &[Value], had: (Vec<u16>, Vec<u16>)) -> Text {
    let mut text = Text { content: had.0, thought: had.1, ..Text::default() };
    for event in events {
        match event["__typename"].as_str().unwrap() {
            "ReplyFinished" | "ReplyFailed" => text.finish(event),
            _ => text.progress(event),
        }
    }
    text
}

fn first(text: &str, units: usize) -> Vec<u16> {
    text.encode_utf16().take(units).collect()
}

#[tokio::test]
async fn a_reply_that_ended_is_resumed_at_any_offset() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        let call = script.call().await;
        call.think(THOUGHT).await;
        call.tell(CONTENT).await;
        world.ends(freya(), &reply).await;
        let (content, thought) = (CONTENT.encode_utf16().count(), THOUGHT.encode_utf16().count());
        for offset in 0..content + 3 {
            let thought_offset = offset % (thought + 1);
            let variables =
                json!({ "id": reply, "offset": offset, "thoughtOffset": thought_offset });
            let events = world.watch_reply(freya(), variables).all().await;
            let had = (first(CONTENT, offset), first(THOUGHT, thought_offset));
            let text = replay(&events, had);
            assert_eq!(text.content(), CONTENT, "from {offset}");
            assert_eq!(text.thought, units(&THOUGHT.into()), "from {offset}");
            assert!(text.end.is_some());
            let is_reset = events[0]["__typename"] == "ReplyReset";
            assert_eq!(is_reset, offset > content, "from {offset}: {events:?}");
        }
        for bad in [json!({ "id": reply, "offset": -1 }), json!({ "id": "?" })] {
            let mut events = world.watch_reply(freya(), bad);
            let refused = events.response().await.unwrap();
            assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        }
    })
    .await;
}

#[tokio::test]
async fn a_running_reply_is_joined_in_the_middle() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        let call = script.call().await;
        let mut early = world.watch_reply(freya(), json!({ "id": reply }));
        call.think(THOUGHT).await;
        call.say("Ёж 🦔").await;
        early.until(|event| event["text"] == "Ёж 🦔").await;
        // Offset 4 lies inside the hedgehog, a surrogate pair.
        let mut watchers = Vec::new();
        for offset in [0, 1, 4, 5, 9] {
            let variables = json!({ "id": reply, "offset": offset });
            let mut watcher = world.watch_reply(freya(), variables);
            let mut seen = vec![watcher.next().await.unwrap()];
            if offset == 9 {
                // A client that has more than there is starts over.
                assert_eq!(seen[0]["__typename"], "ReplyReset");
                assert_eq!(seen[0]["content"], "Ёж 🦔");
                assert_eq!(seen[0]["thought"], THOUGHT);
            }
            seen.push(watcher.until(|event| event.get("stage").is_some()).await);
            assert_eq!(seen[1]["stage"], "WRITING");
            watchers.push((offset, watcher));
        }
        let only = json!({ "id": reply, "channels": ["THOUGHT"] });
        let thoughts = world.watch_reply(freya(), only);
        let none = world.watch_reply(freya(), json!({ "id": reply, "channels": [] }));
        call.say(" идёт. ").await;
        call.think(" Хм.").await;
        call.say("👩‍🚀!").await;
        call.end().await;
        for (offset, watcher) in watchers {
            let events = watcher.all().await;
            let deltas = events.iter().filter(|event| event["channel"] == "CONTENT");
            let rest: String = deltas.map(|event| event["text"].as_str().unwrap()).collect();
            assert_eq!(rest, " идёт. 👩‍🚀!", "from {offset}");
        }
        let thoughts = thoughts.all().await;
        assert!(thoughts.iter().all(|event| event.get("channel") != Some(&json!("CONTENT"))));
        let text = replay(&thoughts, (vec![], vec![]));
        assert_eq!(text.thought, units(&format!("{THOUGHT} Хм.").into()));
        let none = none.all().await;
        assert!(none.iter().all(|event| event.get("text").is_none()), "{none:?}");
        assert_eq!(none.last().unwrap()["message"]["content"], CONTENT);
    })
    .await;
}

#[tokio::test]
async fn what_was_shown_of_an_attempt_that_failed_is_void() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        let call = script.call().await;
        let mut events = world.watch_reply(freya(), json!({ "id": reply }));
        call.think("First idea.").await;
        events.until(|event| event["text"] == "First idea.").await;
        call.fail(LlmError::new(LlmErrorKind::RateLimited).after(std::time::Duration::ZERO)).await;
        let retry = events.until(|event| event["stage"] == "RETRYING").await;
        assert_eq!(retry["failure"]["code"], "RATE_LIMITED");
        assert!(retry["retryAt"].is_string());
        let call = script.call().await;
        assert_eq!(call.request.story.attempt, 2);
        let reset = events.until(|event| event["__typename"] == "ReplyReset").await;
        assert_eq!((&reset["content"], &reset["thought"]), (&json!(""), &Value::Null));
        assert_eq!(reset["attempt"], 2);
        call.think("A second, longer idea.").await;
        events.until(|event| event["text"] == "A second, longer idea.").await;
        // Whoever comes back with what it has of the first attempt starts over.
        let had = json!({ "id": reply, "thoughtOffset": 11 });
        let mut back = world.watch_reply(freya(), had);
        let reset = back.next().await.unwrap();
        assert_eq!(reset["__typename"], "ReplyReset", "{reset}");
        assert_eq!(reset["thought"], "A second, longer idea.");
        call.tell("Well.").await;
        let end = back.until(|event| event.get("message").is_some()).await;
        assert_eq!(end["message"]["thought"], "A second, longer idea.");
        assert_eq!(end["message"]["generation"]["attempt"], 2);
    })
    .await;
}

#[tokio::test]
async fn whoever_joins_while_a_reply_waits_to_be_retried_learns_why() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        let mut early = world.watch_reply(freya(), json!({ "id": reply }));
        let soon = Some(std::time::Duration::from_mins(1));
        script.call().await.fail(LlmError::new(LlmErrorKind::RateLimited).after(soon)).await;
        let told = early.until(|event| event["stage"] == "RETRYING").await;
        let mut late = world.watch_reply(freya(), json!({ "id": reply }));
        assert_eq!(late.next().await.unwrap(), told);
        let generation = &world.message(freya(), &reply).await["generation"];
        assert_eq!(generation["failure"]["retryAt"], told["retryAt"]);
        let stopped = world.does(freya(), "stopReply", json!({ "messageId": reply })).await;
        assert_eq!(stopped["reply"]["status"], "STOPPED");
        assert_eq!(late.until(|event| event.get("message").is_some()).await["attempt"], 1);
    })
    .await;
}
