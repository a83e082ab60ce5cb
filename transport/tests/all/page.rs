//! The page at `/` and its files.

use skald_transport::{Asset, Settings};

use crate::server::{Answer, TestServer};

const ASSETS: &[Asset] = &[
    Asset { path: "index.html", content_type: "text/html; charset=utf-8", bytes: b"<p>built" },
    Asset { path: "assets/index-4f2a91bc.js", content_type: "text/javascript", bytes: b"1" },
    Asset { path: "/favicon.svg", content_type: "image/svg+xml", bytes: b"<svg/>" },
];

async fn get(server: &TestServer, path: &str, accept: &str) -> Answer {
    Answer::of(server.get(path).header("accept", accept).send().await.unwrap()).await
}

#[tokio::test]
async fn the_page_and_its_files_are_served() {
    let server = TestServer::with(Settings::default(), ASSETS).await;
    let index = get(&server, "/", "text/html").await;
    assert_eq!((index.status, &*index.text), (200, "<p>built"));
    assert_eq!(index.header("cache-control"), "no-cache");
    assert!(index.header("content-security-policy").contains("worker-src 'self' blob:"));
    assert_eq!(index.header("x-frame-options"), "DENY");

    let script = get(&server, "/assets/index-4f2a91bc.js", "*/*").await;
    assert_eq!((script.status, script.header("content-type")), (200, "text/javascript"));
    assert!(script.header("cache-control").contains("immutable"));
    assert_eq!(get(&server, "/favicon.svg", "*/*").await.status, 200);
    for path in ["/assets/../Cargo.toml", "/assets/none.js", "/%2e%2e/etc/passwd"] {
        assert_eq!(get(&server, path, "*/*").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_page_that_was_not_built_says_how_to_build_it() {
    let server = TestServer::start().await;
    let page = get(&server, "/", "text/html").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("npm ci &amp;&amp; npm run build"));
}

#[tokio::test]
async fn a_browser_on_the_graphql_path_is_led_to_the_page() {
    let server = TestServer::start().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let visit = get(&server, "/graphql", browser).await;
    assert_eq!((visit.status, visit.header("location")), (303, "/"));
    let query = get(&server, "/graphql?query=%7Bhello%7D", browser).await;
    assert_eq!((query.status, query.json()["data"]["hello"].as_str()), (200, Some("hello")));
    assert_eq!(get(&server, "/graphql", "*/*").await.status, 400);
}

#[tokio::test]
async fn the_page_can_be_switched_off() {
    let server = TestServer::with_settings(|settings| settings.graphiql = false).await;
    assert_eq!(get(&server, "/", "text/html").await.status, 404);
    assert_eq!(get(&server, "/graphql", "text/html,*/*;q=0.1").await.status, 400);
}
