//! Which chats a tree is written as, in which order and under which names.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use super::tree::Tree;
use crate::{interchange::silly_tavern::files, tree::MessageId};

/// Bytes of a line beside its texts and the names in it, about, for each of its swipes.
const LINE_BYTES: u64 = 256;

/// The chats of a tree, each a path from the root.
pub(in crate::session::export) struct Plan {
    pub(super) tree: Tree,
    pub(super) chats: Vec<Chat>,
    /// The chats that branch off a chat at a message.
    branches: HashMap<(usize, u32), Vec<usize>>,
}

/// One path.
pub(super) struct Chat {
    /// Where it ends; none if nothing was said.
    pub(super) leaf: Option<u32>,
    /// The chat it branches off.
    pub(super) off: Option<usize>,
}

/// Where a story stands and stood.
pub(super) struct Reading {
    pub(super) head: Option<MessageId>,
    /// The leaves that were visited, the last one at the end.
    pub(super) tips: Vec<MessageId>,
}

impl Plan {
    /// The one chat that ends at a message, if that is there.
    pub(super) fn of_path(tree: Tree, leaf: MessageId) -> Option<Self> {
        let leaf = tree.speaking(tree.find(leaf)?);
        let chats = vec![Chat { leaf, off: None }];
        Some(Self { tree, chats, branches: HashMap::new() })
    }

    /// A chat for each leaf that is no mere swipe in another one. They come in the order in which
    /// they were read last, those that never were before them, and where the story stands is the
    /// end of the last one: so it is when they are put together again.
    pub(super) fn of_tree(tree: Tree, reading: &Reading) -> Self {
        let head = reading.head.and_then(|head| tree.speaking(tree.find(head)?));
        let visits = visits(&tree, reading);
        let has_own = |number: u32| {
            Some(number) == head || tree.node(number).is_some_and(|node| node.is_bookmarked)
        };
        let rank = |number: u32| (Some(number) == head, visits.get(&number).copied());
        let mut speakers: Vec<(u32, Option<u32>, u32)> = tree.speakers().collect();
        speakers.sort_by_key(|(number, ..)| (Reverse((has_own(*number), rank(*number))), *number));
        let mut leaves = files::leaves(&speakers, has_own);
        leaves.sort_by_key(|number| (rank(*number), *number));
        last_through(&tree, &mut leaves, head);
        let above = |number| tree.node(number).and_then(|node| node.above);
        let branchings = files::branchings(&leaves, above);
        let mut branches: HashMap<(usize, u32), Vec<usize>> = HashMap::new();
        for (chat, branching) in branchings.iter().enumerate() {
            if let Some(files::Branching { file, at }) = branching {
                branches.entry((*file, *at)).or_default().push(chat);
            }
        }
        let off = branchings.iter().map(|branching| branching.map(|branching| branching.file));
        let chats = leaves.iter().zip(off).map(|(leaf, off)| Chat { leaf: Some(*leaf), off });
        let mut chats: Vec<Chat> = chats.collect();
        if chats.is_empty() {
            chats.push(Chat { leaf: None, off: None });
        }
        Self { tree, chats, branches }
    }

    /// The messages of a chat, from the root.
    pub(super) fn path(&self, chat: &Chat) -> Vec<u32> {
        chat.leaf.map(|leaf| self.tree.path(leaf)).unwrap_or_default()
    }

    /// The chats that branch off this one at a message.
    pub(super) fn branches(&self, chat: usize, at: u32) -> &[usize] {
        self.branches.get(&(chat, at)).map_or(&[], Vec::as_slice)
    }

    /// Bytes of each chat, about.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let mut sizes: HashMap<u32, u64> = HashMap::new();
        for (number, above, _) in self.tree.speakers() {
            let before = above.and_then(|above| sizes.get(&above)).copied().unwrap_or_default();
            sizes.insert(number, before.saturating_add(self.line_size(number)));
        }
        let size = |chat: &Chat| chat.leaf.and_then(|leaf| sizes.get(&leaf)).copied();
        self.chats.iter().map(|chat| size(chat).unwrap_or_default()).collect()
    }

    /// The selected swipe is told twice: as the message and among the swipes.
    fn line_size(&self, number: u32) -> u64 {
        let own = self.tree.node(number).map_or(0, |node| node.bytes);
        let Some(swipes) = self.tree.swipes(number) else { return 0 };
        let count = u64::try_from(swipes.nodes.len()).unwrap_or(u64::MAX);
        own + swipes.bytes + LINE_BYTES * count
    }
}

/// The places of those that were visited, the last one with the highest.
fn visits(tree: &Tree, reading: &Reading) -> HashMap<u32, usize> {
    let numbers = reading.tips.iter().filter_map(|tip| tree.speaking(tree.find(*tip)?));
    numbers.enumerate().map(|(place, number)| (number, place)).collect()
}

/// Moves to the end whichever chat goes through the message where the story stands, the last one
/// if there are several.
fn last_through(tree: &Tree, leaves: &mut Vec<u32>, head: Option<u32>) {
    let mut below: HashSet<u32> = head.into_iter().collect();
    for (number, above, _) in tree.speakers() {
        if above.is_some_and(|above| below.contains(&above)) {
            below.insert(number);
        }
    }
    if let Some(place) = leaves.iter().rposition(|leaf| below.contains(leaf)) {
        let leaf = leaves.remove(place);
        leaves.push(leaf);
    }
}

/// What the chats of one story are called, without their ending: after its title, and numbered
/// so that they stay in order wherever they are listed.
pub(super) struct Names {
    pub(super) title: String,
    pub(super) count: usize,
}

impl Names {
    /// The name of a chat, by its place.
    pub(super) fn of(&self, chat: usize) -> String {
        if self.count == 1 {
            return self.title.clone();
        }
        let width = self.count.to_string().len();
        format!("{} {:0width$}", self.title, chat + 1)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{store::export::Bone, tree::MessageRole};

    fn id(n: usize) -> MessageId {
        MessageId::from_uuid(Uuid::from_u128(n as u128 + 1))
    }

    fn bone(n: usize, parent: Option<usize>, name: &str) -> Bone {
        Bone {
            id: id(n),
            parent_id: parent.map(id),
            depth: 0,
            created_at: DateTime::UNIX_EPOCH,
            role: MessageRole::Character,
            author_name: name.into(),
            author_character_id: None,
            hidden_from_prompt: false,
            is_bookmarked: false,
            bytes: 10,
            is_blank: false,
        }
    }

    fn tree(bones: impl IntoIterator<Item = Bone>) -> Tree {
        let mut tree = Tree::default();
        for bone in bones {
            tree.add(bone);
        }
        tree.whole()
    }

    fn leaves(plan: &Plan) -> Vec<Option<u32>> {
        plan.chats.iter().map(|chat| chat.leaf).collect()
    }

    /// 0 ─ 1 ─ 2 and 3, its swipe
    ///     └ 4 ─ 5
    fn small() -> Tree {
        tree([
            bone(0, None, "Mira"),
            bone(1, Some(0), "Astrid"),
            bone(2, Some(1), "Mira"),
            bone(3, Some(1), "Mira"),
            bone(4, Some(1), "Runa"),
            bone(5, Some(4), "Astrid"),
        ])
    }

    #[test]
    fn the_story_stands_at_the_end_of_the_last_chat() {
        for (head, tips, expected) in [
            (None, vec![], [2, 5]),
            (Some(5), vec![5, 2], [2, 5]),
            (Some(2), vec![2, 5], [5, 2]),
            (Some(3), vec![], [5, 3]),
            (None, vec![2, 5], [2, 5]),
            (None, vec![5, 3], [5, 3]),
            // Above both.
            (Some(1), vec![5, 2], [5, 2]),
            (Some(4), vec![5, 2], [2, 5]),
        ] {
            let tips: Vec<MessageId> = tips.into_iter().map(id).collect();
            let plan = Plan::of_tree(small(), &Reading { head: head.map(id), tips });
            assert_eq!(leaves(&plan), expected.map(Some), "{head:?}");
            // The other one branches off at the message that both have.
            assert_eq!(plan.chats[1].off, Some(0));
            assert_eq!((plan.branches(0, 1), plan.branches(0, 0)), (&[1][..], &[][..]));
        }
    }

    #[test]
    fn what_says_nothing_has_no_line() {
        let blank = |bone: Bone| Bone { is_blank: true, ..bone };
        let tree = tree([
            blank(bone(0, None, "Mira")),
            bone(1, Some(0), "Astrid"),
            blank(bone(2, Some(1), "Mira")),
            bone(3, Some(2), "Astrid"),
            blank(bone(4, Some(3), "Mira")),
            bone(6, Some(5), "Too late"),
        ]);
        let plan = Plan::of_tree(tree, &Reading { head: Some(id(4)), tips: vec![id(4)] });
        assert_eq!(leaves(&plan), [Some(3)]);
        assert_eq!(plan.path(&plan.chats[0]), [1, 3]);
        assert_eq!(plan.sizes(), [2 * (10 + 10 + LINE_BYTES)]);
    }

    #[test]
    fn an_empty_story_is_one_empty_chat() {
        let plan = Plan::of_tree(Tree::default(), &Reading { head: None, tips: vec![] });
        assert_eq!((leaves(&plan), plan.sizes()), (vec![None], vec![0]));
        assert!(plan.path(&plan.chats[0]).is_empty());
    }

    #[test]
    fn a_line_has_so_many_swipes_and_no_more() {
        let many = (1..=1000).map(|n| bone(n, Some(0), "Mira"));
        let plan = Plan::of_tree(
            tree(std::iter::once(bone(0, None, "Mira")).chain(many)),
            &Reading { head: None, tips: vec![] },
        );
        assert_eq!(leaves(&plan), [1, 257, 513, 769].map(Some));
        let large = (1..=4).map(|n| Bone { bytes: 600_000, ..bone(n, Some(0), "Mira") });
        let plan = Plan::of_tree(
            tree(std::iter::once(bone(0, None, "Mira")).chain(large)),
            &Reading { head: None, tips: vec![] },
        );
        assert_eq!(leaves(&plan), [1, 2, 3, 4].map(Some));
    }

    #[test]
    fn names_stay_in_order() {
        let names = Names { title: "Маяк".into(), count: 12 };
        assert_eq!([names.of(0), names.of(11)], ["Маяк 01", "Маяк 12"]);
        assert_eq!(Names { title: "Маяк".into(), count: 1 }.of(0), "Маяк");
    }

    /// A message of a random tree: its parent's number, its name's, blank, bookmarked, visited.
    type Draft = (Option<usize>, usize, bool, bool, bool);

    fn draft() -> impl Strategy<Value = Draft> {
        let parent = prop::option::weighted(0.95, 0_usize..60);
        let rarely = || prop::bool::weighted(0.1);
        (parent, 0_usize..3, rarely(), rarely(), rarely())
    }

    proptest! {
        #[test]
        fn every_message_that_says_something_is_told(
            drafts in prop::collection::vec(draft(), 1..60),
            head in 0_usize..60,
        ) {
            let mut bones = Vec::new();
            let mut tips = Vec::new();
            for (n, (parent, name, is_blank, is_bookmarked, is_visited)) in drafts.iter().enumerate() {
                let parent = parent.filter(|_| n > 0).map(|parent| parent % n);
                let name = ["Mira", "Runa", "Astrid"][*name];
                let (is_blank, is_bookmarked) = (*is_blank, *is_bookmarked);
                bones.push(Bone { is_bookmarked, is_blank, ..bone(n, parent, name) });
                tips.extend(is_visited.then(|| id(n)));
            }
            let head = id(head % drafts.len());
            let plan = Plan::of_tree(tree(bones), &Reading { head: Some(head), tips });
            let (mut told, mut selected) = (HashSet::new(), HashSet::new());
            for (place, chat) in plan.chats.iter().enumerate() {
                prop_assert!(chat.off.is_none_or(|off| off < place));
                for number in plan.path(chat) {
                    let swipes = plan.tree.swipes(number).unwrap();
                    prop_assert!(swipes.nodes.is_sorted() && swipes.nodes.contains(&number));
                    told.extend(swipes.nodes.iter().copied());
                    selected.insert(number);
                }
            }
            for (number, ..) in plan.tree.speakers() {
                prop_assert!(told.contains(&number));
                let is_bookmarked = plan.tree.node(number).unwrap().is_bookmarked;
                prop_assert!(!is_bookmarked || selected.contains(&number));
            }
            if let Some(head) = plan.tree.speaking(plan.tree.find(head).unwrap()) {
                prop_assert!(plan.path(plan.chats.last().unwrap()).contains(&head));
            }
        }
    }
}
