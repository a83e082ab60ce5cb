//! A subscriber: what it was told of a session, put together by the client's rule.

#![expect(clippy::indexing_slicing, reason = "JSON without a field gives null, not a panic")]

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::player::{Feed, Player, text};

const EVENTS: &str = "subscription ($id: ID!, $after: Int) {
    event: sessionEvents(sessionId: $id, after: $after, channels: [CONTENT]) {
    __typename sequence
    ... on MessagesAdded { messages { id } }
    ... on MessageUpdated { message { id } }
    ... on HeadMoved { head { id } }
    ... on ReplyDelta { messageId offset text }
    ... on ReplyReset { messageId content }
    ... on ReplyFinished { messageId message { content } }
    ... on ReplyFailed { messageId message { content } } } }";
const REPLY: &str = "subscription ($id: ID!, $offset: Int) {
    event: reply(messageId: $id, offset: $offset, channels: [CONTENT]) {
    __typename messageId
    ... on ReplyDelta { offset text }
    ... on ReplyReset { content }
    ... on ReplyFinished { message { content } }
    ... on ReplyFailed { message { content } } } }";

/// A reply as its watcher has it.
#[derive(Clone, Default)]
pub(super) struct Seen {
    pub(super) text: Vec<u16>,
    /// Its text as it stood in the event that ended it.
    pub(super) end: Option<String>,
    /// What was against the rules.
    pub(super) faults: Vec<String>,
}

impl Seen {
    pub(super) fn take(&mut self, event: &Value) {
        match event["__typename"].as_str() {
            Some("ReplyDelta") => {
                let offset = event["offset"].as_u64().and_then(|at| usize::try_from(at).ok());
                let offset = offset.unwrap_or(usize::MAX);
                if offset != self.text.len() {
                    let length = self.text.len();
                    self.faults.push(format!("a delta at {offset} where {length} was expected"));
                }
                self.text.truncate(offset);
                self.text.extend(event["text"].as_str().unwrap_or_default().encode_utf16());
            }
            Some("ReplyReset") => {
                let content = event["content"].as_str().unwrap_or_default();
                self.text = content.encode_utf16().collect();
            }
            Some("ReplyFinished" | "ReplyFailed") => {
                let content = event["message"]["content"].as_str().unwrap_or_default();
                self.end = Some(content.to_owned());
            }
            _ => {}
        }
    }
}

/// Somebody who watches a session.
#[derive(Default)]
pub(super) struct Watcher {
    pub(super) session: String,
    /// The stored events, by their sequence.
    pub(super) log: Vec<(i64, String)>,
    pub(super) replies: BTreeMap<String, Seen>,
    pub(super) faults: Vec<String>,
    pub(super) resync: bool,
}

impl Watcher {
    pub(super) fn new(session: &str) -> Self {
        Self { session: session.to_owned(), ..Self::default() }
    }

    pub(super) async fn open(&self, player: &Player) -> Result<Feed> {
        let after = self.log.last().map_or(0, |(sequence, _)| *sequence);
        player.watch(EVENTS, json!({ "id": self.session, "after": after })).await
    }

    /// Watches until the server goes away.
    pub(super) async fn listen(&mut self, mut feed: Feed) {
        while let Ok(Some(event)) = feed.next().await {
            self.take(&event);
        }
    }

    /// Takes what is missing, up to the present.
    pub(super) async fn catch_up(&mut self, player: &Player) -> Result<()> {
        let mut feed = self.open(player).await?;
        loop {
            let event = feed.next().await?.context("the subscription ended")?;
            if event["__typename"] == "CaughtUp" {
                return Ok(());
            }
            self.take(&event);
        }
    }

    fn take(&mut self, event: &Value) {
        let kind = event["__typename"].as_str().unwrap_or_default();
        let sequence = event["sequence"].as_i64().unwrap_or_default();
        if let Some(id) = event["messageId"].as_str() {
            self.replies.entry(id.to_owned()).or_default().take(event);
        }
        // A failed reply that is tried again has no end any more.
        if let Some(id) = event["message"]["id"].as_str()
            && let Some(seen) = self.replies.get_mut(id)
        {
            seen.end = None;
        }
        match kind {
            "ReplyDelta" | "ReplyReset" | "ReplyStageChanged" | "CaughtUp" => {}
            "ResyncNeeded" => self.resync = true,
            _ => {
                let last = self.log.last().map_or(0, |(sequence, _)| *sequence);
                if sequence != last + 1 {
                    self.faults.push(format!("{kind} {sequence} came after {last}"));
                }
                self.log.push((sequence, describe(event)));
            }
        }
    }
}

/// What an event says that must be the same whenever it is read.
fn describe(event: &Value) -> String {
    let messages = event["messages"].as_array().into_iter().flatten();
    let messages = messages.chain([&event["message"]]);
    let ids: Vec<&str> = messages.filter_map(|message| message["id"].as_str()).collect();
    let of = event["messageId"].as_str().unwrap_or_default();
    format!("{} {} {of}", event["__typename"].as_str().unwrap_or_default(), ids.join(" "))
}

/// Goes on with a reply where a watcher was interrupted, to its end.
pub(super) async fn resume(player: &Player, id: &str, seen: &mut Seen) -> Result<()> {
    let mut feed = player.watch(REPLY, json!({ "id": id, "offset": seen.text.len() })).await?;
    while let Some(event) = feed.next().await? {
        seen.take(&event);
    }
    seen.end.as_ref().context("the last event is not the end").map(drop)
}

/// What stands in a session now.
pub(super) async fn log_of(player: &Player, session: &str) -> Result<Watcher> {
    let mut whole = Watcher::new(session);
    whole.catch_up(player).await?;
    Ok(whole)
}

/// The ids of the replies in a session that have not ended.
pub(super) async fn running(player: &Player, session: &str) -> Result<Vec<String>> {
    let query = "query ($id: ID!) { session(id: $id) { runningReplies { id } } }";
    let data = player.read(query, json!({ "id": session })).await?;
    let running = data["session"]["runningReplies"].as_array();
    running.context("there is no such session")?.iter().map(|reply| text(&reply["id"])).collect()
}
