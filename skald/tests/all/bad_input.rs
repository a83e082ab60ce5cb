//! Forged tokens, strangers, and what they are told.

use serde_json::json;

use crate::{
    client::{Player, Reader, read_to_end},
    server::{LOG_FILE, each_home, sqlite_home},
};

#[tokio::test]
async fn a_forged_token_is_refused_before_anything_runs() {
    let home = sqlite_home();
    let server = home.serve().await;
    let freya = Player::register(&server, "freya").await;
    let token = freya.token.clone().unwrap();
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    // {"alg":"none"} and a claim to be somebody else.
    let nobody = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let other = "eyJzdWIiOiJ1c2VyXzAxaDQ1NXZiNHBleDV2c2tuazA4NHNuMDJxIn0";
    for forged in [
        format!("{header}.{other}.{signature}"),
        format!("{nobody}.{other}."),
        format!("{head}.{}", signature.chars().rev().collect::<String>()),
        freya.refresh_token.clone().unwrap(),
        "nonsense".to_owned(),
    ] {
        let forger = Player { token: Some(forged), ..freya.clone() };
        let (status, answer) = forger.ask("{ viewer { id } }", json!({})).await;
        assert_eq!(status, 401);
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert!(answer.get("data").is_none());
    }
    let data = freya.run("{ viewer { id } }", json!({})).await;
    assert!(data["viewer"]["id"].is_string());
}

#[tokio::test]
async fn signing_out_ends_the_token_and_the_open_socket_at_once() {
    let home = sqlite_home();
    let server = home.serve().await;
    let freya = Player::register(&server, "freya").await;
    let mut socket = freya.open_socket().await;
    let logout = "mutation { logout(input: {}) { errors { code } } }";
    freya.run(logout, json!({})).await;
    assert_eq!(socket.anything().await["closed"], 4403);
    let (status, answer) = freya.ask("{ viewer { id } }", json!({})).await;
    assert_eq!(
        (status, &answer["errors"][0]["extensions"]["code"]),
        (401, &json!("UNAUTHENTICATED"))
    );
}

#[tokio::test]
async fn a_stranger_sees_nothing_of_a_story() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let reply = freya.send(&session, "Hello").await;
        let stranger = Player::register(&server, "loki").await;
        let query = "query($session: ID!, $message: ID!) {
            session(id: $session) { id } message(id: $message) { id }
            a: node(id: $session) { id } b: node(id: $message) { id } nodes(ids: [$session]) { id } }";
        let variables = json!({ "session": session, "message": reply });
        let nothing = json!({ "session": null, "message": null, "a": null, "b": null, "nodes": [null] });
        assert_eq!(stranger.run(query, variables).await, nothing);
        let (mut socket, _) = stranger.watch(&reply, 0).await;
        let answer = socket.anything().await;
        let error = answer["payload"]["errors"].get(0).unwrap_or(&answer["payload"][0]);
        assert_eq!(error["extensions"]["code"], "NOT_FOUND", "{answer}");
    })
    .await;
}

#[tokio::test]
async fn pages_of_pages_are_refused_before_they_are_read() {
    let home = sqlite_home();
    let server = home.serve().await;
    let freya = Player::register(&server, "freya").await;
    // What a list of sessions with a first screen of each asks for, and what nobody can show.
    let query = |sessions: u32, messages: u32| {
        format!(
            "{{ sessions(first: {sessions}) {{ nodes {{ id title persona {{ name }}
                cast {{ name character {{ name }} }} runningReplies {{ id }}
                path(last: {messages}) {{ nodes {{ id role content status position
                    author {{ name }} alternatives {{ count }} generation {{ model }} }} }} }} }} }}"
        )
    };
    let (status, answer) = freya.ask(&query(10, 20), json!({})).await;
    assert!(status == 200 && answer.get("errors").is_none(), "{answer}");
    let (status, answer) = freya.ask(&query(100, 100), json!({})).await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!((status, &extensions["code"]), (400, &json!("LIMIT_EXCEEDED")), "{answer}");
    assert_eq!(
        (&extensions["limit"], &extensions["allowed"]),
        (&json!("complexity"), &json!(5000))
    );

    // Pages below one node multiply too, in a list of ids and in a subscription's events.
    let message = "message_01h455vb4pex5vsknk084sn02q";
    let page = "messages(first: 100)";
    let swipes = format!(
        "alternatives {{ {page} {{ nodes {{ alternatives {{ {page} {{ nodes {{ id }} }} }} }} }} }}"
    );
    let ids = vec![format!("\"{message}\""); 100].join(",");
    for query in [
        format!("{{ message(id: \"{message}\") {{ {swipes} }} }}"),
        format!(
            "{{ nodes(ids: [{ids}]) {{ ... on Message {{ children(first: 100) {{ nodes {{ id }} }} }} }} }}"
        ),
    ] {
        let (status, answer) = freya.ask(&query, json!({})).await;
        assert_eq!(
            (status, &answer["errors"][0]["extensions"]["limit"]),
            (400, &json!("complexity")),
            "{query}"
        );
    }
    let mut socket = freya.open_socket().await;
    let events = format!(
        "subscription {{ reply(messageId: \"{message}\") {{ ... on ReplyFinished {{ message {{ {swipes} }} }} }} }}"
    );
    socket.subscribe(&events, json!({})).await;
    let answer = socket.anything().await;
    assert_eq!(answer["payload"][0]["extensions"]["limit"], "complexity", "{answer}");
}

#[tokio::test]
async fn the_log_tells_no_secrets_and_no_stories() {
    each_home(async |home| {
        let file = home.data().join("log");
        let shown = file.display().to_string();
        let server = home.serve_with(&[("SKALD_LOG__FILTER", "debug"), (LOG_FILE, &shown)]).await;
        let freya = Player::register(&server, "freya").await;
        let session = freya.begin().await;
        let reply = freya.send(&session, "The key lies under the blue stone.").await;
        let (mut socket, _) = freya.watch(&reply, 0).await;
        let (reader, _) = read_to_end(&mut socket, Reader::default()).await;
        // Requests that fail are what a log is most tempted to quote.
        freya.ask("{ session(id: \"The blue stone\") { id } }", json!({})).await;
        freya.ask("{ viewer { The blue stone", json!({})).await;
        let forger = Player { token: Some("blue-stone-token".into()), ..freya.clone() };
        forger.ask("{ viewer { id } }", json!({})).await;
        assert_eq!(server.stop().await, Some(0));
        let log = std::fs::read_to_string(file).unwrap();
        assert!(log.contains("user registered"), "there is a log: {log}");
        let words = reader.text();
        let words: Vec<&str> = words.split_inclusive('.').take(2).map(str::trim).collect();
        let secrets = [freya.token.unwrap(), freya.refresh_token.unwrap()];
        let told = ["a lantern for every window", "blue stone", "blue-stone-token", "@example.org"];
        for secret in told.into_iter().chain(secrets.iter().map(String::as_str)).chain(words) {
            assert!(!log.contains(secret), "the log tells {secret:?}");
        }
    })
    .await;
}
