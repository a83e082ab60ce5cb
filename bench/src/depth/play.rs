//! What is measured: one act of a client on a session, from its request to the whole answer.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use skald_base::id::format_any;
use uuid::Uuid;

use super::tree::Tree;
use crate::client::{Account, SEND, read_reply, request_id};

const PATH: &str = "query ($id: ID!) { session(id: $id) { path(last: 50) {
    nodes { id role author { name } content } pageInfo { hasPreviousPage } } } }";
const FIRST_PAINT: &str = "query ($id: ID!) { session(id: $id) { id title sequence head { id }
    path(last: 50) { pageInfo { hasPreviousPage startCursor } nodes {
        id parentId depth role status content hasThought position revision hiddenFromPrompt
        createdAt editedAt deletedAt author { kind name avatarUrl }
        alternatives { id count messageIds } generation { id model finishReason } } } } }";
// `before` has to be on the path to the leaf: what is above it is the least that can be asked.
const ANCESTOR: &str = "query ($id: ID!, $leaf: ID!, $before: ID!) { session(id: $id) {
    path(leaf: $leaf, before: $before, last: 1) { nodes { id } } } }";
const REGENERATE: &str = "mutation ($input: RegenerateReplyInput!) {
    done: regenerateReply(input: $input) { reply { id status } errors { code message } } }";
const SELECT: &str = "mutation ($input: SelectMessageInput!) {
    done: selectMessage(input: $input) { session { head { id } } errors { code message } } }";

/// Light nodes on a page of an outline.
const OUTLINE_NODES: usize = 5_000;
const OUTLINE: &str = "query ($id: ID!) { session(id: $id) { outline(first: 5000) {
    nodes { messageId parentId role status excerpt bookmark }
    pageInfo { hasNextPage endCursor } } } }";

/// What a client does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Path,
    FirstPaint,
    Ancestor,
    Send,
    Regenerate,
    Swipe,
    Leave,
    Return,
}

impl Act {
    /// All, in the order in which a round does them.
    pub(super) const ALL: [Self; 8] = [
        Self::Path,
        Self::FirstPaint,
        Self::Ancestor,
        Self::Send,
        Self::Regenerate,
        Self::Swipe,
        Self::Leave,
        Self::Return,
    ];

    /// What it is called in the result.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Path => "last 50 messages",
            Self::FirstPaint => "first paint (50 × 20 fields)",
            Self::Ancestor => "is it an ancestor?",
            Self::Send => "send a message",
            Self::Regenerate => "regenerate a reply",
            Self::Swipe => "select a swipe",
            Self::Leave => "select an old branch",
            Self::Return => "select the main branch",
        }
    }
}

/// A session with a story in it, and who plays it.
pub(super) struct Play {
    account: Account,
    session: String,
    tree: Tree,
    rounds: usize,
}

impl Play {
    /// Sits down in front of a session whose story is this one.
    pub(super) fn begin(account: &Account, session: Uuid, tree: Tree) -> Self {
        let session = format_any("session", session);
        Self { account: account.clone(), session, tree, rounds: 0 }
    }

    /// Does everything once; the times, as in [`Act::ALL`].
    pub(super) async fn round(&mut self) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for act in Act::ALL {
            times.push(self.act(act).await?);
        }
        self.rounds += 1;
        Ok(times)
    }

    async fn act(&self, act: Act) -> Result<Duration> {
        let leaf = self.tree.leaf();
        // Branches from everywhere in the story, hardly ever the one of the last round.
        let fork = self.tree.forks.get(self.rounds * 7919 % self.tree.forks.len()).copied();
        let (main, top, end) = fork.map_or((0, 0, 0), |fork| (fork.main, fork.top, fork.leaf));
        match act {
            Act::Path => self.read(PATH, 50).await,
            Act::FirstPaint => self.read(FIRST_PAINT, 50).await,
            Act::Ancestor => self.ancestor().await,
            Act::Send => {
                let input = json!({ "sessionId": self.session, "parentId": self.tree.id(leaf),
                    "content": "I lift the lantern and go on, slowly, listening at every door." });
                self.reply(SEND, input).await
            }
            Act::Regenerate => {
                self.reply(REGENERATE, json!({ "messageId": self.tree.id(leaf) })).await
            }
            Act::Swipe => self.select(self.tree.swipe, self.tree.swipe).await,
            Act::Leave => self.select(top, end).await,
            Act::Return => self.select(main, self.tree.swipe).await,
        }
    }

    /// Reads a page of the tree at a glance; nothing if the tree does not fill one.
    pub(super) async fn outline(&self) -> Result<Option<Duration>> {
        if self.tree.nodes.len() < OUTLINE_NODES {
            return Ok(None);
        }
        let (answer, took) = self.ask(OUTLINE, json!({ "id": self.session })).await?;
        let nodes = answer.pointer("/session/outline/nodes").and_then(Value::as_array);
        ensure!(nodes.map(Vec::len) == Some(OUTLINE_NODES), "not a whole page of the outline");
        Ok(Some(took))
    }

    async fn ask(&self, query: &str, variables: Value) -> Result<(Value, Duration)> {
        let began = Instant::now();
        let answer = self.account.ask(query, variables).await?;
        Ok((answer, began.elapsed()))
    }

    async fn read(&self, query: &str, expected: usize) -> Result<Duration> {
        let (answer, took) = self.ask(query, json!({ "id": self.session })).await?;
        let nodes = answer.pointer("/session/path/nodes").and_then(Value::as_array);
        ensure!(nodes.map(Vec::len) == Some(expected), "not what was asked: {answer}");
        Ok(took)
    }

    async fn ancestor(&self) -> Result<Duration> {
        // Somewhere in the middle, each time elsewhere.
        let main = &self.tree.main;
        let place = main.len() / 3 + self.rounds * 31 % (main.len() / 3);
        let id = |place: usize| main.get(place).map(|node| self.tree.id(*node));
        let variables = json!({ "id": self.session, "leaf": self.tree.id(self.tree.leaf()),
            "before": id(place) });
        let (answer, took) = self.ask(ANCESTOR, variables).await?;
        let above = answer.pointer("/session/path/nodes/0/id").and_then(Value::as_str);
        ensure!(above == id(place - 1).as_deref(), "not its parent: {answer}");
        Ok(took)
    }

    /// Asks for a reply, and waits until it is written, so that nothing else goes on meanwhile.
    async fn reply(&self, query: &str, mut input: Value) -> Result<Duration> {
        if let Some(fields) = input.as_object_mut() {
            fields.insert("clientRequestId".into(), request_id().into());
        }
        // A socket that is not read from while the other sessions have their turn is closed.
        let mut socket = self.account.watch(&self.session).await?;
        let (_, took) = self.ask(query, json!({ "input": input })).await?;
        let (_, message) = read_reply(&mut socket).await?;
        ensure!(message.get("status") == Some(&json!("COMPLETE")), "no reply: {message}");
        Ok(took)
    }

    async fn select(&self, node: usize, expected: usize) -> Result<Duration> {
        let input = json!({ "input": { "messageId": self.tree.id(node) } });
        let (answer, took) = self.ask(SELECT, input).await?;
        let head = answer.pointer("/done/session/head/id").and_then(Value::as_str);
        ensure!(head == Some(&self.tree.id(expected)), "the head is elsewhere: {answer}");
        Ok(took)
    }
}
