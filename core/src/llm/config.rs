//! What an operator says of models: who provides them, who does what (pure).
//!
//! Ids of models are those of the graph: the provider's name, a slash and the
//! provider's own id. What nobody says follows from what there is: Gemini takes
//! the roles with its usual models, then the first other provider.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use skald_base::config::Secret;

use super::{
    Options,
    catalogue::Glob,
    gemini::{self, Safety},
    http::TimeoutConfig,
    openai::Profile,
    registry::split,
};

/// Providers by name.
pub type Providers = BTreeMap<String, ProviderConfig>;

/// A server of models. Its name stands before the ids of its models: `local/llama3.1:8b` is
/// a model of `[providers.local]`. `gemini` and `openai` need no more than a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderConfig {
    /// What it speaks: `gemini`, or `openai` as most servers do. Default: `gemini` for a provider
    /// of that name, otherwise `openai`.
    pub api: Option<Api>,
    /// Where it answers, such as `http://127.0.0.1:11434/v1`. Default: Google's address for
    /// `gemini`; `https://api.openai.com/v1` for a provider named `openai` that has a key.
    pub base_url: Option<String>,
    /// The key, if it wants one. For `gemini` also `GEMINI_API_KEY`, for `openai`
    /// `OPENAI_API_KEY` in the environment.
    pub key: Option<Secret>,
    /// What kind of server it is (`openai` only): `generic`, `ollama`, `llamacpp`, `vllm`,
    /// `lmstudio`, `openrouter`, `koboldcpp` or `tabbyapi`. Default: it is asked at the start.
    pub profile: Option<Profile>,
    /// From which probability on the filter refuses (`gemini` only): `OFF`, `BLOCK_NONE`,
    /// `BLOCK_ONLY_HIGH`, `BLOCK_MEDIUM_AND_ABOVE` or `BLOCK_LOW_AND_ABOVE`. Default `OFF`.
    pub safety: Option<Safety>,
    /// Which of its models writes where `[roles]` name none, by its own id. Default:
    /// `gemini-3.8-flash` for Gemini; for others the only one that the server has.
    pub model: Option<String>,
    /// Which of the models it lists players may choose, beside those that have a role: patterns
    /// such as `["gemini-3*"]`. Default: all of a server that wants no key, no others of one
    /// that does.
    pub offer: Option<Vec<Glob>>,
    /// How long to wait for it.
    pub timeouts: TimeoutConfig,
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// Google's own API.
    Gemini,
    /// OpenAI's, as most servers speak it.
    OpenAi,
}

/// Who does what. Unset roles go to Gemini if there is a key for it, then to the provider
/// that there is, then to `skald/offline`; they follow the story where it is given to somebody.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RolesConfig {
    /// Who writes the replies unless a player chooses.
    pub story: RoleConfig,
    /// Who judges a story and steers it.
    pub supervisor: RoleConfig,
    /// Who turns texts into vectors, for memory. Without one, memories are found by their words.
    pub embedding: EmbeddingConfig,
}

/// A role and how its model is called.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RoleConfig {
    /// The model, such as `gemini/gemini-3.8-flash`.
    pub model: Option<String>,
    /// The model that takes over when it cannot write.
    pub fallback: Option<String>,
    /// How it is called.
    #[serde(flatten)]
    pub options: Options,
}

/// Who embeds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingConfig {
    /// The model, such as `gemini/gemini-embedding-001`.
    pub model: Option<String>,
    /// How long its vectors are to be. Default: 768 for Gemini's, a model's own length for others.
    pub dimensions: Option<u32>,
}

/// Google's usual models: who writes, who judges, who embeds, in how many numbers.
pub const GEMINI_STORY: &str = "gemini-3.8-flash";
const GEMINI_SUPERVISOR: &str = "gemini-3.5-flash-lite";
const GEMINI_EMBEDDING: &str = "gemini-embedding-001";
const GEMINI_DIMENSIONS: u32 = 768;
/// The address of OpenAI itself.
const OPENAI_URL: &str = "https://api.openai.com/v1";
/// Names that mean something else.
const RESERVED: &str = super::registry::OFFLINE;

impl ProviderConfig {
    /// What it speaks.
    pub fn api(&self, name: &str) -> Api {
        let usual = if name == "gemini" { Api::Gemini } else { Api::OpenAi };
        self.api.unwrap_or(usual)
    }

    /// The key; an empty one is none.
    pub fn key(&self) -> Option<&Secret> {
        self.key.as_ref().filter(|key| !key.expose().trim().is_empty())
    }

    /// The address, where one is known.
    pub fn base_url(&self, name: &str) -> Option<String> {
        let own = self.base_url.as_deref().map(str::trim).filter(|url| !url.is_empty());
        own.map(ToOwned::to_owned).or_else(|| match self.api(name) {
            Api::Gemini => Some(gemini::BASE_URL.to_owned()),
            Api::OpenAi => (name == "openai" && self.key().is_some()).then(|| OPENAI_URL.into()),
        })
    }

    /// The model that writes where no role names one, if that is known without asking.
    pub fn usual_model(&self, name: &str) -> Option<&str> {
        let own = self.model.as_deref().filter(|model| !model.is_empty());
        own.or(match self.api(name) {
            Api::Gemini => Some(GEMINI_STORY),
            Api::OpenAi => None,
        })
    }

    /// Which listed models are offered.
    pub fn offers(&self) -> Vec<Glob> {
        let usual = || if self.key().is_some() { Vec::new() } else { vec![Glob::new("*")] };
        self.offer.clone().unwrap_or_else(usual)
    }

    /// What is wrong with it, as one sentence that names the setting.
    fn check(&self, name: &str) -> Result<(), String> {
        let setting = format!("providers.{name}");
        if name == RESERVED || name.is_empty() || name.contains('/') {
            return Err(format!("{setting}: choose a name without a slash, and not {RESERVED:?}"));
        }
        if self.api(name) == Api::Gemini && self.key().is_none() {
            return Err(format!("{setting}.key is not set (GEMINI_API_KEY sets that of gemini)"));
        }
        if self.key().is_some_and(|key| key.expose().trim().chars().any(|c| !is_printable(c))) {
            return Err(format!("{setting}.key: a key is one line of ASCII"));
        }
        self.timeouts.check(&setting)?;
        let Some(url) = self.base_url(name) else {
            return Err(format!(
                "{setting}.base_url is not set: give the address that ends in /v1"
            ));
        };
        let parsed = reqwest::Url::parse(&url).ok();
        match parsed.filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host()) {
            Some(_) => Ok(()),
            None => Err(format!(
                "{setting}.base_url: {url:?} is not an address such as http://127.0.0.1:8080/v1"
            )),
        }
    }
}

/// Whether a character may stand in a header.
fn is_printable(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic()
}

impl RolesConfig {
    /// What is wrong with roles and providers, as one sentence that names the setting.
    pub fn check(&self, providers: &Providers) -> Result<(), String> {
        providers.iter().try_for_each(|(name, provider)| provider.check(name))?;
        let named = [
            ("story.model", &self.story.model),
            ("story.fallback", &self.story.fallback),
            ("supervisor.model", &self.supervisor.model),
            ("supervisor.fallback", &self.supervisor.fallback),
            ("embedding.model", &self.embedding.model),
        ];
        for (setting, id) in named {
            let Some(id) = id else { continue };
            let (name, own) = split(id);
            if own.is_empty() || name != RESERVED && !providers.contains_key(name) {
                let known: Vec<&str> = providers.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                return Err(format!(
                    "roles.{setting}: {id:?} is no PROVIDER/MODEL of a configured provider \
                     (there are: {known})"
                ));
            }
        }
        Ok(())
    }

    /// The provider to which unset roles go: the story's, or Gemini, or the first other one.
    pub fn main<'a>(&'a self, providers: &'a Providers) -> Option<&'a str> {
        if let Some(story) = &self.story.model {
            return Some(split(story).0);
        }
        let speaks = |api: Api| {
            move |(name, provider): &(&String, &ProviderConfig)| provider.api(name) == api
        };
        let gemini = providers.iter().find(speaks(Api::Gemini));
        let main = gemini.or_else(|| providers.iter().find(speaks(Api::OpenAi)));
        main.map(|(name, _)| name.as_str())
    }

    /// Says of each unset role who has it, by what is known without asking a server.
    ///
    /// `usual` is the model of the main provider that writes where nobody is named.
    #[must_use]
    pub fn filled(&self, providers: &Providers, usual: Option<&str>) -> Self {
        let mut roles = self.clone();
        let Some(main) = self.main(providers) else { return roles };
        let id = |own: &str| Some(format!("{main}/{own}"));
        roles.story.model = roles.story.model.or_else(|| id(usual?));
        let Some(provider) = providers.get(main) else { return roles };
        match provider.api(main) {
            Api::Gemini => {
                roles.supervisor.model = roles.supervisor.model.or_else(|| id(GEMINI_SUPERVISOR));
                roles.embedding.model = roles.embedding.model.or_else(|| id(GEMINI_EMBEDDING));
            }
            Api::OpenAi => {
                roles.supervisor.model =
                    roles.supervisor.model.or_else(|| roles.story.model.clone());
            }
        }
        let embedder = roles.embedding.model.as_deref().map(|id| split(id).0).unwrap_or_default();
        let is_gemini = providers.get(embedder).is_some_and(|p| p.api(embedder) == Api::Gemini);
        if is_gemini {
            roles.embedding.dimensions = roles.embedding.dimensions.or(Some(GEMINI_DIMENSIONS));
        }
        roles
    }
}
