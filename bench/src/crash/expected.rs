//! What a client's messages must be, by what it asked for and what it was told. Pure.

use std::collections::BTreeMap;

use super::{act::makes, journal::Act};

/// What a message may be: all that is possible as long as an answer is missing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    /// The texts it had, one after the other; none of what a model wrote.
    pub(super) texts: Vec<Vec<String>>,
    pub(super) hidden: Vec<bool>,
    pub(super) bookmark: Vec<Option<String>>,
}

impl Default for Expected {
    fn default() -> Self {
        Self { texts: Vec::new(), hidden: vec![false], bookmark: vec![None] }
    }
}

/// The messages that somebody wrote or marked, by their ids.
pub(super) fn messages(acts: &[Act]) -> BTreeMap<String, Expected> {
    let mut messages: BTreeMap<String, Expected> = BTreeMap::new();
    for act in acts.iter().filter(|act| !act.is_refused()) {
        let of = act.text("messageId").unwrap_or_default();
        let content = act.text("content");
        if let (true, Some(content)) = (makes(act.what, &act.input), content) {
            let Some(id) = act.made("message") else { continue };
            // An edit is as visible to models as what it is an edit of.
            let hidden = messages.get(of).map_or_else(|| vec![false], |of| of.hidden.clone());
            let texts = vec![vec![content.to_owned()]];
            messages.insert(id.to_owned(), Expected { texts, hidden, ..Expected::default() });
            continue;
        }
        if !matches!(
            act.what,
            "editMessage" | "restoreRevision" | "hideMessage" | "bookmarkMessage"
        ) {
            continue;
        }
        let message = messages.entry(of.to_owned()).or_default();
        let is_done = act.done().is_some();
        match act.what {
            "hideMessage" => {
                let hidden = act.input.get("hidden").and_then(serde_json::Value::as_bool);
                happen(&mut message.hidden, is_done, |_| hidden.unwrap_or_default());
            }
            "bookmarkMessage" => {
                let name = act.text("name").map(ToOwned::to_owned);
                happen(&mut message.bookmark, is_done, |_| name.clone());
            }
            "editMessage" => happen(&mut message.texts, is_done, |texts| {
                texts.iter().cloned().chain(content.map(ToOwned::to_owned)).collect()
            }),
            _ => happen(&mut message.texts, is_done, |texts| {
                texts.iter().chain(former(act, texts)).cloned().collect()
            }),
        }
    }
    messages
}

/// The text that comes back.
fn former<'a>(act: &Act, texts: &'a [String]) -> Option<&'a String> {
    let revision = act.input.get("revision").and_then(serde_json::Value::as_u64)?;
    texts.get(usize::try_from(revision.checked_sub(1)?).ok()?)
}

/// Every possible state becomes another one; if nobody said so, it may also have stayed.
fn happen<T: Clone + PartialEq>(states: &mut Vec<T>, is_done: bool, change: impl Fn(&T) -> T) {
    let changed: Vec<T> = states.iter().map(change).collect();
    if is_done {
        states.clear();
    }
    states.extend(changed);
    states.dedup();
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::player::Outcome, *};

    fn act(what: &'static str, input: Value, outcome: Outcome) -> Act {
        Act { what, input, outcome }
    }

    fn done(id: &str) -> Outcome {
        Outcome::Done(json!({ "message": { "id": id } }))
    }

    #[test]
    fn what_nobody_answered_may_have_happened_or_not() {
        let edit = |text: &str| json!({ "messageId": "m", "content": text, "mode": "IN_PLACE" });
        let mut acts = vec![
            act("sendMessage", json!({ "content": "one" }), done("m")),
            act("editMessage", edit("two"), done("m")),
            act("editMessage", edit("never"), Outcome::Refused(json!([]))),
            act("restoreRevision", json!({ "messageId": "m", "revision": 1 }), done("m")),
            act("bookmarkMessage", json!({ "messageId": "m", "name": "here" }), done("m")),
            act("hideMessage", json!({ "messageId": "m", "hidden": true }), Outcome::Unknown),
        ];
        let expected = Expected {
            texts: vec![vec!["one".into(), "two".into(), "one".into()]],
            hidden: vec![false, true],
            bookmark: vec![Some("here".into())],
        };
        assert_eq!(messages(&acts)["m"], expected);
        let sibling = json!({ "messageId": "m", "content": "beside", "mode": "SIBLING" });
        acts.push(act("editMessage", sibling, done("n")));
        acts.push(act("editMessage", edit("three"), Outcome::Unknown));
        acts.push(act("bookmarkMessage", json!({ "messageId": "m", "name": null }), done("m")));
        let messages = messages(&acts);
        assert_eq!(messages["n"].hidden, [false, true]);
        assert_eq!(messages["m"].bookmark, [None]);
        assert_eq!(messages["m"].texts[1], ["one", "two", "one", "three"]);
    }
}
