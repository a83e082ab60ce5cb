//! Changes to messages that are there, and where the player goes.

use serde_json::json;

use super::{model::Status, play::Play};

impl Play<'_> {
    pub(super) async fn revise(&mut self, node: usize, (reply, is_stale): (bool, bool)) {
        let content = self.text();
        let input = json!({ "messageId": self.id(node), "content": content, "mode": "IN_PLACE",
            "reply": reply, "expectedRevision": self.revision(node, is_stale) });
        let refusal = self.model.refuses_revise(node, (reply, is_stale));
        if let Some(made) = self.makes("editMessage", input, refusal).await {
            assert_eq!(made.message.as_deref(), Some(self.id(node)));
            self.model.revise(node, &content);
        }
    }

    /// Has one of the former texts back; now and then the present one, or none that there is.
    pub(super) async fn go_back(&mut self, node: usize, (n, is_stale): (usize, bool)) {
        let former = &self.model.nodes[node].revisions;
        let revision = n % (former.len() + 2) + 1;
        let text = former.get(revision - 1).cloned();
        let input = json!({ "messageId": self.id(node), "revision": revision,
            "expectedRevision": self.revision(node, is_stale) });
        let refusal = self.model.refuses_go_back(node, (revision, is_stale));
        if let Some(made) = self.makes("restoreRevision", input, refusal).await {
            assert_eq!(made.message.as_deref(), Some(self.id(node)));
            self.model.revise(node, &text.unwrap());
        }
    }

    fn revision(&self, node: usize, is_stale: bool) -> usize {
        self.model.nodes[node].revisions.len() + 1 + usize::from(is_stale)
    }

    pub(super) async fn hide(&mut self, node: usize, hidden: bool) {
        let input = json!({ "messageId": self.id(node), "hidden": hidden });
        let refusal = self.model.refuses_mark(node);
        let denied = self.world.denied(self.who, "hideMessage", input).await;
        assert_eq!(denied.as_str(), refusal);
        if refusal.is_none() {
            self.model.mark(node, hidden, self.model.nodes[node].bookmark.clone());
        }
    }

    pub(super) async fn keep(&mut self, node: usize, is_kept: bool) {
        let name = is_kept.then(|| self.text());
        let input = json!({ "messageId": self.id(node), "name": name });
        let refusal = self.model.refuses_mark(node);
        let denied = self.world.denied(self.who, "bookmarkMessage", input).await;
        assert_eq!(denied.as_str(), refusal);
        if refusal.is_none() {
            self.model.mark(node, self.model.nodes[node].is_hidden, name);
        }
    }

    pub(super) async fn select(&mut self, node: usize, is_stale: bool) {
        let refusal = self.model.refuses_move(node, is_stale);
        if self.moves("selectMessage", node, (is_stale, refusal)).await {
            self.model.select(node);
        }
    }

    pub(super) async fn delete(&mut self, node: usize, is_stale: bool) {
        let refusal = self.model.refuses_move(node, is_stale);
        if self.moves("deleteMessage", node, (is_stale, refusal)).await {
            for stopped in self.model.delete(node) {
                self.ends(stopped, Status::Stopped).await;
            }
        }
    }

    pub(super) async fn restore(&mut self, node: usize) {
        let refusal = self.model.refuses_restore(node);
        if self.moves("restoreMessage", node, (false, refusal)).await {
            self.model.restore(node);
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
            input["expectedHeadId"] = self.not_the_head().into();
        }
        let denied = self.world.denied(self.who, name, input).await;
        assert_eq!(denied.as_str(), refusal, "{name} {node}");
        refusal.is_none()
    }

    pub(super) async fn title(&mut self, is_stale: bool) {
        let expected = self.model.version - i64::from(is_stale);
        let input =
            json!({ "id": self.tale.session, "title": "A title", "expectedVersion": expected });
        let denied = self.world.denied(self.who, "updateSession", input).await;
        assert_eq!(denied.as_str(), is_stale.then_some("CONFLICT"));
        self.model.version += i64::from(!is_stale);
    }
}
