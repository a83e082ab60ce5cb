//! A session that is played beside its model, through the graph.

use std::collections::HashMap;

use serde_json::{Value, json};
use skald_base::Viewer;
use skald_core::{
    llm::{LlmError, LlmErrorKind},
    tree::MessageId,
};

use super::{
    act::Act,
    check::Seen,
    model::{Model, Status},
};
use crate::{
    harness::{Events, Tale, World},
    script::{Call, Script},
};

/// A request that made something, and what.
struct Made {
    name: &'static str,
    input: Value,
    message: Option<String>,
    reply: Option<String>,
}

/// A session beside its model.
pub(super) struct Play<'a> {
    pub(super) world: &'a World,
    pub(super) who: Viewer,
    pub(super) tale: Tale,
    pub(super) model: Model,
    /// What the last look showed.
    pub(super) seen: Seen,
    script: &'a Script,
    events: Events,
    /// The pens of running replies.
    calls: HashMap<usize, Call>,
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
            model.add(id.as_str().unwrap().into(), None, false, Some(text));
        }
        model.move_head(Some(0));
        let mut events =
            world.watch_session(who, json!({ "id": tale.session, "channels": ["CONTENT"] }));
        events.until_type("CaughtUp").await;
        let (calls, requests, seen) = (HashMap::new(), Vec::new(), Seen::default());
        Self { world, who, tale, model, seen, script, events, calls, requests, texts: 0 }
    }

    fn id(&self, node: usize) -> &str {
        &self.model.nodes[node].id
    }

    fn any(&self, n: usize) -> usize {
        n % self.model.nodes.len()
    }

    /// A text that was not there before.
    fn text(&mut self) -> String {
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
            Act::Regenerate(n) => self.regenerate(self.any(n)).await,
            Act::Edit { message, reply } => self.edit(self.any(message), reply).await,
            Act::Revise { message, reply, is_stale } => {
                self.revise(self.any(message), (reply, is_stale)).await;
            }
            Act::Select { message, is_stale } => {
                let node = self.any(message);
                let refusal = self.model.refuses_move(node, is_stale);
                if self.moves("selectMessage", node, (is_stale, refusal)).await {
                    self.model.select(node);
                }
            }
            Act::Delete { message, is_stale } => {
                let node = self.any(message);
                let refusal = self.model.refuses_move(node, is_stale);
                if self.moves("deleteMessage", node, (is_stale, refusal)).await {
                    for stopped in self.model.delete(node) {
                        self.ends(stopped, Status::Stopped).await;
                    }
                }
            }
            Act::Restore(n) => {
                let node = self.any(n);
                let refusal = self.model.refuses_restore(node);
                if self.moves("restoreMessage", node, (false, refusal)).await {
                    self.model.restore(node);
                }
            }
            Act::Stop(n) => self.stop(self.any(n)).await,
            Act::Say(n) => self.say(n).await,
            Act::Finish(n) => self.finish(n).await,
            Act::Fail(n) => self.fail(n).await,
            Act::Title { is_stale } => self.title(is_stale).await,
            Act::Repeat { request, is_changed } => self.repeat(request, is_changed).await,
        }
    }

    /// Runs a mutation that makes messages; what it made, unless it is refused as foretold.
    async fn makes(
        &mut self,
        name: &'static str,
        mut input: Value,
        refusal: Option<&str>,
    ) -> Option<(Option<String>, Option<String>)> {
        input["clientRequestId"] = self.world.request_id().into();
        let payload = self.world.try_to(self.who, name, input.clone()).await;
        assert_eq!(payload["errors"][0]["code"].as_str(), refusal, "{name} {input}");
        if refusal.is_some() {
            return None;
        }
        let id = |field: &str| payload[field]["id"].as_str().map(ToOwned::to_owned);
        let (message, reply) = (id("message"), id("reply"));
        self.requests.push(Made { name, input, message: message.clone(), reply: reply.clone() });
        Some((message, reply))
    }

    /// A reply has been asked for: takes the model's pen.
    async fn runs(&mut self, id: String, parent: Option<usize>) {
        let (high, low) = id.parse::<MessageId>().unwrap().uuid().as_u64_pair();
        let node = self.model.add(id, parent, false, None);
        self.model.move_head(Some(node));
        // The first attempt's seed; calls that an earlier case left behind have others.
        let seed = high.rotate_left(17) ^ low ^ 1;
        loop {
            let call = self.script.call().await;
            if call.request.seed == seed {
                self.calls.insert(node, call);
                return;
            }
        }
    }

    async fn send(&mut self, parent: Option<usize>) {
        let content = self.text();
        let mut input = json!({ "sessionId": self.tale.session, "content": content });
        if let Some(parent) = parent {
            input["parentId"] = self.id(parent).into();
        }
        let refusal = self.model.refuses_below(parent);
        let Some((message, reply)) = self.makes("sendMessage", input, refusal).await else {
            return;
        };
        let parent = parent.or(self.model.head);
        let said = self.model.add(message.unwrap(), parent, true, Some(&content));
        self.runs(reply.unwrap(), Some(said)).await;
    }

    async fn request(&mut self, parent: Option<usize>, narrator: bool) {
        let speaker = if narrator {
            json!({ "narrator": { "task": "SCENE" } })
        } else {
            json!({ "characterId": self.tale.character })
        };
        let mut input = json!({ "sessionId": self.tale.session, "speaker": speaker });
        if let Some(parent) = parent {
            input["parentId"] = self.id(parent).into();
        }
        let refusal = self.model.refuses_below(parent);
        let Some((_, reply)) = self.makes("requestReply", input, refusal).await else { return };
        self.runs(reply.unwrap(), parent.or(self.model.head)).await;
    }

    async fn regenerate(&mut self, node: usize) {
        let input = json!({ "messageId": self.id(node) });
        let refusal = self.model.refuses_regenerate(node);
        let Some((_, reply)) = self.makes("regenerateReply", input, refusal).await else { return };
        self.runs(reply.unwrap(), self.model.nodes[node].parent).await;
    }

    async fn edit(&mut self, node: usize, reply: bool) {
        let content = self.text();
        let input = json!({ "messageId": self.id(node), "content": content, "reply": reply });
        let refusal = self.model.refuses_edit(node, reply);
        let Some((message, reply)) = self.makes("editMessage", input, refusal).await else {
            return;
        };
        let (parent, is_players) =
            (self.model.nodes[node].parent, self.model.nodes[node].is_players);
        let sibling = self.model.add(message.unwrap(), parent, is_players, Some(&content));
        match reply {
            Some(reply) => self.runs(reply, Some(sibling)).await,
            None => self.model.move_head(Some(sibling)),
        }
    }

    async fn revise(&mut self, node: usize, (reply, is_stale): (bool, bool)) {
        let content = self.text();
        let revision = self.model.nodes[node].revisions.len() + 1 + usize::from(is_stale);
        let input = json!({ "messageId": self.id(node), "content": content, "mode": "IN_PLACE",
            "reply": reply, "expectedRevision": revision });
        let refusal = self.model.refuses_revise(node, (reply, is_stale));
        if let Some((message, _)) = self.makes("editMessage", input, refusal).await {
            assert_eq!(message.as_deref(), Some(self.id(node)));
            self.model.revise(node, &content);
        }
    }

    /// Runs a mutation that moves the head; whether it was done, as foretold.
    async fn moves(
        &self,
        name: &str,
        node: usize,
        (is_stale, refusal): (bool, Option<&str>),
    ) -> bool {
        let mut input = json!({ "messageId": self.id(node) });
        if is_stale {
            let not_the_head = (0..2).find(|node| self.model.head != Some(*node)).unwrap();
            input["expectedHeadId"] = self.id(not_the_head).into();
        }
        let denied = self.world.denied(self.who, name, input).await;
        assert_eq!(denied.as_str(), refusal, "{name} {node}");
        refusal.is_none()
    }

    async fn title(&mut self, is_stale: bool) {
        let expected = self.model.version - i64::from(is_stale);
        let input =
            json!({ "id": self.tale.session, "title": "A title", "expectedVersion": expected });
        let denied = self.world.denied(self.who, "updateSession", input).await;
        assert_eq!(denied.as_str(), is_stale.then_some("CONFLICT"));
        self.model.version += i64::from(!is_stale);
    }

    /// Waits for an end that is on its way.
    async fn ends(&mut self, node: usize, status: Status) {
        self.calls.remove(&node);
        self.world.ends(self.who, self.id(node)).await;
        self.model.nodes[node].status = status;
    }

    /// Stopping what does not run changes nothing and is no error.
    async fn stop(&mut self, node: usize) {
        let input = json!({ "messageId": self.id(node) });
        let payload = self.world.does(self.who, "stopReply", input).await;
        assert_eq!(payload["reply"]["id"], self.id(node));
        if self.model.nodes[node].status == Status::Running {
            self.ends(node, Status::Stopped).await;
        }
    }

    fn running(&self, n: usize) -> Option<usize> {
        let running = self.model.running();
        (!running.is_empty()).then(|| running[n % running.len()])
    }

    async fn say(&mut self, n: usize) {
        let Some(node) = self.running(n) else { return };
        self.calls[&node].say("Word. ").await;
        self.model.nodes[node].content.push_str("Word. ");
        let id = self.id(node).to_owned();
        let is_it = |event: &Value| event["__typename"] == "ReplyDelta" && event["messageId"] == id;
        self.events.until(is_it).await;
    }

    async fn finish(&mut self, n: usize) {
        let Some(node) = self.running(n) else { return };
        self.calls.remove(&node).unwrap().tell("The end.").await;
        self.model.nodes[node].content.push_str("The end.");
        self.ends(node, Status::Complete).await;
    }

    async fn fail(&mut self, n: usize) {
        let Some(node) = self.running(n) else { return };
        let error = LlmError::new(LlmErrorKind::BadRequest);
        self.calls.remove(&node).unwrap().fail(error).await;
        let has_text = !self.model.nodes[node].content.is_empty();
        let status = if has_text { Status::Interrupted } else { Status::Failed };
        self.ends(node, status).await;
    }

    /// The same input gives the first result, other input a refusal; neither changes anything.
    async fn repeat(&self, n: usize, is_changed: bool) {
        if self.requests.is_empty() {
            return;
        }
        let made = &self.requests[n % self.requests.len()];
        let mut input = made.input.clone();
        if is_changed {
            let field = if input.get("content").is_some() { "content" } else { "instruction" };
            input[field] = "Something else.".into();
        }
        let payload = self.world.try_to(self.who, made.name, input).await;
        assert_eq!(payload["errors"][0]["code"].as_str(), is_changed.then_some("CONFLICT"));
        if !is_changed {
            assert_eq!(payload["message"]["id"].as_str(), made.message.as_deref());
            assert_eq!(payload["reply"]["id"].as_str(), made.reply.as_deref());
        }
    }

    /// Lets everything that runs end.
    pub(super) async fn calm(&mut self) {
        while !self.model.running().is_empty() {
            self.finish(0).await;
        }
    }
}
