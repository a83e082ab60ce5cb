//! Playing: from the first greeting through swipes, edits and deletions.

use serde_json::{Value, json};

use crate::{
    harness::{Tale, World, freya, id, ids, scripted_story, story},
    script::{MODEL, Script},
};

#[tokio::test]
async fn a_story_begins_with_its_greetings() {
    story(async |world| {
        let persona = world.persona(freya(), "Astrid").await;
        let card = json!({ "name": "Mira", "greeting": "{{char}} greets {{user}}.",
            "alternateGreetings": ["<BOT> waits for <USER>.", "Nobody."],
            "avatarUrl": "https://example.org/mira.png" });
        let character = world.character(freya(), card).await;
        let tale = world.tale_of(freya(), &persona, &character).await;
        let greeting = world.message(freya(), &tale.greeting).await;
        assert_eq!(greeting["content"], "Mira greets Astrid.");
        assert_eq!(greeting["author"]["name"], "Mira");
        assert_eq!(greeting["author"]["avatarUrl"], "https://example.org/mira.png");
        assert_eq!(greeting["author"]["character"]["id"], character.as_str());
        assert_eq!(greeting["role"], "CHARACTER");
        assert_eq!(greeting["status"], "COMPLETE");
        assert_eq!(greeting["generation"], Value::Null);
        assert_eq!(greeting["alternatives"]["count"], 3);
        let all = &greeting["alternatives"]["messageIds"];
        for (position, text) in
            ["Mira greets Astrid.", "Mira waits for Astrid.", "Nobody."].iter().enumerate()
        {
            let message = world.message(freya(), all[position].as_str().unwrap()).await;
            assert_eq!(message["content"], *text);
            assert_eq!(message["position"], position);
            assert_eq!(message["parentId"], Value::Null);
            assert_eq!(message["alternatives"]["id"], greeting["alternatives"]["id"]);
        }
        let third = all[2].as_str().unwrap();
        let selected = world.does(freya(), "selectMessage", json!({ "messageId": third })).await;
        assert_eq!(selected["session"]["head"]["id"], third);
        let (said, reply) = world.talks(freya(), &tale, "Hello?").await;
        assert_eq!(said["parentId"], third);
        assert_eq!(reply["depth"], 2);
        assert_eq!(world.path(freya(), &tale, None).await, [third, &id(&said), &id(&reply)]);
        let back = json!({ "messageId": tale.greeting });
        world.does(freya(), "selectMessage", back).await;
        assert_eq!(world.path(freya(), &tale, None).await, [tale.greeting.as_str()]);
        let forth = json!({ "messageId": third });
        let session = world.does(freya(), "selectMessage", forth).await["session"].clone();
        assert_eq!(session["head"]["id"], reply["id"]);
    })
    .await;
}

#[tokio::test]
async fn a_message_is_answered_while_the_client_watches() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let turn = world.says(freya(), &tale, "Is anybody there?").await;
        let (said, reply) = (&turn["message"], &turn["reply"]);
        assert_eq!(said["status"], "COMPLETE");
        assert_eq!(said["author"]["name"], "Astrid");
        assert_eq!(said["author"]["persona"]["id"], tale.persona.as_str());
        let author = "query($id: ID!) { message(id: $id) { author { user { id } } } }";
        let writer = async |id: &Value| {
            let message = world.ask(freya(), author, json!({ "id": id })).await;
            message["author"]["user"]["id"].clone()
        };
        assert_eq!(writer(&said["id"]).await, freya().id().unwrap().to_string());
        assert_eq!(writer(&reply["id"]).await, Value::Null);
        assert_eq!(reply["status"], "PENDING");
        assert_eq!(reply["content"], "");
        assert_eq!(reply["parentId"], said["id"]);
        assert_eq!(reply["generation"]["model"], MODEL);
        assert_eq!(reply["generation"]["usage"], Value::Null);
        assert_eq!(turn["session"]["head"]["id"], reply["id"]);

        let call = script.call().await;
        assert_eq!(call.request.story.last_line, "Is anybody there?");
        let mut events = world.watch_reply(freya(), json!({ "id": id(reply) }));
        let stage = events.next().await.unwrap();
        assert_eq!(stage["stage"], "WAITING");
        call.think("Кто там? ").await;
        let thought = events.next().await.unwrap();
        assert_eq!(thought["channel"], "THOUGHT");
        assert_eq!(thought["offset"], 0);
        let mut offset = 0;
        for piece in ["👋 Привет", ", путник ", "🧙‍♀️", "!"] {
            call.say(piece).await;
            let mut delta = events.next().await.unwrap();
            if offset == 0 {
                assert_eq!(delta["stage"], "WRITING");
                delta = events.next().await.unwrap();
            }
            assert_eq!(delta["__typename"], "ReplyDelta");
            assert_eq!(delta["channel"], "CONTENT");
            assert_eq!(delta["text"], piece);
            assert_eq!(delta["offset"], offset);
            assert_eq!(delta["attempt"], 1);
            offset += piece.encode_utf16().count();
        }
        let half = world.message(freya(), &id(reply)).await;
        assert_eq!(half["status"], "WRITING");
        assert_eq!(half["content"], "👋 Привет, путник 🧙‍♀️!");
        assert_eq!(half["thought"], "Кто там? ");
        call.end().await;
        let end = events.next().await.unwrap();
        assert_eq!(end["__typename"], "ReplyFinished");
        assert_eq!(events.next().await, None);
        let message = &end["message"];
        assert_eq!(message["status"], "COMPLETE");
        assert_eq!(message["content"], "👋 Привет, путник 🧙‍♀️!");
        assert_eq!(message["thought"], "Кто там? ");
        assert_eq!(message["hasThought"], true);
        let generation = &message["generation"];
        assert_eq!(generation["finishReason"], "STOP");
        let usage = json!({ "prompt": 100, "cached": 10, "output": 20, "thought": 3 });
        assert_eq!(generation["usage"], usage);
        assert_eq!(*message, world.message(freya(), &id(reply)).await);
    })
    .await;
}

#[tokio::test]
async fn swipes_stand_side_by_side() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let turn = world.says(freya(), &tale, "Tell me a tale.").await;
        let first = id(&turn["reply"]);
        script.call().await.tell("Once.").await;
        world.ends(freya(), &first).await;
        let swipe = json!({ "messageId": first, "modelId": "test/other",
            "instruction": "Twice!", "temperature": 1.5 });
        let swiped = world.does(freya(), "regenerateReply", swipe).await;
        assert_eq!(swiped["message"], Value::Null);
        let second = id(&swiped["reply"]);
        assert_eq!(swiped["session"]["head"]["id"], second.as_str());
        let call = script.call().await;
        assert_eq!(call.request.model, "test/other");
        assert_eq!(call.request.options.temperature, Some(1.5));
        assert_eq!(call.request.story.instruction.as_deref(), Some("Twice!"));
        call.tell("Twice.").await;
        world.ends(freya(), &second).await;
        for (position, message) in [&first, &second].into_iter().enumerate() {
            let message = world.message(freya(), message).await;
            assert_eq!(message["position"], position);
            assert_eq!(message["alternatives"]["messageIds"], json!([first, second]));
            assert_eq!(message["parentId"], turn["message"]["id"]);
        }
        let back = world.does(freya(), "selectMessage", json!({ "messageId": first })).await;
        assert_eq!(back["session"]["head"]["id"], first.as_str());
        let onward = world.says(freya(), &tale, "Go on.").await;
        assert_eq!(onward["message"]["parentId"], first.as_str());
        script.call().await.tell("On it goes.").await;
        let third = world.ends(freya(), &id(&onward["reply"])).await;
        // Away and back: the head is where it was below the first.
        world.does(freya(), "selectMessage", json!({ "messageId": second })).await;
        let back = world.does(freya(), "selectMessage", json!({ "messageId": first })).await;
        assert_eq!(back["session"]["head"]["id"], third["id"]);
        let said = id(&turn["message"]);
        let path = world.path(freya(), &tale, Some(&second)).await;
        assert_eq!(path, [tale.greeting, said, second]);
    })
    .await;
}

#[tokio::test]
async fn a_greeting_can_be_swiped_too() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let swipe = json!({ "messageId": tale.greeting });
        let reply = id(&world.does(freya(), "regenerateReply", swipe).await["reply"]);
        script.call().await.tell("Another welcome.").await;
        let reply = world.ends(freya(), &reply).await;
        assert_eq!(reply["depth"], 0);
        assert_eq!(reply["position"], 1);
        assert_eq!(reply["alternatives"]["messageIds"], json!([tale.greeting, reply["id"]]));
    })
    .await;
}

#[tokio::test]
async fn a_stopped_reply_keeps_what_is_written() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
        let call = script.call().await;
        let mut events = world.watch_reply(freya(), json!({ "id": reply }));
        call.say("Half a ").await;
        events.until(|event| event["text"] == "Half a ").await;
        call.say("sentence").await;
        events.until(|event| event["text"] == "sentence").await;
        let stopped = world.does(freya(), "stopReply", json!({ "messageId": reply })).await;
        assert_eq!(stopped["reply"]["status"], "STOPPED");
        assert_eq!(stopped["reply"]["content"], "Half a sentence");
        assert_eq!(events.next().await.unwrap()["message"], stopped["reply"]);
        assert_eq!(events.next().await, None);
        call.dropped().await;
        let again = world.does(freya(), "stopReply", json!({ "messageId": reply })).await;
        assert_eq!(again["reply"], stopped["reply"]);
        let session = world.session(freya(), &tale.session).await;
        assert_eq!(session["runningReplies"], json!([]));
        // A stopped one can be gone on from.
        let onward = world.says(freya(), &tale, "And?").await;
        assert_eq!(onward["message"]["parentId"], reply.as_str());
        script.call().await.tell("And so on.").await;
    })
    .await;
}

#[tokio::test]
async fn the_narrator_and_the_cast_speak_when_asked() {
    scripted_story(async |world, script| {
        let persona = world.persona(freya(), "Astrid").await;
        let mira = world.character(freya(), json!({ "name": "Mira" })).await;
        let odd = world.character(freya(), json!({ "name": "Odd" })).await;
        let input = json!({ "personaId": persona, "characterIds": [mira, odd],
            "language": "ru", "title": "Ночь", "narrativeVoice": "FIRST" });
        let session = id(&world.does(freya(), "createSession", input).await["session"]);
        let head = world.session(freya(), &session).await["head"].clone();
        assert_eq!(head, Value::Null);
        for task in ["SCENE", "TRANSITION", "RECAP"] {
            let speaker = json!({ "narrator": { "task": task } });
            let input = json!({ "sessionId": session, "speaker": speaker });
            let reply = id(&world.does(freya(), "requestReply", input).await["reply"]);
            let call = script.call().await;
            let asked = format!("{:?}", call.request.story.task.unwrap()).to_uppercase();
            assert_eq!(asked, task);
            call.tell("Снег.").await;
            let reply = world.ends(freya(), &reply).await;
            assert_eq!(reply["role"], "NARRATOR");
            assert_eq!(reply["author"]["character"], Value::Null);
        }
        let speaker = json!({ "characterId": odd });
        let input = json!({ "sessionId": session, "speaker": speaker, "instruction": "Тихо." });
        let reply = id(&world.does(freya(), "requestReply", input).await["reply"]);
        let call = script.call().await;
        assert_eq!(call.request.story.speaker.as_deref(), Some("Odd"));
        assert_eq!(call.request.story.instruction.as_deref(), Some("Тихо."));
        call.tell("Тише!").await;
        assert_eq!(world.ends(freya(), &reply).await["author"]["character"]["id"], odd.as_str());
        // Who spoke last answers, unless somebody else is asked.
        let tale = Tale { session, persona, character: mira.clone(), greeting: String::new() };
        world.says(freya(), &tale, "Кто здесь?").await;
        let call = script.call().await;
        assert_eq!(call.request.story.speaker.as_deref(), Some("Odd"));
        call.tell("Я.").await;
        let running = world.session(freya(), &tale.session).await["runningReplies"].clone();
        for reply in ids(&running) {
            world.ends(freya(), &reply).await;
        }
        let input = json!({ "sessionId": tale.session, "content": "Мира?", "speakerId": mira });
        world.does(freya(), "sendMessage", input).await;
        let call = script.call().await;
        assert_eq!(call.request.story.speaker.as_deref(), Some("Mira"));
        call.tell("Да?").await;
    })
    .await;
}

/// greeting ← said ← reply
async fn one_turn(world: &World, script: &Script) -> (Tale, String, String) {
    let tale = world.tale(freya()).await;
    let turn = world.says(freya(), &tale, "What is in the celar?").await;
    script.call().await.tell("Nothing.").await;
    let reply = id(&turn["reply"]);
    world.ends(freya(), &reply).await;
    (tale, id(&turn["message"]), reply)
}

#[tokio::test]
async fn an_edit_as_a_sibling_loses_nothing() {
    scripted_story(async |world, script| {
        let (tale, said, reply) = one_turn(world, script).await;
        let edit = json!({ "messageId": said, "content": "What is in the cellar?",
            "mode": "SIBLING", "reply": true });
        let turn = world.does(freya(), "editMessage", edit).await;
        let edited = &turn["message"];
        assert_eq!(edited["editedFrom"]["id"], said.as_str());
        assert_eq!(edited["alternatives"]["messageIds"], json!([said, edited["id"]]));
        assert_eq!(edited["author"]["name"], "Astrid");
        assert_eq!(turn["reply"]["parentId"], edited["id"]);
        assert_eq!(turn["session"]["head"]["id"], turn["reply"]["id"]);
        let call = script.call().await;
        assert_eq!(call.request.story.last_line, "What is in the cellar?");
        call.tell("Wine.").await;
        world.ends(freya(), &id(&turn["reply"])).await;
        assert_eq!(world.message(freya(), &said).await["content"], "What is in the celar?");
        assert_eq!(world.message(freya(), &reply).await["content"], "Nothing.");

        // A reply is edited by hand, without a new one.
        let edit = json!({ "messageId": reply, "content": "A secret." });
        let turn = world.does(freya(), "editMessage", edit).await;
        assert_eq!(turn["reply"], Value::Null);
        assert_eq!(turn["message"]["role"], "CHARACTER");
        assert_eq!(turn["message"]["position"], 1);
        assert_eq!(turn["session"]["head"]["id"], turn["message"]["id"]);
        let path = world.path(freya(), &tale, None).await;
        assert_eq!(path, [tale.greeting, said, id(&turn["message"])]);
    })
    .await;
}

#[tokio::test]
async fn an_edit_in_place_keeps_the_old_text() {
    scripted_story(async |world, script| {
        let (tale, said, _) = one_turn(world, script).await;
        let head = world.session(freya(), &tale.session).await["head"].clone();
        let mut before = world.message(freya(), &said).await;
        for (revision, text) in [(2, "What is in the cellar?"), (3, "What's in the cellar?")] {
            let edit = json!({ "messageId": said, "content": text, "mode": "IN_PLACE",
                "expectedRevision": revision - 1 });
            let turn = world.does(freya(), "editMessage", edit).await;
            assert_eq!(turn["message"]["id"], said.as_str());
            assert_eq!(turn["message"]["content"], text);
            assert_eq!(turn["message"]["revision"], revision);
            let kept = turn["message"]["revisions"]["nodes"].as_array().unwrap();
            assert_eq!(kept.len(), revision - 1);
            assert_eq!(kept[revision - 2]["content"], before["content"]);
            before = turn["message"].clone();
        }
        assert_eq!(before["revisions"]["nodes"][0]["createdAt"], before["createdAt"]);
        assert_eq!(before["alternatives"]["count"], 1);
        assert_eq!(world.session(freya(), &tale.session).await["head"], head);
    })
    .await;
}

#[tokio::test]
async fn a_deletion_takes_the_subtree_and_can_be_undone() {
    scripted_story(async |world, script| {
        let (tale, said, reply) = one_turn(world, script).await;
        let turn = world.says(freya(), &tale, "Nothing at all?").await;
        let call = script.call().await;
        call.say("We").await;
        let (deeper, running) = (id(&turn["message"]), id(&turn["reply"]));
        let gone = world.does(freya(), "deleteMessage", json!({ "messageId": said })).await;
        assert_eq!(gone["session"]["head"]["id"], tale.greeting.as_str());
        assert!(gone["message"]["deletedAt"].is_string());
        call.dropped().await;
        assert_eq!(world.ends(freya(), &running).await["status"], "STOPPED");
        for message in [&said, &reply, &deeper, &running] {
            assert!(world.message(freya(), message).await["deletedAt"].is_string());
            let select = json!({ "messageId": message });
            assert_eq!(world.denied(freya(), "selectMessage", select).await, "NOT_FOUND");
        }
        assert_eq!(world.path(freya(), &tale, None).await, [tale.greeting.as_str()]);
        let back = world.does(freya(), "restoreMessage", json!({ "messageId": said })).await;
        assert_eq!(back["session"]["head"]["id"], running.as_str());
        let path = world.path(freya(), &tale, None).await;
        assert_eq!(path, [tale.greeting, said, reply, deeper, running]);
    })
    .await;
}

#[tokio::test]
async fn nested_deletions_are_undone_one_by_one() {
    scripted_story(async |world, script| {
        let (tale, said, reply) = one_turn(world, script).await;
        let delete = async |message: &str| {
            world.does(freya(), "deleteMessage", json!({ "messageId": message })).await
        };
        let restore = json!({ "messageId": reply });
        delete(&reply).await;
        delete(&said).await;
        assert_eq!(world.denied(freya(), "restoreMessage", restore.clone()).await, "CONFLICT");
        let back = world.does(freya(), "restoreMessage", json!({ "messageId": said })).await;
        assert_eq!(back["session"]["head"]["id"], said.as_str());
        assert!(world.message(freya(), &reply).await["deletedAt"].is_string());
        let back = world.does(freya(), "restoreMessage", restore.clone()).await;
        assert_eq!(back["session"]["head"]["id"], reply.as_str());
        assert_eq!(world.path(freya(), &tale, None).await, [tale.greeting, said, reply]);
        assert_eq!(world.denied(freya(), "restoreMessage", restore).await, "CONFLICT");
    })
    .await;
}

#[tokio::test]
async fn a_session_can_be_deleted_and_restored() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "Stay.").await["reply"]);
        let call = script.call().await;
        let list = "{ sessions { totalCount nodes { id } } }";
        assert_eq!(world.ask(freya(), list, json!({})).await["totalCount"], 1);
        let gone = world.does(freya(), "deleteSession", json!({ "id": tale.session })).await;
        assert!(gone["session"]["deletedAt"].is_string());
        assert_eq!(world.ends(freya(), &reply).await["status"], "STOPPED");
        call.dropped().await;
        let empty = json!({ "totalCount": 0, "nodes": [] });
        assert_eq!(world.ask(freya(), list, json!({})).await, empty);
        let send = json!({ "sessionId": tale.session, "content": "Hello?" });
        assert_eq!(world.denied(freya(), "sendMessage", send.clone()).await, "CONFLICT");
        assert!(world.session(freya(), &tale.session).await["deletedAt"].is_string());
        let back = world.does(freya(), "restoreSession", json!({ "id": tale.session })).await;
        assert_eq!(back["session"]["deletedAt"], Value::Null);
        assert_eq!(world.ask(freya(), list, json!({})).await["totalCount"], 1);
        world.does(freya(), "sendMessage", send).await;
        script.call().await.tell("Here.").await;
    })
    .await;
}

#[tokio::test]
async fn sessions_are_listed_by_their_last_activity() {
    scripted_story(async |world, script| {
        let persona = world.persona(freya(), "Astrid").await;
        let card = json!({ "name": "Mira", "greeting": "A   long\n welcome." });
        let character = world.character(freya(), card).await;
        let mut tales = Vec::new();
        for _ in 0..3 {
            tales.push(world.tale_of(freya(), &persona, &character).await);
        }
        let list = "query($first: Int, $after: String) { sessions(first: $first, after: $after) {
            totalCount nodes { id head { id excerpt(length: 8) } runningReplies { id } }
            pageInfo { hasNextPage endCursor } } }";
        let page = world.ask(freya(), list, json!({ "first": 2 })).await;
        assert_eq!(ids(&page["nodes"]), [tales[2].session.clone(), tales[1].session.clone()]);
        assert_eq!(page["nodes"][0]["head"]["excerpt"], "A long w");
        assert_eq!(page["totalCount"], 3);
        assert_eq!(page["pageInfo"]["hasNextPage"], true);
        let next = json!({ "first": 2, "after": page["pageInfo"]["endCursor"] });
        let page = world.ask(freya(), list, next).await;
        assert_eq!(ids(&page["nodes"]), [tales[0].session.as_str()]);
        assert_eq!(page["pageInfo"]["hasNextPage"], false);

        let reply = id(&world.says(freya(), &tales[0], "Hi.").await["reply"]);
        let page = world.ask(freya(), list, json!({})).await;
        let first = &page["nodes"][0];
        assert_eq!(first["id"], tales[0].session.as_str());
        assert_eq!(ids(&first["runningReplies"]), [reply.as_str()]);
        assert_eq!(page["nodes"][1]["runningReplies"], json!([]));
        let running = world.ask(freya(), "{ runningReplies { id } }", json!({})).await;
        assert_eq!(ids(&running), [reply.as_str()]);
        let call = script.call().await;
        world.says(freya(), &tales[1], "Hi.").await;
        // The end of a reply is an activity too.
        let other = script.call().await;
        call.tell("Hi there.").await;
        world.ends(freya(), &reply).await;
        let page = world.ask(freya(), list, json!({})).await;
        assert_eq!(page["nodes"][0]["id"], tales[0].session.as_str());
        assert_eq!(page["nodes"][0]["head"]["excerpt"], "Hi there");
        other.tell("Hi.").await;
    })
    .await;
}

#[tokio::test]
async fn a_long_path_is_read_in_windows() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        for n in 0..7 {
            world.talks(freya(), &tale, &format!("Line {n}.")).await;
        }
        let all = world.path(freya(), &tale, None).await;
        assert_eq!(all.len(), 15);
        let path = "query($id: ID!, $leaf: ID, $first: Int, $after: String, $last: Int,
            $before: String) { session(id: $id) { path(leaf: $leaf, first: $first, after: $after,
            last: $last, before: $before) { nodes { id } pageInfo { hasPreviousPage hasNextPage }
            edges { cursor } } } }";
        let read = async |arguments: Value| {
            let mut variables = arguments;
            variables["id"] = tale.session.as_str().into();
            let page = world.ask(freya(), path, variables).await["path"].clone();
            let info = &page["pageInfo"];
            let flags = (info["hasPreviousPage"] == true, info["hasNextPage"] == true);
            (ids(&page["nodes"]), flags)
        };
        assert_eq!(read(json!({})).await, (all.clone(), (false, false)));
        assert_eq!(read(json!({ "last": 4 })).await, (all[11..].to_vec(), (true, false)));
        let up = json!({ "last": 4, "before": all[11] });
        assert_eq!(read(up).await, (all[7..11].to_vec(), (true, true)));
        let top = json!({ "last": 40, "before": all[3] });
        assert_eq!(read(top).await, (all[..3].to_vec(), (false, true)));
        assert_eq!(read(json!({ "first": 2 })).await, (all[..2].to_vec(), (false, true)));
        let down = json!({ "first": 3, "after": all[4] });
        assert_eq!(read(down).await, (all[5..8].to_vec(), (true, true)));
        let leaf = json!({ "leaf": all[6], "last": 3 });
        assert_eq!(read(leaf).await, (all[4..7].to_vec(), (true, false)));
        let none = json!({ "first": 3, "after": all[14] });
        assert_eq!(read(none).await, (vec![], (true, false)));
        for bad in [
            json!({ "after": tale.session }),
            json!({ "leaf": all[2], "after": all[5] }),
            json!({ "first": 1, "last": 1 }),
            json!({ "first": 101 }),
            json!({ "last": -1 }),
            json!({ "leaf": "?" }),
        ] {
            let mut variables = bad.clone();
            variables["id"] = tale.session.as_str().into();
            let code = world.refusal(freya(), path, variables).await;
            assert_eq!(code, "BAD_USER_INPUT", "{bad}");
        }
        let flat = "query($id: ID!, $after: String) { session(id: $id) { messages(first: 10,
            after: $after) { totalCount nodes { id } pageInfo { endCursor hasNextPage } } } }";
        let page =
            world.ask(freya(), flat, json!({ "id": tale.session })).await["messages"].clone();
        assert_eq!(page["totalCount"], 15);
        let mut seen = ids(&page["nodes"]);
        let next = json!({ "id": tale.session, "after": page["pageInfo"]["endCursor"] });
        let page = world.ask(freya(), flat, next).await["messages"].clone();
        seen.extend(ids(&page["nodes"]));
        assert_eq!(seen, all);
        assert_eq!(page["pageInfo"]["hasNextPage"], false);
    })
    .await;
}

#[tokio::test]
async fn a_reply_that_ended_at_once_still_tells_when_it_began() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let (_, reply) = world.talks(freya(), &tale, "Quickly now!").await;
        let generation = &reply["generation"];
        assert_eq!(generation["stage"], "WRITING");
        assert!(generation["timings"]["firstTextAt"].is_string(), "{generation}");
        assert!(generation["timings"]["finishedAt"].is_string(), "{generation}");
    })
    .await;
}

#[tokio::test]
async fn the_head_is_null_only_in_an_emptied_session() {
    story(async |world| {
        let persona = world.persona(freya(), "Astrid").await;
        let card = json!({ "name": "Mira", "greeting": "One.", "alternateGreetings": ["Two."] });
        let character = world.character(freya(), card).await;
        let tale = world.tale_of(freya(), &persona, &character).await;
        let greeting = world.message(freya(), &tale.greeting).await;
        let other = greeting["alternatives"]["messageIds"][1].as_str().unwrap();
        let delete = json!({ "messageId": tale.greeting });
        let gone = world.does(freya(), "deleteMessage", delete).await;
        assert_eq!(gone["session"]["head"]["id"], other);
        let gone = world.does(freya(), "deleteMessage", json!({ "messageId": other })).await;
        assert_eq!(gone["session"]["head"], Value::Null);
        assert_eq!(world.path(freya(), &tale, None).await, [""; 0]);
        // An emptied session can be begun anew.
        let (said, reply) = world.talks(freya(), &tale, "Where am I?").await;
        assert_eq!(said["depth"], 0);
        assert_eq!(reply["depth"], 1);
    })
    .await;
}
