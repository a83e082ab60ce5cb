//! What one client does until the server dies: everything that changes a story, in any order.

use std::{path::Path, time::Duration};

use anyhow::Result;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    journal::Journal,
    player::{Outcome, Player},
};

/// Milliseconds between two acts of a client.
const PAUSE: std::ops::Range<u64> = 20..250;

/// What a client may do, and how often of all times.
const ACTS: &[(Act, u32)] = &[
    (Act::Send, 32),
    (Act::Branch, 12),
    (Act::Swipe, 12),
    (Act::Edit, 8),
    (Act::Correct, 8),
    (Act::Select, 8),
    (Act::Delete, 6),
    (Act::Restore, 5),
    (Act::Stop, 5),
    (Act::Refresh, 4),
];

#[derive(Clone, Copy)]
enum Act {
    /// Below the head.
    Send,
    /// Below any reply.
    Branch,
    Swipe,
    /// As a sibling.
    Edit,
    /// In place.
    Correct,
    Select,
    Delete,
    Restore,
    Stop,
    Refresh,
}

/// One client, with the session that it has to itself in this round.
pub(super) struct Story {
    pub(super) player: Player,
    pub(super) session: String,
    pub(super) greeting: String,
    pub(super) journal: Journal,
    rng: StdRng,
    /// Begins every text and every request id of this round.
    mark: String,
    count: u32,
}

impl Story {
    pub(super) async fn begin(
        player: Player,
        folder: &Path,
        (mark, seed): (String, u64),
    ) -> Result<Self> {
        let (session, greeting) = player.begin(&mark).await?;
        let journal = Journal::open(&folder.join(format!("{mark}.journal")))?;
        let rng = StdRng::seed_from_u64(seed);
        Ok(Self { player, session, greeting, journal, rng, mark, count: 0 })
    }

    /// Plays until an answer fails to come.
    pub(super) async fn play(&mut self) -> Result<()> {
        loop {
            sleep(Duration::from_millis(self.rng.random_range(PAUSE))).await;
            let (act, _) = *ACTS.choose_weighted(&mut self.rng, |(_, often)| *often)?;
            if !self.act(act).await? {
                return Ok(());
            }
        }
    }

    /// Does something; false if nobody said what became of it.
    async fn act(&mut self, act: Act) -> Result<bool> {
        if matches!(act, Act::Refresh) {
            let outcome = self.player.refresh().await;
            return Ok(!matches!(outcome, Outcome::Unknown));
        }
        let Some((what, input)) = self.plan(act) else { return Ok(true) };
        self.perform(what, input).await
    }

    /// Asks for something, and notes it before and after.
    pub(super) async fn perform(&mut self, what: &'static str, input: Value) -> Result<bool> {
        self.journal.intend(what, input.clone())?;
        let outcome = self.player.try_to(&document(what), json!({ "input": input })).await;
        let known = !matches!(outcome, Outcome::Unknown);
        self.journal.learn(outcome)?;
        Ok(known)
    }

    /// A mutation and its input; none if there is nothing yet to do it with.
    fn plan(&mut self, act: Act) -> Option<(&'static str, Value)> {
        let (text, id) = self.fresh();
        let session = self.session.clone();
        let (said, replies) = (self.made("message"), self.made("reply"));
        let rng = &mut self.rng;
        Some(match act {
            Act::Send => {
                let input = json!({ "sessionId": session, "content": text, "clientRequestId": id });
                ("sendMessage", input)
            }
            Act::Branch => {
                let parent = replies.choose(rng).unwrap_or(&self.greeting);
                let input = json!({ "sessionId": session, "parentId": parent, "content": text,
                    "clientRequestId": id });
                ("sendMessage", input)
            }
            Act::Swipe => (
                "regenerateReply",
                json!({ "messageId": replies.choose(rng)?, "clientRequestId": id }),
            ),
            Act::Edit => {
                let input = json!({ "messageId": said.choose(rng)?, "content": text,
                    "mode": "SIBLING", "reply": rng.random_bool(0.5), "clientRequestId": id });
                ("editMessage", input)
            }
            Act::Correct => {
                let input = json!({ "messageId": said.choose(rng)?, "content": text,
                    "mode": "IN_PLACE", "clientRequestId": id });
                ("editMessage", input)
            }
            Act::Select => {
                let all = [said, replies].concat();
                ("selectMessage", json!({ "messageId": all.choose(rng)? }))
            }
            Act::Delete => ("deleteMessage", json!({ "messageId": said.choose(rng)? })),
            Act::Restore => ("restoreMessage", json!({ "messageId": self.deleted()? })),
            Act::Stop => ("stopReply", json!({ "messageId": replies.last()? })),
            Act::Refresh => return None,
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

/// Whether the message in the answer of this mutation is a new one.
pub(super) fn makes(what: &str, input: &Value) -> bool {
    let in_place = input.get("mode").is_some_and(|mode| mode == "IN_PLACE");
    matches!(what, "sendMessage" | "regenerateReply") || what == "editMessage" && !in_place
}

/// The text of a mutation.
pub(super) fn document(what: &str) -> String {
    let (first, rest) = what.split_at(1);
    let input = format!("{}{rest}Input", first.to_uppercase());
    let fields = match what {
        "sendMessage" | "regenerateReply" | "editMessage" => {
            "message { id parentId } reply { id parentId }"
        }
        "stopReply" => "reply { id }",
        _ => "message { id }",
    };
    format!(
        "mutation ($input: {input}!) {{
            done: {what}(input: $input) {{ {fields} errors {{ code message path }} }} }}"
    )
}
