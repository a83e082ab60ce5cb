//! All models of this server: the offline storyteller's, and those of named providers.
//!
//! A model's id on the graph is its provider's name, a slash and the provider's
//! own id, as in `gemini/gemini-3.8-flash`. Which of a provider's models are on
//! offer, and what is known of them, is worked out when its list is read, never
//! while somebody waits for a reply.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use skald_base::Lifecycle;
use tokio::time::{sleep, timeout};

use super::{
    Abilities, Embedding, Listed, Llm, LlmError, LlmErrorKind, Model, ModelRole, Provider, Purpose,
    Reply, Request, RoleChoice,
    catalogue::{Catalogue, Glob},
    offline::Offline,
};

/// How often the lists of servers are read again.
const REREAD: Duration = Duration::from_mins(10);
/// How soon a list that could not be read is asked for again; twice that after each failure.
const RETRY: Duration = Duration::from_secs(5);
/// How long a server may take to list its models.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many models are offered at most.
const MAX_MODELS: usize = 500;
/// How many models may have a role or take over from one that has.
const ROLES: usize = 5;
/// The name before the ids of the offline models.
pub const OFFLINE: &str = "skald";

/// All models of this server. Clones share everything.
#[derive(Clone)]
pub struct Models(Arc<Inner>);

struct Inner {
    offline: Offline,
    providers: Vec<Provided>,
    roles: Roles,
    catalogue: Catalogue,
    /// What servers listed last, by the provider's name; absent is one that never answered.
    lists: Mutex<HashMap<String, Vec<Listed>>>,
    snapshot: RwLock<Arc<Snapshot>>,
}

/// A provider under its name.
pub struct Provided {
    /// The name before the ids of its models; without a slash.
    pub name: String,
    /// What talks to it.
    pub provider: Arc<dyn Provider>,
    /// What is safe to believe of its models, unless it says so itself.
    pub defaults: Abilities,
    /// Which of the models it lists are on offer, beside those that have a role.
    pub offer: Vec<Glob>,
}

/// Who does what; ids are those of the graph.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// Who writes; the offline storyteller if absent.
    pub story: Option<RoleChoice>,
    /// Who judges.
    pub supervisor: Option<RoleChoice>,
    /// Who embeds.
    pub embedding: EmbeddingRole,
}

/// Who embeds.
#[derive(Clone, Debug, Default)]
pub struct EmbeddingRole {
    /// The model.
    pub model: Option<String>,
    /// How long its vectors are to be; its own length if absent.
    pub dimensions: Option<u32>,
    /// Without a model: the provider whose only embedding model is taken, once it lists one.
    pub only_of: Option<String>,
}

/// What is on offer just now.
#[derive(Default)]
struct Snapshot {
    models: Vec<Model>,
    places: HashMap<String, usize>,
    embedding: Option<String>,
}

impl Models {
    /// The models that need no list: the offline ones and those that have a role.
    pub fn new(
        offline: Offline,
        providers: Vec<Provided>,
        roles: Roles,
        catalogue: Catalogue,
    ) -> Self {
        let (lists, snapshot) = (Mutex::default(), RwLock::default());
        let models =
            Self(Arc::new(Inner { offline, providers, roles, catalogue, lists, snapshot }));
        models.0.renew();
        models
    }

    /// Takes what a server listed, as if it had just been asked.
    pub fn learn(&self, provider: &str, list: Vec<Listed>) {
        let mut lists = self.0.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.insert(provider.to_owned(), list);
        drop(lists);
        self.0.renew();
    }

    /// Reads the lists of all servers; one that is away keeps its last.
    pub async fn read_lists(&self) {
        join_all(self.0.providers.iter().map(|provided| self.read_list(provided))).await;
    }

    /// Reads the lists now and every ten minutes, until the server stops. One that cannot be
    /// read is asked for again sooner.
    pub async fn keep_lists(self, lifecycle: Lifecycle) {
        let reading = join_all(self.0.providers.iter().map(|provided| self.keep_list(provided)));
        tokio::select! {
            () = lifecycle.stopping().cancelled() => {}
            _never = reading => {}
        }
    }

    async fn keep_list(&self, provided: &Provided) {
        let mut failures = 0;
        loop {
            failures = if self.read_list(provided).await { 0 } else { failures + 1 };
            sleep(pause_after(failures)).await;
        }
    }

    /// Whether the list could be read.
    async fn read_list(&self, provided: &Provided) -> bool {
        let list = timeout(PATIENCE, provided.provider.list()).await;
        match list.unwrap_or_else(|_| Err(LlmErrorKind::Timeout.into())) {
            Ok(list) => {
                self.learn(&provided.name, list);
                true
            }
            Err(error) => {
                let (name, detail) = (&provided.name, &error.detail);
                tracing::warn!(provider = name, detail, "cannot read the list of models: {error}");
                false
            }
        }
    }
}

impl Inner {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Works out anew what is on offer.
    fn renew(&self) {
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let offered: Vec<Model> =
            self.providers.iter().flat_map(|provided| self.offered(provided, &lists)).collect();
        let embedding = self.embedding(&offered);
        let named = [&self.roles.story, &self.roles.supervisor].into_iter().flatten();
        let named = named.flat_map(|choice| [Some(&choice.model), choice.fallback.as_ref()]);
        let named: Vec<&String> = named.flatten().chain(&embedding).collect();
        let offline = self.offline.models();
        let (first, last) = match self.roles.story {
            Some(_) => (Vec::new(), offline),
            None => (offline, Vec::new()),
        };
        let with_role = named.into_iter().filter_map(|id| self.describe(id, &lists));
        // Whatever servers list, the offline storyteller stays.
        let offered = offered.into_iter().take(MAX_MODELS.saturating_sub(last.len() + ROLES));
        let mut snapshot = Snapshot { embedding: embedding.clone(), ..Snapshot::default() };
        for model in first.into_iter().chain(with_role).chain(offered).chain(last) {
            snapshot.add(model);
        }
        if let Some(model) = embedding.and_then(|id| snapshot.find_mut(&id)) {
            model.roles = [ModelRole::Embedding].into();
            let wanted = self.roles.embedding.dimensions;
            model.abilities.dimensions = wanted.or(model.abilities.dimensions);
        }
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    /// The models that a provider lists and its operator offers.
    fn offered(&self, provided: &Provided, lists: &HashMap<String, Vec<Listed>>) -> Vec<Model> {
        let listed = lists.get(&provided.name).map(Vec::as_slice).unwrap_or_default();
        let is_offered = |model: &&Listed| provided.offer.iter().any(|glob| glob.covers(&model.id));
        let models = listed.iter().filter(is_offered).take(MAX_MODELS);
        let models = models.map(|listed| self.model_of(provided, listed));
        models.filter(|model| !model.roles.is_empty()).collect()
    }

    /// Who embeds: whoever was chosen, or the only one there is.
    fn embedding(&self, offered: &[Model]) -> Option<String> {
        let role = &self.roles.embedding;
        if role.model.is_some() {
            return role.model.clone();
        }
        let from = role.only_of.as_deref()?;
        let embeds = |model: &&Model| {
            model.roles.contains(&ModelRole::Embedding) && split(&model.id).0 == from
        };
        let mut embedders = offered.iter().filter(embeds);
        let only = embedders.next().map(|model| model.id.clone());
        only.filter(|_| embedders.next().is_none())
    }

    /// A model that has a role, whether its server lists it or not.
    fn describe(&self, id: &str, lists: &HashMap<String, Vec<Listed>>) -> Option<Model> {
        let (name, own) = split(id);
        let provided = self.providers.iter().find(|provided| provided.name == name)?;
        let listed = lists.get(name).and_then(|list| list.iter().find(|listed| listed.id == own));
        let unlisted = Listed { id: own.to_owned(), ..Listed::default() };
        Some(self.model_of(provided, listed.unwrap_or(&unlisted)))
    }

    /// A model that a player chose, perhaps before a restart, as long as its server has not
    /// said what it has: once it has, its list decides.
    fn unread(&self, id: &str) -> Option<Model> {
        let (name, own) = split(id);
        let provided = self.providers.iter().find(|provided| provided.name == name)?;
        let is_offered = !own.is_empty() && provided.offer.iter().any(|glob| glob.covers(own));
        let lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_offered || lists.contains_key(name) {
            return None;
        }
        let model = self.describe(id, &lists)?;
        (!model.roles.is_empty()).then_some(model)
    }

    fn model_of(&self, provided: &Provided, listed: &Listed) -> Model {
        let defaults = provided.provider.defaults().unwrap_or_else(|| provided.defaults.clone());
        let sheet = self.catalogue.sheet(&provided.name, defaults, listed);
        Model {
            id: format!("{}/{}", provided.name, listed.id),
            name: sheet.name.unwrap_or_else(|| listed.id.clone()),
            description: sheet
                .description
                .unwrap_or_else(|| format!("A model of the provider {:?}.", provided.name)),
            roles: sheet.roles,
            abilities: sheet.abilities,
            prices: sheet.prices,
            rehearsal: false,
        }
    }

    /// The provider of a model, and the model's id there.
    fn provider<'a>(&'a self, id: &'a str) -> Result<(&'a dyn Provider, &'a str), LlmError> {
        let (name, own) = split(id);
        let provided = self.providers.iter().find(|provided| provided.name == name);
        let provided = provided.ok_or(LlmErrorKind::ModelNotFound)?;
        Ok((provided.provider.as_ref(), own))
    }
}

impl Snapshot {
    fn add(&mut self, model: Model) {
        if self.models.len() < MAX_MODELS && !self.places.contains_key(&model.id) {
            self.places.insert(model.id.clone(), self.models.len());
            self.models.push(model);
        }
    }

    fn find(&self, id: &str) -> Option<&Model> {
        self.models.get(*self.places.get(id)?)
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Model> {
        self.models.get_mut(*self.places.get(id)?)
    }
}

/// How long to wait after so many failures in a row.
fn pause_after(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => REREAD,
        Some(before) => REREAD.min(RETRY.saturating_mul(2u32.saturating_pow(before))),
    }
}

/// The provider's name and the provider's own id.
pub fn split(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or(("", id))
}

#[async_trait]
impl Llm for Models {
    fn models(&self) -> Vec<Model> {
        self.0.snapshot().models.clone()
    }

    fn model(&self, id: &str) -> Option<Model> {
        self.0.snapshot().find(id).cloned().or_else(|| self.0.unread(id))
    }

    fn role(&self, role: ModelRole) -> Option<RoleChoice> {
        let roles = &self.0.roles;
        let chosen = match role {
            ModelRole::Story => roles.story.clone(),
            ModelRole::Supervisor => roles.supervisor.clone(),
            ModelRole::Embedding => self.0.snapshot().embedding.clone().map(RoleChoice::of),
        };
        chosen.or_else(|| self.0.offline.role(role))
    }

    fn body(&self, request: &Request) -> Option<String> {
        let (provider, own) = self.0.provider(&request.model).ok()?;
        Some(provider.body(&Request { model: own.to_owned(), ..request.clone() }))
    }

    async fn stream(&self, mut request: Request) -> Result<Reply, LlmError> {
        if split(&request.model).0 == OFFLINE {
            return self.0.offline.stream(request).await;
        }
        let id = std::mem::take(&mut request.model);
        let (provider, own) = self.0.provider(&id)?;
        own.clone_into(&mut request.model);
        provider.stream(request).await
    }

    async fn count(&self, request: &Request) -> Result<Option<u32>, LlmError> {
        if split(&request.model).0 == OFFLINE {
            return self.0.offline.count(request).await;
        }
        let (provider, own) = self.0.provider(&request.model)?;
        provider.count(&Request { model: own.to_owned(), ..request.clone() }).await
    }

    async fn embed(&self, texts: &[String], purpose: Purpose) -> Result<Vec<Vec<f32>>, LlmError> {
        let Some(id) = self.0.snapshot().embedding.clone() else {
            return self.0.offline.embed(texts, purpose).await;
        };
        let (provider, model) = self.0.provider(&id)?;
        let dimensions = self.0.roles.embedding.dimensions;
        provider.embed(Embedding { model, dimensions, purpose, texts }).await
    }
}

/// The models of a list that may have this role, by the provider's own ids.
pub fn fitting<'a>(
    catalogue: &Catalogue,
    provider: &str,
    list: &'a [Listed],
    role: ModelRole,
) -> Vec<&'a str> {
    let roles = |listed: &Listed| -> BTreeSet<ModelRole> {
        catalogue.sheet(provider, Abilities::default(), listed).roles
    };
    list.iter().filter(|listed| roles(listed).contains(&role)).map(|l| l.id.as_str()).collect()
}

#[cfg(test)]
mod tests;
