//! Everything that can go wrong, and how it is told apart.

use std::time::Duration;

use serde_json::json;
use skald_core::llm::{FinishReason, LlmErrorKind};
use skald_doubles::{GeminiFault as Fault, Reply, story};

use super::{KEY, hear, hear_with, refused, request, start};

#[tokio::test]
async fn endings_are_told_apart() {
    use LlmErrorKind::{Blocked, Cut, Empty};
    let ends = |reason, after| Fault::EndsWith { reason, after };
    for (fault, has_text, expected, detail) in [
        (Fault::NoFinishReason, true, Err(Cut), ""),
        (Fault::PromptBlocked("PROHIBITED_CONTENT"), false, Err(Blocked), "PROHIBITED_CONTENT"),
        (Fault::PromptBlocked("SAFETY"), false, Err(Blocked), "SAFETY"),
        (ends("SAFETY", 2), true, Err(Blocked), "SAFETY"),
        (ends("SAFETY", 0), false, Err(Blocked), "SAFETY"),
        (ends("RECITATION", 2), true, Err(Blocked), "RECITATION"),
        (ends("PROHIBITED_CONTENT", 2), true, Err(Blocked), "PROHIBITED_CONTENT"),
        (ends("ESCALATION", 2), true, Ok(FinishReason::Stop), ""),
        (ends("ESCALATION", 0), false, Err(Empty), "ESCALATION"),
        (ends("OTHER", 0), false, Err(Empty), "OTHER"),
        (
            Fault::MaxTokensInThoughts,
            false,
            Err(Empty),
            "thinking used the whole allowance: the limit of output tokens came first",
        ),
        (Fault::MaxTokensAfter(2), true, Ok(FinishReason::Length), ""),
        (Fault::EmptyText, false, Err(Empty), ""),
        (Fault::ThoughtsOnly, false, Err(Empty), "the model only thought"),
        (Fault::MalformedFunctionCall, false, Err(Empty), "MALFORMED_FUNCTION_CALL"),
    ] {
        let heard = hear_with(fault.clone()).await;
        assert_eq!(heard.ended(), expected, "{fault:?}");
        assert_eq!(!heard.text.is_empty(), has_text, "{fault:?}");
        assert!(story::ENGLISH.starts_with(&heard.text), "{fault:?}");
        assert_eq!(heard.detail(), detail, "{fault:?}");
        assert!(!heard.usages.is_empty(), "{fault:?}: what it cost is known");
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    use LlmErrorKind::{Auth, ModelNotFound, Overloaded, Quota, RateLimited, Timeout};
    let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
    for (fault, expected, after) in [
        (Fault::BadKey, Auth, None),
        (Fault::LeakedKey, Auth, None),
        (Fault::WrongRegion, Auth, None),
        (Fault::ModelGone, ModelNotFound, None),
        (Fault::QuotaPerMinute(23.0), RateLimited, seconds(23.0)),
        (Fault::QuotaPerMinute(29.723), RateLimited, seconds(29.723)),
        (Fault::QuotaZero, Quota, None),
        (Fault::Internal, Overloaded, None),
        (Fault::Overloaded, Overloaded, None),
        (Fault::DeadlineExceeded, Timeout, None),
        (Fault::ArrayWrapped, RateLimited, seconds(7.0)),
        (Fault::BadGateway, Overloaded, None),
    ] {
        let (double, gemini) = start().await;
        double.fails_once(fault.clone());
        let error = refused(&gemini, request()).await;
        assert_eq!((error.kind, error.retry_after), (expected, after), "{fault:?}");
        assert!(!error.detail.is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_limit_per_day_lasts_until_midnight_however_short_its_delay() {
    let (double, gemini) = start().await;
    double.fails_once(Fault::QuotaPerDay(23.0));
    let error = refused(&gemini, request()).await;
    assert_eq!(error.kind, LlmErrorKind::Quota);
    let wait = error.retry_after.unwrap();
    // The answer's own date says when it is; a day of 25 hours is the longest.
    assert!(wait > Duration::ZERO && wait <= Duration::from_hours(25), "{wait:?}");
    assert_ne!(wait, Duration::from_secs(23));
}

#[tokio::test]
async fn an_overloaded_model_writes_at_the_third_try() {
    let (double, gemini) = start().await;
    double.fails_times(2, Fault::Overloaded);
    for _ in 0..2 {
        let error = refused(&gemini, request()).await;
        assert!(error.is_retryable() && error.kind == LlmErrorKind::Overloaded);
    }
    assert_eq!(hear(&gemini).await.text, story::ENGLISH);
    assert_eq!(double.call_count(), 3, "only the caller tries again");
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_never_repeated() {
    let (double, gemini) = start().await;
    double.needs_key("another");
    let error = refused(&gemini, request()).await;
    assert_eq!(error.kind, LlmErrorKind::Auth);
    let body = json!({ "error": { "code": 400, "message": format!("bad key {KEY}") } });
    double.replies_once(Reply::json(400, &body));
    let error = refused(&gemini, request()).await;
    assert_eq!(error.detail, "bad key (key)");
}

#[tokio::test]
async fn an_error_in_the_middle_keeps_the_text_before_it() {
    for fault in [Fault::ErrorEvent(2), Fault::ErrorLines(2)] {
        let heard = hear_with(fault.clone()).await;
        assert_eq!(heard.ended(), Err(LlmErrorKind::Overloaded), "{fault:?}");
        assert!(heard.detail().contains("high demand"), "{fault:?}");
        assert!(!heard.text.is_empty() && story::ENGLISH.starts_with(&heard.text), "{fault:?}");
    }
    let heard = hear_with(Fault::ErrorLines(0)).await;
    assert_eq!((heard.text.as_str(), heard.ended()), ("", Err(LlmErrorKind::Overloaded)));
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_story() {
    use LlmErrorKind::{Overloaded, Protocol};
    let (double, gemini) = start().await;
    for (status, expected) in
        [(502, Overloaded), (503, Overloaded), (504, Overloaded), (404, Protocol)]
    {
        double.replies_once(Reply::html(status, "Sorry"));
        assert_eq!(refused(&gemini, request()).await.kind, expected, "{status}");
    }
    double.replies_once(Reply::html(200, "Welcome"));
    assert_eq!(hear(&gemini).await.ended(), Err(Protocol));
    double.replies_once(Reply::events(["data: rain\r\n\r\n".into()]));
    assert_eq!(hear(&gemini).await.ended(), Err(Protocol));
}
