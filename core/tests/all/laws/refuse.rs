//! Why something cannot be done, and which reason comes first.

use super::model::{Model, Status};

/// Replies that may run in one session.
const MOST_RUNNING: usize = 4;

impl Model {
    pub(super) fn refuses_below(&self, parent: Option<usize>) -> Option<&'static str> {
        let Some(parent) = parent.or(self.head) else { return self.refuses_reply() };
        self.refuses_change(parent).or_else(|| self.refuses_reply())
    }

    fn refuses_reply(&self) -> Option<&'static str> {
        (self.running().len() >= MOST_RUNNING).then_some("LIMIT_EXCEEDED")
    }

    fn refuses_deleted(&self, node: usize) -> Option<&'static str> {
        self.nodes[node].deletion.map(|_| "NOT_FOUND")
    }

    fn refuses_running(&self, node: usize) -> Option<&'static str> {
        self.nodes[node].is_running().then_some("REPLY_RUNNING")
    }

    /// Nothing is written beside a message whose parent is being written.
    fn refuses_beside(&self, node: usize) -> Option<&'static str> {
        let running = self.nodes[node].parent.and_then(|parent| self.refuses_running(parent));
        running.or_else(|| self.refuses_reply())
    }

    pub(super) fn refuses_regenerate(&self, node: usize) -> Option<&'static str> {
        let by_hand = self.nodes[node].is_players && self.nodes[node].written.is_none();
        let by_hand = by_hand.then_some("BAD_USER_INPUT");
        self.refuses_deleted(node).or(by_hand).or_else(|| self.refuses_beside(node))
    }

    pub(super) fn refuses_continue(&self, node: usize) -> Option<&'static str> {
        let message = &self.nodes[node];
        let is_cut = match message.status {
            Status::Running | Status::Stopped | Status::Interrupted => message.written.is_some(),
            Status::Complete => message.written.as_ref().is_some_and(|written| written.is_cut),
            Status::Failed => false,
        };
        let whole = (!is_cut).then_some("BAD_USER_INPUT");
        let empty = message.content.trim().is_empty().then_some("BAD_USER_INPUT");
        let refused = self.refuses_deleted(node).or(whole).or(self.refuses_running(node));
        refused.or(empty).or_else(|| self.refuses_beside(node))
    }

    pub(super) fn refuses_retry(&self, node: usize) -> Option<&'static str> {
        let message = &self.nodes[node];
        let can = message.status == Status::Failed && message.revisions.is_empty();
        let cannot = (!can).then_some("BAD_USER_INPUT");
        // What came after it answers the failure, or makes do without.
        let went_on = self.has_living_children(node).then_some("BAD_USER_INPUT");
        let refused = self.refuses_deleted(node).or(cannot).or(went_on);
        refused.or_else(|| self.refuses_beside(node))
    }

    fn has_living_children(&self, node: usize) -> bool {
        self.nodes.iter().any(|child| child.parent == Some(node) && child.deletion.is_none())
    }

    pub(super) fn refuses_edit(&self, node: usize, reply: bool) -> Option<&'static str> {
        let cannot = || match (reply, self.nodes[node].is_players) {
            (true, true) => self.refuses_reply(),
            (true, false) => Some("BAD_USER_INPUT"),
            (false, _) => None,
        };
        self.refuses_change(node).or_else(cannot)
    }

    pub(super) fn refuses_revise(
        &self,
        node: usize,
        (reply, is_stale): (bool, bool),
    ) -> Option<&'static str> {
        let stale = is_stale.then_some("CONFLICT");
        self.refuses_change(node).or(stale).or(reply.then_some("BAD_USER_INPUT"))
    }

    /// Whether it is refused to have a former text back; revisions count from 1.
    pub(super) fn refuses_go_back(
        &self,
        node: usize,
        (revision, is_stale): (usize, bool),
    ) -> Option<&'static str> {
        let stale = is_stale.then_some("CONFLICT");
        let found = match revision.cmp(&(self.nodes[node].revisions.len() + 1)) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some("BAD_USER_INPUT"),
            std::cmp::Ordering::Greater => Some("NOT_FOUND"),
        };
        self.refuses_change(node).or(stale).or(found)
    }

    fn refuses_change(&self, node: usize) -> Option<&'static str> {
        self.refuses_deleted(node).or(self.refuses_running(node))
    }

    /// Whether marks are refused.
    pub(super) fn refuses_mark(&self, node: usize) -> Option<&'static str> {
        self.refuses_deleted(node)
    }

    /// Whether select and delete are refused.
    pub(super) fn refuses_move(&self, node: usize, is_stale: bool) -> Option<&'static str> {
        is_stale.then_some("CONFLICT").or(self.refuses_deleted(node))
    }

    pub(super) fn refuses_restore(&self, node: usize) -> Option<&'static str> {
        let Some(deletion) = self.nodes[node].deletion else { return Some("CONFLICT") };
        let parent = self.nodes[self.taken(deletion)[0]].parent?;
        let deleted = self.nodes[parent].deletion.map(|_| "CONFLICT");
        deleted.or_else(|| self.refuses_running(parent))
    }

    pub(super) fn refuses_fork(&self, node: usize) -> Option<&'static str> {
        let has_text = !self.nodes[node].content.is_empty();
        self.refuses_deleted(node).or(self.refuses_running(node).filter(|_| !has_text))
    }
}
