//! POST and GET: methods, media types, bodies, tokens.

use serde_json::json;

use crate::server::{Answer, TestServer};

#[tokio::test]
async fn a_query_is_answered() {
    let server = TestServer::start().await;
    let answer = server.ask("{ hello }").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, r#"{"data":{"hello":"hello"}}"#);
    assert_eq!(answer.header("content-type"), "application/graphql-response+json; charset=utf-8");
    assert_eq!(answer.header("x-request-id").len(), 32);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn the_request_id_of_a_proxy_is_kept_if_it_is_harmless() {
    let server = TestServer::start().await;
    for (given, kept) in [("abc-123", true), ("a b", false), (&*"x".repeat(65), false)] {
        let response = server.get("/healthz").header("x-request-id", given).send().await.unwrap();
        assert_eq!(Answer::of(response).await.header("x-request-id") == given, kept, "{given}");
    }
}

#[tokio::test]
async fn only_queries_may_use_get() {
    let server = TestServer::start().await;
    let get = async |query: &[(&str, &str)]| {
        let url = reqwest::Url::parse_with_params(&server.url("/graphql"), query).unwrap();
        Answer::of(server.client.get(url).send().await.unwrap()).await
    };
    let answer =
        get(&[("query", "query($t: String!) { echo(text: $t) }"), ("variables", r#"{"t":"ü"}"#)])
            .await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "data": { "echo": "ü" } })));

    let mutation = get(&[("query", "mutation { touch }")]).await;
    assert_eq!((mutation.status, mutation.header("allow")), (405, "POST"));
    assert_eq!(mutation.code(), "BAD_REQUEST");

    assert_eq!(get(&[("query", "{ hello }"), ("variables", "{")]).await.status, 400);
    assert_eq!(get(&[]).await.status, 400);
}

#[tokio::test]
async fn other_methods_are_refused() {
    let server = TestServer::start().await;
    let response = server.client.put(server.url("/graphql")).send().await.unwrap();
    let answer = Answer::of(response).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn other_upgrades_are_ignored() {
    let server = TestServer::start().await;
    let request = server
        .post()
        .header("connection", "upgrade")
        .header("upgrade", "h2c")
        .json(&json!({ "query": "{ hello }" }));
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 200);
}

#[tokio::test]
async fn bodies_that_need_no_preflight_are_refused() {
    let server = TestServer::start().await;
    let body = r#"{"query":"mutation{touch}"}"#;
    let types =
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"];
    for content_type in types {
        let request = server.post().header("content-type", content_type).body(body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, &*answer.code()), (415, "BAD_REQUEST"), "{content_type}");
    }
    let answer = Answer::of(server.post().body(body).send().await.unwrap()).await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn what_the_client_cannot_read_is_not_sent() {
    let server = TestServer::start().await;
    let request = server.post().header("accept", "image/png").json(&json!({ "query": "{hello}" }));
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 406);
    let request = server
        .post()
        .header("accept", "application/json")
        .json(&json!({ "query": "subscription { tick }" }));
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 406);
}

#[tokio::test]
async fn malformed_bodies_are_the_clients_fault() {
    let server = TestServer::start().await;
    let bodies = [
        "",
        "{",
        "3",
        "[]",
        r#"[{"query":"{hello}"}]"#,
        "{}",
        r#"{"query":3}"#,
        r#"{"query":"{hello}","operationName":3}"#,
        r#"{"query":"{hello}","variables":[]}"#,
        r#"{"query":"{hello}","variables":"{}"}"#,
        r#"{"query":"{hello}","extensions":true}"#,
        "\"\\ud800\"",
    ];
    for body in bodies {
        for accept in ["application/json", "application/graphql-response+json"] {
            let request = server
                .post()
                .header("accept", accept)
                .header("content-type", "application/json")
                .body(body);
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!((answer.status, &*answer.code()), (400, "BAD_REQUEST"), "{body}");
            assert!(answer.json().get("data").is_none(), "{body}");
        }
    }
}

#[tokio::test]
async fn the_status_tells_a_request_error_from_a_field_error() {
    let server = TestServer::start().await;
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($a: Int!) { sum(a: $a) }", "BAD_USER_INPUT"),
        ("query A { hello } query B { hello }", "BAD_REQUEST"),
    ] {
        let modern = server.ask(query).await;
        assert_eq!((modern.status, &*modern.code()), (400, code), "{query}");
        assert!(modern.json().get("data").is_none(), "{query}");
        let request = server.post().json(&json!({ "query": query }));
        let old = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((old.status, &*old.code()), (200, code), "{query}");
    }
    assert_eq!(server.ask("{ required }").await.status, 200);
}

#[tokio::test]
async fn a_bad_token_is_refused_before_anything_runs() {
    let server = TestServer::start().await;
    let ask = async |authorization: &str| {
        let request = server
            .post()
            .header("authorization", authorization)
            .json(&json!({ "query": "{ viewer }" }));
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(ask("Bearer alice").await.json()["data"]["viewer"], "alice");
    assert_eq!(ask("bearer  alice").await.json()["data"]["viewer"], "alice");
    assert_eq!(ask("Basic YTpi").await.json()["data"]["viewer"], "nobody");
    for bad in ["Bearer mallory", "Bearer ", "Bearer"] {
        let answer = ask(bad).await;
        assert_eq!((answer.status, &*answer.code()), (401, "UNAUTHENTICATED"), "{bad}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
}

#[tokio::test]
async fn large_bodies_are_refused_whether_announced_or_not() {
    let server = TestServer::with_settings(|settings| settings.requests.body_bytes = 1000).await;
    let body = json!({ "query": "{ hello }", "extensions": { "x": "y".repeat(2000) } }).to_string();
    let announced = server.post().header("content-type", "application/json").body(body.clone());
    let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(body)]);
    let streamed = server
        .post()
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(chunks));
    for request in [announced, streamed] {
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, &*answer.code()), (413, "LIMIT_EXCEEDED"));
        assert_eq!(answer.error("limit"), "bodyBytes");
        assert_eq!(answer.error("allowed"), 1000);
    }
}

#[tokio::test]
async fn slow_bodies_are_given_up() {
    let server = TestServer::with_settings(|settings| settings.requests.body_read_ms = 100).await;
    let request =
        server.post().header("content-type", "application/json").body(reqwest::Body::wrap_stream(
            futures_util::stream::pending::<Result<String, std::io::Error>>(),
        ));
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((answer.status, &*answer.code()), (408, "TIMEOUT"));
}

#[tokio::test]
async fn long_queries_are_given_up() {
    let server = TestServer::with_settings(|settings| settings.requests.query_ms = 100).await;
    let answer = server.ask("{ wait }").await;
    assert_eq!((answer.status, &*answer.code()), (504, "TIMEOUT"));
    server.signals.dropped.notified().await;
}

#[tokio::test]
async fn only_listed_pages_may_read_answers() {
    let listed = "https://chat.example.org";
    let server =
        TestServer::with_settings(|settings| settings.allowed_origins = vec![listed.to_owned()])
            .await;
    for (origin, allowed) in [
        (listed, listed),
        ("https://chat.example.org.evil.com", ""),
        ("https://evil.com", ""),
        ("null", ""),
    ] {
        let request = server
            .client
            .request(reqwest::Method::OPTIONS, server.url("/graphql"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,authorization");
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
        let request = server.post().header("origin", origin).json(&json!({ "query": "{hello}" }));
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
    }
}
