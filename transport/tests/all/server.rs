//! A toy server on a free port, and the clients that talk to it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use skald_transport::{
    Asset, AuthenticationError, Authenticator, Caller, Credentials, Readiness, Settings, Shutdown,
    TimeLimit, Transport, serve,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::toy::{self, Signals, Viewer};

/// Long enough for a busy machine; no test waits for it unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) signals: Arc<Signals>,
    pub(crate) revoked: CancellationToken,
    pub(crate) missing: Arc<Mutex<Option<String>>>,
    /// What the last client called itself.
    pub(crate) user_agent: Arc<Mutex<Option<String>>>,
    pub(crate) client: Client,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default(), &[]).await
    }

    pub(crate) async fn with_settings(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        Self::with(settings, &[]).await
    }

    pub(crate) async fn with(settings: Settings, assets: &'static [Asset]) -> Self {
        let (signals, revoked) = (Arc::new(Signals::default()), CancellationToken::new());
        let missing = Arc::new(Mutex::new(None));
        let user_agent = Arc::default();
        let tokens = Tokens { revoked: revoked.clone(), user_agent: Arc::clone(&user_agent) };
        let shutdown = Shutdown::default();
        let patience = settings.write_patience();
        let router = Transport {
            routes: axum::Router::new(),
            executor: toy::schema(Arc::clone(&signals), TimeLimit::new(&settings.requests)),
            authenticator: Arc::new(tokens),
            readiness: Arc::new(Missing(Arc::clone(&missing))),
            assets,
            settings,
            shutdown: shutdown.clone(),
        }
        .router();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        shutdown.tasks.spawn(serve(listener, router, shutdown.clone(), patience));
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { address, shutdown, signals, revoked, missing, user_agent, client }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    pub(crate) fn post(&self) -> RequestBuilder {
        self.client.post(self.url("/graphql"))
    }

    /// Asks as a modern client does.
    pub(crate) async fn ask(&self, query: &str) -> Answer {
        self.ask_with(query, json!({})).await
    }

    pub(crate) async fn ask_with(&self, query: &str, variables: Value) -> Answer {
        let request = self
            .post()
            .header("accept", "application/graphql-response+json")
            .json(&json!({ "query": query, "variables": variables }));
        Answer::of(request.send().await.unwrap()).await
    }
}

/// A status and what came with it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> String {
        self.error("code").as_str().unwrap_or_default().to_owned()
    }

    /// One of the first error's extensions.
    pub(crate) fn error(&self, extension: &str) -> Value {
        self.json()["errors"][0]["extensions"][extension].clone()
    }
}

/// Knows four tokens: `alice`, `bad`, `brief` and `slow`.
struct Tokens {
    revoked: CancellationToken,
    user_agent: Arc<Mutex<Option<String>>>,
}

#[async_trait]
impl Authenticator for Tokens {
    async fn authenticate(&self, credentials: Credentials) -> Result<Caller, AuthenticationError> {
        assert!(credentials.peer.is_some(), "the peer's address is passed on");
        self.user_agent.lock().unwrap().clone_from(&credentials.user_agent);
        let (name, expires_at) = match credentials.bearer.as_deref() {
            None => ("nobody", None),
            Some("alice") => ("alice", Some(in_ms(60_000))),
            Some("brief") => ("brief", Some(in_ms(400))),
            Some("slow") => std::future::pending().await,
            Some(_) => return Err(AuthenticationError { message: "the token is not valid" }),
        };
        let caller = Caller::new(expires_at, move |request| request.data(Viewer(name.to_owned())));
        Ok(caller.revoked_by(self.revoked.clone()))
    }
}

#[expect(clippy::disallowed_methods, reason = "the transport compares with the real clock")]
fn in_ms(ms: i64) -> DateTime<Utc> {
    Utc::now() + chrono::Duration::milliseconds(ms)
}

struct Missing(Arc<Mutex<Option<String>>>);

#[async_trait]
impl Readiness for Missing {
    async fn ready(&self) -> Result<(), String> {
        self.0.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}
