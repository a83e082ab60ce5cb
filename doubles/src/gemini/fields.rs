//! The fields that the Gemini API knows. Anything else is refused.
//!
//! The real API also takes names in `snake_case`; the double does not, since a client
//! that mixes both has made a mistake.

use serde_json::Value;

use super::error::{self, Refusal};

const REQUEST: &[&str] = &[
    "model",
    "contents",
    "systemInstruction",
    "generationConfig",
    "safetySettings",
    "tools",
    "toolConfig",
    "cachedContent",
    "serviceTier",
    "store",
];
const CONTENT: &[&str] = &["role", "parts"];
const PART: &[&str] = &[
    "text",
    "thought",
    "thoughtSignature",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "videoMetadata",
    "mediaResolution",
    "partMetadata",
];
const CONFIG: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "maxOutputTokens",
    "stopSequences",
    "candidateCount",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "responseLogprobs",
    "logprobs",
    "thinkingConfig",
    "speechConfig",
    "imageConfig",
    "mediaResolution",
    "enableEnhancedCivicAnswers",
];
const THINKING: &[&str] = &["thinkingBudget", "thinkingLevel", "includeThoughts"];
const SAFETY: &[&str] = &["category", "threshold"];
const SCHEMA: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "propertyOrdering",
    "default",
    "additionalProperties",
];
const EMBED: &[&str] = &["model", "content", "taskType", "title", "outputDimensionality"];

/// Every field of a request for text.
pub(crate) fn request(json: &Value) -> Result<(), Refusal> {
    known(json, REQUEST, "")?;
    for (index, content) in list(&json["contents"]).iter().enumerate() {
        self::content(content, &format!("contents[{index}]"))?;
    }
    content(&json["systemInstruction"], "system_instruction")?;
    for (index, setting) in list(&json["safetySettings"]).iter().enumerate() {
        known(setting, SAFETY, &format!("safety_settings[{index}]"))?;
    }
    let config = &json["generationConfig"];
    known(config, CONFIG, "generation_config")?;
    known(&config["thinkingConfig"], THINKING, "generation_config.thinking_config")?;
    schema(&config["responseSchema"], "generation_config.response_schema")
}

/// Every field of a request for one vector.
pub(crate) fn embedding(json: &Value, at: &str) -> Result<(), Refusal> {
    known(json, EMBED, at)?;
    let dot = if at.is_empty() { "" } else { "." };
    content(&json["content"], &format!("{at}{dot}content"))
}

/// Every field of a turn.
pub(crate) fn content(json: &Value, at: &str) -> Result<(), Refusal> {
    known(json, CONTENT, at)?;
    for (index, part) in list(&json["parts"]).iter().enumerate() {
        known(part, PART, &format!("{at}.parts[{index}]"))?;
    }
    Ok(())
}

/// A list's values; nothing if it is none.
pub(crate) fn list(json: &Value) -> &[Value] {
    json.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn known(json: &Value, fields: &[&str], at: &str) -> Result<(), Refusal> {
    let names = json.as_object().into_iter().flat_map(|object| object.keys());
    for name in names {
        if !fields.contains(&name.as_str()) {
            return Err(error::unknown_field(name, at));
        }
    }
    Ok(())
}

/// The names of properties are free; only what describes them is checked.
fn schema(json: &Value, at: &str) -> Result<(), Refusal> {
    const TYPES: &[&str] = &["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"];
    if !json.is_object() {
        return Ok(());
    }
    known(json, SCHEMA, at)?;
    if let Some(kind) = json["type"].as_str().filter(|kind| !TYPES.contains(kind)) {
        return Err(error::invalid(format!(
            "Invalid value at '{at}.type' \
             (type.googleapis.com/google.ai.generativelanguage.v1beta.Type), \"{kind}\""
        )));
    }
    for (name, property) in json["properties"].as_object().into_iter().flatten() {
        schema(property, &format!("{at}.properties[0].value.{name}"))?;
    }
    for option in list(&json["anyOf"]) {
        schema(option, &format!("{at}.any_of[0]"))?;
    }
    schema(&json["items"], &format!("{at}.items"))
}
