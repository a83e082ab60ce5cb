//! Which kind of server answers at an address.
//!
//! Every kind has something that no other has: a path of its own, or a word in
//! its list of models. Some servers imitate others, so the imitators come first.

use std::time::Duration;

use serde_json::Value;
use skald_base::config::Secret;

use super::{Profile, authorization};
use crate::llm::{
    address::host,
    http::{Call, Http, Timeouts},
};

/// How long one question may take.
const PROBE: Timeouts =
    Timeouts { first_byte: Duration::from_secs(2), idle: Duration::from_secs(2) };

/// What kind of server this is; [`Profile::Generic`] if it does not say.
pub async fn detect(base_url: &str, key: Option<&Secret>, http: &Http) -> Profile {
    recognise(base_url, key, http).await.unwrap_or_default()
}

/// What kind of server this is; none if it is away or not ready to say what it has.
pub(super) async fn recognise(
    base_url: &str,
    key: Option<&Secret>,
    http: &Http,
) -> Option<Profile> {
    if host(base_url)
        .is_some_and(|host| host == "openrouter.ai" || host.ends_with(".openrouter.ai"))
    {
        return Some(Profile::OpenRouter);
    }
    let base = base_url.trim().trim_end_matches('/');
    let root = root(base);
    let ask = |url: String| ask(url, key, http);
    let (kobold, studio, tabby, props, models, version, front) = futures_util::join!(
        ask(format!("{root}/api/extra/version")),
        ask(format!("{root}/api/v0/models")),
        ask(format!("{base}/model")),
        ask(format!("{root}/props")),
        ask(format!("{base}/models")),
        ask(format!("{root}/api/version")),
        ask(format!("{root}/")),
    );
    let owned_by = |owner: &str| models.owners().iter().any(|name| name.contains(owner));
    let kind = if kobold.has("/result", "koboldcpp") || owned_by("koboldcpp") {
        Profile::KoboldCpp
    } else if studio.is_list_with(&["state", "max_context_length"]) {
        Profile::LmStudio
    } else if tabby.has("/owned_by", "tabbyapi") || owned_by("tabbyapi") {
        Profile::TabbyApi
    } else if props.json("/default_generation_settings").is_some()
        || owned_by("llamacpp")
        || models.server.contains("llama.cpp")
    {
        Profile::LlamaCpp
    } else if owned_by("vllm") {
        Profile::Vllm
    } else if version.json("/version").is_some() || front.body.contains("Ollama is running") {
        Profile::Ollama
    } else if models.is_list_with(&["pricing", "supported_parameters"]) {
        Profile::OpenRouter
    } else {
        // Only who says what it has is known to be of no kind.
        return models.json("/data").map(|_| Profile::Generic);
    };
    Some(kind)
}

/// The address without its version, where servers keep what is not OpenAI's.
pub(super) fn root(base: &str) -> &str {
    base.strip_suffix("/v1").unwrap_or(base)
}

/// What a path answers, if it is there and answers soon.
pub(super) async fn probe(url: String, key: Option<&Secret>, http: &Http) -> Option<Value> {
    ask(url, key, http).await.value
}

/// What a server answered to a probe; empty if it did not.
#[derive(Default)]
struct Probe {
    server: String,
    body: String,
    value: Option<Value>,
}

async fn ask(url: String, key: Option<&Secret>, http: &Http) -> Probe {
    let call = Call { url, headers: vec![authorization(key)], body: None, timeouts: PROBE };
    let asked = async {
        let answer = http.send(call).await.ok().filter(super::Answer::is_success)?;
        let server = answer.header("server").unwrap_or_default().to_ascii_lowercase();
        let body = answer.text().await.ok()?;
        Some(Probe { server, value: serde_json::from_str(&body).ok(), body })
    };
    tokio::time::timeout(PROBE.first_byte, asked).await.ok().flatten().unwrap_or_default()
}

impl Probe {
    fn json(&self, path: &str) -> Option<&Value> {
        self.value.as_ref()?.pointer(path)
    }

    /// Whether a text stands there, in whatever case.
    fn has(&self, path: &str, text: &str) -> bool {
        self.json(path)
            .and_then(Value::as_str)
            .is_some_and(|found| found.eq_ignore_ascii_case(text))
    }

    fn entries(&self) -> impl Iterator<Item = &Value> {
        self.json("/data").and_then(Value::as_array).into_iter().flatten()
    }

    fn is_list_with(&self, fields: &[&str]) -> bool {
        self.entries().any(|entry| fields.iter().any(|field| entry.get(field).is_some()))
    }

    /// Who owns the models, in lower case.
    fn owners(&self) -> Vec<String> {
        let owner = |entry: &Value| Some(entry.get("owned_by")?.as_str()?.to_ascii_lowercase());
        self.entries().filter_map(owner).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_has_no_version() {
        assert_eq!(root("http://box:1/v1"), "http://box:1");
        assert_eq!(root("http://box:1/api"), "http://box:1/api");
    }
}
