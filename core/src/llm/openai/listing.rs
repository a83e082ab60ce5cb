//! The models that a server says it has, and how much they hold.
//!
//! The standard list tells ids only. How many tokens a model holds is said
//! elsewhere and differently by each server; what is not said soon is not known.

use futures_util::future::OptionFuture;
use serde_json::Value;

use super::{
    OpenAi, Profile,
    detect::{probe, root},
};
use crate::llm::{Listed, LlmError, LlmErrorKind, Price};

/// What Ollama holds if it is not told otherwise; longer prompts it cuts in silence.
const OLLAMA_CONTEXT: u32 = 4096;

/// Parts of the names of models that embed.
const EMBEDDERS: [&str; 8] =
    ["embed", "bge-", "nomic", "e5-", "gte-", "minilm", "stella-", "jina-clip"];

pub(super) async fn list(server: &OpenAi) -> Result<Vec<Listed>, LlmError> {
    let answer = server.http.send(server.call("/models", None)).await?;
    if !answer.is_success() {
        let failure = super::failure(answer, server.config.key.as_ref()).await?;
        return Err(failure.error());
    }
    let text = answer.text().await?;
    let models: Vec<Listed> = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|value| Some(value.get("data")?.as_array()?.iter().filter_map(listed).collect()))
        .ok_or_else(|| LlmError::new(LlmErrorKind::Protocol).detail("no list of models"))?;
    let more: OptionFuture<_> = more(server)
        .map(|url| {
            let key = server.config.key.as_ref();
            async move { probe(url, key, &server.http).await }
        })
        .into();
    let more = more.await.flatten();
    Ok(models.into_iter().map(|model| describe(model, server.profile(), more.as_ref())).collect())
}

/// Where a server says more of its models.
fn more(server: &OpenAi) -> Option<String> {
    let base = server.config.base_url.as_str();
    let root = root(base);
    match server.profile() {
        Profile::Ollama => Some(format!("{root}/api/ps")),
        Profile::LlamaCpp => Some(format!("{root}/props")),
        Profile::LmStudio => Some(format!("{root}/api/v0/models")),
        Profile::KoboldCpp => Some(format!("{root}/api/extra/true_max_context_length")),
        Profile::TabbyApi => Some(format!("{base}/model")),
        Profile::Generic | Profile::Vllm | Profile::OpenRouter => None,
    }
}

/// An entry of the standard list, with what servers add to it.
fn listed(entry: &Value) -> Option<Listed> {
    let id = entry.get("id")?.as_str()?.to_owned();
    let number = |path: &str| entry.pointer(path).and_then(tokens);
    let context = ["/context_length", "/max_model_len", "/parameters/max_seq_len"]
        .into_iter()
        .chain(["/max_context_length", "/meta/n_ctx", "/meta/n_ctx_train"])
        .find_map(number);
    Some(Listed {
        name: entry.get("name").and_then(Value::as_str).map(str::to_owned),
        context_tokens: context,
        output_tokens: number("/top_provider/max_completion_tokens"),
        embeds: embeds(&id, entry),
        price: entry.get("pricing").and_then(price),
        id,
    })
}

/// A model, with what its server says of it elsewhere.
fn describe(model: Listed, profile: Profile, more: Option<&Value>) -> Listed {
    let number = |path: &str| more.and_then(|more| more.pointer(path)).and_then(tokens);
    let entry = |list: &str, id: &str| {
        let entries = more.and_then(|more| more.pointer(list)).and_then(Value::as_array);
        entries.into_iter().flatten().find(|entry| entry.get(id).is_some_and(|id| *id == *model.id))
    };
    let of = |entry: Option<&Value>, name: &str| {
        entry.and_then(|entry| entry.get(name)).and_then(tokens)
    };
    let mut embeds = model.embeds;
    let known = match profile {
        Profile::Generic | Profile::Vllm | Profile::OpenRouter => None,
        Profile::Ollama => {
            let running = entry("/models", "model").or_else(|| entry("/models", "name"));
            of(running, "context_length").or(Some(OLLAMA_CONTEXT))
        }
        // What the slot holds, not what the model was trained for.
        Profile::LlamaCpp => number("/default_generation_settings/n_ctx"),
        Profile::LmStudio => {
            let entry = entry("/data", "id");
            embeds |= entry
                .is_some_and(|entry| entry.get("type").is_some_and(|kind| kind == "embeddings"));
            of(entry, "loaded_context_length").or_else(|| of(entry, "max_context_length"))
        }
        Profile::KoboldCpp => number("/value"),
        Profile::TabbyApi => {
            let loaded = more.and_then(|more| more.get("id")).is_some_and(|id| *id == *model.id);
            loaded.then(|| number("/parameters/max_seq_len")).flatten()
        }
    };
    Listed { context_tokens: known.or(model.context_tokens), embeds, ..model }
}

/// Whether a model embeds: by what its server says, or by its name.
fn embeds(id: &str, entry: &Value) -> bool {
    let kinds = ["/type", "/task", "/architecture/modality", "/architecture/output_modalities/0"];
    let said = |path: &str| entry.pointer(path)?.as_str().map(str::to_ascii_lowercase);
    let id = id.to_ascii_lowercase();
    kinds.into_iter().filter_map(said).any(|kind| kind.contains("embed"))
        || EMBEDDERS.iter().any(|name| begins_word(&id, name))
}

/// Whether a word of the name begins so.
fn begins_word(id: &str, part: &str) -> bool {
    id.match_indices(part).any(|(at, _)| {
        let (before, _) = id.split_at(at);
        !before.ends_with(|char: char| char.is_ascii_alphanumeric())
    })
}

/// Prices for a token, as text, are given for a million here.
fn price(pricing: &Value) -> Option<Price> {
    let million = |name: &str| {
        let value = pricing.get(name)?;
        let token = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
        // Twelve digits are more than any price has, and hide how floats multiply.
        (token >= 0.0).then(|| (token * 1e18).round() / 1e12)
    };
    Some(Price {
        input: million("prompt")?,
        cached_input: million("input_cache_read"),
        output: million("completion")?,
        ..Price::default()
    })
}

fn tokens(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|tokens| u32::try_from(tokens).ok()).filter(|tokens| *tokens > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn models_that_embed_are_told_by_name_or_type() {
        for (id, entry, expected) in [
            ("nomic-embed-text:latest", json!({}), true),
            ("text-embedding-3-small", json!({}), true),
            ("BAAI/bge-m3", json!({}), true),
            ("intfloat/multilingual-e5-large", json!({}), true),
            ("all-minilm", json!({}), true),
            ("mxbai-embed-large", json!({}), true),
            ("x", json!({ "type": "embeddings" }), true),
            ("x", json!({ "architecture": { "output_modalities": ["embeddings"] } }), true),
            ("x", json!({ "type": "llm" }), false),
            ("llama3.1:8b", json!({}), false),
            ("claude3e5-x", json!({}), false),
        ] {
            assert_eq!(embeds(id, &entry), expected, "{id} {entry}");
        }
    }

    #[test]
    fn a_router_lists_prices() {
        let entry = json!({
            "id": "a/b", "name": "B", "context_length": 131_072,
            "top_provider": { "max_completion_tokens": 8192 },
            "pricing": { "prompt": "0.00000075", "completion": "0.00000375", "input_cache_read": "0.000000075" },
        });
        let model = listed(&entry).unwrap();
        let price =
            Price { input: 0.75, cached_input: Some(0.075), output: 3.75, ..Price::default() };
        assert_eq!(model.price, Some(price));
        assert_eq!((model.context_tokens, model.output_tokens), (Some(131_072), Some(8192)));
        assert_eq!(
            listed(&json!({ "id": "a", "pricing": { "prompt": "-1", "completion": "-1" } }))
                .unwrap()
                .price,
            None
        );
    }
}
