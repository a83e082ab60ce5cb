//! Limits that are checked before anything is executed.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{Answer, TestServer};

/// Wants `query` to be refused for `limit`.
async fn refused(server: &TestServer, query: &str, limit: &str, allowed: usize) {
    let answer = server.ask(query).await;
    assert_eq!((answer.status, &*answer.code()), (400, "LIMIT_EXCEEDED"), "{limit}");
    assert_eq!((answer.error("limit"), answer.error("allowed")), (json!(limit), json!(allowed)));
    assert!(answer.json().get("data").is_none());
}

/// `levels` of `child` below `node`, with a name at the bottom.
fn nested(levels: usize) -> String {
    format!("{{ node {} name {} }}", "{ child ".repeat(levels) + "{", "}".repeat(levels + 1))
}

#[tokio::test]
async fn each_limit_is_named_with_what_it_allows() {
    let server = TestServer::start().await;
    let many = |part: &dyn Fn(usize) -> String, count: usize| {
        (0..count).fold(String::new(), |text, index| text + &part(index))
    };
    let text = format!("{{ hello }} #{}", "x".repeat(70_000));
    refused(&server, &text, "queryBytes", 65_536).await;
    refused(&server, &format!("{{ {} }}", "hello ".repeat(2_000)), "tokens", 2_000).await;
    refused(&server, &format!("{{ echo(text: {}", "[".repeat(100)), "nesting", 64).await;
    refused(&server, &nested(15), "depth", 15).await;
    let aliases = many(&|index| format!("a{index}: hello "), 31);
    let aliases = format!("{{ node {{ ...F }} }} fragment F on Query {{ {aliases} }}");
    refused(&server, &aliases, "aliases", 30).await;
    let fields = format!("{{ ...F }} fragment F on Query {{ {} }}", "hello ".repeat(21));
    refused(&server, &fields, "rootFields", 20).await;
    let directives = format!("{{ hello {} }}", "@include(if: true) ".repeat(21));
    refused(&server, &directives, "directives", 20).await;
}

#[tokio::test]
async fn what_the_limits_allow_is_answered() {
    let server = TestServer::start().await;
    for query in [nested(13), format!("{{ {} }}", "hello ".repeat(20))] {
        let answer = server.ask(&query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.json().get("errors").is_none(), "{answer:?}");
    }
}

#[tokio::test]
async fn the_schemas_own_complexity_limit_has_a_code_too() {
    let server = TestServer::with_settings(|settings| settings.documents.complexity = 400).await;
    let query = format!("{{ node {{ {} }} }}", "child { name } ".repeat(300));
    refused(&server, &query, "complexity", 400).await;
}

#[tokio::test]
async fn a_fragment_bomb_takes_linear_time() {
    let server = TestServer::start().await;
    let mut bomb = "{ node { ...F0 } } ".to_owned();
    for level in 0..100 {
        let next = level + 1;
        write!(bomb, "fragment F{level} on Node {{ ...F{next} ...F{next} }} ").unwrap();
    }
    bomb.push_str("fragment F100 on Node { name }");
    let start = Instant::now();
    refused(&server, &bomb, "expandedSelections", 5_000).await;
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn fragments_that_spread_themselves_are_refused() {
    let server = TestServer::start().await;
    for query in [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { node { ...A } }",
        "{ hello } fragment A on Query { ...B } fragment B on Query { ...A }",
    ] {
        let answer = server.ask(query).await;
        assert_eq!((answer.status, &*answer.code()), (400, "GRAPHQL_VALIDATION_FAILED"));
        assert!(answer.json()["errors"][0]["message"].as_str().unwrap().contains("spreads itself"));
    }
}

#[tokio::test]
async fn long_chains_of_fragments_are_refused_by_depth() {
    let server = TestServer::start().await;
    let mut chain = "{ ...F0 } ".to_owned();
    for level in 0..200 {
        write!(chain, "fragment F{level} on Query {{ ...F{} }} ", level + 1).unwrap();
    }
    chain.push_str("fragment F200 on Query { hello }");
    let answer = server.ask(&chain).await;
    assert_eq!((answer.status, &*answer.code()), (400, "LIMIT_EXCEEDED"));
    assert_eq!(answer.error("limit"), "depth");
}

#[tokio::test]
async fn deep_brackets_do_not_overflow_the_parsers_stack() {
    let server = TestServer::start().await;
    for text in ["{a".repeat(60), "{a(b:".to_owned() + &"[".repeat(60), "{a".repeat(990)] {
        assert_eq!(server.ask(&text).await.status, 400);
    }
    let json = "[".repeat(100_000);
    let request = server.post().header("content-type", "application/json").body(json);
    assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 400);
}

/// What GraphiQL asks first, as graphql-js writes it.
const INTROSPECTION: &str = "query IntrospectionQuery { __schema { description
  queryType { name kind } mutationType { name kind } subscriptionType { name kind }
  types { ...FullType } directives { name description isRepeatable locations
  args(includeDeprecated: true) { ...InputValue } } } }
  fragment FullType on __Type { kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue }
  type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef } }
  fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue
  isDeprecated deprecationReason }
  fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name } } } } } } } } } }";

#[tokio::test]
async fn graphiql_may_read_the_schema() {
    let server = TestServer::start().await;
    let answer = server.ask(INTROSPECTION).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["data"]["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test]
async fn the_schema_cannot_be_multiplied_with_itself() {
    let server = TestServer::start().await;
    let query = "{ __schema { types { fields { type { fields { type { ...T } } } } } } }
        fragment T on __Type { fields { name } }";
    refused(&server, query, "introspectionLists", 2).await;
}

#[tokio::test]
async fn introspection_can_be_switched_off() {
    let server = TestServer::with_settings(|settings| settings.introspection = false).await;
    for query in
        [INTROSPECTION, "{ hello ...F } fragment F on Query { __type(name: \"Node\") { name } }"]
    {
        let answer = server.ask(query).await;
        assert_eq!((answer.status, &*answer.code()), (400, "GRAPHQL_VALIDATION_FAILED"));
    }
    assert_eq!(server.ask("{ __typename hello }").await.status, 200);
}

#[tokio::test]
async fn the_operation_is_chosen_by_name() {
    let server = TestServer::start().await;
    let query = "query A { hello } query B { echo(text: \"b\") }";
    let ask = async |name: Option<&str>| {
        let request = server
            .post()
            .header("accept", "application/graphql-response+json")
            .json(&json!({ "query": query, "operationName": name }));
        Answer::of(request.send().await.unwrap()).await
    };
    assert_eq!(ask(Some("B")).await.json()["data"]["echo"], "b");
    assert_eq!(ask(Some("C")).await.code(), "BAD_REQUEST");
    assert_eq!(ask(None).await.code(), "BAD_REQUEST");
    assert_eq!(ask(Some("")).await.code(), "BAD_REQUEST");
}
