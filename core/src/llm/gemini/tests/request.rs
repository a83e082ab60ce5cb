//! What is sent, and what is kept back.

use serde_json::{Value, json};

use crate::llm::{
    Abilities, LastTurn, Options, Output, Request, Role, Sampler, Story, Thinking, Turn,
    gemini::{
        Safety,
        quirk::{Quirk, Quirks},
        request::{Body, Count},
    },
};

fn request() -> Request {
    Request {
        model: "gemini-x".into(),
        abilities: Abilities::default(),
        system: vec!["You are Mira.".into(), "Write in the present.".into()],
        turns: vec![Turn::new(Role::User, "I sit down.")],
        stop: Vec::new(),
        max_output_tokens: 1200,
        options: Options::default(),
        output: Output::Prose,
        seed: 7,
        story: Story::default(),
    }
}

fn text(request: &Request) -> String {
    serde_json::to_string(&Body::new(request, Safety::Off, &Quirks::new())).unwrap()
}

fn body_with(request: &Request, quirks: &[Quirk]) -> Value {
    let quirks = quirks.iter().copied().collect();
    serde_json::to_value(Body::new(request, Safety::Off, &quirks)).unwrap()
}

fn config(request: &Request) -> Value {
    body_with(request, &[])["generationConfig"].clone()
}

fn every_sampler() -> Abilities {
    use Sampler::{
        FrequencyPenalty, MinP, PresencePenalty, RepetitionPenalty, Seed, Temperature, TopK, TopP,
    };
    let samplers =
        [Temperature, TopP, TopK, MinP, RepetitionPenalty, PresencePenalty, FrequencyPenalty, Seed];
    Abilities { samplers: samplers.into(), ..Abilities::default() }
}

fn every_option() -> Options {
    Options {
        temperature: Some(0.9),
        top_p: Some(0.95),
        top_k: Some(40),
        min_p: Some(0.05),
        repetition_penalty: Some(1.1),
        presence_penalty: Some(0.2),
        frequency_penalty: Some(-0.3),
        ..Options::default()
    }
}

fn levels(levels: &[Thinking]) -> Abilities {
    Abilities { thinks: true, thinking: levels.iter().copied().collect(), ..Abilities::default() }
}

#[test]
fn the_whole_body_is_this() {
    let request = Request {
        abilities: Abilities {
            thinks: true,
            thinking: [Thinking::Low, Thinking::High].into(),
            ..every_sampler()
        },
        turns: vec![
            Turn::new(Role::User, "[The scene opens.]"),
            Turn::new(Role::Model, "Mira wipes the bar."),
            Turn { role: Role::User, blocks: vec!["I sit down.".into(), "[Rain.]".into()] },
        ],
        stop: vec!["\nAnna:".into()],
        options: every_option(),
        ..request()
    };
    let expected = concat!(
        r#"{"systemInstruction":{"parts":[{"text":"You are Mira.\n\nWrite in the present."}]},"#,
        r#""contents":[{"role":"user","parts":[{"text":"[The scene opens.]"}]},"#,
        r#"{"role":"model","parts":[{"text":"Mira wipes the bar."}]},"#,
        r#"{"role":"user","parts":[{"text":"I sit down."},{"text":"\n\n[Rain.]"}]}],"#,
        r#""generationConfig":{"maxOutputTokens":5296,"stopSequences":["\nAnna:"],"#,
        r#""temperature":0.9,"topP":0.95,"topK":40,"presencePenalty":0.2,"#,
        r#""frequencyPenalty":-0.3,"seed":7,"#,
        r#""thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":true}},"#,
        r#""safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"},"#,
        r#"{"category":"HARM_CATEGORY_HATE_SPEECH","threshold":"OFF"},"#,
        r#"{"category":"HARM_CATEGORY_SEXUALLY_EXPLICIT","threshold":"OFF"},"#,
        r#"{"category":"HARM_CATEGORY_DANGEROUS_CONTENT","threshold":"OFF"}]}"#,
    );
    assert_eq!(text(&request), expected);
}

#[test]
fn two_turns_share_their_beginning() {
    let first = request();
    let mut second = Request { seed: 8, ..first.clone() };
    second.turns.push(Turn::new(Role::Model, "Mira nods."));
    second.turns.push(Turn::new(Role::User, "I order tea."));
    let (first, second) = (text(&first), text(&second));
    let (shared, _) = first.split_once(r#"],"generationConfig""#).unwrap();
    assert!(second.starts_with(shared), "{second}");
    assert!(shared.ends_with(r#""I sit down."}]}"#), "{shared}");
}

#[test]
fn a_conversation_has_a_player_and_no_empty_text() {
    use Role::{Model, User};
    let turn = |role, blocks: &[&str]| Turn {
        role,
        blocks: blocks.iter().map(ToString::to_string).collect(),
    };
    for (turns, last_turn, expected) in [
        (vec![], LastTurn::Any, json!([["user", "[Start]"]])),
        (vec![turn(User, &["", " \n"])], LastTurn::User, json!([["user", "[Start]"]])),
        (
            vec![turn(Model, &["Hello."])],
            LastTurn::Any,
            json!([["user", "[Start]"], ["model", "Hello."]]),
        ),
        (
            vec![turn(Model, &["Hello."])],
            LastTurn::User,
            json!([["user", "[Start]"], ["model", "Hello."], ["user", "[Continue]"]]),
        ),
        (
            vec![turn(User, &["a"]), turn(Model, &[""]), turn(User, &["", "b"])],
            LastTurn::User,
            json!([["user", "a", "\n\nb"]]),
        ),
    ] {
        let abilities = Abilities { last_turn, ..Abilities::default() };
        let request = Request { abilities, turns, ..request() };
        let body = body_with(&request, &[]);
        let contents = body["contents"].as_array().unwrap().iter().map(|content| {
            let parts = content["parts"].as_array().unwrap();
            let texts = parts.iter().map(|part| part["text"].clone());
            Value::Array([content["role"].clone()].into_iter().chain(texts).collect())
        });
        assert_eq!(Value::Array(contents.collect()), expected);
    }
}

#[test]
fn without_instructions_there_is_no_field_for_them() {
    for system in [vec![], vec![String::new(), " ".into()]] {
        let body = body_with(&Request { system, ..request() }, &[]);
        assert_eq!(body.get("systemInstruction"), None);
    }
}

#[test]
fn a_model_gets_only_what_it_takes() {
    let options = every_option();
    let plain = Request { options: options.clone(), ..request() };
    assert_eq!(config(&plain), json!({ "maxOutputTokens": 1200 }));
    let abilities = Abilities { samplers: [Sampler::TopK].into(), ..Abilities::default() };
    let some = Request { abilities, options, ..request() };
    assert_eq!(config(&some), json!({ "maxOutputTokens": 1200, "topK": 40 }));
    let odd = Options { temperature: Some(f32::NAN), ..Options::default() };
    let odd = Request { abilities: every_sampler(), options: odd, ..request() };
    assert_eq!(config(&odd), json!({ "maxOutputTokens": 1200, "seed": 7 }));
}

#[test]
fn what_was_refused_is_not_sent_again() {
    let abilities = Abilities { samplers: every_sampler().samplers, ..levels(&[Thinking::Low]) };
    let request = Request { abilities, options: every_option(), ..request() };
    let names = |quirks: &[Quirk]| -> Vec<String> {
        let config = body_with(&request, quirks)["generationConfig"].clone();
        config.as_object().unwrap().keys().cloned().collect()
    };
    let all = names(&[]);
    let without = |gone: &[&str]| -> Vec<String> {
        all.iter().filter(|name| !gone.contains(&name.as_str())).cloned().collect()
    };
    assert_eq!(names(&[Quirk::Penalties]), without(&["presencePenalty", "frequencyPenalty"]));
    let samplers = ["temperature", "topP", "topK", "presencePenalty", "frequencyPenalty"];
    assert_eq!(names(&[Quirk::Samplers]), without(&samplers));
    assert_eq!(names(&[Quirk::ThinkingConfig]), without(&["thinkingConfig"]));
    let config = body_with(&request, &[Quirk::ThinkingLevel])["generationConfig"].clone();
    assert_eq!(config["thinkingConfig"], json!({ "includeThoughts": true }));
    assert_eq!(config["maxOutputTokens"], 1200 + 12_288);
}

#[test]
fn stops_are_five_at_most_and_never_empty() {
    let stop = ["", "a", "b", "", "c", "d", "e", "f"].map(String::from).to_vec();
    let stopped = config(&Request { stop, ..request() });
    assert_eq!(stopped["stopSequences"], json!(["a", "b", "c", "d", "e"]));
    let none = config(&Request { stop: vec![String::new()], ..request() });
    assert_eq!(none.get("stopSequences"), None);
}

#[test]
fn a_seed_is_a_small_number_without_sign() {
    let seeds = [0, 1, 7, 0x7fff_ffff, 0x8000_0000, 1 << 40, u64::MAX, u64::MAX - 1];
    let mut sent: Vec<i64> = Vec::new();
    for seed in seeds {
        let config = config(&Request { abilities: every_sampler(), seed, ..request() });
        sent.push(config["seed"].as_i64().unwrap());
    }
    assert!(sent.iter().all(|seed| (0..=0x7fff_ffff).contains(seed)), "{sent:?}");
    assert_eq!(sent[..4], [0, 1, 7, 0x7fff_ffff]);
    assert_ne!(sent[6], sent[7]);
}

#[test]
fn thinking_is_told_by_level_or_budget() {
    use Thinking::{High, Low, Medium, Minimal, None as Off};
    let level = |name: &str| json!({ "thinkingLevel": name, "includeThoughts": true });
    let budget = |tokens: u32| json!({ "thinkingBudget": tokens, "includeThoughts": true });
    let three = levels(&[Low, Medium, High]);
    let four = levels(&[Minimal, Low, Medium, High]);
    let flash = Abilities { thinking_budget: true, ..levels(&[Off, Minimal, Low, Medium, High]) };
    let pro = Abilities { thinking_budget: true, ..levels(&[Minimal, Low, Medium, High]) };
    for (abilities, wanted, expected, max) in [
        (&three, None, level("LOW"), 5296),
        (&three, Some(Off), level("LOW"), 5296),
        (&three, Some(Minimal), level("LOW"), 5296),
        (&three, Some(High), level("HIGH"), 33_968),
        (&four, Some(Minimal), level("MINIMAL"), 2224),
        (&four, Some(Medium), level("MEDIUM"), 13_488),
        (&flash, None, budget(1024), 5296),
        (&flash, Some(Off), budget(0), 1200),
        (&flash, Some(Minimal), budget(512), 2224),
        (&flash, Some(Medium), budget(8192), 13_488),
        (&flash, Some(High), budget(24_576), 33_968),
        (&pro, Some(Off), budget(512), 2224),
        // It thinks as it likes.
        (&levels(&[]), Some(Low), json!({ "includeThoughts": true }), 13_488),
        (&Abilities::default(), Some(High), Value::Null, 1200),
    ] {
        let options = Options { thinking: wanted, ..Options::default() };
        let config = config(&Request { abilities: abilities.clone(), options, ..request() });
        assert_eq!(config["thinkingConfig"], expected, "{wanted:?}");
        assert_eq!(config["maxOutputTokens"], max, "{wanted:?}");
    }
    let short = Abilities { output_tokens: Some(2000), ..three };
    assert_eq!(config(&Request { abilities: short, ..request() })["maxOutputTokens"], 2000);
}

#[test]
fn an_answer_in_json_has_a_schema_and_no_thoughts() {
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["note", "drift"],
        "properties": { "drift": { "type": "integer" }, "note": { "type": "string" } },
    });
    let output = Output::Json { name: "verdict", schema: schema.clone() };
    let abilities = levels(&[Thinking::Low]);
    let config = config(&Request { output, abilities, max_output_tokens: 200, ..request() });
    assert_eq!(config["responseMimeType"], "application/json");
    let mut ordered = schema;
    ordered["propertyOrdering"] = json!(["note", "drift"]);
    assert_eq!(config["responseJsonSchema"], ordered);
    assert_eq!(config["thinkingConfig"]["includeThoughts"], false);
    assert_eq!(config["maxOutputTokens"], 1024 + 4096);
}

#[test]
fn the_filter_has_one_threshold() {
    for (safety, word) in [
        (Safety::Off, "OFF"),
        (Safety::BlockNone, "BLOCK_NONE"),
        (Safety::BlockOnlyHigh, "BLOCK_ONLY_HIGH"),
        (Safety::BlockMediumAndAbove, "BLOCK_MEDIUM_AND_ABOVE"),
        (Safety::BlockLowAndAbove, "BLOCK_LOW_AND_ABOVE"),
    ] {
        let request = request();
        let body = serde_json::to_value(Body::new(&request, safety, &Quirks::new())).unwrap();
        let settings = body["safetySettings"].as_array().unwrap();
        assert_eq!(settings.len(), 4);
        assert!(settings.iter().all(|setting| setting["threshold"] == word), "{settings:?}");
    }
}

#[test]
fn a_count_names_the_model_and_leaves_options_out() {
    let count = serde_json::to_value(Count::new(&request())).unwrap();
    assert_eq!(
        count,
        json!({ "generateContentRequest": {
            "model": "models/gemini-x",
            "systemInstruction": { "parts": [{ "text": "You are Mira.\n\nWrite in the present." }] },
            "contents": [{ "role": "user", "parts": [{ "text": "I sit down." }] }],
        } })
    );
}
