//! A tree at a glance: the outline and the figures of a session.

use serde_json::{Value, json};

use crate::harness::{Tale, World, freya, id, scripted_story, story};

const OUTLINE: &str = "query($id: ID!, $first: Int, $after: String) { session(id: $id) {
    outline(first: $first, after: $after) { totalCount
        nodes { messageId parentId role status excerpt bookmark }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
    stats { messages branches characters tokens { prompt output } cost { amount } } } }";

async fn read(world: &World, tale: &Tale, page: Value) -> Value {
    let mut variables = page;
    variables["id"] = tale.session.clone().into();
    world.ask(freya(), OUTLINE, variables).await
}

#[tokio::test]
async fn an_outline_has_every_living_message_in_order() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let turn = world.says(freya(), &tale, "First.").await;
        let reply = id(&turn["reply"]);
        let call = script.call().await;
        let pending = read(world, &tale, json!({})).await;
        assert_eq!(pending["outline"]["nodes"][2]["status"], "PENDING");
        let long = format!("One \n\t two. {}", "🦊".repeat(300));
        call.say(&long).await;
        let is_saved = async || {
            let nodes = read(world, &tale, json!({})).await["outline"]["nodes"].clone();
            nodes[2]["status"] == "WRITING" && nodes[2]["excerpt"].as_str().unwrap().len() > 100
        };
        crate::harness::eventually(is_saved).await;
        call.end().await;
        world.ends(freya(), &reply).await;
        let send = json!({ "sessionId": tale.session, "parentId": tale.greeting, "content": "二" });
        let other = world.does(freya(), "sendMessage", send).await;
        script.call().await.tell("Yes.").await;
        world.ends(freya(), &id(&other["reply"])).await;

        let said = id(&turn["message"]);
        let keep = json!({ "messageId": said, "name": "The beginning" });
        world.does(freya(), "bookmarkMessage", keep).await;
        let seen = read(world, &tale, json!({})).await;
        let nodes = seen["outline"]["nodes"].as_array().unwrap();
        let shape = |node: &Value| (node["messageId"].clone(), node["parentId"].clone());
        assert_eq!(
            nodes.iter().map(shape).collect::<Vec<_>>(),
            [
                (json!(tale.greeting), Value::Null),
                (json!(said), json!(tale.greeting)),
                (json!(reply), json!(said)),
                (other["message"]["id"].clone(), json!(tale.greeting)),
                (other["reply"]["id"].clone(), other["message"]["id"].clone()),
            ]
        );
        let excerpt = nodes[2]["excerpt"].as_str().unwrap();
        assert_eq!(excerpt, format!("One two. {}", "🦊".repeat(111)));
        assert_eq!(
            (&nodes[2]["status"], &nodes[2]["role"]),
            (&json!("COMPLETE"), &json!("CHARACTER"))
        );
        assert_eq!(
            nodes.iter().map(|node| &node["bookmark"]).collect::<Vec<_>>(),
            [&Value::Null, &json!("The beginning"), &Value::Null, &Value::Null, &Value::Null]
        );
        assert_eq!(seen["outline"]["totalCount"], 5);
        let stats = &seen["stats"];
        assert_eq!((&stats["messages"], &stats["branches"]), (&json!(5), &json!(2)));
        let greeting = world.message(freya(), &tale.greeting).await["content"].clone();
        let texts = [greeting.as_str().unwrap(), "First.", &long, "二", "Yes."];
        let characters: usize = texts.iter().map(|text| text.chars().count()).sum();
        assert_eq!(stats["characters"], characters);

        world.does(freya(), "deleteMessage", json!({ "messageId": said })).await;
        let fewer = read(world, &tale, json!({})).await;
        assert_eq!(fewer["outline"]["nodes"].as_array().unwrap().len(), 3);
        assert_eq!(fewer["outline"]["totalCount"], 3);
        assert_eq!(fewer["stats"]["messages"], 3);
        assert_eq!(fewer["stats"]["branches"], 1);
        assert!(fewer["stats"]["tokens"]["prompt"].is_i64());
    })
    .await;
}

/// The same nodes, asked for in all the ways that GraphQL knows.
#[tokio::test]
async fn a_node_answers_what_was_asked_and_nothing_else() {
    const ASKED: &str = "query($id: ID!, $no: Boolean!) { session(id: $id) { outline {
        nodes { kind: __typename at: messageId ...rest role @skip(if: true) parentId @include(if: $no)
            ... { excerpt } ... on OutlineNode { excerpt below: parentId } }
        nodes { status } } } }
        fragment rest on OutlineNode { ...name status }
        fragment name on OutlineNode { bookmark }";
    story(async |world| {
        let tale = world.tale(freya()).await;
        let seen = world.ask(freya(), ASKED, json!({ "id": tale.session, "no": false })).await;
        let greeting = world.message(freya(), &tale.greeting).await;
        assert_eq!(
            seen["outline"]["nodes"],
            json!([{ "kind": "OutlineNode", "at": tale.greeting, "bookmark": null, "status": "COMPLETE",
                "excerpt": excerpt(&greeting), "below": null }])
        );
    })
    .await;
}

fn excerpt(message: &Value) -> String {
    let words: Vec<&str> = message["content"].as_str().unwrap().split_whitespace().collect();
    words.join(" ").chars().take(120).collect()
}

#[tokio::test]
async fn an_outline_and_a_message_agree_on_what_is_being_written() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let half = id(&world.says(freya(), &tale, "Hi.").await["reply"]);
        let call = script.call().await;
        let mut events = world.watch_reply(freya(), json!({ "id": half }));
        call.say("She walked").await;
        events.until(|event| event["text"] == "She walked").await;
        world.does(freya(), "stopReply", json!({ "messageId": half })).await;
        let turn = world.does(freya(), "continueReply", json!({ "messageId": half })).await;
        let whole = id(&turn["reply"]);
        let call = script.call().await;
        let node = async || read(world, &tale, json!({})).await["outline"]["nodes"][3].clone();
        let before = node().await;
        assert_eq!(
            (&before["status"], &before["excerpt"]),
            (&json!("PENDING"), &json!("She walked"))
        );
        assert_eq!(world.message(freya(), &whole).await["status"], "PENDING");
        call.say(" on.").await;
        crate::harness::eventually(async || node().await["status"] == "WRITING").await;
        assert_eq!(world.message(freya(), &whole).await["status"], "WRITING");
        call.end().await;
        world.ends(freya(), &whole).await;
    })
    .await;
}

#[tokio::test]
async fn a_large_outline_comes_in_large_pages() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let parent: skald_core::tree::MessageId = tale.greeting.parse().unwrap();
        let copy =
            "INSERT INTO message (id, session_id, parent_id, depth, jump_id, jump_depth, role,
                author_name, content, status, revision, hidden_from_prompt, created_at)
            SELECT $1, session_id, id, 1, id, 0, 'PLAYER', 'A', $2, 'COMPLETE', 1, FALSE, created_at
            FROM message WHERE id = $3";
        let mut tx = world.db.begin().await.unwrap();
        let text = "All work and no play. ".repeat(90);
        for _ in 0..5_001 {
            let query = tx.query(copy).bind(world.app.ids.next::<skald_core::tree::MessageKind>());
            query.bind(text.clone()).bind(parent).execute().await.unwrap();
        }
        tx.commit().await.unwrap();
        let page = read(world, &tale, json!({})).await;
        let nodes = page["outline"]["nodes"].as_array().unwrap();
        assert_eq!((nodes.len(), &page["outline"]["totalCount"]), (5_000, &json!(5_002)));
        let info = &page["outline"]["pageInfo"];
        assert_eq!(info["hasNextPage"], true);
        let rest = read(world, &tale, json!({ "after": info["endCursor"], "first": 5 })).await;
        let rest = &rest["outline"];
        assert_eq!(rest["nodes"].as_array().unwrap().len(), 2);
        assert_eq!(
            (&rest["pageInfo"]["hasNextPage"], &rest["pageInfo"]["hasPreviousPage"]),
            (&json!(false), &json!(true))
        );
        for first in [-1, 5_001] {
            let variables = json!({ "id": tale.session, "first": first });
            assert_eq!(world.refusal(freya(), OUTLINE, variables).await, "BAD_USER_INPUT");
        }
    })
    .await;
}
