//! The laws, looked up in the graph and in the database.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use skald_core::{session::SessionId, tree::MessageId};
use uuid::Uuid;

use super::{
    model::{Model, Node},
    play::Play,
};
use crate::harness::ids;

pub(super) use super::fold::Known;

const SESSION: &str = "query($id: ID!) { session(id: $id) { head { id } version
    runningReplies { id } path(last: 100) { nodes { id } }
    bookmarks(first: 100) { totalCount nodes { id bookmark } }
    stats { messages branches characters }
    outline { totalCount nodes { messageId parentId status excerpt } }
    messages(first: 100) { nodes { id parentId depth position status content revision
        hiddenFromPrompt editedFrom { id } continuedFrom { id } returnsTo { id }
        revisions(first: 100) { nodes { content } }
        alternatives { messageIds count } } } } }";

/// A message as it is stored.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub(super) struct Row {
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
    /// Which attempt of a model's it is; 0 for what a hand wrote.
    attempt: i64,
}

/// What a look showed.
#[derive(Default)]
pub(super) struct Seen(HashMap<MessageId, Row>);

impl Play<'_> {
    /// The session is what the model says, in the graph and in the database.
    pub(super) async fn check(&mut self) {
        self.check_graph(&self.tale.session, &self.model).await;
        let rows = self.check_rows(&self.tale.session, &self.model).await;
        self.check_what_stays(&rows);
        self.seen = Seen(rows.into_iter().map(|row| (row.id, row)).collect());
        self.check_log().await;
    }

    pub(super) async fn check_graph(&self, session: &str, model: &Model) {
        let session = self.world.ask(self.who, SESSION, json!({ "id": session })).await;
        let id = |node: usize| model.nodes[node].id.as_str();
        let names = |nodes: Vec<usize>| nodes.into_iter().map(id).collect::<Vec<_>>();
        assert_eq!(session["head"]["id"].as_str(), model.head.map(id));
        assert_eq!(session["version"], model.version);
        assert_eq!(ids(&session["path"]["nodes"]), names(model.path(model.head)));
        let (mut running, mut expected) = (ids(&session["runningReplies"]), names(model.running()));
        running.sort_unstable();
        expected.sort_unstable();
        assert_eq!(running, expected);
        let messages = session["messages"]["nodes"].as_array().unwrap();
        assert_eq!(ids(&session["messages"]["nodes"]), names(model.living()));
        for (node, message) in model.living().into_iter().zip(messages) {
            assert_eq!(*message, expected_message(model, node, message));
        }
        check_figures(&session, model);
        check_outline(&session["outline"], model);
    }

    pub(super) async fn check_rows(&self, session: &str, model: &Model) -> Vec<Row> {
        let sql = "SELECT m.id, m.parent_id, m.depth, m.jump_id, m.jump_depth, m.role, m.status,
                m.content, m.revision, m.deletion_id, m.created_at,
                coalesce(r.attempt, 0) AS attempt
            FROM message m LEFT JOIN reply r ON r.message_id = m.id
            WHERE m.session_id = $1 ORDER BY m.created_at, m.id";
        let rows = self.world.db.read(sql).bind(session_id(session));
        let rows: Vec<Row> = rows.all().await.unwrap();
        let id = |node: usize| model.nodes[node].id.parse::<MessageId>().unwrap();
        assert_eq!(rows.len(), model.nodes.len());
        let mut deletions: HashMap<usize, Uuid> = HashMap::new();
        for (node, row) in rows.iter().enumerate() {
            let expected = &model.nodes[node];
            let parent = expected.parent.map(id);
            assert_eq!((row.id, row.parent_id), (id(node), parent), "order or parent");
            let depth = |node: usize| i64::try_from(model.path(Some(node)).len() - 1).unwrap();
            let jump = model.jump(node);
            let jump = (jump.map(id), jump.map_or(0, depth));
            assert_eq!((row.depth, row.jump_id, row.jump_depth), (depth(node), jump.0, jump.1));
            check_text(row, expected);
            assert_eq!(row.deletion_id.is_some(), expected.deletion.is_some(), "{row:?}");
            if let (Some(deletion), Some(number)) = (row.deletion_id, expected.deletion) {
                assert_eq!(*deletions.entry(number).or_insert(deletion), deletion, "one deletion");
            }
        }
        let distinct: HashSet<&Uuid> = deletions.values().collect();
        assert_eq!(distinct.len(), deletions.len(), "two deletions with one id");
        rows
    }

    /// A place never changes, an end stays until a failed reply is tried again, and only a
    /// revision changes a text.
    fn check_what_stays(&self, rows: &[Row]) {
        for row in rows {
            let Some(before) = self.seen.0.get(&row.id) else { continue };
            let place = |row: &Row| {
                let Row { parent_id, depth, jump_id, jump_depth, role, created_at, .. } =
                    row.clone();
                (parent_id, depth, jump_id, jump_depth, role, created_at)
            };
            assert_eq!(place(row), place(before));
            if is_running(&before.status) {
                continue;
            }
            if row.attempt == before.attempt {
                assert_eq!(row.status, before.status);
            } else {
                assert_eq!((&*before.status, row.attempt), ("FAILED", before.attempt + 1));
            }
            assert!(row.content == before.content || row.revision == before.revision + 1);
        }
        assert!(self.seen.0.len() <= rows.len(), "a message is gone");
    }

    /// Numbers of events have no gap, and the session knows the last one.
    async fn check_log(&self) {
        let sql = "SELECT s.last_sequence, count(e.sequence), min(e.sequence), max(e.sequence)
            FROM session s JOIN session_event e ON e.session_id = s.id
            WHERE s.id = $1 GROUP BY s.id, s.last_sequence";
        let log = self.world.db.read(sql).bind(session_id(&self.tale.session));
        let (last, count, first, highest): (i64, i64, i64, i64) = log.one().await.unwrap();
        assert_eq!((first, count, highest), (1, last, last));
    }
}

fn session_id(text: &str) -> SessionId {
    text.parse().unwrap()
}

fn is_running(status: &str) -> bool {
    ["PENDING", "WRITING"].contains(&status)
}

fn check_text(row: &Row, expected: &Node) {
    assert_eq!(row.role == "PLAYER", expected.is_players);
    assert_eq!(row.content, expected.stored());
    match expected.status.word() {
        Some(status) => assert_eq!(row.status, status),
        None => assert!(is_running(&row.status), "{row:?}"),
    }
    let attempt = expected.written.as_ref().map_or(0, |written| written.attempt);
    assert_eq!(u64::try_from(row.attempt), Ok(attempt));
}

/// What the graph has to say of a message; `found` is what it said.
fn expected_message(model: &Model, node: usize, found: &Value) -> Value {
    let id = |node: usize| model.nodes[node].id.as_str();
    let reference = |node: usize| json!({ "id": id(node) });
    let (place, message) = (node, &model.nodes[node]);
    let siblings = model.siblings(place);
    let position = siblings.iter().position(|sibling| *sibling == place);
    let siblings: Vec<&str> = siblings.into_iter().map(id).collect();
    let former = message.revisions.iter().map(|text| json!({ "content": text }));
    json!({
        "id": id(place),
        "parentId": message.parent.map(id),
        "depth": model.path(Some(place)).len() - 1,
        "position": position,
        "status": status(message, &found["status"]),
        "content": message.content,
        "revision": message.revisions.len() + 1,
        "hiddenFromPrompt": message.is_hidden,
        "editedFrom": message.edited_from.map(reference),
        "continuedFrom": message.continued_from.map(reference),
        "returnsTo": reference(model.leads_to(place)),
        "revisions": { "nodes": former.collect::<Vec<_>>() },
        "alternatives": { "messageIds": siblings, "count": siblings.len() },
    })
}

/// Its status; of a running reply whose first word is about to be saved what was `found`.
fn status(message: &Node, found: &Value) -> Value {
    match message.status.word() {
        Some(word) => word.into(),
        None if message.content == message.stored() => "PENDING".into(),
        None => {
            assert!(is_running(found.as_str().unwrap()));
            found.clone()
        }
    }
}

/// What is kept, and what the session adds up to.
fn check_figures(session: &Value, model: &Model) {
    let living = || model.living().into_iter().map(|node| &model.nodes[node]);
    let kept = living().filter(|node| node.bookmark.is_some());
    let kept: Vec<Value> =
        kept.map(|node| json!({ "id": node.id, "bookmark": node.bookmark })).collect();
    assert_eq!(session["bookmarks"], json!({ "totalCount": kept.len(), "nodes": kept }));
    let characters: usize = living().map(|node| node.stored().chars().count()).sum();
    let stats = json!({ "messages": living().count(), "branches": model.leaves().len(),
        "characters": characters });
    assert_eq!(session["stats"], stats);
}

fn check_outline(outline: &Value, model: &Model) {
    let nodes = outline["nodes"].as_array().unwrap();
    assert_eq!(outline["totalCount"], nodes.len());
    assert_eq!(nodes.len(), model.living().len());
    for (node, found) in model.living().into_iter().zip(nodes) {
        let message = &model.nodes[node];
        let excerpt = |text: &str| -> String {
            text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect()
        };
        // What is being written is shown as it was last saved.
        let shown = found["excerpt"].as_str().unwrap();
        let is_late = message.is_running() && message.content.starts_with(shown);
        let expected = if is_late { shown.to_owned() } else { excerpt(&message.content) };
        let parent = message.parent.map(|parent| &model.nodes[parent].id);
        let expected = json!({ "messageId": message.id, "parentId": parent,
            "status": status(message, &found["status"]), "excerpt": expected });
        assert_eq!(*found, expected);
    }
}
