//! Gemini over real HTTP: what a story hears, whatever the server does.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::json;
use skald_base::config::Secret;
use skald_core::llm::{
    Abilities, Chunk, Embedding, FinishReason, LastTurn, LlmError, LlmErrorKind, Options, Output,
    Provider, Purpose, Request, Role, Sampler, Thinking, Turn,
    gemini::{Gemini, GeminiConfig, Safety},
    http::{Http, Timeouts},
};
use skald_doubles::{
    Call, Delivery, Gate, GeminiDouble, GeminiFault as Fault, How, JsonShape, Reply, story, tokens,
};
use tokio::time::timeout;

use crate::hearing::{self, Heard, PATIENT};

const KEY: &str = "AIza-a-secret-of-the-house";
const MODEL: &str = "gemini-3.8-flash";

fn abilities() -> Abilities {
    Abilities {
        context_tokens: 1_114_112,
        output_tokens: Some(65_536),
        thinks: true,
        thinking: [Thinking::Low, Thinking::Medium, Thinking::High].into(),
        samplers: [Sampler::Seed].into(),
        last_turn: LastTurn::User,
        ..Abilities::default()
    }
}

fn request() -> Request {
    hearing::request(MODEL, abilities())
}

fn client(double: &GeminiDouble, timeouts: Timeouts) -> Gemini {
    let config = GeminiConfig {
        base_url: double.url() + "/",
        key: Secret::new(KEY),
        timeouts,
        safety: Safety::Off,
    };
    Gemini::new(config, Http::new().unwrap())
}

async fn start() -> (GeminiDouble, Gemini) {
    let double = GeminiDouble::start().await;
    let gemini = client(&double, PATIENT);
    (double, gemini)
}

async fn hear(gemini: &Gemini) -> Heard {
    Heard::all(gemini.stream(request()).await.unwrap().chunks).await
}

async fn refused(gemini: &Gemini, request: Request) -> LlmError {
    gemini.stream(request).await.err().unwrap()
}

/// What is heard of a reply in which one thing goes wrong.
async fn hear_with(fault: Fault) -> Heard {
    let (double, gemini) = start().await;
    double.words_per_chunk(3);
    double.fails_once(fault);
    hear(&gemini).await
}

#[tokio::test]
async fn a_reply_is_thought_text_and_an_honest_count() {
    let (double, gemini) = start().await;
    double.needs_key(KEY);
    double.thinks("Who is there?");
    let reply = gemini.stream(request()).await.unwrap();
    assert_eq!(reply.body, None);
    let heard = Heard::all(reply.chunks).await;
    assert_eq!(heard.text, story::ENGLISH);
    assert_eq!(heard.thought, "Who is there?");
    assert_eq!(heard.ended(), Ok(FinishReason::Stop));
    let usage = heard.usage.unwrap();
    assert_eq!(heard.usages.last(), Some(&usage));
    assert_eq!(usage.thought as usize, tokens::count("Who is there?"));
    assert!((usage.output as usize).abs_diff(tokens::count(story::ENGLISH)) <= 6, "{usage:?}");
    assert_eq!(Some(usage.prompt), gemini.count(&request()).await.unwrap());
    assert_eq!(usage.cached, 0);
    // What is told on the way only grows, so a stopped reply knows what it cost.
    assert!(heard.usages.len() > 3);
    assert!(heard.usages.is_sorted_by_key(|usage| usage.output + usage.thought));

    let call = double.next_call().await;
    assert_eq!(call.body, gemini.body(&request()));
    assert_eq!(call.end().await.how, How::Written, "the connection can be used again");
}

#[tokio::test]
async fn a_repeated_beginning_is_cached() {
    let (_double, gemini) = start().await;
    let mut request = request();
    request.system = vec!["The river rose in the night and took the bridge. ".repeat(600)];
    let first = Heard::all(gemini.stream(request.clone()).await.unwrap().chunks).await;
    request.turns.push(Turn::new(Role::Model, "Mira nods."));
    request.turns.push(Turn::new(Role::User, "I order tea."));
    let second = Heard::all(gemini.stream(request).await.unwrap().chunks).await;
    assert_eq!(first.usage.unwrap().cached, 0);
    let usage = second.usage.unwrap();
    assert!(usage.cached >= 4096 && usage.cached <= usage.prompt, "{usage:?}");
}

#[tokio::test]
async fn unusual_answers_are_understood() {
    for fault in [
        Fault::ThoughtsThenText,
        Fault::PartsInOneChunk,
        Fault::FinishOnText,
        Fault::LastChunkSignature,
        Fault::LastChunkWithoutContent,
        Fault::JsonArray,
    ] {
        let heard = hear_with(fault.clone()).await;
        assert_eq!(heard.text, story::ENGLISH, "{fault:?}");
        assert_eq!(heard.ended(), Ok(FinishReason::Stop), "{fault:?}");
        let has_thought = matches!(fault, Fault::ThoughtsThenText | Fault::PartsInOneChunk);
        assert_eq!(heard.thought, if has_thought { story::THOUGHTS } else { "" }, "{fault:?}");
    }
}

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
async fn a_limit_of_tokens_cuts_the_reply() {
    let (double, gemini) = start().await;
    double.says_words(3000);
    let mut short = request();
    short.abilities.output_tokens = Some(100);
    let heard = Heard::all(gemini.stream(short).await.unwrap().chunks).await;
    assert_eq!(heard.ended(), Ok(FinishReason::Length));
    assert_eq!(heard.usage.unwrap().output, 100);
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

#[tokio::test]
async fn what_the_server_would_refuse_is_not_sent() {
    let (_double, gemini) = start().await;
    let empty = Request { turns: Vec::new(), system: Vec::new(), ..request() };
    let greeting = Request { turns: vec![Turn::new(Role::Model, "Welcome.")], ..request() };
    let stops = Request { stop: (0..9).map(|n| format!("\n{n}:")).collect(), ..request() };
    let options = Options {
        temperature: Some(0.9),
        top_p: Some(0.95),
        top_k: Some(40),
        min_p: Some(0.1),
        repetition_penalty: Some(1.1),
        presence_penalty: Some(0.1),
        frequency_penalty: Some(0.1),
        thinking: Some(Thinking::Minimal),
        ..Options::default()
    };
    let keen = Request { options, seed: u64::MAX, ..request() };
    for request in [empty, greeting, stops, keen] {
        let reply = gemini.stream(request).await.unwrap();
        assert_eq!(reply.body, None);
        assert_eq!(Heard::all(reply.chunks).await.ended(), Ok(FinishReason::Stop));
    }
}

#[tokio::test]
async fn penalties_that_are_refused_are_left_out_from_then_on() {
    let (double, gemini) = start().await;
    let mut keen = request();
    keen.abilities.samplers = [Sampler::PresencePenalty, Sampler::Seed].into();
    keen.options.presence_penalty = Some(0.3);
    let expected = gemini.body(&keen);
    assert!(expected.contains("presencePenalty"));

    let reply = gemini.stream(keen.clone()).await.unwrap();
    let sent = reply.body.unwrap();
    assert_eq!(Heard::all(reply.chunks).await.text, story::ENGLISH);
    assert!(!sent.contains("presencePenalty"));
    let calls = double.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!((&calls[0].body[..], &calls[1].body[..]), (expected.as_bytes(), sent.as_bytes()));

    assert_eq!(gemini.body(&keen), sent);
    assert_eq!(gemini.stream(keen.clone()).await.unwrap().body, None);
    assert_eq!(double.call_count(), 3);
    // Another model may take them.
    assert!(gemini.body(&Request { model: "gemini-2.5-flash".into(), ..keen }).contains("Penalty"));
}

#[tokio::test]
async fn samplers_and_levels_that_are_refused_are_left_out() {
    let (double, gemini) = start().await;
    double.fails(Fault::SamplersRejected);
    let mut keen = request();
    keen.abilities.samplers = [Sampler::Temperature, Sampler::TopP].into();
    keen.abilities.thinking = [Thinking::Minimal].into();
    keen.options = Options { temperature: Some(0.9), top_p: Some(0.9), ..Options::default() };
    let reply = gemini.stream(keen.clone()).await.unwrap();
    let sent = reply.body.unwrap();
    assert_eq!(Heard::all(reply.chunks).await.text, story::ENGLISH);
    for name in ["temperature", "topP", "thinkingLevel"] {
        assert!(!sent.contains(name), "{sent}");
    }
    assert_eq!(double.call_count(), 3);
}

#[tokio::test]
async fn a_refusal_that_names_nothing_is_not_sent_again() {
    let (double, gemini) = start().await;
    let body = json!({ "error": { "code": 400, "message": "Penalty of the court." } });
    double.replies_once(Reply::json(400, &body));
    let error = refused(&gemini, request()).await;
    assert_eq!(error.kind, LlmErrorKind::BadRequest);
    assert_eq!(double.call_count(), 1);
}

#[tokio::test]
async fn an_answer_in_json_is_asked_for_by_schema() {
    let (double, gemini) = start().await;
    let verdict = r#"{"note":"calm","drift":0}"#;
    double.answers_json(verdict, JsonShape::Bare);
    let schema = json!({ "type": "object", "required": ["note", "drift"], "properties": {
        "note": { "type": "string" }, "drift": { "type": "integer" },
    } });
    let output = Output::Json { name: "verdict", schema };
    let asked = Request { output, max_output_tokens: 100, ..request() };
    let heard = Heard::all(gemini.stream(asked).await.unwrap().chunks).await;
    assert_eq!((heard.text.as_str(), heard.ended()), (verdict, Ok(FinishReason::Stop)));
    assert_eq!(heard.thought, "");
}

#[tokio::test]
async fn models_are_listed() {
    let (_double, gemini) = start().await;
    let models = gemini.list().await.unwrap();
    let writer = models.iter().find(|model| model.id == MODEL).unwrap();
    assert_eq!(writer.context_tokens, Some(1_048_576 + 65_536));
    assert!(!writer.embeds);
    assert!(models.iter().any(|model| model.id == "gemini-embedding-001" && model.embeds));
}

#[tokio::test]
async fn many_texts_are_embedded_a_hundred_at_a_time() {
    let (double, gemini) = start().await;
    let texts: Vec<String> =
        (0..250).map(|n| if n == 7 { String::new() } else { format!("Fear {n}.") }).collect();
    for model in ["gemini-embedding-001", "gemini-embedding-2"] {
        let before = double.call_count();
        let call =
            Embedding { model, dimensions: Some(256), purpose: Purpose::Document, texts: &texts };
        let vectors = gemini.embed(call).await.unwrap();
        assert_eq!((vectors.len(), double.call_count() - before), (250, 3));
        for vector in &vectors {
            let length: f32 = vector.iter().map(|value| value * value).sum();
            assert!(vector.len() == 256 && (length - 1.0).abs() < 1e-4, "{length}");
        }
        let last = gemini.embed(Embedding { texts: &texts[249..], ..call }).await.unwrap();
        assert_eq!(last[0], vectors[249], "in their order");
        let none = gemini.embed(Embedding { texts: &[], ..call }).await.unwrap();
        assert!(none.is_empty());
    }
    let call = Embedding {
        model: "gemini-gone",
        dimensions: None,
        purpose: Purpose::Query,
        texts: &texts,
    };
    let error = gemini.embed(call).await.unwrap_err();
    assert_eq!(error.kind, LlmErrorKind::ModelNotFound);
}

#[tokio::test]
async fn the_key_travels_in_a_header_and_nowhere_else() {
    let (double, gemini) = start().await;
    double.needs_key(KEY);
    drop(hear(&gemini).await);
    gemini.count(&request()).await.unwrap();
    gemini.list().await.unwrap();
    let texts = ["Fear.".to_owned()];
    let call = Embedding {
        model: "gemini-embedding-001",
        dimensions: None,
        purpose: Purpose::Query,
        texts: &texts,
    };
    gemini.embed(call).await.unwrap();
    let calls = double.calls();
    assert_eq!(calls.len(), 4);
    for call in calls {
        assert_eq!(call.header("x-goog-api-key"), Some(KEY));
        let address = format!("{}?{}", call.path, call.query.clone().unwrap_or_default());
        assert!(!address.contains(KEY) && call.query_value("key").is_none(), "{address}");
        assert!(!String::from_utf8_lossy(&call.body).contains(KEY));
        assert!(!call.path.contains("//"), "{address}");
    }
    assert!(!format!("{gemini:?}").contains(KEY));
}
