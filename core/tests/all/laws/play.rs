//! A session that is played beside its model, through the graph.

use std::collections::HashMap;

use serde_json::{Value, json};
use skald_base::Viewer;
use skald_core::tree::MessageId;

use super::{
    act::{Act, Scope},
    check::{Known, Seen},
    model::{Model, Node, Status},
};
use crate::{
    harness::{Events, Tale, World},
    script::{Call, Script},
};

/// A request that made something, and what.
struct Made {
    name: &'static str,
    input: Value,
    ids: Ids,
}

/// The ids in an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ids {
    pub(super) session: Option<String>,
    pub(super) message: Option<String>,
    pub(super) reply: Option<String>,
}

impl Ids {
    fn of(payload: &Value) -> Self {
        let id = |field: &str| payload[field]["id"].as_str().map(ToOwned::to_owned);
        Self { session: id("session"), message: id("message"), reply: id("reply") }
    }
}

/// A session beside its model.
pub(super) struct Play<'a> {
    pub(super) world: &'a World,
    pub(super) who: Viewer,
    pub(super) tale: Tale,
    pub(super) model: Model,
    /// What the last look showed.
    pub(super) seen: Seen,
    /// What was there before the log began.
    pub(super) known: Known,
    /// Sessions that went on elsewhere, as they were left.
    pub(super) left: Vec<(String, Model)>,
    pub(super) events: Events,
    /// The pens of running replies.
    pub(super) calls: HashMap<usize, Call>,
    script: &'a Script,
    requests: Vec<Made>,
    texts: usize,
}

impl<'a> Play<'a> {
    pub(super) async fn begin(
        world: &'a World,
        script: &'a Script,
        who: Viewer,
        character: &str,
    ) -> Self {
        let persona = world.persona(who, "Astrid").await;
        let tale = world.tale_of(who, &persona, character).await;
        let mut model = Model::new();
        let greeting = world.message(who, &tale.greeting).await;
        for (id, text) in
            greeting["alternatives"]["messageIds"].as_array().unwrap().iter().zip(["One.", "Two."])
        {
            model.add(Node::by_hand(id.as_str().unwrap(), None, false, text));
        }
        model.move_head(Some(0));
        let events = watch(world, who, &tale.session).await;
        Self {
            world,
            who,
            tale,
            model,
            seen: Seen::default(),
            known: Known::default(),
            left: Vec::new(),
            events,
            calls: HashMap::new(),
            script,
            requests: Vec::new(),
            texts: 0,
        }
    }

    pub(super) fn id(&self, node: usize) -> &str {
        &self.model.nodes[node].id
    }

    fn any(&self, n: usize) -> usize {
        n % self.model.nodes.len()
    }

    /// Mostly a message that fits, if there is one.
    fn mostly(&self, n: usize, fits: impl Fn(&Node) -> bool) -> usize {
        let all = &self.model.nodes;
        let fitting: Vec<usize> = (0..all.len()).filter(|node| fits(&all[*node])).collect();
        if n.is_multiple_of(4) || fitting.is_empty() {
            return self.any(n);
        }
        fitting[n % fitting.len()]
    }

    /// A text that was not there before.
    pub(super) fn text(&mut self) -> String {
        self.texts += 1;
        format!("Text {}.", self.texts)
    }

    /// Does it in the world and in the model; both must agree whether it can be done.
    pub(super) async fn act(&mut self, act: Act) {
        match act {
            Act::Send(parent) => self.send(parent.map(|n| self.any(n))).await,
            Act::Request { parent, narrator } => {
                self.request(parent.map(|n| self.any(n)), narrator).await;
            }
            Act::Impersonate(parent) => self.impersonate(parent.map(|n| self.any(n))).await,
            Act::Regenerate(n) => {
                self.regenerate(self.mostly(n, |node| node.parent.is_some())).await;
            }
            Act::Continue(n) => {
                let was_cut = |node: &Node| {
                    [Status::Stopped, Status::Interrupted].contains(&node.status)
                        || node.written.as_ref().is_some_and(|written| written.is_cut)
                };
                self.go_on(self.mostly(n, was_cut)).await;
            }
            Act::Retry(n) => {
                self.retry(self.mostly(n, |node| node.status == Status::Failed)).await;
            }
            Act::Edit { message, reply } => self.edit(self.any(message), reply).await,
            Act::Revise { message, reply, is_stale } => {
                self.revise(self.any(message), (reply, is_stale)).await;
            }
            Act::GoBack { message, revision, is_stale } => {
                let node = self.mostly(message, |node| !node.revisions.is_empty());
                self.go_back(node, (revision, is_stale)).await;
            }
            Act::Hide { message, hidden } => self.hide(self.any(message), hidden).await,
            Act::Bookmark { message, is_kept } => self.keep(self.any(message), is_kept).await,
            Act::Select { message, is_stale } => self.select(self.any(message), is_stale).await,
            Act::Delete { message, is_stale } => self.delete(self.any(message), is_stale).await,
            Act::Restore(n) => self.restore(self.any(n)).await,
            Act::Stop(n) => self.stop(self.any(n)).await,
            Act::Say(n) => self.say(n).await,
            Act::Finish { reply, is_cut } => self.finish(reply, is_cut).await,
            Act::Fail(n) => self.fail(n).await,
            Act::Title { is_stale } => self.title(is_stale).await,
            Act::Fork { message, scope, moves } => {
                let node = self.mostly(message, |node| node.deletion.is_none());
                let node = match scope {
                    // Mostly all that hangs together.
                    Scope::Subtree if message % 4 > 0 => self.model.path(Some(node))[0],
                    Scope::Subtree | Scope::Path | Scope::PathWithSiblings => node,
                };
                self.fork(node, (scope, moves)).await;
            }
            Act::Repeat { request, is_changed } => self.repeat(request, is_changed).await,
        }
    }

    /// Runs a mutation that makes something; what it made, unless it is refused as foretold.
    pub(super) async fn makes(
        &mut self,
        name: &'static str,
        mut input: Value,
        refusal: Option<&str>,
    ) -> Option<Ids> {
        input["clientRequestId"] = self.world.request_id().into();
        let payload = self.world.try_to(self.who, name, input.clone()).await;
        assert_eq!(payload["errors"][0]["code"].as_str(), refusal, "{name} {input}");
        if refusal.is_some() {
            return None;
        }
        let ids = Ids::of(&payload);
        self.requests.push(Made { name, input, ids: ids.clone() });
        Some(ids)
    }

    /// A reply has been asked for: the head moves there, and the model is asked.
    pub(super) async fn runs(&mut self, node: Node) {
        let node = self.model.add(node);
        self.model.move_head(Some(node));
        self.take_pen(node).await;
    }

    /// Takes the model's pen for a reply that has begun.
    pub(super) async fn take_pen(&mut self, node: usize) {
        let (high, low) = self.id(node).parse::<MessageId>().unwrap().uuid().as_u64_pair();
        let attempt = self.model.nodes[node].written.as_ref().unwrap().attempt;
        // Calls that an earlier case left behind have other seeds.
        let seed = high.rotate_left(17) ^ low ^ attempt;
        loop {
            let call = self.script.call().await;
            if call.request.seed == seed {
                self.calls.insert(node, call);
                return;
            }
        }
    }

    /// A message of the session that is not its head.
    pub(super) fn not_the_head(&self) -> &str {
        let head = self.model.head;
        let other = (0..self.model.nodes.len()).find(|node| head != Some(*node));
        other.map_or(&self.tale.greeting, |node| self.id(node))
    }

    /// The same input gives the first result, other input a refusal; neither changes anything.
    async fn repeat(&self, n: usize, is_changed: bool) {
        if self.requests.is_empty() {
            return;
        }
        let made = &self.requests[n % self.requests.len()];
        let mut input = made.input.clone();
        if is_changed {
            let (field, value) = self.other_wish(made);
            input[field] = value;
        }
        let payload = self.world.try_to(self.who, made.name, input).await;
        assert_eq!(payload["errors"][0]["code"].as_str(), is_changed.then_some("CONFLICT"));
        if !is_changed {
            assert_eq!(Ids::of(&payload), made.ids, "{}", made.name);
        }
    }

    /// What would make a request another one.
    fn other_wish(&self, made: &Made) -> (&'static str, Value) {
        match made.name {
            "sendMessage" | "editMessage" => ("content", "Something else.".into()),
            "continueReply" => ("modelId", "test/other".into()),
            "forkSession" => ("title", "Something else".into()),
            "restoreRevision" => ("revision", 1000.into()),
            "retryReply" => ("messageId", self.other_message(&made.input["messageId"])),
            _ => ("instruction", "Something else.".into()),
        }
    }

    fn other_message(&self, id: &Value) -> Value {
        let other = self.model.nodes.iter().find(|node| *id != json!(node.id));
        json!(other.map_or(&self.tale.greeting, |node| &node.id))
    }
}

/// Listens to what is written in a session from now on.
pub(super) async fn watch(world: &World, who: Viewer, session: &str) -> Events {
    let mut events = world.watch_session(who, json!({ "id": session, "channels": ["CONTENT"] }));
    events.until_type("CaughtUp").await;
    events
}
