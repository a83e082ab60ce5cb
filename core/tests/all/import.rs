//! Sessions that go out as a file and come in again.

use axum::body::Body;
use serde_json::{Value, json};
use skald_base::{
    Dialect, Viewer,
    testing::{TestDb, fresh},
};

use crate::{
    continuation::cut,
    file::{http, rich_tale, text},
    harness::{Plan, World, bjorn, freya, id, scripted_story, story},
};

/// A session as a document.
pub(crate) async fn document(world: &World, who: Viewer, session: &str) -> String {
    let input = json!({ "sessionId": session, "format": "NATIVE_JSON" });
    let export = world.does(who, "exportSession", input).await["export"].clone();
    let answer = http(world, "GET", text(&export["url"]), Body::empty()).await;
    assert_eq!(answer.status, 200);
    answer.body
}

/// Sends a file; its upload's id.
async fn send(world: &World, who: Viewer, content: impl Into<Body>) -> String {
    send_as(world, who, "story.json", content).await
}

/// Sends a file under a name.
pub(crate) async fn send_as(
    world: &World,
    who: Viewer,
    name: &str,
    content: impl Into<Body>,
) -> String {
    let input = json!({ "fileName": name });
    let upload = world.does(who, "createUpload", input).await["upload"].clone();
    let answer = http(world, "PUT", text(&upload["url"]), content.into()).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    id(&upload)
}

pub(crate) async fn import(world: &World, who: Viewer, content: &str) -> Value {
    let upload = send(world, who, content.to_owned()).await;
    world.does(who, "importSession", json!({ "uploadIds": [upload] })).await
}

/// Why a file is refused; nothing is left of it.
pub(crate) async fn refusal(world: &World, content: impl Into<Body>) -> String {
    let before = world.rows().await;
    let upload = send(world, freya(), content).await;
    let input = json!({ "uploadIds": [upload], "clientRequestId": "bad" });
    let payload = world.try_to(freya(), "importSession", input).await;
    assert_eq!((&payload["session"], &payload["report"]), (&Value::Null, &Value::Null));
    let error = &payload["errors"][0];
    assert_eq!(error["code"], "BAD_USER_INPUT", "{error}");
    assert_eq!(error["path"], json!(["input", "uploadIds"]));
    let mut after = world.rows().await;
    // The request for the upload is remembered.
    *after.last_mut().unwrap() -= 1;
    assert_eq!(after, before, "{error}");
    text(&error["message"]).to_owned()
}

#[tokio::test]
async fn what_goes_out_comes_in_the_same() {
    story(async |world| {
        let tale = rich_tale(world, freya()).await;
        let first = document(world, freya(), &tale.session).await;
        for (who, copies) in [(freya(), 0), (bjorn(), 2)] {
            let made = import(world, who, &first).await;
            assert_eq!(made["report"]["format"], "NATIVE_JSON");
            assert_eq!(made["report"]["imported"], 9);
            assert_eq!(made["report"]["adaptedCount"], copies, "{made}");
            assert_eq!(made["report"]["skippedCount"], 0);
            let session = id(&made["session"]);
            assert_eq!(document(world, who, &session).await, first);
            // And it goes on.
            let turn = json!({ "sessionId": session, "content": "Дальше." });
            let reply = id(&world.does(who, "sendMessage", turn).await["reply"]);
            assert_eq!(world.ends(who, &reply).await["status"], "COMPLETE");
        }
        // A second time the copies are there.
        let again = import(world, bjorn(), &first).await;
        assert_eq!(again["report"]["adaptedCount"], 0);
        assert_eq!(world.count("SELECT count(*) FROM upload").await, 0);
        assert_eq!(std::fs::read_dir(world.files.path()).unwrap().count(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_player_marks_and_a_model_goes_on_from_comes_along() {
    scripted_story(async |world, script| {
        let (tale, half) = cut(world, script).await;
        let goes_on = world.does(freya(), "continueReply", json!({ "messageId": half })).await;
        script.call().await.tell(" door.").await;
        world.ends(freya(), &id(&goes_on["reply"])).await;
        let mark = json!({ "messageId": half, "name": "Полпути" });
        world.does(freya(), "bookmarkMessage", mark).await;
        let hide = json!({ "messageId": half, "hidden": true });
        world.does(freya(), "hideMessage", hide).await;
        let away = json!({ "id": tale.session, "tags": ["тихо", "Море"], "archived": true });
        world.does(freya(), "updateSession", away).await;
        let first = document(world, freya(), &tale.session).await;
        let document: Value = serde_json::from_str(&first).unwrap();
        let messages = document["messages"].as_array().unwrap();
        let halfway = messages.iter().find(|message| message["bookmark"] == "Полпути").unwrap();
        let whole = messages.iter().find(|message| message["continuedFrom"].is_u64()).unwrap();
        assert_eq!(whole["continuedFrom"], halfway["number"]);
        assert_eq!(halfway["hiddenFromPrompt"], true);
        for who in [freya(), bjorn()] {
            let made = id(&import(world, who, &first).await["session"]);
            assert_eq!(self::document(world, who, &made).await, first);
            let listed = "query($id: ID!) { session(id: $id) { tags archivedAt } }";
            let session = world.ask(who, listed, json!({ "id": made })).await;
            assert_eq!(session["tags"], json!(["тихо", "Море"]));
            let since = |at: &Value| text(at).parse::<chrono::DateTime<chrono::Utc>>().unwrap();
            assert_eq!(since(&session["archivedAt"]), since(&document["session"]["archivedAt"]));
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_moves_from_one_database_to_the_other_and_back() {
    let sqlite = fresh(Dialect::Sqlite, skald_core::MIGRATIONS).await.unwrap();
    let Some(postgres) = fresh(Dialect::Postgres, skald_core::MIGRATIONS).await else { return };
    let open = async |TestDb { db, url, dir }: TestDb, seed| {
        (World::open(db, url, Plan { seed, ..Plan::default() }).await, dir)
    };
    let (small, _small) = open(sqlite, 7).await;
    let (large, _large) = open(postgres, 8).await;
    let tale = rich_tale(&small, freya()).await;
    let first = document(&small, freya(), &tale.session).await;
    let moved = id(&import(&large, freya(), &first).await["session"]);
    let second = document(&large, freya(), &moved).await;
    assert_eq!(second, first);
    let back = id(&import(&small, bjorn(), &second).await["session"]);
    assert_eq!(document(&small, bjorn(), &back).await, first);
}

#[tokio::test]
async fn a_dry_run_tells_the_same_and_changes_nothing() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let document = document(world, freya(), &tale.session).await;
        let upload = send(world, bjorn(), document).await;
        let before = world.rows().await;
        let input = json!({ "uploadIds": [upload], "dryRun": true, "clientRequestId": "dry" });
        let dry = world.does(bjorn(), "importSession", input).await;
        assert_eq!(dry["session"], Value::Null);
        assert_eq!(world.rows().await, before);
        let input = json!({ "uploadIds": [upload], "clientRequestId": "wet" });
        let wet = world.does(bjorn(), "importSession", input.clone()).await;
        assert_eq!(wet["report"], dry["report"]);
        assert_eq!(dry["report"]["adapted"][0]["fileName"], "story.json");

        // The same request gives the same; the file is used up for another.
        let made = world.rows().await;
        assert_eq!(world.does(bjorn(), "importSession", input).await["report"], wet["report"]);
        assert_eq!(world.rows().await, made);
        let input = json!({ "uploadIds": [upload] });
        assert_eq!(world.denied(bjorn(), "importSession", input).await, "NOT_FOUND");
        let input = json!({ "uploadIds": [upload], "dryRun": true });
        assert_eq!(world.denied(bjorn(), "importSession", input).await, "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn whom_the_player_names_takes_the_place() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let document = document(world, freya(), &tale.session).await;
        let persona = world.persona(bjorn(), "Bo").await;
        let character = world.character(bjorn(), json!({ "name": "Runa" })).await;
        let upload = send(world, bjorn(), document.clone()).await;
        let input =
            json!({ "uploadIds": [upload], "personaId": persona, "characterId": character });
        let made = world.does(bjorn(), "importSession", input).await;
        assert_eq!(made["report"]["adaptedCount"], 0);
        let session = world.session(bjorn(), &id(&made["session"])).await;
        assert_eq!(session["persona"]["id"], persona);
        assert_eq!(session["cast"][0]["character"]["id"], character);
        assert_eq!(session["cast"][0]["name"], "Mira");
        let upload = send(world, bjorn(), document).await;
        for (field, wanted) in [("personaId", tale.persona), ("characterId", tale.character)] {
            let input = json!({ "uploadIds": [upload], field: wanted });
            assert_eq!(world.denied(bjorn(), "importSession", input).await, "NOT_FOUND");
        }
    })
    .await;
}

#[tokio::test]
async fn only_what_has_arrived_and_is_yours_is_taken() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let document = document(world, freya(), &tale.session).await;
        let upload = send(world, freya(), document).await;
        let denied = async |ids: Value| {
            world.denied(bjorn(), "importSession", json!({ "uploadIds": ids })).await
        };
        assert_eq!(denied(json!([upload])).await, "NOT_FOUND");
        assert_eq!(denied(json!([])).await, "BLANK");
        let room = world.does(bjorn(), "createUpload", json!({ "fileName": "a" })).await;
        let empty = id(&room["upload"]);
        assert_eq!(denied(json!([empty])).await, "CONFLICT");
        assert_eq!(denied(json!(vec![empty; 200])).await, "TOO_LONG");
        assert_eq!(denied(json!(["session_01h455vb4pex5vsknk084sn02q"])).await, "BAD_USER_INPUT");
    })
    .await;
}

#[tokio::test]
async fn a_malformed_file_is_named_with_the_place_and_leaves_nothing() {
    story(async |world| {
        let tale = rich_tale(world, freya()).await;
        let document = document(world, freya(), &tale.session).await;
        let line = |number: usize| {
            let begin = format!("{{\"number\":{number},");
            document.lines().find(|line| line.starts_with(&begin)).unwrap().to_owned()
        };
        let (third, fourth) = (line(3), line(4));
        let swap = |from: &str, to: &str| document.replacen(from, to, 1);
        let with = |from: &str, to: &str| {
            assert!(third.contains(from), "{third}");
            swap(&third, &third.replacen(from, to, 1))
        };
        for (content, expected) in [
            ("", "it is empty"),
            ("   \n", "EOF"),
            ("not json", "expected"),
            ("[1, 2]", "a Skald session"),
            ("{\"spec\":\"chara_card_v2\"}", "does not begin as a Skald session"),
            (&swap("\"1.2\"", "\"2.0\""), "version \"2.0\""),
            (document.split_once(&third).unwrap().0, "EOF while parsing"),
            (&format!("{document}x"), "trailing characters"),
            (&swap(&format!("{third}\n"), ""), "message 4: it stands where message 3 should"),
            (&swap(&third, &format!("{third}\n{third}")), "message 3: it stands where message 4"),
            (&with("\"parent\":", "\"parent\":9"), "its parent does not stand before it"),
            (&with("\"parent\":", "\"parent\":3,\"was\":"), "its parent does not stand before it"),
            (&with("\"parent\":", "\"parent\":-"), "invalid"),
            (&with("\"COMPLETE\"", "\"WRITING\""), "it is still being written"),
            (&with("\"COMPLETE\"", "\"DONE\""), "unknown variant `DONE`"),
            (&with("\"content\":\"", "\"content\":\"\\u0000"), "NUL"),
            (
                &with("\"bookmark\":\"", &format!("\"bookmark\":\"{}", "x".repeat(201))),
                "bookmark is longer than 200 bytes",
            ),
            (
                &with("\"content\":", "\"continuedFrom\":8,\"content\":"),
                "continuedFrom does not stand",
            ),
            (
                &swap("\"storyModel\":null", "\"storyModel\":\"a\\u0000b\""),
                "a model contains a NUL",
            ),
            (
                &swap("\"storyModel\":null", &format!("\"storyModel\":\"{}\"", "x".repeat(3000))),
                "a model is longer than 2048 bytes",
            ),
            (&swap("\"attempt\":1", "\"attempt\":9223372036854775807"), "attempt is not between"),
            (&with("\"createdAt\":\"2", "\"createdAt\":\"+12"), "time is out of range|invalid"),
            (&with("\"bookmark\":\"", "\"bookmark\":\"\\u0000"), "bookmark contains a NUL"),
            (&swap("\"Море\"", "\" \""), "tags"),
            (&swap("\"head\":", "\"head\":9"), "which is not there"),
            (&swap("\"persona\":0", "\"persona\":7"), "there is no persona 7"),
            (&swap("\"language\":\"ru\"", "\"language\":\"?\""), "language"),
            (&swap("\"messages\":[", "\"messages\":[],\"messages\":["), "head or tips|twice"),
            (
                &format!("{{\"format\":\"skald-session\",\"x\":{}", "[".repeat(5000)),
                "recursion limit|EOF",
            ),
        ] {
            let message = refusal(world, content.to_owned()).await;
            assert!(message.starts_with("story.json: "), "{message}");
            assert!(
                expected.split('|').any(|part| message.contains(part)),
                "{expected}: {message}"
            );
        }
        let message = refusal(world, with("\"COMPLETE\"", "1")).await;
        let number = 1 + document.lines().position(|line| *line == third).unwrap();
        assert!(message.contains(&format!("line {number} column")), "{message}");
        assert_ne!(third, fourth);
        refusal(world, vec![0_u8, 159, 146, 150]).await;
        let huge =
            format!("{{\"format\":\"skald-session\",\"x\":\"{}\"}}", "a".repeat(9 * 1024 * 1024));
        assert!(refusal(world, huge).await.contains("one part of the file is too large"));
    })
    .await;
}

#[tokio::test]
async fn a_later_version_is_read_and_what_is_new_is_told() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let document = document(world, freya(), &tale.session).await;
        let later = document
            .replacen("\"version\":\"1.2\"", "\"version\":\"1.7\",\"mood\":{\"a\":[1]}", 1)
            .replacen("\"role\":", "\"weather\\u0000\":\"rain\",\"role\":", 1)
            .replacen("\"settings\":{", "\"settings\":{\"storyModel\":\"gone/model\",\"x\":1,", 1)
            .replacen("\"storyModel\":null,", "", 1);
        let report = import(world, freya(), &later).await["report"].clone();
        let told = |notes: &Value| -> Vec<String> {
            let notes = notes.as_array().unwrap().iter();
            notes.map(|note| text(&note["message"]).to_owned()).collect()
        };
        assert_eq!(
            told(&report["skipped"]),
            ["messages.weather\u{fffd}", "mood", "session.settings.x"]
                .map(|field| format!("{field} is not known to this version"))
        );
        assert_eq!(
            told(&report["adapted"]),
            ["this server has no model gone/model: its own takes the place"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_document_may_be_laid_out_anew() {
    story(async |world| {
        let tale = rich_tale(world, freya()).await;
        let document = document(world, freya(), &tale.session).await;
        let value: Value = serde_json::from_str(&document).unwrap();
        let session = document.lines().nth(1).unwrap();
        let reordered = format!(
            "{{ \"format\": \"skald-session\", \"version\": \"1.1\", {session} \"personas\": {},
               \"characters\": {}, \"messages\": {}, \"tips\": {}, \"head\": {} }}",
            value["personas"], value["characters"], value["messages"], value["tips"], value["head"],
        );
        for content in [&reordered, &format!("\u{feff}{document}")] {
            let made = import(world, freya(), content).await;
            assert_eq!(self::document(world, freya(), &id(&made["session"])).await, document);
        }
    })
    .await;
}

#[tokio::test]
async fn a_leaf_that_is_named_twice_was_visited_where_it_stands_last() {
    story(async |world| {
        let tale = rich_tale(world, freya()).await;
        let document = document(world, freya(), &tale.session).await;
        let value: Value = serde_json::from_str(&document).unwrap();
        let tips: Vec<String> =
            value["tips"].as_array().unwrap().iter().map(Value::to_string).collect();
        assert!(tips.len() > 1, "{tips:?}");
        let written = format!("\"tips\":[{}]", tips.join(","));
        let often =
            format!("\"tips\":[{}{}]", format!("{},", tips[1]).repeat(1000), tips.join(","));
        assert!(document.contains(&written));
        let made = import(world, freya(), &document.replacen(&written, &often, 1)).await;
        assert_eq!(self::document(world, freya(), &id(&made["session"])).await, document);
    })
    .await;
}
