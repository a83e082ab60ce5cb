//! A running story engine on a database of its own, and people who use it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_graphql::{Request, Response, Variables};
use futures_util::{StreamExt, stream::BoxStream};
use serde_json::{Value, json};
use skald_base::{
    Clock, Db, Ids, Lifecycle, SystemClock, Viewer,
    testing::{TestDb, each_database},
    viewer::{Role, SignInKind, SignedIn, UserId},
};
use skald_core::{
    App, EmbeddingSettings, FileSettings, Files, Limits, MemorySettings, Setup,
    graphql::{CoreSchema, core_schema, prepare},
    llm::{
        Llm,
        offline::{Offline, Pace},
    },
};
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;

use crate::script::{Script, scripted};

/// Longer than anything takes on a busy machine; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Everything a client asks of a message.
pub(crate) const MESSAGE: &str = "fragment M on Message { id parentId depth role status content
    thought hasThought position revision createdAt editedAt deletedAt hiddenFromPrompt
    author { kind name avatarUrl persona { id name } character { id name } user { id } }
    alternatives { id count messageIds } editedFrom { id }
    revisions { totalCount nodes { revision content createdAt } } bookmark continuedFrom { id }
    generation { id model attempt stage finishReason
        failure { code message retryable retryAt } usage { prompt cached output thought }
        timings { createdAt firstTextAt finishedAt } } }";

/// A running story engine. Clones share everything.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) db: Db,
    pub(crate) url: String,
    pub(crate) schema: CoreSchema,
    requests: Arc<AtomicU64>,
    /// Where files lie that were sent.
    pub(crate) files: Arc<TempDir>,
}

/// What a world is built from.
pub(crate) struct Plan {
    pub(crate) llm: Arc<dyn Llm>,
    pub(crate) limits: Limits,
    pub(crate) memory: MemorySettings,
    pub(crate) embedding: EmbeddingSettings,
    pub(crate) seed: u64,
    pub(crate) files: FileSettings,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Default for Plan {
    fn default() -> Self {
        let llm = Arc::new(Offline::new(Pace::Instant, true));
        let (clock, files) = (Arc::new(SystemClock), FileSettings::default());
        let (limits, memory) = (Limits::default(), MemorySettings::default());
        let embedding = EmbeddingSettings::default();
        Self { llm, limits, memory, embedding, seed: 7, files, clock }
    }
}

/// A session to play in, and who is in it.
#[derive(Clone, Debug)]
pub(crate) struct Tale {
    pub(crate) session: String,
    pub(crate) persona: String,
    pub(crate) character: String,
    pub(crate) greeting: String,
}

pub(crate) fn person(n: u128) -> Viewer {
    let uuid = Uuid::from_u128(0x019a_0000_0000_7000_8000_0000_0000_0000 | n);
    Viewer::User(SignedIn {
        id: UserId::from_uuid(uuid),
        sign_in: skald_base::Id::<SignInKind>::from_uuid(uuid),
        role: Role::User,
        minor: false,
    })
}

pub(crate) fn freya() -> Viewer {
    person(1)
}

pub(crate) fn bjorn() -> Viewer {
    person(2)
}

/// Tells a story on each database, written by the offline storyteller.
pub(crate) async fn story(tell: impl AsyncFn(&World)) {
    story_with(|| (Plan::default(), ()), async |world, ()| tell(world).await).await;
}

/// Tells a story on each database, written by the test.
pub(crate) async fn scripted_story(tell: impl AsyncFn(&World, &Script)) {
    let plan = || {
        let (llm, script) = scripted();
        (Plan { llm: Arc::new(llm), ..Plan::default() }, script)
    };
    story_with(plan, async |world, script| tell(world, &script).await).await;
}

/// Tells a story on each database in a world of the test's own making.
pub(crate) async fn story_with<T>(plan: impl Fn() -> (Plan, T), tell: impl AsyncFn(&World, T)) {
    each_database(skald_core::MIGRATIONS, async |TestDb { db, url, dir: _dir }| {
        let (plan, rest) = plan();
        let world = World::open(db, url, plan).await;
        tell(&world, rest).await;
        world.app.lifecycle.stop(Duration::ZERO).await;
    })
    .await;
}

impl World {
    pub(crate) async fn open(db: Db, url: String, plan: Plan) -> Self {
        let clock = plan.clock;
        let ids = Ids::seeded(clock.clone(), plan.seed);
        let files = Arc::new(tempfile::tempdir().unwrap());
        let app = App::new(Setup {
            db: db.clone(),
            clock,
            ids,
            llm: plan.llm,
            lifecycle: Lifecycle::new(),
            limits: plan.limits,
            memory: plan.memory,
            embedding: plan.embedding,
            files: Files::new(plan.files, files.path().to_owned()),
        });
        app.start().await.map_err(|error| error.describe()).unwrap();
        let schema = core_schema(Some(app.clone()));
        let requests = Arc::new(AtomicU64::new(plan.seed * 1_000_000));
        Self { app, db, url, schema, requests, files }
    }

    fn request(&self, who: Viewer, query: &str, variables: Value) -> Request {
        let request = Request::new(query).variables(Variables::from_json(variables));
        prepare(&self.app, who, request)
    }

    /// A request id that was not used before.
    pub(crate) fn request_id(&self) -> String {
        format!("request-{}", self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends an operation and gives the whole answer.
    pub(crate) async fn send(&self, who: Viewer, query: &str, variables: Value) -> Value {
        let answer = self.schema.execute(self.request(who, query, variables));
        serde_json::to_value(timeout(PATIENCE, answer).await.expect("an answer")).unwrap()
    }

    /// Sends an operation that has to succeed and gives one field of its data.
    pub(crate) async fn ask(&self, who: Viewer, query: &str, variables: Value) -> Value {
        first_field(&self.send(who, query, variables).await)
    }

    /// The code of the top-level error with which an operation is refused.
    pub(crate) async fn refusal(&self, who: Viewer, query: &str, variables: Value) -> Value {
        let answer = self.send(who, query, variables).await;
        answer["errors"][0]["extensions"]["code"].clone()
    }

    /// Runs a mutation by name and gives its payload, whatever it says.
    pub(crate) async fn try_to(&self, who: Viewer, name: &str, mut input: Value) -> Value {
        let mutation = mutation(name);
        if mutation.creates && input.get("clientRequestId").is_none() {
            input["clientRequestId"] = self.request_id().into();
        }
        let Mutation { input: kind, answer, .. } = mutation;
        let spread = if answer.contains("...M") { MESSAGE } else { "" };
        let query = format!(
            "mutation($input: {kind}!) {{ {name}(input: $input) {{ {answer}
                errors {{ code message path }} }} }} {spread}"
        );
        self.ask(who, &query, json!({ "input": input })).await
    }

    /// Runs a mutation that has to succeed.
    pub(crate) async fn does(&self, who: Viewer, name: &str, input: Value) -> Value {
        let payload = self.try_to(who, name, input.clone()).await;
        assert_eq!(payload["errors"], json!([]), "{name} {input}");
        payload
    }

    /// The code with which a mutation is refused; null if it was not.
    pub(crate) async fn denied(&self, who: Viewer, name: &str, input: Value) -> Value {
        let payload = self.try_to(who, name, input).await;
        payload["errors"][0]["code"].clone()
    }

    /// Sends a message and gives its payload.
    pub(crate) async fn says(&self, who: Viewer, tale: &Tale, content: &str) -> Value {
        let input = json!({ "sessionId": tale.session, "content": content });
        self.does(who, "sendMessage", input).await
    }

    /// Sends a message and waits for the reply; the message and its reply.
    pub(crate) async fn talks(&self, who: Viewer, tale: &Tale, content: &str) -> (Value, Value) {
        let turn = self.says(who, tale, content).await;
        let reply = self.ends(who, &id(&turn["reply"])).await;
        (turn["message"].clone(), reply)
    }

    /// Waits for a reply's end and gives its message.
    pub(crate) async fn ends(&self, who: Viewer, reply: &str) -> Value {
        let mut events = self.watch_reply(who, json!({ "id": reply, "channels": [] }));
        let end = events.until(|event| event.get("message").is_some()).await;
        end["message"].clone()
    }

    /// Subscribes to a reply; variables: `id`, `offset`, `thoughtOffset`, `channels`.
    pub(crate) fn watch_reply(&self, who: Viewer, variables: Value) -> Events {
        let query = format!(
            "subscription($id: ID!, $offset: Int, $thoughtOffset: Int, $channels: [ReplyChannel!]) {{
                reply(messageId: $id, offset: $offset, thoughtOffset: $thoughtOffset,
                    channels: $channels) {{ __typename messageId attempt
                    ... on ReplyDelta {{ channel offset text }}
                    ... on ReplyStageChanged {{ stage failure {{ code retryable }} retryAt }}
                    ... on ReplyReset {{ content thought }}
                    ... on ReplyFinished {{ message {{ ...M }} }}
                    ... on ReplyFailed {{ message {{ ...M }} }} }} }} {MESSAGE}"
        );
        self.subscribe(who, &query, variables)
    }

    /// Subscribes to a session; variables: `id`, `after`, `channels`.
    pub(crate) fn watch_session(&self, who: Viewer, variables: Value) -> Events {
        let query = "subscription($id: ID!, $after: Int, $channels: [ReplyChannel!]) {
            sessionEvents(sessionId: $id, after: $after, channels: $channels) {
                __typename sequence session { id }
                ... on MessagesAdded { messages { id parentId role content } clientRequestId }
                ... on MessageUpdated { message { id content revision } }
                ... on MessagesDeleted { root { id } }
                ... on MessagesRestored { root { id } messages { id } }
                ... on HeadMoved { head { id } fork { id } branch { id } clientRequestId }
                ... on ReplyDelta { messageId attempt channel offset text }
                ... on ReplyStageChanged { messageId attempt stage }
                ... on ReplyReset { messageId attempt content thought }
                ... on ReplyFinished { messageId attempt message { id content thought status } }
                ... on ReplyFailed { messageId attempt message { id content thought status } }
            } }";
        self.subscribe(who, query, variables)
    }

    pub(crate) fn subscribe(&self, who: Viewer, query: &str, variables: Value) -> Events {
        let stream = self.schema.execute_stream(self.request(who, query, variables));
        Events(stream.boxed())
    }

    pub(crate) async fn persona(&self, who: Viewer, name: &str) -> String {
        id(&self.does(who, "createPersona", json!({ "name": name })).await["persona"])
    }

    pub(crate) async fn character(&self, who: Viewer, input: Value) -> String {
        id(&self.does(who, "createCharacter", input).await["character"])
    }

    /// A session of this player with a persona, a character and one greeting.
    pub(crate) async fn tale(&self, who: Viewer) -> Tale {
        let persona = self.persona(who, "Astrid").await;
        let card = json!({ "name": "Mira", "greeting": "{{char}} looks {{user}} over.",
            "description": "An innkeeper with a burn scar." });
        let character = self.character(who, card).await;
        self.tale_of(who, &persona, &character).await
    }

    pub(crate) async fn tale_of(&self, who: Viewer, persona: &str, character: &str) -> Tale {
        let input = json!({ "personaId": persona, "characterIds": [character] });
        let session = &self.does(who, "createSession", input).await["session"];
        Tale {
            session: id(session),
            persona: persona.into(),
            character: character.into(),
            greeting: id(&session["head"]),
        }
    }

    pub(crate) async fn message(&self, who: Viewer, id: &str) -> Value {
        let query = format!("query($id: ID!) {{ message(id: $id) {{ ...M }} }} {MESSAGE}");
        self.ask(who, &query, json!({ "id": id })).await
    }

    pub(crate) async fn session(&self, who: Viewer, id: &str) -> Value {
        let query = "query($id: ID!) { session(id: $id) { id title sequence version deletedAt
            head { id } runningReplies { id } persona { id name } lastActivityAt
            cast { name avatarUrl character { id name } } } }";
        self.ask(who, query, json!({ "id": id })).await
    }

    /// The ids of the path to the head, or to a leaf.
    pub(crate) async fn path(&self, who: Viewer, tale: &Tale, leaf: Option<&str>) -> Vec<String> {
        let query = "query($id: ID!, $leaf: ID) { session(id: $id) {
            path(leaf: $leaf, last: 100) { nodes { id } } } }";
        let variables = json!({ "id": tale.session, "leaf": leaf });
        ids(&self.ask(who, query, variables).await["path"]["nodes"])
    }

    /// One number from the test's own SQL.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        let (count,): (i64,) = self.db.read(sql).one().await.unwrap();
        count
    }

    /// How many rows each table that a story grows has.
    pub(crate) async fn rows(&self) -> Vec<i64> {
        let mut rows = Vec::new();
        for sql in [
            "SELECT count(*) FROM persona",
            "SELECT count(*) FROM character",
            "SELECT count(*) FROM session",
            "SELECT count(*) FROM session_participant",
            "SELECT count(*) FROM cast_member",
            "SELECT count(*) FROM message",
            "SELECT count(*) FROM message WHERE deleted_at IS NULL",
            "SELECT count(*) FROM message_revision",
            "SELECT count(*) FROM reply",
            "SELECT count(*) FROM session_event",
            "SELECT count(*) FROM branch_tip",
            "SELECT count(*) FROM session_import",
            "SELECT count(*) FROM fact",
            "SELECT count(*) FROM lorebook",
            "SELECT count(*) FROM lore_entry",
            "SELECT count(*) FROM lorebook_attachment",
            "SELECT count(*) FROM client_request",
        ] {
            rows.push(self.count(sql).await);
        }
        rows
    }
}

/// What a subscription delivers.
pub(crate) struct Events(BoxStream<'static, Response>);

impl Events {
    /// The next event; none after the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let next = timeout(PATIENCE, self.0.next()).await.expect("an event or an end");
        next.map(|response| first_field(&serde_json::to_value(response).unwrap()))
    }

    /// The next response as it is, errors and all.
    pub(crate) async fn response(&mut self) -> Option<Value> {
        let next = timeout(PATIENCE, self.0.next()).await.expect("an event or an end");
        next.map(|response| serde_json::to_value(response).unwrap())
    }

    /// Reads up to the first event of which this is true.
    pub(crate) async fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        while let Some(event) = self.next().await {
            if is_it(&event) {
                return event;
            }
        }
        panic!("the subscription ended before the event came");
    }

    /// Reads up to the first event of this type.
    pub(crate) async fn until_type(&mut self, name: &str) -> Value {
        self.until(|event| event["__typename"] == name).await
    }

    /// Everything up to the end.
    pub(crate) async fn all(mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

struct Mutation {
    input: String,
    creates: bool,
    answer: &'static str,
}

/// How each mutation is asked, and what for.
fn mutation(name: &str) -> Mutation {
    const PERSONA: &str = "persona { id name isDefault version deletedAt }";
    const CHARACTER: &str = "character { id name visibility version deletedAt creator { id } }";
    const FACT: &str = "fact { id text category keys version }";
    const LOREBOOK: &str = "lorebook { id name visibility version deletedAt creator { id } }";
    const ATTACHED: &str = "target { id ... on Session { lorebooks { nodes { id } } }
        ... on Character { lorebooks { nodes { id } } } ... on Persona { lorebooks { nodes { id } } } }";
    const SESSION: &str = "session { id title version sequence deletedAt head { id }
        persona { id } owner { id } }";
    const TURN: &str = "session { id sequence head { id } } message { ...M } reply { ...M }";
    const MOVED: &str = "session { id sequence head { id } } message { ...M }";
    let capital = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let (input, creates, answer) = match name {
        "createPersona" => (capital, true, PERSONA),
        "updatePersona" => (capital, false, PERSONA),
        "deletePersona" => (capital, false, "deletedPersonaId"),
        "createCharacter" => (capital, true, CHARACTER),
        "updateCharacter" => (capital, false, CHARACTER),
        "deleteCharacter" => (capital, false, "deletedCharacterId"),
        "addFact" => (capital, true, FACT),
        "updateFact" => (capital, false, FACT),
        "removeFact" => (capital, false, "removedFactId"),
        "createLorebook" => (capital, true, LOREBOOK),
        "updateLorebook" => (capital, false, LOREBOOK),
        "deleteLorebook" => (capital, false, "deletedLorebookId"),
        "attachLorebook" | "detachLorebook" => (capital, false, ATTACHED),
        "saveLoreEntries" => (
            capital,
            true,
            "lorebook { id } entries { id title content keys secondaryKeys enabled constant recall
                insertionOrder version settings { secondaryLogic position depth role } }",
        ),
        "removeLoreEntries" => (capital, false, "lorebook { id } removedEntryIds"),
        "createUpload" => (capital, true, "upload { id url expiresAt maxBytes }"),
        "importSession" => (
            capital,
            true,
            "session { id title head { id } } report { format imported adaptedCount skippedCount
                adapted { fileName line message } skipped { fileName line message } }",
        ),
        "exportSession" => (capital, false, "export { url expiresAt fileName }"),
        "createSession" | "forkSession" => (capital, true, SESSION),
        "updateSession" | "deleteSession" | "restoreSession" => (capital, false, SESSION),
        "sendMessage" | "requestReply" | "regenerateReply" | "editMessage" | "continueReply"
        | "retryReply" | "impersonate" => (capital, true, TURN),
        "stopReply" => (capital, false, "reply { ...M }"),
        "selectMessage" | "deleteMessage" | "restoreMessage" | "hideMessage"
        | "bookmarkMessage" => (capital, false, MOVED),
        "restoreRevision" => (capital, true, MOVED),
        other => panic!("no such mutation: {other}"),
    };
    Mutation { input, creates, answer }
}

fn first_field(answer: &Value) -> Value {
    assert_eq!(answer.get("errors"), None, "{answer}");
    answer["data"].as_object().unwrap().values().next().unwrap().clone()
}

/// The id of an object that was asked for it.
#[track_caller]
pub(crate) fn id(object: &Value) -> String {
    object["id"].as_str().unwrap_or_else(|| panic!("no id: {object}")).to_owned()
}

/// The ids of a list of objects.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(id).collect()
}

/// Looks again until it is so: for what another process or a timer does, of which no event tells.
pub(crate) async fn eventually(is_so: impl AsyncFn() -> bool) {
    let look = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("it becomes so");
}
