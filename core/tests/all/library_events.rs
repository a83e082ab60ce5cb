//! Lists that stay true: what a second device hears of a library.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Events, Plan, World, bjorn, freya, id, scripted_story, story};

fn watch(world: &World, after: Option<&str>) -> Events {
    let query = "subscription($after: String) { libraryEvents(after: $after) {
        __typename cursor at
        ... on LibraryNodeAdded { node { __typename id } }
        ... on LibraryNodeChanged { node { __typename id
            ... on Persona { name isDefault } ... on Session { title head { id } } } }
        ... on LibraryNodeRemoved { id } } }";
    world.subscribe(freya(), query, json!({ "after": after }))
}

/// What happened, and to what.
fn what(event: &Value) -> (String, String) {
    let node = event["node"].get("id").or(event.get("id")).cloned().unwrap_or_default();
    let name = event["__typename"].as_str().unwrap().replace("Library", "");
    (name, node.as_str().unwrap_or_default().to_owned())
}

/// The next events, up to the last of these; a change may be told with the one that follows it.
async fn hear(events: &mut Events, expected: &[(&str, &str)]) -> String {
    let mut last = Value::Null;
    for (name, node) in expected {
        last = events.next().await.unwrap();
        assert_eq!(what(&last), ((*name).to_owned(), (*node).to_owned()));
    }
    last["cursor"].as_str().unwrap().to_owned()
}

async fn replay(world: &World, after: &str) -> Vec<(String, String)> {
    let mut events = watch(world, Some(after));
    let mut seen = Vec::new();
    loop {
        let event = events.next().await.unwrap();
        if event["__typename"] == "LibraryCaughtUp" {
            return seen;
        }
        seen.push(what(&event));
    }
}

#[tokio::test]
async fn a_second_device_hears_of_everything() {
    scripted_story(async |world, script| {
        world.persona(bjorn(), "Ulf").await;
        let mut live = watch(world, None);
        let start = hear(&mut live, &[("CaughtUp", "")]).await;
        let astrid = world.persona(freya(), "Astrid").await;
        hear(&mut live, &[("NodeAdded", &astrid)]).await;
        let input = json!({ "name": "Signe", "isDefault": true });
        let signe = id(&world.does(freya(), "createPersona", input).await["persona"]);
        // The one that is the default no more changed, too.
        hear(&mut live, &[("NodeChanged", &astrid), ("NodeAdded", &signe)]).await;
        world.does(freya(), "updatePersona", json!({ "id": astrid, "isDefault": true })).await;
        hear(&mut live, &[("NodeChanged", &signe), ("NodeChanged", &astrid)]).await;
        world.does(freya(), "deletePersona", json!({ "id": signe })).await;
        let middle = hear(&mut live, &[("NodeRemoved", &signe)]).await;

        let card = json!({ "name": "Mira", "greeting": "Hello." });
        let mira = world.character(freya(), card).await;
        hear(&mut live, &[("NodeAdded", &mira)]).await;
        world.does(freya(), "updateCharacter", json!({ "id": mira, "name": "Mirja" })).await;
        hear(&mut live, &[("NodeChanged", &mira)]).await;
        let fact = json!({ "ownerId": mira, "text": "Is tall." });
        let fact = id(&world.does(freya(), "addFact", fact).await["fact"]);
        hear(&mut live, &[("NodeChanged", &mira)]).await;
        world.does(freya(), "updateFact", json!({ "id": fact, "text": "Was tall." })).await;
        hear(&mut live, &[("NodeChanged", &mira)]).await;
        world.does(freya(), "removeFact", json!({ "id": fact })).await;
        hear(&mut live, &[("NodeChanged", &mira)]).await;
        world.character(bjorn(), json!({ "name": "Odd", "visibility": "PUBLIC" })).await;
        // One who greets nobody begins a session without a message; that is told once.
        let ulf = world.character(freya(), json!({ "name": "Ulf" })).await;
        hear(&mut live, &[("NodeAdded", &ulf)]).await;
        let silent = json!({ "personaId": astrid, "characterIds": [ulf] });
        let silent = id(&world.does(freya(), "createSession", silent).await["session"]);
        hear(&mut live, &[("NodeAdded", &silent)]).await;
        world.does(freya(), "updateSession", json!({ "id": silent, "title": "Hush" })).await;
        hear(&mut live, &[("NodeChanged", &silent)]).await;

        let tale = world.tale_of(freya(), &astrid, &mira).await;
        let session = tale.session.as_str();
        hear(&mut live, &[("NodeAdded", session)]).await;
        let turn = world.says(freya(), &tale, "Hi.").await;
        hear(&mut live, &[("NodeChanged", session)]).await;
        script.call().await.tell("Hello.").await;
        world.ends(freya(), &id(&turn["reply"])).await;
        hear(&mut live, &[("NodeChanged", session)]).await;
        world.does(freya(), "updateSession", json!({ "id": session, "archived": true })).await;
        hear(&mut live, &[("NodeChanged", session)]).await;
        world.does(freya(), "deleteSession", json!({ "id": session })).await;
        hear(&mut live, &[("NodeRemoved", session)]).await;
        world.does(freya(), "restoreSession", json!({ "id": session })).await;
        hear(&mut live, &[("NodeAdded", session)]).await;
        world.does(freya(), "deleteCharacter", json!({ "id": mira })).await;
        let end = hear(&mut live, &[("NodeRemoved", &mira)]).await;

        // Who was away hears of each thing once, as it ended.
        let of = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(name, node)| ((*name).to_owned(), (*node).to_owned())).collect()
        };
        let all = of(&[
            ("NodeAdded", &astrid),
            ("NodeRemoved", &signe),
            ("NodeAdded", &ulf),
            ("NodeAdded", &silent),
            ("NodeAdded", session),
            ("NodeRemoved", &mira),
        ]);
        assert_eq!(replay(world, &start).await, all);
        assert_eq!(replay(world, &middle).await, all[2..]);
        assert_eq!(replay(world, &end).await, []);
        world.does(freya(), "updatePersona", json!({ "id": astrid, "name": "A" })).await;
        assert_eq!(replay(world, &end).await, of(&[("NodeChanged", &astrid)]));
    })
    .await;
}

#[tokio::test]
async fn a_cursor_from_nowhere_is_answered_with_a_resync() {
    story(async |world| {
        let astrid = world.persona(freya(), "Astrid").await;
        let mut events = watch(world, Some("1000"));
        let cursor = hear(&mut events, &[("ResyncNeeded", ""), ("CaughtUp", "")]).await;
        assert_eq!(replay(world, &cursor).await, []);
        world.does(freya(), "updatePersona", json!({ "id": astrid, "name": "A" })).await;
        hear(&mut events, &[("NodeChanged", &astrid)]).await;
        for after in ["-1", "one", ""] {
            let refused = watch(world, Some(after)).response().await.unwrap();
            assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        }
    })
    .await;
}

#[tokio::test]
async fn what_another_process_does_is_heard_soon() {
    story(async |world| {
        let plan = Plan { seed: 8, ..Plan::default() };
        let other = World::open(world.db.clone(), world.url.clone(), plan).await;
        let mut live = watch(world, None);
        hear(&mut live, &[("CaughtUp", "")]).await;
        let astrid = other.persona(freya(), "Astrid").await;
        hear(&mut live, &[("NodeAdded", &astrid)]).await;
        other.app.lifecycle.stop(std::time::Duration::ZERO).await;
    })
    .await;
}

#[tokio::test]
async fn changes_at_once_are_all_told() {
    story(async |world| {
        let mut live = watch(world, None);
        let start = hear(&mut live, &[("CaughtUp", "")]).await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..6 {
            let world = world.clone();
            tasks.spawn(async move {
                let tale = world.tale(freya()).await;
                for m in 0..5 {
                    let title = json!({ "id": tale.session, "title": format!("{n} {m}") });
                    world.does(freya(), "updateSession", title).await;
                }
                [tale.session, tale.persona, tale.character]
            });
        }
        let made: BTreeSet<String> = tasks.join_all().await.into_iter().flatten().collect();
        let told = replay(world, &start).await;
        let nodes: BTreeSet<String> = told.iter().map(|(_, node)| node.clone()).collect();
        assert_eq!((told.len(), nodes), (made.len(), made.clone()));
        let (mut heard, mut last) = (BTreeSet::new(), 0);
        while heard.len() < made.len() {
            let event = live.next().await.unwrap();
            let cursor: i64 = event["cursor"].as_str().unwrap().parse().unwrap();
            assert!(cursor > last, "{event}");
            last = cursor;
            heard.insert(what(&event).1);
        }
        assert_eq!(heard, made);
    })
    .await;
}
