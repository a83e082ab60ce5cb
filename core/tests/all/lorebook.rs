//! Lorebooks: what is known of a world, who may read it, and where it is told.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use skald_base::{Viewer, clock::TestClock};
use skald_core::{
    lorebook::{LorebookId, entry},
    purge,
};

use crate::{
    fork::forks,
    harness::{Plan, Tale, World, bjorn, freya, id, ids, story, story_with},
};

async fn book(world: &World, who: Viewer, input: Value) -> String {
    id(&world.does(who, "createLorebook", input).await["lorebook"])
}

/// Saves entries with these contents; their ids.
async fn write(world: &World, who: Viewer, book: &str, contents: &[&str]) -> Vec<String> {
    let entries: Vec<Value> =
        contents.iter().map(|content| json!({ "content": content })).collect();
    let input = json!({ "lorebookId": book, "entries": entries });
    ids(&world.does(who, "saveLoreEntries", input).await["entries"])
}

async fn attach(world: &World, who: Viewer, book: &str, target: &str) -> Value {
    let input = json!({ "lorebookId": book, "targetId": target });
    world.does(who, "attachLorebook", input).await["target"]["lorebooks"]["nodes"].clone()
}

async fn detach(world: &World, who: Viewer, book: &str, target: &str) -> Value {
    let input = json!({ "lorebookId": book, "targetId": target });
    world.does(who, "detachLorebook", input).await["target"]["lorebooks"]["nodes"].clone()
}

/// What may come to mind in a session.
async fn lore(world: &World, session: &str) -> Vec<String> {
    let found = entry::recallable(&world.app, session.parse().unwrap()).await;
    let found = found.map_err(|error| error.describe()).unwrap();
    found.into_iter().map(|entry| entry.lore.content).collect()
}

async fn reads(world: &World, who: Viewer, book: &str) -> bool {
    let query = "query($id: ID!) { lorebook(id: $id) { entries { nodes { content } } } }";
    !world.ask(who, query, json!({ "id": book })).await.is_null()
}

#[tokio::test]
async fn a_book_is_made_changed_and_put_away() {
    story(async |world| {
        let input = json!({ "name": "The North", "description": "Ice.", "settings": {
            "scanDepth": 4, "recursiveScanning": true }, "clientRequestId": "north" });
        let north = book(world, freya(), input.clone()).await;
        assert_eq!(book(world, freya(), input).await, north);
        let read = "query($id: ID!) { lorebook(id: $id) { name description visibility version
            settings { scanDepth tokenBudget recursiveScanning } entries { totalCount } } }";
        let seen = world.ask(freya(), read, json!({ "id": north })).await;
        let expected = json!({ "name": "The North", "description": "Ice.", "visibility": "PRIVATE",
            "version": 1, "entries": { "totalCount": 0 },
            "settings": { "scanDepth": 4, "tokenBudget": null, "recursiveScanning": true } });
        assert_eq!(seen, expected);
        let change = json!({ "id": north, "name": "The far North", "settings": { "tokenBudget": 9 },
            "expectedVersion": 1 });
        world.does(freya(), "updateLorebook", change.clone()).await;
        let stale = world.try_to(freya(), "updateLorebook", change).await;
        assert_eq!(stale["errors"][0]["code"], "CONFLICT");
        assert_eq!(stale["lorebook"]["version"], 2);
        let seen = world.ask(freya(), read, json!({ "id": north })).await;
        assert_eq!(
            seen["settings"],
            json!({ "scanDepth": null, "tokenBudget": 9, "recursiveScanning": null })
        );
        let south = book(world, freya(), json!({ "name": "The South" })).await;
        let mine = "{ lorebooks(filter: { mine: true }, first: 1) { totalCount nodes { id }
            pageInfo { endCursor hasNextPage } } }";
        let page = world.ask(freya(), mine, json!({})).await;
        assert_eq!((&page["totalCount"], &page["nodes"][0]["id"]), (&json!(2), &json!(south)));
        let next = "query($after: String) { lorebooks(after: $after) { nodes { id } } }";
        let after = json!({ "after": page["pageInfo"]["endCursor"] });
        assert_eq!(
            ids(&world.ask(freya(), next, after).await["nodes"]),
            std::slice::from_ref(&north)
        );
        world.does(freya(), "deleteLorebook", json!({ "id": north })).await;
        assert_eq!(world.ask(freya(), mine, json!({})).await["totalCount"], 1);
        for name in ["updateLorebook", "deleteLorebook"] {
            assert_eq!(world.denied(freya(), name, json!({ "id": north })).await, "NOT_FOUND");
        }
        for (wrong, code) in [
            (json!({ "name": " " }), "BLANK"),
            (json!({ "name": "a".repeat(201) }), "TOO_LONG"),
            (json!({ "name": "A", "settings": { "scanDepth": -1 } }), "BAD_USER_INPUT"),
        ] {
            assert_eq!(world.denied(freya(), "createLorebook", wrong).await, code);
        }
    })
    .await;
}

#[tokio::test]
async fn entries_are_saved_all_or_none() {
    story(async |world| {
        let north = book(world, freya(), json!({ "name": "The North" })).await;
        let settings = json!({ "secondaryLogic": "NOT_ANY", "position": "AT_DEPTH", "depth": 4,
            "role": "USER" });
        let input = json!({ "lorebookId": north, "clientRequestId": "first", "entries": [
            { "title": " Fox ", "content": "Foxes talk.\n", "keys": [" fox", "/fox+/i"],
              "secondaryKeys": ["лиса"], "constant": true, "recall": false, "insertionOrder": -7,
              "settings": settings },
            { "content": "" }] });
        let first = world.does(freya(), "saveLoreEntries", input.clone()).await;
        assert_eq!(world.does(freya(), "saveLoreEntries", input).await["entries"], first["entries"]);
        let fox = &first["entries"][0];
        assert_eq!(*fox, json!({ "id": fox["id"], "title": "Fox", "content": "Foxes talk.\n",
            "keys": ["fox", "/fox+/i"], "secondaryKeys": ["лиса"], "enabled": true,
            "constant": true, "recall": false, "insertionOrder": -7, "version": 1,
            "settings": settings }));
        let plain = &first["entries"][1];
        assert_eq!((&plain["recall"], &plain["insertionOrder"]), (&json!(true), &json!(100)));
        let save = async |entries: Value| {
            let input = json!({ "lorebookId": north, "entries": entries });
            world.try_to(freya(), "saveLoreEntries", input).await
        };
        // What is not named stays.
        let saved = save(json!([{ "content": "Bears sing." },
            { "id": fox["id"], "enabled": false, "expectedVersion": 1 }])).await;
        let fox = &saved["entries"][1];
        assert_eq!((&fox["enabled"], &fox["title"], &fox["version"], &fox["settings"]),
            (&json!(false), &json!("Fox"), &json!(2), &settings));
        let stranger = "lore_entry_01h455vb4pex5vsknk084sn02q";
        let long: Vec<Value> = (0..101).map(|_| json!({ "content": "x" })).collect();
        for (wrong, code, path) in [
            (json!([{ "content": "New." }, { "id": fox["id"], "expectedVersion": 1 }]),
                "CONFLICT", "1.expectedVersion"),
            (json!([{ "content": "New." }, { "id": stranger, "enabled": false }]), "NOT_FOUND", "1.id"),
            (json!([{ "content": "New." }, { "id": stranger, "content": "A", "expectedVersion": 1 }]),
                "NOT_FOUND", "1.id"),
            (json!([{ "content": "New." }, { "title": "A" }]), "BAD_USER_INPUT", "1.content"),
            (json!([{ "content": "я".repeat(32 * 1024 + 1) }]), "TOO_LONG", "0.content"),
            (json!([{ "content": "A", "title": "я".repeat(501) }]), "TOO_LONG", "0.title"),
            (json!([{ "content": "A", "keys": [""] }]), "BLANK", "0.keys"),
            (json!([{ "content": "A", "settings": { "probability": 101 } }]), "BAD_USER_INPUT",
                "0.settings.probability"),
            (json!([{ "id": fox["id"] }, { "id": fox["id"] }]), "BAD_USER_INPUT", "1.id"),
            (json!([]), "BLANK", ""),
            (json!(long), "TOO_LONG", ""),
        ] {
            let refused = save(wrong.clone()).await;
            assert_eq!(refused["errors"][0]["code"], code, "{wrong}");
            let path: Vec<&str> = path.split('.').filter(|part| !part.is_empty()).collect();
            let path = [vec!["input", "entries"], path].concat();
            assert_eq!(refused["errors"][0]["path"], json!(path), "{wrong}");
            if code == "CONFLICT" {
                assert_eq!(refused["entries"], json!([fox]));
            }
        }
        let list = "query($id: ID!) { lorebook(id: $id) { entries(first: 2) { totalCount
            nodes { id content } pageInfo { hasNextPage } } } }";
        let seen = world.ask(freya(), list, json!({ "id": north })).await["entries"].clone();
        assert_eq!((&seen["totalCount"], &seen["pageInfo"]["hasNextPage"]), (&json!(3), &json!(true)));
        assert_eq!(seen["nodes"][0]["id"], fox["id"]);
        let gone = json!({ "lorebookId": north, "entryIds": [stranger, fox["id"]] });
        let removed = world.does(freya(), "removeLoreEntries", gone.clone()).await;
        assert_eq!(removed["removedEntryIds"], json!([fox["id"]]));
        let again = world.does(freya(), "removeLoreEntries", gone).await;
        assert_eq!(again["removedEntryIds"], json!([]));
        assert_eq!(world.count("SELECT count(*) FROM lore_entry").await, 2);
    })
    .await;
}

#[tokio::test]
async fn there_is_an_end_to_books_and_entries() {
    story(async |world| {
        let north = book(world, freya(), json!({ "name": "The North" })).await;
        let first = write(world, freya(), &north, &["One."]).await[0].clone();
        let copy = "INSERT INTO lore_entry (id, lorebook_id, title, content, keys, secondary_keys,
                enabled, constant, recall, insertion_order, settings, version, created_at, updated_at)
            SELECT $1, lorebook_id, title, content, keys, secondary_keys, enabled, constant, recall,
                insertion_order, settings, 1, created_at, updated_at FROM lore_entry WHERE id = $2";
        let shelf = "INSERT INTO lorebook (id, creator_id, name, description, settings, visibility,
                version, created_at, updated_at)
            SELECT $1, creator_id, name, description, settings, visibility, 1, created_at, updated_at
            FROM lorebook WHERE id = $2";
        let entry: entry::LoreEntryId = first.parse().unwrap();
        let like: LorebookId = north.parse().unwrap();
        let mut tx = world.db.begin().await.unwrap();
        for _ in 0..4_997 {
            let id: entry::LoreEntryId = world.app.ids.next();
            tx.query(copy).bind(id).bind(entry).execute().await.unwrap();
        }
        for _ in 0..998 {
            let id: LorebookId = world.app.ids.next();
            tx.query(shelf).bind(id).bind(like).execute().await.unwrap();
        }
        tx.commit().await.unwrap();
        let three = json!([{ "content": "A" }, { "content": "B" }, { "content": "C" }]);
        let input = json!({ "lorebookId": north, "entries": three });
        assert_eq!(world.denied(freya(), "saveLoreEntries", input).await, "LIMIT_EXCEEDED");
        write(world, freya(), &north, &["A", "B"]).await;
        let one = json!({ "lorebookId": north, "entries": [{ "content": "C" }] });
        assert_eq!(world.denied(freya(), "saveLoreEntries", one).await, "LIMIT_EXCEEDED");
        // What is there can be changed still.
        let change = json!({ "lorebookId": north, "entries": [{ "id": first, "title": "One" }] });
        world.does(freya(), "saveLoreEntries", change).await;
        book(world, freya(), json!({ "name": "The last" })).await;
        let another = json!({ "name": "One too many" });
        assert_eq!(world.denied(freya(), "createLorebook", another.clone()).await, "LIMIT_EXCEEDED");
        book(world, bjorn(), another).await;
    })
    .await;
}

#[tokio::test]
async fn books_are_attached_in_an_order() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let mut books = Vec::new();
        for n in 0..33 {
            books.push(book(world, freya(), json!({ "name": format!("Book {n}") })).await);
        }
        for target in [&tale.session, &tale.character, &tale.persona] {
            let put = async |n: usize, position: Value| {
                let input = json!({ "lorebookId": books[n], "targetId": target, "position": position });
                ids(&world.does(freya(), "attachLorebook", input).await["target"]["lorebooks"]["nodes"])
            };
            let of = |order: &[usize]| -> Vec<String> {
                order.iter().map(|n| books[*n].clone()).collect()
            };
            put(0, json!(null)).await;
            put(1, json!(null)).await;
            assert_eq!(put(2, json!(0)).await, of(&[2, 0, 1]));
            assert_eq!(put(0, json!(null)).await, of(&[2, 0, 1]));
            assert_eq!(put(2, json!(99)).await, of(&[0, 1, 2]));
            let left = detach(world, freya(), &books[1], target).await;
            assert_eq!(ids(&left), of(&[0, 2]));
            assert_eq!(ids(&detach(world, freya(), &books[1], target).await), of(&[0, 2]));
            for n in 3..33 {
                put(n, json!(null)).await;
            }
            let one_more = json!({ "lorebookId": books[1], "targetId": target });
            assert_eq!(world.denied(freya(), "attachLorebook", one_more).await, "LIMIT_EXCEEDED");
            let wrong = json!({ "lorebookId": books[0], "targetId": target, "position": -1 });
            assert_eq!(world.denied(freya(), "attachLorebook", wrong).await, "BAD_USER_INPUT");
        }
        let page = "query($id: ID!, $after: String) { session(id: $id) { lorebooks(first: 20,
            after: $after) { totalCount nodes { id } pageInfo { hasNextPage endCursor } } } }";
        let asked = json!({ "id": tale.session });
        let first = world.ask(freya(), page, asked).await["lorebooks"].clone();
        assert_eq!((&first["totalCount"], ids(&first["nodes"]).len()), (&json!(32), 20));
        let asked = json!({ "id": tale.session, "after": first["pageInfo"]["endCursor"] });
        let rest = world.ask(freya(), page, asked).await["lorebooks"].clone();
        assert_eq!((ids(&rest["nodes"]).len(), &rest["pageInfo"]["hasNextPage"]), (12, &json!(false)));
        let all: BTreeSet<String> =
            ids(&first["nodes"]).into_iter().chain(ids(&rest["nodes"])).collect();
        assert_eq!(all.len(), 32);
    })
    .await;
}

#[tokio::test]
async fn who_watches_hears_of_books_and_attachments() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let query = "subscription { libraryEvents { __typename
            ... on LibraryNodeAdded { node { id } } ... on LibraryNodeChanged { node { id } }
            ... on LibraryNodeRemoved { id } } }";
        let mut library = world.subscribe(freya(), query, json!({}));
        library.until_type("LibraryCaughtUp").await;
        let mut hear = async |name: &str, node: &str| {
            let event = library.next().await.unwrap();
            let heard = event["node"].get("id").or(event.get("id")).cloned().unwrap_or_default();
            assert_eq!((&event["__typename"], &heard), (&json!(name), &json!(node)));
        };
        let north = book(world, freya(), json!({ "name": "The North" })).await;
        hear("LibraryNodeAdded", &north).await;
        let entries = write(world, freya(), &north, &["Ice."]).await;
        hear("LibraryNodeChanged", &north).await;
        for target in [&tale.character, &tale.persona, &tale.session] {
            attach(world, freya(), &north, target).await;
            hear("LibraryNodeChanged", target).await;
            // The same again is no news.
            attach(world, freya(), &north, target).await;
        }
        let sequence = world.session(freya(), &tale.session).await["sequence"].clone();
        let watched = json!({ "id": tale.session, "after": sequence.as_i64().unwrap() - 1 });
        let mut events = world.watch_session(freya(), watched);
        assert_eq!(events.next().await.unwrap()["__typename"], "SessionUpdated");
        assert_eq!(events.next().await.unwrap()["__typename"], "CaughtUp");
        detach(world, freya(), &north, &tale.session).await;
        hear("LibraryNodeChanged", &tale.session).await;
        assert_eq!(events.next().await.unwrap()["__typename"], "SessionUpdated");
        let gone = json!({ "lorebookId": north, "entryIds": entries });
        world.does(freya(), "removeLoreEntries", gone.clone()).await;
        hear("LibraryNodeChanged", &north).await;
        world.does(freya(), "removeLoreEntries", gone).await;
        world.does(freya(), "updateLorebook", json!({ "id": north, "name": "N" })).await;
        hear("LibraryNodeChanged", &north).await;
        world.does(freya(), "deleteLorebook", json!({ "id": north })).await;
        hear("LibraryNodeRemoved", &north).await;
    })
    .await;
}

#[tokio::test]
async fn published_books_are_read_by_all_and_written_by_one() {
    story(async |world| {
        let tale = world.tale(bjorn()).await;
        for (visibility, is_seen) in [("PRIVATE", false), ("UNLISTED", true), ("PUBLIC", true)] {
            let input = json!({ "name": visibility, "visibility": visibility });
            let theirs = book(world, freya(), input).await;
            let entries = write(world, freya(), &theirs, &["Ice."]).await;
            for who in [bjorn(), Viewer::Anonymous] {
                assert_eq!(reads(world, who, &theirs).await, is_seen, "{visibility}");
                let node = "query($id: ID!) { node(id: $id) { id ... on LoreEntry { content } } }";
                let node = world.ask(who, node, json!({ "id": entries[0] })).await;
                assert_eq!(node.is_null(), !is_seen);
                let list = world.ask(who, "{ lorebooks { nodes { id } } }", json!({})).await;
                let is_listed = ids(&list["nodes"]).contains(&theirs);
                assert_eq!(is_listed, visibility == "PUBLIC");
            }
            let code = if is_seen { "FORBIDDEN" } else { "NOT_FOUND" };
            let (id, of) = (json!({ "id": theirs }), json!(theirs));
            for (name, input) in [
                ("updateLorebook", id.clone()),
                ("deleteLorebook", id),
                ("saveLoreEntries", json!({ "lorebookId": of, "entries": [{ "content": "A" }] })),
                ("removeLoreEntries", json!({ "lorebookId": of, "entryIds": entries })),
            ] {
                assert_eq!(world.denied(bjorn(), name, input).await, code, "{name}");
            }
            let attach = json!({ "lorebookId": theirs, "targetId": tale.session });
            let code = world.denied(bjorn(), "attachLorebook", attach).await;
            assert_eq!(code, if is_seen { json!(null) } else { json!("NOT_FOUND") });
            let elsewhere = json!({ "lorebookId": theirs, "targetId": tale.session });
            assert_eq!(world.denied(freya(), "attachLorebook", elsewhere).await, "NOT_FOUND");
        }
        assert_eq!(lore(world, &tale.session).await, ["Ice.", "Ice."]);
    })
    .await;
}

/// A character of Freya's that everybody may play with, and Björn in a story with it.
async fn played(world: &World) -> (String, Tale) {
    let card = json!({ "name": "Mira", "visibility": "PUBLIC", "greeting": "Hi." });
    let mira = world.character(freya(), card).await;
    let ulf = world.persona(bjorn(), "Ulf").await;
    let tale = world.tale_of(bjorn(), &ulf, &mira).await;
    (mira, tale)
}

#[tokio::test]
async fn a_book_is_told_and_read_where_it_is_attached() {
    story(async |world| {
        let (mira, tale) = played(world).await;
        let inn = book(world, freya(), json!({ "name": "The inn" })).await;
        write(world, freya(), &inn, &["The inn burned once."]).await;
        assert!(!reads(world, bjorn(), &inn).await);
        attach(world, freya(), &inn, &mira).await;
        // Whoever plays with her character, and nobody else.
        assert!(reads(world, bjorn(), &inn).await);
        assert!(!reads(world, Viewer::Anonymous, &inn).await);
        let north = book(world, freya(), json!({ "name": "N", "visibility": "UNLISTED" })).await;
        write(world, freya(), &north, &["Ice."]).await;
        attach(world, bjorn(), &north, &tale.persona).await;
        attach(world, bjorn(), &north, &tale.session).await;
        let own = book(world, bjorn(), json!({ "name": "Mine" })).await;
        let entries = json!({ "lorebookId": own, "entries": [
            { "content": "Told." }, { "content": "Off.", "enabled": false },
            { "content": "By keys alone.", "keys": ["key"], "recall": false }, { "content": "" }] });
        world.does(bjorn(), "saveLoreEntries", entries).await;
        attach(world, bjorn(), &own, &tale.session).await;
        let all = ["The inn burned once.", "Ice.", "Told."];
        assert_eq!(lore(world, &tale.session).await, all);
        let elsewhere = world.tale(bjorn()).await;
        assert_eq!(lore(world, &elsewhere.session).await, [""; 0]);
        // Withdrawn and deleted it is told on where it is attached, and nowhere else.
        world.does(freya(), "updateLorebook", json!({ "id": north, "visibility": "PRIVATE" })).await;
        world.does(freya(), "deleteLorebook", json!({ "id": inn })).await;
        assert_eq!(lore(world, &tale.session).await, all);
        assert!(reads(world, bjorn(), &north).await && reads(world, bjorn(), &inn).await);
        let more = json!({ "lorebookId": inn, "targetId": mira });
        assert_eq!(world.denied(freya(), "attachLorebook", more).await, "NOT_FOUND");
        detach(world, freya(), &inn, &mira).await;
        detach(world, bjorn(), &north, &tale.session).await;
        detach(world, bjorn(), &north, &tale.persona).await;
        assert_eq!(lore(world, &tale.session).await, ["Told."]);
        assert!(!reads(world, bjorn(), &north).await && !reads(world, bjorn(), &inn).await);
    })
    .await;
}

#[tokio::test]
async fn what_was_withdrawn_is_not_passed_on_by_a_character_of_somebody_else() {
    story(async |world| {
        let (mira, tale) = played(world).await;
        let theirs = json!({ "name": "Theirs", "visibility": "PUBLIC" });
        let theirs = book(world, crate::harness::person(3), theirs).await;
        write(world, crate::harness::person(3), &theirs, &["A rumour."]).await;
        attach(world, freya(), &theirs, &mira).await;
        assert_eq!(lore(world, &tale.session).await, ["A rumour."]);
        let withdraw = json!({ "id": theirs, "visibility": "PRIVATE" });
        world.does(crate::harness::person(3), "updateLorebook", withdraw).await;
        assert_eq!(lore(world, &tale.session).await, [""; 0]);
        assert!(!reads(world, bjorn(), &theirs).await);
        // She who attached it sees what to detach.
        let seen = "query($id: ID!) { character(id: $id) { lorebooks { nodes { id } } } }";
        for (who, expected) in [(freya(), vec![theirs.clone()]), (bjorn(), vec![])] {
            let found = world.ask(who, seen, json!({ "id": mira })).await;
            assert_eq!(ids(&found["lorebooks"]["nodes"]), expected);
        }
    })
    .await;
}

#[tokio::test]
async fn recall_looks_at_so_much_and_no_more() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let north = book(world, freya(), json!({ "name": "The North" })).await;
        let large = "x".repeat(64 * 1024);
        for _ in 0..13 {
            write(world, freya(), &north, &[large.as_str(); 10]).await;
        }
        attach(world, freya(), &north, &tale.session).await;
        // 8 MiB are 128 of them.
        assert_eq!(lore(world, &tale.session).await.len(), 128);
    })
    .await;
}

#[tokio::test]
async fn a_fork_keeps_what_is_attached() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let mut books = Vec::new();
        for name in ["One", "Two"] {
            let made = book(world, freya(), json!({ "name": name })).await;
            let input = json!({ "lorebookId": made, "targetId": tale.session, "position": 0 });
            world.does(freya(), "attachLorebook", input).await;
            books.insert(0, made);
        }
        let fork = id(&forks(world, &tale, &tale.greeting, "PATH").await);
        let query = "query($id: ID!) { session(id: $id) { lorebooks { nodes { id } } } }";
        let seen = world.ask(freya(), query, json!({ "id": fork })).await;
        assert_eq!(ids(&seen["lorebooks"]["nodes"]), books);
        assert_eq!(ids(&detach(world, freya(), &books[0], &fork).await), books[1..]);
        let seen = world.ask(freya(), query, json!({ "id": tale.session })).await;
        assert_eq!(ids(&seen["lorebooks"]["nodes"]), books);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_book_is_erased_once_nothing_tells_it() {
    let plan = || {
        let start = DateTime::from_timestamp(1_750_000_000, 0).unwrap();
        let clock = Arc::new(TestClock::new(start));
        (Plan { clock: clock.clone(), ..Plan::default() }, clock)
    };
    story_with(plan, async |world, clock| {
        let tale = world.tale(freya()).await;
        let (used, unused) = (
            book(world, freya(), json!({ "name": "Used" })).await,
            book(world, freya(), json!({ "name": "Unused" })).await,
        );
        for made in [&used, &unused] {
            write(world, freya(), made, &["One.", "Two."]).await;
        }
        attach(world, freya(), &used, &tale.session).await;
        for made in [&used, &unused] {
            world.does(freya(), "deleteLorebook", json!({ "id": made })).await;
        }
        let purge = async || {
            clock.advance(TimeDelta::days(30) + TimeDelta::minutes(11));
            let erased = purge::once(&world.app).await.map_err(|error| error.describe()).unwrap();
            (erased.lorebooks, erased.entries)
        };
        assert_eq!(purge().await, (1, 2));
        assert!(reads(world, freya(), &used).await && !reads(world, freya(), &unused).await);
        assert_eq!(lore(world, &tale.session).await, ["One.", "Two."]);
        world.does(freya(), "deleteSession", json!({ "id": tale.session })).await;
        assert_eq!(purge().await, (1, 2));
        assert_eq!(world.count("SELECT count(*) FROM lorebook_attachment").await, 0);
    })
    .await;
}
