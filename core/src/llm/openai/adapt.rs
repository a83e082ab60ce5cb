//! What a refusal teaches about a model, so that it is asked in another form. Pure.
//!
//! A lesson is learned only from the words of a server that refuses, and each
//! one makes a request smaller or plainer: learning ends.

use super::{
    failure::Failure,
    profile::{JsonForm, Profile, ThinkingField},
    request::{Body, Learned, json_form},
};
use crate::llm::LlmErrorKind;

/// Fields that a request can do without.
const SPARE: [&str; 20] = [
    "stream_options",
    "seed",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "repeat_penalty",
    "rep_pen",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "reasoning_effort",
    "reasoning",
    "chat_template_kwargs",
    "template_vars",
    "continue_final_message",
    "add_generation_prompt",
    "max_tokens",
    "max_completion_tokens",
];

/// Words of a server that does not take a field.
const REFUSAL: [&str; 13] = [
    "unsupported",
    "not support",
    "n't support",
    "unknown",
    "unrecognized",
    "unexpected",
    "not permitted",
    "not allowed",
    "invalid parameter",
    "invalid argument",
    "invalid field",
    "not enabled",
    "extra_forbidden",
];

/// What to do otherwise after a refusal; none if nothing is left.
pub(super) fn adapt(
    learned: &Learned,
    failure: &Failure,
    sent: &Body,
    profile: Profile,
) -> Option<Learned> {
    let (status, kind) = (failure.status, failure.error().kind);
    let refuses = match kind {
        LlmErrorKind::BadRequest => true,
        LlmErrorKind::ModelNotFound | LlmErrorKind::Overloaded => matches!(status, 404 | 500 | 501),
        LlmErrorKind::RateLimited
        | LlmErrorKind::Quota
        | LlmErrorKind::Auth
        | LlmErrorKind::ContextOverflow
        | LlmErrorKind::Blocked
        | LlmErrorKind::Loading
        | LlmErrorKind::Unreachable
        | LlmErrorKind::Timeout
        | LlmErrorKind::Cut
        | LlmErrorKind::Empty
        | LlmErrorKind::Protocol => false,
    };
    if !refuses {
        return None;
    }
    let words = failure.words();
    let mut next = learned.clone();
    // A server that fails is not one that refuses, unless it blames the form.
    let learns = (status < 500 && roles(&mut next, &words))
        || json(&mut next, &words, sent, profile)
        || (status < 500 && field(&mut next, failure, &words, sent, profile));
    learns.then_some(next)
}

fn roles(learned: &mut Learned, words: &str) -> bool {
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    let system = says(&["system role", "system message", "system prompt", "developer instruction"])
        || says(&["\"system\"", "'system'", "only user and assistant roles"]);
    if system && says(&["not support", "unsupported", "n't support", "not enabled", "only user"]) {
        return !std::mem::replace(&mut learned.fold_system, true);
    }
    let alternate = says(&["must alternate", "roles must", "should alternate"])
        || (says(&["first message", "start with", "begin with"]) && words.contains("user"));
    if !alternate {
        return false;
    }
    if !std::mem::replace(&mut learned.strict_roles, true) {
        return true;
    }
    // Some templates that know no system message say this of it.
    !std::mem::replace(&mut learned.fold_system, true)
}

fn json(learned: &mut Learned, words: &str, sent: &Body, profile: Profile) -> bool {
    let blamed = ["response_format", "json_schema", "json_object", "json schema", "grammar"]
        .iter()
        .any(|word| words.contains(word));
    // No provider behind the router takes all that was required.
    let routed = sent.has("provider") && words.contains("no endpoints found");
    let asks = json_form(profile, learned) != JsonForm::Prompt && sent.has("response_format");
    if asks && (blamed || routed) {
        learned.json_rung += 1;
        return true;
    }
    false
}

fn field(
    learned: &mut Learned,
    failure: &Failure,
    words: &str,
    sent: &Body,
    profile: Profile,
) -> bool {
    if !REFUSAL.iter().any(|word| words.contains(word)) {
        return false;
    }
    let blamed = |name: &&&str| {
        sent.has(name) && (failure.param.as_deref() == Some(**name) || names(words, name))
    };
    let name = SPARE.iter().find(blamed).copied().or_else(|| thinking(words, sent, profile));
    name.is_some_and(|name| learned.refused.insert(name))
}

/// The field for thinking, if the model is said not to think.
fn thinking(words: &str, sent: &Body, profile: Profile) -> Option<&'static str> {
    let name = match profile.traits().thinking {
        ThinkingField::No => return None,
        ThinkingField::Effort => "reasoning_effort",
        ThinkingField::Template(name) => name,
        ThinkingField::Reasoning => "reasoning",
    };
    let blamed = words.contains("thinking") || words.contains("reasoning");
    (blamed && sent.has(name)).then_some(name)
}

/// Whether the words name a field, and not only a longer one.
fn names(words: &str, field: &str) -> bool {
    let part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    words.match_indices(field).any(|(at, _)| {
        let (before, after) = words.split_at(at);
        let after = after.strip_prefix(field).unwrap_or_default();
        !before.ends_with(part) && !after.starts_with(part)
    })
}
