//! The log, from which alone the tree can be told.

use serde_json::{Value, json};

use super::{
    model::{Model, Status},
    play::Play,
};
use crate::client::Client;

impl Play<'_> {
    /// The log alone tells the same tree.
    pub(super) async fn check_fold(&self) {
        let mut folded = self.known.clone();
        let after = folded.sequence;
        let variables = json!({ "id": self.tale.session, "after": after, "channels": [] });
        let mut events = self.world.watch_session(self.who, variables);
        let mut client = Client::after(after);
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
            assert_eq!((told.updates, told.ends), (node.updates, node.ends), "{name}");
            assert_ne!(node.status, Status::Running, "a reply without an end");
            if let Some(status) = &told.status {
                assert_eq!(Some(status.as_str()), node.status.word(), "{name}");
            }
        }
    }
}

/// A tree that is known from the log alone, or from what was there before it.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// The last event that it holds.
    sequence: i64,
    nodes: Vec<(String, Told)>,
    head: Option<String>,
    deletions: usize,
}

/// What was told of a message.
#[derive(Clone, Default)]
struct Told {
    parent: Option<String>,
    updates: usize,
    ends: usize,
    status: Option<String>,
    deletion: Option<usize>,
}

impl Known {
    /// A fork, whose log begins with its head.
    pub(super) fn of(fork: &Model) -> Self {
        let id = |node: usize| fork.nodes[node].id.clone();
        let told = |parent: Option<usize>| Told { parent: parent.map(id), ..Told::default() };
        let nodes = fork.nodes.iter().map(|node| (node.id.clone(), told(node.parent)));
        Self { sequence: 1, nodes: nodes.collect(), head: fork.head.map(id), deletions: 0 }
    }

    fn take(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        match event["__typename"].as_str().unwrap() {
            "MessagesAdded" => {
                for message in event["messages"].as_array().unwrap() {
                    let told = Told { parent: text(&message["parentId"]), ..Told::default() };
                    self.nodes.push((text(&message["id"]).unwrap(), told));
                }
            }
            "MessageUpdated" => self.told(&event["message"]["id"]).updates += 1,
            "ReplyFinished" | "ReplyFailed" => {
                let told = self.told(&event["messageId"]);
                told.status = text(&event["message"]["status"]);
                told.ends += 1;
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
