//! The OpenAI double: servers that differ, and what goes wrong with them.

use serde_json::{Value, json};
use skald_doubles::{
    JsonShape, OpenAiDouble, OpenAiFault as Fault, Overflow, Profile, Template, story, tokens,
};

use crate::client::{Answer, client, get, post};

const SERVERS: [Profile; 8] = [
    Profile::Plain,
    Profile::Ollama,
    Profile::LlamaCpp,
    Profile::Vllm,
    Profile::LmStudio,
    Profile::OpenRouter,
    Profile::KoboldCpp,
    Profile::TabbyApi,
];

fn turn(text: &str) -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": text }] })
}

fn streamed(text: &str) -> Value {
    with(
        with(turn(text), "stream", json!(true)),
        "stream_options",
        json!({ "include_usage": true }),
    )
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

async fn chat(double: &OpenAiDouble, body: &Value) -> Answer {
    post(&(double.url() + "/chat/completions"), body).await
}

fn text_of(events: &[Value]) -> String {
    let text = |event: &Value| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
    events.iter().filter_map(text).collect()
}

fn reason(events: &[Value]) -> Option<String> {
    let reason = |event: &Value| event["choices"][0]["finish_reason"].as_str().map(str::to_owned);
    events.iter().rev().find_map(reason)
}

#[tokio::test]
async fn every_server_tells_the_story_with_honest_usage() {
    for profile in SERVERS {
        let double = OpenAiDouble::start(profile).await;
        let answer = chat(&double, &streamed("我坐下。")).await;
        assert_eq!(answer.kind, "text/event-stream", "{profile:?}");
        let events = answer.events();
        assert_eq!(text_of(&events), story::CHINESE, "{profile:?}");
        assert_eq!(reason(&events).unwrap(), "stop", "{profile:?}");
        let usage = &events.last().unwrap()["usage"];
        assert_eq!(usage["prompt_tokens"], tokens::count("我坐下。") + 4, "{profile:?}");
        let number = |name: &str| usage[name].as_u64().unwrap();
        assert_eq!(number("prompt_tokens") + number("completion_tokens"), number("total_tokens"));
        let whole = chat(&double, &turn("Hi")).await.json();
        assert_eq!(whole["choices"][0]["message"]["content"], story::ENGLISH);
    }
}

#[tokio::test]
async fn servers_write_their_streams_differently() {
    let stream = async |profile| {
        let double = OpenAiDouble::start(profile).await;
        double.says("Yes");
        double.thinks("Hm");
        chat(&double, &streamed("Hi")).await
    };
    let plain = stream(Profile::Plain).await;
    assert!(plain.text.ends_with("data: [DONE]\n\n"));
    assert_eq!(plain.events()[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(plain.events()[1]["choices"][0]["delta"]["reasoning_content"], "Hm");
    assert_eq!(plain.events().last().unwrap()["choices"], json!([]));
    let ollama = stream(Profile::Ollama).await.events();
    assert_eq!(ollama[0]["choices"][0]["delta"]["reasoning"], "Hm");
    let llama = stream(Profile::LlamaCpp).await.events();
    assert_eq!(llama.last().unwrap()["choices"][0]["delta"], json!({}));
    let tabby = stream(Profile::TabbyApi).await;
    assert!(tabby.text.starts_with(": ping") && !tabby.text.contains("\"role\""));
    let last = tabby.events().pop().unwrap();
    assert!(last["choices"][0]["finish_reason"] == "stop" && last["usage"].is_object());
    let kobold = stream(Profile::KoboldCpp).await;
    assert!(kobold.text.ends_with("\n\ndata: [DONE]"));
    assert_eq!(text_of(&kobold.events()), "<think>\nHm\n</think>\n\nYes");
    let router = stream(Profile::OpenRouter).await;
    assert!(router.text.starts_with(": OPENROUTER PROCESSING\n\ndata: "));
    assert_eq!(router.events()[0]["choices"][0]["delta"]["reasoning_details"][0]["text"], "Hm");
}

#[tokio::test]
async fn usage_comes_only_when_it_is_asked_for() {
    let double = OpenAiDouble::start(Profile::TabbyApi).await;
    let events = chat(&double, &with(turn("Hi"), "stream", json!(true))).await.events();
    assert!(events.iter().all(|event| event["usage"].is_null()));
    assert_eq!(reason(&events[events.len() - 1..]).unwrap(), "stop");
}

#[tokio::test]
async fn a_strict_server_refuses_what_it_does_not_know() {
    let body = with(turn("Hi"), "min_p", json!(0.1));
    let double = OpenAiDouble::start(Profile::Plain).await;
    let answer = chat(&double, &body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.error(), "Unrecognized request argument supplied: min_p");
    let lenient = OpenAiDouble::start(Profile::LlamaCpp).await;
    assert_eq!(chat(&lenient, &body).await.status, 200);
    assert_eq!(chat(&double, &json!({ "model": "m", "messages": [] })).await.status, 400);
    double.needs_key("right");
    assert_eq!(chat(&double, &turn("Hi")).await.status, 401);
    let router = OpenAiDouble::start(Profile::OpenRouter).await;
    let request = client().post(router.url() + "/chat/completions").json(&turn("Hi"));
    assert_eq!(request.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn templates_refuse_orders_of_roles() {
    let double = OpenAiDouble::start(Profile::LlamaCpp).await;
    let messages = |roles: &[&str]| {
        let message = |role: &&str| json!({ "role": role, "content": "x" });
        json!({ "model": "m", "messages": roles.iter().map(message).collect::<Vec<_>>() })
    };
    double.behaves(|traits| traits.template = Template::NoSystem);
    let refused = chat(&double, &messages(&["system", "user"])).await;
    assert_eq!(refused.error(), "System role not supported");
    double.behaves(|traits| traits.template = Template::Alternating);
    assert_eq!(
        chat(&double, &messages(&["system", "user", "assistant", "user"])).await.status,
        200
    );
    assert!(chat(&double, &messages(&["assistant", "user"])).await.error().contains("alternate"));
    assert_eq!(chat(&double, &messages(&["user", "user"])).await.status, 400);
    double.behaves(|traits| traits.template = Template::SystemFirst);
    assert_eq!(chat(&double, &messages(&["user", "system"])).await.status, 400);
}

#[tokio::test]
async fn long_prompts_are_refused_or_cut_in_silence() {
    let body = turn(&"The inn stands at the ford. ".repeat(30));
    for profile in SERVERS {
        let double = OpenAiDouble::start(profile).await;
        double.behaves(|traits| traits.context = 100);
        let answer = chat(&double, &body).await;
        if double.traits().overflow == Overflow::Truncate {
            assert_eq!(answer.json()["usage"]["prompt_tokens"], 99);
        } else {
            assert_eq!(answer.status, 400, "{profile:?}");
        }
        if profile == Profile::LlamaCpp {
            assert_eq!(answer.json()["error"]["type"], "exceed_context_size_error");
            assert_eq!(answer.json()["error"]["n_ctx"], 100);
        }
    }
}

#[tokio::test]
async fn json_is_written_refused_or_forgotten() {
    let object = json!({ "type": "json_object" });
    let schema = json!({ "type": "json_schema", "json_schema": { "name": "v", "schema": { "type": "object" } } });
    let bad = json!({ "type": "json_schema", "json_schema": { "name": "v", "schema": {} } });
    let cases = [
        (Profile::Ollama, &object, Some("{\"a\":1}")),
        (Profile::LmStudio, &object, None),
        (Profile::LmStudio, &schema, Some("{\"a\":1}")),
        (Profile::TabbyApi, &object, Some(story::ENGLISH)),
        (Profile::TabbyApi, &json!({ "type": "json" }), Some("{\"a\":1}")),
        (Profile::KoboldCpp, &schema, Some("{\"a\":1}")),
        (Profile::KoboldCpp, &bad, Some(story::ENGLISH)),
    ];
    for (profile, format, expected) in cases {
        let double = OpenAiDouble::start(profile).await;
        double.answers_json("{\"a\":1}", JsonShape::Bare);
        let answer = chat(&double, &with(turn("Hi"), "response_format", format.clone())).await;
        assert_eq!(answer.status == 200, expected.is_some(), "{profile:?}");
        assert_eq!(answer.json()["choices"][0]["message"]["content"].as_str(), expected);
    }
    let double = OpenAiDouble::start(Profile::Vllm).await;
    double.fails(Fault::NoResponseFormat);
    assert_eq!(chat(&double, &turn("Hi")).await.status, 200);
    assert_eq!(chat(&double, &with(turn("Hi"), "response_format", object)).await.status, 400);
    double.works();
    double.answers_json("{\"a\":1}", JsonShape::Truncated);
    let cut = chat(&double, &with(turn("Hi"), "response_format", schema)).await.json();
    assert_eq!(cut["choices"][0]["message"]["content"], "{\"a");
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn vectors_come_out_of_order_and_packed() {
    let double = OpenAiDouble::start(Profile::Vllm).await;
    let url = double.url() + "/embeddings";
    let body = json!({ "model": "e", "input": ["fire", "water"], "dimensions": 8 });
    let plain = post(&url, &body).await.json();
    assert_eq!((&plain["data"][0]["index"], &plain["data"][1]["index"]), (&json!(1), &json!(0)));
    assert_eq!(plain["data"][0]["embedding"].as_array().unwrap().len(), 8);
    let packed = post(&url, &with(body, "encoding_format", json!("base64"))).await.json();
    assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), 44);
    assert_eq!(post(&url, &json!({ "model": "e", "input": [1, 2] })).await.status, 400);
}

#[tokio::test]
async fn servers_tell_what_they_are() {
    let cases = [
        (Profile::Ollama, "/api/version", "/version"),
        (Profile::Ollama, "/api/ps", "/models/0/context_length"),
        (Profile::Ollama, "/api/show", "/model_info/llama.context_length"),
        (Profile::LlamaCpp, "/props", "/default_generation_settings/n_ctx"),
        (Profile::LlamaCpp, "/health", "/status"),
        (Profile::Vllm, "/v1/models", "/data/0/max_model_len"),
        (Profile::LmStudio, "/api/v0/models", "/data/0/max_context_length"),
        (Profile::OpenRouter, "/v1/models", "/data/0/context_length"),
        (Profile::KoboldCpp, "/api/extra/version", "/result"),
        (Profile::TabbyApi, "/v1/model", "/parameters/max_seq_len"),
    ];
    for (profile, path, field) in cases {
        let double = OpenAiDouble::start(profile).await;
        let answer = get(&(double.root() + path)).await.json();
        assert!(answer.pointer(field).is_some(), "{profile:?} {path}: {answer}");
    }
    let double = OpenAiDouble::start(Profile::Plain).await;
    assert_eq!(get(&(double.root() + "/api/version")).await.status, 404);
}

#[tokio::test]
async fn errors_come_in_many_shapes() {
    let double = OpenAiDouble::start(Profile::LlamaCpp).await;
    let cases = [
        (Fault::BadKey, 401, "/error/code"),
        (Fault::StringError, 401, "/error"),
        (Fault::DetailError, 422, "/detail/0/msg"),
        (Fault::TopLevelError, 400, "/message"),
        (Fault::ContextOverflow(Overflow::TabbyApi), 400, "/error/code"),
        (Fault::NoCredits, 402, "/error/message"),
        (Fault::Moderated, 403, "/error/metadata/reasons/0"),
        (Fault::ModelGone, 404, "/error/type"),
        (Fault::TimedOut, 408, "/error/message"),
        (Fault::RateLimited(7), 429, "/error/message"),
        (Fault::InsufficientQuota, 429, "/error/code"),
        (Fault::Loading, 503, "/error/message"),
    ];
    for (fault, status, field) in cases {
        double.fails_once(fault.clone());
        let answer = chat(&double, &streamed("Hi")).await;
        assert_eq!(answer.status, status, "{fault:?}");
        assert!(answer.json().pointer(field).is_some(), "{fault:?}: {}", answer.text);
    }
    double.fails_once(Fault::RateLimited(7));
    let request = client().post(double.url() + "/chat/completions").json(&turn("Hi"));
    assert_eq!(request.send().await.unwrap().headers()["retry-after"], "7");
}

#[tokio::test]
async fn streams_break_in_every_way() {
    let double = OpenAiDouble::start(Profile::Vllm).await;
    let broken = async |fault: Fault| {
        double.fails_once(fault);
        chat(&double, &streamed("Hi")).await
    };
    assert!(broken(Fault::ErrorEvent(2)).await.text.ends_with("}}\n\n"));
    let done = broken(Fault::ErrorThenDone(2)).await.text;
    assert!(done.contains("\"error\"") && done.ends_with("data: [DONE]\n\n"));
    assert!(broken(Fault::NamedErrorEvent(2)).await.text.contains("\n\nevent: error\ndata: {"));
    let finish = broken(Fault::FinishError(2)).await.events();
    assert_eq!(reason(&finish).unwrap(), "error");
    assert!(finish.last().unwrap()["error"]["code"] == "server_error");
    let none = broken(Fault::NoFinishReason).await;
    assert!(reason(&none.events()).is_none() && !none.text.contains("[DONE]"));
    assert_eq!(text_of(&none.events()), story::ENGLISH);
    assert_eq!(broken(Fault::EmptyDeltaThenEnd).await.events().len(), 1);
    assert!(broken(Fault::BytesAfterDone).await.text.ends_with("bye\n"));
    assert!(!broken(Fault::NoDone).await.text.contains("[DONE]"));
    assert_eq!(broken(Fault::EmptyChoices).await.events()[0]["choices"], json!([]));
    let null = broken(Fault::NullContent).await;
    assert!(null.text.contains("\"content\":null"));
    assert_eq!(text_of(&null.events()), story::ENGLISH);
    assert!(broken(Fault::Pings).await.text.matches(": ping\n\n").count() > 10);
    let json = broken(Fault::JsonInsteadOfStream).await;
    assert!(json.kind.starts_with("application/json"));
    assert_eq!(json.json()["object"], "chat.completion");
    assert_eq!(reason(&broken(Fault::Length(2)).await.events()).unwrap(), "length");
    assert_eq!(reason(&broken(Fault::ContentFilter(2)).await.events()).unwrap(), "content_filter");
    assert_eq!(text_of(&broken(Fault::EmptyText).await.events()), "");
    assert_eq!(broken(Fault::BadGateway).await.kind, "text/html");
}
