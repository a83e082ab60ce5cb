//! Forks: the new session is what it was to take, and the old one stays as it is.

use serde_json::json;

use super::{
    act::Scope,
    check::{Known, Seen},
    model::Model,
    play::{Play, watch},
};
use crate::harness::ids;

impl Play<'_> {
    pub(super) async fn fork(&mut self, node: usize, (scope, moves): (Scope, bool)) {
        let input = json!({ "sessionId": self.tale.session, "messageId": self.id(node),
            "scope": scope.word() });
        let refusal = self.model.refuses_fork(node);
        let Some(made) = self.makes("forkSession", input, refusal).await else { return };
        let session = made.session.unwrap();
        let mut fork = self.model.fork(node, scope);
        self.name(&mut fork, &session).await;
        self.check_graph(&session, &fork).await;
        self.check_rows(&session, &fork).await;
        if moves {
            self.move_to(session, fork).await;
        } else {
            self.left.push((session, fork));
        }
    }

    /// Learns the ids of a fork's messages, which are in the same order as those they come from.
    async fn name(&self, fork: &mut Model, session: &str) {
        let query = "query($id: ID!) { session(id: $id) {
            messages(first: 100) { nodes { id } } } }";
        let session = self.world.ask(self.who, query, json!({ "id": session })).await;
        let found = ids(&session["messages"]["nodes"]);
        assert_eq!(found.len(), fork.nodes.len());
        for (node, id) in fork.nodes.iter_mut().zip(found) {
            node.id = id;
        }
    }

    /// Lets the old session come to rest, and goes on in the new one.
    async fn move_to(&mut self, session: String, fork: Model) {
        self.calm().await;
        self.check().await;
        self.check_fold().await;
        self.events = watch(self.world, self.who, &session).await;
        let old = std::mem::replace(&mut self.tale.session, session);
        self.known = Known::of(&fork);
        self.left.push((old, std::mem::replace(&mut self.model, fork)));
        self.seen = Seen::default();
    }

    /// No session changed after it was left.
    pub(super) async fn check_left(&self) {
        for (session, model) in &self.left {
            self.check_graph(session, model).await;
        }
    }
}
