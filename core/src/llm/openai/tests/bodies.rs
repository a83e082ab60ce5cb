//! What is posted.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::llm::{
    Abilities, Options, Output, Request, Role, Story, Thinking, Turn,
    openai::{
        Profile,
        adapt::adapt,
        failure::Failure,
        request::{Body, Learned},
    },
};

const ALL: [Profile; 8] = [
    Profile::Generic,
    Profile::Ollama,
    Profile::LlamaCpp,
    Profile::Vllm,
    Profile::LmStudio,
    Profile::OpenRouter,
    Profile::KoboldCpp,
    Profile::TabbyApi,
];

fn request(profile: Profile) -> Request {
    Request {
        model: "m".into(),
        abilities: profile.abilities(),
        system: vec!["You are Mira.".into(), "Be brief.".into()],
        turns: vec![
            Turn::new(Role::User, "Hello."),
            Turn::new(Role::Model, "Yes?"),
            Turn { role: Role::User, blocks: vec!["I sit.".into(), "[rain]".into()] },
        ],
        stop: Vec::new(),
        max_output_tokens: 400,
        options: Options::default(),
        output: Output::Prose,
        seed: 7,
        story: Story::default(),
    }
}

/// Every option there is.
fn everything() -> Options {
    Options {
        temperature: Some(0.9),
        top_p: Some(0.95),
        top_k: Some(40),
        min_p: Some(0.05),
        repetition_penalty: Some(1.1),
        presence_penalty: Some(0.1),
        frequency_penalty: Some(0.2),
        thinking: Some(Thinking::Low),
        ..Options::default()
    }
}

fn verdict() -> Output {
    Output::Json { name: "verdict", schema: json!({ "type": "object" }) }
}

fn body(request: &Request, profile: Profile, learned: &Learned) -> Value {
    serde_json::from_str(&Body::new(request, profile, learned).json()).unwrap()
}

#[test]
fn a_body_is_exactly_this() {
    let request = Request {
        stop: vec!["\nAnna:".into(), String::new()],
        options: Options { temperature: Some(0.9), ..Options::default() },
        ..request(Profile::Generic)
    };
    assert_eq!(
        Body::new(&request, Profile::Generic, &Learned::default()).json(),
        concat!(
            r#"{"model":"m","messages":[{"content":"You are Mira.\n\nBe brief.","role":"system"},"#,
            r#"{"content":"Hello.","role":"user"},{"content":"Yes?","role":"assistant"},"#,
            r#"{"content":"I sit.\n\n[rain]","role":"user"}],"stream":true,"#,
            r#""stream_options":{"include_usage":true},"max_tokens":400,"temperature":0.9,"seed":7,"#,
            r#""stop":["\nAnna:"]}"#,
        )
    );
}

#[test]
fn each_server_gets_what_it_understands() {
    let common = ["frequency_penalty", "presence_penalty", "seed", "stop", "temperature", "top_p"];
    for (profile, fields) in [
        (Profile::Generic, &["max_tokens"][..]),
        (Profile::Ollama, &["max_tokens", "reasoning_effort"]),
        (
            Profile::LlamaCpp,
            &["max_tokens", "chat_template_kwargs", "top_k", "min_p", "repeat_penalty"],
        ),
        (
            Profile::Vllm,
            &[
                "max_completion_tokens",
                "chat_template_kwargs",
                "top_k",
                "min_p",
                "repetition_penalty",
            ],
        ),
        (Profile::LmStudio, &["max_tokens", "top_k", "repeat_penalty"]),
        (Profile::OpenRouter, &["max_tokens", "reasoning", "top_k", "min_p", "repetition_penalty"]),
        (Profile::KoboldCpp, &["max_tokens", "top_k", "min_p", "rep_pen"]),
        (
            Profile::TabbyApi,
            &["max_tokens", "template_vars", "top_k", "min_p", "repetition_penalty"],
        ),
    ] {
        let mut request = request(profile);
        request.options = everything();
        request.stop = vec!["x".into()];
        let body = body(&request, profile, &Learned::default());
        let mut expected: Vec<&str> = ["model", "messages", "stream", "stream_options"]
            .into_iter()
            .chain(common)
            .chain(fields.iter().copied())
            .collect();
        expected.sort_unstable();
        let sent: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(sent, expected, "{profile:?}");
        // A model that takes nothing is sent nothing.
        request.abilities = Abilities::default();
        let body = super::bodies::body(&request, profile, &Learned::default());
        assert_eq!(body.as_object().unwrap().len(), 6, "{profile:?} {body}");
    }
}

#[test]
fn thinking_is_asked_for_in_the_words_of_the_server() {
    for (profile, level, field, value) in [
        (Profile::Ollama, Thinking::None, "reasoning_effort", json!("none")),
        (Profile::Ollama, Thinking::Minimal, "reasoning_effort", json!("none")),
        (Profile::Ollama, Thinking::High, "reasoning_effort", json!("high")),
        (
            Profile::LlamaCpp,
            Thinking::None,
            "chat_template_kwargs",
            json!({ "enable_thinking": false }),
        ),
        (Profile::Vllm, Thinking::Low, "chat_template_kwargs", json!({ "enable_thinking": true })),
        (Profile::TabbyApi, Thinking::High, "template_vars", json!({ "enable_thinking": true })),
        (Profile::OpenRouter, Thinking::None, "reasoning", json!({ "enabled": false })),
        (
            Profile::OpenRouter,
            Thinking::Low,
            "reasoning",
            json!({ "effort": "low", "exclude": false }),
        ),
    ] {
        let mut request = request(profile);
        assert_eq!(body(&request, profile, &Learned::default())[field], Value::Null);
        request.options.thinking = Some(level);
        assert_eq!(body(&request, profile, &Learned::default())[field], value, "{profile:?}");
    }
}

#[test]
fn thoughts_have_room_beside_the_reply() {
    let mut request = request(Profile::Generic);
    let limit = |request: &Request, learned: &Learned| {
        body(request, Profile::Generic, learned)["max_tokens"].as_u64().unwrap()
    };
    assert_eq!(limit(&request, &Learned::default()), 400);
    assert_eq!(limit(&request, &Learned { thinks: true, ..Learned::default() }), 400 + 2048);
    request.abilities.context_tokens = 100_000;
    request.abilities.thinks = true;
    assert_eq!(limit(&request, &Learned::default()), 400 + 4096);
    request.abilities.thinking = [Thinking::None, Thinking::Low].into();
    for (level, room) in [(Thinking::None, 0), (Thinking::Low, 1024)] {
        request.options.thinking = Some(level);
        assert_eq!(limit(&request, &Learned::default()), 400 + room);
    }
    request.abilities.output_tokens = Some(1000);
    assert_eq!(limit(&request, &Learned::default()), 1000);
}

#[test]
fn json_is_asked_for_step_by_step() {
    for (profile, forms) in [
        (Profile::Generic, &["json_schema", "json_object"][..]),
        (Profile::LmStudio, &["json_schema"]),
        (Profile::OpenRouter, &["json_schema", "json_object"]),
        (Profile::TabbyApi, &["json_schema", "json"]),
    ] {
        let request = Request { output: verdict(), ..request(profile) };
        let mut learned = Learned::default();
        let refusal = Failure::read(400, r#"{"error":"response_format is not supported"}"#, None);
        for form in forms {
            let body = body(&request, profile, &learned);
            assert_eq!(body["response_format"]["type"], *form, "{profile:?}");
            let routed = profile == Profile::OpenRouter && *form == "json_schema";
            assert_eq!(body["provider"]["require_parameters"] == true, routed);
            let wish = body["messages"][3]["content"].as_str().unwrap().to_owned();
            assert!(wish.starts_with("I sit.\n\n[rain]\n\nAnswer with one JSON object"), "{wish}");
            let sent = Body::new(&request, profile, &learned);
            learned = adapt(&learned, &refusal, &sent, profile).unwrap();
        }
        let last = Body::new(&request, profile, &learned);
        assert!(!last.has("response_format"));
        assert_eq!(adapt(&learned, &refusal, &last, profile), None, "{profile:?}");
    }
}

#[test]
fn extra_fields_stand_last_and_cannot_redirect() {
    let mut request = request(Profile::LlamaCpp);
    request.options.temperature = Some(0.5);
    let extra = json!({ "model": "x", "messages": [], "stream": false, "temperature": 2, "xtc_threshold": 0.1 });
    request.options.extra = extra.as_object().cloned().unwrap_or_else(Map::new);
    let text = Body::new(&request, Profile::LlamaCpp, &Learned::default()).json();
    assert!(text.ends_with(r#","temperature":2,"xtc_threshold":0.1}"#), "{text}");
    assert!(text.starts_with(r#"{"model":"m","messages":[{"#), "{text}");
    assert!(text.contains(r#""stream":true"#) && !text.contains("0.5"), "{text}");
}

/// What a fresh client learns when a server refuses everything at once.
fn lesson(profile: Profile, status: u16, refusal: &str) -> Option<Learned> {
    let request = Request { options: everything(), ..request(profile) };
    let sent = Body::new(&request, profile, &Learned::default());
    adapt(&Learned::default(), &Failure::read(status, refusal, None), &sent, profile)
}

#[test]
fn a_refusal_of_roles_changes_the_conversation() {
    let folded = Some(Learned { fold_system: true, ..Learned::default() });
    let strict = Some(Learned { strict_roles: true, ..Learned::default() });
    for (status, refusal, expected) in [
        (400, r#"{"error":{"message":"System role not supported"}}"#, &folded),
        (
            400,
            r#"{"error":{"message":"Developer instruction is not enabled for models/x"}}"#,
            &folded,
        ),
        (500, r#"{"error":{"message":"System role not supported"}}"#, &None),
        (
            400,
            r#"{"error":{"message":"Conversation roles must alternate user/assistant"}}"#,
            &strict,
        ),
        (400, r#"{"error":{"message":"First message must be from user"}}"#, &strict),
    ] {
        assert_eq!(&lesson(Profile::Generic, status, refusal), expected, "{refusal}");
    }
}

#[test]
fn a_refusal_of_a_field_leaves_it_out() {
    for (profile, status, refusal, field) in [
        (
            Profile::Generic,
            400,
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens"}}"#,
            "max_tokens",
        ),
        (
            Profile::Vllm,
            400,
            r#"{"detail":[{"loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted"}]}"#,
            "max_completion_tokens",
        ),
        (
            Profile::Generic,
            400,
            r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.9 with this model.","param":"temperature"}}"#,
            "temperature",
        ),
        (
            Profile::LlamaCpp,
            422,
            r#"{"detail":[{"loc":["body","min_p"],"msg":"Extra inputs are not permitted"}]}"#,
            "min_p",
        ),
        (
            Profile::Generic,
            400,
            r#"{"error":"Unrecognized request argument supplied: stream_options"}"#,
            "stream_options",
        ),
        (
            Profile::Ollama,
            400,
            r#"{"error":{"message":"\"m\" does not support thinking"}}"#,
            "reasoning_effort",
        ),
    ] {
        let expected = Some(Learned { refused: [field].into(), ..Learned::default() });
        assert_eq!(lesson(profile, status, refusal), expected, "{profile:?} {refusal}");
    }
}

/// Nothing is learned from what was not sent, from prose, from a wrong key or value.
#[test]
fn other_refusals_teach_nothing() {
    for (profile, status, refusal) in [
        (Profile::Generic, 400, r#"{"error":"Unrecognized request argument supplied: min_p"}"#),
        (Profile::Generic, 400, r#"{"error":"the seed has no flowers"}"#),
        (Profile::Generic, 400, r#"{"error":"invalid message"}"#),
        (Profile::Generic, 401, r#"{"error":"unknown field seed"}"#),
        (
            Profile::Generic,
            400,
            r#"{"error":{"message":"Invalid 'temperature': must be between 0 and 2.","type":"invalid_request_error"}}"#,
        ),
        (
            Profile::Vllm,
            400,
            r#"{"error":{"message":"'max_completion_tokens' is too large, not supported: this model's maximum context length is 4096 tokens"}}"#,
        ),
    ] {
        assert_eq!(lesson(profile, status, refusal), None, "{refusal}");
    }
}

#[test]
fn the_limit_of_tokens_has_two_names() {
    let request = request(Profile::Generic);
    let mut learned = Learned::default();
    for name in ["max_tokens", "max_completion_tokens"] {
        let body = Body::new(&request, Profile::Generic, &learned);
        assert!(body.has(name), "{name}");
        learned.refused.insert(name);
    }
    let body = Body::new(&request, Profile::Generic, &learned);
    assert!(!body.has("max_tokens") && !body.has("max_completion_tokens"));
}

#[test]
fn what_was_learned_shapes_the_conversation() {
    let roles = |request: &Request, learned: &Learned| -> Vec<String> {
        let body = body(request, Profile::Generic, learned);
        let messages = body["messages"].as_array().unwrap().clone();
        messages
            .iter()
            .map(|m| format!("{}: {}", m["role"].as_str().unwrap(), m["content"].as_str().unwrap()))
            .collect()
    };
    let mut request = request(Profile::Generic);
    let fold = Learned { fold_system: true, ..Learned::default() };
    assert_eq!(
        roles(&request, &fold),
        ["user: You are Mira.\n\nBe brief.\n\nHello.", "assistant: Yes?", "user: I sit.\n\n[rain]"]
    );
    request.turns.remove(0);
    let strict = Learned { strict_roles: true, ..Learned::default() };
    assert_eq!(roles(&request, &strict)[1], "user: [Start]");
    let both = Learned { strict_roles: true, ..fold };
    assert_eq!(roles(&request, &both)[0], "user: You are Mira.\n\nBe brief.\n\n[Start]");
    request.system.clear();
    assert_eq!(roles(&request, &both)[0], "user: [Start]");
}

proptest! {
    /// A server that remembers the beginning of a prompt finds all of the last turn's in the next.
    #[test]
    fn the_next_turn_begins_with_the_last_one(
        texts in prop::collection::vec("[a-zё\"\n]{1,9}", 1..9),
        profile in prop::sample::select(ALL.to_vec()),
    ) {
        let turns = |count: usize| -> Vec<Turn> {
            let role = |at: usize| if at.is_multiple_of(2) { Role::User } else { Role::Model };
            texts.iter().take(count).enumerate().map(|(at, text)| Turn::new(role(at), text)).collect()
        };
        let text = |count| {
            let request = Request { turns: turns(count), options: everything(), ..request(profile) };
            Body::new(&request, profile, &Learned::default()).json()
        };
        let last = text(texts.len() - 1);
        let (messages, _) = last.split_once("],\"stream\"").unwrap();
        prop_assert!(text(texts.len()).starts_with(messages));
        prop_assert_eq!(text(texts.len()), text(texts.len()));
    }
}
