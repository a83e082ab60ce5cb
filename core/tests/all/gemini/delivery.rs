//! Answers that come in crumbs, broken off or not at all, and listeners who leave.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::json;
use skald_core::llm::{Chunk, FinishReason, LlmErrorKind, Provider, http::Timeouts};
use skald_doubles::{Call, Delivery, Gate, GeminiDouble, GeminiFault as Fault, How, Reply, story};
use tokio::time::timeout;

use super::{client, hear, refused, request, start};
use crate::hearing::{Heard, PATIENT};

#[tokio::test]
async fn pieces_of_one_byte_are_the_same_reply() {
    for text in [story::RUSSIAN, story::CHINESE] {
        let (double, gemini) = start().await;
        double.says(text);
        double.thinks("Кто там?");
        let whole = hear(&gemini).await;
        double.deliver(Delivery::new().split_every(1));
        let crumbs = hear(&gemini).await;
        assert_eq!((&whole.text, &whole.thought), (&crumbs.text, &crumbs.thought));
        assert_eq!(crumbs.text, text);
        assert_eq!(crumbs.thought, "Кто там?");
        assert_eq!((whole.usages, whole.usage), (crumbs.usages, crumbs.usage));
        assert_eq!(crumbs.end, Some(Ok(FinishReason::Stop)));
    }
}

/// A short reply in events, and where the last of them is complete.
fn short_events() -> (Vec<String>, usize) {
    let says =
        |text: &str| json!({ "candidates": [{ "content": { "parts": [{ "text": text }] } }] });
    let end = json!({ "candidates": [{ "finishReason": "STOP" }] });
    let events: Vec<String> = [says("Дождь. "), says("漢\n\"字\""), end]
        .iter()
        .map(|chunk| format!("data: {chunk}\r\n\r\n"))
        .collect();
    let length: usize = events.iter().map(String::len).sum();
    (events, length - "\r\n\r\n".len())
}

#[tokio::test]
async fn a_stream_cut_at_any_byte_is_a_beginning_and_no_end() {
    let (events, complete) = short_events();
    let (double, gemini) = start().await;
    let length: usize = events.iter().map(String::len).sum();
    let mut texts = Vec::new();
    for byte in 0..=length {
        for delivery in [Delivery::new().cut_at(byte), Delivery::new().end_at(byte)] {
            double.replies_once(Reply::events(events.clone()));
            double.deliver_once(delivery);
            let heard = match gemini.stream(request()).await {
                Ok(reply) => Heard::all(reply.chunks).await,
                // A socket that breaks before the first byte may take the head with it.
                Err(error) => Heard { end: Some(Err(error)), ..Heard::default() },
            };
            assert!("Дождь. 漢\n\"字\"".starts_with(&heard.text), "{byte}: {}", heard.text);
            match heard.ended() {
                Ok(reason) => {
                    assert!(byte >= complete && reason == FinishReason::Stop, "{byte}");
                    assert_eq!(heard.text, "Дождь. 漢\n\"字\"");
                }
                Err(LlmErrorKind::Cut) => assert!(byte <= length, "{byte}"),
                Err(LlmErrorKind::Unreachable) => assert_eq!(byte, 0),
                Err(other) => panic!("{byte}: {other:?}"),
            }
            texts.push(heard.text);
        }
    }
    texts.dedup();
    assert!(texts.len() >= 3, "text that came before the cut is kept: {texts:?}");
}

#[tokio::test]
async fn an_array_cut_at_any_byte_is_a_beginning_and_no_end() {
    let (events, _) = short_events();
    let body = events.join(",").replace("data: ", "").replace("\r\n\r\n", "\r\n");
    let body = format!("[{body}]");
    let (double, gemini) = start().await;
    for byte in 1..body.len() {
        let mut reply = Reply::events([body.clone()]);
        reply.headers = vec![("content-type", "application/json".into())];
        double.replies_once(reply);
        double.deliver_once(Delivery::new().end_at(byte));
        let heard = hear(&gemini).await;
        assert!("Дождь. 漢\n\"字\"".starts_with(&heard.text), "{byte}: {}", heard.text);
        let complete = body.trim_end_matches(']').trim_end().len();
        assert_eq!(heard.ended().is_ok(), byte >= complete, "{byte}: {:?}", heard.end);
        assert!(heard.ended().is_ok() || heard.ended() == Err(LlmErrorKind::Cut), "{byte}");
    }
}

/// How long after this moment the double saw its socket closed.
async fn closed_after(call: &Call, dropped: Instant) -> Duration {
    let end = timeout(Duration::from_secs(10), call.end()).await.unwrap();
    assert_eq!(end.how, How::Closed);
    end.at.saturating_duration_since(dropped)
}

const AT_ONCE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_call_dropped_before_the_headers_closes_its_socket() {
    let (double, gemini) = start().await;
    double.fails_once(Fault::SilentBeforeHeaders);
    let mut asking = gemini.stream(request());
    let call = tokio::select! {
        _ = &mut asking => panic!("nobody answers"),
        call = double.next_call() => call,
    };
    assert!(call.ended().is_none());
    drop(asking);
    assert!(closed_after(&call, Instant::now()).await < AT_ONCE);
}

#[tokio::test]
async fn a_stream_dropped_after_the_headers_closes_its_socket() {
    let (double, gemini) = start().await;
    double.fails_once(Fault::SilentAfterHeaders);
    let chunks = gemini.stream(request()).await.unwrap().chunks;
    let call = double.next_call().await;
    assert!(call.ended().is_none());
    drop(chunks);
    assert!(closed_after(&call, Instant::now()).await < AT_ONCE);
}

#[tokio::test]
async fn a_stream_dropped_in_the_middle_closes_its_socket() {
    let (double, gemini) = start().await;
    double.deliver_once(Delivery::new().hold_after(2, &Gate::new()));
    let mut chunks = gemini.stream(request()).await.unwrap().chunks;
    assert!(matches!(chunks.next().await, Some(Ok(Chunk::Content(_)))));
    let call = double.next_call().await;
    assert!(call.ended().is_none());
    drop(chunks);
    assert!(closed_after(&call, Instant::now()).await < AT_ONCE);
}

#[tokio::test]
async fn silence_runs_into_a_timeout() {
    let double = GeminiDouble::start().await;
    let short = Duration::from_millis(200);
    let gemini = client(&double, Timeouts { first_byte: short, ..PATIENT });
    double.fails_once(Fault::SilentBeforeHeaders);
    assert_eq!(refused(&gemini, request()).await.kind, LlmErrorKind::Timeout);
    double.fails_once(Fault::SilentAfterHeaders);
    assert_eq!(hear(&gemini).await.ended(), Err(LlmErrorKind::Timeout));

    let gemini = client(&double, Timeouts { idle: short, ..PATIENT });
    double.fails_once(Fault::SilentAfter(2));
    let heard = hear(&gemini).await;
    assert_eq!(heard.ended(), Err(LlmErrorKind::Timeout));
    assert!(!heard.text.is_empty());
}
