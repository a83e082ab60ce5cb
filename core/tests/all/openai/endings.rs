//! Replies that end otherwise than whole, and clients that go away.

use std::time::Instant;

use skald_doubles::{Delivery, Gate, How, OpenAiFault};

use super::*;

const TEXT: &str = "The rain had stopped an hour before dawn and Mira set the last cup away.";

#[tokio::test]
async fn every_broken_ending_says_what_it_is() {
    use LlmErrorKind::{Blocked, Cut, Empty, Overloaded};
    for (fault, kind, wrote) in [
        (OpenAiFault::NoFinishReason, Cut, true),
        (OpenAiFault::EmptyDeltaThenEnd, Cut, false),
        (OpenAiFault::ContentFilter(2), Blocked, true),
        (OpenAiFault::ContentFilter(0), Blocked, false),
        (OpenAiFault::EmptyText, Empty, false),
        (OpenAiFault::Length(0), Empty, false),
        (OpenAiFault::ErrorEvent(4), Overloaded, true),
        (OpenAiFault::ErrorThenDone(4), Overloaded, true),
        (OpenAiFault::NamedErrorEvent(4), Overloaded, true),
        (OpenAiFault::FinishError(4), Overloaded, true),
        (OpenAiFault::ErrorThenDone(0), Overloaded, false),
    ] {
        for (server, profile) in SERVERS {
            let (double, client) = speaking(server, profile, TEXT).await;
            double.fails(fault.clone());
            let heard = hear(&client, request(profile)).await;
            assert_eq!(heard.kind(), Some(kind), "{profile:?} {fault:?} {heard:?}");
            assert!(TEXT.starts_with(&heard.content), "{profile:?} {fault:?}");
            assert_eq!(!heard.content.is_empty(), wrote, "{profile:?} {fault:?}");
            assert!(!heard.end.unwrap_err().detail.is_empty(), "{profile:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_limit_is_no_error_if_there_is_text() {
    let (double, client) = speaking(Server::Plain, Profile::Generic, TEXT).await;
    double.fails(OpenAiFault::Length(2));
    let heard = hear(&client, request(Profile::Generic)).await;
    assert_eq!(heard.end, Ok(FinishReason::Length));
    assert!(!heard.content.is_empty() && TEXT.starts_with(&heard.content));
}

/// Every place at which a player may leave, and the socket is closed at once.
#[tokio::test]
async fn who_leaves_closes_the_socket() {
    let gate = Gate::new();
    for delivery in [
        Delivery::new().hold_headers(&gate),
        Delivery::new().hold_after(0, &gate),
        Delivery::new().hold_after(4, &gate),
    ] {
        let (double, client) = speaking(Server::Plain, Profile::Generic, TEXT).await;
        double.deliver(delivery.clone());
        let reading = async {
            let mut reply = client.stream(request(Profile::Generic)).await.unwrap();
            while let Some(chunk) = reply.chunks.next().await {
                chunk.unwrap();
            }
        };
        let patience = Duration::from_millis(150);
        tokio::time::timeout(patience, reading).await.expect_err("the double holds it back");
        let left = Instant::now();
        let end = double.next_call().await.end().await;
        assert_eq!(end.how, How::Closed, "{delivery:?}");
        let took = end.at.saturating_duration_since(left);
        assert!(took < Duration::from_millis(100), "{took:?} {delivery:?}");
    }
}

#[tokio::test]
async fn silence_is_not_waited_for_for_ever() {
    let short =
        Timeouts { first_byte: Duration::from_millis(150), idle: Duration::from_millis(150) };
    for fault in [
        OpenAiFault::SilentBeforeHeaders,
        OpenAiFault::SilentAfterHeaders,
        OpenAiFault::SilentAfter(3),
    ] {
        let double = OpenAiDouble::start(Server::Plain).await;
        double.fails(fault.clone());
        let client = client_with(&double, Profile::Generic, short);
        let began = Instant::now();
        let heard = hear(&client, request(Profile::Generic)).await;
        assert_eq!(heard.kind(), Some(LlmErrorKind::Timeout), "{fault:?} {heard:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "{fault:?}");
    }
}

/// A server that forgets to say `[DONE]` and keeps the socket costs two seconds, not the reply.
#[tokio::test]
async fn silence_after_the_end_is_the_end() {
    let (double, client) = speaking(Server::Plain, Profile::Generic, "Hello.").await;
    // The role, the text, the reason.
    double.fails(OpenAiFault::SilentAfter(3));
    let began = Instant::now();
    let heard = hear(&client, request(Profile::Generic)).await;
    assert_eq!((heard.content.as_str(), heard.end), ("Hello.", Ok(FinishReason::Stop)));
    assert!(began.elapsed() < Duration::from_secs(4));
}

/// Pings, one each 40 ms, after these events.
fn pings_after(events: &[serde_json::Value]) -> skald_doubles::Reply {
    let ping = [skald_doubles::Piece::bytes(": ping\n\n"), pause()];
    let events = events.iter().map(|event| format!("data: {event}\n\n"));
    let mut reply = skald_doubles::Reply::events(events);
    reply.body.extend(std::iter::repeat_n(ping, 500).flatten());
    reply
}

fn pause() -> skald_doubles::Piece {
    skald_doubles::Piece::Pause(Duration::from_millis(40))
}

#[tokio::test]
async fn signs_of_life_are_no_answer() {
    let short =
        Timeouts { first_byte: Duration::from_millis(300), idle: Duration::from_millis(300) };
    let text = json!({ "choices": [{ "index": 0, "delta": { "content": "Hello." } }] });
    for events in [Vec::new(), vec![text]] {
        let double = OpenAiDouble::start(Server::Plain).await;
        double.replies_once(pings_after(&events));
        let client = client_with(&double, Profile::Generic, short);
        let began = Instant::now();
        let heard = hear(&client, request(Profile::Generic)).await;
        assert_eq!(heard.kind(), Some(LlmErrorKind::Timeout), "{heard:?}");
        assert_eq!(heard.content.is_empty(), events.is_empty());
        assert!(began.elapsed() < Duration::from_secs(3));
    }
}

#[tokio::test]
async fn signs_of_life_after_the_end_do_not_put_it_off() {
    let text = json!({ "choices": [{ "index": 0, "delta": { "content": "Hello." } }] });
    let end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] });
    let double = OpenAiDouble::start(Server::Plain).await;
    double.replies_once(pings_after(&[text, end]));
    let client = client_of(&double, Profile::Generic);
    let began = Instant::now();
    let heard = hear(&client, request(Profile::Generic)).await;
    assert_eq!((heard.content.as_str(), heard.end), ("Hello.", Ok(FinishReason::Stop)));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_call_that_goes_on_and_on_has_an_end() {
    let text = json!({ "choices": [{ "index": 0, "delta": { "content": "on and " } }] });
    let event = skald_doubles::Piece::bytes(format!("data: {text}\n\n"));
    let mut reply = skald_doubles::Reply::events([]);
    reply.body.extend(std::iter::repeat_n([event, pause()], 500).flatten());
    let double = OpenAiDouble::start(Server::Plain).await;
    double.replies_once(reply);
    let config = OpenAiConfig {
        base_url: double.url(),
        key: None,
        profile: Profile::Generic,
        timeouts: PATIENT,
    };
    let http = Http::new().unwrap().within(Duration::from_millis(600));
    let heard = hear(&OpenAi::new(config, http), request(Profile::Generic)).await;
    assert_eq!(heard.kind(), Some(LlmErrorKind::Timeout), "{heard:?}");
    assert!(!heard.content.is_empty());
}

#[tokio::test]
async fn nobody_at_the_address_is_unreachable() {
    let double = OpenAiDouble::start(Server::Plain).await;
    let client = client_of(&double, Profile::Generic);
    drop(double);
    let heard = hear(&client, request(Profile::Generic)).await;
    assert_eq!(heard.kind(), Some(LlmErrorKind::Unreachable), "{heard:?}");
}
