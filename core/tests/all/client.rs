//! A client that keeps a copy of a session by the rules, and the promises it relies on.

use std::collections::HashMap;

use serde_json::Value;

/// What a client of `sessionEvents` knows.
#[derive(Default)]
pub(crate) struct Client {
    /// The last stored sequence.
    pub(crate) sequence: i64,
    pub(crate) caught_up: bool,
    /// Every message that was told, with the texts that deltas gave it.
    pub(crate) texts: HashMap<String, Text>,
    /// Whether it began with an empty session and so knows every message.
    from_start: bool,
    known: HashMap<String, Option<String>>,
}

/// A reply as deltas built it.
#[derive(Default)]
pub(crate) struct Text {
    pub(crate) content: Vec<u16>,
    pub(crate) thought: Vec<u16>,
    pub(crate) deltas: usize,
    pub(crate) attempt: i64,
    pub(crate) end: Option<Value>,
    pub(crate) has_failed: bool,
    /// Whether it was told of since it failed: it may begin again.
    pub(crate) may_begin_again: bool,
}

impl Client {
    /// A client that has read up to this sequence.
    pub(crate) fn after(sequence: i64) -> Self {
        Self { sequence, from_start: sequence == 0, ..Self::default() }
    }

    /// Takes an event; panics if it breaks a promise.
    pub(crate) fn take(&mut self, event: &Value) {
        let kind = event["__typename"].as_str().unwrap();
        let sequence = event["sequence"].as_i64().unwrap();
        let is_live = ["ReplyDelta", "ReplyStageChanged", "ReplyReset", "CaughtUp"].contains(&kind);
        if !is_live {
            self.sequence += 1;
        }
        assert_eq!(sequence, self.sequence, "out of order: {event}");
        match kind {
            "CaughtUp" => {
                assert!(!self.caught_up, "caught up twice");
                self.caught_up = true;
            }
            "MessagesAdded" => self.add(event),
            "ReplyDelta" | "ReplyReset" | "ReplyStageChanged" => {
                assert!(self.caught_up, "news in the replay: {event}");
                let id = event["messageId"].as_str().unwrap();
                assert!(!self.from_start || self.known.contains_key(id), "too early: {event}");
                self.texts.entry(id.to_owned()).or_default().progress(event);
            }
            "ReplyFinished" | "ReplyFailed" => {
                let id = event["messageId"].as_str().unwrap();
                assert!(!self.from_start || self.known.contains_key(id), "too early: {event}");
                self.texts.entry(id.to_owned()).or_default().finish(event);
            }
            "MessageUpdated" => {
                let id = event["message"]["id"].as_str().unwrap();
                if let Some(text) = self.texts.get_mut(id) {
                    text.may_begin_again |= text.has_failed;
                }
            }
            "HeadMoved" | "MessagesDeleted" | "MessagesRestored" | "SessionUpdated"
            | "SessionDeleted" => {}
            other => panic!("unexpected: {other}"),
        }
    }

    fn add(&mut self, event: &Value) {
        for message in event["messages"].as_array().unwrap() {
            let parent = message["parentId"].as_str().map(ToOwned::to_owned);
            let is_known = parent.as_ref().is_none_or(|parent| self.known.contains_key(parent));
            assert!(!self.from_start || is_known, "a child before its parent: {event}");
            let id = message["id"].as_str().unwrap().to_owned();
            assert!(self.known.insert(id, parent).is_none(), "added twice: {event}");
        }
    }

    /// Whether every reply of which something was told has had its end.
    pub(crate) fn has_all_ends(&self) -> bool {
        self.texts.values().all(|text| text.end.is_some())
    }
}

impl Text {
    /// Takes an event of a running reply; panics if it breaks a promise.
    pub(crate) fn progress(&mut self, event: &Value) {
        self.begin_again();
        assert!(self.end.is_none(), "after the end: {event}");
        let attempt = event["attempt"].as_i64().unwrap();
        assert!(attempt >= self.attempt, "an attempt that is over: {event}");
        match event["__typename"].as_str().unwrap() {
            "ReplyReset" => {
                self.content = units(&event["content"]);
                self.thought = units(&event["thought"]);
            }
            "ReplyDelta" => {
                let text = match event["channel"].as_str().unwrap() {
                    "CONTENT" => &mut self.content,
                    _ => &mut self.thought,
                };
                let offset = usize::try_from(event["offset"].as_i64().unwrap()).unwrap();
                assert!(offset <= text.len(), "a gap: {event}");
                assert!(
                    attempt == self.attempt || self.attempt == 0 || text.is_empty(),
                    "a new attempt without a reset: {event}"
                );
                text.truncate(offset);
                text.extend(units(&event["text"]));
                self.deltas += 1;
            }
            _ => {}
        }
        self.attempt = attempt;
    }

    /// Takes the end; what was shown must be what is stored, or its beginning.
    pub(crate) fn finish(&mut self, event: &Value) {
        self.begin_again();
        assert!(self.end.is_none(), "ended twice: {event}");
        let message = &event["message"];
        let (content, thought) = (units(&message["content"]), units(&message["thought"]));
        // Whoever fell behind may hear of a new attempt only by its end.
        if event["attempt"] == self.attempt {
            assert!(content.starts_with(&self.content), "shown was not what is stored: {event}");
            assert!(thought.starts_with(&self.thought), "shown was not what is stored: {event}");
        }
        self.end = Some(message.clone());
        self.has_failed = event["__typename"] == "ReplyFailed";
    }

    /// A failed reply that is tried again comes anew, all of it.
    fn begin_again(&mut self) {
        if self.may_begin_again {
            *self = Self::default();
        }
    }

    /// The content as text.
    pub(crate) fn content(&self) -> String {
        String::from_utf16(&self.content).unwrap()
    }
}

pub(crate) fn units(text: &Value) -> Vec<u16> {
    text.as_str().unwrap_or_default().encode_utf16().collect()
}
