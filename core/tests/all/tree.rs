//! The laws of the tree: whatever a player does, in whatever order.

use std::collections::HashMap;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use skald_base::testing::{TestDb, each_database};
use skald_core::{MIGRATIONS, llm::LlmErrorKind};
use tokio::{runtime::Handle, task::block_in_place};

use crate::harness::{Events, Plan, Tale, World, freya, id, ids, scripted_story};

/// What a player does; numbers choose among the messages there are.
#[derive(Clone, Copy, Debug)]
enum Act {
    Send(usize),
    Regenerate(usize),
    Edit(usize),
    Select(usize),
    Delete(usize),
    Restore(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let any = 0_usize..1000;
    prop_oneof![
        4 => any.clone().prop_map(Act::Send),
        3 => any.clone().prop_map(Act::Regenerate),
        2 => any.clone().prop_map(Act::Edit),
        4 => any.clone().prop_map(Act::Select),
        3 => any.clone().prop_map(Act::Delete),
        2 => any.prop_map(Act::Restore),
    ]
}

/// A node of the model: its parent came before it.
struct Node {
    id: String,
    parent: Option<usize>,
    is_players: bool,
    deletion: Option<usize>,
    /// Which child the player last went on to; none if they stayed here or have not been here.
    went_on: Option<usize>,
    /// When the player was last here or below.
    visited: Option<usize>,
}

/// The tree as it should be, with no cleverness.
#[derive(Default)]
struct Model {
    nodes: Vec<Node>,
    head: Option<usize>,
    now: usize,
}

impl Model {
    fn add(&mut self, id: String, parent: Option<usize>, is_players: bool) -> usize {
        let node = Node { id, parent, is_players, deletion: None, went_on: None, visited: None };
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn path(&self, leaf: Option<usize>) -> Vec<usize> {
        let mut path: Vec<usize> =
            std::iter::successors(leaf, |node| self.nodes[*node].parent).collect();
        path.reverse();
        path
    }

    fn is_below(&self, node: usize, top: usize) -> bool {
        self.path(Some(node)).contains(&top)
    }

    fn living(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].deletion.is_none())
    }

    fn siblings(&self, node: usize) -> Vec<usize> {
        let Node { parent, is_players, .. } = self.nodes[node];
        let same = |other: &usize| {
            self.nodes[*other].parent == parent && self.nodes[*other].is_players == is_players
        };
        self.living().filter(same).collect()
    }

    /// The last node that both paths share.
    fn fork(&self, one: Option<usize>, other: Option<usize>) -> Option<usize> {
        let (one, other) = (self.path(one), self.path(other));
        one.iter().zip(&other).take_while(|(a, b)| a == b).last().map(|(node, _)| *node)
    }

    fn move_head(&mut self, head: Option<usize>) {
        self.head = head;
        self.now += 1;
        let path = self.path(head);
        for (place, node) in path.iter().enumerate() {
            self.nodes[*node].went_on = path.get(place + 1).copied();
            self.nodes[*node].visited = Some(self.now);
        }
    }

    /// Where the player stopped when they were last at or below a message.
    fn leads_to(&self, node: usize) -> usize {
        self.nodes[node].went_on.map_or(node, |next| self.leads_to(next))
    }

    fn select(&mut self, node: usize) {
        let leaf = self.leads_to(node);
        if self.head != Some(leaf) {
            self.move_head(Some(leaf));
        }
    }

    fn delete(&mut self, top: usize) {
        self.now += 1;
        let below: Vec<usize> = self.living().filter(|node| self.is_below(*node, top)).collect();
        for node in &below {
            self.nodes[*node].deletion = Some(self.now);
        }
        let parent = self.nodes[top].parent;
        if let Some(parent) = parent.filter(|parent| self.nodes[*parent].went_on == Some(top)) {
            self.nodes[parent].went_on = None;
        }
        if self.head.is_some_and(|head| below.contains(&head)) {
            let roots = || self.living().filter(|node| self.nodes[*node].parent.is_none());
            let visited = roots().filter(|root| self.nodes[*root].visited.is_some());
            let last = visited.max_by_key(|root| self.nodes[*root].visited);
            let elsewhere = last.map(|root| self.leads_to(root)).or_else(|| roots().next());
            self.move_head(parent.or(elsewhere));
        }
    }

    /// Whether it could be restored.
    fn restore(&mut self, node: usize) -> bool {
        let deletion = self.nodes[node].deletion;
        let taken: Vec<usize> =
            (0..self.nodes.len()).filter(|node| self.nodes[*node].deletion == deletion).collect();
        if self.nodes[taken[0]].parent.is_some_and(|parent| self.nodes[parent].deletion.is_some()) {
            return false;
        }
        for node in taken {
            self.nodes[node].deletion = None;
        }
        self.move_head(Some(self.leads_to(node)));
        true
    }
}

/// A session beside its model.
struct Play<'a> {
    world: &'a World,
    tale: Tale,
    events: Events,
    model: Model,
}

impl<'a> Play<'a> {
    async fn begin(world: &'a World, (persona, character): (&str, &str)) -> Self {
        let tale = world.tale_of(freya(), persona, character).await;
        let mut model = Model::default();
        let greeting = world.message(freya(), &tale.greeting).await;
        for id in greeting["alternatives"]["messageIds"].as_array().unwrap() {
            model.add(id.as_str().unwrap().into(), None, false);
        }
        model.move_head(Some(0));
        let variables = json!({ "id": tale.session, "channels": [] });
        let mut events = world.watch_session(freya(), variables);
        events.until_type("CaughtUp").await;
        Self { world, tale, events, model }
    }

    /// One of the living messages that fit; none if none do.
    fn choose(&self, n: usize, fits: impl Fn(&Node) -> bool) -> Option<usize> {
        let all: Vec<usize> =
            self.model.living().filter(|node| fits(&self.model.nodes[*node])).collect();
        (!all.is_empty()).then(|| all[n % all.len()])
    }

    fn id(&self, node: usize) -> &str {
        &self.model.nodes[node].id
    }

    async fn act(&mut self, act: Act) {
        let before = self.model.head;
        match act {
            Act::Send(n) => {
                let parent = self.choose(n, |node| !node.is_players);
                let mut input = json!({ "sessionId": self.tale.session, "content": "Hi." });
                if let Some(parent) = parent {
                    input["parentId"] = self.id(parent).into();
                }
                let turn = self.world.does(freya(), "sendMessage", input).await;
                let parent = parent.or(before);
                let said = self.model.add(id(&turn["message"]), parent, true);
                let reply = self.model.add(id(&turn["reply"]), Some(said), false);
                self.model.move_head(Some(reply));
            }
            Act::Regenerate(n) => {
                let Some(node) = self.choose(n, |node| !node.is_players) else { return };
                let input = json!({ "messageId": self.id(node) });
                let turn = self.world.does(freya(), "regenerateReply", input).await;
                let parent = self.model.nodes[node].parent;
                let reply = self.model.add(id(&turn["reply"]), parent, false);
                self.model.move_head(Some(reply));
            }
            Act::Edit(n) => {
                let Some(node) = self.choose(n, |_| true) else { return };
                let Node { parent, is_players, .. } = self.model.nodes[node];
                let input =
                    json!({ "messageId": self.id(node), "content": "Ho.", "reply": is_players });
                let turn = self.world.does(freya(), "editMessage", input).await;
                let mut head = self.model.add(id(&turn["message"]), parent, is_players);
                if is_players {
                    head = self.model.add(id(&turn["reply"]), Some(head), false);
                }
                self.model.move_head(Some(head));
            }
            Act::Select(n) => {
                let Some(node) = self.choose(n, |_| true) else { return };
                let input = json!({ "messageId": self.id(node) });
                self.world.does(freya(), "selectMessage", input).await;
                self.model.select(node);
            }
            Act::Delete(n) => {
                let Some(node) = self.choose(n, |_| true) else { return };
                let input = json!({ "messageId": self.id(node) });
                self.world.does(freya(), "deleteMessage", input).await;
                self.model.delete(node);
            }
            Act::Restore(n) => {
                let gone: Vec<usize> = (0..self.model.nodes.len())
                    .filter(|node| self.model.nodes[*node].deletion.is_some())
                    .collect();
                if gone.is_empty() {
                    return;
                }
                let node = gone[n % gone.len()];
                let input = json!({ "messageId": self.id(node) });
                let denied = self.world.denied(freya(), "restoreMessage", input).await;
                assert_eq!(denied == "CONFLICT", !self.model.restore(node), "{denied}");
            }
        }
        for reply in ids(&self.world.ask(freya(), "{ runningReplies { id } }", json!({})).await) {
            self.world.ends(freya(), &reply).await;
        }
        if self.model.head != before {
            let moved = self.events.until_type("HeadMoved").await;
            let name = |node: Option<usize>| node.map(|node| self.id(node));
            assert_eq!(moved["head"]["id"].as_str(), name(self.model.head));
            let fork = self.model.fork(before, self.model.head);
            assert_eq!(moved["fork"]["id"].as_str(), name(fork));
            let branch = self.model.path(self.model.head);
            let branch = branch.iter().skip(self.model.path(fork).len()).map(|node| self.id(*node));
            assert_eq!(ids(&moved["branch"]), branch.collect::<Vec<_>>());
        }
    }

    /// The session as the graph shows it is the model.
    async fn check(&self) {
        let head = self.world.session(freya(), &self.tale.session).await["head"].clone();
        assert_eq!(head["id"].as_str(), self.model.head.map(|head| self.id(head)));
        let path = self.world.path(freya(), &self.tale, None).await;
        let expected = self.model.path(self.model.head);
        assert_eq!(path, expected.iter().map(|node| self.id(*node)).collect::<Vec<_>>());
        let all = "query($id: ID!) { session(id: $id) { messages(first: 100) { nodes { id parentId
            depth position status alternatives { messageIds } returnsTo { id } } } } }";
        let all = self.world.ask(freya(), all, json!({ "id": self.tale.session })).await;
        let all = all["messages"]["nodes"].as_array().unwrap().clone();
        let by_id: HashMap<&str, &Value> =
            all.iter().map(|message| (message["id"].as_str().unwrap(), message)).collect();
        assert_eq!(by_id.len(), self.model.living().count());
        for node in self.model.living() {
            let message = by_id[self.id(node)];
            let parent = self.model.nodes[node].parent;
            assert_eq!(message["parentId"].as_str(), parent.map(|parent| self.id(parent)));
            assert_eq!(message["depth"], self.model.path(Some(node)).len() - 1);
            let siblings = self.model.siblings(node);
            let position = siblings.iter().position(|sibling| *sibling == node);
            assert_eq!(message["position"], json!(position));
            let siblings: Vec<&str> = siblings.iter().map(|node| self.id(*node)).collect();
            assert_eq!(message["alternatives"]["messageIds"], json!(siblings));
            assert_eq!(message["status"], "COMPLETE");
            assert_eq!(message["returnsTo"]["id"], self.id(self.model.leads_to(node)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_what_was_done_to_it() {
    each_database(MIGRATIONS, async |TestDb { db, url, dir: _dir }| {
        let world = World::open(db, url, Plan::default()).await;
        let persona = world.persona(freya(), "Astrid").await;
        let card = json!({ "name": "Mira", "greeting": "One.", "alternateGreetings": ["Two."] });
        let character = world.character(freya(), card).await;
        let config = Config { cases: 10, failure_persistence: None, ..Config::default() };
        let acts = prop::collection::vec(act(), 1..25);
        let outcome = TestRunner::new(config).run(&acts, |acts| {
            let play = async {
                let mut play = Play::begin(&world, (&persona, &character)).await;
                for act in acts {
                    play.act(act).await;
                    play.check().await;
                }
            };
            block_in_place(|| Handle::current().block_on(play));
            Ok(())
        });
        outcome.unwrap();
        let unfinished = "SELECT count(*) FROM reply r JOIN message m ON m.id = r.message_id
            WHERE r.finished_at IS NULL OR m.status IN ('PENDING', 'WRITING')
                OR m.session_id <> r.session_id";
        assert_eq!(world.count(unfinished).await, 0);
        // Swipes left behind do not pile up: who selects one needs no help to find it.
        let useless = "SELECT count(*) FROM branch_tip t JOIN message m ON m.id = t.leaf_id
            WHERE t.top_id IS NULL OR (t.top_id = t.leaf_id AND m.parent_id IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM message below WHERE below.parent_id = m.id))";
        assert_eq!(world.count(useless).await, 0);
        world.app.lifecycle.stop(std::time::Duration::ZERO).await;
    })
    .await;
}

#[tokio::test]
async fn the_database_itself_keeps_the_laws() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let other = world.tale_of(freya(), &tale.persona, &tale.character).await;
        let reply = id(&world.says(freya(), &tale, "Hi.").await["reply"]);
        script.call().await.tell("Hello.").await;
        world.ends(freya(), &reply).await;
        let again = world.does(freya(), "regenerateReply", json!({ "messageId": reply })).await;
        let failed = id(&again["reply"]);
        script.call().await.fail(LlmErrorKind::Auth.into()).await;
        assert_eq!(world.ends(freya(), &failed).await["status"], "FAILED");
        let end = world.message(freya(), &reply).await;
        let said = end["parentId"].as_str().unwrap();
        let message = |id: &str| id.parse::<skald_core::tree::MessageId>().unwrap();
        let session: skald_core::session::SessionId = tale.session.parse().unwrap();
        for (sql, target, value) in [
            ("UPDATE message SET parent_id = $2 WHERE id = $1", &reply[..], &tale.greeting[..]),
            ("UPDATE message SET parent_id = $2 WHERE id = $1", said, &reply),
            ("UPDATE message SET jump_id = $2 WHERE id = $1", &reply, &tale.greeting),
            ("UPDATE message SET depth = depth + 1 WHERE id = $1 AND id <> $2", &reply, said),
            ("UPDATE message SET status = 'WRITING' WHERE id = $1 AND id <> $2", &reply, said),
            ("UPDATE message SET status = 'FAILED' WHERE id = $1 AND id <> $2", said, &reply),
            ("UPDATE message SET status = 'PENDING' WHERE id = $1 AND id <> $2", &reply, said),
            // The one way back leads to the beginning, and not past it.
            ("UPDATE message SET status = 'WRITING' WHERE id = $1 AND id <> $2", &failed, said),
            ("UPDATE message SET status = 'COMPLETE' WHERE id = $1 AND id <> $2", &failed, said),
            ("UPDATE message SET deleted_at = created_at WHERE id = $1 AND id <> $2", said, &reply),
            (
                "UPDATE message SET session_id = (SELECT session_id FROM message WHERE id = $2)
                WHERE id = $1",
                &reply,
                &other.greeting,
            ),
            (
                "INSERT INTO message (id, session_id, parent_id, depth, jump_id, jump_depth, role,
                    author_name, content, status, revision, hidden_from_prompt, created_at)
                SELECT m.author_character_id, m.session_id, $2, 1, $2, 0, m.role, '', '', m.status,
                    1, FALSE, m.created_at FROM message m WHERE m.id = $1",
                &tale.greeting,
                &other.greeting,
            ),
        ] {
            let query = world.db.write(sql).bind(message(target)).bind(message(value));
            assert!(query.execute().await.is_err(), "{sql}");
        }
        let head = "UPDATE session SET head_id = $2 WHERE id = $1";
        let query = world.db.write(head).bind(session).bind(message(&other.greeting));
        assert!(query.execute().await.is_err());
        let query = world.db.write(head).bind(session).bind(message(&tale.greeting));
        assert_eq!(query.execute().await.unwrap(), 1);
        assert_eq!(world.message(freya(), &reply).await, end);
    })
    .await;
}
