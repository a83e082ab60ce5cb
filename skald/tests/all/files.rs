//! Files as a browser and `curl` send and fetch them.

use std::io::{Cursor, Read};

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    client::{Player, Reader, read_to_end, request_id},
    server::{LOG_FILE, each_home, sqlite_home},
};

const EXPORT: &str = "mutation($input: ExportSessionInput!) { exportSession(input: $input) {
    export { url fileName } errors { code message } } }";
const UPLOAD: &str = "mutation($input: CreateUploadInput!) { createUpload(input: $input) {
    upload { id url } errors { code message } } }";

const IMPORT: &str = "mutation($input: ImportSessionInput!) { importSession(input: $input) {
    session { id } report { format imported adapted { message } skipped { message } }
    errors { code message } } }";

async fn export(player: &Player, input: Value) -> Value {
    player.run(EXPORT, json!({ "input": input })).await["exportSession"].clone()
}

async fn export_url(player: &Player, session: &str) -> String {
    let input = json!({ "sessionId": session, "format": "NATIVE_JSON" });
    export(player, input).await["export"]["url"].as_str().unwrap().to_owned()
}

/// What a link leads to.
async fn fetch(player: &Player, export: &Value) -> Vec<u8> {
    let answer = player.http.get(export["export"]["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap().to_vec()
}

/// A mutation with one input, which creates something or not; its payload.
async fn does(player: &Player, name: &str, answer: &str, mut input: Value) -> Value {
    let of_type = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    if ["editMessage", "createUpload"].contains(&name) {
        input["clientRequestId"] = request_id().into();
    }
    let mutation = format!(
        "mutation($input: {of_type}!) {{ {name}(input: $input) {{ {answer} errors {{ code }} }} }}"
    );
    let payload = player.run(&mutation, json!({ "input": input })).await[name].clone();
    assert_eq!(payload["errors"], json!([]), "{payload}");
    payload
}

/// Sends a message and waits for the reply; both ids.
async fn talk(player: &Player, session: &str, content: &str) -> (String, String) {
    let reply = ended(player, player.send(session, content).await).await;
    let query = "query($id: ID!) { message(id: $id) { parentId } }";
    let message = player.run(query, json!({ "id": reply })).await;
    (message["message"]["parentId"].as_str().unwrap().to_owned(), reply)
}

async fn ended(player: &Player, reply: String) -> String {
    let (mut socket, _) = player.watch(&reply, 0).await;
    let (_, end) = read_to_end(&mut socket, Reader::default()).await;
    assert_eq!(end["status"], "COMPLETE");
    reply
}

/// Sends files and makes a session of them; its id.
async fn import(player: &Player, files: &[(String, Vec<u8>)]) -> String {
    let mut uploads = Vec::new();
    for (name, content) in files {
        let room = json!({ "fileName": name, "byteSize": content.len() });
        let room = does(player, "createUpload", "upload { id url }", room).await;
        let put = player.http.put(room["upload"]["url"].as_str().unwrap());
        assert_eq!(put.body(content.clone()).send().await.unwrap().status(), 204);
        uploads.push(room["upload"]["id"].clone());
    }
    let input = json!({ "uploadIds": uploads, "clientRequestId": request_id() });
    let made = player.run(IMPORT, json!({ "input": input })).await["importSession"].clone();
    assert_eq!((&made["errors"], &made["report"]["skipped"]), (&json!([]), &json!([])), "{made}");
    assert_eq!(made["report"]["format"], "SILLY_TAVERN");
    made["session"]["id"].as_str().unwrap().to_owned()
}

/// The files of an archive, in their order.
fn unpacked(archive: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let count = archive.len();
    let file = |place| {
        let mut file = archive.by_index(place).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name().unwrap().into_owned(), content)
    };
    (0..count).map(file).collect()
}

/// What other programs' chats can tell of a session: its tree in order, and where it stands.
async fn told(player: &Player, session: &str) -> Value {
    let input = json!({ "sessionId": session, "format": "NATIVE_JSON" });
    let document = fetch(player, &export(player, input).await).await;
    let document: Value = serde_json::from_slice(&document).unwrap();
    let messages = document["messages"].as_array().unwrap();
    let head = usize::try_from(document["head"].as_u64().unwrap()).unwrap();
    json!([messages[head]["content"], below(messages, &Value::Null)])
}

fn below(messages: &[Value], parent: &Value) -> Vec<Value> {
    let children = messages.iter().filter(|message| message["parent"] == *parent);
    let told = |message: &Value| {
        let at = message["createdAt"].as_str().unwrap();
        let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
        json!([
            message["role"],
            message["author"]["name"],
            message["content"],
            message["thought"],
            message["hiddenFromPrompt"],
            message["bookmark"],
            message["generation"]["model"],
            at.timestamp_millis(),
            below(messages, &message["number"])
        ])
    };
    children.map(told).collect()
}

/// A story with swipes, branches, an edit and things hidden and marked; its id and a leaf that is
/// not the head.
async fn branching(player: &Player) -> (String, String) {
    let session = player.begin().await;
    let title = json!({ "id": session, "title": "Маяк: ночь/день?" });
    does(player, "updateSession", "session { id }", title).await;
    let (_, first) = talk(player, &session, "Я зажигаю лампу. \u{1f56f}").await;
    let (said, leaf) = talk(player, &session, "Что там, внизу?\n\n\"Тихо\"").await;
    let swipe = ended(player, player.swipe(&leaf, "skald/offline").await).await;
    let edit =
        json!({ "messageId": said, "content": "Кто там?", "mode": "SIBLING", "reply": true });
    let edited = does(player, "editMessage", "reply { id }", edit).await;
    ended(player, edited["reply"]["id"].as_str().unwrap().to_owned()).await;
    talk(player, &session, "Дальше.").await;
    let hide = json!({ "messageId": said, "hidden": true });
    does(player, "hideMessage", "message { id }", hide).await;
    for (message, name) in [(&first, "Лампа"), (&swipe, "Внизу \"2\"")] {
        let mark = json!({ "messageId": message, "name": name });
        does(player, "bookmarkMessage", "message { id }", mark).await;
    }
    let in_place = json!({ "messageId": leaf, "content": "Никого.", "mode": "IN_PLACE" });
    does(player, "editMessage", "message { id }", in_place).await;
    (session, leaf)
}

#[tokio::test]
async fn a_tree_goes_to_another_program_and_comes_back() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let (session, leaf) = branching(&freya).await;
        let first = told(&freya, &session).await;
        let all = json!({ "sessionId": session, "format": "SILLY_TAVERN" });
        let link = export(&freya, all.clone()).await;
        assert_eq!(link["export"]["fileName"], "Маяк ночь день.zip");
        let chats = unpacked(fetch(&freya, &link).await);
        let names: Vec<&str> = chats.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Маяк ночь день 1.jsonl", "Маяк ночь день 2.jsonl"]);
        let made = import(&freya, &chats).await;
        assert_eq!(told(&freya, &made).await, first);

        let one = json!({ "sessionId": session, "format": "SILLY_TAVERN", "leafId": leaf });
        let link = export(&freya, one.clone()).await;
        let name = link["export"]["fileName"].as_str().unwrap().to_owned();
        assert_eq!(name, "Маяк ночь день.jsonl");
        let made = import(&freya, &[(name, fetch(&freya, &link).await)]).await;
        let path = "query($id: ID!, $leaf: ID) { session(id: $id) {
            path(leaf: $leaf) { nodes {
                id content hiddenFromPrompt author { name } } } } }";
        let path = async |session: &str, leaf: Option<&str>| {
            let data = freya.run(path, json!({ "id": session, "leaf": leaf })).await;
            data["session"]["path"]["nodes"].as_array().unwrap().clone()
        };
        let without_ids = |mut nodes: Vec<Value>| {
            for node in &mut nodes {
                node["id"] = Value::Null;
            }
            nodes
        };
        let (was, is) = (path(&session, Some(&leaf)).await, path(&made, None).await);
        let end = is.last().unwrap()["id"].as_str().unwrap().to_owned();
        assert_eq!(freya.message(&end).await["alternatives"]["count"], 2);
        assert_eq!(without_ids(is), without_ids(was));

        // For anybody else it is not there.
        let bjorn = Player::register(&server, "bjorn").await;
        for input in [all, one] {
            let refused = export(&bjorn, input).await;
            assert_eq!(refused["errors"][0]["code"], "NOT_FOUND", "{refused}");
            assert_eq!(refused["export"], Value::Null);
        }
        assert_eq!(server.stop().await, Some(0));
    })
    .await;
}

async fn upload(player: &Player) -> Value {
    let input = json!({ "fileName": "Secret name.json", "clientRequestId": request_id() });
    let data = player.run(UPLOAD, json!({ "input": input })).await;
    data["createUpload"]["upload"].clone()
}

#[tokio::test]
async fn links_need_nothing_else_and_leave_no_trace_in_the_log() {
    each_home(async |home| {
        let log = home.data().join("log.txt");
        let page = "https://chat.example.org";
        let origins = format!("[{page:?}]");
        let settings = [
            ("SKALD_LOG__FILTER", "trace"),
            ("SKALD_TRANSPORT__ALLOWED_ORIGINS", origins.as_str()),
            (LOG_FILE, log.to_str().unwrap()),
        ];
        let server = home.serve_with(&settings).await;
        let player = Player::register(&server, "hanna").await;
        let session = player.begin().await;
        let url = export_url(&player, &session).await;
        assert!(url.starts_with(server.url()), "{url}");
        let http = player.http.clone();
        let answer = http.get(&url).header(header::ORIGIN, page).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["access-control-allow-origin"], page);
        assert!(answer.headers().contains_key("x-request-id"));
        let document: Value = answer.json().await.unwrap();
        assert_eq!(document["format"], "skald-session");
        let head = http.head(&url).send().await.unwrap();
        assert_eq!(head.status(), 200);
        assert!(head.headers().contains_key("content-disposition"));
        assert_eq!(head.text().await.unwrap(), "");

        let upload = upload(&player).await;
        let target = upload["url"].as_str().unwrap();
        let asks = http.request(Method::OPTIONS, target).header(header::ORIGIN, page);
        let asks = asks.header("access-control-request-method", "PUT");
        let allowed = asks.send().await.unwrap();
        let methods = allowed.headers()["access-control-allow-methods"].to_str().unwrap();
        assert!(methods.contains("PUT"), "{methods}");
        // More than a request to the graph may have.
        let sent = http.put(target).body(vec![b'x'; 3 * 1024 * 1024]).send().await.unwrap();
        assert_eq!(sent.status(), 204);
        let get = http.get(target).send().await.unwrap();
        assert_eq!(get.status(), 405);

        assert_eq!(server.stop().await, Some(0));
        let log = std::fs::read_to_string(log).unwrap();
        for link in [&url, target] {
            let token = link.split('/').nth(5).unwrap();
            assert!(token.len() > 100 && !log.contains(token));
        }
        assert!(!log.contains("Secret name"));
    })
    .await;
}

#[tokio::test]
async fn links_begin_with_the_address_that_clients_know() {
    let home = sqlite_home();
    let server = home.serve().await;
    let player = Player::register(&server, "hanna").await;
    let session = player.begin().await;
    let mut headers = header::HeaderMap::new();
    headers.insert("x-forwarded-proto", "https".parse().unwrap());
    let behind_proxy = Player {
        http: reqwest::Client::builder().default_headers(headers).build().unwrap(),
        ..player.clone()
    };
    let url = export_url(&behind_proxy, &session).await;
    assert!(url.starts_with(&server.url().replace("http://", "https://")), "{url}");
    server.stop().await;

    let server = home.serve_with(&[("SKALD_PUBLIC_URL", "https://play.example.org/")]).await;
    let url = export_url(&player.on(&server), &session).await;
    assert!(url.starts_with("https://play.example.org/files/exports/"), "{url}");
    // A link outlives the process that made it.
    let path = url.trim_start_matches("https://play.example.org/");
    let answer = player.http.get(format!("{}{path}", server.url())).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}
