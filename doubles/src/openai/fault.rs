//! What can go wrong with compatible servers, one switch each.

#![expect(clippy::wildcard_enum_match_arm, reason = "each step looks at its own faults only")]

use serde_json::{Value, json};

use super::answer::Frame;
use super::error;
use super::profile::Overflow;
use crate::call::Call;
use crate::reply::{Piece, Reply};
use crate::speech::Speech;

/// What goes wrong, or is unusual but allowed, in one answer.
///
/// `after` and numbers without a name count the pieces of the stream that come before:
/// events and comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    // Errors instead of an answer.
    /// 401 in the documented shape.
    BadKey,
    /// 401, and the error is a string.
    StringError,
    /// 422, and the error is a list in `detail`, as of FastAPI.
    DetailError,
    /// 400, and the error is the whole document, as of an old vLLM.
    TopLevelError,
    /// 400 if the request has any `response_format`.
    NoResponseFormat,
    /// 400: the system message cannot be written; see also [`Template`](crate::Template).
    NoSystemRole,
    /// 400: the roles must alternate.
    MustAlternate,
    /// 400: the prompt is too long, in the words of one server.
    ContextOverflow(Overflow),
    /// 402: nothing left to pay with.
    NoCredits,
    /// 403: the prompt was flagged.
    Moderated,
    /// 404: no such model.
    ModelGone,
    /// 408.
    TimedOut,
    /// 429 with `Retry-After` in seconds.
    RateLimited(u32),
    /// 429 that waiting does not help.
    InsufficientQuota,
    /// 500.
    Internal,
    /// 502 from something before the server, as a page.
    BadGateway,
    /// 503 while the model is being loaded.
    Loading,

    // Endings.
    /// A filter ends the text after so many chunks of it.
    ContentFilter(usize),
    /// The limit of tokens ends the text after so many chunks of it.
    Length(usize),
    /// A right answer without any text.
    EmptyText,
    /// The stream just ends: no reason, no `[DONE]`.
    NoFinishReason,
    /// A reason nobody has heard of.
    UnknownFinishReason,
    /// One empty delta and the end: an error of Ollama that its own wire cannot say.
    EmptyDeltaThenEnd,

    // Unusual, but seen.
    /// More events and bytes follow `[DONE]`.
    BytesAfterDone,
    /// No `[DONE]`.
    NoDone,
    /// Chunks with empty `choices` before and between the text.
    EmptyChoices,
    /// `content` is null, or missing, in some deltas.
    NullContent,
    /// A comment between any two events.
    Pings,
    /// One JSON document, although a stream was asked for.
    JsonInsteadOfStream,

    // Errors and silence inside an answer.
    /// `data: {"error": …}` and nothing more.
    ErrorEvent(usize),
    /// `data: {"error": …}`, then `data: [DONE]`.
    ErrorThenDone(usize),
    /// `event: error` with the error as its data.
    NamedErrorEvent(usize),
    /// A chunk with an error beside `choices`, whose reason is `error`.
    FinishError(usize),
    /// Not even a status line.
    SilentBeforeHeaders,
    /// A status line and no more.
    SilentAfterHeaders,
    /// Nothing more after some pieces.
    SilentAfter(usize),
}

impl Fault {
    /// What is answered without looking at the request.
    pub(crate) fn instead(&self, call: &Call) -> Option<Reply> {
        let simple = |status: u16, message: &str, kind: &str| {
            Reply::json(status, &error::body(message, kind, &json!(status)))
        };
        Some(match self {
            Self::BadKey => error::bad_key(),
            Self::StringError => Reply::json(401, &json!({ "error": "Unauthorized" })),
            Self::DetailError => Reply::json(
                422,
                &json!({ "detail": [{
                    "loc": ["body", "messages"],
                    "msg": "field required",
                    "type": "value_error.missing",
                }] }),
            ),
            Self::TopLevelError => Reply::json(
                400,
                &json!({
                    "object": "error",
                    "message": "The request cannot be served.",
                    "type": "BadRequestError",
                    "param": null,
                    "code": 400,
                }),
            ),
            Self::NoResponseFormat if !call.json["response_format"].is_null() => {
                error::invalid("This server does not support response_format.")
            }
            Self::NoSystemRole => error::invalid("System role not supported"),
            Self::MustAlternate => error::invalid(
                "Conversation roles must alternate user/assistant/user/assistant/...",
            ),
            Self::ContextOverflow(overflow) => error::overflow(*overflow, 9001, 8192),
            Self::NoCredits => simple(402, "Insufficient credits", "payment_required"),
            Self::Moderated => Reply::json(
                403,
                &json!({ "error": {
                    "code": 403,
                    "message": "Your input was flagged.",
                    "metadata": { "reasons": ["violence"], "flagged_input": "…" },
                } }),
            ),
            Self::ModelGone => error::no_such_model("gone"),
            Self::TimedOut => simple(408, "Request timed out", "timeout"),
            Self::RateLimited(seconds) => simple(429, "Rate limit reached", "rate_limit_error")
                .with_header("retry-after", seconds.to_string()),
            Self::InsufficientQuota => Reply::json(
                429,
                &error::body(
                    "You exceeded your current quota, please check your plan and billing details.",
                    "insufficient_quota",
                    &json!("insufficient_quota"),
                ),
            ),
            Self::Internal => simple(500, "Internal server error", "server_error"),
            Self::BadGateway => Reply::html(502, "Bad Gateway"),
            Self::Loading => simple(503, "Loading model", "unavailable_error"),
            Self::SilentBeforeHeaders => Reply::silence(),
            _ => return None,
        })
    }

    /// Changes what is said; the reason of the end, if it is another.
    pub(crate) fn speech(&self, speech: &mut Speech) -> Option<&'static str> {
        match self {
            Self::ContentFilter(after) => {
                speech.text.truncate(*after);
                Some("content_filter")
            }
            Self::Length(after) => {
                speech.text.truncate(*after);
                Some("length")
            }
            Self::EmptyText => {
                speech.text.clear();
                None
            }
            Self::UnknownFinishReason => Some("dragons"),
            _ => None,
        }
    }

    /// Changes the chunks of a stream.
    pub(crate) fn shape(&self, events: &mut Vec<Value>, frame: &Frame) {
        match self {
            Self::NoFinishReason => {
                for event in events.iter_mut() {
                    if !event["choices"][0].is_null() {
                        event["choices"][0]["finish_reason"] = Value::Null;
                    }
                }
                events.retain(|event| event["usage"].is_null());
            }
            Self::EmptyDeltaThenEnd => *events = vec![frame.delta(json!({ "content": "" }), None)],
            Self::EmptyChoices => {
                let empty = frame.chunk(&json!([]));
                events.insert(events.len().min(2), empty.clone());
                events.insert(0, empty);
            }
            Self::NullContent => {
                let place = events.len().min(1);
                events.insert(place, frame.delta(json!({ "content": null }), None));
                events.insert(place, frame.delta(json!({}), None));
            }
            _ => {}
        }
    }

    /// Changes the bytes of a stream.
    pub(crate) fn damage(&self, mut reply: Reply) -> Reply {
        let error = error::body("The engine has stopped.", "server_error", &json!(500));
        let lines = match self {
            Self::NoDone | Self::NoFinishReason | Self::EmptyDeltaThenEnd => {
                reply.body.pop();
                return reply;
            }
            Self::BytesAfterDone => {
                reply.body.push(Piece::bytes("\n\ndata: {\"choices\":[]}\n\nbye\n"));
                return reply;
            }
            Self::Pings => {
                let ping = || Piece::bytes(": ping\n\n");
                reply.body = reply.body.into_iter().flat_map(|piece| [ping(), piece]).collect();
                return reply;
            }
            Self::SilentAfterHeaders => return reply.silent_after(0),
            Self::SilentAfter(after) => return reply.silent_after(*after),
            Self::ErrorEvent(after) => (after, format!("data: {error}\n\n")),
            Self::ErrorThenDone(after) => (after, format!("data: {error}\n\ndata: [DONE]\n\n")),
            Self::NamedErrorEvent(after) => (after, format!("event: error\ndata: {error}\n\n")),
            Self::FinishError(after) => {
                let chunk = json!({
                    "id": "gen-0",
                    "object": "chat.completion.chunk",
                    "error": { "code": "server_error", "message": "Provider disconnected" },
                    "choices": [{ "index": 0, "delta": { "content": "" }, "finish_reason": "error" }],
                });
                (after, format!("data: {chunk}\n\n"))
            }
            _ => return reply,
        };
        let (after, text) = lines;
        reply.body.truncate(*after);
        reply.body.push(Piece::bytes(text));
        reply
    }
}
