//! A reply that was cut and is written on: the whole text stands beside the half one.

use serde_json::{Value, json};
use skald_core::llm::{LlmErrorKind, Role, openai::Profile};
use skald_doubles::{GeminiDouble, OpenAiDouble, Profile as Server};

use crate::{
    harness::{Tale, World, freya, id, scripted_story, story_with},
    providers::{gemini, openai, world_of},
    script::Script,
};

const HALF: &str = "She walked to the";
const GO_ON: &str = "[Continue exactly where you stopped, repeat nothing. If a space comes next, \
    begin with it.]";

/// A tale whose last reply was stopped in the middle; its id.
pub(crate) async fn cut(world: &World, script: &Script) -> (Tale, String) {
    let tale = world.tale(freya()).await;
    let reply = id(&world.says(freya(), &tale, "Where is she?").await["reply"]);
    let call = script.call().await;
    let mut events = world.watch_reply(freya(), json!({ "id": reply }));
    call.say(HALF).await;
    events.until(|event| event["text"] == HALF).await;
    world.does(freya(), "stopReply", json!({ "messageId": reply })).await;
    (tale, reply)
}

async fn goes_on(world: &World, reply: &str) -> Value {
    world.does(freya(), "continueReply", json!({ "messageId": reply })).await
}

#[tokio::test]
async fn a_cut_reply_is_written_on_beside_itself() {
    scripted_story(async |world, script| {
        let (tale, half) = cut(world, script).await;
        let before = world.message(freya(), &half).await;
        let mut screen = world.watch_session(freya(), json!({ "id": tale.session }));
        screen.until_type("CaughtUp").await;
        let input = json!({ "messageId": half, "expectedHeadId": half, "clientRequestId": "on" });
        let turn = world.does(freya(), "continueReply", input.clone()).await;
        let whole = id(&turn["reply"]);
        assert_eq!(turn["session"]["head"]["id"], whole.as_str());
        assert_eq!(turn["reply"]["content"], HALF);
        assert_eq!(turn["reply"]["continuedFrom"]["id"], half.as_str());
        assert_eq!(turn["reply"]["parentId"], before["parentId"]);
        let again = world.does(freya(), "continueReply", input).await;
        assert_eq!(id(&again["reply"]), whole, "sent twice, done once");

        let call = script.call().await;
        let turns: Vec<_> = call.request.turns.iter().rev().take(3).collect();
        assert_eq!((turns[0].role, turns[0].text().as_str()), (Role::User, GO_ON));
        assert_eq!((turns[1].role, turns[1].text().as_str()), (Role::Model, HALF));
        assert_eq!((turns[2].role, turns[2].text().as_str()), (Role::User, "Where is she?"));
        let mut reader =
            world.watch_reply(freya(), json!({ "id": whole, "channels": ["CONTENT"] }));
        let first = reader.until_type("ReplyDelta").await;
        assert_eq!((&first["offset"], &first["text"]), (&json!(0), &json!(HALF)));
        assert_eq!(world.message(freya(), &whole).await["status"], "PENDING");
        // Half of what the model says was said before.
        call.say("walked").await;
        call.say(" to the do").await;
        let next = reader.until_type("ReplyDelta").await;
        assert_eq!((&next["offset"], &next["text"]), (&json!(HALF.len()), &json!(" do")));
        call.tell("or.").await;
        let end = world.ends(freya(), &whole).await;
        assert_eq!(end["content"], "She walked to the door.");
        assert_eq!(end["status"], "COMPLETE");
        assert_eq!(end["alternatives"]["count"], 2);
        let half_now = world.message(freya(), &half).await;
        assert_eq!(half_now["content"], HALF);
        assert_eq!(half_now["status"], "STOPPED");

        // A screen puts the same text together, whatever it missed.
        screen.until_type("MessagesAdded").await;
        let mut text = String::new();
        loop {
            let event = screen.next().await.unwrap();
            match event["__typename"].as_str().unwrap() {
                "ReplyDelta" => {
                    let offset = usize::try_from(event["offset"].as_u64().unwrap()).unwrap();
                    assert!(offset <= text.len(), "no gap");
                    text.truncate(offset);
                    text.push_str(event["text"].as_str().unwrap());
                }
                "ReplyFinished" => break,
                _ => {}
            }
        }
        assert_eq!(text, "She walked to the door.");

        // What follows is told the whole text.
        world.says(freya(), &tale, "And then?").await;
        let call = script.call().await;
        assert!(call.request.turns.iter().any(|turn| turn.text() == "She walked to the door."));
        call.tell("It creaked.").await;
    })
    .await;
}

#[tokio::test]
async fn where_not_a_word_is_added_nothing_that_was_shown_is_lost() {
    scripted_story(async |world, script| {
        let (tale, half) = cut(world, script).await;
        let reply = id(&goes_on(world, &half).await["reply"]);
        // It says what there is already, and no more: that is no word of its own.
        let mut reader =
            world.watch_reply(freya(), json!({ "id": reply, "channels": ["CONTENT"] }));
        script.call().await.fail(LlmErrorKind::Auth.into()).await;
        let end = reader.until_type("ReplyFailed").await["message"].clone();
        assert_eq!(end["status"], "FAILED");
        assert_eq!(end["content"], HALF);
        assert_eq!(end["generation"]["failure"]["code"], "AUTH");
        let refused = json!({ "messageId": reply });
        assert_eq!(world.denied(freya(), "continueReply", refused).await, "BAD_USER_INPUT");
        // Later prompts have the text.
        let next = world.says(freya(), &tale, "And then?").await;
        let call = script.call().await;
        assert!(call.request.turns.iter().any(|turn| turn.text() == HALF));
        call.tell("Silence.").await;
        world.ends(freya(), &id(&next["reply"])).await;

        let sent = json!({ "messageId": next["message"]["id"] });
        world.does(freya(), "deleteMessage", sent).await;
        world.does(freya(), "retryReply", json!({ "messageId": reply })).await;
        let call = script.call().await;
        assert_eq!(call.request.turns.last().unwrap().text(), GO_ON);
        let mut reader =
            world.watch_reply(freya(), json!({ "id": reply, "channels": ["CONTENT"] }));
        call.tell(" door.").await;
        let end = reader.until_type("ReplyFinished").await["message"].clone();
        assert_eq!(end["content"], "She walked to the door.");
        assert_eq!(end["generation"]["attempt"], 2);
    })
    .await;
}

#[tokio::test]
async fn only_what_was_cut_is_gone_on_from() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let turn = world.says(freya(), &tale, "Hi.").await;
        let (said, reply) = (id(&turn["message"]), id(&turn["reply"]));
        let refused = async |message: &str| {
            world.denied(freya(), "continueReply", json!({ "messageId": message })).await
        };
        let call = script.call().await;
        assert_eq!(refused(&reply).await, "REPLY_RUNNING");
        call.tell("Hello.").await;
        world.ends(freya(), &reply).await;
        for message in [&said, &reply, &tale.greeting] {
            assert_eq!(refused(message).await, "BAD_USER_INPUT");
        }
        // Stopped before its first word.
        let empty = id(&world
            .does(freya(), "regenerateReply", json!({ "messageId": reply }))
            .await["reply"]);
        let _call = script.call().await;
        world.does(freya(), "stopReply", json!({ "messageId": empty })).await;
        assert_eq!(refused(&empty).await, "BAD_USER_INPUT");
        let model = json!({ "messageId": empty, "modelId": "test/none" });
        assert_eq!(world.denied(freya(), "continueReply", model).await, "NOT_FOUND");
    })
    .await;
}

/// Has the offline storyteller cut a reply, and this provider's model write it on.
async fn written_on(world: &World, model: &str) -> (String, Value) {
    let tale = world.tale(freya()).await;
    let settings =
        json!({ "id": tale.session, "settings": { "storyModelId": "skald/offline:cut" } });
    world.does(freya(), "updateSession", settings).await;
    let (_, half) = world.talks(freya(), &tale, "Hi.").await;
    assert_eq!(half["status"], "INTERRUPTED");
    let input = json!({ "messageId": half["id"], "modelId": model });
    let reply = id(&world.does(freya(), "continueReply", input).await["reply"]);
    (half["content"].as_str().unwrap().to_owned(), world.ends(freya(), &reply).await)
}

#[tokio::test]
async fn servers_that_take_a_beginning_get_it_as_the_last_word() {
    for (server, profile, prefills) in [
        (Server::LlamaCpp, Profile::LlamaCpp, true),
        (Server::Vllm, Profile::Vllm, true),
        (Server::Plain, Profile::Generic, false),
    ] {
        let double = OpenAiDouble::start(server).await;
        double.says(" And so it went on.");
        let plan = || (world_of(vec![openai("f0", &double, profile)], "story"), ());
        story_with(plan, async |world, ()| {
            let (half, whole) = written_on(world, "f0/story").await;
            assert_eq!(whole["content"], format!("{half} And so it went on."), "{profile:?}");
            let call = double.next_call().await;
            let messages = call.json["messages"].as_array().unwrap();
            let last = messages.last().unwrap();
            if prefills {
                assert_eq!(last, &json!({ "role": "assistant", "content": half }));
                let flag = profile == Profile::Vllm;
                assert_eq!(call.json["continue_final_message"] == json!(true), flag);
                assert_eq!(call.json["chat_template_kwargs"]["enable_thinking"], false);
            } else {
                assert_eq!(last, &json!({ "role": "user", "content": GO_ON }));
                let before = &messages[messages.len() - 2];
                assert_eq!(before, &json!({ "role": "assistant", "content": half }));
            }
        })
        .await;
    }
}

#[tokio::test]
async fn gemini_gets_a_beginning_in_the_form_that_the_model_takes() {
    for (model, prefills) in [("gemini-3.5-flash", true), ("gemini-3.8-flash", false)] {
        let double = GeminiDouble::start().await;
        double.says(" And so it went on.");
        let plan = || (world_of(vec![gemini("f0", &double)], model), ());
        story_with(plan, async |world, ()| {
            let (half, whole) = written_on(world, &format!("f0/{model}")).await;
            assert_eq!(whole["content"], format!("{half} And so it went on."), "{model}");
            let call = double.next_call().await;
            let contents = call.json["contents"].as_array().unwrap();
            let said = |from_end: usize| &contents[contents.len() - from_end];
            let text = |content: &Value| content["parts"][0]["text"].as_str().unwrap().to_owned();
            let at = if prefills { 1 } else { 2 };
            assert_eq!((said(at)["role"].as_str(), text(said(at))), (Some("model"), half));
            if !prefills {
                assert_eq!((said(1)["role"].as_str(), text(said(1))), (Some("user"), GO_ON.into()));
            }
        })
        .await;
    }
}
