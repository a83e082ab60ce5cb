//! What is posted for a reply. Pure.
//!
//! The same request is the same bytes, and what changes from turn to turn stands
//! last: servers keep what they computed for a prompt's unchanged beginning.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

use super::profile::{JsonForm, Prefill, Profile, ThinkingField};
use crate::llm::{Options, Output, Request, Role, Sampler, Thinking, request::BLOCK_SEPARATOR};

/// What answers have taught about a model, beside its server's profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Learned {
    /// Its template knows no system message.
    pub(super) fold_system: bool,
    /// Its template insists that roles alternate, the user first.
    pub(super) strict_roles: bool,
    /// Fields it refuses.
    pub(super) refused: BTreeSet<&'static str>,
    /// How many forms of asking for JSON it refuses.
    pub(super) json_rung: usize,
    /// It thinks, although nobody said so.
    pub(super) thinks: bool,
}

/// The opener for templates that want the user to begin.
const OPENER: &str = "[Start]";
/// Fields that `options.extra` cannot set.
const OURS: [&str; 3] = ["model", "messages", "stream"];

/// The body of a chat completion: its fields in the order in which they are written.
#[derive(Debug)]
pub(super) struct Body {
    fields: Vec<(String, Value)>,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

impl Body {
    /// What is asked of a server of this kind, given what is known of the model.
    pub(super) fn new(request: &Request, profile: Profile, learned: &Learned) -> Self {
        let mut body = Self { fields: Vec::with_capacity(16) };
        body.put("model", request.model.clone());
        body.put("messages", json!(messages(request, learned)));
        body.put("stream", true);
        let mut offers = Self { fields: Vec::new() };
        offers.offer(request, profile, learned);
        let taken = |(name, _): &(String, Value)| !learned.refused.contains(name.as_str());
        body.fields.extend(offers.fields.into_iter().filter(taken));
        body.merge(&request.options.extra);
        body
    }

    /// Whether a field is sent.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, _)| field == name)
    }

    /// The bytes.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.push((name.to_owned(), value.into()));
    }

    /// Everything that a server may refuse.
    fn offer(&mut self, request: &Request, profile: Profile, learned: &Learned) {
        let traits = profile.traits();
        self.put("stream_options", json!({ "include_usage": true }));
        // Who refuses the one name takes the other.
        let names = [traits.length, other_length(traits.length)];
        if let Some(name) = names.into_iter().find(|name| !learned.refused.contains(name)) {
            self.put(name, max_tokens(request, learned));
        }
        for (sampler, name) in traits.samplers {
            if request.abilities.samplers.contains(sampler)
                && let Some(value) = sampled(*sampler, request)
            {
                self.put(name, value);
            }
        }
        let stops: Vec<&String> =
            request.stop.iter().filter(|stop| !stop.is_empty()).take(traits.stops).collect();
        if !stops.is_empty() {
            self.put("stop", json!(stops));
        }
        if let Some(level) = level(request)
            && let Some((name, value)) = thinking(traits.thinking, level)
        {
            self.put(name, value);
        }
        let continues = request.turns.last().is_some_and(|turn| turn.role == Role::Model);
        if continues && traits.prefill == Prefill::Flag {
            self.put("continue_final_message", true);
            self.put("add_generation_prompt", false);
        }
        if let Output::Json { name, schema } = &request.output {
            self.put_form(json_form(profile, learned), name, schema);
        }
    }

    fn put_form(&mut self, form: JsonForm, name: &str, schema: &Value) {
        let strict = || {
            let schema = json!({ "name": name, "strict": true, "schema": schema });
            json!({ "type": "json_schema", "json_schema": schema })
        };
        match form {
            JsonForm::Schema => self.put("response_format", strict()),
            JsonForm::RequiredSchema => {
                self.put("response_format", strict());
                self.put("provider", json!({ "require_parameters": true }));
            }
            JsonForm::Object(kind) => self.put("response_format", json!({ "type": kind })),
            JsonForm::Prompt => {}
        }
    }

    /// What an operator adds stands as it is, last, and instead of ours.
    fn merge(&mut self, extra: &Map<String, Value>) {
        for (name, value) in extra {
            if OURS.contains(&name.as_str()) {
                continue;
            }
            self.fields.retain(|(field, _)| field != name);
            self.put(name, value.clone());
        }
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The form in which a model is asked for JSON by now.
pub(super) fn json_form(profile: Profile, learned: &Learned) -> JsonForm {
    profile.traits().json.get(learned.json_rung).copied().unwrap_or(JsonForm::Prompt)
}

/// The limit of output tokens has two names.
fn other_length(name: &str) -> &'static str {
    if name == "max_tokens" { "max_completion_tokens" } else { "max_tokens" }
}

/// The conversation: the system's text, then turns that alternate.
fn messages(request: &Request, learned: &Learned) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::with_capacity(request.turns.len() + 2);
    let system = request.system_text();
    if learned.strict_roles && request.turns.first().is_none_or(|turn| turn.role == Role::Model) {
        messages.push(Message { role: "user", content: OPENER.to_owned() });
    }
    for turn in &request.turns {
        let role = role(turn.role);
        match messages.last_mut() {
            Some(last) if last.role == role => append(&mut last.content, &turn.text()),
            Some(_) | None => messages.push(Message { role, content: turn.text() }),
        }
    }
    if let (Output::Json { schema, .. }, Some(last)) = (&request.output, messages.last_mut()) {
        // Servers that ignore the field in silence are asked in words.
        let wish =
            format!("Answer with one JSON object and nothing else. Its JSON Schema: {schema}");
        append(&mut last.content, &wish);
    }
    match messages.first_mut() {
        _ if system.is_empty() => {}
        Some(first) if learned.fold_system && first.role == "user" => {
            first.content = format!("{system}{BLOCK_SEPARATOR}{}", first.content);
        }
        Some(_) | None => {
            let role = if learned.fold_system { "user" } else { "system" };
            messages.insert(0, Message { role, content: system });
        }
    }
    messages
}

fn append(content: &mut String, text: &str) {
    content.push_str(BLOCK_SEPARATOR);
    content.push_str(text);
}

fn role(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Model => "assistant",
    }
}

/// The value of a sampler, if it is set.
fn sampled(sampler: Sampler, request: &Request) -> Option<Value> {
    let Options { temperature, top_p, top_k, min_p, .. } = request.options;
    let Options { repetition_penalty, presence_penalty, frequency_penalty, .. } = request.options;
    match sampler {
        Sampler::Temperature => temperature.map(decimal),
        Sampler::TopP => top_p.map(decimal),
        Sampler::TopK => top_k.map(Value::from),
        Sampler::MinP => min_p.map(decimal),
        Sampler::RepetitionPenalty => repetition_penalty.map(decimal),
        Sampler::PresencePenalty => presence_penalty.map(decimal),
        Sampler::FrequencyPenalty => frequency_penalty.map(decimal),
        // All servers read a positive number of 31 bits as the same one.
        Sampler::Seed => Some((request.seed & 0x7fff_ffff).into()),
    }
}

/// As it was written: 0.9, not the 0.8999999761581421 that the nearest `f32` is.
fn decimal(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// The level of thinking that is asked for, if one is and the model has levels.
fn level(request: &Request) -> Option<Thinking> {
    request.options.thinking.and_then(|wanted| request.abilities.nearest_thinking(wanted))
}

fn thinking(field: ThinkingField, level: Thinking) -> Option<(&'static str, Value)> {
    let effort = match level {
        Thinking::None => "none",
        Thinking::Minimal => "minimal",
        Thinking::Low => "low",
        Thinking::Medium => "medium",
        Thinking::High => "high",
    };
    let thinks = level != Thinking::None;
    match field {
        ThinkingField::No => None,
        ThinkingField::Effort => {
            Some(("reasoning_effort", if effort == "minimal" { "low" } else { effort }.into()))
        }
        ThinkingField::Template(name) => Some((name, json!({ "enable_thinking": thinks }))),
        ThinkingField::Reasoning if thinks => {
            Some(("reasoning", json!({ "effort": effort, "exclude": false })))
        }
        ThinkingField::Reasoning => Some(("reasoning", json!({ "enabled": false }))),
    }
}

/// The limit of the reply and, since servers count them together, of thoughts.
fn max_tokens(request: &Request, learned: &Learned) -> u32 {
    let abilities = &request.abilities;
    let room = match level(request) {
        Some(Thinking::Minimal) => 512,
        Some(Thinking::Low) => 1024,
        Some(Thinking::Medium) => 4096,
        Some(Thinking::High) => 8192,
        None if abilities.thinks || learned.thinks => 4096,
        Some(Thinking::None) | None => 0,
    };
    // Some servers refuse a limit that leaves no place for the prompt.
    let room = room.min(abilities.context_tokens / 4);
    let wanted = request.max_output_tokens.saturating_add(room);
    abilities.output_tokens.map_or(wanted, |most| wanted.min(most))
}
