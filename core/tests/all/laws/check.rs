//! The laws, looked up in the graph and in the database.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use skald_core::{session::SessionId, tree::MessageId};
use uuid::Uuid;

use super::{model::Status, play::Play};
use crate::{client::Client, harness::ids};

/// A message as it is stored.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
struct Row {
    id: MessageId,
    parent_id: Option<MessageId>,
    depth: i64,
    jump_id: Option<MessageId>,
    jump_depth: i64,
    role: String,
    status: String,
    content: String,
    revision: i64,
    deletion_id: Option<Uuid>,
    created_at: DateTime<Utc>,
}

/// What a look showed.
#[derive(Default)]
pub(super) struct Seen(HashMap<MessageId, Row>);

impl Play<'_> {
    /// The session is what the model says, in the graph and in the database.
    pub(super) async fn check(&mut self) {
        self.check_graph().await;
        self.check_rows().await;
        self.check_log().await;
    }

    async fn check_graph(&self) {
        let query = "query($id: ID!) { session(id: $id) { head { id } version
            runningReplies { id } path(last: 100) { nodes { id } }
            messages(first: 100) { nodes { id parentId depth position status content revision
                revisions(first: 100) { nodes { content } } alternatives { messageIds count } } } } }";
        let session = self.world.ask(self.who, query, json!({ "id": self.tale.session })).await;
        let nodes = &self.model.nodes;
        let id = |node: usize| nodes[node].id.as_str();
        assert_eq!(session["head"]["id"].as_str(), self.model.head.map(id));
        assert_eq!(session["version"], self.model.version);
        let path: Vec<&str> = self.model.path(self.model.head).into_iter().map(id).collect();
        assert_eq!(ids(&session["path"]["nodes"]), path);
        let mut running = ids(&session["runningReplies"]);
        let mut expected: Vec<&str> = self.model.running().into_iter().map(id).collect();
        running.sort_unstable();
        expected.sort_unstable();
        assert_eq!(running, expected);
        let living = self.model.living();
        let messages = session["messages"]["nodes"].as_array().unwrap();
        assert_eq!(
            ids(&session["messages"]["nodes"]),
            living.iter().map(|n| id(*n)).collect::<Vec<_>>()
        );
        for (node, message) in living.into_iter().zip(messages) {
            let siblings = self.model.siblings(node);
            let position = siblings.iter().position(|sibling| *sibling == node);
            let siblings: Vec<&str> = siblings.into_iter().map(id).collect();
            let expected = json!({
                "id": id(node),
                "parentId": nodes[node].parent.map(id),
                "depth": self.model.path(Some(node)).len() - 1,
                "position": position,
                "status": nodes[node].status.word().map_or(message["status"].clone(), Value::from),
                "content": nodes[node].content,
                "revision": nodes[node].revisions.len() + 1,
                "revisions": { "nodes": nodes[node].revisions.iter().map(|text| json!({ "content": text })).collect::<Vec<_>>() },
                "alternatives": { "messageIds": siblings, "count": siblings.len() },
            });
            assert_eq!(*message, expected);
        }
    }

    async fn check_rows(&mut self) {
        let sql =
            "SELECT id, parent_id, depth, jump_id, jump_depth, role, status, content, revision,
            deletion_id, created_at FROM message WHERE session_id = $1 ORDER BY created_at, id";
        let rows: Vec<Row> = self.world.db.read(sql).bind(self.session_id()).all().await.unwrap();
        let nodes = &self.model.nodes;
        let id = |node: usize| nodes[node].id.parse::<MessageId>().unwrap();
        assert_eq!(rows.len(), nodes.len());
        let mut deletions: HashMap<usize, Uuid> = HashMap::new();
        for (node, row) in rows.iter().enumerate() {
            let expected = &nodes[node];
            assert_eq!(
                (row.id, row.parent_id),
                (id(node), expected.parent.map(id)),
                "order or parent"
            );
            let jump = self.model.jump(node);
            let depth = |node: usize| i64::try_from(self.model.path(Some(node)).len() - 1).unwrap();
            assert_eq!(row.depth, depth(node));
            assert_eq!(
                (row.jump_id, row.jump_depth),
                (jump.map(id), jump.map_or(0, depth)),
                "jump"
            );
            assert_eq!(row.role == "PLAYER", expected.is_players);
            match expected.status.word() {
                Some(status) => {
                    assert_eq!((&*row.status, &row.content), (status, &expected.content));
                }
                None => assert!(["PENDING", "WRITING"].contains(&&*row.status), "{row:?}"),
            }
            assert_eq!(row.deletion_id.is_some(), expected.deletion.is_some(), "{row:?}");
            if let (Some(deletion), Some(number)) = (row.deletion_id, expected.deletion) {
                assert_eq!(*deletions.entry(number).or_insert(deletion), deletion, "one deletion");
            }
        }
        let distinct: std::collections::HashSet<&Uuid> = deletions.values().collect();
        assert_eq!(distinct.len(), deletions.len(), "two deletions with one id");
        self.check_what_stays(&rows);
        self.seen = Seen(rows.into_iter().map(|row| (row.id, row)).collect());
    }

    /// A place never changes, an end stays, and only a revision changes a text.
    fn check_what_stays(&self, rows: &[Row]) {
        for row in rows {
            let Some(before) = self.seen.0.get(&row.id) else { continue };
            let place = |row: &Row| {
                (
                    row.parent_id,
                    row.depth,
                    row.jump_id,
                    row.jump_depth,
                    row.role.clone(),
                    row.created_at,
                )
            };
            assert_eq!(place(row), place(before));
            if !["PENDING", "WRITING"].contains(&&*before.status) {
                assert_eq!(row.status, before.status);
                assert!(row.content == before.content || row.revision == before.revision + 1);
            }
        }
        assert!(self.seen.0.len() <= rows.len(), "a message is gone");
    }

    /// Numbers of events have no gap, and the session knows the last one.
    async fn check_log(&self) {
        let sql = "SELECT s.last_sequence, count(e.sequence), min(e.sequence), max(e.sequence)
            FROM session s JOIN session_event e ON e.session_id = s.id
            WHERE s.id = $1 GROUP BY s.id, s.last_sequence";
        let log = self.world.db.read(sql).bind(self.session_id());
        let (last, count, first, highest): (i64, i64, i64, i64) = log.one().await.unwrap();
        assert_eq!((first, count, highest), (1, last, last));
    }

    fn session_id(&self) -> SessionId {
        self.tale.session.parse().unwrap()
    }

    /// The log alone tells the same tree.
    pub(super) async fn check_fold(&self) {
        let variables = json!({ "id": self.tale.session, "after": 0, "channels": [] });
        let mut events = self.world.watch_session(self.who, variables);
        let (mut client, mut folded) = (Client::after(0), Folded::default());
        while !client.caught_up {
            let event = events.next().await.unwrap();
            client.take(&event);
            folded.take(&event);
        }
        let nodes = &self.model.nodes;
        let id = |node: usize| nodes[node].id.clone();
        assert_eq!(folded.head, self.model.head.map(id));
        assert_eq!(folded.nodes.len(), nodes.len());
        for (node, (name, told)) in nodes.iter().zip(&folded.nodes) {
            assert_eq!((name, &told.parent), (&node.id, &node.parent.map(id)));
            assert_eq!(told.deletion.is_some(), node.deletion.is_some(), "{name}");
            assert_eq!(told.revision, node.revisions.len() + 1, "{name}");
            assert_ne!(node.status, Status::Running, "a reply without an end");
            if let Some(status) = &told.status {
                assert_eq!(Some(status.as_str()), node.status.word(), "{name}");
            }
        }
    }
}

/// A tree that is known from the log alone.
#[derive(Default)]
struct Folded {
    nodes: Vec<(String, Told)>,
    head: Option<String>,
    deletions: usize,
}

/// What the log told of a message.
struct Told {
    parent: Option<String>,
    revision: usize,
    status: Option<String>,
    deletion: Option<usize>,
}

impl Folded {
    fn take(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        match event["__typename"].as_str().unwrap() {
            "MessagesAdded" => {
                for message in event["messages"].as_array().unwrap() {
                    let parent = text(&message["parentId"]);
                    let told = Told { parent, revision: 1, status: None, deletion: None };
                    self.nodes.push((text(&message["id"]).unwrap(), told));
                }
            }
            "MessageUpdated" => self.told(&event["message"]["id"]).revision += 1,
            "ReplyFinished" | "ReplyFailed" => {
                let status = text(&event["message"]["status"]);
                let before = std::mem::replace(&mut self.told(&event["messageId"]).status, status);
                assert_eq!(before, None, "ended twice");
            }
            "HeadMoved" => self.head = text(&event["head"]["id"]),
            "MessagesDeleted" => self.delete(&event["root"]["id"]),
            "MessagesRestored" => {
                let deletion = self.told(&event["root"]["id"]).deletion;
                assert!(deletion.is_some(), "{event}");
                for (_, told) in &mut self.nodes {
                    told.deletion = told.deletion.filter(|of| Some(*of) != deletion);
                }
            }
            _ => {}
        }
    }

    fn told(&mut self, id: &Value) -> &mut Told {
        &mut self.nodes.iter_mut().find(|(name, _)| id == name).unwrap().1
    }

    /// Takes what lives at and below a message; parents stand before their children.
    fn delete(&mut self, root: &Value) {
        self.deletions += 1;
        let mut taken: Vec<String> = Vec::new();
        for (name, told) in &mut self.nodes {
            let is_below = told.parent.as_ref().is_some_and(|parent| taken.contains(parent));
            if (root == name || is_below) && told.deletion.is_none() {
                told.deletion = Some(self.deletions);
                taken.push(name.clone());
            }
        }
    }
}
