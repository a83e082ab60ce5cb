//! What breaks in the middle of a turn, and how the story goes on afterwards.

use serde_json::{Value, json};
use skald_doubles::{Delivery, Gate, OpenAiDouble, OpenAiFault, Profile};
use tokio::process::Command;

use crate::{
    client::{Player, Reader, read_some, read_to_end, request_id},
    server::{Home, Server, each_home, sqlite_home},
};

pub(crate) const TALE: &str =
    "The ferry does not wait for anybody, said Mira, and set down the lamp.";

/// A model that says a tale, and the settings that lead to it.
async fn model() -> (OpenAiDouble, [(&'static str, String); 3]) {
    let double = OpenAiDouble::start(Profile::Plain).await;
    double.says(TALE);
    double.words_per_chunk(1);
    let settings = [
        ("OPENAI_BASE_URL", double.url()),
        ("OPENAI_MODEL", "story-large".to_owned()),
        ("SKALD_PROVIDERS__OPENAI__TIMEOUTS__IDLE_SECONDS", "2".to_owned()),
    ];
    (double, settings)
}

pub(crate) async fn serve(home: &Home, settings: &[(&str, String)]) -> Server {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    home.serve_with(&settings).await
}

/// The end of a reply, and what a watcher had then.
pub(crate) async fn end_of(player: &Player, reply: &str) -> Value {
    let (mut socket, _) = player.watch(reply, 0).await;
    let (reader, ended) = read_to_end(&mut socket, Reader::default()).await;
    assert_eq!(ended["content"].as_str().unwrap_or_default(), reader.text());
    ended
}

/// The story goes on: with another version of the reply, and with a turn below that.
async fn goes_on(player: &Player, session: &str, reply: &str) {
    let again = player.swipe(reply, "skald/offline").await;
    assert_eq!(end_of(player, &again).await["status"], "COMPLETE");
    let next = player.send_below(session, &again, "And then?").await;
    assert!(
        ["COMPLETE", "FAILED"].contains(&end_of(player, &next).await["status"].as_str().unwrap())
    );
}

#[tokio::test]
async fn a_model_server_that_dies_mid_text_interrupts_and_one_that_is_gone_fails() {
    each_home(async |home| {
        let (double, settings) = model().await;
        double.deliver(Delivery::new().hold_after(5, &Gate::new()));
        let server = serve(&home, &settings).await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let reply = freya.send(&session, "Hello").await;
        let (mut socket, _) = freya.watch(&reply, 0).await;
        let seen = read_some(&mut socket, "The ferry does not".len()).await;
        drop(double);
        let (reader, ended) = read_to_end(&mut socket, seen).await;
        assert_eq!(
            (&ended["status"], &ended["content"]),
            (&json!("INTERRUPTED"), &json!(reader.text()))
        );
        let failure = freya.message(&reply).await["generation"]["failure"].clone();
        assert_eq!(failure["code"], "CUT");

        let next = freya.swipe(&reply, "openai/story-large").await;
        assert_eq!(end_of(&freya, &next).await["status"], "FAILED");
        let failure = freya.message(&next).await["generation"].clone();
        assert_eq!(
            (&failure["failure"]["code"], &failure["attempt"]),
            (&json!("UNREACHABLE"), &json!(3))
        );
        goes_on(&freya, &session, &reply).await;
    })
    .await;
}

#[tokio::test]
async fn a_model_that_stalls_mid_text_is_given_up() {
    each_home(async |home| {
        let (double, settings) = model().await;
        double.fails_once(OpenAiFault::SilentAfter(6));
        let server = serve(&home, &settings).await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let reply = freya.send(&session, "Hello").await;
        let ended = end_of(&freya, &reply).await;
        assert_eq!(ended["status"], "INTERRUPTED");
        let content = ended["content"].as_str().unwrap();
        assert!(!content.is_empty() && TALE.starts_with(content), "{content:?}");
        let failure = freya.message(&reply).await["generation"]["failure"].clone();
        assert_eq!(failure["code"], "TIMEOUT");
        let next = freya.send(&session, "Are you there?").await;
        assert_eq!(end_of(&freya, &next).await, json!({ "status": "COMPLETE", "content": TALE }));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_goes_away_mid_reply_finds_it_whole() {
    each_home(async |home| {
        let (double, settings) = model().await;
        let gate = Gate::new();
        double.deliver_once(Delivery::new().hold_after(5, &gate));
        let server = serve(&home, &settings).await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let reply = freya.send(&session, "Hello").await;
        let (mut socket, _) = freya.watch(&reply, 0).await;
        read_some(&mut socket, 3).await;
        // Nobody says goodbye: the connection is just gone.
        drop(socket);
        gate.open();
        assert_eq!(end_of(&freya, &reply).await, json!({ "status": "COMPLETE", "content": TALE }));
        let next = freya.send(&session, "Well?").await;
        assert_eq!(end_of(&freya, &next).await["status"], "COMPLETE");
    })
    .await;
}

/// How many bytes a file of this process may have from now on.
async fn limit_files(server: &Server, bytes: &str) {
    let pid = server.pid().to_string();
    let limit = format!("--fsize={bytes}:");
    let done = Command::new("prlimit").args(["--pid", &pid, &limit]).status().await;
    assert!(done.unwrap().success());
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_and_loses_nothing_that_was_said() {
    let home = sqlite_home();
    let (double, settings) = model().await;
    let gate = Gate::new();
    double.deliver_once(Delivery::new().hold_after(5, &gate));
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = home.serve_without_file_signal(&settings).await;
    let freya = Player::register(&server, "freya").await;
    let session = freya.begin().await;
    let reply = freya.send(&session, "Hello").await;
    let (mut socket, _) = freya.watch(&reply, 0).await;
    let seen = read_some(&mut socket, 3).await;

    limit_files(&server, "1").await;
    let send = "mutation($input: SendMessageInput!) { sendMessage(input: $input) {
        message { id } errors { code } } }";
    let input = json!({ "input": { "sessionId": session, "content": "Any room?",
        "clientRequestId": request_id() } });
    let persona = "mutation($input: CreatePersonaInput!) { createPersona(input: $input) {
        persona { id } errors { code } } }";
    let somebody = json!({ "input": { "name": "Bjorn", "clientRequestId": request_id() } });
    let (_, refused) = freya.ask(persona, somebody.clone()).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR");
    // What is read is read, and what the model says is shown.
    assert_eq!(freya.message(&reply).await["id"], json!(reply));
    gate.open();
    let seen = read_on(&mut socket, seen, TALE.len()).await;
    assert_eq!(freya.message(&reply).await["status"], "WRITING", "its end cannot be stored");

    limit_files(&server, "unlimited").await;
    let (reader, ended) = read_to_end(&mut socket, seen).await;
    assert_eq!(ended, json!({ "status": "COMPLETE", "content": TALE }));
    assert_eq!(reader.text(), TALE);
    // The same request again, as after any answer that was none.
    let made = freya.run(persona, somebody).await;
    assert_eq!(made["createPersona"]["errors"], json!([]));
    let made = freya.run(send, input).await;
    assert_eq!(made["sendMessage"]["errors"], json!([]));
}

/// Reads on until the client holds this much.
pub(crate) async fn read_on(
    socket: &mut crate::client::Socket,
    mut reader: Reader,
    units: usize,
) -> Reader {
    while reader.content.len() < units {
        reader.take(&socket.event("reply").await.unwrap());
    }
    reader
}
