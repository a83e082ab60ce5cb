//! A model writes the player's message, as the persona; the story waits for it.

use serde_json::{Value, json};
use skald_core::llm::openai::Profile;
use skald_doubles::{OpenAiDouble, Profile as Server};

use crate::{
    harness::{bjorn, freya, id, scripted_story, story, story_with},
    import::{document, import},
    providers::{openai, world_of},
};

#[tokio::test]
async fn a_player_has_their_own_message_written() {
    scripted_story(async |world, script| {
        let persona = world.persona(freya(), "Astrid").await;
        let greeting = json!({ "name": "Mira", "greeting": "Mira looks up." });
        let mira = world.character(freya(), greeting).await;
        let odd = world.character(freya(), json!({ "name": "Odd" })).await;
        for (language, voice, asked) in [
            ("en", "FIRST", "asks you for Astrid's own next message"),
            ("ru", "SECOND", "герой игрока — «ты»"),
        ] {
            let input = json!({ "personaId": persona, "characterIds": [mira, odd],
                "language": language, "narrativeVoice": voice });
            let session = world.does(freya(), "createSession", input).await["session"].clone();
            let head = session["head"]["id"].clone();
            let input = json!({ "sessionId": session["id"], "expectedHeadId": head,
                "instruction": "Ask for a room.", "clientRequestId": format!("as-{language}") });
            let turn = world.does(freya(), "impersonate", input.clone()).await;
            let again = world.does(freya(), "impersonate", input).await;
            let mine = id(&turn["reply"]);
            assert_eq!(id(&again["reply"]), mine);
            assert_eq!(turn["message"], Value::Null);
            assert_eq!(turn["session"]["head"]["id"], mine.as_str());
            let call = script.call().await;
            assert_eq!(call.request.stop, ["\nMira:", "\nOdd:"]);
            assert!(call.request.story.writes_player);
            let last = call.request.turns.last().unwrap().text();
            assert!(last.contains(asked) && last.contains("[Ask for a room.]"), "{last}");
            call.tell("“A room, please.”").await;
            let message = world.ends(freya(), &mine).await;
            assert_eq!(message["role"], "PLAYER");
            assert_eq!(message["author"]["name"], "Astrid");
            assert_eq!(message["author"]["persona"]["id"], persona.as_str());
            assert_ne!(message["author"]["user"], Value::Null);
            assert!(world.app.replies.is_idle(), "nobody answers by themselves");

            // It can be swiped like any reply, and is the player's in the prompts that follow.
            let swipe = world.does(freya(), "regenerateReply", json!({ "messageId": mine })).await;
            let call = script.call().await;
            assert!(call.request.story.writes_player);
            call.tell("“Anything free?”").await;
            let swipe = world.ends(freya(), &id(&swipe["reply"])).await;
            assert_eq!(swipe["role"], "PLAYER");
            assert_eq!(swipe["position"], 1);
            let ask = json!({ "sessionId": session["id"], "speaker": { "characterId": mira } });
            let reply = world.does(freya(), "requestReply", ask).await;
            let call = script.call().await;
            assert_eq!(call.request.stop, ["\nAstrid:"]);
            let said = call.request.turns.last().unwrap();
            assert!(said.blocks.contains(&"“Anything free?”".to_owned()), "{said:?}");
            call.tell("Mira nods.").await;
            world.ends(freya(), &id(&reply["reply"])).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_player_wrote_by_hand_is_not_written_again() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let turn = world.says(freya(), &tale, "Hi.").await;
        script.call().await.tell("Hello.").await;
        world.ends(freya(), &id(&turn["reply"])).await;
        let mine = json!({ "messageId": turn["message"]["id"] });
        assert_eq!(world.denied(freya(), "regenerateReply", mine).await, "BAD_USER_INPUT");
        for (field, value, code) in [
            ("parentId", json!("message_01h455vb4pex5vsknk084sn02q"), "NOT_FOUND"),
            ("modelId", json!("test/none"), "NOT_FOUND"),
            ("instruction", json!("a".repeat(16 * 1024 + 1)), "TOO_LONG"),
            ("expectedHeadId", json!(tale.greeting), "CONFLICT"),
            ("messageId", turn["reply"]["id"].clone(), "CONFLICT"),
        ] {
            let mut input = json!({ "sessionId": tale.session });
            input[field] = value;
            assert_eq!(world.denied(freya(), "impersonate", input).await, code, "{field}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_offline_storyteller_writes_a_deed_and_a_line() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        for (language, voice, begins) in [("en", "THIRD", "Astrid"), ("ru", "FIRST", "— ")] {
            let settings =
                json!({ "id": tale.session, "language": language, "narrativeVoice": voice });
            world.does(freya(), "updateSession", settings).await;
            let input = json!({ "sessionId": tale.session });
            let turn = world.does(freya(), "impersonate", input).await;
            let message = world.ends(freya(), &id(&turn["reply"])).await;
            assert_eq!(message["status"], "COMPLETE");
            let text = message["content"].as_str().unwrap();
            assert!(text.contains(begins) && text.contains("\n\n"), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_stopped_is_gone_on_from_as_the_player() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let input = json!({ "sessionId": tale.session });
        let half = id(&world.does(freya(), "impersonate", input.clone()).await["reply"]);
        let call = script.call().await;
        let below = world.try_to(freya(), "impersonate", input).await;
        assert_eq!(below["errors"][0]["code"], "REPLY_RUNNING");
        assert_eq!(below["errors"][0]["path"], json!(["input", "parentId"]));
        let mut events = world.watch_reply(freya(), json!({ "id": half }));
        call.say("I walk to the").await;
        events.until(|event| event["text"] == "I walk to the").await;
        let stopped = world.does(freya(), "stopReply", json!({ "messageId": half })).await;
        assert_eq!(stopped["reply"]["status"], "STOPPED");
        let whole = world.does(freya(), "continueReply", json!({ "messageId": half })).await;
        let call = script.call().await;
        assert!(call.request.story.writes_player);
        call.tell(" door.").await;
        let whole = world.ends(freya(), &id(&whole["reply"])).await;
        assert_eq!(whole["content"], "I walk to the door.");
        assert_eq!(whole["role"], "PLAYER");
        assert_eq!(whole["author"]["persona"]["id"], tale.persona.as_str());
        assert!(world.app.replies.is_idle());
    })
    .await;
}

#[tokio::test]
async fn a_document_and_a_fork_know_that_a_model_wrote_it() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let input = json!({ "sessionId": tale.session, "instruction": "Ask." });
        let mine = id(&world.does(freya(), "impersonate", input).await["reply"]);
        world.ends(freya(), &mine).await;
        let first = document(world, freya(), &tale.session).await;
        let moved = import(world, bjorn(), &first).await["session"].clone();
        assert_eq!(document(world, bjorn(), &id(&moved)).await, first);
        let input = json!({ "sessionId": tale.session, "messageId": mine, "scope": "PATH" });
        let fork = world.does(freya(), "forkSession", input).await["session"].clone();
        for (who, session) in [(bjorn(), moved), (freya(), fork)] {
            let swipe = json!({ "messageId": session["head"]["id"] });
            let swipe = world.does(who, "regenerateReply", swipe).await;
            let swipe = world.ends(who, &id(&swipe["reply"])).await;
            assert_eq!((&swipe["role"], &swipe["status"]), (&json!("PLAYER"), &json!("COMPLETE")));
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_is_asked_for_the_player_and_told_where_to_stop() {
    let double = OpenAiDouble::start(Server::Plain).await;
    double.says("“Is there room?”");
    let plan = || (world_of(vec![openai("f0", &double, Profile::Generic)], "story"), ());
    story_with(plan, async |world, ()| {
        let tale = world.tale(freya()).await;
        let name = world.message(freya(), &tale.greeting).await["author"]["name"].clone();
        let input = json!({ "sessionId": tale.session });
        let mine = id(&world.does(freya(), "impersonate", input).await["reply"]);
        assert_eq!(world.ends(freya(), &mine).await["content"], "“Is there room?”");
        let call = double.next_call().await;
        assert_eq!(call.json["stop"], json!([format!("\n{}:", name.as_str().unwrap())]));
        let last = call.json["messages"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["role"], "user");
        assert!(last["content"].as_str().unwrap().contains("own next message"), "{last}");
    })
    .await;
}
