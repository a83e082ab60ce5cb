//! Where a failed field's null goes.
//!
//! One test per kind of resolver: earlier versions of the library left failed fields out of
//! `data`, which breaks typed clients, so a change of version must not change these.

use serde_json::{Value, json};

use crate::server::TestServer;

async fn data(query: &str) -> Value {
    let answer = TestServer::start().await.ask(query).await;
    assert_eq!((answer.status, &*answer.code()), (200, "FORBIDDEN"), "{query}");
    answer.json()["data"].clone()
}

#[tokio::test]
async fn a_non_null_field_at_the_root_takes_everything() {
    assert_eq!(data("{ hello required }").await, Value::Null);
}

#[tokio::test]
async fn an_optional_result_is_null_by_itself() {
    assert_eq!(data("{ hello nullable }").await, json!({ "hello": "hello", "nullable": null }));
}

/// Not as the specification says, which is why resolvers must not be written so.
#[tokio::test]
async fn a_result_of_an_option_takes_its_parent() {
    assert_eq!(data("{ hello nullableInside }").await, Value::Null);
}

#[tokio::test]
async fn a_non_null_child_takes_its_nullable_parent() {
    assert_eq!(
        data("{ hello maybeNode { name required } }").await,
        json!({ "hello": "hello", "maybeNode": null })
    );
}

#[tokio::test]
async fn a_nullable_child_takes_nobody() {
    assert_eq!(
        data("{ nodes { name denied } }").await,
        json!({ "nodes": [{ "name": "one", "denied": null }, { "name": "two", "denied": null }] })
    );
}

#[tokio::test]
async fn a_non_null_child_of_a_list_takes_the_list() {
    assert_eq!(data("{ hello nodes { required } }").await, Value::Null);
}

/// The library lets a guard's refusal through `?`, so it behaves as a result of an option.
#[tokio::test]
async fn a_guard_on_a_nullable_field_takes_its_parent() {
    assert_eq!(data("{ hello guarded }").await, Value::Null);
}
