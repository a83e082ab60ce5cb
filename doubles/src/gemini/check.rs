//! What the Gemini API refuses, and with which words.

use serde_json::Value;

use super::error::{Refusal, invalid};
use super::fields::{self, list};
use super::model::{Model, Off, Thinking};
use crate::call::Call;

const CATEGORIES: &[&str] = &[
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_CIVIC_INTEGRITY",
];
const THRESHOLDS: &[&str] =
    &["BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"];

/// The body, which must be a JSON object.
pub(crate) fn body(call: &Call) -> Result<&Value, Refusal> {
    if call.json.is_object() {
        return Ok(&call.json);
    }
    Err(invalid("Invalid JSON payload received. Unexpected token."))
}

/// Everything that is checked before a model writes.
pub(crate) fn generate(json: &Value, model: &Model) -> Result<(), Refusal> {
    fields::request(json)?;
    turns(json)?;
    if !model.continues
        && list(&json["contents"]).last().is_some_and(|turn| turn["role"] == "model")
    {
        return Err(invalid("Requests ending with a model turn are not supported."));
    }
    safety(json)?;
    config(&json["generationConfig"])?;
    thinking(&json["generationConfig"]["thinkingConfig"], model)
}

/// There are turns, of the two roles, with parts in them.
pub(crate) fn turns(json: &Value) -> Result<(), Refusal> {
    let turns = list(&json["contents"]);
    if turns.is_empty() {
        return Err(invalid("* GenerateContentRequest.contents: contents is not specified\n"));
    }
    for (index, turn) in turns.iter().enumerate() {
        let role = turn["role"].as_str().unwrap_or("user");
        if !matches!(role, "user" | "model") {
            return Err(invalid("Please use a valid role: user, model."));
        }
        if list(&turn["parts"]).is_empty() {
            return Err(invalid(format!(
                "* GenerateContentRequest.contents[{index}].parts: contents.parts must not be \
                 empty.\n"
            )));
        }
        for (part_index, part) in list(&turn["parts"]).iter().enumerate() {
            if part.as_object().is_none_or(serde_json::Map::is_empty) {
                return Err(invalid(format!(
                    "* GenerateContentRequest.contents[{index}].parts[{part_index}].data: \
                     required oneof field 'data' must have one initialized field\n"
                )));
            }
        }
    }
    Ok(())
}

fn safety(json: &Value) -> Result<(), Refusal> {
    let mut seen: Vec<&str> = Vec::new();
    for (index, setting) in list(&json["safetySettings"]).iter().enumerate() {
        let category = setting["category"].as_str().unwrap_or_default();
        let threshold = setting["threshold"].as_str().unwrap_or_default();
        if !CATEGORIES.contains(&category) {
            return Err(wrong_enum(index, "category", "HarmCategory", category));
        }
        if !THRESHOLDS.contains(&threshold) {
            let kind = "SafetySetting.HarmBlockThreshold";
            return Err(wrong_enum(index, "threshold", kind, threshold));
        }
        if seen.contains(&category) {
            return Err(invalid(format!(
                "* GenerateContentRequest.safety_settings[{index}]: element predicate failed: \
                 Element with category {category} already exists.\n"
            )));
        }
        seen.push(category);
    }
    Ok(())
}

fn wrong_enum(index: usize, field: &str, kind: &str, value: &str) -> Refusal {
    invalid(format!(
        "Invalid value at 'safety_settings[{index}].{field}' \
         (type.googleapis.com/google.ai.generativelanguage.v1beta.{kind}), \"{value}\""
    ))
}

fn config(config: &Value) -> Result<(), Refusal> {
    if !config["presencePenalty"].is_null() || !config["frequencyPenalty"].is_null() {
        return Err(invalid("Penalty is not enabled for this model"));
    }
    let stops = list(&config["stopSequences"]).len();
    if stops > 5 {
        return Err(invalid(format!(
            "* GenerateContentRequest.generation_config.stop_sequences: number of stop \
             sequences must be between 0 and 5 but was {stops}\n"
        )));
    }
    if config["temperature"].as_f64().is_some_and(|value| !(0.0..=2.0).contains(&value)) {
        return Err(invalid(
            "* GenerateContentRequest.generation_config.temperature: temperature must be in the \
             range [0.0, 2.0].\n",
        ));
    }
    if config["maxOutputTokens"].as_i64().is_some_and(|value| value < 1) {
        return Err(invalid(
            "* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens \
             must be positive.\n",
        ));
    }
    if !config["seed"].is_null()
        && config["seed"].as_i64().and_then(|s| i32::try_from(s).ok()).is_none()
    {
        return Err(invalid(format!(
            "Invalid value at 'generation_config.seed' (TYPE_INT32), {}",
            config["seed"]
        )));
    }
    schema(config)
}

fn schema(config: &Value) -> Result<(), Refusal> {
    let mime = config["responseMimeType"].as_str().unwrap_or("text/plain");
    if !matches!(mime, "text/plain" | "application/json" | "text/x.enum") {
        return Err(invalid(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes \
             are `text/plain`, `application/json`, `application/xml`, `application/yaml` and \
             `text/x.enum`.\n",
        ));
    }
    let (plain, json) = (&config["responseSchema"], &config["responseJsonSchema"]);
    if !plain.is_null() && !json.is_null() {
        return Err(invalid(
            "* GenerateContentRequest.generation_config: only one of response_schema and \
             response_json_schema may be set.\n",
        ));
    }
    if (!plain.is_null() || !json.is_null()) && mime == "text/plain" {
        return Err(invalid(
            "* GenerateContentRequest.generation_config.response_schema: response_schema is \
             only allowed for response mime types `application/json` and `text/x.enum`.\n",
        ));
    }
    Ok(())
}

fn thinking(config: &Value, model: &Model) -> Result<(), Refusal> {
    let (budget, level) = (&config["thinkingBudget"], &config["thinkingLevel"]);
    if !budget.is_null() && !level.is_null() {
        return Err(invalid("You can only set only one of thinking budget and thinking level."));
    }
    if let Some(level) = level.as_str() {
        let Thinking::Levels(levels) = model.thinking else {
            return Err(invalid("Thinking level is not supported for this model."));
        };
        if !levels.contains(&level) {
            return Err(invalid(format!(
                "Thinking level {level} is not supported for this model. Please retry with \
                 other thinking level."
            )));
        }
    }
    match (budget.as_i64(), model.thinking) {
        (Some(0), Thinking::Budget(_, _, Off::Impossible)) => {
            Err(invalid("Budget 0 is invalid. This model only works in thinking mode."))
        }
        (Some(budget), Thinking::Budget(low, high, _))
            if budget != -1 && budget != 0 && !(low..=high).contains(&budget) =>
        {
            Err(invalid(format!(
                "The thinking budget {budget} is invalid. Please choose a value between {low} \
                 and {high}."
            )))
        }
        (Some(_), Thinking::Never) => Err(invalid("Thinking is not enabled for this model.")),
        _ => Ok(()),
    }
}
