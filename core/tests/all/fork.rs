//! Forks: a story goes on elsewhere, and the old one stays as it is.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    graft::{add_line, code, graft},
    harness::{MESSAGE, Tale, World, bjorn, freya, id, ids, scripted_story, story},
};

/// A story with everything in it, and the ids by name.
struct Branching {
    tale: Tale,
    named: BTreeMap<&'static str, String>,
}

impl Branching {
    fn id(&self, name: &str) -> &str {
        &self.named[name]
    }
}

/// The greeting; below it "north" and its edited sibling "south"; below "north" two replies, and
/// below the first of them "deeper", "down" and a message that is deleted.
async fn branching(world: &World) -> Branching {
    let tale = world.tale(freya()).await;
    let (north, first) = world.talks(freya(), &tale, "We go north.").await;
    let swipe = json!({ "messageId": first["id"] });
    let swipe = world.does(freya(), "regenerateReply", swipe).await;
    let second = world.ends(freya(), &id(&swipe["reply"])).await;
    let south = json!({ "messageId": north["id"], "content": "We go south.", "mode": "SIBLING" });
    let south = world.does(freya(), "editMessage", south).await;
    let below = async |parent: &Value, content: &str| {
        let input = json!({ "sessionId": tale.session, "parentId": parent, "content": content });
        let turn = world.does(freya(), "sendMessage", input).await;
        (turn["message"].clone(), world.ends(freya(), &id(&turn["reply"])).await)
    };
    let (deeper, answer) = below(&first["id"], "Deeper.").await;
    let (gone, _) = below(&first["id"], "Never mind.").await;
    world.does(freya(), "deleteMessage", json!({ "messageId": gone["id"] })).await;
    let (down, end) = below(&answer["id"], "Down.").await;
    let revise =
        json!({ "messageId": deeper["id"], "content": "Much deeper.", "mode": "IN_PLACE" });
    world.does(freya(), "editMessage", revise).await;
    let named = [
        ("greeting", json!({ "id": tale.greeting })),
        ("north", north),
        ("south", south["message"].clone()),
        ("first", first),
        ("second", second),
        ("deeper", deeper),
        ("answer", answer),
        ("down", down),
        ("end", end),
    ];
    let named = named.iter().map(|(name, message)| (*name, id(message))).collect();
    Branching { tale, named }
}

/// Every message of a session, as `text below parent's text`, in the order of creation.
async fn tree(world: &World, session: &str) -> Vec<String> {
    let query = "query($id: ID!) { session(id: $id) { messages(first: 100) {
        nodes { content parent { content } } } } }";
    let session = world.ask(freya(), query, json!({ "id": session })).await;
    let nodes = session["messages"]["nodes"].as_array().unwrap().clone();
    nodes
        .iter()
        .map(|node| format!("{} < {}", node["content"], node["parent"]["content"]))
        .collect()
}

async fn text(world: &World, message: &str) -> String {
    world.message(freya(), message).await["content"].as_str().unwrap().to_owned()
}

pub(crate) async fn forks(world: &World, tale: &Tale, message: &str, scope: &str) -> Value {
    let input = json!({ "sessionId": tale.session, "messageId": message, "scope": scope });
    world.does(freya(), "forkSession", input).await["session"].clone()
}

#[tokio::test]
async fn a_fork_has_the_tags_and_is_on_the_list() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let away = json!({ "id": tale.session, "tags": ["тихо", "Море"], "archived": true });
        world.does(freya(), "updateSession", away).await;
        let fork =
            json!({ "sessionId": tale.session, "messageId": tale.greeting, "scope": "PATH" });
        let fork = id(&world.does(freya(), "forkSession", fork).await["session"]);
        let query = "query($id: ID!) { session(id: $id) { tags archivedAt } }";
        let session = world.ask(freya(), query, json!({ "id": fork })).await;
        assert_eq!(session, json!({ "tags": ["тихо", "Море"], "archivedAt": null }));
    })
    .await;
}

#[tokio::test]
async fn each_scope_takes_what_it_says() {
    story(async |world| {
        let story = branching(world).await;
        let before = (tree(world, &story.tale.session).await, world.rows().await[4]);
        let lines = async |pairs: &[(&str, Option<&str>)]| {
            let mut lines = Vec::new();
            for (name, above) in pairs {
                let above = match above {
                    Some(above) => json!(text(world, story.id(above)).await).to_string(),
                    None => "null".into(),
                };
                lines.push(format!("{} < {above}", json!(text(world, story.id(name)).await)));
            }
            lines.sort();
            lines
        };
        let path = [("greeting", None), ("north", Some("greeting")), ("first", Some("north"))];
        let siblings = [("south", Some("greeting")), ("second", Some("north"))];
        let below = [
            ("deeper", Some("first")),
            ("answer", Some("deeper")),
            ("down", Some("answer")),
            ("end", Some("down")),
        ];
        for (scope, expected, head) in [
            ("PATH", lines(&path).await, "first"),
            ("PATH_WITH_SIBLINGS", lines(&[path.as_slice(), &siblings].concat()).await, "first"),
            ("SUBTREE", lines(&[path.as_slice(), &below].concat()).await, "end"),
        ] {
            let fork = forks(world, &story.tale, story.id("first"), scope).await;
            let mut found = tree(world, &id(&fork)).await;
            found.sort();
            assert_eq!(found, expected, "{scope}");
            let head_text = text(world, &id(&fork["head"])).await;
            assert_eq!(head_text, text(world, story.id(head)).await, "{scope}");
            assert_ne!(id(&fork["head"]), story.id(head));
        }
        assert_eq!(tree(world, &story.tale.session).await, before.0, "the old one stays");
        assert_eq!(world.rows().await[4], before.1 + 3, "each has its cast");
        assert_eq!(world.count("SELECT count(*) FROM session_graft").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_fork_is_the_same_story_in_every_detail() {
    story(async |world| {
        let story = branching(world).await;
        let style = json!({ "id": story.tale.session, "title": "The cave",
            "relationship": "old friends",
            "settings": { "style": { "length": "SHORT", "instruction": "Rhyme." } } });
        world.does(freya(), "updateSession", style).await;
        let fork = forks(world, &story.tale, story.id("greeting"), "SUBTREE").await;
        let query = format!(
            "query($id: ID!) {{ session(id: $id) {{ title relationship language narrativeVoice
                persona {{ name }} cast {{ name character {{ id }} }}
                settings {{ style {{ length instruction }} }} messages(first: 100) {{ nodes {{ ...M }} }}
                path(last: 100) {{ nodes {{ content }} }} usage {{ calls }} }} }} {MESSAGE}"
        );
        let old = world.ask(freya(), &query, json!({ "id": story.tale.session })).await;
        let new = world.ask(freya(), &query, json!({ "id": fork["id"] })).await;
        for field in ["title", "relationship", "language", "narrativeVoice", "persona", "cast",
            "settings", "path"] {
            assert_eq!(new[field], old[field], "{field}");
        }
        let messages = |session: &Value| session["messages"]["nodes"].as_array().unwrap().clone();
        let (old_messages, new_messages) = (messages(&old), messages(&new));
        assert_eq!(old_messages.len(), new_messages.len());
        let uuid = |id: &str| id.split_once('_').unwrap().1.to_owned();
        let renamed: BTreeMap<String, String> =
            old_messages.iter().map(id).zip(new_messages.iter().map(id)).collect();
        for (old, new) in old_messages.iter().zip(&new_messages) {
            let mut expected = old.to_string();
            for (from, to) in &renamed {
                expected = expected.replace(&uuid(from), &uuid(to));
            }
            // Alternatives of roots are named after the session.
            expected = expected.replace(&uuid(&story.tale.session), &uuid(&id(&fork)));
            assert_eq!(new.to_string(), expected);
        }
        assert_eq!((&old["usage"]["calls"], &new["usage"]["calls"]), (&json!(5), &json!(0)));
        let mine = world.ask(freya(), "{ usage(period: ALL) { calls } }", json!({})).await;
        assert_eq!(mine["calls"], 5, "nothing is counted twice");
        // A leaf that was visited is found again where the copy of its branch is selected.
        let north = json!({ "messageId": renamed[story.id("north")] });
        let south = json!({ "messageId": renamed[story.id("south")] });
        world.does(freya(), "selectMessage", south).await;
        let back = world.does(freya(), "selectMessage", north).await;
        assert_eq!(id(&back["session"]["head"]), renamed[story.id("end")]);
        // And it goes on.
        let tale = Tale { session: id(&fork), ..story.tale.clone() };
        let (_, reply) = world.talks(freya(), &tale, "On we go.").await;
        assert_eq!(reply["status"], "COMPLETE");
    })
    .await;
}

#[tokio::test]
async fn a_fork_knows_where_it_comes_from() {
    story(async |world| {
        let story = branching(world).await;
        let fork = forks(world, &story.tale, story.id("first"), "PATH").await;
        let again = Tale { session: id(&fork), ..story.tale.clone() };
        let fork_of_fork = forks(world, &again, &id(&fork["head"]), "SUBTREE").await;
        let query = "query($id: ID!) { session(id: $id) { title forkedAt { id content }
            forkedFrom { id forkedFrom { id forkedFrom { id } } } } }";
        let seen = world.ask(freya(), query, json!({ "id": fork_of_fork["id"] })).await;
        let line = json!({ "id": fork["id"],
            "forkedFrom": { "id": story.tale.session, "forkedFrom": null } });
        assert_eq!(seen["forkedFrom"], line);
        assert_eq!(seen["forkedAt"]["id"], fork["head"]["id"]);
        assert_eq!(tree(world, &id(&fork_of_fork)).await, tree(world, &id(&fork)).await);
        // The session above is gone for good.
        let gone: skald_core::session::SessionId = id(&fork).parse().unwrap();
        for sql in [
            "UPDATE session SET head_id = NULL WHERE id = $1",
            "DELETE FROM message WHERE session_id = $1",
            "DELETE FROM session WHERE id = $1",
        ] {
            world.db.write(sql).bind(gone).execute().await.unwrap();
        }
        let seen = world.ask(freya(), query, json!({ "id": fork_of_fork["id"] })).await;
        assert_eq!((&seen["forkedFrom"], &seen["forkedAt"]), (&Value::Null, &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn every_branch_of_a_fork_leads_where_the_old_one_led() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let below = async |session: &str, parent: &str, content: &str| {
            let input = json!({ "sessionId": session, "parentId": parent, "content": content });
            let turn = world.does(freya(), "sendMessage", input).await;
            (id(&turn["message"]), id(&world.ends(freya(), &id(&turn["reply"])).await))
        };
        let (north, _) = below(&tale.session, &tale.greeting, "North.").await;
        let (south, _) = below(&tale.session, &tale.greeting, "South.").await;
        let fork = id(&forks(world, &tale, &tale.greeting, "SUBTREE").await);
        let returns = async |session: &str| {
            let query = "query($id: ID!) { session(id: $id) { head { content }
                messages(first: 100) { nodes { id content returnsTo { content } } } } }";
            let session = world.ask(freya(), query, json!({ "id": session })).await;
            let nodes = session["messages"]["nodes"].as_array().unwrap().clone();
            let line = |node: &Value| (node["content"].clone(), node["returnsTo"].clone());
            let lines: Vec<_> = nodes.iter().map(line).collect();
            (session["head"].clone(), lines, nodes)
        };
        let (old, new) = (returns(&tale.session).await, returns(&fork).await);
        assert_eq!((&new.0, &new.1), (&old.0, &old.1));
        // The branch that was left goes on, and comes back from what is taken away again.
        let copy = |of: &str| {
            let place = old.2.iter().position(|node| node["id"] == of).unwrap();
            id(&new.2[place])
        };
        let select = json!({ "messageId": copy(&north) });
        let selected = world.does(freya(), "selectMessage", select).await;
        let leaf = id(&selected["session"]["head"]);
        let (further, _) = below(&fork, &leaf, "Further.").await;
        world.does(freya(), "selectMessage", json!({ "messageId": copy(&south) })).await;
        world.does(freya(), "deleteMessage", json!({ "messageId": further })).await;
        let back = json!({ "messageId": copy(&north) });
        let back = world.does(freya(), "selectMessage", back).await;
        assert_eq!(id(&back["session"]["head"]), leaf);
    })
    .await;
}

#[tokio::test]
async fn the_same_request_forks_once() {
    story(async |world| {
        let tale = world.tale(freya()).await;
        let wanted = world.app.ids.next::<skald_core::session::SessionKind>().to_string();
        let input = json!({ "sessionId": tale.session, "messageId": tale.greeting, "scope": "PATH",
            "title": "Elsewhere", "id": wanted, "clientRequestId": "fork-1" });
        let first = world.does(freya(), "forkSession", input.clone()).await;
        assert_eq!(first["session"]["id"], json!(wanted));
        assert_eq!(first["session"]["title"], "Elsewhere");
        // Even if what it was made from is gone by now.
        world.does(freya(), "deleteSession", json!({ "id": tale.session })).await;
        let rows = world.rows().await;
        let second = world.does(freya(), "forkSession", input.clone()).await;
        assert_eq!(second["session"]["id"], first["session"]["id"]);
        let mut other = input.clone();
        other["scope"] = "SUBTREE".into();
        assert_eq!(world.denied(freya(), "forkSession", other).await, "CONFLICT");
        assert_eq!(world.rows().await, rows);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_forked_is_refused() {
    story(async |world| {
        let (tale, other) = (world.tale(freya()).await, world.tale(freya()).await);
        let (north, _) = world.talks(freya(), &tale, "We go north.").await;
        world.does(freya(), "deleteMessage", json!({ "messageId": north["id"] })).await;
        let rows = world.rows().await;
        let nobodys = world.app.ids.next::<skald_core::tree::MessageKind>().to_string();
        let refused = async |who, session: &str, message: &str, path: &str, code: &str| {
            let input = json!({ "sessionId": session, "messageId": message, "scope": "SUBTREE" });
            let payload = world.try_to(who, "forkSession", input).await;
            assert_eq!(payload["session"], Value::Null);
            assert_eq!(payload["errors"][0]["code"], code);
            assert_eq!(payload["errors"][0]["path"], json!(["input", path]));
        };
        let greeting = tale.greeting.as_str();
        refused(freya(), &tale.session, &nobodys, "messageId", "NOT_FOUND").await;
        refused(freya(), &tale.session, &other.greeting, "messageId", "NOT_FOUND").await;
        refused(freya(), &tale.session, &id(&north), "messageId", "NOT_FOUND").await;
        refused(bjorn(), &tale.session, greeting, "sessionId", "NOT_FOUND").await;
        let long = json!({ "sessionId": tale.session, "messageId": greeting, "scope": "PATH",
            "title": "x".repeat(501) });
        assert_eq!(world.denied(freya(), "forkSession", long).await, "TOO_LONG");
        assert_eq!(world.rows().await, rows, "nothing is left of what was refused");
        world.does(freya(), "deleteSession", json!({ "id": tale.session })).await;
        refused(freya(), &tale.session, greeting, "sessionId", "CONFLICT").await;
    })
    .await;
}

#[tokio::test]
async fn a_reply_that_is_being_written_comes_as_far_as_it_is() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let turn = world.says(freya(), &tale, "Tell me.").await;
        let reply = id(&turn["reply"]);
        let call = script.call().await;
        let input = json!({ "sessionId": tale.session, "messageId": reply, "scope": "PATH" });
        assert_eq!(world.denied(freya(), "forkSession", input).await, "REPLY_RUNNING");
        // Without a word it stays behind, and the head is what it answers.
        let silent = forks(world, &tale, &tale.greeting, "SUBTREE").await;
        assert_eq!(text(world, &id(&silent["head"])).await, "Tell me.");
        assert_eq!(tree(world, &id(&silent)).await.len(), 2);
        // What was begun goes on, and can be answered again.
        let again = Tale { session: id(&silent), ..tale.clone() };
        let select = json!({ "messageId": silent["head"]["id"] });
        let selected = world.does(freya(), "selectMessage", select).await;
        assert_eq!(selected["session"]["head"]["id"], silent["head"]["id"]);
        let path = world.path(freya(), &again, None).await;
        assert_eq!(path.len(), 2);

        let mut events =
            world.watch_reply(freya(), json!({ "id": reply, "channels": ["CONTENT"] }));
        call.think("Hm…").await;
        call.say("Once upon").await;
        events.until(|event| event["text"] == "Once upon").await;
        let half = forks(world, &tale, &reply, "PATH").await;
        call.tell(" a time.").await;
        let whole = world.ends(freya(), &reply).await;
        let half = world.message(freya(), &id(&half["head"])).await;
        assert_eq!((&half["content"], &half["thought"]), (&json!("Once upon"), &json!("Hm…")));
        assert_eq!(
            (&half["status"], &whole["status"]),
            (&json!("INTERRUPTED"), &json!("COMPLETE"))
        );
        assert_eq!(half["generation"]["model"], whole["generation"]["model"]);
        assert_eq!(half["generation"]["finishReason"], Value::Null);
        assert_ne!(half["generation"]["timings"]["finishedAt"], Value::Null);
        let running = world.ask(freya(), "{ runningReplies { id } }", json!({})).await;
        assert_eq!(running, json!([]), "nobody writes the copies");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_fork_keeps_no_story_waiting() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let mut long = graft(world, "long").await;
        add_line(world, &mut long, 3_000).await;
        let long = long.finish(Some(2_999), &[]).await.map_err(code).unwrap();
        let turn = world.says(freya(), &tale, "Meanwhile?").await;
        let call = script.call().await;
        let reply = json!({ "id": turn["reply"]["id"], "channels": ["CONTENT"] });
        let mut events = world.watch_reply(freya(), reply);
        let fork = async {
            let input = json!({ "sessionId": long.id, "messageId": long.head_id, "scope": "PATH",
                "clientRequestId": "fork-long" });
            world.does(freya(), "forkSession", input).await["session"].clone()
        };
        let tell = async {
            for n in 0..20 {
                let word = format!("word{n} ");
                call.say(&word).await;
                events.until(|event| event["text"] == json!(word)).await;
            }
            call.end().await;
            events.until_type("ReplyFinished").await
        };
        let (fork, told) = tokio::join!(fork, tell);
        assert_eq!(told["message"]["status"], "COMPLETE");
        let query = "query($id: ID!) { session(id: $id) { head { depth }
            messages(first: 1) { totalCount } } }";
        let fork = world.ask(freya(), query, json!({ "id": fork["id"] })).await;
        assert_eq!(fork["head"]["depth"], 2_999);
        assert_eq!(fork["messages"]["totalCount"], 3_000);
        assert_eq!(
            ids(&world.ask(freya(), "{ sessions { nodes { id } } }", json!({})).await["nodes"])
                .len(),
            3
        );
    })
    .await;
}
