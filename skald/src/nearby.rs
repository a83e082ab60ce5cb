//! Models on this machine that nobody has configured: offered in a line, never taken.

use std::time::Duration;

use futures_util::future::join_all;
use skald_base::Lifecycle;
use skald_core::llm::{
    ModelRole, Provider,
    catalogue::Catalogue,
    http::{Http, Timeouts},
    openai::{OpenAi, OpenAiConfig, Profile},
    registry::fitting,
};
use tokio::time::timeout;

use crate::say;

/// Who usually answers where.
const USUAL: [(&str, &str); 2] =
    [("Ollama", "http://127.0.0.1:11434/v1"), ("llama.cpp", "http://127.0.0.1:8080/v1")];
/// How long they may take.
const PATIENCE: Duration = Duration::from_millis(300);

/// Says which servers answer on this machine, and how to have one of them write.
pub(crate) async fn offer(lifecycle: Lifecycle) {
    let Ok(http) = Http::new() else { return };
    let lines = join_all(USUAL.map(|(name, url)| ask(name, url, &http)));
    tokio::select! {
        () = lifecycle.stopping().cancelled() => {}
        lines = lines => lines.iter().flatten().for_each(|line| say(line)),
    }
}

/// What to say of one server, if it is there and has a model that writes.
async fn ask(name: &str, url: &str, http: &Http) -> Option<String> {
    let timeouts = Timeouts { first_byte: PATIENCE, idle: PATIENCE };
    let (base_url, key, profile) = (url.to_owned(), None, Profile::Generic);
    let server = OpenAi::new(OpenAiConfig { base_url, key, profile, timeouts }, http.clone());
    let list = timeout(PATIENCE, server.list()).await.ok()?.ok()?;
    let catalogue = Catalogue::new(Vec::new());
    let writers = fitting(&catalogue, name, &list, ModelRole::Story);
    // The line is meant to be copied: what a stranger says must not end up in a shell.
    let model = writers.into_iter().find(|id| is_plain(id))?;
    Some(format!(
        "  nearby   {name} answers on this machine; to have it write: \
         OPENAI_BASE_URL={url} OPENAI_MODEL={model} skald serve"
    ))
}

fn is_plain(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:/@+-".contains(c);
    id.len() <= 100
        && id.starts_with(|c: char| c.is_ascii_alphanumeric() || "./".contains(c))
        && id.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use skald_doubles::{OpenAiDouble, Profile};

    use super::*;

    #[tokio::test]
    async fn a_server_on_this_machine_is_offered_with_the_command_that_takes_it() {
        let ollama = OpenAiDouble::start(Profile::Ollama).await;
        let line = ask("Ollama", &ollama.url(), &Http::new().unwrap()).await.unwrap();
        assert!(
            line.contains(&format!("OPENAI_BASE_URL={} OPENAI_MODEL=", ollama.url())),
            "{line}"
        );
        assert!(line.ends_with(" skald serve"), "{line}");
    }

    #[tokio::test]
    async fn where_nobody_answers_nothing_is_said() {
        let gone = OpenAiDouble::start(Profile::Ollama).await.url();
        assert_eq!(ask("Ollama", &gone, &Http::new().unwrap()).await, None);
    }

    #[test]
    fn what_could_hurt_in_a_shell_is_not_repeated() {
        assert!(is_plain("hf.co/bartowski/Llama-3.2-3B:Q4_K_M"));
        assert!(is_plain("/models/slow.gguf") && is_plain("./slow.gguf"));
        for id in ["a;rm -rf x", "$(x)", "a b", "\u{1b}[2J", "-x", ""] {
            assert!(!is_plain(id), "{id:?}");
        }
    }
}
