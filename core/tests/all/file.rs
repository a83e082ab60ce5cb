//! Files over HTTP: links that need no other permission, and what is behind them.

use axum::{
    Router,
    body::{Body, Bytes},
};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use skald_base::Viewer;
use skald_core::{FileSettings, file::upload::sweep, http::router};
use tower::ServiceExt;

use crate::harness::{Plan, Tale, World, bjorn, freya, id, story, story_with};

/// What a server answered: status, a header by name, body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: axum::http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn http(world: &World, method: &str, url: &str, body: Body) -> Answer {
    let routes: Router = router(world.app.clone());
    let request = axum::http::Request::builder().method(method).uri(url).body(body).unwrap();
    let (parts, body) = routes.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let body = String::from_utf8(body).unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// What a link leads to, whatever it is.
pub(crate) struct Fetched {
    pub(crate) status: u16,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) async fn fetch(world: &World, url: &str) -> Fetched {
    let routes: Router = router(world.app.clone());
    let request = axum::http::Request::get(url).body(Body::empty()).unwrap();
    let (parts, body) = routes.oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    Fetched { status: parts.status.as_u16(), bytes }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub(crate) async fn room(world: &World, who: Viewer, input: Value) -> Value {
    world.does(who, "createUpload", input).await["upload"].clone()
}

pub(crate) async fn link(world: &World, who: Viewer, input: Value) -> Value {
    world.does(who, "exportSession", input).await["export"].clone()
}

pub(crate) fn files(world: &World) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(world.files.path()).unwrap();
    let mut found: Vec<(String, String)> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let content = std::fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), content)
        })
        .collect();
    found.sort();
    found
}

/// A body that comes in pieces and then breaks off.
fn broken(pieces: &[&'static str]) -> Body {
    let pieces: Vec<Result<Bytes, std::io::Error>> = pieces
        .iter()
        .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
        .chain([Err(std::io::Error::other("gone"))])
        .collect();
    Body::from_stream(stream::iter(pieces))
}

#[tokio::test]
async fn a_file_is_sent_again_after_it_broke_off() {
    story(async |world| {
        let upload = room(world, freya(), json!({ "fileName": "../../etc/Повесть.json" })).await;
        assert_eq!(upload["maxBytes"], 128 * 1024 * 1024);
        let url = text(&upload["url"]);
        assert!(url.starts_with("/files/uploads/"), "{url}");
        let answer = http(world, "PUT", url, broken(&["once ", "upon"])).await;
        assert_eq!((answer.status, answer.body.lines().count()), (400, 1));
        assert_eq!(files(world), []);
        for content in ["once upon a time", "a second version"] {
            let answer = http(world, "PUT", url, Body::from(content)).await;
            assert_eq!((answer.status, answer.body.as_str()), (204, ""));
            assert_eq!(files(world), [(id(&upload), content.to_owned())]);
        }
        // A transfer that breaks off takes nothing away.
        http(world, "PUT", url, broken(&["nothing"])).await;
        assert_eq!(files(world), [(id(&upload), "a second version".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn the_last_of_two_transfers_counts() {
    story(async |world| {
        let upload = room(world, freya(), json!({ "fileName": "a" })).await;
        let url = text(&upload["url"]);
        let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
        let endless = stream::once(async move {
            begun.send(()).await.unwrap();
            Ok::<_, std::io::Error>(Bytes::from_static(b"slow"))
        })
        .chain(stream::pending());
        let first = http(world, "PUT", url, Body::from_stream(endless));
        let second = async {
            has_begun.recv().await.unwrap();
            http(world, "PUT", url, Body::from("quick")).await
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first.status, second.status), (409, 204));
        assert_eq!(files(world), [(id(&upload), "quick".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let plan = || {
        let files = FileSettings {
            upload_bytes: 10,
            uploads_per_user: 3,
            upload_bytes_per_user: 25,
            idle_ms: 50,
            ..FileSettings::default()
        };
        (Plan { files, ..Plan::default() }, ())
    };
    story_with(plan, async |world, ()| {
        let denied = async |input: Value| world.denied(freya(), "createUpload", input).await;
        assert_eq!(denied(json!({ "fileName": "a", "byteSize": 11 })).await, "LIMIT_EXCEEDED");
        assert_eq!(denied(json!({ "fileName": "a", "byteSize": 0 })).await, "BAD_USER_INPUT");
        assert_eq!(denied(json!({ "fileName": " " })).await, "BLANK");

        let open = room(world, freya(), json!({ "fileName": "a" })).await;
        let url = text(&open["url"]);
        let whole = http(world, "PUT", url, Body::from("01234567890")).await;
        assert_eq!((whole.status, whole.body.as_str()), (413, "this file may have 10 bytes\n"));
        let pieces = ["01234", "56789", "0"].map(Ok::<_, std::io::Error>);
        let chunked = Body::from_stream(stream::iter(pieces));
        assert_eq!(http(world, "PUT", url, chunked).await.status, 413);
        let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(http(world, "PUT", url, silent).await.status, 408);
        assert_eq!(files(world), []);
        assert_eq!(http(world, "PUT", url, Body::from("0123456789")).await.status, 204);

        let exact = room(world, freya(), json!({ "fileName": "b", "byteSize": 5 })).await;
        assert_eq!(exact["maxBytes"], 5);
        let url = text(&exact["url"]);
        assert_eq!(http(world, "PUT", url, Body::from("1234")).await.status, 400);
        assert_eq!(http(world, "PUT", url, Body::from("123456")).await.status, 413);
        assert_eq!(http(world, "PUT", url, Body::from("12345")).await.status, 204);

        assert_eq!(denied(json!({ "fileName": "c", "byteSize": 10 })).await, Value::Null);
        assert_eq!(denied(json!({ "fileName": "d", "byteSize": 1 })).await, "LIMIT_EXCEEDED");
        assert_eq!(
            world.denied(bjorn(), "createUpload", json!({ "fileName": "c" })).await,
            Value::Null
        );
    })
    .await;
}

#[tokio::test]
async fn all_files_of_a_player_have_a_size() {
    let plan = || {
        let files =
            FileSettings { upload_bytes: 10, upload_bytes_per_user: 15, ..FileSettings::default() };
        (Plan { files, ..Plan::default() }, ())
    };
    story_with(plan, async |world, ()| {
        room(world, freya(), json!({ "fileName": "a" })).await;
        let denied = async |size: i32| {
            world
                .denied(freya(), "createUpload", json!({ "fileName": "b", "byteSize": size }))
                .await
        };
        assert_eq!(denied(6).await, "LIMIT_EXCEEDED");
        assert_eq!(denied(5).await, Value::Null);
    })
    .await;
}

#[tokio::test]
async fn the_same_request_gives_the_same_link() {
    story(async |world| {
        let input = json!({ "fileName": "a.json", "clientRequestId": "one" });
        let first = room(world, freya(), input.clone()).await;
        assert_eq!(room(world, freya(), input).await, first);
        let other = json!({ "fileName": "b.json", "clientRequestId": "one" });
        assert_eq!(world.denied(freya(), "createUpload", other).await, "CONFLICT");
        assert_eq!(world.count("SELECT count(*) FROM upload").await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_has_expired_is_deleted() {
    let plan = || {
        let files =
            FileSettings { upload_seconds: 1, export_seconds: 0, ..FileSettings::default() };
        (Plan { files, ..Plan::default() }, ())
    };
    story_with(plan, async |world, ()| {
        let tale = world.tale(freya()).await;
        let input = json!({ "sessionId": tale.session, "format": "NATIVE_JSON" });
        let export = link(world, freya(), input).await;
        let answer = http(world, "GET", text(&export["url"]), Body::empty()).await;
        assert_eq!(
            (answer.status, answer.body),
            (403, "the link is not valid, or not any more\n".into())
        );

        let input = json!({ "fileName": "a", "clientRequestId": "gone" });
        let upload = room(world, freya(), input.clone()).await;
        let url = text(&upload["url"]);
        assert_eq!(http(world, "PUT", url, Body::from("1")).await.status, 204);
        sweep(&world.app).await.map_err(|error| error.describe()).unwrap();
        assert_eq!(files(world).len(), 1);
        crate::harness::eventually(async || {
            http(world, "PUT", url, Body::from("1")).await.status == 403
        })
        .await;
        std::fs::write(world.files.path().join("not ours"), "x").unwrap();
        sweep(&world.app).await.map_err(|error| error.describe()).unwrap();
        assert_eq!(files(world), [("not ours".to_owned(), "x".to_owned())]);
        assert_eq!(world.count("SELECT count(*) FROM upload").await, 0);
        assert_eq!(world.denied(freya(), "createUpload", input).await, "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn a_link_is_good_for_what_it_was_made_for() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let input = json!({ "sessionId": tale.session, "format": "MARKDOWN" });
        let export = link(world, freya(), input).await;
        let export_url = text(&export["url"]).to_owned();
        let upload = room(world, freya(), json!({ "fileName": "a" })).await;
        let upload_url = text(&upload["url"]).to_owned();
        let token = |url: &str| url.split('/').nth(3).unwrap().to_owned();
        let crossed = [
            ("PUT", format!("/files/uploads/{}", token(&export_url))),
            ("GET", format!("/files/exports/{}/a.md", token(&upload_url))),
            ("PUT", format!("{upload_url}A")),
            ("GET", export_url.replacen(&token(&export_url)[..4], "AAAA", 1)),
            ("GET", "/files/exports/x/y".to_owned()),
        ];
        for (method, url) in crossed {
            let answer = http(world, method, &url, Body::from("1")).await;
            assert_eq!(answer.status, 403, "{method} {url}");
            assert_eq!(answer.body, "the link is not valid, or not any more\n");
        }
        assert_eq!(http(world, "GET", &export_url, Body::empty()).await.status, 200);
        // Access is checked when the link is used.
        let leave = world.db.write("DELETE FROM session_participant").execute().await;
        assert_eq!(leave.unwrap(), 1);
        assert_eq!(http(world, "GET", &export_url, Body::empty()).await.status, 403);
    })
    .await;
}

#[tokio::test]
async fn an_export_has_its_name_and_is_kept_by_nobody() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let input = json!({ "id": tale.session, "title": "Маяк / ночь" });
        world.does(freya(), "updateSession", input).await;
        let input = json!({ "sessionId": tale.session, "format": "NATIVE_JSON" });
        let export = link(world, freya(), input).await;
        assert_eq!(export["fileName"], "Маяк ночь.skald.json");
        let url = text(&export["url"]);
        for method in ["GET", "HEAD"] {
            let answer = http(world, method, url, Body::empty()).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-type"), "application/json");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            let disposition = answer.header("content-disposition");
            assert!(disposition.starts_with("attachment; filename=\"____ ____.skald.json\""));
            assert!(disposition.ends_with(
                "UTF-8''%D0%9C%D0%B0%D1%8F%D0%BA%20%D0%BD%D0%BE%D1%87%D1%8C.skald.json"
            ));
            assert_eq!(answer.body.is_empty(), method == "HEAD");
        }
    })
    .await;
}

/// A story with everything that an export has to carry.
pub(crate) async fn rich_tale(world: &World, who: Viewer) -> Tale {
    let tale = world.tale(who).await;
    let input = json!({ "id": tale.session, "title": "Маяк \u{1F3EE} \"ночь\"", "language": "ru",
        "relationship": "старые\nдрузья", "settings": { "style": { "tense": "PAST" } },
        "tags": ["Море", "sea & storm"] });
    world.does(who, "updateSession", input).await;
    let (sent, reply) = world.talks(who, &tale, "Я зажигаю лампу. \u{1F56F}\u{FE0F}").await;
    let swipe = world.does(who, "regenerateReply", json!({ "messageId": id(&reply) })).await;
    world.ends(who, &id(&swipe["reply"])).await;
    let (_, last) = world.talks(who, &tale, "# Не заголовок\n\n---").await;
    let edit = json!({ "messageId": id(&last), "content": "Дождь.", "mode": "IN_PLACE" });
    world.does(who, "editMessage", edit).await;
    let edit = json!({ "messageId": id(&last), "content": "Снег.", "mode": "IN_PLACE" });
    world.does(who, "editMessage", edit).await;
    let edit = json!({ "messageId": id(&sent), "content": "Я гашу лампу.", "mode": "SIBLING", "reply": true });
    let edited = world.does(who, "editMessage", edit).await;
    world.ends(who, &id(&edited["reply"])).await;
    let narrate =
        json!({ "sessionId": tale.session, "speaker": { "narrator": { "task": "SCENE" } } });
    let scene = world.does(who, "requestReply", narrate).await;
    world.ends(who, &id(&scene["reply"])).await;
    world.does(who, "selectMessage", json!({ "messageId": id(&last) })).await;
    let mark = json!({ "messageId": id(&reply), "name": "Маяк \"1\"" });
    world.does(who, "bookmarkMessage", mark).await;
    tale
}

#[tokio::test]
async fn a_document_holds_the_whole_session() {
    story(async |world| {
        let tale = rich_tale(world, freya()).await;
        let input = json!({ "sessionId": tale.session, "format": "NATIVE_JSON" });
        let url = link(world, freya(), input).await["url"].clone();
        let text = http(world, "GET", text(&url), Body::empty()).await.body;
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&document["format"], &document["version"]),
            (&json!("skald-session"), &json!("1.2"))
        );
        assert_eq!(document["personas"][0]["name"], "Astrid");
        assert_eq!(document["characters"][0]["description"], "An innkeeper with a burn scar.");
        assert_eq!(document["session"]["settings"]["style"]["tense"], "PAST");
        assert_eq!(document["session"]["cast"], json!([{ "name": "Mira", "character": 0 }]));
        assert_eq!(document["session"]["tags"], json!(["Море", "sea & storm"]));
        let messages = document["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 9);
        for (number, message) in messages.iter().enumerate() {
            assert_eq!(message["number"], number);
            let parent = message["parent"].as_u64();
            assert!(parent.is_none_or(|parent| parent < number as u64), "{message}");
            assert!(text.contains(&format!("\n{{\"number\":{number},")), "one line each");
        }
        let edited = messages.iter().find(|message| message["content"] == "Снег.").unwrap();
        assert_eq!(edited["revisions"].as_array().unwrap().len(), 2);
        assert_eq!(edited["generation"]["model"], "skald/offline");
        let sibling =
            messages.iter().find(|message| message["content"] == "Я гашу лампу.").unwrap();
        let original = usize::try_from(sibling["editedFrom"].as_u64().unwrap()).unwrap();
        assert!(messages[original]["content"].as_str().unwrap().starts_with("Я зажигаю"));
        let head = usize::try_from(document["head"].as_u64().unwrap()).unwrap();
        assert_eq!(messages[head]["content"], "Снег.");
        assert_eq!(document["tips"].as_array().unwrap().last().unwrap(), head);
        let databases_know = ["message_", "session_", "persona_", "character_", "user_"];
        assert!(databases_know.iter().all(|id| !text.contains(&format!("\"{id}01"))));
    })
    .await;
}

#[tokio::test]
async fn a_path_reads_as_a_text() {
    story(async |world| {
        let tale = rich_tale(world, freya()).await;
        let path = world.path(freya(), &tale, None).await;
        let input = json!({ "sessionId": tale.session, "format": "MARKDOWN", "leafId": path[1] });
        let url = link(world, freya(), input).await["url"].clone();
        let short = http(world, "GET", text(&url), Body::empty()).await.body;
        assert_eq!(
            short,
            "# Маяк \u{1F3EE} \"ночь\"\n\nНа сцене: Mira\n\nВаш персонаж: Astrid\n\n---\n\n\
             **Mira**\n\nMira looks Astrid over.\n\n**Astrid**\n\nЯ зажигаю лампу. \u{1F56F}\u{FE0F}\n"
        );
        let input = json!({ "sessionId": tale.session, "format": "MARKDOWN" });
        let url = link(world, freya(), input).await["url"].clone();
        let whole = http(world, "GET", text(&url), Body::empty()).await.body;
        assert!(whole.contains("\n\\# Не заголовок\n\n\\---\n") && whole.ends_with("\nСнег.\n"), "{whole}");
        assert!(!whole.contains("Дождь.") && !whole.contains("гашу"));
        let input = json!({ "sessionId": tale.session, "format": "NATIVE_JSON", "leafId": path[1] });
        assert_eq!(world.denied(freya(), "exportSession", input).await, "BAD_USER_INPUT");
    })
    .await;
}

#[tokio::test]
async fn what_is_being_written_goes_out_as_it_is() {
    crate::harness::scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let turn = world.says(freya(), &tale, "Go on.").await;
        let call = script.call().await;
        call.say("Half a sent").await;
        let input = json!({ "sessionId": tale.session, "format": "NATIVE_JSON" });
        let export = link(world, freya(), input).await;
        let document = async || -> Value {
            let body = http(world, "GET", text(&export["url"]), Body::empty()).await.body;
            serde_json::from_str(&body).unwrap()
        };
        crate::harness::eventually(async || {
            document().await["messages"][2]["content"] == "Half a sent"
        })
        .await;
        assert_eq!(document().await["messages"][2]["status"], "INTERRUPTED");
        world.does(freya(), "stopReply", json!({ "messageId": id(&turn["reply"]) })).await;
        world.ends(freya(), &id(&turn["reply"])).await;
        assert_eq!(document().await["messages"][2]["status"], "STOPPED");
    })
    .await;
}
