//! What a chat completion says, chunk by chunk or in one piece. Pure.
//!
//! A reply has succeeded when it gave a reason for its end and no error; `[DONE]`
//! proves nothing. Every field may be missing.

use serde_json::Value;
use skald_base::config::Secret;

use super::failure::{Failure, error_of};
use crate::llm::{
    Chunk, FinishReason, LlmError, LlmErrorKind, Usage,
    sse::Frame,
    think::{Piece, ThinkSplitter},
};

/// A reply that is being read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Cut out of what a server says of an error.
    key: Option<Secret>,
    splitter: ThinkSplitter,
    usage: Option<Usage>,
    /// Why the model stopped, in the server's words.
    reason: Option<String>,
    /// What the model said instead of an answer.
    refusal: String,
    wrote: bool,
    thought: bool,
    done: bool,
}

impl Reading {
    pub(super) fn new(key: Option<Secret>) -> Self {
        Self { key, ..Self::default() }
    }

    /// Whether the model has said why it stopped: only its usage may follow.
    pub(super) fn is_ending(&self) -> bool {
        self.reason.is_some()
    }

    /// Whether nothing more is to be read.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether the model thought.
    pub(super) fn thought(&self) -> bool {
        self.thought
    }

    /// Takes a frame; what it adds to the reply.
    pub(super) fn take(&mut self, frame: &Frame) -> Result<Vec<Chunk>, LlmError> {
        let text = match frame {
            _ if self.done => return Ok(Vec::new()),
            Frame::Data(data) if data.trim() == "[DONE]" => {
                self.done = true;
                return Ok(Vec::new());
            }
            Frame::Data(text) | Frame::Stray(text) => text,
        };
        match serde_json::from_str(text) {
            Ok(value) => self.take_value(&value, text),
            // After the reason nothing can be missed but the usage.
            Err(_) if self.is_ending() => Ok(Vec::new()),
            Err(_) => Err(self.unreadable(text)),
        }
    }

    /// Takes what the server did not complete before it went away.
    pub(super) fn take_last(&mut self, frame: &Frame) -> Result<Vec<Chunk>, LlmError> {
        let (Frame::Data(text) | Frame::Stray(text)) = frame;
        let text = text.trim_end();
        let half = serde_json::from_str::<Value>(text).is_err_and(|error| error.is_eof());
        let begins = |whole: &str| whole.starts_with(text) && whole != text;
        let torn = match frame {
            Frame::Data(_) => begins("[DONE]"),
            // A field that lost its value and part of its name.
            Frame::Stray(_) => ["data:", "event:", "retry:", "id:"].into_iter().any(begins),
        };
        if half || torn { Ok(Vec::new()) } else { self.take(frame) }
    }

    /// The reply is over: what was held back, and how it ended.
    pub(super) fn end(mut self) -> (Vec<Chunk>, Result<Chunk, LlmError>) {
        let mut chunks = Vec::new();
        if let Some(piece) = std::mem::take(&mut self.splitter).finish() {
            self.let_out(piece, &mut chunks);
        }
        let reason = self.finish_reason();
        (chunks, reason.map(|reason| Chunk::Finished { reason, usage: self.usage }))
    }

    fn finish_reason(&self) -> Result<FinishReason, LlmError> {
        let empty = |why: &str| Err(LlmError::new(LlmErrorKind::Empty).detail(why));
        let Some(reason) = &self.reason else {
            let why = if self.wrote || self.thought {
                "the stream ended without a reason"
            } else {
                "the server ended the stream before a word; its log may say why"
            };
            return Err(LlmError::new(LlmErrorKind::Cut).detail(why));
        };
        match reason.as_str() {
            "content_filter" => {
                Err(LlmError::new(LlmErrorKind::Blocked).detail("the provider's filter ended it"))
            }
            "error" | "load" | "insufficient_system_resource" => {
                Err(LlmError::new(LlmErrorKind::Overloaded).detail(reason))
            }
            "abort" | "cancelled" => Err(LlmError::new(LlmErrorKind::Cut).detail(reason)),
            "length" | "max_tokens" if self.wrote => Ok(FinishReason::Length),
            "length" | "max_tokens" if self.thought => {
                empty("the limit of tokens was reached while thinking")
            }
            "length" | "max_tokens" => empty("the limit of tokens was reached before a word"),
            _ if self.wrote => Ok(FinishReason::Stop),
            _ if !self.refusal.is_empty() => {
                Err(LlmError::new(LlmErrorKind::Blocked).detail(&self.refusal))
            }
            _ if self.thought => empty("the model thought and said nothing"),
            other => empty(&format!("the model said nothing and stopped with {other:?}")),
        }
    }

    fn take_value(&mut self, value: &Value, text: &str) -> Result<Vec<Chunk>, LlmError> {
        if error_of(value).is_some() {
            return Err(self.failed(text));
        }
        if !value.is_object() {
            return Err(self.unreadable(text));
        }
        let mut chunks = Vec::new();
        if let Some(choice) = value.get("choices").and_then(first_choice) {
            if error_of(choice).is_some() {
                return Err(self.failed(&choice.to_string()));
            }
            self.take_choice(choice, &mut chunks);
        }
        if let Some(usage) = usage(value) {
            self.usage = Some(usage);
            chunks.push(Chunk::Usage(usage));
        }
        Ok(chunks)
    }

    fn take_choice(&mut self, choice: &Value, chunks: &mut Vec<Chunk>) {
        // A whole answer has a message where a stream has deltas.
        let delta = choice.get("delta").or_else(|| choice.get("message")).unwrap_or(&Value::Null);
        let thoughts = thoughts(delta);
        if !thoughts.is_empty() {
            self.let_out(Piece::Thought(thoughts), chunks);
        }
        let content = delta.get("content").map(text_of).unwrap_or_default();
        for piece in self.splitter.push(&content) {
            self.let_out(piece, chunks);
        }
        if let Some(refusal) = delta.get("refusal").and_then(Value::as_str) {
            self.refusal.push_str(refusal);
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str)
            && !reason.is_empty()
        {
            self.reason = Some(reason.to_owned());
        }
    }

    fn let_out(&mut self, piece: Piece, chunks: &mut Vec<Chunk>) {
        match piece {
            Piece::Content(text) => {
                self.wrote = true;
                chunks.push(Chunk::Content(text));
            }
            Piece::Thought(text) => {
                self.thought = true;
                chunks.push(Chunk::Thought(text));
            }
        }
    }

    fn failed(&self, text: &str) -> LlmError {
        Failure::read(200, text, self.key.as_ref().map(Secret::expose)).error()
    }

    fn unreadable(&self, text: &str) -> LlmError {
        let mut error = self.failed(text);
        error.kind = LlmErrorKind::Protocol;
        error
    }
}

/// The choice that is read: the first one, by its index if it has one.
fn first_choice(choices: &Value) -> Option<&Value> {
    choices.as_array()?.iter().find(|choice| choice.get("index").is_none_or(|index| index == 0))
}

/// The thoughts of a delta, under whichever of their names.
fn thoughts(delta: &Value) -> String {
    let plain = ["reasoning_content", "reasoning"]
        .into_iter()
        .filter_map(|name| delta.get(name).map(text_of))
        .find(|text| !text.is_empty());
    plain.unwrap_or_else(|| delta.get("reasoning_details").map(text_of).unwrap_or_default())
}

/// A text, or the texts of a list of parts.
fn text_of(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let parts = value.as_array().into_iter().flatten();
    parts
        .filter_map(|part| part.get("text").or_else(|| part.get("summary")).and_then(Value::as_str))
        .collect()
}

/// The usage of a chunk or answer, if it tells it.
fn usage(value: &Value) -> Option<Usage> {
    let timings = value.get("timings");
    let remembered = timings.and_then(|timings| number(timings, "/cache_n"));
    if let Some(usage) = value.get("usage").filter(|usage| usage.is_object()) {
        let completion = number(usage, "/completion_tokens").unwrap_or(0);
        let thought = number(usage, "/completion_tokens_details/reasoning_tokens").unwrap_or(0);
        let prompt = number(usage, "/prompt_tokens").unwrap_or(0);
        let cached = number(usage, "/prompt_tokens_details/cached_tokens");
        return Some(Usage {
            prompt,
            cached: cached.or(remembered).unwrap_or(0).min(prompt),
            // Some count thoughts apart.
            output: completion.checked_sub(thought).unwrap_or(completion),
            thought,
        });
    }
    // What llama.cpp measured stands on its last chunk even if usage was not asked for.
    let timings = timings?;
    let (read, output) = (number(timings, "/prompt_n")?, number(timings, "/predicted_n")?);
    let cached = remembered.unwrap_or(0);
    Some(Usage { prompt: read.saturating_add(cached), cached, output, thought: 0 })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates, and no call has four billion tokens"
)]
fn number(value: &Value, path: &str) -> Option<u32> {
    let value = value.pointer(path)?;
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    Some(number as u32)
}
