//! Chats of `SillyTavern` that become sessions.

use serde_json::{Value, json};
use skald_base::Viewer;

use crate::{
    file::text,
    harness::{World, bjorn, freya, id, story},
    import::{document, send_as},
};

const MAIN: &str = r#"{"user_name":"unused","character_name":"unused","create_date":"2024-7-12@01h31m37s","chat_metadata":{"integrity":"1f","note_prompt":"Rain.","tainted":true}}
{"name":"Mira","is_user":false,"is_system":false,"send_date":"July 12, 2024 1:31am","mes":"The inn is warm.","swipe_id":0,"swipes":["The inn is warm.","Wet again?"],"extra":{"model":"old/model","reasoning":"She knows him."}}
{"name":"Astrid","is_user":true,"send_date":"2024-7-12@01h32m10s","mes":"Soup, please.","extra":{"branches":["Mira - Branch"]}}

oops
{"name":"Mira","is_user":false,"send_date":"soon","mes":"Here.","swipes":["Here you are.","No soup."],"swipe_id":0,"swipe_info":[null],"extra":{"bookmark_link":"Soup","image":"a.png"}}
{"name":"Narrator","is_system":false,"mes":"The door opens.","extra":{"type":"narrator"}}
{"name":"SillyTavern System","is_system":true,"mes":"Type /help."}
{"name":"Astrid","is_user":true,"is_system":true,"mes":"(hidden)"}
[1,2]
"#;
const BRANCH: &str = r#"{"chat_metadata":{"main_chat":"Mira"}}
{"name":"Mira","mes":"The inn is warm.","swipes":["The inn is warm.","Wet again?"],"swipe_id":0}
{"name":"Astrid","is_user":true,"mes":"Soup, please."}
{"name":"Mira","mes":{"message":"Fish today."},"swipe_id":1,"swipes":["Fish today."]}"#;

/// Sends files; their uploads' ids.
async fn send_all(world: &World, who: Viewer, files: &[(&str, &str)]) -> Vec<String> {
    let mut ids = Vec::new();
    for (name, content) in files {
        ids.push(send_as(world, who, name, (*content).to_owned()).await);
    }
    ids
}

async fn import(world: &World, who: Viewer, files: &[(&str, &str)]) -> Value {
    let uploads = send_all(world, who, files).await;
    world.does(who, "importSession", json!({ "uploadIds": uploads })).await
}

async fn refused(world: &World, files: &[(&str, &str)]) -> String {
    let before = world.count("SELECT count(*) FROM session").await;
    let uploads = send_all(world, freya(), files).await;
    let payload = world.try_to(freya(), "importSession", json!({ "uploadIds": uploads })).await;
    assert_eq!(payload["errors"][0]["code"], "BAD_USER_INPUT", "{payload}");
    assert_eq!(world.count("SELECT count(*) FROM session").await, before);
    text(&payload["errors"][0]["message"]).to_owned()
}

/// The messages of a session, as its own document tells them.
async fn messages(world: &World, who: Viewer, made: &Value) -> (Value, Vec<Value>) {
    let text = document(world, who, &id(&made["session"])).await;
    let document: Value = serde_json::from_str(&text).unwrap();
    let messages = document["messages"].as_array().unwrap().clone();
    (document, messages)
}

fn notes(notes: &Value) -> Vec<String> {
    let note = |note: &Value| {
        let line = note["line"].as_i64().map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line} {}", text(&note["fileName"]), text(&note["message"]))
    };
    notes.as_array().unwrap().iter().map(note).collect()
}

/// The texts from the root to the head.
fn told(document: &Value, messages: &[Value]) -> Vec<String> {
    let mut path = Vec::new();
    let mut at = document["head"].as_u64();
    while let Some(number) = at {
        let message = &messages[usize::try_from(number).unwrap()];
        path.push(text(&message["content"]).to_owned());
        at = message["parent"].as_u64();
    }
    path.reverse();
    path
}

fn saying<'a>(messages: &'a [Value], content: &str) -> &'a Value {
    messages.iter().find(|message| message["content"] == content).expect(content)
}

#[tokio::test]
async fn a_chat_and_its_branch_are_one_story() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let made = import(world, freya(), &[("a.txt", BRANCH), ("b.jsonl", MAIN)]).await;
        let report = &made["report"];
        assert_eq!((&report["format"], &report["imported"]), (&json!("SILLY_TAVERN"), &json!(9)));
        assert_eq!(
            notes(&report["skipped"]),
            [
                "b.jsonl chat_metadata.note_prompt has no place here",
                "b.jsonl:5 the line is no JSON",
                "b.jsonl:10 the line is no message",
            ]
        );
        let adapted = notes(&report["adapted"]);
        assert!(adapted[0].starts_with("a.txt:4 the selected swipe was missing"), "{adapted:?}");
        assert!(adapted[1..].iter().all(|note| note.starts_with("b.jsonl:6 ")), "{adapted:?}");
        assert_eq!((adapted.len(), &report["adaptedCount"]), (4, &json!(4)), "{adapted:?}");

        let session = world.session(freya(), &id(&made["session"])).await;
        assert_eq!(session["persona"]["id"], tale.persona);
        assert_eq!(session["cast"][0]["character"]["id"], tale.character);
        let (document, messages) = messages(world, freya(), &made).await;
        let path = [
            "The inn is warm.",
            "Soup, please.",
            "Here.",
            "The door opens.",
            "Type /help.",
            "(hidden)",
        ];
        assert_eq!(told(&document, &messages), path);
        assert_eq!(document["session"]["createdAt"], "2024-07-12T01:31:37Z");
        let soup = saying(&messages, "Soup, please.")["number"].clone();
        for below in ["Fish today.", "Here.", "No soup."] {
            assert_eq!(saying(&messages, below)["parent"], soup);
        }
        let greeting = saying(&messages, "The inn is warm.");
        assert_eq!(greeting["author"], json!({ "name": "Mira", "character": 0 }));
        let here = saying(&messages, "Here.");
        assert_eq!((&here["bookmark"], &here["role"]), (&json!("Soup"), &json!("CHARACTER")));
        assert_eq!(saying(&messages, "The door opens.")["role"], "NARRATOR");
        assert_eq!(saying(&messages, "Type /help.")["role"], "SYSTEM");
        let hidden = saying(&messages, "(hidden)");
        assert_eq!(
            (&hidden["role"], &hidden["hiddenFromPrompt"]),
            (&json!("PLAYER"), &json!(true))
        );
        // And it goes on.
        let turn = json!({ "sessionId": session["id"], "content": "And bread." });
        let reply = id(&world.does(freya(), "sendMessage", turn).await["reply"]);
        assert_eq!(world.ends(freya(), &reply).await["status"], "COMPLETE");
        assert_eq!(world.count("SELECT count(*) FROM upload").await, 0);
    })
    .await;
}

#[tokio::test]
async fn models_thoughts_and_dates_come_along() {
    story(async |world| {
        let made = import(world, freya(), &[("main", MAIN)]).await;
        let (_, messages) = messages(world, freya(), &made).await;
        let greeting = saying(&messages, "The inn is warm.");
        assert_eq!(greeting["thought"], "She knows him.");
        assert_eq!(greeting["generation"]["model"], "old/model");
        assert_eq!(saying(&messages, "Soup, please.")["createdAt"], "2024-07-12T01:32:10Z");
        assert_eq!(saying(&messages, "Here.")["createdAt"], "2024-07-12T01:32:10Z");
    })
    .await;
}

#[tokio::test]
async fn who_is_not_known_is_made_and_a_dry_run_makes_nobody() {
    story(async |world| {
        let uploads = send_all(world, bjorn(), &[("main", &MAIN.replace("Mira", "Runa"))]).await;
        let before = world.rows().await;
        let ask = async |dry: bool| {
            let request = format!("dry-{dry}");
            let input = json!({ "uploadIds": uploads, "dryRun": dry, "clientRequestId": request });
            world.does(bjorn(), "importSession", input).await
        };
        let dry = ask(true).await;
        assert_eq!((&dry["session"], world.rows().await), (&Value::Null, before));
        let made = ask(false).await;
        assert_eq!(made["report"], dry["report"]);
        let adapted = notes(&made["report"]["adapted"]).join("\n");
        assert!(
            adapted.contains("no persona of yours is called Astrid: one with nothing"),
            "{adapted}"
        );
        assert!(adapted.contains("no character here is called Runa: a private one"), "{adapted}");
        let session = world.session(bjorn(), &id(&made["session"])).await;
        assert_eq!(session["persona"]["name"], "Astrid");
        assert_eq!(session["cast"][0]["character"]["name"], "Runa");
        // The same request again is the same session.
        assert_eq!(ask(false).await, made);

        // The second time both are there; under another name the default plays.
        let again = import(world, bjorn(), &[("b", &BRANCH.replace("Mira", "Runa"))]).await;
        assert_eq!(again["report"]["adaptedCount"], 1);
        let other = import(
            world,
            bjorn(),
            &[("b", &BRANCH.replace("Mira", "Runa").replace("Astrid", "Olga"))],
        )
        .await;
        let adapted = notes(&other["report"]["adapted"]).join("\n");
        assert!(adapted.contains("called Olga: you play Astrid, your default"), "{adapted}");
    })
    .await;
}

#[tokio::test]
async fn whom_the_player_names_plays() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let persona = world.persona(bjorn(), "Bo").await;
        let character = world.character(bjorn(), json!({ "name": "Runa" })).await;
        let uploads = send_all(world, bjorn(), &[("b", BRANCH)]).await;
        for (field, wanted) in [("personaId", tale.persona), ("characterId", tale.character)] {
            let input = json!({ "uploadIds": uploads, field: wanted });
            assert_eq!(world.denied(bjorn(), "importSession", input).await, "NOT_FOUND");
        }
        let input = json!({ "uploadIds": uploads, "personaId": persona, "characterId": character });
        let made = world.does(bjorn(), "importSession", input).await;
        let session = world.session(bjorn(), &id(&made["session"])).await;
        assert_eq!(session["persona"]["id"], persona);
        assert_eq!(session["cast"][0]["character"]["id"], character);
        assert_eq!(session["cast"][0]["name"], "Mira");
    })
    .await;
}

#[tokio::test]
async fn a_group_is_on_stage_as_far_as_there_is_room() {
    story(async |world| {
        let names = ["Мира", "Страж", "Страж", "Ада", "Боб", "Вера", "Глеб", "Дан", "Ева", "Мира"];
        let mut chat = String::new();
        for (n, name) in names.iter().enumerate() {
            let avatar = if n == 9 { "0.png".to_owned() } else { format!("{n}.png") };
            let line = json!({ "name": name, "mes": format!("Реплика номер {n}."), "is_group": true,
                "original_avatar": avatar, "send_date": 1_720_747_897_123_i64 });
            chat.extend([line.to_string().as_str(), "\r\n"]);
        }
        let made = import(world, freya(), &[("Группа.jsonl", &chat)]).await;
        let adapted = notes(&made["report"]["adapted"]);
        assert_eq!(adapted.len(), 1 + 1 + 8, "{adapted:?}");
        assert!(adapted[0].starts_with("Группа.jsonl:9 Ева is one too many"), "{adapted:?}");
        let session = world.session(freya(), &id(&made["session"])).await;
        let cast: Vec<&str> =
            session["cast"].as_array().unwrap().iter().map(|m| text(&m["name"])).collect();
        assert_eq!(cast, names[..8]);
        let (document, messages) = messages(world, freya(), &made).await;
        assert_eq!(document["session"]["settings"]["language"], "ru");
        assert_eq!(messages[8]["author"], json!({ "name": "Ева" }));
        assert_eq!(messages[9]["author"], messages[0]["author"]);
        assert_eq!(messages[0]["createdAt"], "2024-07-12T01:31:37.123Z");
    })
    .await;
}

#[tokio::test]
async fn a_message_with_half_an_emoji_is_kept() {
    story(async |world| {
        let chat = r#"{"name":"Mira","mes":"Warm \ud83d"}
{"name":"Astrid","is_user":true,"mes":"Good \ud83c\udfee \\ud83d"}"#;
        let made = import(world, freya(), &[("m", chat)]).await;
        assert_eq!(made["report"]["skippedCount"], 0, "{made}");
        let adapted = notes(&made["report"]["adapted"]);
        assert!(
            adapted.contains(&"m:1 halves of characters were replaced".to_owned()),
            "{adapted:?}"
        );
        let (document, messages) = messages(world, freya(), &made).await;
        assert_eq!(told(&document, &messages), ["Warm \u{fffd}", "Good \u{1f3ee} \\ud83d"]);
    })
    .await;
}

#[tokio::test]
async fn files_of_two_formats_are_refused() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let native = document(world, freya(), &tale.session).await;
        let message = refused(world, &[("a.jsonl", MAIN), ("b.json", &native)]).await;
        assert!(message.starts_with("b.json is no chat"), "{message}");
        let message = refused(world, &[("a.jsonl", MAIN), ("b.jsonl", "junk\n")]).await;
        assert!(message.starts_with("b.jsonl is no chat"), "{message}");
        let empty = "{\"user_name\":\"A\",\"chat_metadata\":{}}\n{\"mes\":\"\"}\n";
        assert!(refused(world, &[("a", empty)]).await.contains("no message"));
    })
    .await;
}

#[tokio::test]
async fn the_selected_one_of_very_many_swipes_is_where_the_story_goes_on() {
    story(async |world| {
        let swipes: Vec<String> = (0..1500).map(|n| format!("Greeting {n}.")).collect();
        let greeting = json!({ "name": "Mira", "mes": swipes[1234], "swipes": swipes,
            "swipe_id": 1234, "original_avatar": "x".repeat(1024 * 1024) });
        let answer = json!({ "name": "Astrid", "is_user": true, "mes": "Good evening." });
        let made = import(world, freya(), &[("m", &format!("{greeting}\n{answer}"))]).await;
        assert_eq!(made["report"]["imported"], 1002);
        let adapted = notes(&made["report"]["adapted"]);
        assert!(adapted[0].starts_with("m:1 of more than 1000 swipes"), "{adapted:?}");
        let (document, messages) = messages(world, freya(), &made).await;
        assert_eq!(told(&document, &messages), ["Greeting 1234.", "Good evening."]);
    })
    .await;
}
