//! The Gemini double: its rules, its chunks, its faults.

use serde_json::{Value, json};
use skald_doubles::{Endpoint, GeminiDouble, GeminiFault as Fault, JsonShape, story, tokens};

use crate::client::{Answer, client, get, post};

fn turn(text: &str) -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] })
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

async fn stream(double: &GeminiDouble, body: &Value) -> Answer {
    let path = "/models/gemini-3.8-flash:streamGenerateContent?alt=sse";
    post(&(double.url() + path), body).await
}

async fn ask(double: &GeminiDouble, model: &str, body: &Value) -> Answer {
    post(&format!("{}/models/{model}:generateContent", double.url()), body).await
}

fn text_of(events: &[Value]) -> String {
    let parts = |event: &Value| event["candidates"][0]["content"]["parts"].as_array().cloned();
    let parts = events.iter().filter_map(parts).flatten();
    parts
        .filter(|part| part["thought"] != true)
        .filter_map(|p| p["text"].as_str().map(str::to_owned))
        .collect()
}

fn reason(answer: &Answer) -> Value {
    answer.events().last().unwrap()["candidates"][0]["finishReason"].clone()
}

#[tokio::test]
async fn a_stream_has_the_framing_and_the_arithmetic_of_the_api() {
    let double = GeminiDouble::start().await;
    double.thinks("Who is there?");
    let answer = stream(&double, &turn("Я сажусь.")).await;
    assert_eq!((answer.status, answer.kind.as_str()), (200, "text/event-stream"));
    assert!(answer.text.starts_with("data: {") && answer.text.ends_with("}\r\n\r\n"));
    assert_eq!(answer.text.matches('\n').count(), answer.events().len() * 2);
    let events = answer.events();
    assert_eq!(text_of(&events), story::RUSSIAN);
    assert!(events[0]["candidates"][0].get("finishReason").is_none());
    assert_eq!(reason(&answer), "STOP");
    let usage = &events.last().unwrap()["usageMetadata"];
    let number = |name: &str| usize::try_from(usage[name].as_u64().unwrap()).unwrap();
    assert_eq!(number("promptTokenCount"), tokens::count("Я сажусь.") + 4);
    assert_eq!(number("thoughtsTokenCount"), tokens::count("Who is there?"));
    let written = tokens::count(story::RUSSIAN);
    assert!(number("candidatesTokenCount").abs_diff(written) <= written / 20);
    let sum = number("promptTokenCount") + number("candidatesTokenCount");
    assert_eq!(number("totalTokenCount"), sum + number("thoughtsTokenCount"));
    assert!(events.iter().all(|event| event["responseId"] == "double-000001"));
}

#[tokio::test]
async fn requests_are_refused_as_the_api_refuses_them() {
    let double = GeminiDouble::start().await;
    let config = |config: Value| with(turn("Hi"), "generationConfig", config);
    let role = |role: &str| json!({ "contents": [{ "role": role, "parts": [{ "text": "x" }] }] });
    let contents = "* GenerateContentRequest.contents: contents is not specified\n";
    let unknown = "Invalid JSON payload received. Unknown name \"mood\"";
    let cases = [
        (json!({ "contents": [] }), contents),
        (json!({ "systemInstruction": { "parts": [{ "text": "x" }] } }), contents),
        (role("assistant"), "Please use a valid role: user, model."),
        (role("model"), "Requests ending with a model turn are not supported."),
        (with(turn("Hi"), "mood", json!(1)), &format!("{unknown}: Cannot find field.")),
        (
            config(json!({ "mood": 1 })),
            &format!("{unknown} at 'generation_config': Cannot find field."),
        ),
        (config(json!({ "presencePenalty": 0.5 })), "Penalty is not enabled for this model"),
        (config(json!({ "stopSequences": ["a", "b", "c", "d", "e", "f"] })), "* Generate"),
        (
            config(json!({ "thinkingConfig": { "thinkingBudget": 5, "thinkingLevel": "LOW" } })),
            "You can only set only one of thinking budget and thinking level.",
        ),
        (config(json!({ "thinkingConfig": { "thinkingLevel": "MINIMAL" } })), "Thinking level MIN"),
        (config(json!({ "temperature": 2.5 })), "* GenerateContentRequest.generation_config.temp"),
        (config(json!({ "responseJsonSchema": {} })), "* GenerateContentRequest.generation_config"),
    ];
    for (body, message) in cases {
        let answer = ask(&double, "gemini-3.8-flash", &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["error"]["status"], "INVALID_ARGUMENT");
        assert!(answer.error().starts_with(message), "{body}: {}", answer.error());
    }
    assert_eq!(ask(&double, "gemini-3.5-flash", &role("model")).await.status, 200);
    let minimal = config(json!({ "thinkingConfig": { "thinkingLevel": "MINIMAL" } }));
    assert_eq!(ask(&double, "gemini-3.5-flash", &minimal).await.status, 200);
    assert_eq!(ask(&double, "gemini-1.0-pro", &turn("Hi")).await.status, 404);
}

#[tokio::test]
async fn keys_are_checked() {
    let double = GeminiDouble::start().await;
    double.needs_key("right");
    let url = double.url() + "/models";
    let bad = get(&url).await;
    assert_eq!(bad.status, 400);
    assert_eq!(bad.json()["error"]["details"][0]["reason"], "API_KEY_INVALID");
    let none = client().get(&url).send().await.unwrap();
    assert_eq!(none.status(), 403);
    let right = client().get(&url).header("x-goog-api-key", "right").send().await.unwrap();
    assert_eq!(right.status(), 200);
    let leaking = client().get(url + "?key=right").send().await.unwrap();
    assert_eq!(leaking.status(), 200);
    assert_eq!(double.calls()[3].query_value("key"), Some("right"));
}

#[tokio::test]
async fn models_are_listed_in_pages() {
    let double = GeminiDouble::start().await;
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let page = get(&format!("{}/models?pageSize=5&pageToken={token}", double.url())).await;
        let page = page.json();
        let models = page["models"].as_array().unwrap();
        assert!(models.len() <= 5);
        names.extend(models.iter().map(|model| model["name"].as_str().unwrap().to_owned()));
        match page["nextPageToken"].as_str() {
            Some(next) => next.clone_into(&mut token),
            None => break,
        }
    }
    assert!(names.len() > 10 && names.contains(&"models/gemini-3.8-flash".to_owned()));
}

#[tokio::test]
async fn vectors_come_alone_and_in_batches() {
    let double = GeminiDouble::start().await;
    let one = json!({
        "model": "models/gemini-embedding-001",
        "content": { "parts": [{ "text": "Mira fears fire." }] },
        "taskType": "RETRIEVAL_DOCUMENT",
        "outputDimensionality": 768,
    });
    let url = double.url() + "/models/gemini-embedding-001";
    let vector = post(&format!("{url}:embedContent"), &one).await.json();
    assert_eq!(vector["embedding"]["values"].as_array().unwrap().len(), 768);
    let batch = |size| json!({ "requests": vec![one.clone(); size] });
    let hundred = post(&format!("{url}:batchEmbedContents"), &batch(100)).await.json();
    assert_eq!(hundred["embeddings"].as_array().unwrap().len(), 100);
    assert_eq!(hundred["embeddings"][7], vector["embedding"]);
    let more = post(&format!("{url}:batchEmbedContents"), &batch(101)).await;
    assert_eq!(more.status, 400);
    assert!(more.error().contains("at most 100 requests can be in one batch"));
}

#[tokio::test]
async fn tokens_are_counted_with_and_without_the_system_text() {
    let double = GeminiDouble::start().await;
    let url = double.url() + "/models/gemini-3.8-flash:countTokens";
    let bare = post(&url, &turn("Hello")).await.json();
    assert_eq!(bare["totalTokens"], 5);
    let mut request = turn("Hello");
    request["systemInstruction"] = json!({ "parts": [{ "text": "You are Mira" }] });
    request["model"] = json!("models/gemini-3.8-flash");
    let nested = post(&url, &json!({ "generateContentRequest": request })).await.json();
    assert!(nested["totalTokens"].as_u64().unwrap() > 10);
    assert_eq!(post(&url, &with(turn("x"), "systemInstruction", json!({}))).await.status, 400);
}

#[tokio::test]
async fn a_long_beginning_is_cached() {
    let double = GeminiDouble::start().await;
    let world = "The inn stands at the ford. ".repeat(700);
    let body =
        |text: &str| with(turn(text), "systemInstruction", json!({ "parts": [{ "text": world }] }));
    let cached = |answer: Answer| answer.json()["usageMetadata"]["cachedContentTokenCount"].clone();
    assert!(cached(ask(&double, "gemini-3.8-flash", &body("One")).await).is_null());
    let second = cached(ask(&double, "gemini-3.8-flash", &body("Two")).await);
    assert!(second.as_u64().unwrap() >= 4096);
    assert!(cached(ask(&double, "gemini-3.7-flash", &body("Two")).await).is_null());
}

#[tokio::test]
async fn limits_stops_and_json_are_honoured() {
    let double = GeminiDouble::start().await;
    let config = |config: Value| with(turn("Hi"), "generationConfig", config);
    let short = stream(&double, &config(json!({ "maxOutputTokens": 10 }))).await;
    assert_eq!(reason(&short), "MAX_TOKENS");
    double.says("Mira nods.\nAnna: No.");
    let stopped = stream(&double, &config(json!({ "stopSequences": ["\nAnna:"] }))).await;
    assert_eq!(
        (text_of(&stopped.events()).as_str(), reason(&stopped)),
        ("Mira nods.", json!("STOP"))
    );
    double.answers_json("{\"drift\":3}", JsonShape::Fenced);
    let wish = config(json!({ "responseMimeType": "application/json" }));
    let fenced = ask(&double, "gemini-3.8-flash", &wish).await.json();
    let text = fenced["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("```json\n{\"drift\":3}\n```"));
}

#[tokio::test]
async fn streams_end_in_every_way() {
    let double = GeminiDouble::start().await;
    let safety = Fault::EndsWith { reason: "SAFETY", after: 2 };
    let unknown = Fault::EndsWith { reason: "DRAGONS", after: 1 };
    let cases = [
        (Fault::FinishOnText, "STOP", true),
        (Fault::LastChunkSignature, "STOP", true),
        (Fault::LastChunkWithoutContent, "STOP", true),
        (Fault::PartsInOneChunk, "STOP", true),
        (Fault::ThoughtsThenText, "STOP", true),
        (safety, "SAFETY", true),
        (unknown, "DRAGONS", true),
        (Fault::MaxTokensAfter(2), "MAX_TOKENS", true),
        (Fault::MaxTokensInThoughts, "MAX_TOKENS", false),
        (Fault::ThoughtsOnly, "STOP", false),
        (Fault::EmptyText, "STOP", false),
        (Fault::MalformedFunctionCall, "MALFORMED_FUNCTION_CALL", false),
    ];
    for (fault, expected, has_text) in cases {
        double.fails_once(fault.clone());
        let answer = stream(&double, &turn("Hi")).await;
        assert_eq!(reason(&answer), expected, "{fault:?}");
        assert_eq!(!text_of(&answer.events()).is_empty(), has_text, "{fault:?}");
    }
    double.fails_once(Fault::NoFinishReason);
    let answer = stream(&double, &turn("Hi")).await;
    assert!(!answer.text.contains("finishReason") && answer.whole);
    double.fails_once(Fault::PromptBlocked("PROHIBITED_CONTENT"));
    let blocked = stream(&double, &turn("Hi")).await.events();
    assert_eq!(blocked.len(), 1);
    assert_eq!(blocked[0]["promptFeedback"]["blockReason"], "PROHIBITED_CONTENT");
    assert!(blocked[0].get("candidates").is_none());
}

#[tokio::test]
async fn parts_of_one_chunk_are_thought_and_text() {
    let double = GeminiDouble::start().await;
    double.fails_once(Fault::PartsInOneChunk);
    let events = stream(&double, &turn("Hi")).await.events();
    let parts = &events[0]["candidates"][0]["content"]["parts"];
    assert_eq!((events.len(), parts.as_array().unwrap().len()), (1, 2));
    assert_eq!((&parts[0]["thought"], &parts[1]["text"]), (&json!(true), &json!(story::ENGLISH)));
}

#[tokio::test]
async fn errors_have_the_bodies_of_the_api() {
    let double = GeminiDouble::start().await;
    let cases = [
        (Fault::BadKey, 400, "INVALID_ARGUMENT"),
        (Fault::LeakedKey, 403, "PERMISSION_DENIED"),
        (Fault::WrongRegion, 400, "FAILED_PRECONDITION"),
        (Fault::ModelGone, 404, "NOT_FOUND"),
        (Fault::QuotaPerMinute(7.5), 429, "RESOURCE_EXHAUSTED"),
        (Fault::QuotaPerDay(23.0), 429, "RESOURCE_EXHAUSTED"),
        (Fault::Internal, 500, "INTERNAL"),
        (Fault::DeadlineExceeded, 504, "DEADLINE_EXCEEDED"),
    ];
    for (fault, code, status) in cases {
        double.fails_once(fault.clone());
        let answer = stream(&double, &turn("Hi")).await;
        assert_eq!((answer.status, &answer.json()["error"]["status"]), (code, &json!(status)));
        let (text, details) = (answer.text.clone(), answer.json()["error"]["details"].clone());
        if let Fault::QuotaPerMinute(_) = fault {
            assert!(text.contains("RequestsPerMinute"));
            assert_eq!(details[2]["retryDelay"], "7.5s");
        }
        if let Fault::QuotaPerDay(_) = fault {
            assert!(text.contains("RequestsPerDay"));
            assert_eq!(details[2]["retryDelay"], "23s");
        }
    }
    double.fails_once(Fault::QuotaZero);
    assert!(stream(&double, &turn("Hi")).await.error().contains("limit: 0"));
    double.fails_once(Fault::ArrayWrapped);
    assert_eq!(stream(&double, &turn("Hi")).await.json()[0]["error"]["code"], 429);
    double.fails_once(Fault::BadGateway);
    let page = stream(&double, &turn("Hi")).await;
    assert_eq!((page.status, page.kind.as_str()), (502, "text/html"));
    double.fails_times(2, Fault::Overloaded);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(stream(&double, &turn("Hi")).await.status);
    }
    assert_eq!(seen, [503, 503, 200]);
}

#[tokio::test]
async fn errors_come_in_the_middle_of_a_stream() {
    let double = GeminiDouble::start().await;
    double.fails_once(Fault::ErrorEvent(2));
    let events = stream(&double, &turn("Hi")).await.events();
    assert_eq!((events.len(), &events[2]["error"]["code"]), (3, &json!(503)));
    double.fails_once(Fault::ErrorLines(1));
    let answer = stream(&double, &turn("Hi")).await;
    assert_eq!(answer.events().len(), 1);
    assert!(answer.text.ends_with("  }\r\n}\r\n") && answer.text.contains("\r\n{\r\n"));
    double.fails_once(Fault::JsonArray);
    let array = stream(&double, &turn("Hi")).await;
    assert!(array.kind.starts_with("application/json"));
    assert_eq!(text_of(array.json().as_array().unwrap()), story::ENGLISH);
    double.fails_at(Endpoint::Models, Fault::Internal);
    assert_eq!(get(&(double.url() + "/models")).await.status, 500);
    assert_eq!(stream(&double, &turn("Hi")).await.status, 200);
    double.works();
    assert_eq!(get(&(double.url() + "/models")).await.status, 200);
}

#[tokio::test]
async fn samplers_are_refused_where_a_test_says_so() {
    let double = GeminiDouble::start().await;
    double.fails(Fault::SamplersRejected);
    let config = with(turn("Hi"), "generationConfig", json!({ "temperature": 1 }));
    assert_eq!(ask(&double, "gemini-3.8-flash", &config).await.status, 400);
    assert_eq!(ask(&double, "gemini-3.8-flash", &turn("Hi")).await.status, 200);
}
