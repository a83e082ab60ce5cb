//! Files as a browser and `curl` send and fetch them.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    client::{Player, request_id},
    server::{LOG_FILE, each_home, sqlite_home},
};

const EXPORT: &str = "mutation($input: ExportSessionInput!) { exportSession(input: $input) {
    export { url fileName } errors { code message } } }";
const UPLOAD: &str = "mutation($input: CreateUploadInput!) { createUpload(input: $input) {
    upload { id url } errors { code message } } }";

async fn export_url(player: &Player, session: &str) -> String {
    let input = json!({ "sessionId": session, "format": "NATIVE_JSON" });
    let data = player.run(EXPORT, json!({ "input": input })).await;
    data["exportSession"]["export"]["url"].as_str().unwrap().to_owned()
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
