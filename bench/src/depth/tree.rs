//! Stories as large as none is played: which messages they have. Pure.

use skald_base::id::format_any;
use uuid::Uuid;

/// What a story looks like.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Levels of the main path below the root.
    pub(crate) depth: usize,
    /// The story's side has a swipe at every so many levels, and always at the last one.
    pub(crate) swipe_every: usize,
    /// Another branch begins at every so many levels …
    pub(crate) branch_every: usize,
    /// … and has so many messages.
    pub(crate) branch_length: usize,
}

/// A message to store.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub(crate) id: Uuid,
    pub(crate) parent: Option<usize>,
    pub(crate) depth: usize,
    pub(crate) jump: Option<usize>,
}

/// A fork: where the main path goes on, and where another branch begins and ends.
#[derive(Clone, Copy)]
pub(crate) struct Fork {
    pub(crate) main: usize,
    pub(crate) top: usize,
    pub(crate) leaf: usize,
}

/// A story, parents before children, in the order in which it was played.
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// The main path, from the root.
    pub(crate) main: Vec<usize>,
    /// A leaf beside the last message of the main path.
    pub(crate) swipe: usize,
    pub(crate) forks: Vec<Fork>,
}

impl Tree {
    /// A story of this shape below a root that is there already.
    pub(crate) fn grow(shape: Shape, root: Uuid) -> Self {
        let root = Node { id: root, parent: None, depth: 0, jump: None };
        let mut tree = Self { nodes: vec![root], main: vec![0], swipe: 0, forks: Vec::new() };
        for level in 1..=shape.depth {
            let parent = tree.leaf();
            if level == shape.depth || (level % 2 == 0 && level % shape.swipe_every == 0) {
                tree.swipe = tree.add(parent);
            }
            let forks = level % shape.branch_every == 0 && level < shape.depth;
            let branch = forks.then(|| tree.branch(parent, shape));
            let main = tree.add(parent);
            tree.main.push(main);
            tree.forks.extend(branch.map(|(top, leaf)| Fork { main, top, leaf }));
        }
        tree
    }

    /// The last message of the main path.
    pub(crate) fn leaf(&self) -> usize {
        self.main.last().copied().unwrap_or_default()
    }

    /// A message's id as the graph writes it.
    pub(crate) fn id(&self, node: usize) -> String {
        format_any("message", self.node(node).id)
    }

    #[expect(clippy::indexing_slicing, reason = "nodes are named by their index")]
    pub(crate) fn node(&self, node: usize) -> Node {
        self.nodes[node]
    }

    fn branch(&mut self, parent: usize, shape: Shape) -> (usize, usize) {
        let top = self.add(parent);
        (top, (1..shape.branch_length).fold(top, |leaf, _| self.add(leaf)))
    }

    /// A message below another one, with the jump pointer that the program would give it.
    fn add(&mut self, parent: usize) -> usize {
        let above = self.node(parent);
        let jump = match above.jump.map(|jump| (jump, self.node(jump))) {
            // Two equal jumps become one (Myers 1983).
            Some((jump, far)) if above.depth - far.depth == far.depth - self.jump_depth(far) => {
                far.jump.unwrap_or(jump)
            }
            Some(_) | None => parent,
        };
        let number = self.nodes.len();
        let depth = above.depth + 1;
        let id = Self::id_of(number);
        self.nodes.push(Node { id, parent: Some(parent), depth, jump: Some(jump) });
        number
    }

    fn jump_depth(&self, node: Node) -> usize {
        node.jump.map_or(0, |jump| self.node(jump).depth)
    }

    /// A `UUIDv7` that nobody else makes: one millisecond each, and a random part.
    fn id_of(number: usize) -> Uuid {
        // 2026-01-01, in milliseconds.
        let millis = 1_767_225_600_000 + u64::try_from(number).unwrap_or(u64::MAX);
        let mut random = [0; 10];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut random);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { depth: 1000, swipe_every: 2, branch_every: 4, branch_length: 10 };

    #[test]
    fn every_jump_leads_up_and_every_ancestor_is_near() {
        let tree = Tree::grow(SHAPE, Uuid::nil());
        assert_eq!(tree.nodes.len(), 1 + 1000 + 500 + 249 * 10);
        for node in &tree.nodes[1..] {
            let jump = node.jump.unwrap();
            let mut up = node.parent.unwrap();
            while tree.nodes[up].depth > tree.nodes[jump].depth {
                up = tree.nodes[up].parent.unwrap();
            }
            assert_eq!(up, jump);
        }
        let (mut at, mut steps) = (tree.leaf(), 0);
        while tree.nodes[at].depth > 1 {
            let Node { parent, jump, .. } = tree.nodes[at];
            let jump = jump.filter(|jump| tree.nodes[*jump].depth >= 1);
            at = jump.or(parent).unwrap();
            steps += 1;
        }
        assert!(steps <= 33, "{steps}");
    }

    #[test]
    fn forks_are_siblings_with_a_branch_below() {
        let tree = Tree::grow(SHAPE, Uuid::nil());
        let (last, swipe) = (tree.node(tree.leaf()), tree.node(tree.swipe));
        assert_eq!((last.parent, last.depth), (swipe.parent, 1000));
        for Fork { main, top, leaf } in tree.forks.iter().copied() {
            assert_eq!(tree.node(main).parent, tree.node(top).parent);
            assert_eq!(tree.node(leaf).depth, tree.node(top).depth + 9);
        }
    }
}
