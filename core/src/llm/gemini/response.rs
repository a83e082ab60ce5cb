//! What a model answers: from frames to chunks, and how a reply ends. Pure.
//!
//! Every field may be missing, every word may be new: answers are walked
//! through as plain JSON, and only what is there is taken.

use serde_json::Value;
use skald_base::config::Secret;

use super::{
    failure::{self, Setting},
    loose::{Loose, TooMuch},
};
use crate::llm::{Chunk, FinishReason, LlmError, LlmErrorKind, Usage, sse::Frame};

/// What is read of an answer. After an error or an end nothing more comes.
type Items = Vec<Result<Chunk, LlmError>>;

/// Reads one answer, frame by frame.
#[derive(Debug)]
pub(super) struct Reading {
    key: Secret,
    status: u16,
    date: Option<String>,
    /// What came outside of events.
    loose: Loose,
    heard: Heard,
    usage: Option<Usage>,
    ended: bool,
}

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    /// Nothing that says this is the right server.
    Nothing,
    /// A chunk that could be read.
    Chunk,
    /// Thoughts.
    Thought,
    /// Text of the story.
    Text,
}

impl Reading {
    pub(super) fn new(status: u16, date: Option<&str>, key: Secret) -> Self {
        Self {
            key,
            status,
            date: date.map(str::to_owned),
            loose: Loose::default(),
            heard: Heard::Nothing,
            usage: None,
            ended: false,
        }
    }

    /// Whether the end or an error has been read.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes a frame that came whole.
    pub(super) fn take(&mut self, frame: Frame) -> Items {
        let mut items = Items::new();
        match frame {
            Frame::Data(data) if data.trim().is_empty() || data.trim() == "[DONE]" => {}
            Frame::Data(data) => match serde_json::from_str(&data) {
                Ok(value) => self.value(&value, &mut items),
                Err(error) => self.fail(unreadable(&error), &mut items),
            },
            Frame::Stray(text) => self.loosen(&text, &mut items),
        }
        items
    }

    /// Takes what was left when the bytes ended: whole, or half of something.
    pub(super) fn finish(&mut self, frames: Vec<Frame>) -> Items {
        let mut items = Items::new();
        for frame in frames {
            match frame {
                Frame::Data(data) => match serde_json::from_str(&data) {
                    Ok(value) => self.value(&value, &mut items),
                    Err(error) if error.is_eof() || data.trim() == "[DONE]" => {}
                    Err(error) => self.fail(unreadable(&error), &mut items),
                },
                // The line end is not the server's: it may stand in half a word.
                Frame::Stray(text) => self.loosen(text.trim_end(), &mut items),
            }
        }
        let noise = self.loose.noise().to_owned();
        let begins_event = "data:".starts_with(noise.trim());
        if self.heard == Heard::Nothing && !begins_event {
            self.fail(failure::of_page(&noise, self.setting()), &mut items);
        }
        self.fail(LlmErrorKind::Cut.into(), &mut items);
        items
    }

    /// The end of an answer that will not be read any further.
    pub(super) fn break_off(&mut self, error: LlmError) -> Items {
        let mut items = Items::new();
        self.fail(error, &mut items);
        items
    }

    /// The end of an answer with an event longer than any.
    pub(super) fn too_long(&mut self) -> Items {
        self.break_off(LlmError::new(LlmErrorKind::Protocol).detail("an event never ends"))
    }

    /// Takes text that stands outside of events: chunks all the same, or a page.
    fn loosen(&mut self, text: &str, items: &mut Items) {
        match self.loose.push(text) {
            Ok(values) => values.iter().for_each(|value| self.value(value, items)),
            Err(TooMuch) => items.append(&mut self.too_long()),
        }
    }

    fn value(&mut self, value: &Value, items: &mut Items) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.value(value, items)),
            Value::Object(_) => self.chunk(value, items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                let error = LlmError::new(LlmErrorKind::Protocol);
                self.fail(error.detail("a chunk is no JSON object"), items);
            }
        }
    }

    fn chunk(&mut self, chunk: &Value, items: &mut Items) {
        if self.ended {
            return;
        }
        if let Some(error) = failure::find_error(chunk) {
            return self.fail(failure::of_error(error, self.setting()), items);
        }
        self.heard = self.heard.max(Heard::Chunk);
        let candidate = chunk.get("candidates").and_then(|candidates| candidates.get(0));
        for part in parts(candidate) {
            self.part(part, items);
        }
        if let Some(usage) = chunk.get("usageMetadata").filter(|usage| usage.is_object()) {
            let usage = usage_of(usage);
            if self.usage.replace(usage) != Some(usage) {
                items.push(Ok(Chunk::Usage(usage)));
            }
        }
        if let Some(reason) = chunk.get("promptFeedback").and_then(|it| word(it, "blockReason")) {
            let message = chunk.get("promptFeedback").and_then(|it| word(it, "blockReasonMessage"));
            return self.fail(blocked(reason, message, None), items);
        }
        let candidate = candidate.unwrap_or(&Value::Null);
        if let Some(reason) = word(candidate, "finishReason") {
            match self.ending(reason, candidate) {
                Ok(reason) => {
                    self.ended = true;
                    items.push(Ok(Chunk::Finished { reason, usage: self.usage }));
                }
                Err(error) => self.fail(error, items),
            }
        }
    }

    fn part(&mut self, part: &Value, items: &mut Items) {
        let text = part.get("text").and_then(Value::as_str).unwrap_or_default().to_owned();
        if text.is_empty() {
            return;
        }
        if part.get("thought").and_then(Value::as_bool).unwrap_or_default() {
            self.heard = self.heard.max(Heard::Thought);
            items.push(Ok(Chunk::Thought(text)));
        } else {
            self.heard = Heard::Text;
            items.push(Ok(Chunk::Content(text)));
        }
    }

    /// How a candidate that gives a reason ends.
    fn ending(&self, reason: &str, candidate: &Value) -> Result<FinishReason, LlmError> {
        let message = word(candidate, "finishMessage");
        let wrote = self.heard == Heard::Text;
        match reason {
            "STOP" if wrote => Ok(FinishReason::Stop),
            "STOP" => Err(self.empty("")),
            "MAX_TOKENS" if wrote => Ok(FinishReason::Length),
            "MAX_TOKENS" => Err(self.empty("the limit of output tokens came first")),
            "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" => {
                Err(blocked(reason, message, candidate.get("safetyRatings")))
            }
            _ if reason.starts_with("IMAGE_") => Err(blocked(reason, message, None)),
            "OTHER" | "MALFORMED_FUNCTION_CALL" | "MALFORMED_RESPONSE" | "UNEXPECTED_TOOL_CALL"
                if wrote =>
            {
                Err(LlmError::new(LlmErrorKind::Cut).detail(worded(reason, message)))
            }
            _ if wrote => Ok(FinishReason::Stop),
            _ => Err(self.empty(&worded(reason, message))),
        }
    }

    fn empty(&self, why: &str) -> LlmError {
        let thought =
            self.heard == Heard::Thought || self.usage.is_some_and(|usage| usage.thought > 0);
        LlmError::new(LlmErrorKind::Empty).detail(match (thought, why) {
            (true, "") => "the model only thought".to_owned(),
            (true, why) => format!("thinking used the whole allowance: {why}"),
            (false, why) => why.to_owned(),
        })
    }

    fn fail(&mut self, error: LlmError, items: &mut Items) {
        if !self.ended {
            self.ended = true;
            items.push(Err(error.without(self.key.expose())));
        }
    }

    fn setting(&self) -> Setting<'_> {
        Setting { status: self.status, date: self.date.as_deref(), key: self.key.expose() }
    }
}

fn unreadable(error: &serde_json::Error) -> LlmError {
    // The error of the parser names a place, never the text that stands there.
    LlmError::new(LlmErrorKind::Protocol).detail(format!("a chunk is no JSON: {error}"))
}

fn blocked(reason: &str, message: Option<&str>, ratings: Option<&Value>) -> LlmError {
    let ratings = ratings.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_cause = |rating: &&Value| rating.get("blocked").and_then(Value::as_bool) == Some(true);
    let causes = ratings.iter().filter(is_cause).filter_map(|rating| word(rating, "category"));
    let mut detail = worded(reason, message);
    for cause in causes {
        detail.push_str(", ");
        detail.push_str(cause.strip_prefix("HARM_CATEGORY_").unwrap_or(cause));
    }
    LlmError::new(LlmErrorKind::Blocked).detail(detail)
}

fn worded(reason: &str, message: Option<&str>) -> String {
    message.map_or_else(|| reason.to_owned(), |message| format!("{reason}: {message}"))
}

fn parts(candidate: Option<&Value>) -> &[Value] {
    let parts = candidate.and_then(|candidate| candidate.pointer("/content/parts"));
    parts.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A text that says something; enums say nothing with their zeroth word.
fn word<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    let word = value.get(field)?.as_str()?;
    (!word.is_empty() && !word.ends_with("_REASON_UNSPECIFIED")).then_some(word)
}

/// Counts are cumulative: the last ones hold, and what is missing is nothing so far.
fn usage_of(usage: &Value) -> Usage {
    let tokens = |field: &str| tokens(usage.get(field)).unwrap_or_default();
    Usage {
        prompt: tokens("promptTokenCount"),
        cached: tokens("cachedContentTokenCount"),
        output: tokens("candidatesTokenCount"),
        thought: tokens("thoughtsTokenCount"),
    }
}

/// A count of tokens, if there is one. Numbers of 64 bits may come as text.
pub(super) fn tokens(value: Option<&Value>) -> Option<u32> {
    let value = value?;
    let text = value.as_str().map(str::to_owned);
    let text = text.or_else(|| value.as_f64().map(|number| format!("{:.0}", number.max(0.0))))?;
    let number: u64 = text.parse().ok()?;
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}
