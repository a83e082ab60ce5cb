//! Strict watchers: they check of each event that it is the next one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::client::{Reader, Socket};

/// What a watcher was told of one reply.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) reader: Reader,
    /// The final message.
    pub(crate) end: Option<Value>,
    /// When the server made the last event.
    pub(crate) told_at: DateTime<Utc>,
    attempt: u64,
}

impl Heard {
    /// Takes the next event: no text is missing, comes twice, or comes after the end.
    pub(crate) fn take(&mut self, event: &Value) {
        assert!(self.end.is_none(), "after the end: {event}");
        let attempt = event["attempt"].as_u64().unwrap();
        assert!(self.attempt <= attempt, "an attempt comes back: {event}");
        self.attempt = attempt;
        self.told_at = event["at"].as_str().unwrap().parse().unwrap();
        let Reader { content, thought } = &self.reader;
        match event["__typename"].as_str().unwrap() {
            "ReplyDelta" => {
                let text = if event["channel"] == "THOUGHT" { thought } else { content };
                assert_eq!(event["offset"], json!(text.len()), "not the next piece: {event}");
            }
            "ReplyReset" => assert!(content.is_empty() && thought.is_empty(), "lost: {event}"),
            _ => {}
        }
        self.end = self.reader.take(event);
    }

    /// The message with the texts that were put together piece by piece.
    pub(crate) fn assembled(&self) -> Value {
        let mut message = self.end.clone().expect("it has ended");
        message["content"] = self.reader.text().into();
        let thought = String::from_utf16(&self.reader.thought).unwrap();
        message["thought"] = if thought.is_empty() { Value::Null } else { thought.into() };
        message
    }
}

/// Somebody who watches several replies on one socket.
pub(crate) struct Watcher {
    socket: Socket,
    /// The replies by their subscriptions, as long as these are open.
    open: BTreeMap<String, String>,
    heard: BTreeMap<String, Heard>,
}

impl Watcher {
    /// Watches these replies, and knows how far each has come.
    pub(crate) async fn begin(mut socket: Socket, query: &str, replies: &[String]) -> Self {
        let mut open = BTreeMap::new();
        for reply in replies {
            open.insert(socket.subscribe(query, json!({ "id": reply })).await, reply.clone());
        }
        let mut watcher = Self { socket, open, heard: BTreeMap::new() };
        while watcher.heard.len() < replies.len() {
            watcher.hear().await;
        }
        watcher
    }

    /// Reads until each subscription is complete; what was told of each reply.
    pub(crate) async fn until_the_end(mut self) -> BTreeMap<String, Heard> {
        while !self.open.is_empty() {
            self.hear().await;
        }
        assert_eq!(self.socket.ping().await["type"], "pong", "nothing comes after the ends");
        self.heard
    }

    async fn hear(&mut self) {
        let message = self.socket.anything().await;
        let id = message["id"].as_str().unwrap_or_else(|| panic!("{message}"));
        let reply = self.open.get(id).unwrap_or_else(|| panic!("after its end: {message}")).clone();
        match message["type"].as_str() {
            Some("next") => {
                let event = &message["payload"]["data"]["reply"];
                self.heard.entry(reply).or_default().take(event);
            }
            Some("complete") => {
                assert!(self.heard[&reply].end.is_some(), "complete without an end: {message}");
                self.open.remove(id);
            }
            _ => panic!("unexpected {message}"),
        }
    }
}

/// Somebody who watches everything in one session.
pub(crate) struct Screen {
    socket: Socket,
    pub(crate) heard: BTreeMap<String, Heard>,
    /// The stored events, by their numbers.
    pub(crate) log: Vec<(u64, String)>,
    sequence: u64,
}

impl Screen {
    /// Watches a session from a sequence, until what was before is replayed.
    pub(crate) async fn begin(mut socket: Socket, session: &str, sequence: u64) -> Self {
        let events = "subscription($id: ID!, $after: Int) {
            sessionEvents(sessionId: $id, after: $after) { __typename sequence at
                ... on ReplyDelta { messageId attempt channel offset text }
                ... on ReplyStageChanged { messageId attempt stage }
                ... on ReplyReset { messageId attempt content thought }
                ... on ReplyFinished { messageId attempt message {
                    id parentId role status content thought } }
                ... on ReplyFailed { messageId attempt message { id status } } } }";
        socket.subscribe(events, json!({ "id": session, "after": sequence })).await;
        let screen = Self { socket, heard: BTreeMap::new(), log: Vec::new(), sequence };
        screen.until("CaughtUp").await
    }

    /// Reads up to the first event of this type.
    pub(crate) async fn until(mut self, typename: &str) -> Self {
        loop {
            let event = self.socket.event("sessionEvents").await.expect("it goes on");
            self.take(&event);
            if event["__typename"] == typename {
                return self;
            }
        }
    }

    /// Takes the next event: its number is the next one if it is stored, else the last one.
    fn take(&mut self, event: &Value) {
        let typename = event["__typename"].as_str().unwrap();
        let is_live =
            ["CaughtUp", "ReplyDelta", "ReplyStageChanged", "ReplyReset"].contains(&typename);
        if !is_live {
            self.sequence += 1;
            self.log.push((self.sequence, typename.to_owned()));
        }
        assert_eq!(event["sequence"], json!(self.sequence), "not the next event: {event}");
        if let Some(reply) = event["messageId"].as_str() {
            self.heard.entry(reply.to_owned()).or_default().take(event);
        }
    }
}
