//! Turns: what a player asks for, and what the model makes of it.

use serde_json::{Value, json};
use skald_core::llm::{LlmError, LlmErrorKind};

use super::{
    model::{Node, Status},
    play::Play,
};

impl Play<'_> {
    /// An input for this session, below a message or the head.
    fn below(&self, parent: Option<usize>) -> Value {
        let mut input = json!({ "sessionId": self.tale.session });
        if let Some(parent) = parent {
            input["parentId"] = self.id(parent).into();
        }
        input
    }

    pub(super) async fn send(&mut self, parent: Option<usize>) {
        let content = self.text();
        let mut input = self.below(parent);
        input["content"] = content.clone().into();
        let refusal = self.model.refuses_below(parent);
        let Some(made) = self.makes("sendMessage", input, refusal).await else { return };
        let parent = parent.or(self.model.head);
        let said = Node::by_hand(&made.message.unwrap(), parent, true, &content);
        let said = self.model.add(said);
        self.runs(Node::by_model(&made.reply.unwrap(), Some(said), "")).await;
    }

    pub(super) async fn request(&mut self, parent: Option<usize>, narrator: bool) {
        let mut input = self.below(parent);
        input["speaker"] = if narrator {
            json!({ "narrator": { "task": "SCENE" } })
        } else {
            json!({ "characterId": self.tale.character })
        };
        let refusal = self.model.refuses_below(parent);
        let Some(made) = self.makes("requestReply", input, refusal).await else { return };
        let parent = parent.or(self.model.head);
        self.runs(Node::by_model(&made.reply.unwrap(), parent, "")).await;
    }

    pub(super) async fn impersonate(&mut self, parent: Option<usize>) {
        let input = self.below(parent);
        let refusal = self.model.refuses_below(parent);
        let Some(made) = self.makes("impersonate", input, refusal).await else { return };
        let parent = parent.or(self.model.head);
        let node = Node::by_model(&made.reply.unwrap(), parent, "");
        self.runs(Node { is_players: true, ..node }).await;
    }

    pub(super) async fn regenerate(&mut self, node: usize) {
        let input = json!({ "messageId": self.id(node) });
        let refusal = self.model.refuses_regenerate(node);
        let Some(made) = self.makes("regenerateReply", input, refusal).await else { return };
        let Node { parent, is_players, .. } = self.model.nodes[node];
        let sibling = Node::by_model(&made.reply.unwrap(), parent, "");
        self.runs(Node { is_players, ..sibling }).await;
    }

    pub(super) async fn go_on(&mut self, node: usize) {
        let input = json!({ "messageId": self.id(node) });
        let refusal = self.model.refuses_continue(node);
        let Some(made) = self.makes("continueReply", input, refusal).await else { return };
        let Node { parent, is_players, ref content, .. } = self.model.nodes[node];
        let sibling = Node::by_model(&made.reply.unwrap(), parent, content);
        self.runs(Node { is_players, continued_from: Some(node), ..sibling }).await;
    }

    /// The same message runs again, and the head stays where it is.
    pub(super) async fn retry(&mut self, node: usize) {
        let input = json!({ "messageId": self.id(node) });
        let refusal = self.model.refuses_retry(node);
        let Some(made) = self.makes("retryReply", input, refusal).await else { return };
        assert_eq!(made.reply.as_deref(), Some(self.id(node)));
        self.model.retry(node);
        self.take_pen(node).await;
    }

    pub(super) async fn edit(&mut self, node: usize, reply: bool) {
        let content = self.text();
        let input = json!({ "messageId": self.id(node), "content": content, "reply": reply });
        let refusal = self.model.refuses_edit(node, reply);
        let Some(made) = self.makes("editMessage", input, refusal).await else { return };
        let Node { parent, is_players, is_hidden, .. } = self.model.nodes[node];
        let sibling = Node::by_hand(&made.message.unwrap(), parent, is_players, &content);
        let sibling = Node { is_hidden, edited_from: Some(node), ..sibling };
        let sibling = self.model.add(sibling);
        match made.reply {
            Some(reply) => self.runs(Node::by_model(&reply, Some(sibling), "")).await,
            None => self.model.move_head(Some(sibling)),
        }
    }

    /// Waits for an end that is on its way.
    pub(super) async fn ends(&mut self, node: usize, status: Status) {
        self.calls.remove(&node);
        self.world.ends(self.who, self.id(node)).await;
        let node = &mut self.model.nodes[node];
        node.status = status;
        node.ends += 1;
    }

    /// Stopping what does not run changes nothing and is no error.
    pub(super) async fn stop(&mut self, node: usize) {
        let input = json!({ "messageId": self.id(node) });
        let payload = self.world.does(self.who, "stopReply", input).await;
        assert_eq!(payload["reply"]["id"], self.id(node));
        if self.model.nodes[node].is_running() {
            self.ends(node, Status::Stopped).await;
        }
    }

    fn running(&self, n: usize) -> Option<usize> {
        let running = self.model.running();
        (!running.is_empty()).then(|| running[n % running.len()])
    }

    pub(super) async fn say(&mut self, n: usize) {
        let Some(node) = self.running(n) else { return };
        // New every time: what a model repeats of a text that it goes on from is left out.
        let word = self.text() + " ";
        self.calls[&node].say(&word).await;
        self.model.nodes[node].content.push_str(&word);
        let id = self.id(node).to_owned();
        let is_said = |text: &Value| text.as_str().is_some_and(|text| text.ends_with(&word));
        let is_it = |event: &Value| event["messageId"] == id && is_said(&event["text"]);
        self.events.until(is_it).await;
    }

    pub(super) async fn finish(&mut self, n: usize, is_cut: bool) {
        let Some(node) = self.running(n) else { return };
        let (end, call) = (self.text(), self.calls.remove(&node).unwrap());
        call.say(&end).await;
        if is_cut {
            call.end_at_limit().await;
        } else {
            call.end().await;
        }
        let reply = &mut self.model.nodes[node];
        reply.content.push_str(&end);
        reply.written.as_mut().unwrap().is_cut = is_cut;
        self.ends(node, Status::Complete).await;
    }

    pub(super) async fn fail(&mut self, n: usize) {
        let Some(node) = self.running(n) else { return };
        let error = LlmError::new(LlmErrorKind::BadRequest);
        self.calls.remove(&node).unwrap().fail(error).await;
        let reply = &self.model.nodes[node];
        let has_word = reply.content != reply.stored();
        let status = if has_word { Status::Interrupted } else { Status::Failed };
        self.ends(node, status).await;
    }

    /// Lets everything that runs end.
    pub(super) async fn calm(&mut self) {
        while !self.model.running().is_empty() {
            self.finish(0, false).await;
        }
    }
}
