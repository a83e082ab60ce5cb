//! What a client is told: errors get codes, faults are masked, sizes are bounded.
//!
//! Every response of the executor passes through [`Answer::new`], whichever transport asked. An
//! error without a code is the client's fault if nothing was executed or if it came from reading
//! an argument; otherwise it is our fault, and its text goes to the log only.

use std::collections::BTreeMap;
use std::io;

use async_graphql::{PathSegment, Response, ServerError, Value};
use serde::Serialize;

use crate::error::{code, code_of, coded, limit_exceeded, set};
use crate::request_id::RequestId;

const MAX_ERRORS: usize = 20;
const MAX_ERROR_BYTES: usize = 128 * 1024;
const MAX_MESSAGE_CHARS: usize = 500;

/// A response that may be sent.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ServerError>,
    /// Absent for request errors: the specification tells clients to look at its presence.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, Value>,
}

impl Answer {
    /// Judges a response of the executor.
    pub(crate) fn new(response: Response, request_id: &RequestId, complexity: usize) -> Self {
        let was_executed = response.data != Value::Null
            || response.errors.is_empty()
            || response.errors.iter().any(|error| {
                // What was given up was executed, and knows no field to blame.
                !error.path.is_empty() || code_of(error) == Some(code::TIMEOUT)
            });
        let mut errors = response.errors;
        for error in &mut errors {
            if was_executed {
                judge_execution_error(error, request_id);
            } else {
                judge_request_error(error, complexity);
            }
        }
        Self {
            errors: bounded(errors),
            data: was_executed.then_some(response.data),
            extensions: response.extensions,
        }
    }

    /// A request that was refused before execution.
    pub(crate) fn refused(errors: Vec<ServerError>) -> Self {
        Self { errors: bounded(errors), data: None, extensions: BTreeMap::new() }
    }

    /// An execution that was given up; what it would have answered is not known.
    pub(crate) fn interrupted(error: ServerError) -> Self {
        Self { errors: vec![error], data: Some(Value::Null), extensions: BTreeMap::new() }
    }

    /// Refuses to send what would be longer than `allowed` bytes.
    pub(crate) fn within(self, allowed: usize) -> Self {
        match serde_json::to_writer(Measure { left: allowed }, &self) {
            Ok(()) => self,
            Err(_) => Self::interrupted(limit_exceeded("answer", allowed)),
        }
    }

    pub(crate) fn is_request_error(&self) -> bool {
        self.data.is_none()
    }

    pub(crate) fn has_no_data(&self) -> bool {
        matches!(self.data, None | Some(Value::Null))
    }

    pub(crate) fn errors(&self) -> &[ServerError] {
        &self.errors
    }

    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.errors.iter().any(|error| code_of(error) == Some(code))
    }

    pub(crate) fn to_json(&self) -> String {
        json(self)
    }
}

/// Takes so many bytes and keeps none, so that what is too long is never built.
struct Measure {
    left: usize,
}

impl io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what cannot fail to be written: our own types with string keys.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be serialised");
        r#"{"errors":[{"message":"internal error"}]}"#.to_owned()
    })
}

fn judge_request_error(error: &mut ServerError, complexity: usize) {
    if code_of(error).is_some() {
        return;
    }
    // The library has no codes; these texts are pinned by a test of ours.
    match error.message.as_str() {
        "Query is too complex." => *error = limit_exceeded("complexity", complexity),
        message if message.starts_with("The recursion depth of the query cannot be") => {
            *error = coded(code::LIMIT_EXCEEDED, "fragments are nested too deep", None);
            set(error, "limit", "depth");
        }
        message if message.starts_with("Invalid value for argument") => {
            set(error, "code", code::BAD_USER_INPUT);
        }
        _ => set(error, "code", code::VALIDATION_FAILED),
    }
}

fn judge_execution_error(error: &mut ServerError, request_id: &RequestId) {
    if code_of(error).is_some() {
        return;
    }
    if is_input_error(error) {
        set(error, "code", code::BAD_USER_INPUT);
        return;
    }
    tracing::error!(%request_id, path = path(error), error = error.message, "a resolver failed");
    mask(error, request_id);
}

fn mask(error: &mut ServerError, request_id: &RequestId) {
    let mut masked = internal_error(request_id);
    masked.locations = std::mem::take(&mut error.locations);
    masked.path = std::mem::take(&mut error.path);
    *error = masked;
}

/// A fault of ours; the request id finds its cause in the log.
pub(crate) fn internal_error(request_id: &RequestId) -> ServerError {
    let mut error = coded(code::INTERNAL, "internal error", None);
    set(&mut error, "requestId", request_id.to_string());
    error
}

/// Arguments are read during execution, so their errors look like a resolver's.
///
/// They differ by their text and by having no source, which `?` on a Rust error always sets.
fn is_input_error(error: &ServerError) -> bool {
    error.source.is_none()
        && ["Failed to parse \"", "Expected input type \""]
            .iter()
            .any(|start| error.message.starts_with(start))
}

fn path(error: &ServerError) -> String {
    let segments = error.path.iter().map(|segment| match segment {
        PathSegment::Field(name) => name.clone(),
        PathSegment::Index(index) => index.to_string(),
    });
    segments.collect::<Vec<_>>().join(".").chars().take(200).collect()
}

/// A document with a thousand mistakes is told about the first few.
fn bounded(errors: Vec<ServerError>) -> Vec<ServerError> {
    let mut left = MAX_ERROR_BYTES;
    let mut kept = Vec::with_capacity(errors.len().min(MAX_ERRORS));
    for mut error in errors.into_iter().take(MAX_ERRORS) {
        if let Some((end, _)) = error.message.char_indices().nth(MAX_MESSAGE_CHARS) {
            error.message.truncate(end);
            error.message.push('…');
        }
        let Some(rest) = left.checked_sub(json(&error).len()) else {
            // An error must stay, or the answer would look like a success.
            if kept.is_empty() {
                error.path.clear();
                kept.push(error);
            }
            break;
        };
        left = rest;
        kept.push(error);
    }
    kept
}
