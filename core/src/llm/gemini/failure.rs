//! Why the server refused: from its status and body to an [`LlmError`]. Pure.

use std::time::Duration;

use chrono::DateTime;
use serde_json::Value;

use super::pacific;
use crate::llm::{LlmError, LlmErrorKind};

/// A wait so long is no matter of slowing down.
const LONG_WAIT: Duration = Duration::from_mins(5);

/// What surrounds an error body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    /// The HTTP status.
    pub(super) status: u16,
    /// The header `date`: when it was at the server.
    pub(super) date: Option<&'a str>,
    /// What is cut out of the server's words.
    pub(super) key: &'a str,
}

impl Setting<'_> {
    /// Cut out before anything is shortened, or the first half of a key would stay.
    fn without_key(&self, text: &str) -> String {
        if self.key.is_empty() { text.to_owned() } else { text.replace(self.key, "(key)") }
    }
}

/// The error that a body tells of, or its status where the body says nothing.
pub(super) fn of_body(body: &str, setting: Setting<'_>) -> LlmError {
    let value = serde_json::from_str::<Value>(body).ok();
    match value.as_ref().and_then(find_error) {
        Some(error) => of_error(error, setting),
        None => of_page(body, setting),
    }
}

/// The error object within a body, a chunk or a list with one of them.
pub(super) fn find_error(value: &Value) -> Option<&Value> {
    let value = match value {
        Value::Array(values) => values.first()?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            value
        }
    };
    value.get("error").filter(|error| !error.is_null())
}

/// The error that an error object tells of.
pub(super) fn of_error(error: &Value, setting: Setting<'_>) -> LlmError {
    let facts = Facts::new(error, setting);
    let kind = facts.kind();
    let delay = match kind {
        // An account that has nothing of a model has nothing of it tomorrow.
        LlmErrorKind::Quota if facts.has_no_allowance() => None,
        LlmErrorKind::Quota if facts.is_daily() => facts.until_midnight(),
        LlmErrorKind::Quota
        | LlmErrorKind::RateLimited
        | LlmErrorKind::Overloaded
        | LlmErrorKind::Loading => facts.delay,
        LlmErrorKind::Auth
        | LlmErrorKind::ModelNotFound
        | LlmErrorKind::BadRequest
        | LlmErrorKind::ContextOverflow
        | LlmErrorKind::Blocked
        | LlmErrorKind::Unreachable
        | LlmErrorKind::Timeout
        | LlmErrorKind::Cut
        | LlmErrorKind::Empty
        | LlmErrorKind::Protocol => None,
    };
    LlmError::new(kind).detail(facts.message).after(delay)
}

/// A body that is no JSON: a proxy's page, or another server.
pub(super) fn of_page(body: &str, setting: Setting<'_>) -> LlmError {
    let kind = match setting.status {
        408 => LlmErrorKind::Timeout,
        429 => LlmErrorKind::RateLimited,
        502..=504 => LlmErrorKind::Overloaded,
        _ => LlmErrorKind::Protocol,
    };
    let words = setting.without_key(&without_tags(body));
    LlmError::new(kind).detail(format!("HTTP {}: {words}", setting.status))
}

fn without_tags(page: &str) -> String {
    let mut depth = 0_u32;
    let keep = |letter: char| match letter {
        '<' => {
            depth += 1;
            ' '
        }
        '>' => {
            depth = depth.saturating_sub(1);
            ' '
        }
        _ if depth > 0 => ' ',
        letter => letter,
    };
    page.chars().take(4096).map(keep).collect()
}

/// What an error object says, as far as it matters.
struct Facts<'a> {
    code: u64,
    status: &'a str,
    message: String,
    reasons: Vec<&'a str>,
    quotas: Vec<&'a str>,
    delay: Option<Duration>,
    date: Option<&'a str>,
}

impl<'a> Facts<'a> {
    fn new(error: &'a Value, setting: Setting<'a>) -> Self {
        let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default();
        // Compatible servers write the error as one text.
        let message = error.as_str().unwrap_or_else(|| text("message"));
        let details = error.get("details").and_then(Value::as_array);
        let details = details.map(Vec::as_slice).unwrap_or_default();
        let every = |field: &'static str| {
            details.iter().filter_map(move |detail| detail.get(field)?.as_str())
        };
        let violations = details.iter().filter_map(|detail| detail.get("violations")?.as_array());
        let quotas = violations.flatten().flat_map(|violation| {
            let ids = ["quotaId", "quotaMetric"].into_iter();
            ids.filter_map(|field| violation.get(field)?.as_str())
        });
        let status = text("status");
        Self {
            code: code(error).or_else(|| code_of(status)).unwrap_or(setting.status.into()),
            status,
            message: setting.without_key(message),
            reasons: every("reason").collect(),
            quotas: quotas.collect(),
            delay: every("retryDelay").find_map(duration).or_else(|| delay_in_words(message)),
            date: setting.date,
        }
    }

    fn says(&self, words: &str) -> bool {
        self.message.to_lowercase().contains(words)
    }

    fn kind(&self) -> LlmErrorKind {
        let is_key = |reason: &&str| matches!(*reason, "API_KEY_INVALID" | "API_KEY_EXPIRED");
        let names_key = self.says("api key not valid") || self.says("api key expired");
        match self.code {
            400 if names_key || self.reasons.iter().any(is_key) => LlmErrorKind::Auth,
            // The country or the account, not the request.
            400 if self.status == "FAILED_PRECONDITION" => LlmErrorKind::Auth,
            400 if self.is_overflow() => LlmErrorKind::ContextOverflow,
            401 | 403 => LlmErrorKind::Auth,
            404 => LlmErrorKind::ModelNotFound,
            408 | 504 => LlmErrorKind::Timeout,
            429 => self.kind_of_limit(),
            499..=599 => LlmErrorKind::Overloaded,
            400..=498 => LlmErrorKind::BadRequest,
            _ => LlmErrorKind::Protocol,
        }
    }

    /// "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    fn is_overflow(&self) -> bool {
        self.says("exceeds") && (self.says("token count") || self.says("number of tokens"))
    }

    fn kind_of_limit(&self) -> LlmErrorKind {
        let is_per_minute = self.quotas.iter().any(|quota| quota.contains("PerMinute"));
        let waits_long = self.delay.is_some_and(|delay| delay > LONG_WAIT);
        let is_spent = self.is_about_money() && !is_per_minute;
        if self.is_daily() || self.has_no_allowance() || waits_long || is_spent {
            LlmErrorKind::Quota
        } else {
            LlmErrorKind::RateLimited
        }
    }

    /// The delay beside it is as short as that of a limit per minute, and a lie.
    fn is_daily(&self) -> bool {
        self.quotas.iter().any(|quota| quota.contains("PerDay") || quota.contains("Daily"))
    }

    /// "limit: 0": this account has nothing of the model.
    fn has_no_allowance(&self) -> bool {
        let limits = self.message.split("limit: 0").skip(1);
        limits.into_iter().any(|after| {
            let mut after = after.chars();
            match after.next() {
                Some('.') => !after.next().is_some_and(|next| next.is_ascii_digit()),
                next => !next.is_some_and(|next| next.is_ascii_digit()),
            }
        })
    }

    /// "Your project has exceeded its monthly spending cap."
    fn is_about_money(&self) -> bool {
        self.says("spend") || self.says("credits")
    }

    fn until_midnight(&self) -> Option<Duration> {
        let now = DateTime::parse_from_rfc2822(self.date?).ok()?;
        pacific::until_midnight(now.to_utc())
    }
}

fn code(error: &Value) -> Option<u64> {
    let code = error.get("code")?;
    code.as_u64().or_else(|| code.as_str()?.parse().ok())
}

/// The HTTP status of a canonical code, for errors within a stream that is well otherwise.
fn code_of(status: &str) -> Option<u64> {
    Some(match status {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => 400,
        "UNAUTHENTICATED" => 401,
        "PERMISSION_DENIED" => 403,
        "NOT_FOUND" => 404,
        "RESOURCE_EXHAUSTED" => 429,
        "CANCELLED" => 499,
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" => 500,
        "UNAVAILABLE" => 503,
        "DEADLINE_EXCEEDED" => 504,
        _ => return None,
    })
}

/// "23s", "29.723877525s", "850ms".
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 0.001),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let seconds: f64 = number.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds * unit).ok()
}

/// "Please retry in 23.47s."
fn delay_in_words(message: &str) -> Option<Duration> {
    let (_, after) = message.split_once("retry in ")?;
    let word = after.split_whitespace().next()?;
    duration(word.trim_end_matches(['.', ',']))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{LlmErrorKind::*, *};

    const KEY: &str = "AIza-not-a-key";
    const DATE: &str = "Sun, 22 Nov 2026 11:00:00 GMT";

    fn setting(status: u16) -> Setting<'static> {
        Setting { status, date: Some(DATE), key: KEY }
    }

    fn error(code: u16, status: &str, message: &str, details: &Value) -> LlmError {
        let body = json!({ "error": {
            "code": code, "status": status, "message": message, "details": details,
        } });
        of_body(&body.to_string(), setting(code))
    }

    #[test]
    fn an_error_is_told_by_code_status_and_words() {
        for (code, status, message, expected) in [
            (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", Auth),
            (400, "INVALID_ARGUMENT", "API key expired. Please renew the API key.", Auth),
            (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", Auth),
            (
                400,
                "INVALID_ARGUMENT",
                "The input token count (1200000) exceeds the maximum number of tokens allowed (9).",
                ContextOverflow,
            ),
            (400, "INVALID_ARGUMENT", "contents is not specified", BadRequest),
            (401, "UNAUTHENTICATED", "who are you", Auth),
            (403, "PERMISSION_DENIED", "Your API key was reported as leaked.", Auth),
            (404, "NOT_FOUND", "models/x is not found", ModelNotFound),
            (408, "", "too slow", Timeout),
            (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted.", RateLimited),
            (429, "RESOURCE_EXHAUSTED", "exceeded its monthly spending cap", Quota),
            (429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", Quota),
            (429, "RESOURCE_EXHAUSTED", "limit: 0, model: gemini-x", Quota),
            (429, "RESOURCE_EXHAUSTED", "limit: 0", Quota),
            (429, "RESOURCE_EXHAUSTED", "limit: 0.", Quota),
            (429, "RESOURCE_EXHAUSTED", "limit: 0.5 per second", RateLimited),
            (429, "RESOURCE_EXHAUSTED", "limit: 05", RateLimited),
            (499, "CANCELLED", "The operation was cancelled.", Overloaded),
            (500, "INTERNAL", "An internal error has occurred.", Overloaded),
            (503, "UNAVAILABLE", "The model is overloaded.", Overloaded),
            (504, "DEADLINE_EXCEEDED", "Deadline expired.", Timeout),
        ] {
            let error = error(code, status, message, &Value::Null);
            assert_eq!((error.kind, error.detail.as_str()), (expected, message), "{code} {status}");
        }
    }

    #[test]
    fn a_bad_key_is_known_by_its_reason() {
        let details = json!([{ "reason": "API_KEY_INVALID", "domain": "googleapis.com" }]);
        assert_eq!(error(400, "INVALID_ARGUMENT", "Ungültig", &details).kind, Auth);
    }

    #[test]
    fn a_limit_says_when_it_is_over() {
        let seconds = Duration::from_secs;
        let until_midnight = seconds(21 * 3600);
        for (quota, delay, expected, after) in [
            ("PerMinutePerProject", "23s", RateLimited, Some(seconds(23))),
            ("PerMinutePerProject", "29.7s", RateLimited, Some(Duration::from_millis(29_700))),
            ("PerMinutePerProject", "850ms", RateLimited, Some(Duration::from_millis(850))),
            ("PerMinutePerProject", "0s", RateLimited, Some(Duration::ZERO)),
            ("PerMinutePerProject", "soon", RateLimited, None),
            ("PerMinutePerProject", "-3s", RateLimited, None),
            ("PerDayPerProject", "23s", Quota, Some(until_midnight)),
            ("DailyAllowance", "23s", Quota, Some(until_midnight)),
            ("", "51820.5s", Quota, Some(Duration::from_millis(51_820_500))),
        ] {
            let details = json!([
                { "violations": [{ "quotaId": quota }] },
                { "retryDelay": delay },
            ]);
            let error = error(429, "RESOURCE_EXHAUSTED", "Quota exceeded", &details);
            assert_eq!((error.kind, error.retry_after), (expected, after), "{quota} {delay}");
        }
        let words = error(429, "", "Please retry in 23.47s.", &Value::Null);
        assert_eq!(words.retry_after, Some(Duration::from_millis(23_470)));
        let both = json!([{ "violations": [
            { "quotaId": "RequestsPerMinute" }, { "quotaId": "RequestsPerDay" },
        ] }]);
        assert_eq!(error(429, "", "", &both).kind, Quota);
        let busy = json!([{ "retryDelay": "2s" }]);
        assert_eq!(error(503, "", "", &busy).retry_after, Some(seconds(2)));
    }

    #[test]
    fn without_a_date_nobody_knows_when_the_day_ends() {
        let body = json!({ "error": { "code": 429, "details": [
            { "violations": [{ "quotaId": "RequestsPerDay" }] }, { "retryDelay": "23s" },
        ] } });
        for date in [None, Some("yesterday")] {
            let error = of_body(&body.to_string(), Setting { date, ..setting(429) });
            assert_eq!((error.kind, error.retry_after), (Quota, None));
        }
    }

    #[test]
    fn an_error_may_be_wrapped_in_many_ways() {
        for (status, body, expected) in [
            (429, r#"[{"error":{"code":429,"message":"m"}}]"#, RateLimited),
            (200, r#"{"error":{"code":503,"message":"m"}}"#, Overloaded),
            (200, r#"{"error":{"status":"UNAVAILABLE","message":"m"}}"#, Overloaded),
            (200, r#"{"error":{"code":"404","message":"m"}}"#, ModelNotFound),
            (403, r#"{"error":"m"}"#, Auth),
            (403, r#"{"error":{"message":7}}"#, Auth),
            (502, "<html><title>502 Bad Gateway</title></html>", Overloaded),
            (503, "", Overloaded),
            (504, "<html>", Overloaded),
            (429, "slow down", RateLimited),
            (404, "<html><b>404</b></html>", Protocol),
            (302, "", Protocol),
            (400, "{}", Protocol),
        ] {
            assert_eq!(of_body(body, setting(status)).kind, expected, "{status} {body}");
        }
        let page = of_body("<html>\n<title>502 Bad Gateway</title></html>", setting(502));
        assert_eq!(page.detail, "HTTP 502: 502 Bad Gateway");
    }

    #[test]
    fn the_key_is_cut_out_even_where_words_are_cut_off() {
        for message in [format!("key {KEY} is bad"), format!("{}{KEY}", "x".repeat(295))] {
            for body in
                [json!({ "error": { "code": 400, "message": message } }).to_string(), message]
            {
                let error = of_body(&body, setting(400));
                assert!(!error.detail.contains("AIza"), "{}", error.detail);
            }
        }
    }
}
