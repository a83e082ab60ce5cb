//! A player's shelf: the list of sessions, put away, tagged, found and ordered.

use serde_json::{Value, json};
use skald_core::session::list::fold_titles;

use crate::harness::{World, bjorn, freya, id, ids, story};

const LIST: &str =
    "query($filter: SessionFilter, $order: SessionOrder, $first: Int, $after: String) {
    sessions(filter: $filter, orderBy: $order, first: $first, after: $after) {
        totalCount nodes { id title tags archivedAt } pageInfo { hasNextPage endCursor } } }";

async fn titles(world: &World, filter: Value) -> Vec<String> {
    let list = world.ask(freya(), LIST, json!({ "filter": filter })).await;
    let nodes = list["nodes"].as_array().unwrap();
    assert_eq!(list["totalCount"], nodes.len());
    nodes.iter().map(|node| node["title"].as_str().unwrap_or("-").to_owned()).collect()
}

/// Sessions with these titles, in this order; the first is the oldest.
async fn shelf(world: &World, titles: &[&str]) -> Vec<String> {
    let tale = world.tale(freya()).await;
    let mut sessions = vec![tale.session.clone()];
    for _ in 1..titles.len() {
        sessions.push(world.tale_of(freya(), &tale.persona, &tale.character).await.session);
    }
    for (session, title) in sessions.iter().zip(titles) {
        let title = (!title.is_empty()).then_some(title);
        world.does(freya(), "updateSession", json!({ "id": session, "title": title })).await;
    }
    sessions
}

#[tokio::test]
async fn a_list_shows_what_the_filter_lets_through() {
    story(async |world| {
        let sessions = shelf(world, &["Маяк", "100% Sea", "The Sea", "Gone"]).await;
        let other = world.tale(freya()).await;
        let change = async |n: usize, mut input: Value| {
            input["id"] = sessions[n].clone().into();
            world.does(freya(), "updateSession", input).await
        };
        change(0, json!({ "tags": ["Море", "тихо"] })).await;
        change(1, json!({ "tags": ["море"] })).await;
        change(2, json!({ "archived": true, "personaId": other.persona })).await;
        world.does(freya(), "deleteSession", json!({ "id": sessions[3] })).await;
        let mine = json!({ "characterId": world.session(freya(), &sessions[0]).await["cast"][0]["character"]["id"] });
        let with = |more: Value| {
            let mut filter = mine.clone();
            filter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            filter
        };
        for (filter, expected) in [
            (json!({}), vec!["100% Sea", "Маяк", "-"]),
            (mine.clone(), vec!["100% Sea", "Маяк"]),
            (with(json!({ "archived": false })), vec!["100% Sea", "Маяк"]),
            (with(json!({ "archived": true })), vec!["The Sea"]),
            (with(json!({ "deleted": true })), vec!["Gone"]),
            (with(json!({ "deleted": true, "archived": true })), vec![]),
            (json!({ "tags": [" МОРЕ"] }), vec!["100% Sea", "Маяк"]),
            (json!({ "tags": ["море", "Море", "тихо"] }), vec!["Маяк"]),
            (json!({ "tags": ["море", "громко"] }), vec![]),
            (json!({ "title": "МАЯ" }), vec!["Маяк"]),
            (json!({ "title": "sEa" }), vec!["100% Sea"]),
            (json!({ "title": "0%" }), vec!["100% Sea"]),
            (json!({ "title": "_" }), vec![]),
            (json!({ "title": "  " }), vec!["100% Sea", "Маяк", "-"]),
            (json!({ "personaId": other.persona }), vec!["-"]),
            (json!({ "personaId": other.persona, "archived": true }), vec!["The Sea"]),
            (json!({ "mode": "SANDBOX", "title": "sea" }), vec!["100% Sea"]),
        ] {
            assert_eq!(titles(world, filter.clone()).await, expected, "{filter}");
        }
        let none = world.ask(bjorn(), LIST, json!({})).await;
        assert_eq!((none["totalCount"].clone(), none["nodes"].clone()), (json!(0), json!([])));
        for filter in [
            json!({ "tags": [""] }),
            json!({ "personaId": other.character }),
            json!({ "title": "a".repeat(501) }),
        ] {
            let answer = world.send(freya(), LIST, json!({ "filter": filter })).await;
            assert!(answer["errors"][0]["extensions"]["code"].is_string(), "{answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn pages_follow_their_order() {
    story(async |world| {
        let made = shelf(world, &["б", "", "В", "а", "б"]).await;
        // Told in another order than made.
        for n in [4, 2, 0, 1, 3] {
            world.does(freya(), "updateSession", json!({ "id": made[n] })).await;
        }
        let of = |order: [usize; 5]| order.map(|n| made[n].clone()).to_vec();
        let mut cursors = Vec::new();
        for (field, expected) in [
            ("TITLE", of([1, 3, 0, 4, 2])),
            ("CREATED", of([0, 1, 2, 3, 4])),
            ("LAST_ACTIVITY", of([4, 2, 0, 1, 3])),
        ] {
            for direction in ["ASCENDING", "DESCENDING"] {
                let order = json!({ "field": field, "direction": direction });
                let (mut seen, mut after) = (Vec::new(), Value::Null);
                loop {
                    let asked = json!({ "order": order, "first": 2, "after": after });
                    let page = world.ask(freya(), LIST, asked).await;
                    assert_eq!(page["totalCount"], 5);
                    seen.extend(ids(&page["nodes"]));
                    after = page["pageInfo"]["endCursor"].clone();
                    if page["pageInfo"]["hasNextPage"] == false {
                        break;
                    }
                }
                if direction == "DESCENDING" {
                    seen.reverse();
                }
                assert_eq!(seen, expected, "{order}");
                cursors.push((order, after));
            }
        }
        for (n, (order, _)) in cursors.iter().enumerate() {
            for (m, (_, cursor)) in cursors.iter().enumerate() {
                let asked = json!({ "order": order, "after": cursor });
                let code = world.refusal(freya(), LIST, asked).await;
                assert_eq!(code == "BAD_USER_INPUT", n != m, "{order} {cursor}");
            }
        }
        let usual = ids(&world.ask(freya(), LIST, json!({})).await["nodes"]);
        assert_eq!(usual, of([3, 1, 0, 2, 4]));
        let titled = world.ask(freya(), LIST, json!({ "order": { "field": "TITLE" } })).await;
        assert_eq!(ids(&titled["nodes"]), of([1, 3, 0, 4, 2]));
    })
    .await;
}

#[tokio::test]
async fn a_session_is_put_away_and_tagged() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let read = async || {
            let query = "query($id: ID!) { session(id: $id) { tags archivedAt version } }";
            world.ask(freya(), query, json!({ "id": tale.session })).await
        };
        let change = async |mut input: Value| {
            input["id"] = tale.session.clone().into();
            world.try_to(freya(), "updateSession", input).await["errors"][0].clone()
        };
        assert_eq!(read().await, json!({ "tags": [], "archivedAt": null, "version": 1 }));
        change(json!({ "tags": [" Sea ", "SEA", "quiet"], "archived": true })).await;
        let put_away = read().await;
        assert_eq!(put_away["tags"], json!(["Sea", "quiet"]));
        assert!(put_away["archivedAt"].is_string());
        change(json!({ "title": "The Lamp", "archived": true })).await;
        let again = read().await;
        assert_eq!(again["archivedAt"], put_away["archivedAt"]);
        assert_eq!(again["tags"], put_away["tags"]);
        let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
        for (tags, code) in [
            (json!(many), "TOO_LONG"),
            (json!(["a".repeat(101)]), "TOO_LONG"),
            (json!(["  "]), "BLANK"),
        ] {
            let error = change(json!({ "tags": tags })).await;
            assert_eq!((&error["code"], &error["path"]), (&json!(code), &json!(["input", "tags"])));
        }
        change(json!({ "tags": [], "archived": false })).await;
        assert_eq!(read().await, json!({ "tags": [], "archivedAt": null, "version": 4 }));
        let (_, reply) = world.talks(freya(), &tale, "Hi.").await;
        assert_eq!(reply["status"], "COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn titles_from_before_are_found_too() {
    story(async |world| {
        let sessions = shelf(world, &["Маяк", "\u{3000}", "Lamp"]).await;
        let forget = "UPDATE session SET title_folded = ''";
        world.db.write(forget).execute().await.unwrap();
        assert_eq!(titles(world, json!({ "title": "маяк" })).await, [""; 0]);
        fold_titles(&world.app).await.map_err(|error| error.describe()).unwrap();
        assert_eq!(titles(world, json!({ "title": "маяк" })).await, ["Маяк"]);
        let order = json!({ "order": { "field": "TITLE" } });
        let list = world.ask(freya(), LIST, order).await;
        let expected = [&sessions[1], &sessions[2], &sessions[0]].map(Clone::clone);
        assert_eq!(ids(&list["nodes"]), expected);
        assert_eq!(id(&list["nodes"][2]), sessions[0]);
    })
    .await;
}
