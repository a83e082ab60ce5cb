//! The errors the transport itself answers with, and their codes.
//!
//! Clients localise by `extensions.code`; the message is for developers.

use std::time::Duration;

use async_graphql::{ErrorExtensionValues, Pos, ServerError, Value};
use http::StatusCode;

/// The values of `extensions.code`.
pub(crate) mod code {
    pub(crate) const BAD_REQUEST: &str = "BAD_REQUEST";
    pub(crate) const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
    pub(crate) const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
    pub(crate) const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
    pub(crate) const UNAUTHENTICATED: &str = "UNAUTHENTICATED";
    pub(crate) const FORBIDDEN: &str = "FORBIDDEN";
    pub(crate) const LIMIT_EXCEEDED: &str = "LIMIT_EXCEEDED";
    pub(crate) const TIMEOUT: &str = "TIMEOUT";
    pub(crate) const INTERNAL: &str = "INTERNAL_SERVER_ERROR";
    /// Asks the client to come again, so that it is not taken for a fault.
    pub(crate) const UNAVAILABLE: &str = "RATE_LIMITED";
}

/// An error with a code, at a place of the document if it has one.
pub(crate) fn coded(
    code: &'static str,
    message: impl Into<String>,
    pos: Option<Pos>,
) -> ServerError {
    let mut error = ServerError::new(message, pos);
    set(&mut error, "code", code);
    error
}

/// The refusal of a request that is larger than `limit` allows.
pub(crate) fn limit_exceeded(limit: &'static str, allowed: usize) -> ServerError {
    let mut error = coded(code::LIMIT_EXCEEDED, format!("{limit} exceeds {allowed}"), None);
    set(&mut error, "limit", limit);
    set(&mut error, "allowed", allowed);
    error
}

/// An execution that was given up after `allowed`.
pub(crate) fn timed_out(allowed: Duration) -> ServerError {
    let message = format!("the operation took longer than {} ms", allowed.as_millis());
    coded(code::TIMEOUT, message, None)
}

pub(crate) fn set(error: &mut ServerError, key: &str, value: impl Into<Value>) {
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set(key, value);
}

pub(crate) fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        Value::Null
        | Value::Number(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_)
        | Value::List(_)
        | Value::Object(_) => None,
    }
}

/// A request that is refused before execution, with the status it has over HTTP.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) errors: Vec<ServerError>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, error: ServerError) -> Self {
        Self { status, errors: vec![error] }
    }

    /// A request that is not well-formed, whichever media type was asked for.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, coded(code::BAD_REQUEST, message, None))
    }
}
