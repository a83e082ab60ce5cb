//! Sessions that go out as chats of `SillyTavern`, and come in again.

use std::io::{Cursor, Read};

use axum::body::Body;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use skald_base::Viewer;
use skald_core::FileSettings;

use crate::{
    file::{Fetched, fetch, http, rich_tale, text},
    harness::{Plan, Tale, World, eventually, freya, id, scripted_story, story, story_with},
    import::{document, send_as},
};

type Chats = Vec<(String, String)>;

async fn link(world: &World, who: Viewer, session: &str, leaf: Option<&str>) -> Value {
    let input = json!({ "sessionId": session, "format": "SILLY_TAVERN", "leafId": leaf });
    world.does(who, "exportSession", input).await["export"].clone()
}

/// All chats of a session, by name.
async fn chats(world: &World, who: Viewer, session: &str) -> Chats {
    let export = link(world, who, session, None).await;
    let Fetched { status, bytes, .. } = fetch(world, text(&export["url"])).await;
    assert_eq!(status, 200);
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut chats = Vec::new();
    for place in 0..archive.len() {
        let mut file = archive.by_index(place).unwrap();
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        chats.push((file.name().unwrap().into_owned(), content));
    }
    chats
}

/// A session of chats; its id.
async fn import(world: &World, who: Viewer, chats: &[(String, String)]) -> String {
    let mut uploads = Vec::new();
    for (name, content) in chats {
        uploads.push(send_as(world, who, name, content.clone()).await);
    }
    let made = world.does(who, "importSession", json!({ "uploadIds": uploads })).await;
    assert_eq!(made["report"]["skipped"], json!([]), "{made}");
    id(&made["session"])
}

/// The lines of a chat.
fn lines(chat: &str) -> Vec<Value> {
    chat.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What of a session a chat can tell: all texts with what is said of them, below what, in order;
/// and where the story stands.
async fn tree(world: &World, who: Viewer, session: &str) -> Value {
    let document: Value = serde_json::from_str(&document(world, who, session).await).unwrap();
    let messages = document["messages"].as_array().unwrap();
    let head = document["head"].as_u64().and_then(|head| usize::try_from(head).ok());
    let head = head.map(|head| messages[head]["content"].clone());
    json!({ "head": head, "tree": below(messages, &Value::Null) })
}

fn below(messages: &[Value], parent: &Value) -> Vec<Value> {
    let children = messages.iter().filter(|message| message["parent"] == *parent);
    let told = |message: &Value| {
        let at: DateTime<Utc> = text(&message["createdAt"]).parse().unwrap();
        json!({
            "role": message["role"], "name": message["author"]["name"], "at": at.timestamp_millis(),
            "content": message["content"], "thought": message["thought"],
            "hidden": message["hiddenFromPrompt"], "bookmark": message["bookmark"],
            "model": message["generation"]["model"], "below": below(messages, &message["number"]),
        })
    };
    children.map(told).collect()
}

/// The same tree without bookmarks.
fn unmarked(tree: &Value) -> Value {
    let mut tree = tree.clone();
    for message in tree.as_array_mut().unwrap() {
        message["bookmark"] = Value::Null;
        message["below"] = unmarked(&message["below"]);
    }
    tree
}

/// A rich story in which something is hidden, too.
async fn tale(world: &World) -> Tale {
    let tale = rich_tale(world, freya()).await;
    let path = world.path(freya(), &tale, None).await;
    world.does(freya(), "hideMessage", json!({ "messageId": path[1], "hidden": true })).await;
    tale
}

#[tokio::test]
async fn a_path_is_a_chat() {
    story(async |world| {
        let tale = tale(world).await;
        let path = world.path(freya(), &tale, None).await;
        let export = link(world, freya(), &tale.session, path.last().map(String::as_str)).await;
        assert_eq!(export["fileName"], "Маяк \u{1F3EE} ночь.jsonl");
        let answer = http(world, "GET", text(&export["url"]), Body::empty()).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-ndjson"));
        let lines = lines(&answer.body);
        assert_eq!(lines.len(), 1 + path.len());
        let head = lines[0].as_object().unwrap();
        assert_eq!(
            (&head["user_name"], &head["character_name"]),
            (&json!("Astrid"), &json!("Mira"))
        );
        assert_eq!(head["chat_metadata"], json!({}));
        let greeting = &lines[1];
        assert_eq!((&greeting["name"], &greeting["is_user"]), (&json!("Mira"), &json!(false)));
        assert_eq!((&greeting["is_system"], &greeting["swipes"]), (&json!(false), &Value::Null));
        // Its other version is not hidden: a line has one flag for all its swipes.
        let said = &lines[2];
        assert_eq!((&said["is_user"], &said["is_system"]), (&json!(true), &json!(true)));
        assert_eq!(said["swipes"], Value::Null);
        let reply = &lines[3];
        assert_eq!(reply["swipe_id"], 1);
        assert_eq!(reply["extra"]["model"], "skald/offline");
        assert_eq!(reply["swipes"].as_array().unwrap().len(), 2);
        assert_eq!(lines.last().unwrap()["mes"], "Снег.");

        // Up to a message in the middle, and back in.
        let export = link(world, freya(), &tale.session, Some(&path[2])).await;
        let chat = http(world, "GET", text(&export["url"]), Body::empty()).await.body;
        assert_eq!(chat.lines().count(), 1 + 3);
        let made = import(world, freya(), &[("a.jsonl".into(), chat)]).await;
        let made = Tale { session: made, ..tale };
        assert_eq!(world.path(freya(), &made, None).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn all_chats_together_are_the_tree() {
    story(async |world| {
        let tale = tale(world).await;
        let chats = chats(world, freya(), &tale.session).await;
        let first = tree(world, freya(), &tale.session).await;
        let made = import(world, freya(), &chats).await;
        assert_eq!(tree(world, freya(), &made).await, first);
        // Out of it come the same chats, but for when it was changed last.
        assert_eq!(self::chats(world, freya(), &made).await.len(), chats.len());
        // However they are sent, the tree is the same; only where it stands is told by the order.
        let backwards: Chats = chats.iter().rev().cloned().collect();
        let made = import(world, freya(), &backwards).await;
        // A bookmark is told where its message is selected, which has to be its first line.
        let tree = tree(world, freya(), &made).await;
        assert_eq!(unmarked(&tree["tree"]), unmarked(&first["tree"]));
    })
    .await;
}

#[tokio::test]
async fn chats_are_numbered_and_name_each_other() {
    story(async |world| {
        let tale = tale(world).await;
        let chats = chats(world, freya(), &tale.session).await;
        let names: Vec<&str> = chats.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        for (place, name) in names.iter().enumerate() {
            assert_eq!(*name, format!("Маяк \u{1F3EE} ночь {}.jsonl", place + 1));
        }
        let told = |chat: &str| -> Vec<String> {
            let lines = lines(chat);
            let branches = lines.iter().filter_map(|line| line["extra"]["branches"].as_array());
            branches.flatten().map(|name| text(name).to_owned()).collect()
        };
        for (name, chat) in &chats[1..] {
            let main = &lines(chat)[0]["chat_metadata"]["main_chat"];
            let (_, main) =
                chats.iter().find(|(other, _)| *other == format!("{}.jsonl", text(main))).unwrap();
            assert!(told(main).contains(&name.replace(".jsonl", "")), "{name}");
        }
        assert_eq!(lines(&chats[0].1)[0]["chat_metadata"], json!({}));
    })
    .await;
}

#[tokio::test]
async fn who_has_the_same_name_is_told_apart() {
    story(async |world| {
        let persona = world.persona(freya(), "Astrid").await;
        let guard = json!({ "name": "Страж", "greeting": "Halt." });
        let (one, other) =
            (world.character(freya(), guard.clone()).await, world.character(freya(), guard).await);
        let cast = json!({ "personaId": persona, "characterIds": [one, other] });
        let session = id(&world.does(freya(), "createSession", cast).await["session"]);
        for speaker in [&other, &one] {
            let ask = json!({ "sessionId": session, "speaker": { "characterId": speaker } });
            let reply = id(&world.does(freya(), "requestReply", ask).await["reply"]);
            world.ends(freya(), &reply).await;
        }
        let chats = chats(world, freya(), &session).await;
        let faces: Vec<Value> =
            lines(&chats[0].1)[1..].iter().map(|line| line["original_avatar"].clone()).collect();
        assert_eq!(faces, ["Страж.png", "Страж2.png", "Страж.png"]);
        let made = import(world, freya(), &chats).await;
        let document: Value = serde_json::from_str(&document(world, freya(), &made).await).unwrap();
        let speakers: Vec<&Value> = document["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| &message["author"])
            .collect();
        assert_eq!(document["session"]["cast"].as_array().unwrap().len(), 2);
        assert_eq!((speakers[0], speakers[2]), (speakers[2], speakers[0]));
    })
    .await;
}

#[tokio::test]
async fn what_is_begun_goes_out_as_it_is_and_what_is_blank_does_not() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let silent = id(&world.says(freya(), &tale, "Anybody?").await["reply"]);
        let _never_answered = script.call().await;
        world.does(freya(), "stopReply", json!({ "messageId": silent })).await;
        assert_eq!(world.ends(freya(), &silent).await["content"], "");
        world.says(freya(), &tale, "Hello?").await;
        let call = script.call().await;
        call.say("Half a sent").await;
        let told = async || -> Vec<Value> {
            let chats = chats(world, freya(), &tale.session).await;
            let [(_, chat)] = chats.as_slice() else { panic!("{chats:?}") };
            lines(chat)[1..].iter().map(|line| line["mes"].clone()).collect()
        };
        let expected = ["Mira looks Astrid over.", "Anybody?", "Hello?", "Half a sent"];
        eventually(async || told().await == expected).await;
        let made = import(world, freya(), &chats(world, freya(), &tale.session).await).await;
        assert_eq!(world.path(freya(), &Tale { session: made, ..tale }, None).await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_bushy_tree_is_refused_and_its_paths_are_not() {
    let plan = || {
        let files = FileSettings { export_bytes: 4_000, ..FileSettings::default() };
        (Plan { files, ..Plan::default() }, ())
    };
    story_with(plan, async |world, ()| {
        let tale = world.tale(freya()).await;
        let early = link(world, freya(), &tale.session, None).await;
        assert_eq!(early["fileName"], "Mira.zip");
        assert_eq!(fetch(world, text(&early["url"])).await.status, 200);
        let (mut parent, mut leaf) = (tale.greeting.clone(), String::new());
        for n in 0..6 {
            let input =
                json!({ "sessionId": tale.session, "parentId": parent, "content": format!("{n}") });
            let turn = world.does(freya(), "sendMessage", input).await;
            leaf = id(&turn["reply"]);
            world.ends(freya(), &leaf).await;
            parent = if n % 2 == 0 { leaf.clone() } else { parent };
        }
        let input = json!({ "sessionId": tale.session, "format": "SILLY_TAVERN" });
        let refused = world.try_to(freya(), "exportSession", input).await["errors"][0].clone();
        assert_eq!(refused["code"], "LIMIT_EXCEEDED");
        assert_eq!(refused["path"], json!(["input", "format"]));
        assert!(text(&refused["message"]).contains("4000: take one path with leafId"), "{refused}");
        // So it is if the story has grown since.
        let late = fetch(world, text(&early["url"])).await;
        assert_eq!(late.status, 409);
        assert!(String::from_utf8(late.bytes).unwrap().ends_with("NATIVE_JSON\n"));
        let path = link(world, freya(), &tale.session, Some(&leaf)).await;
        assert_eq!(fetch(world, text(&path["url"])).await.status, 200);
        // What is not there any more has no path.
        world.does(freya(), "deleteMessage", json!({ "messageId": leaf })).await;
        assert_eq!(fetch(world, text(&path["url"])).await.status, 403);
    })
    .await;
}
