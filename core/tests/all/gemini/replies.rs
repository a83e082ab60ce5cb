//! What is asked for and answered as it should be.

use serde_json::json;
use skald_core::llm::{
    Embedding, FinishReason, LlmErrorKind, Options, Output, Provider, Purpose, Request, Role,
    Sampler, Thinking, Turn,
};
use skald_doubles::{GeminiFault as Fault, How, JsonShape, Reply, story, tokens};

use super::{KEY, MODEL, hear, hear_with, refused, request, start};
use crate::hearing::Heard;

#[tokio::test]
async fn a_reply_is_thought_text_and_an_honest_count() {
    let (double, gemini) = start().await;
    double.needs_key(KEY);
    double.thinks("Who is there?");
    let reply = gemini.stream(request()).await.unwrap();
    assert_eq!(reply.body, Some(gemini.body(&request())));
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
        let body = gemini.body(&request);
        let reply = gemini.stream(request).await.unwrap();
        assert_eq!(reply.body, Some(body));
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
    assert_eq!(gemini.stream(keen.clone()).await.unwrap().body, Some(sent));
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
    let mut keen = request();
    keen.abilities.samplers = [Sampler::PresencePenalty].into();
    keen.options.presence_penalty = Some(0.3);
    assert!(gemini.body(&keen).contains("presencePenalty"), "nothing was learned");
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
