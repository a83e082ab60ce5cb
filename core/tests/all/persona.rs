//! Personas and characters: whom a story is told with, while they change and go.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{bjorn, freya, id, ids, story};

#[tokio::test]
async fn one_persona_is_the_default() {
    story(async |world| {
        let default = async || {
            let list = "{ personas { nodes { id isDefault } } }";
            let page = world.ask(freya(), list, json!({})).await;
            let all = page["nodes"].as_array().unwrap().clone();
            let chosen: Vec<_> = all.iter().filter(|one| one["isDefault"] == true).collect();
            assert!(chosen.len() <= 1, "{all:?}");
            chosen.first().map(|one| id(one))
        };
        let astrid = world.persona(freya(), "Astrid").await;
        assert_eq!(default().await, Some(astrid.clone()));
        let sigrun = world.persona(freya(), "Sigrún").await;
        assert_eq!(default().await, Some(astrid.clone()));
        let choose = json!({ "id": sigrun, "isDefault": true });
        world.does(freya(), "updatePersona", choose).await;
        assert_eq!(default().await, Some(sigrun.clone()));
        let third = json!({ "name": "Hild", "isDefault": true });
        let hild = id(&world.does(freya(), "createPersona", third).await["persona"]);
        assert_eq!(default().await, Some(hild.clone()));
        let mira = world.character(freya(), json!({ "name": "Mira" })).await;
        let input = json!({ "characterIds": [mira] });
        let session = world.does(freya(), "createSession", input.clone()).await;
        assert_eq!(session["session"]["persona"]["id"], hild.as_str());
        let withdraw = json!({ "id": hild, "isDefault": false });
        world.does(freya(), "updatePersona", withdraw).await;
        assert_eq!(default().await, None);
        assert_eq!(world.denied(freya(), "createSession", input).await, "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn a_persona_goes_for_good_unless_a_story_knows_it() {
    story(async |world| {
        let unused = world.persona(freya(), "Nobody").await;
        let gone = world.does(freya(), "deletePersona", json!({ "id": unused })).await;
        assert_eq!(gone["deletedPersonaId"], unused.as_str());
        let read = "query($id: ID!) { persona(id: $id) { name deletedAt isDefault } }";
        assert_eq!(world.ask(freya(), read, json!({ "id": unused })).await, Value::Null);
        assert_eq!(world.count("SELECT count(*) FROM persona").await, 0);

        let tale = world.tale(freya()).await;
        let (said, _) = world.talks(freya(), &tale, "It's me.").await;
        world.does(freya(), "deletePersona", json!({ "id": tale.persona })).await;
        let kept = world.ask(freya(), read, json!({ "id": tale.persona })).await;
        assert_eq!(kept["name"], "Astrid");
        assert_eq!(kept["isDefault"], false);
        assert!(kept["deletedAt"].is_string());
        let list = world.ask(freya(), "{ personas { totalCount nodes { id } } }", json!({})).await;
        assert_eq!(list, json!({ "totalCount": 0, "nodes": [] }));
        let said = world.message(freya(), &id(&said)).await;
        assert_eq!(said["author"]["name"], "Astrid");
        assert_eq!(said["author"]["persona"]["name"], "Astrid");
        // The story goes on under the same name, but no new one begins with it.
        let (said, _) = world.talks(freya(), &tale, "Still me.").await;
        assert_eq!(said["author"]["name"], "Astrid");
        let input = json!({ "personaId": tale.persona, "characterIds": [tale.character] });
        assert_eq!(world.denied(freya(), "createSession", input).await, "NOT_FOUND");
        for name in ["updatePersona", "deletePersona"] {
            let input = json!({ "id": tale.persona });
            assert_eq!(world.denied(freya(), name, input).await, "NOT_FOUND");
        }
    })
    .await;
}

#[tokio::test]
async fn messages_keep_the_name_they_were_written_under() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let (before, _) = world.talks(freya(), &tale, "One.").await;
        let rename = json!({ "id": tale.persona, "name": "Astrid the Red", "expectedVersion": 1 });
        let renamed = world.does(freya(), "updatePersona", rename).await;
        assert_eq!(renamed["persona"]["version"], 2);
        let rename = json!({ "id": tale.character, "name": "Old Mira" });
        world.does(freya(), "updateCharacter", rename).await;
        let (after, reply) = world.talks(freya(), &tale, "Two.").await;
        assert_eq!(world.message(freya(), &id(&before)).await["author"]["name"], "Astrid");
        assert_eq!(after["author"]["name"], "Astrid the Red");
        assert_eq!(reply["author"]["name"], "Old Mira");
        let session = world.session(freya(), &tale.session).await;
        assert_eq!(session["cast"][0]["name"], "Mira");
        assert_eq!(session["cast"][0]["character"]["name"], "Old Mira");
    })
    .await;
}

#[tokio::test]
async fn a_story_outlives_the_publication_of_its_character() {
    story(async |world| {
        let card = json!({ "name": "Mira", "visibility": "PUBLIC", "greeting": "Come in." });
        let mira = world.character(freya(), card).await;
        let persona = world.persona(bjorn(), "Ulf").await;
        let tale = world.tale_of(bjorn(), &persona, &mira).await;
        let read = "query($id: ID!) { character(id: $id) { name deletedAt visibility } }";
        let begin = json!({ "personaId": persona, "characterIds": [mira] });
        let withdraw = json!({ "id": mira, "visibility": "PRIVATE" });
        world.does(freya(), "updateCharacter", withdraw).await;
        let seen = world.ask(bjorn(), read, json!({ "id": mira })).await;
        assert_eq!(seen["visibility"], "PRIVATE");
        let (_, reply) = world.talks(bjorn(), &tale, "Are you there?").await;
        assert_eq!(reply["status"], "COMPLETE");
        world.does(freya(), "deleteCharacter", json!({ "id": mira })).await;
        let seen = world.ask(bjorn(), read, json!({ "id": mira })).await;
        assert!(seen["deletedAt"].is_string());
        let (_, reply) = world.talks(bjorn(), &tale, "Still there?").await;
        assert_eq!(reply["author"]["character"]["id"], mira.as_str());
        let cast = world.session(bjorn(), &tale.session).await["cast"].clone();
        assert_eq!(cast[0]["character"]["id"], mira.as_str());
        assert_eq!(world.denied(bjorn(), "createSession", begin).await, "NOT_FOUND");
        let lists = "{ characters { nodes { id } } }";
        for who in [freya(), bjorn()] {
            let all = ids(&world.ask(who, lists, json!({})).await["nodes"]);
            assert!(!all.contains(&mira));
            // Three examples stand in the catalogue of every server.
            assert_eq!(all.len(), 3);
        }
    })
    .await;
}

#[tokio::test]
async fn first_personas_made_at_once_agree_on_a_default() {
    story(async |world| {
        let make = |n: usize| world.persona(bjorn(), ["Ulf", "Orm", "Leif", "Egil", "Kári"][n]);
        let made = join_all((0..5).map(make)).await;
        let list = "{ personas { nodes { id isDefault } } }";
        let all = world.ask(bjorn(), list, json!({})).await["nodes"].clone();
        let defaults = all.as_array().unwrap().iter().filter(|one| one["isDefault"] == true);
        assert_eq!(defaults.count(), 1);
        let choose = |id: &String| {
            let input = json!({ "id": id, "isDefault": true });
            async move { world.does(bjorn(), "updatePersona", input).await }
        };
        join_all(made.iter().map(choose)).await;
        let all = world.ask(bjorn(), list, json!({})).await["nodes"].clone();
        let defaults = all.as_array().unwrap().iter().filter(|one| one["isDefault"] == true);
        assert_eq!(defaults.count(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_who_does_everything_at_once_is_never_refused() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let talk = async {
            for _ in 0..40 {
                let input = json!({ "sessionId": tale.session, "parentId": tale.greeting,
                    "content": "Hi." });
                let turn = world.does(freya(), "sendMessage", input).await;
                world.ends(freya(), &id(&turn["reply"])).await;
            }
        };
        let dress = async {
            for n in 0..80 {
                let input = json!({ "id": tale.persona, "appearance": format!("Cloak {n}.") });
                world.does(freya(), "updatePersona", input).await;
                let input = json!({ "id": tale.character, "personality": format!("Mood {n}.") });
                world.does(freya(), "updateCharacter", input).await;
            }
        };
        let branch = async {
            for _ in 0..40 {
                let input = json!({ "sessionId": tale.session, "messageId": tale.greeting,
                    "scope": "PATH" });
                world.does(freya(), "forkSession", input).await;
            }
        };
        tokio::join!(talk, dress, branch);
        assert_eq!(world.count("SELECT count(*) FROM session").await, 41);
    })
    .await;
}
