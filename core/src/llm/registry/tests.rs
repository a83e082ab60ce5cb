//! Ids, roles and offers, against a server that is a list in memory.

use futures_util::{StreamExt, stream};

use super::*;
use crate::llm::{
    Chunk, FinishReason,
    catalogue::Row,
    config::{Providers, RolesConfig},
    offline::Pace,
};

/// A server with these models, or one that is away.
struct Server(Option<Vec<Listed>>);

#[async_trait]
impl Provider for Server {
    fn body(&self, request: &Request) -> String {
        request.model.clone()
    }

    async fn stream(&self, request: Request) -> Result<Reply, LlmError> {
        let finished = Chunk::Finished { reason: FinishReason::Stop, usage: None };
        let chunks = vec![Ok(Chunk::Content(request.model)), Ok(finished)];
        Ok(Reply::from(stream::iter(chunks).boxed()))
    }

    async fn count(&self, _request: &Request) -> Result<Option<u32>, LlmError> {
        Ok(Some(7))
    }

    async fn list(&self) -> Result<Vec<Listed>, LlmError> {
        self.0.clone().ok_or_else(|| LlmErrorKind::Unreachable.into())
    }

    async fn embed(&self, call: Embedding<'_>) -> Result<Vec<Vec<f32>>, LlmError> {
        let length = call.dimensions.unwrap_or(2) as usize;
        Ok(call.texts.iter().map(|_| vec![1.0; length]).collect())
    }
}

fn listed(ids: &[&str]) -> Vec<Listed> {
    ids.iter().map(|id| Listed { id: (*id).to_owned(), ..Listed::default() }).collect()
}

fn provided(name: &str, ids: Option<&[&str]>, offer: &[&str]) -> Provided {
    Provided {
        name: name.to_owned(),
        provider: Arc::new(Server(ids.map(listed))),
        defaults: Abilities::default(),
        offer: offer.iter().map(|glob| Glob::new(*glob)).collect(),
    }
}

fn models(providers: Vec<Provided>, roles: Roles, rows: Vec<Row>) -> Models {
    let offline = Offline::new(Pace::Instant, false);
    Models::new(offline, providers, roles, Catalogue::new(rows))
}

fn ids(models: &Models) -> Vec<String> {
    models.models().into_iter().map(|model| model.id).collect()
}

fn gemini_roles() -> Roles {
    let of = |id: &str| Some(RoleChoice::of(format!("gemini/{id}")));
    let embedding = EmbeddingRole {
        model: Some("gemini/gemini-embedding-001".into()),
        dimensions: Some(768),
        only_of: None,
    };
    Roles { story: of("gemini-3.8-flash"), supervisor: of("gemini-3.5-flash-lite"), embedding }
}

#[tokio::test]
async fn models_with_a_role_are_there_before_any_list_and_the_story_s_is_first() {
    let gemini = provided("gemini", None, &[]);
    let models = models(vec![gemini], gemini_roles(), Vec::new());
    models.read_lists().await;
    let expected = [
        "gemini/gemini-3.8-flash",
        "gemini/gemini-3.5-flash-lite",
        "gemini/gemini-embedding-001",
        "skald/offline",
    ];
    assert_eq!(ids(&models), expected);
    let story = models.model("gemini/gemini-3.8-flash").unwrap();
    assert_eq!(story.name, "Gemini 3.8 Flash");
    assert_eq!(story.roles, [ModelRole::Story, ModelRole::Supervisor].into());
    let embedder = models.model("gemini/gemini-embedding-001").unwrap();
    assert_eq!(embedder.roles, [ModelRole::Embedding].into());
    assert_eq!(embedder.abilities.dimensions, Some(768), "as it is used");
    let vectors = models.embed(&["a".into(), "b".into()], Purpose::Query).await.unwrap();
    assert_eq!(vectors.iter().map(Vec::len).collect::<Vec<_>>(), [768, 768]);
}

#[tokio::test]
async fn a_provider_hears_its_own_ids() {
    let lab = provided("lab", Some(&["org/model:8b"]), &["*"]);
    let roles = Roles::default();
    let models = models(vec![lab], roles, Vec::new());
    assert_eq!(ids(&models), ["skald/offline"]);
    models.read_lists().await;
    let model = models.model("lab/org/model:8b").unwrap();
    let request = Request::question(&model, "", "Hello");
    assert_eq!(models.body(&request).as_deref(), Some("org/model:8b"));
    assert_eq!(models.count(&request).await, Ok(Some(7)));
    let mut reply = models.stream(request).await.unwrap().chunks;
    let first = reply.next().await.unwrap();
    assert_eq!(first, Ok(Chunk::Content("org/model:8b".into())));
    let unknown = Request { model: "moon/x".into(), ..Request::question(&model, "", "Hello") };
    let refused = models.stream(unknown).await.err().map(|error| error.kind);
    assert_eq!(refused, Some(LlmErrorKind::ModelNotFound));
}

#[tokio::test]
async fn what_is_offered_is_what_the_operator_says() {
    let all = &["gemini-3.8-flash", "gemini-3.7-flash", "gemini-2.5-flash", "gemini-3-tts-x"];
    let gemini = provided("gemini", Some(all), &["gemini-3*"]);
    let models = models(vec![gemini], gemini_roles(), Vec::new());
    models.read_lists().await;
    let offered = ids(&models);
    assert!(offered.contains(&"gemini/gemini-3.7-flash".to_owned()), "{offered:?}");
    assert!(!offered.iter().any(|id| id.contains("2.5") || id.contains("tts")), "{offered:?}");
}

#[tokio::test]
async fn a_server_that_is_away_keeps_its_last_list() {
    let models = models(vec![provided("lab", None, &["*"])], Roles::default(), Vec::new());
    models.learn("lab", listed(&["tale"]));
    models.read_lists().await;
    assert_eq!(ids(&models), ["skald/offline", "lab/tale"]);
}

#[test]
fn a_model_of_a_list_that_nobody_has_read_stays_chosen() {
    let lab = provided("lab", None, &["tale*"]);
    let models = models(vec![lab], Roles::default(), Vec::new());
    let model = |id: &str| models.model(id).map(|model| model.id);
    assert_eq!(model("lab/tale:8b").as_deref(), Some("lab/tale:8b"));
    assert_eq!(model("lab/saga"), None, "it is not on offer");
    assert_eq!(model("lab/"), None);
    assert_eq!(model("moon/tale"), None);
    assert_eq!(ids(&models), ["skald/offline"], "nobody is offered what may not be there");
    models.learn("lab", listed(&["tale"]));
    assert_eq!(model("lab/tale").as_deref(), Some("lab/tale"));
    assert_eq!(model("lab/tale:8b"), None, "the list decides");
}

#[test]
fn a_list_that_cannot_be_read_is_asked_for_again_soon() {
    let pauses = [0, 1, 2, 3, 7, 8, 9, u32::MAX].map(|failures| pause_after(failures).as_secs());
    assert_eq!(pauses, [600, 5, 10, 20, 320, 600, 600, 600]);
}

#[test]
fn the_only_embedder_embeds_and_two_do_not() {
    let embedding = EmbeddingRole { only_of: Some("lab".into()), ..EmbeddingRole::default() };
    let roles = Roles { embedding, ..Roles::default() };
    let models = models(vec![provided("lab", None, &["*"])], roles, Vec::new());
    let embedder = || models.role(ModelRole::Embedding).map(|choice| choice.model);
    assert_eq!(embedder(), None);
    models.learn("lab", listed(&["tale", "nomic-embed-text"]));
    assert_eq!(embedder().as_deref(), Some("lab/nomic-embed-text"));
    models.learn("lab", listed(&["tale", "nomic-embed-text", "bge-m3"]));
    assert_eq!(embedder(), None);
}

#[test]
fn thousands_of_models_are_not_all_offered() {
    let many: Vec<String> = (0..2000).map(|number| format!("model-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let story = Some(RoleChoice::of("lab/tale".into()));
    for roles in [Roles::default(), Roles { story, ..Roles::default() }] {
        let models = models(vec![provided("lab", None, &["*"])], roles, Vec::new());
        models.learn("lab", listed(&many));
        assert!((490..=MAX_MODELS).contains(&models.models().len()));
        assert!(models.model("skald/offline").is_some());
    }
}

fn settings(text: &str) -> (Providers, RolesConfig) {
    #[derive(serde::Deserialize)]
    struct File {
        #[serde(default)]
        providers: Providers,
        #[serde(default)]
        roles: RolesConfig,
    }
    let file: File = toml::from_str(text).unwrap();
    (file.providers, file.roles)
}

#[test]
fn unset_roles_go_where_an_operator_would_expect() {
    let none = (None, None, None, None);
    let of = |story: &str, supervisor: &str| {
        (Some(story.to_owned()), Some(supervisor.to_owned()), None, None)
    };
    let gemini = (
        Some("gemini/gemini-3.8-flash".to_owned()),
        Some("gemini/gemini-3.5-flash-lite".to_owned()),
        Some("gemini/gemini-embedding-001".to_owned()),
        Some(768),
    );
    let key = "[providers.gemini]\nkey = 'k'\n";
    let local = "[providers.local]\nbase_url = 'http://localhost:8080/v1'\nmodel = 'tale'\n";
    for (text, expected) in [
        (String::new(), none),
        (key.to_owned(), gemini.clone()),
        (local.to_owned(), of("local/tale", "local/tale")),
        (format!("{local}{key}"), gemini),
        (format!("{local}{key}[roles.story]\nmodel = 'local/x'"), of("local/x", "local/x")),
        (
            format!("{key}[roles.story]\nmodel = 'skald/offline'"),
            (Some("skald/offline".to_owned()), None, None, None),
        ),
    ] {
        let (providers, roles) = settings(&text);
        roles.check(&providers).unwrap();
        let main = roles.main(&providers);
        let usual = main.and_then(|main| providers.get(main)?.usual_model(main));
        let roles = roles.filled(&providers, usual);
        let embedding = roles.embedding;
        let filled =
            (roles.story.model, roles.supervisor.model, embedding.model, embedding.dimensions);
        assert_eq!(filled, expected, "{text}");
    }
}

#[test]
fn a_mistake_is_a_sentence_that_names_the_setting() {
    let key = "[providers.gemini]\nkey = 'k'\n";
    for (text, named) in [
        ("[roles.story]\nmodel = 'moon/x'", "roles.story.model"),
        ("[roles.story]\nmodel = 'tale'", "roles.story.model"),
        ("[roles.embedding]\nmodel = 'moon/x'", "roles.embedding.model"),
        (&format!("{key}[roles.story]\nfallback = 'gemini/'"), "roles.story.fallback"),
        ("[providers.gemini]\noffer = []", "GEMINI_API_KEY"),
        ("[providers.local]\nkey = 'k'", "providers.local.base_url"),
        ("[providers.local]\nbase_url = 'localhost:8080'", "providers.local.base_url"),
        ("[providers.local]\nbase_url = 'ftp://moon/v1'", "providers.local.base_url"),
        ("[providers.skald]\nbase_url = 'http://moon/v1'", "providers.skald"),
        ("[providers.gemini]\nkey = 'aä'", "providers.gemini.key"),
        ("[providers.gemini]\nkey = \"a\\nb\"", "providers.gemini.key"),
        (&format!("{key}timeouts.idle_seconds = 0"), "providers.gemini.timeouts.idle_seconds"),
        (&format!("{key}timeouts.total_seconds = 86401"), "providers.gemini.timeouts.total"),
    ] {
        let (providers, roles) = settings(text);
        let problem = roles.check(&providers).unwrap_err();
        assert!(problem.contains(named) && problem.lines().count() == 1, "{problem}");
    }
}
