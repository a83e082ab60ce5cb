//! Users as others see them: fields, lists, nodes, entities.

use async_graphql::{EmptySubscription, Schema};
use serde_json::{Value, json};
use skald_auth::{AuthMutation, AuthQuery};
use skald_base::Role;

use crate::world::{Person, story};

#[tokio::test]
async fn an_account_is_for_its_owner_and_admins() {
    story(async |world| {
        let freya = world.register("freya").await;
        let loki = world.register("loki").await;
        let odin = world.register("odin").await;
        world.auth.set_role_by_login("odin", Role::Admin).await.unwrap();
        let query = r#"{ user(username: "FREYA") { username account { email role } } }"#;
        let account = json!({ "email": "freya@asgard.example", "role": "USER" });
        for (who, sees) in [
            (&freya, account.clone()),
            (&loki, Value::Null),
            (&Person::default(), Value::Null),
            (&odin, account),
        ] {
            let user = world.ask(who, query, json!({})).await;
            assert_eq!(user, json!({ "username": "freya", "account": sees }));
        }
        let nobody = world.ask(&freya, r#"{ user(username: "thor") { id } }"#, json!({})).await;
        assert_eq!(nobody, Value::Null);
    })
    .await;
}

#[tokio::test]
async fn nobody_is_found_by_an_endless_name() {
    story(async |world| {
        let odin = world.register("odin").await;
        world.auth.set_role_by_login("odin", Role::Admin).await.unwrap();
        let endless = "\u{fdfa}".repeat(300_000);
        let user = "query($name: String!) { user(username: $name) { id } }";
        let found = world.ask(&Person::default(), user, json!({ "name": endless })).await;
        assert_eq!(found, Value::Null);
        let users = "query($name: String!) { users(search: $name) { nodes { id } } }";
        let answer = world.send(&odin, users, json!({ "name": endless })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        let payload = world.try_login(&odin, &endless, &endless).await;
        assert_eq!(payload["errors"][0]["code"], "BAD_CREDENTIALS");
        for (field, code) in
            [("username", "TOO_LONG"), ("email", "TOO_LONG"), ("password", "WEAK_PASSWORD")]
        {
            let mut input = json!({ "username": "loki", "email": "loki@asgard.example",
                "password": crate::world::PASSWORD });
            input[field] = json!(endless);
            let payload = world.try_register(&Person::default(), input).await;
            assert_eq!(payload["errors"][0]["code"], code);
        }
    })
    .await;
}

#[tokio::test]
async fn staff_list_users_page_by_page() {
    story(async |world| {
        let freya = world.register("freya").await;
        for n in 0..24 {
            world.register(&format!("einherjar_{n:02}")).await;
        }
        let list = "query($first: Int, $after: String, $search: String) {
            users(first: $first, after: $after, search: $search) { totalCount
            nodes { username } edges { cursor } pageInfo { hasNextPage endCursor } } }";
        let code = async |who: &Person| {
            let answer = world.send(who, list, json!({})).await;
            answer["errors"][0]["extensions"]["code"].clone()
        };
        assert_eq!(code(&Person::default()).await, "UNAUTHENTICATED");
        assert_eq!(code(&freya).await, "FORBIDDEN");
        let role = Role::Moderator;
        world.auth.set_role_by_login("freya", role).await.unwrap();
        let page = world.ask(&freya, list, json!({})).await;
        assert_eq!(page["totalCount"], 25);
        assert_eq!(page["nodes"].as_array().unwrap().len(), 20);
        assert_eq!(page["nodes"][0]["username"], "einherjar_23");
        assert_eq!(page["pageInfo"]["hasNextPage"], true);
        let next = json!({ "after": page["pageInfo"]["endCursor"] });
        let next = world.ask(&freya, list, next).await;
        assert_eq!(next["nodes"].as_array().unwrap().len(), 5);
        assert_eq!(next["nodes"][4]["username"], "freya");
        assert_eq!(next["pageInfo"]["hasNextPage"], false);

        let found = async |search: &str| {
            let page = world.ask(&freya, list, json!({ "search": search })).await;
            assert_eq!(page["totalCount"], page["nodes"].as_array().unwrap().len());
            page["totalCount"].clone()
        };
        assert_eq!(found("JAR_1").await, 10);
        assert_eq!(found("%").await, 0);
        assert_eq!(found("freya@asgard.example").await, 0);
        world.auth.set_role_by_login("freya", Role::Admin).await.unwrap();
        assert_eq!(found("freya@asgard.example").await, 1);
        for bad in [json!({ "first": 101 }), json!({ "after": "x" })] {
            let answer = world.send(&freya, list, bad).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        }
    })
    .await;
}

#[tokio::test]
async fn only_admins_give_roles_and_not_to_themselves() {
    story(async |world| {
        let freya = world.register("freya").await;
        let odin = world.register("odin").await;
        let set = "mutation($id: ID!) { setRole(input: { userId: $id, role: MODERATOR }) {
            user { account { role } } errors { code } } }";
        let code = async |who: &Person, id: &str| {
            let payload = world.ask(who, set, json!({ "id": id })).await;
            payload["errors"][0]["code"].clone()
        };
        assert_eq!(code(&freya, &odin.id).await, "FORBIDDEN");
        world.auth.set_role_by_login("odin", Role::Admin).await.unwrap();
        assert_eq!(code(&odin, &odin.id).await, "FORBIDDEN");
        assert_eq!(code(&odin, "user_01h455vb4pex5vsknk084sn02q").await, "NOT_FOUND");
        assert_eq!(code(&odin, "freya").await, "BAD_USER_INPUT");
        let payload = world.ask(&odin, set, json!({ "id": freya.id })).await;
        assert_eq!(payload["user"]["account"]["role"], "MODERATOR");
        let verified = world.auth.verifier().verify(freya.token()).unwrap();
        assert_eq!(verified.viewer.role, Role::Moderator);
    })
    .await;
}

#[tokio::test]
async fn a_user_is_a_node() {
    story(async |world| {
        let freya = world.register("freya").await;
        let query = "query($id: ID!) { node(id: $id) { __typename id ... on User { username } } }";
        let node = world.ask(&Person::default(), query, json!({ "id": freya.id })).await;
        let expected = json!({ "__typename": "User", "id": freya.id, "username": "freya" });
        assert_eq!(node, expected);
        for missing in ["user_01h455vb4pex5vsknk084sn02q", "persona_01h455vb4pex5vsknk084sn02q"] {
            let node = world.ask(&freya, query, json!({ "id": missing })).await;
            assert_eq!(node, Value::Null);
        }
        let answer = world.send(&freya, query, json!({ "id": "?" })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    })
    .await;
}

#[tokio::test]
async fn entities_cost_one_statement_and_never_fail() {
    story(async |world| {
        let mut wanted = Vec::new();
        for n in 0..5 {
            wanted.push(world.register(&format!("valkyrie{n}")).await.id);
        }
        wanted.insert(2, "user_01h455vb4pex5vsknk084sn02q".into());
        wanted.insert(3, "nonsense".into());
        let references: Vec<Value> =
            wanted.iter().map(|id| json!({ "__typename": "User", "id": id })).collect();
        let query = "query($r: [_Any!]!) { _entities(representations: $r) {
            ... on User { username } } }";
        let before = world.db.statements();
        let users = world.ask(&Person::default(), query, json!({ "r": references })).await;
        assert_eq!(world.db.statements() - before, 1);
        let names = users.as_array().unwrap().iter();
        let names: Vec<_> = names.map(|user| user["username"].clone()).collect();
        let expected =
            json!(["valkyrie0", "valkyrie1", null, null, "valkyrie2", "valkyrie3", "valkyrie4"]);
        assert_eq!(json!(names), expected);
    })
    .await;
}

#[tokio::test]
async fn the_subgraph_leaves_node_to_core() {
    story(async |world| {
        let options = async_graphql::SDLExportOptions::new().federation();
        let sdl = skald_auth::auth_subgraph(world.auth.clone()).sdl_with_options(options);
        assert!(sdl.contains(r#"type User @key(fields: "id")"#), "{sdl}");
        assert!(!sdl.contains("node(") && !sdl.contains("interface Node"));
        let sdl = skald_auth::auth_schema(world.auth).sdl();
        assert!(sdl.contains("type User implements Node"), "{sdl}");
        assert!(!sdl.contains("type Tokens"), "{sdl}");
        // Merged with core, auth brings no interface of its own.
        let (query, mutation) = (AuthQuery, AuthMutation::default());
        let merged = Schema::new(query, mutation, EmptySubscription).sdl();
        assert!(merged.contains("type User {"), "{merged}");
        assert!(!merged.contains("Node") && !merged.contains("_entities"));
    })
    .await;
}
