//! The graph itself: every word explained, users a stub, and a fixed price for a page.

use async_graphql::{
    Request, SDLExportOptions, Schema,
    parser::{
        parse_schema,
        types::{FieldDefinition, InputValueDefinition, TypeKind, TypeSystemDefinition},
    },
};
use futures_util::StreamExt;
use serde_json::json;
use skald_core::{
    graphql::{AloneMutation, AloneQuery, CoreSubscription, core_schema},
    tree::{MessageId, MessageKind},
};

use crate::harness::{freya, id, scripted_story, story};

#[test]
fn every_word_of_the_graph_is_explained() {
    let document = parse_schema(core_schema(None).sdl()).unwrap();
    let mut silent = Vec::new();
    let mut check = |name: String, is_silent: bool| {
        // What federation brings explains itself elsewhere.
        if is_silent && !name.starts_with('_') && !name.contains("._") {
            silent.push(name);
        }
    };
    let mut count = 0;
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let definition = definition.node;
        let of = definition.name.node.to_string();
        // Connections, edges and page info are what the Relay specification says.
        let is_relay = of.ends_with("Connection") || of.ends_with("Edge") || of == "PageInfo";
        check(of.clone(), definition.description.is_none() && !is_relay);
        let (fields, inputs): (Vec<FieldDefinition>, Vec<InputValueDefinition>) =
            match definition.kind {
                TypeKind::Object(object) => (nodes(object.fields), vec![]),
                TypeKind::Interface(interface) => (nodes(interface.fields), vec![]),
                TypeKind::InputObject(input) => (vec![], nodes(input.fields)),
                TypeKind::Enum(values) => {
                    for value in nodes(values.values) {
                        check(format!("{of}.{}", value.value.node), value.description.is_none());
                    }
                    (vec![], vec![])
                }
                TypeKind::Scalar | TypeKind::Union(_) => (vec![], vec![]),
            };
        for field in fields {
            count += 1;
            let name = format!("{of}.{}", field.name.node);
            check(name.clone(), field.description.is_none());
            for argument in nodes(field.arguments) {
                // `first` and `after` mean the same everywhere.
                let name = format!("{name}({}:)", argument.name.node);
                check(name, argument.description.is_none() && !is_relay);
            }
        }
        for field in inputs {
            check(format!("{of}.{}", field.name.node), field.description.is_none());
        }
    }
    assert!(count > 150, "{count} fields");
    assert_eq!(silent, [""; 0], "explain these in core/src/graphql");
}

fn nodes<T>(positioned: Vec<async_graphql::Positioned<T>>) -> Vec<T> {
    positioned.into_iter().map(|one| one.node).collect()
}

#[test]
fn the_subgraph_knows_users_by_id_alone() {
    let sdl = core_schema(None).sdl_with_options(SDLExportOptions::new().federation());
    let at = sdl.find("type User ").unwrap();
    let stub: String = sdl[at..].chars().take_while(|letter| *letter != '}').collect();
    let stub: Vec<&str> = stub.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(stub[0], "type User implements Node @key(fields: \"id\", resolvable: false) {");
    assert_eq!(stub.last(), Some(&"id: ID!"));
    assert_eq!(sdl.matches("type User ").count(), 1);
    let fields = stub.iter().filter(|line| line.contains(": ") && !line.starts_with("type"));
    assert_eq!(fields.count(), 1, "{stub:?}");
}

#[tokio::test]
async fn a_page_of_sessions_costs_the_same_at_any_size() {
    scripted_story(async |world, script| {
        let list = "{ sessions(first: 10) { nodes { persona { name } cast { character { name } }
            path(last: 20) { nodes { author { name character { name } persona { name } }
                alternatives { count messageIds } position generation { model }
                returnsTo { id } } }
            runningReplies { id } } } }";
        let count = async || {
            let before = world.db.statements();
            let page = world.ask(freya(), list, json!({})).await;
            (world.db.statements() - before, page["nodes"].as_array().unwrap().len())
        };
        // Two branches that ask for characters share a statement if they ask within a
        // millisecond, as they do unless the machine is busy with something else.
        let cost = async || {
            let mut least = count().await;
            for _ in 0..9 {
                least = least.min(count().await);
            }
            least
        };
        let tell = async |turns: usize| {
            let tale = world.tale(freya()).await;
            for _ in 0..turns {
                let reply = id(&world.says(freya(), &tale, "Go on.").await["reply"]);
                script.call().await.tell("On it goes.").await;
                world.ends(freya(), &reply).await;
            }
            tale
        };
        for _ in 0..2 {
            tell(1).await;
        }
        // Nothing else may talk to the database while statements are counted.
        let quiet = async || crate::harness::eventually(async || world.app.replies.is_idle()).await;
        quiet().await;
        // sessions, their personas, casts, paths, running replies; characters, authors'
        // personas; alternatives below messages and at the roots; generations; the leaves that
        // messages return to, and these leaves
        assert_eq!(cost().await, (12, 2));
        for turns in 1..=8 {
            tell(turns % 4).await;
        }
        quiet().await;
        assert_eq!(cost().await, (12, 10));
    })
    .await;
}

/// Whether a server with this limit takes the operation.
async fn costs_at_most(limit: usize, operation: &str) -> bool {
    let builder = Schema::build(AloneQuery::default(), AloneMutation::default(), CoreSubscription);
    let schema = builder.limit_complexity(limit).finish();
    let answer = schema.execute_stream(Request::new(operation)).next().await.unwrap();
    answer.errors.iter().all(|error| error.message != "Query is too complex.")
}

#[tokio::test]
async fn what_may_be_long_has_its_price() {
    let many =
        |list: &str| format!("subscription {{ sessionEvents(sessionId: \"s\") {{ {list} }} }}");
    let session = |field: &str| format!("{{ session(id: \"s\") {{ {field} }} }}");
    for (operation, price) in [
        (many("sequence"), 2),
        (many("... on HeadMoved { branch { id depth } }"), 22),
        (many("... on MessagesRestored { messages { id depth } }"), 22),
        (many("... on MessagesAdded { messages { id depth } }"), 4),
        ("{ message(id: \"m\") { alternatives { messageIds } } }".into(), 12),
        ("{ message(id: \"m\") { alternatives { count } } }".into(), 3),
        (session("messages(first: 0) { totalCount }"), 11),
        (session("bookmarks(first: 0) { totalCount }"), 11),
        (session("search(text: \"a\", first: 0) { totalCount }"), 11),
        (session("outline(first: 0) { totalCount }"), 11),
        (session("path(first: 0) { pageInfo { hasNextPage } }"), 2),
        ("{ sessions(first: 0, filter: { characterId: \"c\" }) { totalCount } }".into(), 10),
    ] {
        assert!(costs_at_most(price, &operation).await, "{operation}");
        assert!(!costs_at_most(price - 1, &operation).await, "{operation}");
    }
}

#[tokio::test]
async fn a_place_with_very_many_alternatives_lists_a_thousand() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let greeting: MessageId = tale.greeting.parse().unwrap();
        let copy =
            "INSERT INTO message (id, session_id, depth, jump_depth, role, author_name, content,
                status, revision, hidden_from_prompt, created_at)
            SELECT $1, session_id, 0, 0, role, author_name, content, status, 1, FALSE, created_at
            FROM message WHERE id = $2";
        let mut tx = world.db.begin().await.unwrap();
        for _ in 0..1_100 {
            let query = tx.query(copy).bind(world.app.ids.next::<MessageKind>());
            query.bind(greeting).execute().await.unwrap();
        }
        tx.commit().await.unwrap();
        let query = "query($id: ID!) { message(id: $id) { alternatives { count messageIds
            messages(first: 1) { totalCount } } } }";
        let seen = world.ask(freya(), query, json!({ "id": tale.greeting })).await;
        let seen = &seen["alternatives"];
        assert_eq!(
            (&seen["count"], &seen["messages"]["totalCount"]),
            (&json!(1_101), &json!(1_101))
        );
        let ids = seen["messageIds"].as_array().unwrap();
        assert_eq!((ids.len(), &ids[0]), (1_000, &json!(tale.greeting)));
    })
    .await;
}
