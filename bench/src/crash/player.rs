//! A player whose server may die at any moment: every answer says what is known of the outcome.

#![expect(clippy::indexing_slicing, reason = "JSON without a field gives null, not a panic")]

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// Nothing that works takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of a mutation.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It was done, and this was the answer.
    Done(Value),
    /// It was refused, for these reasons.
    Refused(Value),
    /// Nobody said: it may have been done or not.
    Unknown,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(super) struct Player {
    http: reqwest::Client,
    graphql: String,
    access: String,
    refresh: String,
}

impl Player {
    pub(super) async fn register(http: reqwest::Client, server: &str, name: &str) -> Result<Self> {
        let mut player =
            Self { http, graphql: String::new(), access: String::new(), refresh: String::new() };
        player.move_to(server);
        let input = json!({ "username": name, "email": format!("{name}@example.org"),
            "password": "a lantern for every window" });
        let query = "mutation ($input: RegisterInput!) { done: register(input: $input) {
            accessToken refreshToken errors { code message } } }";
        let done = player.must(query, json!({ "input": input })).await?;
        player.take_tokens(&done)?;
        let query = "mutation ($input: CreatePersonaInput!) { done: createPersona(input: $input) {
            persona { id } errors { code message } } }";
        let input = json!({ "name": "Freya", "clientRequestId": "persona" });
        player.must(query, json!({ "input": input })).await?;
        Ok(player)
    }

    fn take_tokens(&mut self, done: &Value) -> Result<()> {
        self.access = text(&done["accessToken"])?;
        self.refresh = text(&done["refreshToken"])?;
        Ok(())
    }

    /// The server was started again, and listens elsewhere.
    pub(super) fn move_to(&mut self, server: &str) {
        self.graphql = format!("{server}graphql");
    }

    /// Exchanges the refresh token, which stays as it is if nobody answers.
    pub(super) async fn refresh(&mut self) -> Outcome {
        let query = "mutation ($input: RefreshInput!) { done: refresh(input: $input) {
            accessToken refreshToken errors { code } } }";
        let input = json!({ "refreshToken": self.refresh });
        let outcome = self.try_to(query, json!({ "input": input })).await;
        if let Outcome::Done(done) = &outcome
            && self.take_tokens(done).is_err()
        {
            return Outcome::Unknown;
        }
        outcome
    }

    /// Begins a session with the first character of the catalogue; its id and its greeting's.
    pub(super) async fn begin(&self, request_id: &str) -> Result<(String, String)> {
        let all = self.read("{ characters(first: 1) { nodes { id } } }", json!({})).await?;
        let character = &all["characters"]["nodes"][0]["id"];
        let query = "mutation ($input: CreateSessionInput!) { done: createSession(input: $input) {
            session { id head { id } } errors { code message } } }";
        let input = json!({ "characterIds": [character], "clientRequestId": request_id });
        let done = self.must(query, json!({ "input": input })).await?;
        Ok((text(&done["session"]["id"])?, text(&done["session"]["head"]["id"])?))
    }

    /// A mutation, whose field is called `done`.
    pub(super) async fn try_to(&self, query: &str, variables: Value) -> Outcome {
        let Ok(mut data) = self.read(query, variables).await else { return Outcome::Unknown };
        let done = data["done"].take();
        match done["errors"].as_array() {
            Some(errors) if errors.is_empty() => Outcome::Done(done),
            Some(errors) => Outcome::Refused(json!(errors)),
            None => Outcome::Unknown,
        }
    }

    async fn must(&self, query: &str, variables: Value) -> Result<Value> {
        match self.try_to(query, variables).await {
            Outcome::Done(done) => Ok(done),
            other @ (Outcome::Refused(_) | Outcome::Unknown) => {
                bail!("what has to work was not done: {other:?}")
            }
        }
    }

    /// The data of an answer without errors.
    pub(super) async fn read(&self, query: &str, variables: Value) -> Result<Value> {
        let body = json!({ "query": query, "variables": variables });
        let mut post = self.http.post(&self.graphql).timeout(PATIENCE).json(&body);
        if !self.access.is_empty() {
            post = post.bearer_auth(&self.access);
        }
        let mut answer: Value = post.send().await?.json().await?;
        ensure!(answer.get("errors").is_none(), "refused: {answer}");
        Ok(answer["data"].take())
    }

    /// Opens a socket with one subscription, whose field is called `event`.
    pub(super) async fn watch(&self, query: &str, variables: Value) -> Result<Feed> {
        let url = self.graphql.replace("http://", "ws://");
        let mut request = url.into_client_request()?;
        let protocol = "graphql-transport-ws".parse()?;
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (mut socket, _) = connect_async(request).await?;
        let payload = json!({ "authorization": self.access });
        let init = json!({ "type": "connection_init", "payload": payload });
        socket.send(Message::text(init.to_string())).await?;
        let payload = json!({ "query": query, "variables": variables });
        let subscribe = json!({ "id": "1", "type": "subscribe", "payload": payload });
        socket.send(Message::text(subscribe.to_string())).await?;
        Ok(Feed(socket))
    }
}

/// The events of a subscription.
pub(super) struct Feed(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Feed {
    /// The next event; none when the subscription is complete.
    pub(super) async fn next(&mut self) -> Result<Option<Value>> {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.context("the server is silent")?;
            let Message::Text(message) = message.context("the socket ended")?? else { continue };
            let mut message: Value = serde_json::from_str(&message)?;
            match message["type"].as_str() {
                Some("next") if message["payload"].get("errors").is_none() => {
                    return Ok(Some(message["payload"]["data"]["event"].take()));
                }
                Some("next" | "error") => bail!("refused: {message}"),
                Some("complete") => return Ok(None),
                Some("ping") => self.0.send(Message::text(r#"{"type":"pong"}"#)).await?,
                _ => {}
            }
        }
    }
}

pub(super) fn text(value: &Value) -> Result<String> {
    value.as_str().map(ToOwned::to_owned).context("the answer lacks something")
}
