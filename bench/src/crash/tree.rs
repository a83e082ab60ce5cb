//! The whole tree of a session, read through the graph, and whether it is one.

#![expect(clippy::indexing_slicing, reason = "JSON without a field gives null, not a panic")]

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    player::{Player, text},
    tally::{Fault, Tally},
};

const PAGE: &str = "query ($id: ID!, $after: String) { session(id: $id) {
    head { id }
    messages(first: 50, after: $after) {
      nodes { id parentId depth role content status position alternatives { count messageIds }
        revisions(first: 20) { nodes { content } } hiddenFromPrompt bookmark createdAt
        continuedFrom { id } generation { attempt } }
      pageInfo { hasNextPage endCursor }
    } } }";
const PATH: &str = "query ($id: ID!, $before: String) { session(id: $id) {
    path(last: 100, before: $before) {
      nodes { id } pageInfo { hasPreviousPage startCursor } } } }";

/// A message as the graph tells it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) is_players: bool,
    /// Which attempt of a model's it is; none of what a hand wrote.
    pub(super) attempt: Option<i64>,
    pub(super) content: String,
    /// What it said before, oldest first.
    pub(super) revisions: Vec<String>,
    pub(super) status: String,
    pub(super) hidden: bool,
    pub(super) bookmark: Option<String>,
    /// The reply whose text it begins with.
    pub(super) continued_from: Option<String>,
    pub(super) created_at: String,
    depth: i64,
    position: u64,
    count: u64,
    alternatives: Vec<String>,
}

/// All messages of a session that are not deleted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree {
    pub(super) head: Option<String>,
    pub(super) messages: BTreeMap<String, Message>,
    /// From the root to the head.
    path: Vec<String>,
}

impl Message {
    fn of(node: &Value) -> Result<Self> {
        let others = node["alternatives"]["messageIds"].as_array().context("no alternatives")?;
        let former = node["revisions"]["nodes"].as_array().context("no revisions")?;
        Ok(Self {
            id: text(&node["id"])?,
            parent: node["parentId"].as_str().map(ToOwned::to_owned),
            is_players: node["role"] == "PLAYER",
            attempt: node["generation"]["attempt"].as_i64(),
            content: text(&node["content"])?,
            revisions: former.iter().map(|old| text(&old["content"])).collect::<Result<_>>()?,
            status: text(&node["status"])?,
            hidden: node["hiddenFromPrompt"].as_bool().context("neither hidden nor shown")?,
            bookmark: node["bookmark"].as_str().map(ToOwned::to_owned),
            continued_from: node["continuedFrom"]["id"].as_str().map(ToOwned::to_owned),
            created_at: text(&node["createdAt"])?,
            depth: node["depth"].as_i64().context("no depth")?,
            position: node["position"].as_u64().context("no position")?,
            count: node["alternatives"]["count"].as_u64().context("no count")?,
            alternatives: others.iter().map(text).collect::<Result<_>>()?,
        })
    }

    /// Whether a player wrote it by hand.
    pub(super) fn is_said(&self) -> bool {
        self.is_players && self.attempt.is_none()
    }

    pub(super) fn has_ended(&self) -> bool {
        !matches!(self.status.as_str(), "PENDING" | "WRITING")
    }
}

impl Tree {
    pub(super) async fn read(player: &Player, session: &str, tally: &mut Tally) -> Result<Self> {
        let (mut messages, mut after) = (BTreeMap::new(), Value::Null);
        let head = loop {
            let variables = json!({ "id": session, "after": after });
            let data = player.read(PAGE, variables).await?;
            let page = &data["session"]["messages"];
            for node in page["nodes"].as_array().context("a session is gone")? {
                let message = Message::of(node)?;
                let id = message.id.clone();
                let twice = messages.insert(id.clone(), message).is_some();
                tally.expect(!twice, Fault::Duplicated, || format!("{id} is listed twice"));
            }
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] != true {
                break data["session"]["head"]["id"].as_str().map(ToOwned::to_owned);
            }
        };
        Ok(Self { head, messages, path: path(player, session).await? })
    }

    /// Whether everything in it hangs together.
    pub(super) fn check(&self, tally: &mut Tally) {
        let mut places: BTreeMap<(Option<&str>, bool), Vec<&Message>> = BTreeMap::new();
        for message in self.messages.values() {
            let parent = message.parent.as_deref();
            places.entry((parent, message.is_players)).or_default().push(message);
            let above = parent.map(|parent| self.messages.get(parent));
            let fits = above
                .is_none_or(|above| above.is_some_and(|above| above.depth + 1 == message.depth));
            tally.expect(fits, Fault::Torn, || format!("{} hangs in the air", message.id));
        }
        for place in places.values() {
            check_place(place, tally);
        }
        let head = self.head.as_deref();
        let known = head.is_none_or(|head| self.messages.contains_key(head));
        tally.expect(known, Fault::Torn, || format!("the head {head:?} is nowhere"));
        let expected = self.way_to(head);
        tally.expect(expected == self.path, Fault::Torn, || {
            format!("the path {:?} is not the way to the head, {expected:?}", self.path)
        });
    }
}

impl Tree {
    /// The ids from the root down to a message.
    pub(super) fn way_to(&self, id: Option<&str>) -> Vec<String> {
        let mut way = Vec::new();
        let mut next = id;
        while let Some(message) = next.and_then(|id| self.messages.get(id)) {
            way.push(message.id.clone());
            next = message.parent.as_deref();
        }
        way.reverse();
        way
    }

    /// What of a reply's text its own call said: without what it went on from.
    pub(super) fn own_text<'a>(&self, message: &'a Message) -> &'a str {
        let from = message.continued_from.as_ref().and_then(|id| self.messages.get(id));
        let given = from.map_or("", |from| from.content.as_str());
        message.content.strip_prefix(given).unwrap_or(&message.content)
    }
}

/// Alternatives know each other, and are counted without a gap.
fn check_place(place: &[&Message], tally: &mut Tally) {
    let mut positions: Vec<u64> = place.iter().map(|message| message.position).collect();
    positions.sort_unstable();
    let dense = positions.iter().zip(0..).all(|(position, expected)| *position == expected);
    tally.expect(dense, Fault::Torn, || format!("positions {positions:?} have a gap"));
    for message in place {
        let at = usize::try_from(message.position).unwrap_or(usize::MAX);
        let fits = message.alternatives.len() == place.len()
            && usize::try_from(message.count) == Ok(place.len())
            && message.alternatives.get(at) == Some(&message.id);
        tally.expect(fits, Fault::Torn, || format!("{} is not among its alternatives", message.id));
    }
}

async fn path(player: &Player, session: &str) -> Result<Vec<String>> {
    let (mut path, mut before) = (Vec::new(), Value::Null);
    loop {
        let data = player.read(PATH, json!({ "id": session, "before": before })).await?;
        let page = &data["session"]["path"];
        let nodes = page["nodes"].as_array().context("a session has no path")?;
        let mut ids: Vec<String> =
            nodes.iter().map(|node| text(&node["id"])).collect::<Result<_>>()?;
        ids.append(&mut path);
        path = ids;
        if page["pageInfo"]["hasPreviousPage"] != true {
            return Ok(path);
        }
        before = page["pageInfo"]["startCursor"].clone();
    }
}
