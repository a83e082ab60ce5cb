//! Travelling: cuts, crumbs, gates, and who closed the socket.

use std::time::{Duration, Instant};

use serde_json::json;
use skald_doubles::{Delivery, Gate, GeminiDouble, GeminiFault, How, Piece, Reply};

use crate::client::{client, post};

const STREAM: &str = "/models/gemini-3.8-flash:streamGenerateContent?alt=sse";

fn turn(text: &str) -> serde_json::Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] })
}

fn send(double: &GeminiDouble) -> impl Future<Output = reqwest::Response> + use<> {
    let request = client().post(double.url() + STREAM).header("x-goog-api-key", "any");
    let sending = request.json(&turn("I sit down.")).send();
    async { sending.await.unwrap() }
}

#[tokio::test]
async fn a_body_is_cut_at_any_byte() {
    let double = GeminiDouble::start().await;
    double.says("Метель");
    let url = double.url() + STREAM;
    let whole = post(&url, &turn("…")).await;
    assert!(whole.whole);
    let start: Vec<u8> = whole.text.bytes().take(87).collect();
    for byte in [0, 1, 60, 61, 87] {
        double.deliver(Delivery::new().cut_at(byte));
        let cut = post(&url, &turn("…")).await;
        assert!(!cut.whole, "{byte}");
        let kept = String::from_utf8_lossy(&start[..byte]).into_owned();
        assert_eq!(cut.text, kept);
        double.deliver(Delivery::new().end_at(byte));
        let ended = post(&url, &turn("…")).await;
        assert!(ended.whole, "{byte}");
        assert_eq!(ended.text, kept);
    }
    let calls = double.calls();
    assert_eq!(calls[1].end().await.how, How::Cut);
    assert_eq!(calls[2].end().await.how, How::Written);
}

#[tokio::test]
async fn a_call_knows_what_was_written_and_when() {
    let double = GeminiDouble::start().await;
    double.says("One two three");
    double.words_per_chunk(1);
    double.deliver(Delivery::new().pace(Duration::from_millis(20)));
    let began = Instant::now();
    let whole = post(&(double.url() + STREAM), &turn("…")).await;
    let written = double.calls()[0].written();
    let bytes: Vec<u8> = written.iter().flat_map(|(_, bytes)| bytes.to_vec()).collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), whole.text);
    let mut before = began;
    for (at, _) in written {
        assert!(at > before, "each piece has its own moment");
        before = at;
    }
}

#[tokio::test]
async fn bytes_are_written_one_by_one() {
    let double = GeminiDouble::start().await;
    double.says("Да");
    double.deliver(Delivery::new().split_every(1));
    let mut response = send(&double).await;
    let (mut sizes, mut bytes) = (Vec::new(), Vec::new());
    while let Some(chunk) = response.chunk().await.unwrap() {
        sizes.push(chunk.len());
        bytes.extend_from_slice(&chunk);
    }
    assert!(sizes.iter().all(|size| *size == 1), "{sizes:?}");
    assert!(String::from_utf8(bytes).unwrap().contains("Да"));
}

#[tokio::test]
async fn a_gate_holds_the_middle_of_a_stream() {
    let double = GeminiDouble::start().await;
    let gate = Gate::new();
    double.deliver_once(Delivery::new().hold_after(1, &gate));
    let mut response = send(&double).await;
    assert!(response.chunk().await.unwrap().is_some());
    let more = tokio::time::timeout(Duration::from_millis(50), response.chunk()).await;
    assert!(more.is_err());
    gate.open();
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text += std::str::from_utf8(&chunk).unwrap();
    }
    assert!(text.contains("STOP"));
    assert_eq!(double.next_call().await.end().await.how, How::Written);
}

#[tokio::test]
async fn chunks_come_at_a_pace() {
    let double = GeminiDouble::start().await;
    double.says_words(4);
    double.deliver(Delivery::new().pace(Duration::from_millis(20)));
    let start = Instant::now();
    let answer = post(&(double.url() + STREAM), &turn("…")).await;
    assert_eq!(answer.events().len(), 5);
    assert!(start.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn closing_in_the_middle_of_a_stream_is_seen() {
    let double = GeminiDouble::start().await;
    double.fails(GeminiFault::SilentAfter(1));
    let mut response = send(&double).await;
    let call = double.next_call().await;
    assert!(response.chunk().await.unwrap().is_some());
    assert!(call.ended().is_none());
    let closing = Instant::now();
    drop(response);
    call.closed().await;
    assert!(call.ended().unwrap().at - closing < Duration::from_millis(100));
}

#[tokio::test]
async fn closing_before_the_headers_is_seen() {
    let double = GeminiDouble::start().await;
    double.fails(GeminiFault::SilentBeforeHeaders);
    let waiting = tokio::time::timeout(Duration::from_millis(50), send(&double));
    assert!(waiting.await.is_err());
    let closing = Instant::now();
    let call = double.next_call().await;
    call.closed().await;
    assert!(call.ended().unwrap().at < closing + Duration::from_millis(100));
}

#[tokio::test]
async fn a_silent_server_has_sent_its_headers() {
    let double = GeminiDouble::start().await;
    double.fails_once(GeminiFault::SilentAfterHeaders);
    let mut response = send(&double).await;
    assert_eq!(response.status(), 200);
    let more = tokio::time::timeout(Duration::from_millis(50), response.chunk()).await;
    assert!(more.is_err());
}

#[tokio::test]
async fn any_reply_can_be_given() {
    let double = GeminiDouble::start().await;
    double.replies_once(Reply::new(418, "text/plain", vec![Piece::bytes("tea")]));
    let answer = post(&(double.url() + STREAM), &turn("…")).await;
    assert_eq!((answer.status, answer.text.as_str()), (418, "tea"));
    assert_eq!(double.call_count(), 1);
    let call = &double.calls()[0];
    assert_eq!(call.query_value("alt"), Some("sse"));
    assert_eq!(call.json["contents"][0]["parts"][0]["text"], "…");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_streams_run_at_once() {
    let double = GeminiDouble::start().await;
    double.says_words(20);
    double.deliver(Delivery::new().pace(Duration::from_millis(5)));
    let (client, url) = (client(), double.url() + STREAM);
    let streams = (0..500).map(|number| {
        let request = client.post(&url).header("x-goog-api-key", "any");
        let request = request.json(&turn(&format!("Player {number}")));
        async move { request.send().await.unwrap().text().await.unwrap() }
    });
    let texts = futures_util::future::join_all(streams).await;
    assert!(texts.iter().all(|text| text.matches("data: ").count() == 21));
}
