//! The tree of a session without its texts: what it takes to plan its chats.
//!
//! Messages are numbered in the order in which they come: parents before children, siblings in
//! theirs. A tree of 200,000 takes some 30 MB.

use std::collections::HashMap;

use crate::{
    character::CharacterId,
    store::export::Bone,
    tree::{MessageId, MessageRole},
};

/// Bytes of text in the swipes of one message, about: a line has to be read again by whoever
/// takes such files.
const SWIPE_BYTES: u64 = 1024 * 1024;
/// Swipes of one message at most.
const SWIPES: usize = 256;

/// A message of the tree.
pub(super) struct Node {
    pub(super) id: MessageId,
    /// The next message above that says something.
    pub(super) above: Option<u32>,
    /// Its swipes and itself; none if it says nothing.
    group: Option<u32>,
    /// Of its text and its thought.
    pub(super) bytes: u64,
    pub(super) is_bookmarked: bool,
}

/// Messages that can stand in one line, as swipes of each other.
#[derive(Default)]
pub(super) struct Swipes {
    /// In their order.
    pub(super) nodes: Vec<u32>,
    pub(super) bytes: u64,
}

/// All messages of a session, or those beside a path.
#[derive(Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    groups: Vec<Swipes>,
    numbers: HashMap<MessageId, u32>,
    voices: HashMap<Voice, u32>,
    /// The last group of a voice below a message.
    open: HashMap<(Option<u32>, u32), u32>,
}

/// What swipes of one message share.
#[derive(PartialEq, Eq, Hash)]
struct Voice {
    role: MessageRole,
    name: String,
    character: Option<CharacterId>,
    is_hidden: bool,
}

impl Tree {
    /// Adds a message below one that was added before. One whose parent was not, came in while
    /// the tree was being read: it is left out.
    pub(super) fn add(&mut self, bone: Bone) {
        let parent = bone.parent_id.map(|id| self.find(id));
        if parent == Some(None) {
            return;
        }
        let (parent, number) = (parent.flatten(), number_of(self.nodes.len()));
        let above = parent.and_then(|parent| self.speaking(parent));
        let bytes = u64::try_from(bone.bytes).unwrap_or_default();
        self.numbers.insert(bone.id, number);
        let (id, is_bookmarked) = (bone.id, bone.is_bookmarked);
        let group = (!bone.is_blank).then(|| self.group_of(parent, Voice::of(bone), bytes));
        if let Some(group) = group.and_then(|group| self.groups.get_mut(index(group))) {
            group.nodes.push(number);
            group.bytes += bytes;
        }
        self.nodes.push(Node { id, above, group, bytes, is_bookmarked });
    }

    /// Where the swipes of one voice below a message go on; a new place if the last one is full.
    fn group_of(&mut self, parent: Option<u32>, voice: Voice, bytes: u64) -> u32 {
        let voices = number_of(self.voices.len());
        let voice = *self.voices.entry(voice).or_insert(voices);
        let last = self.open.get(&(parent, voice)).copied();
        let has_room = |group: &u32| {
            let group = self.groups.get(index(*group));
            group.is_some_and(|group| {
                group.nodes.len() < SWIPES && group.bytes + bytes <= SWIPE_BYTES
            })
        };
        last.filter(has_room).unwrap_or_else(|| {
            let group = number_of(self.groups.len());
            self.groups.push(Swipes::default());
            self.open.insert((parent, voice), group);
            group
        })
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The number of a message.
    pub(super) fn find(&self, id: MessageId) -> Option<u32> {
        self.numbers.get(&id).copied()
    }

    pub(super) fn node(&self, number: u32) -> Option<&Node> {
        self.nodes.get(index(number))
    }

    /// The message itself if it says something, else the next one above that does.
    pub(super) fn speaking(&self, number: u32) -> Option<u32> {
        let node = self.node(number)?;
        if node.group.is_some() { Some(number) } else { node.above }
    }

    /// Messages that say something, with those above them and what tells their swipes.
    pub(super) fn speakers(&self) -> impl Iterator<Item = (u32, Option<u32>, u32)> {
        let numbered = (0..).zip(&self.nodes);
        numbered.filter_map(|(number, node)| Some((number, node.above, node.group?)))
    }

    /// A message with its swipes.
    pub(super) fn swipes(&self, number: u32) -> Option<&Swipes> {
        self.groups.get(index(self.node(number)?.group?))
    }

    /// From the root to a message, those that say nothing left out.
    pub(super) fn path(&self, to: u32) -> Vec<u32> {
        let up = std::iter::successors(Some(to), |at| self.node(*at)?.above);
        let mut path: Vec<u32> = up.collect();
        path.reverse();
        path
    }

    /// Forgets what only adding needs.
    pub(super) fn whole(mut self) -> Self {
        (self.voices, self.open) = (HashMap::new(), HashMap::new());
        self.nodes.shrink_to_fit();
        self.groups.shrink_to_fit();
        self
    }
}

impl Voice {
    fn of(bone: Bone) -> Self {
        Self {
            role: bone.role,
            name: bone.author_name,
            character: bone.author_character_id,
            is_hidden: bone.hidden_from_prompt,
        }
    }
}

/// There are never more of anything than messages, of which a tree has few enough.
fn number_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
