//! The public schema, and the two subgraphs it is made of.

use std::path::Path;

use serde_json::json;
use tokio::process::Command;

use crate::{client::Player, server::each_home};

async fn print(arguments: &[&str]) -> String {
    let skald = Command::new(env!("CARGO_BIN_EXE_skald")).arg("schema").args(arguments).output();
    String::from_utf8(skald.await.unwrap().stdout).unwrap()
}

#[tokio::test]
async fn the_committed_schema_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema.graphql");
    let committed = std::fs::read_to_string(file).unwrap();
    assert!(print(&[]).await == committed, "run `cargo run -p skald -- schema > schema.graphql`");
}

#[tokio::test]
async fn core_knows_users_by_id_alone() {
    let core = print(&["--subgraph", "core"]).await;
    let user = core.split("type User ").nth(1).unwrap().split('}').next().unwrap();
    assert!(user.contains("@key(fields: \"id\", resolvable: false)"), "{user}");
    let fields: Vec<_> =
        user.lines().filter(|line| line.contains(':') && !line.contains('@')).collect();
    assert_eq!(fields, ["\tid: ID!"]);
    let merged = print(&[]).await;
    assert!(!merged.contains("_entities") && !merged.contains("_service"));
    assert!(merged.contains("username: String!"));
}

#[tokio::test]
async fn users_are_whole_in_the_merged_graph() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let viewer = freya.run("{ viewer { id username } }", json!({})).await["viewer"].clone();
        let create = "mutation { createCharacter(input: { name: \"Ull\", visibility: PUBLIC,
            clientRequestId: \"ull\" }) { errors { code } } }";
        freya.run(create, json!({})).await;
        let query = "query($id: ID!) {
            node(id: $id) { __typename id ... on User { username } }
            characters(first: 1) { nodes { name creator { username } } } }";
        let data = freya.run(query, json!({ "id": viewer["id"] })).await;
        let username = &viewer["username"];
        assert_eq!(
            data["node"],
            json!({ "__typename": "User", "id": viewer["id"], "username": username })
        );
        let creator = json!({ "name": "Ull", "creator": { "username": username } });
        assert_eq!(data["characters"]["nodes"], json!([creator]));
        // An id that nobody has: null, and the rest of the answer stands.
        let query = "{ node(id: \"user_01h455vb4pex5vsknk084sn02q\") { id } viewer { id } }";
        let data = freya.run(query, json!({})).await;
        assert_eq!(data, json!({ "node": null, "viewer": { "id": viewer["id"] } }));
    })
    .await;
}
