//! The tree as it should be: lists and walks, no cleverness, nothing of the product's.

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Complete,
    Stopped,
    Interrupted,
    Failed,
}

impl Status {
    /// As the database and the graph say it; none while it runs.
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::Running => None,
            Self::Complete => Some("COMPLETE"),
            Self::Stopped => Some("STOPPED"),
            Self::Interrupted => Some("INTERRUPTED"),
            Self::Failed => Some("FAILED"),
        }
    }
}

/// A message; its parent has a lower number.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) parent: Option<usize>,
    pub(super) is_players: bool,
    pub(super) status: Status,
    pub(super) content: String,
    /// What it said before, oldest first.
    pub(super) revisions: Vec<String>,
    /// Which deletion took it.
    pub(super) deletion: Option<usize>,
    /// When the head last stood here, as long as it is where a path ends.
    visited: Option<usize>,
}

/// A session.
pub(super) struct Model {
    pub(super) nodes: Vec<Node>,
    pub(super) head: Option<usize>,
    pub(super) version: i64,
    now: usize,
}

/// Replies that may run in one session.
const MOST_RUNNING: usize = 4;

impl Model {
    /// A session that has just begun, still without its greetings.
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), head: None, version: 1, now: 0 }
    }

    /// Adds what a player wrote or, without text, a reply that begins to run.
    pub(super) fn add(
        &mut self,
        id: String,
        parent: Option<usize>,
        is_players: bool,
        text: Option<&str>,
    ) -> usize {
        self.nodes.push(Node {
            id,
            parent,
            is_players,
            status: if text.is_some() { Status::Complete } else { Status::Running },
            content: text.unwrap_or_default().to_owned(),
            revisions: Vec::new(),
            deletion: None,
            visited: None,
        });
        self.nodes.len() - 1
    }

    /// From the root to a node.
    pub(super) fn path(&self, leaf: Option<usize>) -> Vec<usize> {
        let mut path: Vec<usize> =
            std::iter::successors(leaf, |node| self.nodes[*node].parent).collect();
        path.reverse();
        path
    }

    fn is_below(&self, node: usize, top: usize) -> bool {
        self.path(Some(node)).contains(&top)
    }

    pub(super) fn living(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].deletion.is_none()).collect()
    }

    pub(super) fn running(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].status == Status::Running).collect()
    }

    /// The living siblings, itself among them.
    pub(super) fn siblings(&self, node: usize) -> Vec<usize> {
        let Node { parent, is_players, .. } = self.nodes[node];
        let same = |other: &usize| {
            self.nodes[*other].parent == parent && self.nodes[*other].is_players == is_players
        };
        self.living().into_iter().filter(same).collect()
    }

    /// The ancestor that a node's jump pointer leads to, by the definition: write the depth as the
    /// fewest numbers 2^k - 1, the largest first; the jump is as long as the last of them.
    pub(super) fn jump(&self, node: usize) -> Option<usize> {
        let path = self.path(Some(node));
        let mut rest = path.len() - 1;
        let mut length = 0;
        while rest > 0 {
            length = (1..64).map(|k| (1_usize << k) - 1).take_while(|n| *n <= rest).last().unwrap();
            rest -= length;
        }
        (length > 0).then(|| path[path.len() - 1 - length])
    }

    pub(super) fn refuses_below(&self, parent: Option<usize>) -> Option<&'static str> {
        match parent.or(self.head).map(|parent| &self.nodes[parent]) {
            Some(parent) if parent.deletion.is_some() => Some("NOT_FOUND"),
            Some(parent) if parent.status == Status::Running => Some("REPLY_RUNNING"),
            _ => self.refuses_reply(),
        }
    }

    fn refuses_reply(&self) -> Option<&'static str> {
        (self.running().len() >= MOST_RUNNING).then_some("LIMIT_EXCEEDED")
    }

    fn refuses_deleted(&self, node: usize) -> Option<&'static str> {
        self.nodes[node].deletion.map(|_| "NOT_FOUND")
    }

    pub(super) fn refuses_regenerate(&self, node: usize) -> Option<&'static str> {
        let is_players = self.nodes[node].is_players.then_some("BAD_USER_INPUT");
        self.refuses_deleted(node).or(is_players).or(self.refuses_reply())
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

    fn refuses_change(&self, node: usize) -> Option<&'static str> {
        let running = (self.nodes[node].status == Status::Running).then_some("REPLY_RUNNING");
        self.refuses_deleted(node).or(running)
    }

    /// Whether select and delete are refused.
    pub(super) fn refuses_move(&self, node: usize, is_stale: bool) -> Option<&'static str> {
        is_stale.then_some("CONFLICT").or(self.refuses_deleted(node))
    }

    pub(super) fn refuses_restore(&self, node: usize) -> Option<&'static str> {
        let Some(deletion) = self.nodes[node].deletion else { return Some("CONFLICT") };
        let parent = self.nodes[self.taken(deletion)[0]].parent;
        parent.and_then(|parent| self.nodes[parent].deletion).map(|_| "CONFLICT")
    }

    /// What one deletion took, the topmost first.
    fn taken(&self, deletion: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].deletion == Some(deletion)).collect()
    }

    pub(super) fn revise(&mut self, node: usize, text: &str) {
        let node = &mut self.nodes[node];
        node.revisions.push(std::mem::replace(&mut node.content, text.to_owned()));
    }

    fn visit(&mut self, node: usize) {
        self.now += 1;
        if let Some(parent) = self.nodes[node].parent {
            self.nodes[parent].visited = None;
        }
        self.nodes[node].visited = Some(self.now);
    }

    pub(super) fn move_head(&mut self, head: Option<usize>) {
        self.head = head;
        if let Some(head) = head {
            self.visit(head);
        }
    }

    fn last_visited(&self, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let visited = self.living().into_iter().filter(|node| self.nodes[*node].visited.is_some());
        visited.filter(|node| is_it(*node)).max_by_key(|node| self.nodes[*node].visited)
    }

    pub(super) fn select(&mut self, node: usize) {
        let leaf = self.last_visited(|leaf| self.is_below(leaf, node)).unwrap_or(node);
        if self.head != Some(leaf) {
            self.move_head(Some(leaf));
        }
    }

    /// Gives the replies that are stopped by it.
    pub(super) fn delete(&mut self, top: usize) -> Vec<usize> {
        self.now += 1;
        let mut below = self.living();
        below.retain(|node| self.is_below(*node, top));
        for node in &below {
            self.nodes[*node].deletion = Some(self.now);
        }
        let parent = self.nodes[top].parent;
        if let Some(parent) = parent
            && !self.living().iter().any(|node| self.nodes[*node].parent == Some(parent))
        {
            self.visit(parent);
        }
        if self.head.is_some_and(|head| below.contains(&head)) {
            let living = self.living();
            let first_root = living.into_iter().find(|node| self.nodes[*node].parent.is_none());
            let elsewhere = self.last_visited(|_| true).or(first_root);
            self.move_head(parent.or(elsewhere));
        }
        below.retain(|node| self.nodes[*node].status == Status::Running);
        below
    }

    pub(super) fn restore(&mut self, node: usize) {
        let deletion = self.nodes[node].deletion.expect("a deleted message");
        let taken = self.taken(deletion);
        if let Some(parent) = self.nodes[taken[0]].parent {
            self.nodes[parent].visited = None;
        }
        for node in taken {
            self.nodes[node].deletion = None;
        }
        let leaf = self.last_visited(|leaf| self.is_below(leaf, node)).unwrap_or(node);
        self.move_head(Some(leaf));
    }
}
