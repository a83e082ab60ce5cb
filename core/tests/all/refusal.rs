//! Bad input: each with its typed error, and not a row the wiser.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    harness::{Tale, World, bjorn, freya, id, scripted_story, story},
    script::Script,
};

/// Ids that are what they seem, but of nothing.
fn unknown(kind: &str) -> String {
    format!("{kind}_01h455vb4pex5vsknk084sn02q")
}

/// A persona's, character's, session's and message's id that is no `UUIDv7`.
fn not_v7(kind: &str) -> String {
    format!("{kind}_00000000000000000000000001")
}

type Cases = Vec<(&'static str, Value, &'static str, &'static str)>;

/// Tries each, and looks whether anything changed.
async fn refused(world: &World, cases: Cases) {
    let before = world.rows().await;
    for (name, input, code, path) in cases {
        let payload = world.try_to(freya(), name, input.clone()).await;
        let shown = input.to_string().chars().take(300).collect::<String>();
        assert_eq!(payload["errors"].as_array().unwrap().len(), 1, "{name} {shown}");
        let error = &payload["errors"][0];
        assert_eq!(error["code"], code, "{name} {shown}: {error}");
        let at = error["path"].as_array().map_or(String::new(), |path| {
            path.iter().map(|part| part.as_str().unwrap()).collect::<Vec<_>>().join(".")
        });
        assert_eq!(at, path, "{name} {shown}: {error}");
        // Who acts on an old picture is shown the present one.
        let is_stale = path.starts_with("input.expected");
        for (field, value) in payload.as_object().unwrap() {
            assert!(is_stale || field == "errors" || value.is_null(), "{name} {shown}: {payload}");
        }
        assert_eq!(world.rows().await, before, "{name} {shown}");
    }
}

fn with(base: &Value, changes: Value) -> Value {
    let mut input = base.clone();
    for (field, value) in changes.as_object().unwrap() {
        input[field] = value.clone();
    }
    input
}

async fn two_tales(world: &World, script: &Script) -> (Tale, Tale, Value) {
    let (mine, theirs) = (world.tale(freya()).await, world.tale(bjorn()).await);
    let turn = world.says(freya(), &mine, "Hi.").await;
    script.call().await.tell("Hello.").await;
    world.ends(freya(), &id(&turn["reply"])).await;
    (mine, theirs, turn)
}

#[tokio::test]
async fn a_turn_that_cannot_be_is_not_begun() {
    scripted_story(async |world, script| {
        let (mine, theirs, turn) = two_tales(world, script).await;
        let other = world.tale_of(freya(), &mine.persona, &mine.character).await;
        let (said, reply) = (id(&turn["message"]), id(&turn["reply"]));
        let send = json!({ "sessionId": mine.session, "content": "Hi." });
        let long = "ё".repeat(33 * 1024);
        let mut cases: Cases = Vec::new();
        for (changes, code, path) in [
            (json!({ "sessionId": unknown("session") }), "NOT_FOUND", "input.sessionId"),
            (json!({ "sessionId": theirs.session }), "NOT_FOUND", "input.sessionId"),
            (json!({ "sessionId": mine.persona }), "BAD_USER_INPUT", "input.sessionId"),
            (json!({ "sessionId": "?" }), "BAD_USER_INPUT", "input.sessionId"),
            (json!({ "content": "" }), "BLANK", "input.content"),
            (json!({ "content": " \n\u{a0}" }), "BLANK", "input.content"),
            (json!({ "content": long }), "TOO_LONG", "input.content"),
            (json!({ "content": "a\0b" }), "BAD_USER_INPUT", "input.content"),
            (json!({ "parentId": other.greeting }), "NOT_FOUND", "input.parentId"),
            (json!({ "parentId": theirs.greeting }), "NOT_FOUND", "input.parentId"),
            (json!({ "parentId": unknown("message") }), "NOT_FOUND", "input.parentId"),
            (json!({ "speakerId": theirs.character }), "NOT_FOUND", "input.speakerId"),
            (json!({ "speakerId": mine.session }), "BAD_USER_INPUT", "input.speakerId"),
            (json!({ "messageId": not_v7("message") }), "BAD_USER_INPUT", "input.messageId"),
            (json!({ "replyId": not_v7("message") }), "BAD_USER_INPUT", "input.replyId"),
            (json!({ "messageId": reply }), "CONFLICT", ""),
            (json!({ "replyId": theirs.greeting }), "CONFLICT", ""),
            (
                json!({ "messageId": unknown("message"), "replyId": unknown("message") }),
                "CONFLICT",
                "",
            ),
            (json!({ "clientRequestId": "" }), "BAD_USER_INPUT", "input.clientRequestId"),
            (json!({ "clientRequestId": "a b" }), "BAD_USER_INPUT", "input.clientRequestId"),
            (
                json!({ "clientRequestId": "a".repeat(101) }),
                "BAD_USER_INPUT",
                "input.clientRequestId",
            ),
        ] {
            cases.push(("sendMessage", with(&send, changes), code, path));
        }
        let narrator = json!({ "narrator": { "task": "SCENE" } });
        let request = json!({ "sessionId": mine.session, "speaker": narrator });
        for (changes, code, path) in [
            (json!({ "sessionId": theirs.session }), "NOT_FOUND", "input.sessionId"),
            (json!({ "parentId": theirs.greeting }), "NOT_FOUND", "input.parentId"),
            (
                json!({ "speaker": { "characterId": theirs.character } }),
                "NOT_FOUND",
                "input.speaker.characterId",
            ),
            (json!({ "instruction": "a".repeat(16 * 1024 + 1) }), "TOO_LONG", "input.instruction"),
            (json!({ "instruction": "\0" }), "BAD_USER_INPUT", "input.instruction"),
            (json!({ "replyId": said }), "CONFLICT", ""),
        ] {
            cases.push(("requestReply", with(&request, changes), code, path));
        }
        let swipe = json!({ "messageId": reply });
        for (changes, code, path) in [
            (json!({ "messageId": unknown("message") }), "NOT_FOUND", "input.messageId"),
            (json!({ "messageId": theirs.greeting }), "NOT_FOUND", "input.messageId"),
            (json!({ "messageId": said }), "BAD_USER_INPUT", "input.messageId"),
            (json!({ "modelId": "test/none" }), "NOT_FOUND", "input.modelId"),
            (json!({ "temperature": 2.5 }), "BAD_USER_INPUT", "input.temperature"),
            (json!({ "temperature": -1 }), "BAD_USER_INPUT", "input.temperature"),
            (json!({ "replyId": reply }), "CONFLICT", ""),
        ] {
            cases.push(("regenerateReply", with(&swipe, changes), code, path));
        }
        cases.extend([
            ("stopReply", json!({ "messageId": theirs.greeting }), "NOT_FOUND", "input.messageId"),
            (
                "stopReply",
                json!({ "messageId": unknown("message") }),
                "NOT_FOUND",
                "input.messageId",
            ),
        ]);
        refused(world, cases).await;
    })
    .await;
}

#[tokio::test]
async fn a_tree_is_not_changed_by_what_does_not_fit() {
    scripted_story(async |world, script| {
        let (_, theirs, turn) = two_tales(world, script).await;
        let (said, reply) = (id(&turn["message"]), id(&turn["reply"]));
        let edit = json!({ "messageId": said, "content": "Hi!" });
        let mut cases: Cases = Vec::new();
        for (changes, code, path) in [
            (json!({ "messageId": theirs.greeting }), "NOT_FOUND", "input.messageId"),
            (json!({ "messageId": unknown("message") }), "NOT_FOUND", "input.messageId"),
            (json!({ "content": "" }), "BLANK", "input.content"),
            (json!({ "content": "a".repeat(65 * 1024) }), "TOO_LONG", "input.content"),
            (json!({ "expectedRevision": 2 }), "CONFLICT", "input.expectedRevision"),
            (json!({ "mode": "IN_PLACE", "reply": true }), "BAD_USER_INPUT", "input.reply"),
            (json!({ "messageId": reply, "reply": true }), "BAD_USER_INPUT", "input.reply"),
            (json!({ "newMessageId": said }), "CONFLICT", ""),
            (json!({ "newMessageId": not_v7("message") }), "BAD_USER_INPUT", "input.newMessageId"),
            (json!({ "reply": true, "replyId": said }), "CONFLICT", ""),
        ] {
            cases.push(("editMessage", with(&edit, changes), code, path));
        }
        for name in ["selectMessage", "deleteMessage"] {
            for (input, code, path) in [
                (json!({ "messageId": theirs.greeting }), "NOT_FOUND", "input.messageId"),
                (json!({ "messageId": unknown("message") }), "NOT_FOUND", "input.messageId"),
                (json!({ "messageId": "x" }), "BAD_USER_INPUT", "input.messageId"),
                (
                    json!({ "messageId": said, "expectedHeadId": said }),
                    "CONFLICT",
                    "input.expectedHeadId",
                ),
            ] {
                cases.push((name, input, code, path));
            }
        }
        cases.extend([
            ("restoreMessage", json!({ "messageId": said }), "CONFLICT", "input.messageId"),
            (
                "hideMessage",
                json!({ "messageId": theirs.greeting, "hidden": true }),
                "NOT_FOUND",
                "input.messageId",
            ),
            ("bookmarkMessage", json!({ "messageId": said, "name": " " }), "BLANK", "input.name"),
            (
                "bookmarkMessage",
                json!({ "messageId": said, "name": "a".repeat(201) }),
                "TOO_LONG",
                "input.name",
            ),
            (
                "bookmarkMessage",
                json!({ "messageId": theirs.greeting, "name": "Here" }),
                "NOT_FOUND",
                "input.messageId",
            ),
            (
                "restoreRevision",
                json!({ "messageId": said, "revision": 1 }),
                "BAD_USER_INPUT",
                "input.revision",
            ),
            (
                "restoreRevision",
                json!({ "messageId": said, "revision": 7 }),
                "NOT_FOUND",
                "input.revision",
            ),
            (
                "restoreRevision",
                json!({ "messageId": said, "revision": 7, "expectedRevision": 2 }),
                "CONFLICT",
                "input.expectedRevision",
            ),
            (
                "restoreMessage",
                json!({ "messageId": theirs.greeting }),
                "NOT_FOUND",
                "input.messageId",
            ),
        ]);
        refused(world, cases).await;
        // What is expected and true is no obstacle.
        let delete = json!({ "messageId": said, "expectedHeadId": reply });
        world.does(freya(), "deleteMessage", delete).await;
    })
    .await;
}

#[tokio::test]
async fn a_card_that_does_not_fit_is_not_kept() {
    story(async |world| {
        let (mine, theirs) = (world.tale(freya()).await, world.tale(bjorn()).await);
        let mut cases: Cases = Vec::new();
        for name in ["createPersona", "createCharacter"] {
            let kind = if name == "createPersona" { "persona" } else { "character" };
            let taken = if kind == "persona" { &mine.persona } else { &theirs.character };
            for (input, code, path) in [
                (json!({ "name": "" }), "BLANK", "input.name"),
                (json!({ "name": "a".repeat(201) }), "TOO_LONG", "input.name"),
                (json!({ "name": "a\0" }), "BAD_USER_INPUT", "input.name"),
                (json!({ "name": "A", "tags": vec!["a"; 51] }), "TOO_LONG", "input.tags"),
                (json!({ "name": "A", "tags": ["a\0"] }), "BAD_USER_INPUT", "input.tags"),
                (json!({ "name": "A", "tags": [" "] }), "BLANK", "input.tags"),
                (json!({ "name": "A", "tags": ["a".repeat(101)] }), "TOO_LONG", "input.tags"),
                (json!({ "name": "A", "fandom": "\0" }), "BAD_USER_INPUT", "input.fandom"),
                (
                    json!({ "name": "A", "description": "a".repeat(65_537) }),
                    "TOO_LONG",
                    "input.description",
                ),
                (json!({ "name": "A", "id": not_v7(kind) }), "BAD_USER_INPUT", "input.id"),
                (json!({ "name": "A", "id": mine.session }), "BAD_USER_INPUT", "input.id"),
                (json!({ "name": "A", "id": taken }), "CONFLICT", ""),
            ] {
                cases.push((name, input, code, path));
            }
        }
        let greetings = vec!["Hi."; 51];
        cases.extend([
            (
                "createCharacter",
                json!({ "name": "A", "alternateGreetings": greetings }),
                "TOO_LONG",
                "input.alternateGreetings",
            ),
            (
                "createCharacter",
                json!({ "name": "A", "alternateGreetings": [""] }),
                "BLANK",
                "input.alternateGreetings",
            ),
            (
                "updatePersona",
                json!({ "id": mine.persona, "expectedVersion": 2 }),
                "CONFLICT",
                "input.expectedVersion",
            ),
            ("updatePersona", json!({ "id": mine.persona, "name": "" }), "BLANK", "input.name"),
            ("updatePersona", json!({ "id": theirs.persona }), "NOT_FOUND", "input.id"),
            (
                "updateCharacter",
                json!({ "id": mine.character, "expectedVersion": 0 }),
                "CONFLICT",
                "input.expectedVersion",
            ),
            ("updateCharacter", json!({ "id": theirs.character }), "NOT_FOUND", "input.id"),
            ("deleteCharacter", json!({ "id": theirs.character }), "NOT_FOUND", "input.id"),
            ("deletePersona", json!({ "id": theirs.persona }), "NOT_FOUND", "input.id"),
            ("deletePersona", json!({ "id": mine.character }), "BAD_USER_INPUT", "input.id"),
        ]);
        let create = json!({ "personaId": mine.persona, "characterIds": [mine.character] });
        for (changes, code, path) in [
            (json!({ "characterIds": [] }), "BLANK", "input.characterIds"),
            (json!({ "characterIds": vec![&mine.character; 9] }), "TOO_LONG", "input.characterIds"),
            (json!({ "characterIds": [unknown("character")] }), "NOT_FOUND", "input.characterIds"),
            (json!({ "characterIds": [theirs.character] }), "NOT_FOUND", "input.characterIds"),
            (json!({ "characterIds": [mine.persona] }), "BAD_USER_INPUT", "input.characterIds"),
            (json!({ "personaId": theirs.persona }), "NOT_FOUND", "input.personaId"),
            (json!({ "language": "x y" }), "BAD_USER_INPUT", "input.language"),
            (json!({ "title": "a".repeat(501) }), "TOO_LONG", "input.title"),
            (json!({ "relationship": "\0" }), "BAD_USER_INPUT", "input.relationship"),
            (
                json!({ "settings": { "storyModelId": "?" } }),
                "NOT_FOUND",
                "input.settings.storyModelId",
            ),
            (
                json!({ "settings": { "supervisorModelId": "?" } }),
                "NOT_FOUND",
                "input.settings.supervisorModelId",
            ),
            (
                json!({ "settings": { "fallbackModelId": "?" } }),
                "NOT_FOUND",
                "input.settings.fallbackModelId",
            ),
            (
                json!({ "settings": { "style": { "atmosphere": "a".repeat(2_001) } } }),
                "TOO_LONG",
                "input.settings.style.atmosphere",
            ),
            (
                json!({ "settings": { "style": { "instruction": "a".repeat(16 * 1024 + 1) } } }),
                "TOO_LONG",
                "input.settings.style.instruction",
            ),
            (
                json!({ "settings": { "style": { "instruction": "\0" } } }),
                "BAD_USER_INPUT",
                "input.settings.style.instruction",
            ),
            (json!({ "id": not_v7("session") }), "BAD_USER_INPUT", "input.id"),
            (json!({ "id": theirs.session }), "CONFLICT", ""),
        ] {
            cases.push(("createSession", with(&create, changes), code, path));
        }
        let session = json!({ "id": mine.session });
        for (changes, code, path) in [
            (json!({ "id": theirs.session }), "NOT_FOUND", "input.id"),
            (json!({ "expectedVersion": 9 }), "CONFLICT", "input.expectedVersion"),
            (json!({ "personaId": theirs.persona }), "NOT_FOUND", "input.personaId"),
            (json!({ "language": "" }), "BAD_USER_INPUT", "input.language"),
            (
                json!({ "settings": { "storyModelId": "?" } }),
                "NOT_FOUND",
                "input.settings.storyModelId",
            ),
            (
                json!({ "settings": { "supervisorModelId": "?" } }),
                "NOT_FOUND",
                "input.settings.supervisorModelId",
            ),
            (
                json!({ "settings": { "fallbackModelId": "?" } }),
                "NOT_FOUND",
                "input.settings.fallbackModelId",
            ),
            (
                json!({ "settings": { "style": { "atmosphere": "a".repeat(2_001) } } }),
                "TOO_LONG",
                "input.settings.style.atmosphere",
            ),
            (
                json!({ "settings": { "style": { "instruction": "a".repeat(16 * 1024 + 1) } } }),
                "TOO_LONG",
                "input.settings.style.instruction",
            ),
            (
                json!({ "settings": { "style": { "instruction": "\0" } } }),
                "BAD_USER_INPUT",
                "input.settings.style.instruction",
            ),
        ] {
            cases.push(("updateSession", with(&session, changes), code, path));
        }
        cases.extend([
            ("deleteSession", json!({ "id": theirs.session }), "NOT_FOUND", "input.id"),
            ("restoreSession", json!({ "id": theirs.session }), "NOT_FOUND", "input.id"),
        ]);
        refused(world, cases).await;
    })
    .await;
}

#[tokio::test]
async fn nobody_goes_on_below_a_reply_that_is_being_written() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Hi.").await["reply"]);
        let call = script.call().await;
        let edit = json!({ "messageId": reply, "content": "Mine.", "mode": "IN_PLACE" });
        let narrator = json!({ "narrator": { "task": "SCENE" } });
        refused(
            world,
            vec![
                (
                    "sendMessage",
                    json!({ "sessionId": tale.session, "content": "And?" }),
                    "REPLY_RUNNING",
                    "input.parentId",
                ),
                (
                    "requestReply",
                    json!({ "sessionId": tale.session, "speaker": narrator }),
                    "REPLY_RUNNING",
                    "input.parentId",
                ),
                ("editMessage", edit, "REPLY_RUNNING", "input.messageId"),
            ],
        )
        .await;
        // Beside it there is room for three more.
        let swipe = json!({ "messageId": reply });
        let swipes =
            join_all((0..3).map(|_| world.does(freya(), "regenerateReply", swipe.clone()))).await;
        refused(world, vec![("regenerateReply", swipe.clone(), "LIMIT_EXCEEDED", "")]).await;
        call.tell("Hello.").await;
        world.ends(freya(), &reply).await;
        world.does(freya(), "regenerateReply", swipe).await;
        for _ in 0..4 {
            script.call().await.tell("Hello!").await;
        }
        for swiped in swipes {
            assert_eq!(world.ends(freya(), &id(&swiped["reply"])).await["status"], "COMPLETE");
        }
    })
    .await;
}

#[tokio::test]
async fn one_player_has_so_many_replies_written_at_once() {
    scripted_story(async |world, script| {
        let persona = world.persona(freya(), "Astrid").await;
        let mira = world.character(freya(), json!({ "name": "Mira" })).await;
        let mut sessions = Vec::new();
        for _ in 0..10 {
            let input = json!({ "personaId": persona, "characterIds": [mira] });
            sessions.push(id(&world.does(freya(), "createSession", input).await["session"]));
        }
        let send = |session: &String| {
            let input = json!({ "sessionId": session, "content": "Hi." });
            world.try_to(freya(), "sendMessage", input)
        };
        let turns = join_all(sessions.iter().map(send)).await;
        let refused = turns.iter().filter(|turn| turn["errors"][0]["code"] == "LIMIT_EXCEEDED");
        assert_eq!(refused.count(), 2);
        assert_eq!(world.count("SELECT count(*) FROM reply").await, 8);
        for _ in 0..8 {
            script.call().await.tell("Hello.").await;
        }
        for turn in turns.iter().filter(|turn| turn["errors"] == json!([])) {
            world.ends(freya(), &id(&turn["reply"])).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_request_twice_does_what_it_did_once() {
    scripted_story(async |world, script| {
        let (mine, _, turn) = two_tales(world, script).await;
        let said = id(&turn["message"]);
        let narrator = json!({ "narrator": { "task": "SCENE" } });
        let mut replies = 0;
        for (name, noun, input, other) in [
            ("createPersona", "persona", json!({ "name": "Hild" }), json!({ "name": "Hilda" })),
            ("createCharacter", "character", json!({ "name": "Odd" }), json!({ "name": "Ode" })),
            (
                "createSession",
                "session",
                json!({ "characterIds": [mine.character] }),
                json!({ "characterIds": [mine.character, mine.character] }),
            ),
            (
                "sendMessage",
                "message",
                json!({ "sessionId": mine.session, "content": "Hi.", "parentId": mine.greeting }),
                json!({ "sessionId": mine.session, "content": "Ho.", "parentId": mine.greeting }),
            ),
            (
                "requestReply",
                "reply",
                json!({ "sessionId": mine.session, "speaker": narrator, "parentId": said }),
                json!({ "sessionId": mine.session, "speaker": narrator, "parentId": mine.greeting }),
            ),
            (
                "regenerateReply",
                "reply",
                json!({ "messageId": mine.greeting }),
                json!({ "messageId": mine.greeting, "temperature": 1.0 }),
            ),
            (
                "editMessage",
                "message",
                json!({ "messageId": said, "content": "Ha!", "mode": "SIBLING" }),
                json!({ "messageId": said, "content": "Ha!", "mode": "IN_PLACE" }),
            ),
            (
                "editMessage",
                "message",
                json!({ "messageId": said, "content": "Ho!", "mode": "IN_PLACE" }),
                json!({ "messageId": said, "content": "Hu!", "mode": "IN_PLACE" }),
            ),
        ] {
            let request = json!({ "clientRequestId": world.request_id() });
            let input = with(&input, request.clone());
            // Ten at once, as an impatient client sends them, make one.
            let made =
                join_all((0..10).map(|_| world.does(freya(), name, input.clone()))).await;
            let rows = world.rows().await;
            for again in &made {
                assert_eq!(again[noun]["id"], made[0][noun]["id"], "{name}");
                assert_eq!(again["reply"]["id"], made[0]["reply"]["id"], "{name}");
            }
            let later = world.does(freya(), name, input).await;
            assert_eq!(later[noun]["id"], made[0][noun]["id"], "{name}");
            let other = world.denied(freya(), name, with(&other, request)).await;
            assert_eq!(other, "CONFLICT", "{name}");
            assert_eq!(world.rows().await, rows, "{name}");
            if made[0].get("reply").is_some_and(|reply| !reply.is_null()) {
                replies += 1;
                script.call().await.tell("Well.").await;
                world.ends(freya(), &id(&made[0]["reply"])).await;
            }
        }
        assert_eq!(replies, 3);
        // Another player's request ids are another player's.
        let request = json!({ "name": "Ulf", "clientRequestId": "mine" });
        world.does(freya(), "createPersona", request.clone()).await;
        world.does(bjorn(), "createPersona", with(&request, json!({ "name": "Orm" }))).await;
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_is_answered_though_the_world_has_changed() {
    scripted_story(async |world, script| {
        let (mine, _, _) = two_tales(world, script).await;
        let create = json!({ "personaId": mine.persona, "characterIds": [mine.character],
            "clientRequestId": "begin" });
        let first = world.does(freya(), "createSession", create.clone()).await;
        world.does(freya(), "deletePersona", json!({ "id": mine.persona })).await;
        world.does(freya(), "deleteCharacter", json!({ "id": mine.character })).await;
        let again = world.does(freya(), "createSession", create).await;
        assert_eq!(again["session"]["id"], first["session"]["id"]);
    })
    .await;
}

#[tokio::test]
async fn ids_that_clients_make_are_the_ids() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let message = "message_01h455vb4pex5vsknk084sn02q";
        let reply = "message_01h455vb4pex5vsknk084sn02r";
        let input = json!({ "sessionId": tale.session, "content": "Hi.", "messageId": message,
            "replyId": reply });
        let turn = world.does(freya(), "sendMessage", input).await;
        assert_eq!((id(&turn["message"]), id(&turn["reply"])), (message.into(), reply.into()));
        script.call().await.tell("Hello.").await;
        for (name, kind) in [("createPersona", "persona"), ("createCharacter", "character")] {
            let wanted = unknown(kind);
            let made = world.does(freya(), name, json!({ "name": "A", "id": wanted })).await;
            assert_eq!(id(&made[kind]), wanted);
        }
        world.ends(freya(), reply).await;
    })
    .await;
}

#[tokio::test]
async fn queries_say_what_is_wrong_with_their_arguments() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        for (query, code) in [
            ("{ persona(id: \"?\") { id } }", "BAD_USER_INPUT"),
            ("{ character(id: \"persona_01h455vb4pex5vsknk084sn02q\") { id } }", "BAD_USER_INPUT"),
            ("{ session(id: \"session_81h455vb4pex5vsknk084sn02q\") { id } }", "BAD_USER_INPUT"),
            ("{ message(id: \"\") { id } }", "BAD_USER_INPUT"),
            ("{ node(id: \"ship_01h455vb4pex5vsknk084sn02q\") { id } }", "BAD_USER_INPUT"),
            ("{ nodes(ids: [\"?\"]) { id } }", "BAD_USER_INPUT"),
            ("{ sessions(first: 101) { nodes { id } } }", "BAD_USER_INPUT"),
            ("{ sessions(first: -1) { nodes { id } } }", "BAD_USER_INPUT"),
            ("{ sessions(after: \"x\") { nodes { id } } }", "BAD_USER_INPUT"),
            (
                "{ personas(after: \"1~session_01h455vb4pex5vsknk084sn02q\") { nodes { id } } }",
                "BAD_USER_INPUT",
            ),
            (
                "{ characters(after: \"999999999999999999999~\") { nodes { id } } }",
                "BAD_USER_INPUT",
            ),
        ] {
            assert_eq!(world.refusal(freya(), query, json!({})).await, code, "{query}");
        }
        let many: Vec<String> = vec![tale.persona; 101];
        let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        assert_eq!(world.refusal(freya(), nodes, json!({ "ids": many })).await, "BAD_USER_INPUT");
        let query = "query($id: ID!) { message(id: $id) { children(after: \"nothing\") {
            nodes { id } } } }";
        let code = world.refusal(freya(), query, json!({ "id": tale.greeting })).await;
        assert_eq!(code, "BAD_USER_INPUT");
    })
    .await;
}
