//! The body of a request, byte for byte the same for the same request. Pure.
//!
//! Fields stand in the order of this file, and what changes from turn to turn
//! stands last: the provider charges less for a beginning that it has seen.

use serde::Serialize;

use super::{
    Safety,
    quirk::{Quirk, Quirks},
};
use crate::llm::{
    Abilities, LastTurn, Output, Request, Role, Sampler, Thinking, Turn, request::BLOCK_SEPARATOR,
};

/// A conversation must begin with the player; who has said nothing yet says this.
const OPENER: &str = "[Start]";
/// What the player says where a model may not go on from its own words.
const CONTINUE: &str = "[Continue]";
/// More are refused.
const MAX_STOPS: usize = 5;
/// The least that an answer in JSON gets: a cut one is worth nothing.
const MIN_JSON_TOKENS: u32 = 1024;
/// How much a model thinks if nobody said: thought is the larger part of what a reply costs.
const DEFAULT_THINKING: Thinking = Thinking::Low;

/// What `streamGenerateContent` takes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction>,
    contents: Vec<Content>,
    generation_config: Config<'a>,
    safety_settings: [SafetySetting; 4],
}

/// What `countTokens` takes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Count {
    generate_content_request: Counted,
}

/// Options do not change the size of a prompt, so they are left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction>,
    contents: Vec<Content>,
}

#[derive(Debug, Serialize)]
struct Instruction {
    parts: [Part; 1],
}

#[derive(Debug, Serialize)]
struct Content {
    role: &'static str,
    parts: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct Part {
    text: String,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    max_output_tokens: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "thinkingConfig")]
    thinking: Option<ThinkingConfig>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u32>,
    include_thoughts: bool,
}

#[derive(Debug, Serialize)]
struct SafetySetting {
    category: &'static str,
    threshold: Safety,
}

impl<'a> Body<'a> {
    pub(super) fn new(request: &'a Request, safety: Safety, quirks: &Quirks) -> Self {
        Self {
            system_instruction: instruction(request),
            contents: contents(request),
            generation_config: Config::new(request, quirks),
            safety_settings: [
                "HARM_CATEGORY_HARASSMENT",
                "HARM_CATEGORY_HATE_SPEECH",
                "HARM_CATEGORY_SEXUALLY_EXPLICIT",
                "HARM_CATEGORY_DANGEROUS_CONTENT",
            ]
            .map(|category| SafetySetting { category, threshold: safety }),
        }
    }
}

impl Count {
    pub(super) fn new(request: &Request) -> Self {
        Self {
            generate_content_request: Counted {
                model: format!("models/{}", request.model),
                system_instruction: instruction(request),
                contents: contents(request),
            },
        }
    }
}

/// One part for all blocks: not every model reads further ones.
fn instruction(request: &Request) -> Option<Instruction> {
    let blocks = request.system.iter().map(String::as_str).filter(|block| has_words(block));
    let text = blocks.collect::<Vec<_>>().join(BLOCK_SEPARATOR);
    has_words(&text).then_some(Instruction { parts: [Part { text }] })
}

fn contents(request: &Request) -> Vec<Content> {
    let mut contents: Vec<Content> = Vec::new();
    for turn in &request.turns {
        append(&mut contents, turn);
    }
    if contents.first().is_none_or(|first| first.role != role(Role::User)) {
        contents.insert(0, Content::user(OPENER));
    }
    let last = contents.last().map(|content| content.role);
    if request.abilities.last_turn == LastTurn::User && last == Some(role(Role::Model)) {
        contents.push(Content::user(CONTINUE));
    }
    contents
}

/// Adds a turn, or its parts where the same side has just spoken.
///
/// The wire format does not say what stands between two parts, so each brings
/// its distance to the one before; those that are there never change.
fn append(contents: &mut Vec<Content>, turn: &Turn) {
    let role = role(turn.role);
    for block in turn.blocks.iter().filter(|block| has_words(block)) {
        match contents.last_mut().filter(|last| last.role == role) {
            Some(last) => last.parts.push(Part { text: format!("{BLOCK_SEPARATOR}{block}") }),
            None => contents.push(Content { role, parts: vec![Part { text: block.clone() }] }),
        }
    }
}

impl Content {
    fn user(text: &str) -> Self {
        Self { role: role(Role::User), parts: vec![Part { text: text.to_owned() }] }
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Model => "model",
    }
}

fn has_words(text: &str) -> bool {
    !text.trim().is_empty()
}

impl<'a> Config<'a> {
    fn new(request: &'a Request, quirks: &Quirks) -> Self {
        let Request { abilities, options, .. } = request;
        let takes = |sampler| abilities.samplers.contains(&sampler);
        let chosen = |sampler, value: Option<f32>| {
            value.filter(|value| {
                value.is_finite() && takes(sampler) && !quirks.contains(&Quirk::Samplers)
            })
        };
        let fine =
            |sampler, value| chosen(sampler, value).filter(|_| !quirks.contains(&Quirk::Penalties));
        let (response_mime_type, response_json_schema) = match &request.output {
            Output::Prose => (None, None),
            Output::Json { schema, .. } => (Some("application/json"), Some(ordered(schema))),
        };
        Self {
            max_output_tokens: max_output_tokens(request, quirks),
            stop_sequences: stops(&request.stop),
            temperature: chosen(Sampler::Temperature, options.temperature),
            top_p: chosen(Sampler::TopP, options.top_p),
            top_k: options
                .top_k
                .filter(|_| takes(Sampler::TopK) && !quirks.contains(&Quirk::Samplers)),
            presence_penalty: fine(Sampler::PresencePenalty, options.presence_penalty),
            frequency_penalty: fine(Sampler::FrequencyPenalty, options.frequency_penalty),
            seed: takes(Sampler::Seed).then(|| seed(request.seed)),
            response_mime_type,
            response_json_schema,
            thinking: thinking_config(request, quirks),
        }
    }
}

fn stops(stops: &[String]) -> Vec<&str> {
    stops.iter().map(String::as_str).filter(|stop| !stop.is_empty()).take(MAX_STOPS).collect()
}

/// The wire has 32 bits with a sign; what differed above them still differs.
fn seed(seed: u64) -> i32 {
    let folded = (seed ^ (seed >> 31) ^ (seed >> 62)) & 0x7fff_ffff;
    i32::try_from(folded).unwrap_or_default()
}

/// The schema, whose properties are written in the order in which they are required.
///
/// A note that is to be thought of before the verdict has to be written before it.
fn ordered(schema: &serde_json::Value) -> serde_json::Value {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut()
        && let Some(required) = object.get("required").cloned()
        && !object.contains_key("propertyOrdering")
    {
        object.insert("propertyOrdering".to_owned(), required);
    }
    schema
}

/// What the model is told to think, or would if it listened.
fn level(abilities: &Abilities, wanted: Option<Thinking>) -> Thinking {
    let wanted = wanted.unwrap_or(DEFAULT_THINKING);
    abilities.nearest_thinking(wanted).unwrap_or(wanted)
}

/// Whether the model can be told how much to think.
fn is_told(abilities: &Abilities, quirks: &Quirks) -> bool {
    let can = abilities.thinking_budget || !abilities.thinking.is_empty();
    let has_refused =
        quirks.contains(&Quirk::ThinkingLevel) || quirks.contains(&Quirk::ThinkingConfig);
    abilities.thinks && can && !has_refused
}

fn thinking_config(request: &Request, quirks: &Quirks) -> Option<ThinkingConfig> {
    let abilities = &request.abilities;
    if !abilities.thinks || quirks.contains(&Quirk::ThinkingConfig) {
        return None;
    }
    let level = Some(level(abilities, request.options.thinking));
    let level = level.filter(|_| is_told(abilities, quirks));
    Some(ThinkingConfig {
        thinking_level: level.filter(|_| !abilities.thinking_budget).map(level_name),
        thinking_budget: level.filter(|_| abilities.thinking_budget).map(budget),
        include_thoughts: matches!(request.output, Output::Prose),
    })
}

/// Models with levels cannot be kept from thinking.
fn level_name(level: Thinking) -> &'static str {
    match level {
        Thinking::None | Thinking::Minimal => "MINIMAL",
        Thinking::Low => "LOW",
        Thinking::Medium => "MEDIUM",
        Thinking::High => "HIGH",
    }
}

fn budget(level: Thinking) -> u32 {
    match level {
        Thinking::None => 0,
        Thinking::Minimal => 512,
        Thinking::Low => 1024,
        Thinking::Medium => 8192,
        Thinking::High => 24_576,
    }
}

/// Tokens beside the reply, since thought counts as output.
///
/// Generous: what is not used costs nothing, but too little leaves a reply without a word.
fn room(level: Thinking) -> u32 {
    match level {
        Thinking::None => 0,
        Thinking::Minimal => 1024,
        Thinking::Low => 4096,
        Thinking::Medium => 12_288,
        Thinking::High => 32_768,
    }
}

fn max_output_tokens(request: &Request, quirks: &Quirks) -> u32 {
    let abilities = &request.abilities;
    let reply = match request.output {
        Output::Prose => request.max_output_tokens.max(1),
        Output::Json { .. } => request.max_output_tokens.max(MIN_JSON_TOKENS),
    };
    let thought = match (abilities.thinks, is_told(abilities, quirks)) {
        (false, _) => 0,
        (true, true) if abilities.thinking_budget => {
            room(level(abilities, request.options.thinking))
        }
        // Told not to think, such a model still does, a little.
        (true, true) => room(level(abilities, request.options.thinking).max(Thinking::Minimal)),
        // Nobody knows how much it thinks by itself.
        (true, false) => room(Thinking::Medium),
    };
    let wanted = reply.saturating_add(thought);
    abilities.output_tokens.map_or(wanted, |most| wanted.min(most))
}
