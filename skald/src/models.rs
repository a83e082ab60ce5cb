//! From a configuration to models: providers are built, unset roles are given to somebody.

use std::{sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use skald_base::config::Secret;
use skald_core::llm::{
    Abilities, Listed, Llm, LlmErrorKind, ModelRole, RoleChoice,
    address::is_local,
    catalogue::{Catalogue, Row},
    config::{Api, ProviderConfig, RoleConfig},
    gemini::{Gemini, GeminiConfig},
    http::Http,
    offline::{Offline, Pace},
    openai::{OpenAi, OpenAiConfig},
    registry::{EmbeddingRole, Models, Provided, Roles, fitting, split},
};
use tokio::time::timeout;

use crate::config::Config;

/// How long a server may take to say what it has, while the program waits for it to start.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many names of models a sentence holds.
const NAMED: usize = 20;

/// Builds all models; the error is one sentence for whoever configured them.
pub(crate) async fn open(config: &Config) -> Result<Models, String> {
    config.models.iter().try_for_each(Row::check)?;
    let http = Http::new()?;
    let building = config.providers.iter().map(|(name, provider)| build(name, provider, &http));
    let providers = try_join_all(building).await?;
    let catalogue = Catalogue::new(config.models.clone());
    let usual = usual_model(config, &providers, &catalogue).await?;
    let roles = config.roles.filled(&config.providers, usual.id.as_deref());
    let only_of = config.roles.main(&config.providers).map(ToOwned::to_owned);
    let embedding = EmbeddingRole {
        model: roles.embedding.model,
        dimensions: roles.embedding.dimensions,
        only_of: only_of.clone(),
    };
    let roles =
        Roles { story: choice(&roles.story), supervisor: choice(&roles.supervisor), embedding };
    let models = Models::new(offline(config), providers, roles, catalogue);
    if let (Some(list), Some(main)) = (usual.list, only_of) {
        models.learn(&main, list);
    }
    check(&models)?;
    Ok(models)
}

/// The storyteller that is always there.
fn offline(config: &Config) -> Offline {
    let pace = match config.offline.tokens_per_second {
        0 => Pace::Instant,
        tokens => Pace::tokens_per_second(tokens),
    };
    Offline::new(pace, config.development)
}

async fn build(name: &str, config: &ProviderConfig, http: &Http) -> Result<Provided, String> {
    let base_url = config.base_url(name).ok_or(format!("providers.{name}.base_url is not set"))?;
    let key = config.key().map(|key| Secret::new(key.expose().trim()));
    let timeouts = config.timeouts.resolve(is_local(&base_url));
    let http = &http.within(config.timeouts.total());
    let (name, offer) = (name.to_owned(), config.offers());
    match config.api(&name) {
        Api::Gemini => {
            let key = key.ok_or(format!("providers.{name}.key is not set"))?;
            let safety = config.safety.unwrap_or_default();
            let gemini = GeminiConfig { base_url, key, timeouts, safety };
            let provider = Arc::new(Gemini::new(gemini, http.clone()));
            Ok(Provided { name, provider, defaults: Abilities::default(), offer })
        }
        Api::OpenAi => {
            let profile = config.profile.unwrap_or_default();
            let (defaults, http) = (profile.abilities(), http.clone());
            let server = OpenAiConfig { base_url, key, profile, timeouts };
            let provider = Arc::new(match config.profile {
                Some(_) => OpenAi::new(server, http),
                None => OpenAi::recognised(server, http).await,
            });
            Ok(Provided { name, provider, defaults, offer })
        }
    }
}

/// The model of the main provider that writes where no role names one.
#[derive(Default)]
struct Usual {
    /// Its own id, if it is needed.
    id: Option<String>,
    /// What its server listed, if it was asked.
    list: Option<Vec<Listed>>,
}

async fn usual_model(
    config: &Config,
    providers: &[Provided],
    catalogue: &Catalogue,
) -> Result<Usual, String> {
    let main = config.roles.main(&config.providers).filter(|_| config.roles.story.model.is_none());
    let Some(main) = main else { return Ok(Usual::default()) };
    let provider = config.providers.get(main);
    if let Some(id) = provider.and_then(|provider| provider.usual_model(main)) {
        return Ok(Usual { id: Some(id.to_owned()), list: None });
    }
    let setting = match main {
        "openai" => "OPENAI_MODEL".to_owned(),
        other => format!("providers.{other}.model"),
    };
    if provider.is_some_and(|provider| main == "openai" && provider.base_url.is_none()) {
        return Err(format!(
            "{setting} is not set: name the model of OpenAI's that writes, or OPENAI_BASE_URL \
             for another server, or take OPENAI_API_KEY away"
        ));
    }
    let server = providers.iter().find(|provided| provided.name == main);
    let Some(server) = server else { return Ok(Usual::default()) };
    let list = timeout(PATIENCE, server.provider.list()).await;
    let list = list.unwrap_or_else(|_| Err(LlmErrorKind::Timeout.into())).map_err(|error| {
        format!(
            "{setting} is not set, and the server at providers.{main}.base_url does not say what \
             models it has: {}",
            with_detail(&error)
        )
    })?;
    let writers = fitting(catalogue, main, &list, ModelRole::Story);
    match writers.as_slice() {
        [only] => Ok(Usual { id: Some((*only).to_owned()), list: Some(list) }),
        [] => Err(format!("{setting} is not set, and the server has no model that writes")),
        several => {
            let more = if several.len() > NAMED { ", …" } else { "" };
            let names = several.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
            Err(format!("{setting} is not set: choose one of {names}{more}"))
        }
    }
}

fn choice(role: &RoleConfig) -> Option<RoleChoice> {
    let model = role.model.clone()?;
    let (fallback, options) = (role.fallback.clone(), role.options.clone());
    // The storyteller that is always there is nobody's provider.
    Some(RoleChoice { model, fallback, options })
}

/// A model cannot have a role that it is known to be unfit for.
fn check(models: &Models) -> Result<(), String> {
    for (role, setting, does) in [
        (ModelRole::Story, "roles.story.model", "write stories"),
        (ModelRole::Supervisor, "roles.supervisor.model", "judge stories"),
    ] {
        let Some(id) = models.role(role).map(|choice| choice.model) else { continue };
        let fits = models.model(&id).is_some_and(|model| model.roles.contains(&role));
        if !fits {
            return Err(format!("{setting}: {:?} does not {does}", split(&id).1));
        }
    }
    Ok(())
}

/// What went wrong, with the provider's own words for whoever runs the server.
pub(crate) fn with_detail(error: &skald_core::llm::LlmError) -> String {
    let sentence = error.to_string();
    if error.detail.is_empty() || sentence.contains(&error.detail) {
        return sentence;
    }
    format!("{sentence} ({})", error.detail)
}
