//! A failed reply is tried again in its place.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use skald_base::{Viewer, viewer::SignedIn};
use skald_core::{
    Limits,
    llm::{LlmError, LlmErrorKind},
};

use crate::{
    harness::{Plan, Tale, World, freya, id, scripted_story, story_with},
    script::{Script, scripted},
};

/// A tale whose last reply failed; its id.
async fn failed(world: &World, script: &Script) -> (Tale, String) {
    let tale = world.tale(freya()).await;
    let reply = id(&world.says(freya(), &tale, "Hi.").await["reply"]);
    let call = script.call().await;
    call.think("Hm.").await;
    call.fail(LlmErrorKind::Auth.into()).await;
    assert_eq!(world.ends(freya(), &reply).await["status"], "FAILED");
    (tale, reply)
}

#[tokio::test]
async fn a_failed_reply_is_tried_again_in_its_place() {
    scripted_story(async |world, script| {
        let (tale, reply) = failed(world, script).await;
        let mut screen = world.watch_session(freya(), json!({ "id": tale.session }));
        screen.until_type("CaughtUp").await;
        let rows = world.rows().await;
        let input = json!({ "messageId": reply, "clientRequestId": "again" });
        let turn = world.does(freya(), "retryReply", input.clone()).await;
        assert_eq!(id(&turn["reply"]), reply);
        assert_eq!(turn["reply"]["status"], "PENDING");
        assert_eq!(turn["reply"]["thought"], Value::Null);
        assert_eq!(turn["session"]["head"]["id"], reply.as_str());
        world.does(freya(), "retryReply", input).await;
        let call = script.call().await;
        assert_eq!(call.request.story.attempt, 2);
        let message = world.message(freya(), &reply).await;
        assert_eq!(message["generation"]["failure"], Value::Null);
        assert_eq!(message["generation"]["timings"]["finishedAt"], Value::Null);
        // The first attempt since it was asked for again: what may pass is tried once more.
        let soon = LlmError::new(LlmErrorKind::Overloaded).after(Duration::from_millis(1));
        call.fail(soon).await;
        script.call().await.tell("Hello.").await;

        // Who watches the session is told, and only then sees text.
        let types: Vec<String> = {
            let mut seen = Vec::new();
            loop {
                let event = screen.next().await.unwrap();
                let name = event["__typename"].as_str().unwrap().to_owned();
                let is_end = name == "ReplyFinished";
                if name == "ReplyDelta" {
                    assert_eq!(event["text"], "Hello.");
                    assert_eq!(event["attempt"], 3);
                }
                seen.push(name);
                if is_end {
                    break seen;
                }
            }
        };
        assert_eq!(types[0], "MessageUpdated", "{types:?}");
        assert!(types.contains(&"ReplyDelta".to_owned()), "{types:?}");
        let end = world.message(freya(), &reply).await;
        assert_eq!(end["content"], "Hello.");
        assert_eq!(end["status"], "COMPLETE");
        assert_eq!(end["generation"]["attempt"], 3);
        let mut after = world.rows().await;
        // The log and the request ids grew; the tree and its replies did not.
        after[9] = rows[9];
        *after.last_mut().unwrap() = *rows.last().unwrap();
        assert_eq!(after, rows);
        // Whoever reads the log from the start is told of the failure, and of the end.
        let mut log = world.watch_session(freya(), json!({ "id": tale.session, "after": 0 }));
        let failure = log.until_type("ReplyFailed").await;
        assert_eq!(failure["message"]["status"], "COMPLETE", "as it is now");
        log.until_type("MessageUpdated").await;
        log.until_type("ReplyFinished").await;
        let refused = json!({ "messageId": reply });
        assert_eq!(world.denied(freya(), "retryReply", refused).await, "BAD_USER_INPUT");
    })
    .await;
}

#[tokio::test]
async fn only_what_failed_is_tried_again() {
    scripted_story(async |world, script| {
        let (tale, reply) = failed(world, script).await;
        let said = world.message(freya(), &reply).await["parentId"].clone();
        let refused = async |message: Value| {
            world.denied(freya(), "retryReply", json!({ "messageId": message })).await
        };
        assert_eq!(refused(said).await, "BAD_USER_INPUT");
        assert_eq!(refused(json!(tale.greeting)).await, "BAD_USER_INPUT");
        // Written by hand meanwhile: no model may write over it.
        let edit = json!({ "messageId": reply, "content": "Mine.", "mode": "IN_PLACE" });
        world.does(freya(), "editMessage", edit).await;
        assert_eq!(refused(json!(reply)).await, "BAD_USER_INPUT");
        assert_eq!(world.message(freya(), &reply).await["content"], "Mine.");
    })
    .await;
}

#[tokio::test]
async fn a_reply_below_which_the_story_went_on_stays_as_it_is() {
    scripted_story(async |world, script| {
        let (tale, reply) = failed(world, script).await;
        let ((), onward) =
            tokio::join!(async { script.call().await.tell("Hello.").await }, async {
                world.talks(freya(), &tale, "Well?").await
            });
        let again = json!({ "messageId": reply });
        assert_eq!(world.denied(freya(), "retryReply", again.clone()).await, "BAD_USER_INPUT");
        assert_eq!(world.message(freya(), &reply).await["status"], "FAILED");
        // What hung below is deleted, and may not come back while the reply is being written.
        let sent = json!({ "messageId": onward.0["id"] });
        world.does(freya(), "deleteMessage", sent.clone()).await;
        world.does(freya(), "retryReply", again).await;
        let call = script.call().await;
        let denied = world.denied(freya(), "restoreMessage", sent.clone()).await;
        assert_eq!(denied, "REPLY_RUNNING");
        call.tell("Here I am.").await;
        world.ends(freya(), &reply).await;
        world.does(freya(), "restoreMessage", sent).await;
    })
    .await;
}

#[tokio::test]
async fn a_retry_is_asked_for_as_old_as_the_player_says_to_be_now() {
    scripted_story(async |world, script| {
        let (_, reply) = failed(world, script).await;
        let Viewer::User(grown) = freya() else { panic!("a player") };
        let young = Viewer::User(SignedIn { minor: true, ..grown });
        world.does(young, "retryReply", json!({ "messageId": reply })).await;
        let call = script.call().await;
        assert!(call.request.system_text().contains("not of age"));
        // Who takes the reply up after a crash reads it too.
        let young = "SELECT count(*) FROM reply WHERE CAST(job AS TEXT) LIKE '%\"minor\":%true%'";
        assert_eq!(world.count(young).await, 1);
        call.tell("Hello.").await;
        world.ends(freya(), &reply).await;
    })
    .await;
}

#[tokio::test]
async fn a_retry_counts_among_the_running_replies() {
    let plan = || {
        let (llm, script) = scripted();
        let limits = Limits { replies_per_session: 1, ..Limits::default() };
        (Plan { llm: Arc::new(llm), limits, ..Plan::default() }, script)
    };
    story_with(plan, async |world, script| {
        let (_, reply) = failed(world, &script).await;
        let swipe = world.does(freya(), "regenerateReply", json!({ "messageId": reply })).await;
        let call = script.call().await;
        let again = json!({ "messageId": reply });
        assert_eq!(world.denied(freya(), "retryReply", again.clone()).await, "LIMIT_EXCEEDED");
        call.tell("Hello.").await;
        world.ends(freya(), &id(&swipe["reply"])).await;
        world.does(freya(), "retryReply", again).await;
        script.call().await.tell("Hello!").await;
    })
    .await;
}
