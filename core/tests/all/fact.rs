//! Facts: what is known of characters and personas, and who may know it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use skald_base::Viewer;
use skald_core::{character::CharacterId, fact::FactId};
use uuid::Uuid;

use crate::{
    harness::{World, bjorn, freya, id, story},
    import::{document, import, refusal},
};

/// Adds a fact; its id.
pub(crate) async fn add(world: &World, who: Viewer, owner: &str, text: &str) -> String {
    let input = json!({ "ownerId": owner, "text": text });
    id(&world.does(who, "addFact", input).await["fact"])
}

/// The texts of what is known of somebody.
async fn texts(world: &World, who: Viewer, owner: &str) -> Value {
    let query = "query($id: ID!) { node(id: $id) {
        ... on Character { facts(first: 100) { nodes { text } } }
        ... on Persona { facts(first: 100) { nodes { text } } } } }";
    let owner = world.ask(who, query, json!({ "id": owner })).await;
    let nodes = owner["facts"]["nodes"].as_array().cloned().unwrap_or_default();
    nodes.iter().map(|fact| fact["text"].clone()).collect()
}

#[tokio::test]
async fn a_fact_is_added_changed_and_removed() {
    story(async |world| {
        let mira = world.character(freya(), json!({ "name": "Mira" })).await;
        let astrid = world.persona(freya(), "Astrid").await;
        for owner in [&mira, &astrid] {
            let input = json!({ "ownerId": owner, "text": "  Keeps a fox. ", "category": " home ",
                "keys": [" fox", "лиса", "fox"], "clientRequestId": format!("fact-{}", owner.len()) });
            let added = world.does(freya(), "addFact", input.clone()).await["fact"].clone();
            let expected = json!({ "id": added["id"], "text": "Keeps a fox.", "category": "home",
                "keys": ["fox", "лиса"], "version": 1 });
            assert_eq!(added, expected);
            // A second answer to the same question, not a second fact.
            assert_eq!(world.does(freya(), "addFact", input.clone()).await["fact"], expected);
            let mut other = input;
            other["text"] = "Keeps a wolf.".into();
            assert_eq!(world.denied(freya(), "addFact", other).await, "CONFLICT");
            let change = json!({ "id": added["id"], "text": "Lost the fox.", "category": null,
                "expectedVersion": 1 });
            let changed = world.does(freya(), "updateFact", change.clone()).await["fact"].clone();
            let now = json!({ "id": added["id"], "text": "Lost the fox.", "category": null,
                "keys": ["fox", "лиса"], "version": 2 });
            assert_eq!(changed, now);
            let stale = world.try_to(freya(), "updateFact", change).await;
            assert_eq!((&stale["errors"][0]["code"], &stale["fact"]), (&json!("CONFLICT"), &now));
            assert_eq!(texts(world, freya(), owner).await, json!(["Lost the fox."]));
            let gone = json!({ "id": added["id"] });
            let removed = world.does(freya(), "removeFact", gone.clone()).await;
            assert_eq!(removed["removedFactId"], added["id"]);
            assert_eq!(texts(world, freya(), owner).await, json!([]));
            for name in ["removeFact", "updateFact"] {
                assert_eq!(world.denied(freya(), name, gone.clone()).await, "NOT_FOUND");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_no_fact_is_refused() {
    story(async |world| {
        let mira = world.character(freya(), json!({ "name": "Mira" })).await;
        let kept = add(world, freya(), &mira, "Kept.").await;
        let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        for (field, value, code) in [
            ("text", json!(" \n"), "BLANK"),
            ("text", json!("a".repeat(4097)), "TOO_LONG"),
            ("text", json!("a\u{0}"), "BAD_USER_INPUT"),
            ("category", json!("я".repeat(101)), "TOO_LONG"),
            ("keys", json!(many), "TOO_LONG"),
            ("keys", json!(["я".repeat(101)]), "TOO_LONG"),
            ("keys", json!([" "]), "BLANK"),
        ] {
            let mut input = json!({ "id": kept, "text": "Fine." });
            input[field] = value.clone();
            let change = world.try_to(freya(), "updateFact", input.clone()).await["errors"].clone();
            input["ownerId"] = mira.clone().into();
            input.as_object_mut().unwrap().remove("id");
            let new = world.try_to(freya(), "addFact", input).await["errors"].clone();
            for error in [&change[0], &new[0]] {
                assert_eq!(error["code"], code, "{field} {value}");
                assert_eq!(error["path"], json!(["input", field]));
            }
        }
        let keys = [vec!["я".repeat(100)], many[2..].to_vec()].concat();
        let fits = json!({ "ownerId": mira, "text": "a".repeat(4096), "category": "я".repeat(100),
            "keys": keys });
        world.does(freya(), "addFact", fits).await;
        let nobody = json!({ "ownerId": kept, "text": "A" });
        assert_eq!(world.denied(freya(), "addFact", nobody).await, "BAD_USER_INPUT");
        assert_eq!(world.count("SELECT count(*) FROM fact").await, 2);
    })
    .await;
}

#[tokio::test]
async fn there_is_an_end_to_what_is_known_of_one() {
    story(async |world| {
        let mira = world.character(freya(), json!({ "name": "Mira" })).await;
        let owner: CharacterId = mira.parse().unwrap();
        let insert = "
            INSERT INTO fact (id, character_id, text, keys, version, created_at, updated_at)
            SELECT $1, id, 'x', tags, 1, created_at, created_at FROM character WHERE id = $2";
        let mut tx = world.db.begin().await.unwrap();
        for n in 0..1_998_u128 {
            let fact = FactId::from_uuid(Uuid::from_u128(n));
            tx.query(insert).bind(fact).bind(owner).execute().await.unwrap();
        }
        tx.commit().await.unwrap();
        // Of those who come at once to the last two places, two get them.
        let input = json!({ "ownerId": mira, "text": "Last." });
        let errors = (0..6).map(|_| world.denied(freya(), "addFact", input.clone()));
        let refused = join_all(errors).await.into_iter().filter(|code| code == "LIMIT_EXCEEDED");
        assert_eq!(refused.count(), 4);
        let list = "query($id: ID!, $after: String) { character(id: $id) {
            facts(first: 100, after: $after) { totalCount nodes { id text }
                pageInfo { hasNextPage endCursor } } } }";
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let asked = json!({ "id": mira, "after": after });
            let page = world.ask(freya(), list, asked).await["facts"].clone();
            assert_eq!(page["totalCount"], 2_000);
            seen.extend(page["nodes"].as_array().unwrap().clone());
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        let distinct: BTreeSet<String> = seen.iter().map(id).collect();
        assert_eq!((seen.len(), distinct.len()), (2_000, 2_000));
        assert_eq!(seen[1_999]["text"], "Last.", "the oldest come first");
    })
    .await;
}

#[tokio::test]
async fn who_sees_a_character_sees_what_is_known_of_it() {
    story(async |world| {
        for (visibility, seen) in [("PRIVATE", json!([])), ("UNLISTED", json!(["Sings."]))] {
            let card = json!({ "name": "Mira", "visibility": visibility });
            let mira = world.character(freya(), card).await;
            let sings = add(world, freya(), &mira, "Sings.").await;
            for who in [bjorn(), Viewer::Anonymous] {
                assert_eq!(texts(world, who, &mira).await, seen);
                let node = world
                    .ask(who, "query($id: ID!) { node(id: $id) { id } }", json!({ "id": sings }))
                    .await;
                assert_eq!(node.is_null(), visibility == "PRIVATE");
            }
            let code = if visibility == "PRIVATE" { "NOT_FOUND" } else { "FORBIDDEN" };
            let owner = json!({ "ownerId": mira, "text": "Is mine." });
            assert_eq!(world.denied(bjorn(), "addFact", owner).await, code);
            for name in ["updateFact", "removeFact"] {
                assert_eq!(world.denied(bjorn(), name, json!({ "id": sings })).await, code);
            }
        }
        // Whoever plays with a character sees it, and what is known of it, after it was deleted.
        let card = json!({ "name": "Mira", "visibility": "PUBLIC", "greeting": "Hi." });
        let mira = world.character(freya(), card).await;
        let sings = add(world, freya(), &mira, "Sings.").await;
        let ulf = world.persona(bjorn(), "Ulf").await;
        world.tale_of(bjorn(), &ulf, &mira).await;
        world.does(freya(), "deleteCharacter", json!({ "id": mira })).await;
        assert_eq!(texts(world, bjorn(), &mira).await, json!(["Sings."]));
        assert_eq!(texts(world, Viewer::Anonymous, &mira).await, json!([]));
        for name in ["updateFact", "removeFact"] {
            assert_eq!(world.denied(freya(), name, json!({ "id": sings })).await, "NOT_FOUND");
        }
        add(world, bjorn(), &ulf, "Snores.").await;
        assert_eq!(texts(world, freya(), &ulf).await, json!([]));
        world
            .does(bjorn(), "deletePersona", json!({ "id": world.persona(bjorn(), "Orm").await }))
            .await;
        assert_eq!(texts(world, bjorn(), &ulf).await, json!(["Snores."]));
    })
    .await;
}

#[tokio::test]
async fn facts_on_a_page_of_characters_are_read_together() {
    story(async |world| {
        let list = "{ characters(filter: { mine: true }) { nodes { name facts(first: 2) {
            nodes { text } pageInfo { hasNextPage } } } } }";
        let cost = async || {
            let before = world.db.statements();
            let page = world.ask(freya(), list, json!({})).await;
            (world.db.statements() - before, page["nodes"].as_array().unwrap().len())
        };
        for name in ["Mira", "Odd", "Ulf"] {
            let someone = world.character(freya(), json!({ "name": name })).await;
            for text in ["One.", "Two.", "Three."] {
                add(world, freya(), &someone, &format!("{name}: {text}")).await;
            }
        }
        world.character(freya(), json!({ "name": "Nobody knows" })).await;
        assert_eq!(cost().await, (2, 4));
        let page = world.ask(freya(), list, json!({})).await;
        assert_eq!(page["nodes"][0]["facts"]["nodes"], json!([]));
        let facts = json!({ "nodes": [{ "text": "Mira: One." }, { "text": "Mira: Two." }],
            "pageInfo": { "hasNextPage": true } });
        assert_eq!(page["nodes"][3]["facts"], facts);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_copied_takes_along_what_is_known() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        for (owner, text) in [
            (&tale.character, "Has a scar."),
            (&tale.persona, "Рыжая."),
            (&tale.character, "Sings."),
        ] {
            let input = json!({ "ownerId": owner, "text": text, "keys": ["song"] });
            world.does(freya(), "addFact", input).await;
        }
        let first = document(world, freya(), &tale.session).await;
        assert!(first.contains("\"text\":\"Рыжая.\""), "{first}");
        let known = async |who: Viewer, session: &Value| {
            let query =
                "query($id: ID!) { session(id: $id) { persona { id facts { nodes { text } } }
                cast { character { id facts { nodes { text keys } } } } } }";
            world.ask(who, query, json!({ "id": session["id"] })).await
        };
        // Bjørn gets copies, Freya meets the same people again; so does Bjørn a second time.
        for (who, notes) in [(bjorn(), 2), (freya(), 0), (bjorn(), 0)] {
            let made = import(world, who, &first).await;
            assert_eq!(made["report"]["adaptedCount"], notes);
            let seen = known(who, &made["session"]).await;
            assert_eq!(seen["persona"]["facts"]["nodes"], json!([{ "text": "Рыжая." }]));
            let facts = &seen["cast"][0]["character"]["facts"]["nodes"];
            assert_eq!(
                *facts,
                json!([{ "text": "Has a scar.", "keys": ["song"] },
                { "text": "Sings.", "keys": ["song"] }])
            );
            assert_eq!(document(world, who, &id(&made["session"])).await, first);
        }
        // Who has learnt something since is still the same; who has forgotten something is not.
        add(world, freya(), &tale.character, "Limps.").await;
        assert_eq!(import(world, freya(), &first).await["report"]["adaptedCount"], 0);
        let all = world
            .ask(
                freya(),
                "query($id: ID!) { persona(id: $id) { facts { nodes { id } } } }",
                json!({ "id": tale.persona }),
            )
            .await;
        let red = json!({ "id": all["facts"]["nodes"][0]["id"] });
        world.does(freya(), "removeFact", red).await;
        assert_eq!(import(world, freya(), &first).await["report"]["adaptedCount"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_document_that_knows_wrong_things_is_refused() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        add(world, freya(), &tale.character, "Sings.").await;
        let first = document(world, freya(), &tale.session).await;
        let fact = "{\"character\":0,\"text\":\"Sings.\"}";
        assert!(first.contains(fact), "{first}");
        for (wrong, said) in [
            ("{\"text\":\"Sings.\"}", "not about one"),
            ("{\"character\":0,\"persona\":0,\"text\":\"Sings.\"}", "not about one"),
            ("{\"character\":7,\"text\":\"Sings.\"}", "there is no character 7"),
            ("{\"character\":0,\"text\":\" \"}", "text is empty"),
        ] {
            let message = refusal(world, first.replace(fact, wrong)).await;
            assert!(message.contains(said), "{wrong}: {message}");
        }
        let many = vec![fact; 2_001].join(",");
        let message = refusal(world, first.replace(fact, &many)).await;
        assert!(message.contains("more than 2000 facts"), "{message}");
    })
    .await;
}
