//! The database goes away in the middle of a reply, and comes back.

use serde_json::{Value, json};
use skald_base::Db;
use skald_doubles::{Delivery, Gate, OpenAiDouble, Profile};
use tokio::time::{Duration, Instant, sleep, sleep_until};

use crate::{
    client::{Player, Reader, Socket, read_some, read_to_end, request_id},
    faults::{TALE, end_of, read_on},
    server::{Home, Server, postgres_home, sqlite_home},
};

#[path = "../../../bench/src/crash/postgres.rs"]
#[expect(dead_code, reason = "the crash plan needs more of it than these tests")]
mod postgres;

use postgres::Postgres;

/// Longer than a server waits for a connection, and longer than SQLite waits for a lock.
const AWAY: Duration = Duration::from_secs(10);

/// A player whose reply is being written: five pieces are there, the rest waits for the gate.
struct Scene {
    server: Server,
    freya: Player,
    session: String,
    gate: Gate,
    socket: Socket,
    seen: Reader,
    _model: OpenAiDouble,
}

impl Scene {
    async fn set(home: &Home, databases: &[(&str, String)]) -> Self {
        let double = OpenAiDouble::start(Profile::Plain).await;
        let gate = Gate::new();
        double.says(TALE);
        double.words_per_chunk(1);
        double.deliver_once(Delivery::new().hold_after(5, &gate));
        let url = double.url();
        let model = [("OPENAI_BASE_URL", url.as_str()), ("OPENAI_MODEL", "story-large")];
        let databases = databases.iter().map(|(name, url)| (*name, url.as_str()));
        let settings: Vec<_> = model.into_iter().chain(databases).collect();
        let server = home.serve_with(&settings).await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let reply = freya.send(&session, "Hello").await;
        let (mut socket, _) = freya.watch(&reply, 0).await;
        let seen = read_some(&mut socket, 3).await;
        Self { server, freya, session, gate, socket, seen, _model: double }
    }

    /// The status of a page for whoever runs the server.
    async fn status(&self, page: &str) -> u16 {
        let url = format!("{}{page}", self.server.url());
        self.freya.http.get(url).send().await.unwrap().status().as_u16()
    }

    async fn becomes(&self, status: u16) {
        while self.status("readyz").await != status {
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks for something that has to be stored, in vain; the request.
    async fn in_vain(&self) -> Value {
        let input = json!({ "input": { "name": "Bjorn", "clientRequestId": request_id() } });
        let (_, answer) = self.freya.ask(PERSONA, input.clone()).await;
        let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
        assert!(["INTERNAL_SERVER_ERROR", "TIMEOUT"].contains(&code), "{answer}");
        input
    }

    /// The database is back: the reply is whole, and the story goes on.
    async fn goes_on(mut self, in_vain: Value) {
        let (reader, ended) = read_to_end(&mut self.socket, self.seen).await;
        assert_eq!(ended, json!({ "status": "COMPLETE", "content": TALE }));
        assert_eq!(reader.text(), TALE);
        let made = self.freya.run(PERSONA, in_vain).await;
        assert_eq!(made["createPersona"]["errors"], json!([]));
        let next = self.freya.send(&self.session, "Well?").await;
        let ended = end_of(&self.freya, &next).await;
        assert_eq!(ended, json!({ "status": "COMPLETE", "content": TALE }));
        assert_eq!(self.server.stop().await, Some(0));
    }
}

const PERSONA: &str = "mutation($input: CreatePersonaInput!) { createPersona(input: $input) {
    persona { id } errors { code } } }";

#[tokio::test]
async fn postgres_goes_away_in_the_middle_of_a_reply_and_comes_back() {
    if postgres_home().await.is_none() {
        return;
    }
    let cluster = Postgres::start().await.unwrap();
    for name in ["auth", "core"] {
        cluster.create(name).await.unwrap();
    }
    let databases = [
        ("SKALD_DATABASE__AUTH_URL", cluster.url("auth")),
        ("SKALD_DATABASE__CORE_URL", cluster.url("core")),
    ];
    let home = sqlite_home();
    let mut scene = Scene::set(&home, &databases).await;
    assert_eq!(scene.status("readyz").await, 200);

    cluster.stop_at_once().await.unwrap();
    let back = Instant::now() + AWAY;
    scene.becomes(503).await;
    assert_eq!(scene.status("healthz").await, 200, "the process lives");
    // Who watches sees the model write on: what is said is kept in memory.
    scene.gate.open();
    let seen = std::mem::take(&mut scene.seen);
    scene.seen = read_on(&mut scene.socket, seen, TALE.len()).await;
    let in_vain = scene.in_vain().await;
    sleep_until(back).await;
    cluster.start_again().await.unwrap();
    scene.becomes(200).await;
    scene.goes_on(in_vain).await;
}

#[tokio::test]
async fn somebody_else_locks_the_file_in_the_middle_of_a_reply() {
    let home = sqlite_home();
    let mut scene = Scene::set(&home, &[]).await;
    let other = Db::open_file(&home.data().join("core.db")).await.unwrap();
    let lock = other.begin().await.unwrap();
    let back = Instant::now() + AWAY;
    scene.gate.open();
    let seen = std::mem::take(&mut scene.seen);
    scene.seen = read_on(&mut scene.socket, seen, TALE.len()).await;
    // What only reads goes on.
    assert_eq!(scene.status("readyz").await, 200);
    scene.freya.run("{ personas { totalCount } }", json!({})).await;
    let in_vain = scene.in_vain().await;
    sleep_until(back).await;
    drop(lock);
    other.close().await;
    scene.goes_on(in_vain).await;
}
