//! A server with a clock that tests move, and people who use it.

use std::{net::IpAddr, sync::Arc};

use async_graphql::{EmptySubscription, Request, Schema, Variables};
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use skald_auth::{
    Auth, AuthConfig, ClientAddress, MIGRATIONS, UserAgent, auth_schema,
    graphql::{AloneMutation, AloneQuery},
};
use skald_base::{
    Db, Ids, Viewer,
    clock::TestClock,
    testing::{TestDb, each_database},
};

pub(crate) const PASSWORD: &str = "brisingamen at dawn";

/// A running auth service.
pub(crate) struct World {
    pub(crate) auth: Auth,
    pub(crate) db: Db,
    pub(crate) clock: Arc<TestClock>,
    schema: Schema<AloneQuery, AloneMutation, EmptySubscription>,
}

/// Somebody with tokens, or with none yet.
#[derive(Clone, Default)]
pub(crate) struct Person {
    pub(crate) address: Option<IpAddr>,
    pub(crate) id: String,
    pub(crate) access: Option<String>,
    pub(crate) refresh: String,
}

/// Tells a story on each database.
pub(crate) async fn story(tell: impl AsyncFn(World)) {
    story_with(AuthConfig::for_tests(), tell).await;
}

/// Tells a story with another configuration.
pub(crate) async fn story_with(config: AuthConfig, tell: impl AsyncFn(World)) {
    each_database(MIGRATIONS, async |TestDb { db, dir: _dir, .. }| {
        let clock = Arc::new(TestClock::new(DateTime::from_timestamp_secs(1_790_000_000).unwrap()));
        tell(World::open(db, config.clone(), clock).await).await;
    })
    .await;
}

impl World {
    pub(crate) async fn open(db: Db, config: AuthConfig, clock: Arc<TestClock>) -> Self {
        let ids = Ids::new(clock.clone());
        let auth = Auth::open(db.clone(), config, clock.clone(), ids);
        let auth = auth.await.unwrap();
        let schema = auth_schema(auth.clone());
        Self { auth, db, clock, schema }
    }

    /// Sends an operation and gives the whole answer.
    pub(crate) async fn send(&self, who: &Person, query: &str, variables: Value) -> Value {
        let viewer = match &who.access {
            None => Viewer::Anonymous,
            Some(token) => match self.auth.verifier().verify(token) {
                Ok(verified) => verified.into(),
                Err(error) => return json!({ "refused": error.to_string() }),
            },
        };
        let request = Request::new(query)
            .variables(Variables::from_json(variables))
            .data(viewer)
            .data(ClientAddress(who.address))
            .data(UserAgent(Some("story\u{7}teller".into())))
            .data(self.auth.loader());
        serde_json::to_value(self.schema.execute(request).await).unwrap()
    }

    /// Sends an operation that has to succeed and gives one field of its data.
    pub(crate) async fn ask(&self, who: &Person, query: &str, variables: Value) -> Value {
        let answer = self.send(who, query, variables).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        let data = answer["data"].as_object().unwrap();
        data.values().next().unwrap().clone()
    }

    /// Registers, and gives the payload.
    pub(crate) async fn try_register(&self, who: &Person, input: Value) -> Value {
        let query = "mutation($input: RegisterInput!) { register(input: $input) {
            user { id username displayName } accessToken accessTokenExpiresAt refreshToken
            errors { code message path retryAfterMs } } }";
        self.ask(who, query, json!({ "input": input })).await
    }

    /// Registers somebody who then has tokens.
    pub(crate) async fn register(&self, username: &str) -> Person {
        let input = json!({ "username": username, "email": format!("{username}@asgard.example"),
            "password": PASSWORD });
        let payload = self.try_register(&Person::default(), input).await;
        assert_eq!(payload["errors"], json!([]));
        Person::from_payload(&payload)
    }

    /// Logs in, and gives the payload.
    pub(crate) async fn try_login(&self, who: &Person, login: &str, password: &str) -> Value {
        let query = "mutation($login: String!, $password: String!) {
            login(input: { login: $login, password: $password }) {
            user { id } accessToken accessTokenExpiresAt refreshToken
            errors { code message path retryAfterMs } } }";
        let variables = json!({ "login": login, "password": password });
        self.ask(who, query, variables).await
    }

    /// Logs in on another device.
    pub(crate) async fn login(&self, login: &str) -> Person {
        let payload = self.try_login(&Person::default(), login, PASSWORD).await;
        assert_eq!(payload["errors"], json!([]));
        Person::from_payload(&payload)
    }

    /// Exchanges a refresh token; the code of the error if it is refused.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Person, String> {
        let query = "mutation($token: String!) { refresh(input: { refreshToken: $token }) {
            user { id } accessToken refreshToken errors { code } } }";
        let payload = self.ask(&Person::default(), query, json!({ "token": token })).await;
        match payload["errors"][0]["code"].as_str() {
            Some(code) => Err(code.to_owned()),
            None => Ok(Person::from_payload(&payload)),
        }
    }

    /// The name of who is asking; null if nobody, the reason if the token is refused.
    pub(crate) async fn viewer(&self, who: &Person) -> Value {
        let answer = self.send(who, "{ viewer { username } }", json!({})).await;
        match answer.get("refused") {
            Some(why) => why.clone(),
            None => answer["data"]["viewer"]["username"].clone(),
        }
    }

    pub(crate) fn later(&self, by: TimeDelta) {
        self.clock.advance(by);
    }
}

impl Person {
    pub(crate) fn at(address: &str) -> Self {
        Self { address: Some(address.parse().unwrap()), ..Self::default() }
    }

    pub(crate) fn from_payload(payload: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            address: None,
            id: text(&payload["user"]["id"]),
            access: Some(text(&payload["accessToken"])),
            refresh: text(&payload["refreshToken"]),
        }
    }

    pub(crate) fn token(&self) -> &str {
        self.access.as_deref().unwrap()
    }
}
