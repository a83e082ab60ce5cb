//! Codes, masking and the size of error answers.

use serde_json::json;

use crate::server::TestServer;
use crate::websocket::Socket;

#[tokio::test]
async fn what_a_resolver_says_with_a_code_is_passed_on() {
    let server = TestServer::start().await;
    let answer = server.ask("{ nullable }").await;
    assert_eq!(answer.status, 200);
    let error = &answer.json()["errors"][0];
    assert_eq!(error["message"], "not yours");
    assert_eq!(error["path"], json!(["nullable"]));
    assert_eq!(error["extensions"], json!({ "code": "FORBIDDEN" }));
}

#[tokio::test]
async fn faults_are_masked_and_found_again_by_the_request_id() {
    let server = TestServer::start().await;
    for query in ["{ fault }", "{ ioFault }", "{ panic }"] {
        let answer = server.ask(query).await;
        assert_eq!((answer.status, &*answer.code()), (200, "INTERNAL_SERVER_ERROR"), "{query}");
        assert_eq!(answer.json()["errors"][0]["message"], "internal error");
        assert_eq!(answer.error("requestId"), answer.header("x-request-id"));
        assert!(!answer.text.contains("10.0.0.7") && !answer.text.contains("/etc"), "{query}");
    }
}

#[tokio::test]
async fn values_that_do_not_fit_are_the_clients_input() {
    let server = TestServer::start().await;
    let cases = [
        ("{ sum(a: \"one\") }", json!({})),
        ("{ sum(a: 11) }", json!({})),
        ("query($a: Int!) { sum(a: $a) }", json!({})),
        ("query($a: Int!) { sum(a: $a) }", json!({ "a": null })),
        ("query($a: Int!) { sum(a: $a) }", json!({ "a": "one" })),
        ("query($a: Int!) { sum(a: $a) }", json!({ "a": 3_000_000_000_u64 })),
        ("query($a: Int!) { sum(a: $a) }", json!({ "a": [1, 2] })),
    ];
    for (query, variables) in cases {
        let answer = server.ask_with(query, variables.clone()).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{query} {variables} {}", answer.text);
    }
}

#[tokio::test]
async fn documents_that_do_not_fit_the_schema_fail_validation() {
    let server = TestServer::start().await;
    for query in [
        "{ nope }",
        "{ echo }",
        "{ node }",
        "{ hello { name } }",
        "{ echo(text: \"a\", nope: 1) }",
        "{ ...Unknown }",
        "query($a: Int) { hello }",
        "query($a: Nope!) { hello }",
        "{ hello @nope }",
        "{ a: hello a: echo(text: \"x\") }",
        "fragment F on Query { hello } { hello }",
    ] {
        let answer = server.ask_with(query, json!({ "a": 1 })).await;
        assert_eq!((answer.status, &*answer.code()), (400, "GRAPHQL_VALIDATION_FAILED"), "{query}");
    }
}

#[tokio::test]
async fn syntax_errors_say_what_was_expected_without_a_drawing() {
    let server = TestServer::start().await;
    for query in ["", "{", "{ hello", "query Q(", "{ a(b: ) }", "{ hello } { hello }", "\u{0}"] {
        let answer = server.ask(query).await;
        assert_eq!((answer.status, &*answer.code()), (400, "GRAPHQL_PARSE_FAILED"), "{query}");
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("syntax error: "), "{message}");
        assert!(!message.contains("-->") && !message.contains('\n'), "{message}");
    }
    let located = server.ask("{ a(b: ) }").await.json();
    assert_eq!(located["errors"][0]["locations"][0], json!({ "line": 1, "column": 8 }));
}

#[tokio::test]
async fn many_mistakes_get_a_short_answer() {
    let server = TestServer::start().await;
    let fields = (0..300).fold(String::new(), |text, index| text + &format!("unknown{index} "));
    let answer = server.ask(&format!("{{ node {{ {fields} }} }}")).await;
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 20);

    let answer = server.ask("{ faults }").await;
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 20);
    assert_eq!(answer.json()["data"]["faults"].as_array().unwrap().len(), 50);

    let long = "x".repeat(60_000);
    let answer = server.ask(&format!("{{ {long} }}")).await;
    assert!(answer.text.len() < 2_000, "{}", answer.text.len());
    let answer = server.ask(&format!("{{ {long}: nullable }}")).await;
    assert_eq!(answer.code(), "FORBIDDEN");
    assert!(answer.text.len() < 256 * 1024, "{}", answer.text.len());
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_sent() {
    let server = TestServer::with_settings(|settings| settings.requests.answer_bytes = 300).await;
    let ask = async |length: usize| {
        let variables = json!({ "text": "x".repeat(length) });
        server.ask_with("query ($text: String!) { echo(text: $text) }", variables).await
    };
    // {"data":{"echo":""}} is twenty bytes.
    assert_eq!(ask(280).await.text.len(), 300);
    let refused = ask(281).await;
    assert_eq!((refused.status, &*refused.code()), (200, "LIMIT_EXCEEDED"));
    assert_eq!((refused.error("limit"), refused.error("allowed")), ("answer".into(), 300.into()));
    assert!(refused.json()["data"].is_null());

    let mut socket = Socket::ready(&server).await;
    socket.subscribe("f", "subscription { firehose }").await;
    let event = socket.message().await;
    assert_eq!(event["type"], "next");
    assert_eq!(event["payload"]["errors"][0]["extensions"]["limit"], "answer");
}
