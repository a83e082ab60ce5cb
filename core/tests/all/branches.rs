//! Where selecting a message leads in a session that was made out of another one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    fork::forks,
    harness::{Tale, World, freya, id, story},
    import::{document, import},
};

/// A greeting and three ways on from it, each with a reply; the player has been on all of them.
async fn three_ways(world: &World) -> Tale {
    let tale = world.tale(freya()).await;
    for way in ["North.", "South.", "West."] {
        let input = json!({ "sessionId": tale.session, "parentId": tale.greeting, "content": way });
        let turn = world.does(freya(), "sendMessage", input).await;
        world.ends(freya(), &id(&turn["reply"])).await;
    }
    tale
}

/// The messages that a player sent, by what they say, and where each returns to.
async fn returns(world: &World, session: &str) -> BTreeMap<String, (String, String)> {
    let query = "query($id: ID!) { session(id: $id) { messages(first: 100) {
        nodes { id content role returnsTo { id parentId } } } } }";
    let session = world.ask(freya(), query, json!({ "id": session })).await;
    let nodes = session["messages"]["nodes"].as_array().unwrap();
    let sent = nodes.iter().filter(|node| node["role"] == "PLAYER");
    let entry = |node: &Value| {
        let leaf = &node["returnsTo"];
        assert_eq!(leaf["parentId"], node["id"], "it returns to its reply");
        (node["content"].as_str().unwrap().to_owned(), (id(node), id(leaf)))
    };
    sent.map(entry).collect()
}

/// Each way leads to its reply; from there the story goes on, and what is deleted is gone.
async fn goes_on_everywhere(world: &World, tale: &Tale) {
    let ways = returns(world, &tale.session).await;
    assert_eq!(ways.keys().collect::<Vec<_>>(), ["North.", "South.", "West."]);
    for (sent, reply) in ways.values() {
        let back = world.does(freya(), "selectMessage", json!({ "messageId": sent })).await;
        assert_eq!(id(&back["session"]["head"]), *reply);
        let input = json!({ "sessionId": tale.session, "parentId": reply, "content": "Further." });
        let further = world.does(freya(), "sendMessage", input).await;
        world.ends(freya(), &id(&further["reply"])).await;
        let gone = json!({ "messageId": further["message"]["id"] });
        let gone = world.does(freya(), "deleteMessage", gone).await;
        assert_eq!(id(&gone["session"]["head"]), *reply);
    }
}

#[tokio::test]
async fn a_fork_and_an_import_know_every_branch_where_the_player_was() {
    story(async |world| {
        let tale = three_ways(world).await;
        let fork = forks(world, &tale, &tale.greeting, "SUBTREE").await;
        let file = document(world, freya(), &tale.session).await;
        let imported = import(world, freya(), &file).await["session"].clone();
        for session in [&fork, &imported] {
            goes_on_everywhere(world, &Tale { session: id(session), ..tale.clone() }).await;
        }
        // Without looking first: a branch that was not the head's is gone on with at once.
        let fork = forks(world, &tale, &tale.greeting, "SUBTREE").await;
        let (_, reply) = returns(world, &id(&fork)).await["North."].clone();
        let input = json!({ "sessionId": fork["id"], "parentId": reply, "content": "Further." });
        let further = world.does(freya(), "sendMessage", input).await;
        world.ends(freya(), &id(&further["reply"])).await;
        let gone = json!({ "messageId": further["message"]["id"] });
        world.does(freya(), "deleteMessage", gone).await;
    })
    .await;
}

#[tokio::test]
async fn a_fork_of_an_older_version_knows_its_branches_again() {
    const MIGRATION: &str = include_str!("../../../migrations/core/common/0013_mended.sql");
    story(async |world| {
        let tale = three_ways(world).await;
        let fork = forks(world, &tale, &tale.greeting, "SUBTREE").await;
        let fork = Tale { session: id(&fork), ..tale.clone() };
        let untouched = returns(world, &tale.session).await;
        let session: skald_core::session::SessionId = fork.session.parse().unwrap();
        let forget = "UPDATE branch_tip SET top_id = NULL WHERE session_id = $1 AND leaf_id <> (
            SELECT head_id FROM session WHERE id = $1)";
        assert_eq!(world.db.write(forget).bind(session).execute().await.unwrap(), 2);
        for statement in MIGRATION.split(';').filter(|statement| statement.contains("branch_tip")) {
            world.db.write(statement).execute().await.unwrap();
        }
        goes_on_everywhere(world, &fork).await;
        assert_eq!(returns(world, &tale.session).await, untouched);
    })
    .await;
}
