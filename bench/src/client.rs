//! Players with real HTTP and WebSocket clients, and a client of the provider itself.

#![expect(clippy::indexing_slicing, reason = "JSON without a field gives null, not a panic")]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use skald_doubles::Call;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, Utf8Bytes, client::IntoClientRequest},
};

/// Nothing takes longer; who waits so long has found a fault, not a figure.
const PATIENCE: Duration = Duration::from_mins(1);

/// All that a chat screen watches.
const EVENTS: &str =
    "subscription ($id: ID!) { sessionEvents(sessionId: $id, channels: [CONTENT]) {
    __typename sequence
    ... on MessagesAdded { messages { id role status } clientRequestId }
    ... on ReplyDelta { messageId offset text }
    ... on ReplyFinished { message { id status content } }
    ... on ReplyFailed { message { generation { failure { code message } } } } } }";
const REGISTER: &str = "mutation ($input: RegisterInput!) {
    done: register(input: $input) { accessToken errors { code message } } }";
const PERSONA: &str = "mutation ($input: CreatePersonaInput!) {
    done: createPersona(input: $input) { errors { code message } } }";
const SESSION: &str = "mutation ($input: CreateSessionInput!) {
    done: createSession(input: $input) { session { id } errors { code message } } }";
pub(crate) const SEND: &str =
    "mutation ($input: SendMessageInput!) { done: sendMessage(input: $input) {
    message { id } reply { id status } errors { code message path } } }";

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Account {
    http: reqwest::Client,
    graphql: String,
    token: String,
}

/// Somebody with an account, a session, and a socket that watches it.
pub(crate) struct Player {
    account: Account,
    session: String,
    /// The message below which all measured turns go: the story must not grow meanwhile.
    parent: Option<String>,
    socket: Socket,
}

/// One turn as a client saw it.
pub(crate) struct Turn {
    /// From sending to the first content.
    pub(crate) first: Duration,
    /// The words of the reply.
    pub(crate) words: usize,
}

/// A client for all; timeouts as the players' patience.
pub(crate) fn http() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().tcp_nodelay(true).timeout(PATIENCE).build()?)
}

impl Account {
    /// Registers, and makes a persona.
    pub(crate) async fn register(http: reqwest::Client, server: &str, name: &str) -> Result<Self> {
        let graphql = format!("{server}graphql");
        let input = json!({ "username": name, "email": format!("{name}@example.org"),
            "password": "a lantern for every window" });
        let done = ask(http.post(&graphql), REGISTER, json!({ "input": input })).await?;
        let token = text(&done["done"]["accessToken"])?;
        let account = Self { http, graphql, token };
        let input = json!({ "name": "Freya", "clientRequestId": request_id() });
        account.ask(PERSONA, json!({ "input": input })).await?;
        Ok(account)
    }

    /// Begins a session with the first character of the catalogue.
    pub(crate) async fn begin_session(&self) -> Result<String> {
        let all = self.ask("{ characters(first: 1) { nodes { id } } }", json!({})).await?;
        let character = text(&all["characters"]["nodes"][0]["id"])?;
        let input = json!({ "characterIds": [character], "clientRequestId": request_id() });
        let done = self.ask(SESSION, json!({ "input": input })).await?;
        text(&done["done"]["session"]["id"])
    }

    /// A socket that watches a session, caught up.
    pub(crate) async fn watch(&self, session: &str) -> Result<Socket> {
        watch(&self.graphql.replace("http://", "ws://"), &self.token, session).await
    }

    /// Sends a file to a link.
    pub(crate) async fn put(&self, link: &str, content: String) -> Result<()> {
        self.http.put(link).body(content).send().await?.error_for_status()?;
        Ok(())
    }

    /// The data of an answer in which nothing was refused.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> Result<Value> {
        ask(self.http.post(&self.graphql).bearer_auth(&self.token), query, variables).await
    }
}

impl Player {
    /// Registers, begins a session, and watches it.
    pub(crate) async fn join(http: reqwest::Client, server: &str, name: &str) -> Result<Self> {
        let account = Account::register(http, server, name).await?;
        let session = account.begin_session().await?;
        let socket = account.watch(&session).await?;
        Ok(Self { account, session, parent: None, socket })
    }

    /// Plays so many turns; from now on each turn goes below the last of them.
    pub(crate) async fn remember(&mut self, turns: usize) -> Result<()> {
        for _ in 0..turns {
            self.parent = Some(self.play().await?.1);
        }
        Ok(())
    }

    /// Sends a message and waits for the reply's end.
    pub(crate) async fn turn(&mut self) -> Result<Turn> {
        Ok(self.play().await?.0)
    }

    /// A turn, and the reply's id.
    async fn play(&mut self) -> Result<(Turn, String)> {
        let input = json!({ "sessionId": self.session, "parentId": self.parent,
            "content": "I lift the lantern and go on, slowly, listening at every door.",
            "clientRequestId": request_id() });
        let began = Instant::now();
        let sending = self.account.ask(SEND, json!({ "input": input }));
        let reading = read_reply(&mut self.socket);
        let both = async { tokio::try_join!(sending, reading) };
        let (_, (first, message)) = timeout(PATIENCE, both).await.context("no reply came")??;
        ensure!(message["status"] == "COMPLETE", "a reply is not complete: {message}");
        let words = text(&message["content"])?.split_whitespace().count();
        Ok((Turn { first: first - began, words }, text(&message["id"])?))
    }
}

/// A request id nobody used.
pub(crate) fn request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("bench-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn text(value: &Value) -> Result<String> {
    value.as_str().map(ToOwned::to_owned).context("the answer lacks something")
}

/// The data of an answer in which nothing was refused.
async fn ask(post: reqwest::RequestBuilder, query: &str, variables: Value) -> Result<Value> {
    let body = json!({ "query": query, "variables": variables });
    let mut answer: Value = post.json(&body).send().await?.json().await?;
    let refused = answer["data"]["done"]["errors"].as_array().is_some_and(|list| !list.is_empty());
    ensure!(answer.get("errors").is_none() && !refused, "refused: {answer}");
    Ok(answer["data"].take())
}

/// Opens a socket and subscribes to a session.
async fn watch(url: &str, token: &str, session: &str) -> Result<Socket> {
    let mut request = url.into_client_request()?;
    let protocol = "graphql-transport-ws".parse()?;
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, _) = connect_async(request).await?;
    let init = json!({ "type": "connection_init", "payload": { "authorization": token } });
    socket.send(Message::text(init.to_string())).await?;
    until(&mut socket, "\"connection_ack\"").await?;
    let payload = json!({ "query": EVENTS, "variables": { "id": session } });
    let subscribe = json!({ "id": "1", "type": "subscribe", "payload": payload });
    socket.send(Message::text(subscribe.to_string())).await?;
    until(&mut socket, "\"CaughtUp\"").await?;
    Ok(socket)
}

async fn hear(socket: &mut Socket) -> Result<Utf8Bytes> {
    loop {
        match socket.next().await.context("the socket ended")?? {
            Message::Text(text) => return Ok(text),
            Message::Close(frame) => bail!("the socket was closed: {frame:?}"),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// Reads until an event that contains this word.
async fn until(socket: &mut Socket, word: &str) -> Result<()> {
    let heard = async {
        while !hear(socket).await?.contains(word) {}
        Ok(())
    };
    timeout(PATIENCE, heard).await.context("the server is silent")?
}

/// When the reply's first content came, and its message at the end.
///
/// What comes in between is not parsed: the clients share the processor with the server.
pub(crate) async fn read_reply(socket: &mut Socket) -> Result<(Instant, Value)> {
    let mut first = None;
    loop {
        let event = hear(socket).await?;
        if event.contains("\"ReplyDelta\"") {
            first.get_or_insert_with(Instant::now);
        } else if event.contains("\"ReplyFinished\"") {
            let mut event: Value = serde_json::from_str(&event)?;
            let message = event["payload"]["data"]["sessionEvents"]["message"].take();
            return Ok((first.context("a reply without a delta")?, message));
        } else if event.contains("\"ReplyFailed\"") || event.contains("\"errors\"") {
            bail!("a reply failed: {event}");
        }
    }
}

/// A client that asks the provider itself what Skald asked it.
#[derive(Clone)]
pub(crate) struct Direct {
    http: reqwest::Client,
    url: String,
    headers: Vec<(String, String)>,
    body: bytes::Bytes,
}

impl Direct {
    /// Says what was said in this call, to the double at this address.
    pub(crate) fn repeat(http: reqwest::Client, root: &str, call: &Call) -> Self {
        let query = call.query.as_deref().unwrap_or_default();
        let own = |name: &&str| !["host", "content-length", "connection"].contains(name);
        let names = call.headers.keys().map(reqwest::header::HeaderName::as_str).filter(own);
        let header = |name: &str| Some((name.to_owned(), call.header(name)?.to_owned()));
        Self {
            http,
            url: format!("{root}{}?{query}", call.path),
            headers: names.filter_map(header).collect(),
            body: call.body.clone(),
        }
    }

    /// Asks, and reads to the end.
    pub(crate) async fn turn(&self) -> Result<Turn> {
        let began = Instant::now();
        let post = self.http.post(&self.url).body(self.body.clone());
        let post = self.headers.iter().fold(post, |post, (name, value)| post.header(name, value));
        let mut answer = post.send().await?.error_for_status()?;
        let (mut first, mut words) = (None, 0);
        while let Some(piece) = answer.chunk().await? {
            words += piece.windows(6).filter(|bytes| bytes == b"\"text\"").count();
            if words > 0 {
                first.get_or_insert_with(|| began.elapsed());
            }
        }
        Ok(Turn { first: first.context("the double said nothing")?, words })
    }
}
