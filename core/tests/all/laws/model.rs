//! The tree as it should be: lists and walks, no cleverness, nothing of the product's.

use super::act::Scope;

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
    pub(super) is_hidden: bool,
    pub(super) bookmark: Option<String>,
    /// The sibling it is an edit of.
    pub(super) edited_from: Option<usize>,
    /// The sibling it begins with the text of.
    pub(super) continued_from: Option<usize>,
    /// How a model wrote it; none if a hand did.
    pub(super) written: Option<Written>,
    /// Which deletion took it.
    pub(super) deletion: Option<usize>,
    /// Which child the player last went on to; none if they stayed here or have not been here.
    pub(super) went_on: Option<usize>,
    /// When the player was last here or below.
    pub(super) visited: Option<usize>,
    /// How often the log told of a change to it.
    pub(super) updates: usize,
    /// How often the log told of its end.
    pub(super) ends: usize,
}

/// How a model wrote a message.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) begins_with: String,
    pub(super) attempt: u64,
    /// Whether the model might have gone on, but was not allowed to.
    pub(super) is_cut: bool,
}

impl Node {
    /// What a hand wrote.
    pub(super) fn by_hand(id: &str, parent: Option<usize>, is_players: bool, text: &str) -> Self {
        Self {
            id: id.to_owned(),
            parent,
            is_players,
            status: Status::Complete,
            content: text.to_owned(),
            revisions: Vec::new(),
            is_hidden: false,
            bookmark: None,
            edited_from: None,
            continued_from: None,
            written: None,
            deletion: None,
            went_on: None,
            visited: None,
            updates: 0,
            ends: 0,
        }
    }

    /// What a model begins to write, from this text on.
    pub(super) fn by_model(id: &str, parent: Option<usize>, begins_with: &str) -> Self {
        let begins_with = begins_with.to_owned();
        let written = Written { begins_with: begins_with.clone(), attempt: 1, is_cut: false };
        let node = Self::by_hand(id, parent, false, &begins_with);
        Self { status: Status::Running, written: Some(written), ..node }
    }

    pub(super) fn is_running(&self) -> bool {
        self.status == Status::Running
    }

    /// The text that is stored: what is being written comes when it ends.
    pub(super) fn stored(&self) -> &str {
        match &self.written {
            Some(written) if self.is_running() => &written.begins_with,
            Some(_) | None => &self.content,
        }
    }
}

/// A session.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) nodes: Vec<Node>,
    pub(super) head: Option<usize>,
    pub(super) version: i64,
    now: usize,
}

impl Model {
    /// A session that has just begun, still without its greetings.
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), head: None, version: 1, now: 0 }
    }

    pub(super) fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
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
        (0..self.nodes.len()).filter(|node| self.nodes[*node].is_running()).collect()
    }

    /// The living siblings, itself among them.
    pub(super) fn siblings(&self, node: usize) -> Vec<usize> {
        let Node { parent, is_players, .. } = self.nodes[node];
        let same = |other: &usize| {
            self.nodes[*other].parent == parent && self.nodes[*other].is_players == is_players
        };
        self.living().into_iter().filter(same).collect()
    }

    /// The living messages without a living one below them.
    pub(super) fn leaves(&self) -> Vec<usize> {
        let living = self.living();
        let is_leaf =
            |node: &usize| !living.iter().any(|other| self.nodes[*other].parent == Some(*node));
        living.iter().copied().filter(is_leaf).collect()
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

    /// What one deletion took, the topmost first.
    pub(super) fn taken(&self, deletion: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].deletion == Some(deletion)).collect()
    }

    pub(super) fn revise(&mut self, node: usize, text: &str) {
        let node = &mut self.nodes[node];
        node.revisions.push(std::mem::replace(&mut node.content, text.to_owned()));
        node.updates += 1;
    }

    /// A failed reply begins again.
    pub(super) fn retry(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.status = Status::Running;
        node.updates += 1;
        node.written.as_mut().expect("a reply").attempt += 1;
    }

    /// Sets the marks of a message; it is told of if they are others.
    pub(super) fn mark(&mut self, node: usize, is_hidden: bool, bookmark: Option<String>) {
        let node = &mut self.nodes[node];
        node.updates += usize::from((node.is_hidden, &node.bookmark) != (is_hidden, &bookmark));
        (node.is_hidden, node.bookmark) = (is_hidden, bookmark);
    }

    pub(super) fn move_head(&mut self, head: Option<usize>) {
        self.head = head;
        self.now += 1;
        let path = self.path(head);
        for (place, node) in path.iter().enumerate() {
            self.nodes[*node].went_on = path.get(place + 1).copied();
            self.nodes[*node].visited = Some(self.now);
        }
    }

    /// Where the player stopped when they were last at or below a message.
    pub(super) fn leads_to(&self, node: usize) -> usize {
        self.nodes[node].went_on.map_or(node, |next| self.leads_to(next))
    }

    pub(super) fn select(&mut self, node: usize) {
        let leaf = self.leads_to(node);
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
        if let Some(parent) = parent.filter(|parent| self.nodes[*parent].went_on == Some(top)) {
            self.nodes[parent].went_on = None;
        }
        if self.head.is_some_and(|head| below.contains(&head)) {
            let mut roots = self.living();
            roots.retain(|node| self.nodes[*node].parent.is_none());
            let visited = roots.iter().filter(|root| self.nodes[**root].visited.is_some());
            let last = visited.max_by_key(|root| self.nodes[**root].visited);
            let elsewhere = last.map(|root| self.leads_to(*root)).or(roots.first().copied());
            self.move_head(parent.or(elsewhere));
        }
        below.retain(|node| self.nodes[*node].is_running());
        below
    }

    pub(super) fn restore(&mut self, node: usize) {
        let deletion = self.nodes[node].deletion.expect("a deleted message");
        for node in self.taken(deletion) {
            self.nodes[node].deletion = None;
        }
        self.move_head(Some(self.leads_to(node)));
    }

    /// A session that goes on from a message; its messages have no ids yet.
    pub(super) fn fork(&self, at: usize, scope: Scope) -> Self {
        let path = self.path(Some(at));
        let mut taken = self.living();
        taken.retain(|node| match scope {
            Scope::Path => path.contains(node),
            Scope::PathWithSiblings => path.iter().any(|on| self.siblings(*on).contains(node)),
            Scope::Subtree => path.contains(node) || self.is_below(*node, at),
        });
        // What has no word yet stays behind, unless something is below it.
        let has_below = |node: usize| taken.iter().any(|n| self.nodes[*n].parent == Some(node));
        let is_left = |node: &usize| {
            self.nodes[*node].is_running()
                && self.nodes[*node].content.is_empty()
                && !has_below(*node)
        };
        let left: Vec<usize> = taken.iter().copied().filter(is_left).collect();
        let arrives = |node| taken.contains(&self.leads_to(node));
        let kept: Vec<usize> = taken.iter().copied().filter(|n| !left.contains(n)).collect();
        let copy = |node: &usize| self.copy(*node, &kept, arrives(*node));
        let nodes = kept.iter().map(copy).collect();
        let mut fork = Self { nodes, head: None, version: 1, now: self.now };
        let at = kept.iter().position(|node| *node == at).expect("a message that can be forked");
        let head = match scope {
            Scope::Path | Scope::PathWithSiblings => at,
            Scope::Subtree => fork.leads_to(at),
        };
        fork.move_head(Some(head));
        fork
    }

    /// A message in a fork that has these of the old ones.
    fn copy(&self, node: usize, kept: &[usize], arrives: bool) -> Node {
        let old = self.nodes[node].clone();
        let new = |of: Option<usize>| kept.iter().position(|kept| Some(*kept) == of);
        let status = match old.status {
            Status::Running if old.content.is_empty() => Status::Failed,
            Status::Running => Status::Interrupted,
            Status::Complete | Status::Stopped | Status::Interrupted | Status::Failed => old.status,
        };
        Node {
            id: String::new(),
            parent: new(old.parent),
            status,
            edited_from: new(old.edited_from),
            continued_from: new(old.continued_from),
            went_on: new(old.went_on).filter(|_| arrives),
            visited: old.visited.filter(|_| arrives),
            updates: 0,
            ends: 0,
            ..old
        }
    }
}
