//! Files of one tree, and the laws of there and back.

use std::collections::HashMap;

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{Entry, Header, Item, Merge, Node, Speaker, Version, files, write},
    at, read_all, read_in_pieces, read_one,
};
use crate::tree::MessageRole;

fn merge(files: &[Vec<Entry>]) -> (Vec<Node>, Vec<Option<u64>>) {
    let mut merge = Merge::new(at("2020-01-01T00:00:00Z"));
    let mut nodes = Vec::new();
    for file in files {
        merge.begin();
        for entry in file {
            nodes.extend(merge.add(entry.clone()));
        }
    }
    (nodes, merge.ends().to_vec())
}

fn says(role: MessageRole, text: &str) -> Entry {
    read_one(&json!({ "mes": text, "is_user": role == MessageRole::Player }))
}

#[test]
fn files_with_the_same_beginning_are_one_tree() {
    use MessageRole::{Character, Player};
    let greeting = || says(Character, "Hello.");
    let main = vec![greeting(), says(Player, "North."), says(Character, "Snow.")];
    let branch = vec![greeting(), says(Player, "South."), says(Character, "Snow.")];
    let other_role = vec![greeting(), says(Character, "North.")];
    let (nodes, ends) = merge(&[main.clone(), branch, other_role, vec![], main]);
    let tree: Vec<_> =
        nodes.iter().map(|n| (n.key, n.parent, n.version.content.as_str())).collect();
    let expected = [
        (0, None, "Hello."),
        (1, Some(0), "North."),
        (2, Some(1), "Snow."),
        (3, Some(0), "South."),
        (4, Some(3), "Snow."),
        (5, Some(0), "North."),
    ];
    assert_eq!(tree, expected);
    assert_eq!(ends, [Some(2), Some(4), Some(5), None, Some(2)]);
}

#[test]
fn dates_never_go_back_and_siblings_keep_their_order() {
    let dated = |texts: &[&str], dates: &[Option<&str>], selected: usize| {
        let infos: Vec<Value> = dates.iter().map(|date| json!({ "send_date": date })).collect();
        read_one(&json!({ "mes": texts[selected], "swipes": texts, "swipe_id": selected,
            "send_date": dates[selected], "swipe_info": infos }))
    };
    let (early, late) = ("2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z");
    let file = vec![
        dated(&["A", "B"], &[Some(late), Some(early)], 1),
        dated(&["C", "D"], &[None, Some(early)], 0),
    ];
    let (nodes, _) = merge(&[file]);
    assert!(nodes.iter().all(|node| node.created_at == at(late)), "{nodes:?}");
    let (nodes, _) = merge(&[vec![says(MessageRole::Player, "No date.")]]);
    assert_eq!(nodes[0].created_at, at("2020-01-01T00:00:00Z"));
}

#[test]
fn files_know_which_they_branch_off() {
    // 0 ─ 1 ─ 2        and a root of its own: 6
    //     └ 3 ─ 4, 5 (a swipe of 4)
    let tree = [
        (0, None),
        (1, Some(0)),
        (2, Some(1)),
        (3, Some(1)),
        (4, Some(3)),
        (5, Some(3)),
        (6, None),
    ];
    let voiced: Vec<_> = tree.iter().map(|(key, parent)| (*key, *parent, *key == 6)).collect();
    let leaves = files::leaves(&voiced, |_| false);
    // 2 is a swipe of 3, on whose path another file lies.
    assert_eq!(leaves, [4, 6]);
    assert_eq!(files::leaves(&voiced, |key| key == 2), [2, 4, 6]);
    let parent = |key: i32| tree.iter().find(|(k, _)| *k == key).and_then(|(_, parent)| *parent);
    let branchings = files::branchings(&[2, 4, 5, 6], parent);
    let off = |file, at| Some(files::Branching { file, at });
    assert_eq!(branchings, [None, off(0, 1), off(1, 3), None]);
}

/// A node of a random tree: its parent's number, its role and what is known of it.
type Draft = (Option<usize>, MessageRole, Option<String>, Option<i64>);

fn draft() -> impl Strategy<Value = Draft> {
    let role = prop::sample::select(vec![
        MessageRole::Player,
        MessageRole::Character,
        MessageRole::Narrator,
        MessageRole::System,
    ]);
    let parent = prop::option::weighted(0.95, 0_usize..40);
    let words = prop::option::of("[a-zА-я\"\\\\\n ]{1,12}[a-z]");
    (parent, role, words, prop::option::of(0_i64..2_000_000_000_000))
}

/// The tree as nodes of a merge, each with a text of its own.
fn grow(drafts: &[Draft]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for (n, (parent, role, thought, sent)) in drafts.iter().enumerate() {
        let parent = parent.filter(|_| n > 0).map(|parent| parent % n);
        let version = Version {
            content: format!("Text {n}\nand \"more\""),
            thought: thought.clone(),
            model: thought.clone(),
            sent_at: sent.and_then(DateTime::from_timestamp_millis),
            ..Version::default()
        };
        nodes.push(Node {
            key: n as u64,
            parent: parent.map(|parent| parent as u64),
            speaker: Speaker { role: *role, name: format!("{role:?}"), avatar: None },
            // Swipes share one flag, and what the system says is never shown.
            hidden: *role == MessageRole::System || parent.is_some_and(|parent| parent % 3 == 0),
            bookmark: None,
            version,
            created_at: DateTime::UNIX_EPOCH,
        });
    }
    nodes
}

fn node_of(nodes: &[Node], key: u64) -> &Node {
    nodes.iter().find(|node| node.key == key).unwrap()
}

/// The path to a leaf, each message with its swipes, written and read again.
fn written(nodes: &[Node], leaf: u64) -> (Vec<Entry>, Vec<Entry>) {
    let mut path = Vec::new();
    let mut at = Some(leaf);
    while let Some(key) = at {
        let node = node_of(nodes, key);
        let siblings: Vec<&Node> = nodes
            .iter()
            .filter(|other| other.parent == node.parent && other.speaker == node.speaker)
            .collect();
        path.push(Entry {
            speaker: node.speaker.clone(),
            hidden: node.hidden,
            bookmark: node.key.is_multiple_of(3).then(|| "Here".to_owned()),
            branches: vec!["Another".to_owned()],
            selected: siblings.iter().position(|sibling| sibling.key == key).unwrap(),
            versions: siblings.iter().map(|sibling| sibling.version.clone()).collect(),
            adapted: Vec::new(),
        });
        at = node.parent;
    }
    path.reverse();
    let mut file = write::header(&Header::default());
    for entry in &path {
        file.push_str(&write::entry(entry));
    }
    let items = read_in_pieces(file.as_bytes(), 13);
    let entries = items.into_iter().skip(1).map(|item| match item {
        Item::Entry { entry, .. } => entry,
        Item::Header(_) | Item::Skipped { .. } => panic!("only messages were written"),
    });
    let entries = entries.collect();
    (path, entries)
}

/// What of a tree must come back: texts with who says them, below what.
fn shape(nodes: &[Node]) -> Vec<(String, Option<String>, Speaker, Option<String>)> {
    let by_key: HashMap<u64, &Node> = nodes.iter().map(|node| (node.key, node)).collect();
    let mut shape: Vec<_> = nodes
        .iter()
        .map(|node| {
            let above = node.parent.map(|parent| by_key[&parent].version.content.clone());
            let version = node.version.clone();
            (version.content, above, node.speaker.clone(), version.thought)
        })
        .collect();
    shape.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    shape
}

proptest! {
    #[test]
    fn what_is_written_is_read(drafts in prop::collection::vec(draft(), 1..40)) {
        let nodes = grow(&drafts);
        for node in &nodes {
            let (path, read) = written(&nodes, node.key);
            prop_assert_eq!(read, path);
        }
    }

    #[test]
    fn the_files_of_a_tree_are_the_tree(drafts in prop::collection::vec(draft(), 1..40)) {
        let nodes = grow(&drafts);
        let listed: Vec<_> =
            nodes.iter().map(|node| (node.key, node.parent, node.speaker.role)).collect();
        let leaves = files::leaves(&listed, |_| false);
        let files: Vec<Vec<Entry>> = leaves.iter().map(|leaf| written(&nodes, *leaf).1).collect();
        let (merged, ends) = merge(&files);
        prop_assert_eq!(shape(&merged), shape(&nodes));
        for (end, leaf) in ends.iter().zip(&leaves) {
            let end = merged.iter().find(|node| Some(node.key) == *end).unwrap();
            prop_assert_eq!(&end.version.content, &node_of(&nodes, *leaf).version.content);
        }
    }

    #[test]
    fn dated_files_are_the_same_tree_in_any_order(
        drafts in prop::collection::vec(draft(), 1..40),
        order in prop::collection::vec(any::<u32>(), 40),
    ) {
        let mut nodes = grow(&drafts);
        for node in &mut nodes {
            node.created_at = DateTime::from_timestamp_millis(node.key.cast_signed()).unwrap();
            node.version.sent_at = Some(node.created_at);
        }
        let listed: Vec<_> =
            nodes.iter().map(|node| (node.key, node.parent, node.speaker.role)).collect();
        let mut leaves = files::leaves(&listed, |_| false);
        leaves.sort_by_key(|leaf| order[usize::try_from(*leaf).unwrap()]);
        let files: Vec<Vec<Entry>> = leaves.iter().map(|leaf| written(&nodes, *leaf).1).collect();
        let (merged, _) = merge(&files);
        // Siblings are ordered by their dates.
        let dates = |nodes: &[Node]| -> HashMap<String, DateTime<chrono::Utc>> {
            nodes.iter().map(|node| (node.version.content.clone(), node.created_at)).collect()
        };
        prop_assert_eq!(dates(&merged), dates(&nodes));
        prop_assert_eq!(shape(&merged), shape(&nodes));
    }

    #[test]
    fn no_bytes_make_the_reader_fall_over(bytes in prop::collection::vec(any::<u8>(), 0..300), size in 1_usize..50) {
        let pieces = read_in_pieces(&bytes, size);
        prop_assert_eq!(pieces, read_all(&bytes));
    }
}
