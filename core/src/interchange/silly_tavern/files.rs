//! Which files a tree is written as, and how they hang together. Pure.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

/// Where a file branches off another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branching<K> {
    /// The number of the other file, which comes before.
    pub file: usize,
    /// The last message that both have.
    pub at: K,
}

/// The leaves that need a file of their own, in their order, for a tree given as messages with
/// their parents and what makes them swipes of each other: siblings with the same `voice` are.
///
/// A leaf that is a swipe of a message on another file's path is in that file already; of leaves
/// that are swipes of each other the first one is chosen. Those that `have_own` have a file in any
/// case: because the story stands there, or for what is told of the selected swipe only.
pub fn leaves<K, V>(messages: &[(K, Option<K>, V)], have_own: impl Fn(K) -> bool) -> Vec<K>
where
    K: Copy + Eq + Hash,
    V: Copy + Eq + Hash,
{
    let above: HashSet<K> = messages.iter().filter_map(|(_, parent, _)| *parent).collect();
    let mut told: HashSet<(Option<K>, V)> = HashSet::new();
    for (key, parent, voice) in messages {
        if above.contains(key) {
            told.insert((*parent, *voice));
        }
    }
    let mut leaves = Vec::new();
    for (key, parent, voice) in messages {
        if !above.contains(key) && (told.insert((*parent, *voice)) || have_own(*key)) {
            leaves.push(*key);
        }
    }
    leaves
}

/// For each file, named by its leaf, which earlier one it branches off, and where; none if they
/// share no root.
pub fn branchings<K>(leaves: &[K], parent: impl Fn(K) -> Option<K>) -> Vec<Option<Branching<K>>>
where
    K: Copy + Eq + Hash,
{
    let mut owners: HashMap<K, usize> = HashMap::new();
    let mut branchings = Vec::with_capacity(leaves.len());
    for (file, leaf) in leaves.iter().enumerate() {
        let mut at = Some(*leaf);
        let mut found = None;
        while let Some(key) = at {
            if let Some(owner) = owners.get(&key) {
                found = Some(Branching { file: *owner, at: key });
                break;
            }
            owners.insert(key, file);
            at = parent(key);
        }
        branchings.push(found);
    }
    branchings
}
