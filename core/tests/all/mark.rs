//! What a player marks: messages hidden from models, kept under a name, and former texts.

use serde_json::{Value, json};

use crate::{
    harness::{Tale, World, freya, id, ids, scripted_story},
    script::{Call, Script},
};

/// Sends a message, has it answered, and gives its ids and the call of the model.
async fn turn(world: &World, script: &Script, tale: &Tale, text: &str) -> (String, String, Call) {
    let turn = world.says(freya(), tale, text).await;
    let (said, reply) = (id(&turn["message"]), id(&turn["reply"]));
    let call = script.call().await;
    call.say("Hm.").await;
    (said, reply, call)
}

fn told(call: &Call) -> String {
    call.request.turns.iter().map(|turn| turn.text() + "\n").collect()
}

#[tokio::test]
async fn a_hidden_message_is_in_no_prompt_and_the_reply_says_so() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let (said, reply, call) = turn(world, script, &tale, "The password is moss.").await;
        call.end().await;
        world.ends(freya(), &reply).await;
        let mut events = world.watch_session(freya(), json!({ "id": tale.session }));
        events.until_type("CaughtUp").await;
        for _ in 0..2 {
            let hide = json!({ "messageId": said, "hidden": true });
            let message = &world.does(freya(), "hideMessage", hide).await["message"];
            assert_eq!(message["hiddenFromPrompt"], true);
            assert_eq!(message["content"], "The password is moss.");
        }
        let (_, reply, call) = turn(world, script, &tale, "What was it?").await;
        assert!(!told(&call).contains("moss"), "{}", told(&call));
        assert!(told(&call).contains("What was it?"));
        call.end().await;
        world.ends(freya(), &reply).await;
        let dropped = "query($id: ID!) { message(id: $id) { generation { prompt {
            dropped { kind count reason tokens } } } } }";
        let dropped = async |reply: &str| {
            let message = world.ask(freya(), dropped, json!({ "id": reply })).await;
            message["generation"]["prompt"]["dropped"].clone()
        };
        let hidden = dropped(&reply).await;
        assert_eq!(hidden[0]["kind"], "HISTORY");
        assert_eq!(hidden[0]["reason"], "HIDDEN");
        assert_eq!(hidden[0]["count"], 1);
        assert!(hidden[0]["tokens"].as_i64().unwrap() > 3);

        let show = json!({ "messageId": said, "hidden": false });
        world.does(freya(), "hideMessage", show).await;
        let (_, reply, call) = turn(world, script, &tale, "And now?").await;
        assert!(told(&call).contains("moss"));
        call.end().await;
        world.ends(freya(), &reply).await;
        assert_eq!(dropped(&reply).await, json!([]));

        // Whoever watches is told of a change, and of nothing where there was none.
        let updated = events.until_type("MessageUpdated").await;
        assert_eq!(updated["message"]["id"], said.as_str());
        assert_eq!(events.next().await.unwrap()["__typename"], "MessagesAdded");
        assert_eq!(events.until_type("MessageUpdated").await["message"]["id"], said.as_str());
    })
    .await;
}

#[tokio::test]
async fn bookmarks_are_listed_in_the_order_of_the_story() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let mut said = vec![tale.greeting.clone()];
        for text in ["One.", "Two."] {
            let (message, reply, call) = turn(world, script, &tale, text).await;
            call.end().await;
            world.ends(freya(), &reply).await;
            said.extend([message, reply]);
        }
        let list = async |first: usize, after: Option<&str>| {
            let query = "query($id: ID!, $first: Int, $after: String) { session(id: $id) {
                bookmarks(first: $first, after: $after) { totalCount nodes { id bookmark }
                    pageInfo { endCursor hasNextPage } } } }";
            let variables = json!({ "id": tale.session, "first": first, "after": after });
            world.ask(freya(), query, variables).await["bookmarks"].clone()
        };
        assert_eq!(list(20, None).await["totalCount"], 0);
        let keep = async |message: &str, name: Value| {
            let input = json!({ "messageId": message, "name": name });
            world.does(freya(), "bookmarkMessage", input).await["message"]["bookmark"].clone()
        };
        for (message, name) in [(&said[3], "The bridge"), (&said[0], "Начало"), (&said[4], "End")]
        {
            assert_eq!(keep(message, name.into()).await, name);
        }
        let all = list(20, None).await;
        assert_eq!(ids(&all["nodes"]), [&said[0], &said[3], &said[4]].map(Clone::clone));
        assert_eq!(all["totalCount"], 3);
        let first = list(1, None).await;
        assert_eq!(first["pageInfo"]["hasNextPage"], true);
        let rest = list(5, first["pageInfo"]["endCursor"].as_str()).await;
        assert_eq!(ids(&rest["nodes"]), [&said[3], &said[4]].map(Clone::clone));

        assert_eq!(keep(&said[3], "The old bridge".into()).await, "The old bridge");
        assert_eq!(keep(&said[0], Value::Null).await, Value::Null);
        world.does(freya(), "deleteMessage", json!({ "messageId": said[4] })).await;
        let left = list(20, None).await;
        assert_eq!(left["totalCount"], 1);
        assert_eq!(left["nodes"], json!([{ "id": said[3], "bookmark": "The old bridge" }]));
        world.does(freya(), "restoreMessage", json!({ "messageId": said[4] })).await;
        assert_eq!(list(20, None).await["totalCount"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_former_text_comes_back_and_nothing_is_lost() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let (said, reply, call) = turn(world, script, &tale, "One.").await;
        let early = json!({ "messageId": reply, "revision": 1 });
        assert_eq!(world.denied(freya(), "restoreRevision", early).await, "REPLY_RUNNING");
        call.end().await;
        world.ends(freya(), &reply).await;
        for text in ["Two.", "Three."] {
            let edit = json!({ "messageId": said, "content": text, "mode": "IN_PLACE" });
            world.does(freya(), "editMessage", edit).await;
        }
        let back = json!({ "messageId": said, "revision": 1, "expectedRevision": 3,
            "clientRequestId": "back" });
        for _ in 0..2 {
            let message = &world.does(freya(), "restoreRevision", back.clone()).await["message"];
            assert_eq!(message["content"], "One.");
            assert_eq!(message["revision"], 4);
            let texts = message["revisions"]["nodes"].as_array().unwrap();
            let texts: Vec<_> = texts.iter().map(|r| (&r["revision"], &r["content"])).collect();
            assert_eq!(
                json!(texts),
                json!([[1, "One."], [2, "Two."], [3, "Three."]]),
                "every text is there"
            );
            assert_eq!(message["revisions"]["totalCount"], 3);
        }
        let page = "query($id: ID!, $after: String) { message(id: $id) { revisions(first: 2,
            after: $after) { nodes { content } pageInfo { endCursor hasNextPage } } } }";
        let first = world.ask(freya(), page, json!({ "id": said })).await["revisions"].clone();
        assert_eq!(first["pageInfo"]["hasNextPage"], true);
        let after = json!({ "id": said, "after": first["pageInfo"]["endCursor"] });
        let rest = world.ask(freya(), page, after).await["revisions"].clone();
        assert_eq!(rest["nodes"], json!([{ "content": "Three." }]));
        let wrong = json!({ "id": said, "after": "x" });
        assert_eq!(world.refusal(freya(), page, wrong).await, "BAD_USER_INPUT");
        // A stale wish is shown what the text is now.
        let stale = json!({ "messageId": said, "revision": 2, "expectedRevision": 3 });
        let stale = world.try_to(freya(), "restoreRevision", stale).await;
        assert_eq!(stale["errors"][0]["code"], "CONFLICT");
        assert_eq!(stale["message"]["revision"], 4);
    })
    .await;
}
