//! Players with real HTTP and WebSocket clients.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Duration, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::server::Server;

/// Nothing in these stories takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that the system keeps on a narrow socket.
const NARROW: u32 = 64 * 1024;

/// Somebody with an account, or nobody in particular.
#[derive(Clone)]
pub(crate) struct Player {
    pub(crate) http: reqwest::Client,
    pub(crate) graphql: String,
    pub(crate) socket: String,
    pub(crate) token: Option<String>,
    pub(crate) refresh_token: Option<String>,
}

/// A request id nobody used.
pub(crate) fn request_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

impl Player {
    /// Somebody without an account.
    pub(crate) fn anonymous(server: &Server) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let (graphql, socket) = (server.graphql(), server.socket());
        Self { http, graphql, socket, token: None, refresh_token: None }
    }

    /// Somebody who has just registered.
    pub(crate) async fn register(server: &Server, name: &str) -> Self {
        let mut player = Self::anonymous(server);
        let name = format!("{name}_{}", &request_id()[..8]);
        let input = json!({ "username": name, "email": format!("{name}@example.org"),
            "password": "a lantern for every window" });
        let data = player
            .run(
                "mutation($input: RegisterInput!) { register(input: $input) {
                    accessToken refreshToken errors { code message } } }",
                json!({ "input": input }),
            )
            .await;
        let payload = &data["register"];
        assert_eq!(payload["errors"], json!([]));
        player.token = payload["accessToken"].as_str().map(ToOwned::to_owned);
        player.refresh_token = payload["refreshToken"].as_str().map(ToOwned::to_owned);
        player
    }

    /// The same player on a server that was started again.
    pub(crate) fn on(&self, server: &Server) -> Self {
        Self { graphql: server.graphql(), socket: server.socket(), ..self.clone() }
    }

    /// The whole answer, with its HTTP status.
    pub(crate) async fn ask(&self, query: &str, variables: Value) -> (u16, Value) {
        let mut request = self
            .http
            .post(&self.graphql)
            .header("accept", "application/json")
            .json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The data of an answer without top-level errors.
    pub(crate) async fn run(&self, query: &str, variables: Value) -> Value {
        let (status, answer) = self.ask(query, variables).await;
        assert!(status == 200 && answer.get("errors").is_none(), "{status} {answer}");
        answer["data"].clone()
    }

    /// A persona and a session with the example character Mira; the session's id.
    pub(crate) async fn begin(&self) -> String {
        let characters = self.run("{ characters { nodes { id name } } }", json!({})).await;
        let nodes = characters["characters"]["nodes"].as_array().unwrap().clone();
        let mira = nodes.iter().find(|node| node["name"] == "Mira").unwrap()["id"].clone();
        let persona = json!({ "name": "Freya", "clientRequestId": request_id() });
        let create = "mutation($input: CreatePersonaInput!) {
            createPersona(input: $input) { errors { code } } }";
        self.run(create, json!({ "input": persona })).await;
        let input = json!({ "characterIds": [mira], "clientRequestId": request_id() });
        let create = "mutation($input: CreateSessionInput!) {
            createSession(input: $input) { session { id } errors { code message } } }";
        let data = self.run(create, json!({ "input": input })).await;
        data["createSession"]["session"]["id"].as_str().unwrap().to_owned()
    }

    /// Sends a message below the head; the reply's id.
    pub(crate) async fn send(&self, session: &str, content: &str) -> String {
        self.send_input(json!({ "sessionId": session, "content": content })).await
    }

    /// Sends a message below another one; the reply's id.
    pub(crate) async fn send_below(&self, session: &str, parent: &str, content: &str) -> String {
        let input = json!({ "sessionId": session, "parentId": parent, "content": content });
        self.send_input(input).await
    }

    async fn send_input(&self, mut input: Value) -> String {
        input["clientRequestId"] = request_id().into();
        let send = "mutation($input: SendMessageInput!) {
            sendMessage(input: $input) { reply { id status } errors { code message } } }";
        let data = self.run(send, json!({ "input": input })).await;
        let payload = &data["sendMessage"];
        assert_eq!(payload["errors"], json!([]));
        assert_eq!(payload["reply"]["status"], "PENDING");
        payload["reply"]["id"].as_str().unwrap().to_owned()
    }

    /// Another version of a reply, with this model; its id.
    pub(crate) async fn swipe(&self, message: &str, model: &str) -> String {
        let input =
            json!({ "messageId": message, "modelId": model, "clientRequestId": request_id() });
        let swipe = "mutation($input: RegenerateReplyInput!) {
            regenerateReply(input: $input) { reply { id } errors { code message } } }";
        let data = self.run(swipe, json!({ "input": input })).await;
        let payload = &data["regenerateReply"];
        assert_eq!(payload["errors"], json!([]));
        payload["reply"]["id"].as_str().unwrap().to_owned()
    }

    /// A message as it is now.
    pub(crate) async fn message(&self, id: &str) -> Value {
        let query = "query($id: ID!) { message(id: $id) {
            id status content thought position alternatives { count messageIds }
            generation { attempt finishReason failure { code } } } }";
        self.run(query, json!({ "id": id })).await["message"].clone()
    }

    /// Opens a WebSocket as this player.
    pub(crate) async fn open_socket(&self) -> Socket {
        self.open_socket_on(TcpSocket::new_v4().unwrap()).await
    }

    /// Opens a WebSocket for which the system keeps little that was not read yet.
    pub(crate) async fn open_narrow_socket(&self) -> Socket {
        let tcp = TcpSocket::new_v4().unwrap();
        tcp.set_recv_buffer_size(NARROW).unwrap();
        self.open_socket_on(tcp).await
    }

    async fn open_socket_on(&self, tcp: TcpSocket) -> Socket {
        let (_, place) = self.socket.split_once("://").unwrap();
        let address = place.split('/').next().unwrap().parse().unwrap();
        let tcp = tcp.connect(address).await.unwrap();
        let mut request = self.socket.as_str().into_client_request().unwrap();
        let protocol = "graphql-transport-ws".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (stream, _) = client_async(request, tcp).await.unwrap();
        let mut socket = Socket { stream, next_id: 0 };
        let payload = self.token.as_ref().map(|token| json!({ "authorization": token }));
        socket.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }

    /// Watches a reply from these offsets, on a socket of its own.
    pub(crate) async fn watch(&self, message: &str, offset: usize) -> (Socket, String) {
        let mut socket = self.open_socket().await;
        let query =
            "subscription($id: ID!, $offset: Int) { reply(messageId: $id, offset: $offset) {
            __typename messageId
            ... on ReplyDelta { channel offset text }
            ... on ReplyReset { content thought }
            ... on ReplyFinished { message { status content } }
            ... on ReplyFailed { message { status generation { failure { code } } } } } }";
        let id = socket.subscribe(query, json!({ "id": message, "offset": offset })).await;
        (socket, id)
    }
}

/// An open graphql-transport-ws socket.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    next_id: u32,
}

impl Socket {
    async fn say(&mut self, message: Value) {
        self.stream.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message that is not a ping.
    async fn hear(&mut self) -> Value {
        loop {
            let message = timeout(PATIENCE, self.stream.next()).await.expect("an answer in time");
            let message = message.expect("the socket is open").unwrap();
            match message {
                Message::Text(text) => {
                    let value: Value = serde_json::from_str(&text).unwrap();
                    if value["type"] != "ping" {
                        return value;
                    }
                    self.say(json!({ "type": "pong" })).await;
                }
                Message::Close(frame) => {
                    return json!({ "closed": frame.map(|f| u16::from(f.code)) });
                }
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Starts a subscription; its id.
    pub(crate) async fn subscribe(&mut self, query: &str, variables: Value) -> String {
        self.next_id += 1;
        let id = self.next_id.to_string();
        let payload = json!({ "query": query, "variables": variables });
        self.say(json!({ "id": id, "type": "subscribe", "payload": payload })).await;
        id
    }

    /// The next event of a subscription; none when it is complete.
    pub(crate) async fn event(&mut self, field: &str) -> Option<Value> {
        let message = self.hear().await;
        match message["type"].as_str() {
            Some("next") => {
                assert!(message["payload"].get("errors").is_none(), "{message}");
                Some(message["payload"]["data"][field].clone())
            }
            Some("complete") => None,
            _ => panic!("unexpected {message}"),
        }
    }

    /// Asks for a sign of life; what comes next, which is that unless something came before it.
    pub(crate) async fn ping(&mut self) -> Value {
        self.say(json!({ "type": "ping" })).await;
        self.hear().await
    }

    /// The next message, whatever it is.
    pub(crate) async fn anything(&mut self) -> Value {
        self.hear().await
    }
}

/// A client's two texts, kept by the documented rule.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) content: Vec<u16>,
    pub(crate) thought: Vec<u16>,
}

impl Reader {
    /// Takes an event; the final message if it was the last one.
    pub(crate) fn take(&mut self, event: &Value) -> Option<Value> {
        match event["__typename"].as_str().unwrap() {
            "ReplyDelta" => {
                let thought = event["channel"] == "THOUGHT";
                let text = if thought { &mut self.thought } else { &mut self.content };
                let offset = usize::try_from(event["offset"].as_u64().unwrap()).unwrap();
                assert!(offset <= text.len(), "a gap at {offset}");
                text.truncate(offset);
                text.extend(event["text"].as_str().unwrap().encode_utf16());
            }
            "ReplyReset" => {
                self.content = event["content"].as_str().unwrap().encode_utf16().collect();
                let thought = event["thought"].as_str().unwrap_or_default();
                self.thought = thought.encode_utf16().collect();
            }
            "ReplyFinished" | "ReplyFailed" => return Some(event["message"].clone()),
            _ => {}
        }
        None
    }

    /// The content as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf16(&self.content).unwrap()
    }
}

/// Reads a reply to its end; what the client assembled and the final message.
pub(crate) async fn read_to_end(socket: &mut Socket, mut reader: Reader) -> (Reader, Value) {
    let mut ended = None;
    while let Some(event) = socket.event("reply").await {
        ended = reader.take(&event).or(ended);
    }
    (reader, ended.expect("the last event is the end"))
}

/// Reads until the client holds this much.
pub(crate) async fn read_some(socket: &mut Socket, units: usize) -> Reader {
    let mut reader = Reader::default();
    while reader.content.len() < units {
        reader.take(&socket.event("reply").await.unwrap());
    }
    reader
}
