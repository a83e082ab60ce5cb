//! Two tabs on one story: who acts on an old picture is told, and shown the present one.

use serde_json::{Value, json};

use crate::{
    harness::{Tale, World, freya, id, scripted_story},
    script::Script,
};

/// A tale with one turn in it: the player's message and the reply.
async fn one_turn(world: &World, script: &Script) -> (Tale, String, String) {
    let tale = world.tale(freya()).await;
    let turn = world.says(freya(), &tale, "Hi.").await;
    let reply = id(&turn["reply"]);
    script.call().await.tell("Hello.").await;
    world.ends(freya(), &reply).await;
    (tale, id(&turn["message"]), reply)
}

fn with(mut input: Value, field: &str, value: Value) -> Value {
    input[field] = value;
    input
}

#[tokio::test]
async fn whatever_moves_the_head_can_expect_it_somewhere() {
    scripted_story(async |world, script| {
        let (tale, said, reply) = one_turn(world, script).await;
        let narrator = json!({ "narrator": { "task": "SCENE" } });
        let deleted = id(&world
            .does(freya(), "editMessage", json!({ "messageId": said, "content": "Ho." }))
            .await["message"]);
        world.does(freya(), "deleteMessage", json!({ "messageId": deleted })).await;
        world.does(freya(), "selectMessage", json!({ "messageId": reply })).await;
        let acts = [
            ("sendMessage", json!({ "sessionId": tale.session, "content": "And?" }), None),
            ("requestReply", json!({ "sessionId": tale.session, "speaker": narrator }), None),
            ("impersonate", json!({ "sessionId": tale.session }), None),
            ("regenerateReply", json!({ "messageId": reply }), Some(&reply)),
            ("editMessage", json!({ "messageId": said, "content": "Hey." }), Some(&said)),
            ("restoreMessage", json!({ "messageId": deleted }), Some(&deleted)),
            ("selectMessage", json!({ "messageId": said }), Some(&said)),
            ("deleteMessage", json!({ "messageId": reply }), Some(&reply)),
        ];
        let before = world.rows().await;
        for (name, input, message) in &acts {
            let input = with(input.clone(), "expectedHeadId", tale.greeting.clone().into());
            let payload = world.try_to(freya(), name, input).await;
            let error = &payload["errors"][0];
            assert_eq!(error["code"], "CONFLICT", "{name}");
            assert_eq!(error["path"], json!(["input", "expectedHeadId"]), "{name}");
            assert_eq!(payload["session"]["head"]["id"], json!(reply), "{name}");
            assert_eq!(payload["session"]["id"], json!(tale.session), "{name}");
            assert_eq!(payload["message"]["id"], json!(message), "{name}");
        }
        assert_eq!(world.rows().await, before);
        for (name, input, _) in acts {
            let head = world.session(freya(), &tale.session).await["head"]["id"].clone();
            world.does(freya(), name, with(input, "expectedHeadId", head)).await;
            for running in world.app.replies.all() {
                script.call().await.tell("Well.").await;
                world.ends(freya(), &running.message_id.to_string()).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_sent_again_does_not_mind_that_its_own_turn_moved_the_head() {
    scripted_story(async |world, script| {
        let (tale, _, reply) = one_turn(world, script).await;
        let input = json!({ "sessionId": tale.session, "content": "And?", "expectedHeadId": reply,
            "clientRequestId": "once" });
        let first = world.does(freya(), "sendMessage", input.clone()).await;
        let again = world.does(freya(), "sendMessage", input.clone()).await;
        assert_eq!(id(&again["message"]), id(&first["message"]));
        assert_eq!(id(&again["reply"]), id(&first["reply"]));
        // The refused request used nothing up: mended, it may come under the same id.
        let stale = json!({ "sessionId": tale.session, "content": "So?", "expectedHeadId": reply,
            "clientRequestId": "late" });
        assert_eq!(world.denied(freya(), "sendMessage", stale.clone()).await, "CONFLICT");
        script.call().await.tell("Well.").await;
        world.ends(freya(), &id(&first["reply"])).await;
        let mended = with(stale, "expectedHeadId", first["reply"]["id"].clone());
        world.does(freya(), "sendMessage", mended).await;
    })
    .await;
}

#[tokio::test]
async fn a_stale_edit_shows_what_the_text_is_now() {
    scripted_story(async |world, script| {
        let (tale, said, _) = one_turn(world, script).await;
        let edit = json!({ "messageId": said, "content": "Hi!", "mode": "IN_PLACE",
            "expectedRevision": 1 });
        world.does(freya(), "editMessage", edit.clone()).await;
        let payload =
            world.try_to(freya(), "editMessage", with(edit, "content", "Ho!".into())).await;
        assert_eq!(payload["errors"][0]["path"], json!(["input", "expectedRevision"]));
        assert_eq!(payload["message"]["content"], "Hi!");
        assert_eq!(payload["message"]["revision"], 2);
        assert_eq!(payload["session"]["id"], json!(tale.session));
    })
    .await;
}

#[tokio::test]
async fn a_stale_setting_shows_the_present_ones() {
    scripted_story(async |world, _| {
        let tale = world.tale(freya()).await;
        for (name, noun, id, field) in [
            ("updateSession", "session", &tale.session, "title"),
            ("updatePersona", "persona", &tale.persona, "name"),
            ("updateCharacter", "character", &tale.character, "name"),
        ] {
            let input = json!({ "id": id, field: "First", "expectedVersion": 1 });
            world.does(freya(), name, input.clone()).await;
            let payload = world.try_to(freya(), name, with(input, field, "Second".into())).await;
            assert_eq!(payload["errors"][0]["code"], "CONFLICT", "{name}");
            assert_eq!(payload[noun][field], "First", "{name}");
            assert_eq!(payload[noun]["version"], 2, "{name}");
            // Any other refusal shows nothing.
            let wrong = json!({ "id": id, field: "a".repeat(1000) });
            let payload = world.try_to(freya(), name, wrong).await;
            assert_eq!(payload["errors"][0]["code"], "TOO_LONG", "{name}");
            assert_eq!(payload[noun], Value::Null, "{name}");
        }
    })
    .await;
}
