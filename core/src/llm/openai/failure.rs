//! What servers say when they do not write, and what it means. Pure.
//!
//! The shapes differ: an object, a string, `detail`, an error wrapped in an
//! error, a page of HTML. The words are looked at only where the status and the
//! code do not say enough.

use std::time::Duration;

use chrono::DateTime;
use serde_json::Value;

use crate::llm::{LlmError, LlmErrorKind};

/// A server's error, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// The HTTP status, or the one that the error names.
    pub(super) status: u16,
    /// `code` and `type`, whatever stands there.
    pub(super) codes: Vec<String>,
    /// The field that is to blame.
    pub(super) param: Option<String>,
    /// What it says, with all that it wraps.
    pub(super) message: String,
    /// How many tokens the prompt has, and how many there may be.
    tokens: Option<(u64, u64)>,
    moderated: bool,
    retry_after: Option<Duration>,
}

/// How long a model takes to load; servers that load it do not say.
const LOADING: Duration = Duration::from_secs(2);

/// Words for a prompt that is too long.
const OVERFLOW: [&str; 10] = [
    "context_length_exceeded",
    "exceed_context_size",
    "maximum context length",
    "exceeds the available context",
    "exceeds the context",
    "exceed context",
    "greater than the context length",
    "context length exceeded",
    "longer than the maximum",
    "too large to process",
];

impl Failure {
    /// The error in an answer's body. The key is cut out before anything is read.
    pub(super) fn read(status: u16, body: &str, key: Option<&str>) -> Self {
        let body = match key {
            Some(key) if !key.is_empty() => body.replace(key, "(key)"),
            Some(_) | None => body.to_owned(),
        };
        let mut failure = Self { status, ..Self::default() };
        match serde_json::from_str::<Value>(&body) {
            Ok(value) => failure.take(error_of(&value).unwrap_or(&value)),
            Err(_) => failure.message = plain(&body),
        }
        failure
    }

    /// Notes when the server wants to be asked again: seconds, or a date beside the answer's own.
    #[must_use]
    pub(super) fn retry(mut self, after: Option<&str>, date: Option<&str>) -> Self {
        self.retry_after = after.and_then(|after| delay(after, date));
        self
    }

    /// Everything it says, in lower case.
    pub(super) fn words(&self) -> String {
        let param = self.param.as_deref().unwrap_or_default();
        format!("{} {param} {}", self.codes.join(" "), self.message).to_lowercase()
    }

    /// What it means.
    pub(super) fn error(&self) -> LlmError {
        let kind = self.kind();
        let mut detail = self.message.clone();
        if let Some((prompt, context)) = self.tokens
            && kind == LlmErrorKind::ContextOverflow
        {
            detail = format!("{prompt} tokens of prompt, a context of {context}: {detail}");
        }
        if detail.is_empty() {
            detail = format!("HTTP {}", self.status);
        }
        let loading = kind == LlmErrorKind::Overloaded && self.words().contains("loading model");
        let kind = if loading { LlmErrorKind::Loading } else { kind };
        let retry_after = self.retry_after.or_else(|| loading.then_some(LOADING));
        LlmError::new(kind).detail(detail).after(retry_after.filter(|_| kind.is_retryable()))
    }

    fn kind(&self) -> LlmErrorKind {
        let words = self.words();
        let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
        if self.moderated || says(&["content_filter", "content_policy", "moderation"]) {
            return LlmErrorKind::Blocked;
        }
        if self.tokens.is_some() || says(&OVERFLOW) {
            return LlmErrorKind::ContextOverflow;
        }
        match self.status() {
            402 => LlmErrorKind::Quota,
            429 if says(&["insufficient_quota", "current quota", "per-day", "per day"]) => {
                LlmErrorKind::Quota
            }
            429 => LlmErrorKind::RateLimited,
            401 | 403 => LlmErrorKind::Auth,
            404 => LlmErrorKind::ModelNotFound,
            408 | 504 => LlmErrorKind::Timeout,
            400 if says(&["api key", "api_key"]) => LlmErrorKind::Auth,
            400..500 => LlmErrorKind::BadRequest,
            500.. => LlmErrorKind::Overloaded,
            _ => LlmErrorKind::Protocol,
        }
    }

    /// The status, or the one that the code stands for where HTTP said that all is well.
    fn status(&self) -> u16 {
        if self.status >= 300 {
            return self.status;
        }
        self.codes.iter().find_map(|code| status_of(code)).unwrap_or(500)
    }

    fn take(&mut self, error: &Value) {
        if let Some(text) = error.as_str() {
            self.message = plain(text);
            return;
        }
        let text = |name: &str| error.get(name).and_then(said);
        self.codes = ["code", "type", "status"].into_iter().filter_map(text).collect();
        self.param = text("param");
        self.message = ["message", "error", "detail", "msg"]
            .into_iter()
            .find_map(text)
            .unwrap_or_else(|| error.to_string());
        let number = |name: &str| error.get(name).and_then(Value::as_u64);
        self.tokens = number("n_prompt_tokens").zip(number("n_ctx"));
        if let Some(metadata) = error.get("metadata") {
            self.moderated = metadata.get("flagged_input").is_some();
            if let Some(raw) = metadata.get("raw").and_then(said) {
                self.message = format!("{}: {}", self.message, raw);
            }
        }
    }
}

/// The error in an answer, if it is one: under `error`, as `detail`, or the whole of it.
pub(super) fn error_of(value: &Value) -> Option<&Value> {
    let nothing = |error: &Value| error.is_null() || error == "" || error == false;
    let error = value.get("error").or_else(|| value.get(0)?.get("error"));
    error.filter(|error| !nothing(error)).or_else(|| {
        let bare = value.get("object").is_some_and(|object| object == "error")
            || value.get("detail").is_some_and(|detail| !nothing(detail));
        (bare && value.get("choices").is_none()).then_some(value)
    })
}

/// A value as text: itself, or its JSON.
fn said(value: &Value) -> Option<String> {
    match value.as_str() {
        _ if value.is_null() => None,
        Some("") => None,
        Some(text) => Some(text.to_owned()),
        None => Some(value.to_string()),
    }
}

/// What a code stands for, if it is known.
fn status_of(code: &str) -> Option<u16> {
    if let Ok(status) = code.parse() {
        return (400..600).contains(&status).then_some(status);
    }
    Some(match code.to_ascii_lowercase().as_str() {
        "invalid_api_key" | "authentication_error" | "unauthorized" => 401,
        "insufficient_quota" | "payment_required" | "insufficient_credits" => 402,
        "permission_error" | "permission_denied" => 403,
        "model_not_found" | "not_found_error" | "not_found" => 404,
        "timeout" | "request_timeout" => 408,
        "rate_limit_exceeded" | "rate_limit_error" | "too_many_requests" => 429,
        "invalid_request_error" | "badrequesterror" | "bad_request" | "invalid_request" => 400,
        "server_error"
        | "internal_server_error"
        | "internalservererror"
        | "overloaded_error"
        | "unavailable_error" => 500,
        _ => return None,
    })
}

/// The title of a page, or the text as it is.
fn plain(body: &str) -> String {
    let lower = body.to_ascii_lowercase();
    let title = lower.find("<title>").zip(lower.find("</title>"));
    let title = title.and_then(|(begin, end)| body.get(begin + "<title>".len()..end));
    title.unwrap_or(body).chars().take(1000).collect()
}

/// A delay as `Retry-After` says it.
fn delay(after: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = after.trim().parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let then = DateTime::parse_from_rfc2822(after.trim()).ok()?;
    let now = DateTime::parse_from_rfc2822(date?.trim()).ok()?;
    (then - now).max(chrono::TimeDelta::zero()).to_std().ok()
}

#[cfg(test)]
mod tests {
    use LlmErrorKind::{
        Auth, BadRequest, Blocked, ContextOverflow, ModelNotFound, Overloaded, Protocol, Quota,
        RateLimited, Timeout,
    };

    use super::*;

    fn error(status: u16, body: &str) -> LlmError {
        Failure::read(status, body, Some("sk-secret")).error()
    }

    #[test]
    fn every_shape_of_an_error_is_read() {
        for (body, detail) in [
            (r#"{"error":{"message":"no","type":"x","param":null,"code":null}}"#, "no"),
            (r#"{"error":"no"}"#, "no"),
            (r#"{"detail":"no"}"#, "no"),
            (
                r#"{"detail":[{"loc":["body","x"],"msg":"no"}]}"#,
                r#"[{"loc":["body","x"],"msg":"no"}]"#,
            ),
            (r#"{"object":"error","message":"no","type":"x","code":400}"#, "no"),
            (r#"[{"error":{"message":"no"}}]"#, "no"),
            (
                r#"{"error":{"message":"Provider returned error","metadata":{"raw":"no"}}}"#,
                "Provider returned error: no",
            ),
            ("<html><head><title>502 Bad\nGateway</title></head></html>", "502 Bad Gateway"),
            ("upstream is away", "upstream is away"),
            ("", "HTTP 400"),
            (r#"{"error":{"message":"bad key sk-secret"}}"#, "bad key (key)"),
        ] {
            assert_eq!(error(400, body).detail, detail, "{body}");
        }
        let long = format!(r#"{{"error":"{}sk-secret"}}"#, "a".repeat(295));
        assert!(!error(400, &long).detail.contains("sk-"), "not even its beginning");
    }

    #[test]
    fn every_status_and_code_has_a_meaning() {
        for (status, body, kind) in [
            (400, r#"{"error":{"message":"no"}}"#, BadRequest),
            (
                400,
                r#"{"error":{"code":400,"type":"exceed_context_size_error","message":"the request exceeds the available context size","n_prompt_tokens":9000,"n_ctx":4096}}"#,
                ContextOverflow,
            ),
            (
                400,
                r#"{"error":{"message":"Prompt too long","code":"context_length_exceeded"}}"#,
                ContextOverflow,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 9000 tokens","type":"BadRequestError","code":400}"#,
                ContextOverflow,
            ),
            (
                400,
                r#"{"error":{"message":"This endpoint's maximum context length is 8192 tokens.","code":400}}"#,
                ContextOverflow,
            ),
            (401, r#"{"error":"Unauthorized"}"#, Auth),
            (403, r#"{"error":{"message":"Key not allowed"}}"#, Auth),
            (
                403,
                r#"{"error":{"code":403,"message":"Your chosen model requires moderation and your input was flagged","metadata":{"reasons":["x"],"flagged_input":"y"}}}"#,
                Blocked,
            ),
            (402, r#"{"error":{"message":"Insufficient credits","code":402}}"#, Quota),
            (
                429,
                r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#,
                Quota,
            ),
            (429, r#"{"error":{"message":"Rate limit exceeded: free-models-per-day"}}"#, Quota),
            (429, "slow down", RateLimited),
            (
                404,
                r#"{"error":{"message":"model not found","type":"not_found_error"}}"#,
                ModelNotFound,
            ),
            (408, "", Timeout),
            (504, "", Timeout),
            (500, "", Overloaded),
            (502, "<html>", Overloaded),
            (503, "", Overloaded),
            (529, "", Overloaded),
            (301, "", Protocol),
            (422, r#"{"detail":"x"}"#, BadRequest),
            // HTTP said that all is well.
            (200, r#"{"error":{"code":"server_error","message":"x"}}"#, Overloaded),
            (200, r#"{"error":{"code":502,"message":"x"}}"#, Overloaded),
            (200, r#"{"error":{"code":429,"message":"x"}}"#, RateLimited),
            (200, r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#, ContextOverflow),
            (200, r#"{"error":{"message":"x","trace":"y"}}"#, Overloaded),
        ] {
            assert_eq!(error(status, body).kind, kind, "{status} {body}");
        }
    }

    #[test]
    fn an_overflow_tells_the_sizes() {
        let body = r#"{"error":{"message":"too long","n_prompt_tokens":9000,"n_ctx":4096}}"#;
        let detail = "9000 tokens of prompt, a context of 4096: too long";
        assert_eq!(error(400, body).detail, detail);
    }

    #[test]
    fn a_server_says_when_to_come_back() {
        let now = Some("Sun, 22 Nov 2026 11:40:00 GMT");
        for (status, after, date, seconds) in [
            (429, Some("7"), None, Some(7)),
            (503, Some("Sun, 22 Nov 2026 11:40:30 GMT"), now, Some(30)),
            (503, Some("Sun, 22 Nov 2026 11:39:00 GMT"), now, Some(0)),
            (503, Some("Sun, 22 Nov 2026 11:40:30 GMT"), None, None),
            (429, Some("soon"), now, None),
            (429, Some("-1"), now, None),
            (429, None, now, None),
            (400, Some("7"), now, None),
        ] {
            let error = Failure::read(status, "", None).retry(after, date).error();
            assert_eq!(error.retry_after, seconds.map(Duration::from_secs), "{after:?}");
        }
        let loading =
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
        assert_eq!(error(503, loading).retry_after, Some(LOADING));
    }
}
