//! What compatible servers refuse.

use serde_json::Value;

use super::error::{self, Refusal, invalid};
use super::profile::{Rule, Template, Traits};
use crate::call::Call;

const FIELDS: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "user",
    "reasoning_effort",
    "metadata",
    "store",
    "service_tier",
];

/// A list's values; nothing if it is none.
pub(crate) fn list(json: &Value) -> &[Value] {
    json.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The texts where a field takes one text or a list of them.
pub(crate) fn one_or_many(json: &Value) -> impl Iterator<Item = &str> {
    json.as_str().into_iter().chain(list(json).iter().filter_map(Value::as_str))
}

/// The body, which must be a JSON object.
pub(crate) fn body(call: &Call) -> Result<&Value, Refusal> {
    if call.json.is_object() {
        return Ok(&call.json);
    }
    Err(invalid("We could not parse the JSON body of your request."))
}

/// Everything that is checked before a model writes.
pub(crate) fn chat(json: &Value, traits: &Traits) -> Result<(), Refusal> {
    if traits.strict {
        fields(json)?;
    }
    model(json, traits)?;
    messages(json)?;
    template(json, traits.template)?;
    let temperature = json["temperature"].as_f64().unwrap_or(1.0);
    if traits.strict && !(0.0..=2.0).contains(&temperature) {
        return Err(invalid("Invalid 'temperature': must be between 0 and 2."));
    }
    if traits.strict && list(&json["stop"]).len() > 4 {
        return Err(invalid("Invalid 'stop': array too long. Expected at most 4 elements."));
    }
    if !json["stream_options"].is_null() && json["stream"] != true && traits.strict {
        return Err(invalid(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        ));
    }
    wants_json(json, traits).map(drop)
}

/// 404 for a model that is not there; local servers with one model do not look.
pub(crate) fn model(json: &Value, traits: &Traits) -> Result<(), Refusal> {
    let model = json["model"].as_str().unwrap_or_default();
    if traits.strict && model.is_empty() {
        return Err(invalid("you must provide a model parameter"));
    }
    if model == "no-such-model" {
        return Err(error::no_such_model(model));
    }
    Ok(())
}

fn fields(json: &Value) -> Result<(), Refusal> {
    let mut names = json.as_object().into_iter().flat_map(|object| object.keys());
    match names.find(|name| !FIELDS.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(invalid(format!("Unrecognized request argument supplied: {name}"))),
    }
}

fn messages(json: &Value) -> Result<(), Refusal> {
    let messages = list(&json["messages"]);
    if messages.is_empty() {
        return Err(invalid("Invalid 'messages': empty array. Expected at least one message."));
    }
    for (index, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if !matches!(role, "system" | "developer" | "user" | "assistant" | "tool") {
            return Err(invalid(format!("Invalid value: '{role}' at messages[{index}].role.")));
        }
        if !(message["content"].is_string() || message["content"].is_array()) && role != "assistant"
        {
            return Err(invalid(format!("Invalid type for 'messages[{index}].content'.")));
        }
    }
    Ok(())
}

fn template(json: &Value, template: Template) -> Result<(), Refusal> {
    let mut roles: Vec<_> =
        list(&json["messages"]).iter().filter_map(|message| message["role"].as_str()).collect();
    if template == Template::Any {
        return Ok(());
    }
    if template == Template::NoSystem && roles.contains(&"system") {
        return Err(invalid("System role not supported"));
    }
    if roles.first() == Some(&"system") {
        roles.remove(0);
    }
    if template == Template::SystemFirst && roles.contains(&"system") {
        return Err(invalid("System message must be at the beginning."));
    }
    let mut expected = ["user", "assistant"].iter().cycle();
    if template == Template::Alternating && roles.iter().any(|role| expected.next() != Some(role)) {
        return Err(invalid("Conversation roles must alternate user/assistant/user/assistant/..."));
    }
    Ok(())
}

/// Whether the answer will be JSON; an error if this server refuses the wish.
pub(crate) fn wants_json(json: &Value, traits: &Traits) -> Result<bool, Refusal> {
    let format = &json["response_format"];
    let rule = match format["type"].as_str() {
        None | Some("text") => return Ok(false),
        Some("json_object") => traits.json.object,
        Some("json_schema") => traits.json.schema,
        Some("json") => traits.json.json,
        Some(_) => Rule::Refuse,
    };
    // Two forms are in use: inside `json_schema`, and beside the type.
    let nested = &format["json_schema"]["schema"];
    let schema = if nested.is_null() { &format["schema"] } else { nested };
    let wants_schema = format["type"] == "json_schema";
    if wants_schema && !schema.is_object() && rule == Rule::Honour {
        return Err(invalid("Missing required parameter: 'response_format.json_schema.schema'."));
    }
    if wants_schema && traits.strict {
        strict_schema(&format["json_schema"])?;
    }
    match rule {
        Rule::Honour => Ok(true),
        Rule::Ignore => Ok(false),
        Rule::HonourIfGood => Ok(schema["type"].is_string()),
        Rule::Refuse => Err(invalid("'response_format.type' must be 'json_schema' or 'text'")),
    }
}

/// With `strict`, every property is required and no other is allowed.
fn strict_schema(json_schema: &Value) -> Result<(), Refusal> {
    if json_schema["name"].as_str().is_none_or(str::is_empty) {
        return Err(invalid("Missing required parameter: 'response_format.json_schema.name'."));
    }
    let schema = &json_schema["schema"];
    if json_schema["strict"] != true || schema["type"] != "object" {
        return Ok(());
    }
    let name = json_schema["name"].as_str().unwrap_or_default();
    let refuse = |why: &str| {
        Err(invalid(format!("Invalid schema for response_format '{name}': In context=(), {why}")))
    };
    if schema["additionalProperties"] != false {
        return refuse("'additionalProperties' is required to be supplied and to be false.");
    }
    let required = list(&schema["required"]);
    let mut names = schema["properties"].as_object().into_iter().flat_map(|object| object.keys());
    match names.find(|name| !required.iter().any(|required| required == name.as_str())) {
        None => Ok(()),
        Some(name) => refuse(&format!(
            "'required' is required to be supplied and to be an array including every key in \
             properties. Missing '{name}'."
        )),
    }
}
