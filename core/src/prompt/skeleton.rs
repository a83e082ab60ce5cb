//! A provider's request body without the texts it was made of. Pure.
//!
//! A body is mostly blocks that are stored once for the whole session. What is
//! left are the pieces between them, and those repeat: after a block of one
//! sort, before a block of another, stands nearly always the same JSON. Both
//! together give the body back byte for byte, whatever wrote it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The pieces between the blocks of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skeleton {
    /// What stands between a block of one sort and one of another.
    joints: BTreeMap<String, String>,
    /// What stands before the block with this index instead.
    exceptions: BTreeMap<usize, String>,
    /// Blocks that the body does not hold.
    absent: Vec<usize>,
    /// What stands after the last block.
    tail: String,
}

/// A block as it may be found in a body.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// A word for its sort: what stands before it depends on its sort and the last one's.
    pub sort: &'a str,
    /// Its text.
    pub text: &'a str,
}

impl Skeleton {
    /// Takes the blocks out of a JSON body that was made of them, in this order.
    pub fn of(body: &str, parts: &[Part<'_>]) -> Self {
        let mut skeleton = Self::default();
        let (mut rest, mut before) = (body, "");
        for (index, part) in parts.iter().enumerate() {
            let text = escaped(part.text);
            let Some((piece, after)) = rest.split_once(text.as_str()) else {
                skeleton.absent.push(index);
                continue;
            };
            let joint = skeleton.joints.entry(joint(before, part.sort));
            if joint.or_insert_with(|| piece.to_owned()).as_str() != piece {
                skeleton.exceptions.insert(index, piece.to_owned());
            }
            rest = after;
            before = part.sort;
        }
        rest.clone_into(&mut skeleton.tail);
        skeleton
    }

    /// The body, from the same blocks.
    pub fn body(&self, parts: &[Part<'_>]) -> String {
        let mut body = String::new();
        let mut before = "";
        for (index, part) in parts.iter().enumerate() {
            if self.absent.contains(&index) {
                continue;
            }
            let usual = || self.joints.get(&joint(before, part.sort));
            let piece = self.exceptions.get(&index).or_else(usual);
            body.push_str(piece.map_or("", String::as_str));
            body.push_str(&escaped(part.text));
            before = part.sort;
        }
        body.push_str(&self.tail);
        body
    }
}

fn joint(before: &str, sort: &str) -> String {
    format!("{before}>{sort}")
}

/// A text as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn chat(turns: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
        let messages: Vec<_> =
            turns.iter().map(|(role, text)| json!({ "content": text, "role": role })).collect();
        let body = json!({ "messages": messages, "model": "m", "seed": 7 }).to_string();
        (body, turns.iter().map(|(role, text)| ((*role).into(), (*text).into())).collect())
    }

    fn parts(turns: &[(String, String)]) -> Vec<Part<'_>> {
        turns.iter().map(|(sort, text)| Part { sort, text }).collect()
    }

    #[test]
    fn a_long_story_leaves_a_small_skeleton() {
        let mut turns = vec![("system", "You are \"Mira\".\nBe vivid.")];
        for _ in 0..200 {
            turns.extend([("user", "I sit."), ("assistant", "— Сядь, — говорит она.")]);
        }
        let (body, turns) = chat(&turns);
        let skeleton = Skeleton::of(&body, &parts(&turns));
        assert_eq!(skeleton.body(&parts(&turns)), body);
        let stored = serde_json::to_string(&skeleton).unwrap();
        assert!(stored.len() < 500, "{} of {}: {stored}", stored.len(), body.len());
    }

    proptest! {
        /// Whatever the body is and whatever the blocks are, the body comes back.
        #[test]
        fn the_body_comes_back(
            turns in prop::collection::vec(("user|model|role", "[a-z\"\\\\\nё😀]{0,8}|role|user"), 0..12),
            body in ".{0,60}",
        ) {
            let borrowed: Vec<_> = turns.iter().map(|(role, text)| (role.as_str(), text.as_str())).collect();
            let (chat, _) = chat(&borrowed);
            for body in [body, chat] {
                let skeleton = Skeleton::of(&body, &parts(&turns));
                prop_assert_eq!(skeleton.body(&parts(&turns)), body);
            }
        }
    }
}
