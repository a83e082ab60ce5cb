//! What can go wrong with the Gemini API, one switch each.

#![expect(clippy::wildcard_enum_match_arm, reason = "each step looks at its own faults only")]

use serde_json::{Value, json};

use super::answer::{self, Event};
use super::error;
use crate::call::Call;
use crate::reply::{Piece, Reply};

/// Stands where a real server puts an opaque signature.
const SIGNATURE: &str = "ZG91YmxlLXNpZ25hdHVyZQ==";

/// What goes wrong, or is unusual but allowed, in one answer.
///
/// `after` counts the chunks that come before.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    // Unusual, but right.
    /// Thoughts come first, in parts of their own, though nobody asked for them.
    ThoughtsThenText,
    /// All thoughts and all text are parts of one chunk.
    PartsInOneChunk,
    /// The end comes with the last text, not in a chunk of its own.
    FinishOnText,
    /// The last chunk has nothing but a signature.
    LastChunkSignature,
    /// The last chunk has no content.
    LastChunkWithoutContent,

    // Endings.
    /// The stream ends in order, but no chunk has a reason.
    NoFinishReason,
    /// The prompt is blocked for this reason: no candidates.
    PromptBlocked(&'static str),
    /// Some chunks of text, then an end with this reason and without content.
    EndsWith {
        /// `SAFETY`, `RECITATION`, `PROHIBITED_CONTENT`, or a word nobody has heard of.
        reason: &'static str,
        /// Chunks of text before it.
        after: usize,
    },
    /// The limit of tokens comes while the model still thinks.
    MaxTokensInThoughts,
    /// The limit of tokens comes after some chunks of text.
    MaxTokensAfter(usize),
    /// All is well, but nothing is said.
    EmptyText,
    /// Nothing but thoughts, then a regular end.
    ThoughtsOnly,
    /// A call of a function that cannot be read.
    MalformedFunctionCall,

    // Errors instead of an answer.
    /// 400: this key is no key.
    BadKey,
    /// 403: the key was found in public.
    LeakedKey,
    /// 400: not in this country.
    WrongRegion,
    /// 404: this model is gone.
    ModelGone,
    /// 429 until the minute is over; the delay in seconds.
    QuotaPerMinute(f64),
    /// 429 until the day is over, although the delay is as short.
    QuotaPerDay(f64),
    /// 429 for ever: this tier has nothing of this model.
    QuotaZero,
    /// 500.
    Internal,
    /// 503: too many players.
    Overloaded,
    /// 504.
    DeadlineExceeded,
    /// 429, and the error is in an array.
    ArrayWrapped,
    /// 502 from something before the server, as a page.
    BadGateway,
    /// 400 if the request has `temperature`, `topP` or `topK`.
    SamplersRejected,

    // Errors and silence inside an answer.
    /// `data: {"error": …}` after some chunks.
    ErrorEvent(usize),
    /// A printed error without `data:` after some chunks.
    ErrorLines(usize),
    /// The stream is a JSON array, although events were asked for.
    JsonArray,
    /// Not even a status line.
    SilentBeforeHeaders,
    /// A status line and no more.
    SilentAfterHeaders,
    /// Nothing more after some chunks.
    SilentAfter(usize),
}

impl Fault {
    /// What is answered without looking at the request.
    pub(crate) fn instead(&self, call: &Call) -> Option<Reply> {
        let model = call.path.rsplit('/').next().and_then(|id| id.split(':').next());
        let model = model.unwrap_or_default();
        let refusal = match self {
            Self::BadKey => error::bad_key(),
            Self::LeakedKey => error::leaked_key(),
            Self::WrongRegion => error::wrong_region(),
            Self::ModelGone => error::no_such_model(model, "generateContent"),
            Self::QuotaPerMinute(delay) => error::quota(model, "PerMinute", 5, *delay),
            Self::QuotaPerDay(delay) => error::quota(model, "PerDay", 20, *delay),
            Self::QuotaZero => error::quota(model, "PerDay", 0, 37.5),
            Self::Internal => error::internal(),
            Self::Overloaded => error::overloaded(),
            Self::DeadlineExceeded => error::too_slow(),
            Self::ArrayWrapped => return Some(error::quota(model, "PerMinute", 5, 7.0).in_array()),
            Self::BadGateway => return Some(Reply::html(502, "Bad Gateway")),
            Self::SilentBeforeHeaders => return Some(Reply::silence()),
            Self::SamplersRejected if has_samplers(&call.json) => {
                error::invalid("Sampling parameters are not supported for this model.")
            }
            _ => return None,
        };
        Some(refusal.reply())
    }

    pub(crate) fn needs_thoughts(&self) -> bool {
        matches!(
            self,
            Self::ThoughtsThenText
                | Self::PartsInOneChunk
                | Self::MaxTokensInThoughts
                | Self::ThoughtsOnly
        )
    }

    /// Changes the chunks of a right answer; the last one is its end.
    pub(crate) fn shape(&self, events: &mut Vec<Event>) {
        let Some(end) = events.pop() else { return };
        let finish = end.finish.clone().unwrap_or_default();
        let text = |text: &str| vec![json!({ "text": text })];
        match self {
            Self::PartsInOneChunk => {
                let parts = events.drain(..).flat_map(|event| event.parts).collect();
                events.push(end.ending(joined(parts), &finish));
            }
            Self::FinishOnText => match events.last_mut() {
                Some(last) => last.finish = Some(finish),
                None => events.push(end),
            },
            Self::LastChunkSignature => {
                let parts = vec![json!({ "text": "", "thoughtSignature": SIGNATURE })];
                events.push(end.ending(parts, &finish));
            }
            Self::LastChunkWithoutContent => events.push(end.ending(Vec::new(), &finish)),
            Self::NoFinishReason => {}
            Self::EndsWith { reason, after } => end_after(events, *after, Vec::new(), reason),
            Self::MaxTokensAfter(after) => end_after(events, *after, text(""), "MAX_TOKENS"),
            Self::MaxTokensInThoughts => only_thoughts(events, &end, "MAX_TOKENS"),
            Self::ThoughtsOnly => only_thoughts(events, &end, "STOP"),
            Self::EmptyText => end_after(events, 0, text(""), "STOP"),
            Self::MalformedFunctionCall => {
                end_after(events, 0, Vec::new(), "MALFORMED_FUNCTION_CALL");
            }
            _ => events.push(end),
        }
    }

    /// Changes the bytes of an answer.
    pub(crate) fn damage(&self, mut reply: Reply, call: &Call) -> Reply {
        let error = error::overloaded();
        match self {
            Self::ErrorEvent(after) => {
                reply.body.truncate(*after);
                reply.body.push(Piece::bytes(format!("data: {}\r\n\r\n", error.body())));
            }
            Self::ErrorLines(after) => {
                reply.body.truncate(*after);
                let lines = format!("{:#}\n", error.body()).replace('\n', "\r\n");
                reply.body.push(Piece::bytes(lines));
            }
            Self::JsonArray if call.path.ends_with(":streamGenerateContent") => {
                return answer::array(&events_of(&reply));
            }
            Self::SilentAfterHeaders => return reply.silent_after(0),
            Self::SilentAfter(after) => return reply.silent_after(*after),
            _ => {}
        }
        reply
    }
}

/// The values in a stream of events.
fn events_of(reply: &Reply) -> Vec<Value> {
    let bytes = reply.body.iter().filter_map(|piece| match piece {
        Piece::Bytes(bytes) => Some(bytes),
        Piece::Flush | Piece::Pause(_) | Piece::Wait(_) | Piece::Silence | Piece::Cut => None,
    });
    let json = bytes.filter_map(|bytes| bytes.strip_prefix(b"data: "));
    json.filter_map(|json| serde_json::from_slice(json).ok()).collect()
}

fn has_samplers(request: &Value) -> bool {
    let config = &request["generationConfig"];
    ["temperature", "topP", "topK"].iter().any(|name| !config[*name].is_null())
}

/// Keeps some chunks, and ends with what was counted until then.
fn end_after(events: &mut Vec<Event>, after: usize, parts: Vec<Value>, reason: &str) {
    events.truncate(after);
    let so_far = events.last().cloned().unwrap_or_default();
    events.push(so_far.ending(parts, reason));
}

fn only_thoughts(events: &mut Vec<Event>, end: &Event, reason: &str) {
    events.retain(|event| event.text_tokens == 0);
    let end = Event { text_tokens: 0, ..end.clone() };
    events.push(end.ending(Vec::new(), reason));
}

/// Neighbours of one kind become one part.
fn joined(parts: Vec<Value>) -> Vec<Value> {
    let mut joined: Vec<Value> = Vec::new();
    for part in parts {
        match joined.last_mut().filter(|last| last["thought"] == part["thought"]) {
            Some(last) => {
                let (before, more) = (last["text"].as_str(), part["text"].as_str());
                let both = format!("{}{}", before.unwrap_or_default(), more.unwrap_or_default());
                last["text"] = json!(both);
            }
            None => joined.push(part),
        }
    }
    joined
}
