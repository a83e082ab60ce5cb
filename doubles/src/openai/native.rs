//! What a server tells of itself: its models, and the paths by which it is recognised.

use serde_json::{Value, json};

use super::error::{self, Refusal};
use super::profile::{Profile, Traits};
use crate::call::Call;
use crate::reply::Reply;
use crate::tokens;

/// `GET /v1/models`, with what this server adds.
pub(crate) fn models(profile: Profile, traits: &Traits) -> Reply {
    let owner = match profile {
        Profile::Plain => "gateway",
        Profile::Ollama => "library",
        Profile::LlamaCpp => "llamacpp",
        Profile::Vllm => "vllm",
        Profile::LmStudio => "organization_owner",
        Profile::OpenRouter => "mistralai",
        Profile::KoboldCpp => "koboldcpp",
        Profile::TabbyApi => "tabbyAPI",
    };
    let mut model =
        json!({ "id": traits.model, "object": "model", "created": 1, "owned_by": owner });
    match profile {
        Profile::LlamaCpp => model["meta"] = json!({ "n_ctx_train": 131_072, "vocab_type": 2 }),
        Profile::Vllm => model["max_model_len"] = json!(traits.context),
        Profile::OpenRouter => {
            model["context_length"] = json!(traits.context);
            model["pricing"] = json!({ "prompt": "0.00000002", "completion": "0.00000004" });
            model["supported_parameters"] =
                json!(["max_tokens", "temperature", "top_k", "min_p", "response_format", "stop"]);
        }
        Profile::Plain
        | Profile::Ollama
        | Profile::LmStudio
        | Profile::KoboldCpp
        | Profile::TabbyApi => {}
    }
    Reply::json(200, &json!({ "object": "list", "data": [model] }))
}

/// Every other path; 404 where this server has none.
pub(crate) fn other(profile: Profile, traits: &Traits, call: &Call) -> Result<Reply, Refusal> {
    let known = match profile {
        Profile::Ollama => ollama(traits, call),
        Profile::LlamaCpp => llama_cpp(traits, call),
        Profile::Vllm => vllm(traits, call),
        Profile::LmStudio => lm_studio(traits, call),
        Profile::KoboldCpp => kobold_cpp(traits, call),
        Profile::TabbyApi => tabby_api(traits, call),
        Profile::Plain | Profile::OpenRouter => None,
    };
    known.map(|value| Reply::json(200, &value)).ok_or_else(error::no_such_path)
}

fn ollama(traits: &Traits, call: &Call) -> Option<Value> {
    let details = json!({ "family": "llama", "parameter_size": "8.0B" });
    let entry = json!({ "name": traits.model, "model": traits.model, "details": details });
    match call.path.as_str() {
        "/api/version" => Some(json!({ "version": "0.13.1" })),
        "/api/tags" => Some(json!({ "models": [entry] })),
        "/api/ps" => {
            let mut running = entry;
            running["context_length"] = json!(traits.context);
            Some(json!({ "models": [running] }))
        }
        // What the model was trained for: much more than the server gives it.
        "/api/show" => Some(json!({
            "details": details,
            "model_info": { "general.architecture": "llama", "llama.context_length": 131_072 },
            "capabilities": ["completion"],
        })),
        _ => None,
    }
}

fn llama_cpp(traits: &Traits, call: &Call) -> Option<Value> {
    match call.path.as_str() {
        "/health" => Some(json!({ "status": "ok" })),
        "/props" => Some(json!({
            "default_generation_settings": { "n_ctx": traits.context },
            "total_slots": 1,
            "model_path": traits.model,
            "chat_template": "{{ messages }}",
            "build_info": "b6700-double",
        })),
        "/tokenize" => {
            let text = call.json["content"].as_str().unwrap_or_default();
            Some(json!({ "tokens": (0..tokens::count(text)).collect::<Vec<_>>() }))
        }
        _ => None,
    }
}

fn vllm(traits: &Traits, call: &Call) -> Option<Value> {
    match call.path.as_str() {
        "/version" => Some(json!({ "version": "0.11.0" })),
        "/health" => Some(json!({})),
        "/tokenize" => {
            let count = tokens::count(call.json["prompt"].as_str().unwrap_or_default());
            let tokens: Vec<_> = (0..count).collect();
            Some(json!({ "count": count, "max_model_len": traits.context, "tokens": tokens }))
        }
        _ => None,
    }
}

fn lm_studio(traits: &Traits, call: &Call) -> Option<Value> {
    let model = json!({
        "id": traits.model,
        "object": "model",
        "type": "llm",
        "arch": "qwen3",
        "state": "loaded",
        "max_context_length": 40_960,
        "loaded_context_length": traits.context,
    });
    match call.path.as_str() {
        "/api/v0/models" => Some(json!({ "object": "list", "data": [model] })),
        _ => None,
    }
}

fn kobold_cpp(traits: &Traits, call: &Call) -> Option<Value> {
    match call.path.as_str() {
        "/api/extra/version" => Some(json!({ "result": "KoboldCpp", "version": "1.101" })),
        "/api/v1/model" => Some(json!({ "result": traits.model })),
        "/api/extra/true_max_context_length" | "/api/v1/config/max_context_length" => {
            Some(json!({ "value": traits.context }))
        }
        "/api/extra/abort" => Some(json!({ "success": "true", "done": "true" })),
        _ => None,
    }
}

fn tabby_api(traits: &Traits, call: &Call) -> Option<Value> {
    match call.path.as_str() {
        "/v1/model" => Some(json!({
            "id": traits.model,
            "object": "model",
            "created": 1,
            "owned_by": "tabbyAPI",
            "parameters": { "max_seq_len": traits.context, "cache_size": traits.context },
        })),
        "/health" => Some(json!({ "status": "healthy", "issues": [] })),
        _ => None,
    }
}
