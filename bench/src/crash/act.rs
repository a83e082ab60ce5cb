//! What a client may do, and with what.

#![expect(clippy::indexing_slicing, reason = "a field of JSON that is set is there")]
#![expect(clippy::wildcard_enum_match_arm, reason = "each kind of act is told apart before")]

use rand::{Rng, seq::IndexedRandom};
use serde_json::{Value, json};

use super::{expected, story::Story};

/// What a client may do, and how often of all times.
pub(super) const ACTS: &[(Act, u32)] = &[
    (Act::Send, 32),
    (Act::Branch, 12),
    (Act::Swipe, 10),
    (Act::GoOn, 10),
    (Act::Again, 8),
    (Act::Impersonate, 6),
    (Act::Edit, 8),
    (Act::Correct, 8),
    (Act::GoBack, 6),
    (Act::Hide, 4),
    (Act::Keep, 5),
    (Act::Select, 8),
    (Act::Delete, 6),
    (Act::Restore, 5),
    (Act::Fork, 6),
    (Act::Stop, 6),
    (Act::Refresh, 4),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Below the head.
    Send,
    /// Below any reply.
    Branch,
    Swipe,
    /// Has a reply written on that was cut.
    GoOn,
    /// Has a failed reply tried again.
    Again,
    /// Has the model write the player's message.
    Impersonate,
    /// As a sibling.
    Edit,
    /// In place.
    Correct,
    /// To a former text.
    GoBack,
    Hide,
    /// Under a name.
    Keep,
    Select,
    Delete,
    Restore,
    Fork,
    Stop,
    Refresh,
}

/// The replies that a client saw when it looked, by how they had ended.
#[derive(Default)]
pub(super) struct Glance {
    pub(super) cut: Vec<String>,
    pub(super) failed: Vec<String>,
}

impl Act {
    /// Whether the client has to look at the story before.
    pub(super) fn needs_a_look(self) -> bool {
        matches!(self, Self::GoOn | Self::Again)
    }
}

impl Story {
    /// A mutation and its input; none if there is nothing yet to do it with.
    pub(super) fn plan(&mut self, act: Act, glance: &Glance) -> Option<(&'static str, Value)> {
        let (text, id) = self.fresh();
        let (what, mut input) = match act {
            Act::Send | Act::Branch | Act::Edit | Act::Correct | Act::GoBack => {
                self.write(act, &text)?
            }
            Act::Swipe | Act::GoOn | Act::Again | Act::Impersonate | Act::Stop => {
                self.ask(act, glance)?
            }
            Act::Hide | Act::Keep | Act::Select | Act::Delete | Act::Restore | Act::Fork => {
                self.arrange(act, text)?
            }
            Act::Refresh => return None,
        };
        if matches!(what, "sendMessage" | "impersonate" | "forkSession") {
            input["sessionId"] = self.session.clone().into();
        }
        if is_repeatable(what) {
            input["clientRequestId"] = id.into();
        }
        Some((what, input))
    }

    /// What a player writes by hand.
    fn write(&mut self, act: Act, text: &str) -> Option<(&'static str, Value)> {
        let (said, replies) = (self.made("message"), self.made("reply"));
        let rng = &mut self.rng;
        Some(match act {
            Act::Branch => {
                let parent = replies.choose(rng).unwrap_or(&self.greeting);
                ("sendMessage", json!({ "parentId": parent, "content": text }))
            }
            Act::Edit => {
                let input = json!({ "messageId": said.choose(rng)?, "content": text,
                    "mode": "SIBLING", "reply": rng.random_bool(0.5) });
                ("editMessage", input)
            }
            Act::Correct => {
                let input = json!({ "messageId": said.choose(rng)?, "content": text,
                    "mode": "IN_PLACE" });
                ("editMessage", input)
            }
            Act::GoBack => ("restoreRevision", self.former_text()?),
            _ => ("sendMessage", json!({ "content": text })),
        })
    }

    /// What a model is asked for, or is to leave.
    fn ask(&mut self, act: Act, glance: &Glance) -> Option<(&'static str, Value)> {
        let replies = self.made("reply");
        let (what, message) = match act {
            Act::GoOn => ("continueReply", glance.cut.choose(&mut self.rng)?),
            Act::Again => ("retryReply", glance.failed.choose(&mut self.rng)?),
            Act::Swipe => ("regenerateReply", replies.choose(&mut self.rng)?),
            Act::Stop => ("stopReply", replies.last()?),
            _ => return Some(("impersonate", json!({}))),
        };
        Some((what, json!({ "messageId": message })))
    }

    /// What becomes of messages that are there.
    fn arrange(&mut self, act: Act, text: String) -> Option<(&'static str, Value)> {
        let said = self.made("message");
        let all = [said.as_slice(), &self.made("reply")].concat();
        let rng = &mut self.rng;
        Some(match act {
            Act::Hide => {
                let hidden = rng.random_bool(0.7);
                ("hideMessage", json!({ "messageId": all.choose(rng)?, "hidden": hidden }))
            }
            Act::Keep => {
                let name = rng.random_bool(0.8).then_some(text);
                ("bookmarkMessage", json!({ "messageId": all.choose(rng)?, "name": name }))
            }
            Act::Delete => ("deleteMessage", json!({ "messageId": said.choose(rng)? })),
            Act::Restore => ("restoreMessage", json!({ "messageId": self.deleted()? })),
            Act::Fork => {
                let scope = ["PATH", "PATH_WITH_SIBLINGS", "SUBTREE"].choose(rng)?;
                ("forkSession", json!({ "messageId": all.choose(rng)?, "scope": scope }))
            }
            _ => ("selectMessage", json!({ "messageId": all.choose(rng)? })),
        })
    }

    /// A text and a request id that nobody used.
    fn fresh(&mut self) -> (String, String) {
        self.count += 1;
        let id = format!("{}-{}", self.mark, self.count);
        (format!("Say {id}: I lift the lantern and go on."), id)
    }

    /// The ids of what was made and acknowledged.
    fn made(&self, what: &str) -> Vec<String> {
        let made = self.journal.acts.iter().filter(|act| makes(act.what, &act.input));
        made.filter_map(|act| act.made(what).map(ToOwned::to_owned)).collect()
    }

    /// A message that was written over, and which of its texts it does not have now.
    fn former_text(&mut self) -> Option<Value> {
        let messages = expected::messages(&self.journal.acts);
        let histories =
            messages.iter().filter_map(|(id, message)| Some((id, message.texts.first()?)));
        let edited: Vec<_> = histories.filter(|(_, texts)| texts.len() > 1).collect();
        let (id, texts) = edited.choose(&mut self.rng)?;
        let revision = self.rng.random_range(1..texts.len());
        Some(json!({ "messageId": id, "revision": revision, "expectedRevision": texts.len() }))
    }

    /// What was deleted last and not yet brought back.
    fn deleted(&self) -> Option<String> {
        let mut deleted: Vec<&str> = Vec::new();
        for act in self.journal.acts.iter().filter(|act| act.done().is_some()) {
            let id = act.text("messageId").unwrap_or_default();
            match act.what {
                "deleteMessage" => deleted.push(id),
                "restoreMessage" => deleted.retain(|other| *other != id),
                _ => {}
            }
        }
        deleted.last().map(|id| (*id).to_owned())
    }
}

/// Whether a mutation takes a request id, and so can be sent again.
fn is_repeatable(what: &str) -> bool {
    what == "editMessage" || what == "restoreRevision" || what == "forkSession" || runs(what)
}

/// Whether a mutation has a model write.
fn runs(what: &str) -> bool {
    let news = ["sendMessage", "regenerateReply", "continueReply", "impersonate"];
    news.contains(&what) || what == "retryReply"
}

/// Whether the messages in the answer of this mutation are new ones.
pub(super) fn makes(what: &str, input: &Value) -> bool {
    let in_place = input.get("mode").is_some_and(|mode| mode == "IN_PLACE");
    runs(what) && what != "retryReply" || what == "editMessage" && !in_place
}

/// The text of a mutation.
pub(super) fn document(what: &str) -> String {
    let (first, rest) = what.split_at(1);
    let input = format!("{}{rest}Input", first.to_uppercase());
    let fields = match what {
        what if runs(what) || what == "editMessage" => {
            "message { id parentId } reply { id parentId }"
        }
        "stopReply" => "reply { id }",
        "forkSession" => "session { id }",
        _ => "message { id }",
    };
    format!(
        "mutation ($input: {input}!) {{
            done: {what}(input: $input) {{ {fields} errors {{ code message path }} }} }}"
    )
}
