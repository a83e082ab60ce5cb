use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout};

use super::*;

fn rehearse(name: &str) -> Request {
    Request { model: format!("{MODEL_ID}:{name}"), ..request("en", 5) }
}

async fn refusal(request: Request) -> Option<LlmError> {
    Offline::new(Pace::Instant, true).stream(request).await.err()
}

fn kind(played: &Played) -> Option<LlmErrorKind> {
    played.error.as_ref().map(|error| error.kind)
}

#[tokio::test]
async fn refusals_are_rehearsed() {
    assert_eq!(
        refusal(rehearse("rate-limited")).await,
        Some(LlmError::new(LlmErrorKind::RateLimited).after(Duration::from_secs(7)))
    );
    assert_eq!(refusal(rehearse("auth")).await, Some(LlmErrorKind::Auth.into()));
    let overloaded = Some(LlmErrorKind::Overloaded);
    for (attempt, expected) in [(1, overloaded), (2, overloaded), (3, None)] {
        let mut request = rehearse("retries-twice");
        request.story.attempt = attempt;
        assert_eq!(refusal(request).await.map(|error| error.kind), expected, "attempt {attempt}");
    }
    let blocked = play(rehearse("blocked")).await;
    assert!(blocked.text.is_empty() && kind(&blocked) == Some(LlmErrorKind::Blocked));
}

#[tokio::test]
async fn broken_replies_are_rehearsed() {
    let whole = text(&request("en", 5));
    let cut = play(rehearse("cut")).await;
    assert!(cut.end.is_none() && cut.error.is_none() && whole.starts_with(&cut.text));
    assert!((whole.len() / 5..whole.len() / 2).contains(&cut.text.len()));
    let late = play(rehearse("blocked-late")).await;
    assert!(!late.text.is_empty() && kind(&late) == Some(LlmErrorKind::Blocked));
    let length = play(rehearse("length")).await;
    let (reason, usage) = length.end.unwrap();
    assert_eq!((reason, usage.output), (FinishReason::Length, estimate_tokens(&length.text)));
    assert!(!length.text.trim_end().ends_with(['.', '”', '?', '!']), "{}", length.text);
}

#[tokio::test]
async fn length_is_rehearsed() {
    for language in ["en", "ru"] {
        let model = "skald/offline:long".to_owned();
        let long = play(Request { max_output_tokens: 20_000, model, ..request(language, 5) }).await;
        assert!((1_400..=1_650).contains(&count_words(&long.text)), "{}", count_words(&long.text));
        let model = "skald/offline:thinking".to_owned();
        let thinking = play(Request { model, ..request(language, 5) }).await;
        assert!((45..=90).contains(&count_words(&thinking.thought)), "{}", thinking.thought);
        assert!(count_words(&play(request(language, 5)).await.thought) < 45);
    }
}

#[tokio::test(start_paused = true)]
async fn slowness_is_rehearsed() {
    let started = Instant::now();
    let mut stream =
        Offline::new(Pace::Instant, true).stream(rehearse("slow")).await.unwrap().chunks;
    stream.next().await.unwrap().unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2));
    let played = collect(stream).await;
    let rate = f64::from(played.end.unwrap().1.output) / started.elapsed().as_secs_f64();
    assert!((5.0..=8.0).contains(&rate), "{rate} tokens a second");
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_rehearsed() {
    let mut stream =
        Offline::new(Pace::Instant, true).stream(rehearse("stall")).await.unwrap().chunks;
    let mut text = String::new();
    while let Ok(chunk) = timeout(Duration::from_hours(1), stream.next()).await {
        if let Chunk::Content(piece) = chunk.unwrap().unwrap() {
            text.push_str(&piece);
        }
    }
    assert!(!text.is_empty() && text.len() < 300);
}
