//! Models behind the server: how they are found, named, checked, and kept out of the log.

use serde_json::{Value, json};
use skald_doubles::{GeminiDouble, OpenAiDouble, Profile};

use crate::{
    client::{Player, Reader, read_to_end},
    server::{Home, LOG_FILE, Server, sqlite_home},
};

const KEY: &str = "AIza-lantern-key";

/// What is set for a Gemini double with a key of ours, beside the key.
async fn gemini() -> (GeminiDouble, [(&'static str, String); 2]) {
    let double = GeminiDouble::start().await;
    double.needs_key(KEY);
    let settings =
        [("GEMINI_API_KEY", KEY.to_owned()), ("SKALD_PROVIDERS__GEMINI__BASE_URL", double.url())];
    (double, settings)
}

async fn serve(home: &Home, settings: &[(&str, String)]) -> Server {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    home.serve_with(&settings).await
}

/// Sends a message and reads the reply to its end.
async fn play(player: &Player, session: &str, content: &str) -> (Reader, Value) {
    let reply = player.send(session, content).await;
    let (mut socket, _) = player.watch(&reply, 0).await;
    read_to_end(&mut socket, Reader::default()).await
}

/// The program's exit code and what it says: on standard output, on standard error.
async fn run(
    home: &Home,
    arguments: &[&str],
    settings: &[(&str, String)],
) -> (Option<i32>, String, String) {
    let mut command = home.command();
    command.args(arguments).args(["--listen", "127.0.0.1:0"]);
    command.envs(settings.iter().map(|(name, value)| (*name, value.as_str())));
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn model_line(server: &mut Server) -> String {
    server.line().await.unwrap();
    server.line().await.unwrap()
}

#[tokio::test]
async fn a_gemini_key_alone_brings_a_storyteller_a_judge_and_a_memory() {
    let home = sqlite_home();
    let (double, settings) = gemini().await;
    double.says("Mira wipes the bar.");
    let mut server = serve(&home, &settings).await;
    let line = model_line(&mut server).await;
    for said in [
        "gemini/gemini-3.8-flash writes",
        "gemini/gemini-3.5-flash-lite judges",
        "gemini/gemini-embedding-001 embeds",
    ] {
        assert!(line.contains(said), "{line}");
    }
    let freya = Player::register(&server, "freya").await;
    let session = freya.begin().await;
    let (reader, ended) = play(&freya, &session, "Good evening!").await;
    assert_eq!(
        (reader.text().as_str(), &ended["status"]),
        ("Mira wipes the bar.", &json!("COMPLETE"))
    );

    let query =
        "{ models { id provider roles defaultFor isDefault contextTokens outputTokens thinks
        thinkingLevels samplers prefill lastTurn dimensions
        prices { from until input cachedInput output currency } } }";
    let models = freya.run(query, json!({})).await["models"].clone();
    let find = |id: &str| {
        models.as_array().unwrap().iter().find(|model| model["id"] == id).cloned().unwrap()
    };
    assert_eq!(
        models[0],
        json!({
            "id": "gemini/gemini-3.8-flash", "provider": "gemini",
            "roles": ["STORY", "SUPERVISOR"], "defaultFor": ["STORY"], "isDefault": true,
            "contextTokens": 1_114_112, "outputTokens": 65_536, "thinks": true,
            "thinkingLevels": ["LOW", "MEDIUM", "HIGH"], "samplers": ["SEED"],
            "prefill": false, "lastTurn": "USER", "dimensions": null,
            "prices": [
                { "from": null, "until": "2026-12-31", "input": 0.75, "cachedInput": 0.075,
                  "output": 3.75, "currency": "USD" },
                { "from": "2027-01-01", "until": null, "input": 1.5, "cachedInput": 0.15,
                  "output": 7.5, "currency": "USD" },
            ],
        })
    );
    assert_eq!(find("gemini/gemini-3.5-flash-lite")["defaultFor"], json!(["SUPERVISOR"]));
    let embedder = find("gemini/gemini-embedding-001");
    assert_eq!((&embedder["roles"], &embedder["dimensions"]), (&json!(["EMBEDDING"]), &json!(768)));
    assert_eq!(find("skald/offline")["isDefault"], json!(false));
    let listed = models.to_string();
    assert!(!listed.contains("gemini-3.7-flash"), "the host pays for what was chosen: {listed}");
}

#[tokio::test]
async fn a_model_that_does_not_write_cannot_be_chosen_for_a_story() {
    let home = sqlite_home();
    let (_double, settings) = gemini().await;
    let server = serve(&home, &settings).await;
    let freya = Player::register(&server, "freya").await;
    let session = freya.begin().await;
    let reply = freya.send(&session, "Hello").await;
    let (mut socket, _) = freya.watch(&reply, 0).await;
    read_to_end(&mut socket, Reader::default()).await;
    let query = "mutation($input: RegenerateReplyInput!) {
        regenerateReply(input: $input) { reply { id } errors { code path message } } }";
    for (model, code) in
        [("gemini/gemini-embedding-001", "BAD_USER_INPUT"), ("gemini/gemini-9", "NOT_FOUND")]
    {
        let input = json!({ "messageId": reply, "modelId": model, "clientRequestId": model });
        let data = freya.run(query, json!({ "input": input })).await;
        let error = &data["regenerateReply"]["errors"][0];
        assert_eq!((&error["code"], &error["path"]), (&json!(code), &json!(["input", "modelId"])));
    }
}

#[tokio::test]
async fn a_local_server_with_one_model_needs_its_address_alone() {
    let home = sqlite_home();
    let double = OpenAiDouble::start(Profile::Ollama).await;
    double.says("The fire has burnt low.");
    let mut server = serve(&home, &[("OPENAI_BASE_URL", double.url())]).await;
    let line = model_line(&mut server).await;
    assert!(line.contains("openai/llama3.1:8b writes, openai/llama3.1:8b judges"), "{line}");
    let freya = Player::register(&server, "freya").await;
    let session = freya.begin().await;
    let (reader, _) = play(&freya, &session, "Is anybody here?").await;
    assert_eq!(reader.text(), "The fire has burnt low.");
}

/// A server that has these models, in a folder of its own.
async fn server_with(ids: &[&str]) -> OpenAiDouble {
    let double = OpenAiDouble::start(Profile::Plain).await;
    let models: Vec<Value> = ids.iter().map(|id| json!({ "id": id, "object": "model" })).collect();
    let list = json!({ "object": "list", "data": models });
    for _ in 0..4 {
        double.replies_once_at(
            skald_doubles::Endpoint::Models,
            skald_doubles::Reply::json(200, &list),
        );
    }
    double
}

#[tokio::test]
async fn of_several_models_one_has_to_be_named() {
    let home = sqlite_home();
    let double = server_with(&["tale", "saga", "nomic-embed-text"]).await;
    let settings = [("OPENAI_BASE_URL", double.url())];
    let (code, _, said) = run(&home, &["serve"], &settings).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("OPENAI_MODEL") && said.trim().lines().count() == 1, "{said}");
    assert!(said.contains("tale, saga") && !said.contains("nomic"), "{said}");

    let double = server_with(&["tale", "saga", "nomic-embed-text"]).await;
    let settings = [("OPENAI_BASE_URL", double.url()), ("OPENAI_MODEL", "saga".to_owned())];
    let mut server = serve(&home, &settings).await;
    let line = model_line(&mut server).await;
    assert!(line.contains("openai/saga writes"), "{line}");
}

#[tokio::test]
async fn a_server_that_is_away_needs_a_model_s_name() {
    let home = sqlite_home();
    let gone = OpenAiDouble::start(Profile::Ollama).await.url();
    let (code, _, said) = run(&home, &["serve"], &[("OPENAI_BASE_URL", gone.clone())]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("OPENAI_MODEL") && said.contains("cannot be reached"), "{said}");
    // With it the server starts; the model may come later.
    let settings = [("OPENAI_BASE_URL", gone), ("OPENAI_MODEL", "tale".to_owned())];
    let mut server = serve(&home, &settings).await;
    assert!(model_line(&mut server).await.contains("openai/tale writes"));
}

#[tokio::test]
async fn a_machine_without_certificates_has_stories_all_the_same() {
    let home = sqlite_home();
    let nothing = home.data().join("nothing");
    let nowhere = nothing.display().to_string();
    let bare = [("SSL_CERT_FILE", nowhere.clone()), ("SSL_CERT_DIR", nowhere)];
    let mut server = serve(&home, &bare).await;
    assert!(model_line(&mut server).await.contains("skald/offline writes"));
    assert_eq!(server.stop().await, Some(0));

    let double = OpenAiDouble::start(Profile::Ollama).await;
    double.says("The fire has burnt low.");
    let mut settings = bare.to_vec();
    settings.push(("OPENAI_BASE_URL", double.url()));
    let server = serve(&home, &settings).await;
    let freya = Player::register(&server, "freya").await;
    let session = freya.begin().await;
    let (reader, _) = play(&freya, &session, "Is anybody here?").await;
    assert_eq!(reader.text(), "The fire has burnt low.");
    assert_eq!(server.stop().await, Some(0));

    let mut settings = bare.to_vec();
    settings.push(("OPENAI_BASE_URL", "https://127.0.0.1:9/v1".to_owned()));
    let (code, _, said) = run(&home, &["serve"], &settings).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("certificates"), "{said}");
}

#[tokio::test]
async fn a_proxy_is_not_asked_for_a_server_nearby() {
    let home = sqlite_home();
    let double = OpenAiDouble::start(Profile::Ollama).await;
    let proxy = "http://127.0.0.1:9".to_owned();
    let settings = [
        ("OPENAI_BASE_URL", double.url()),
        ("HTTP_PROXY", proxy.clone()),
        ("http_proxy", proxy),
        ("NO_PROXY", String::new()),
        ("no_proxy", String::new()),
    ];
    let mut server = serve(&home, &settings).await;
    assert!(model_line(&mut server).await.contains("openai/llama3.1:8b writes"));
}

#[tokio::test]
async fn a_file_stands_above_well_known_variables_and_below_ours() {
    let home = sqlite_home();
    let (_double, mut settings) = gemini().await;
    settings[1].1.push('/');
    let file = "[providers.gemini]\nmodel = \"gemini-3.7-flash\"\n\
        [providers.lab]\nbase_url = \"http://127.0.0.1:9/v1\"\nprofile = \"vllm\"\n\
        [roles.supervisor]\nmodel = \"lab/judge\"\ntemperature = 0.2\n\
        [[models]]\nmatch = \"judge\"\nname = \"The Judge\"\nprices = [{ from = \"2026-01-01\", output = 1 }]\n";
    std::fs::write(home.data().join("skald.toml"), file).unwrap();
    let mut all = settings.to_vec();
    // Empty is unset.
    all.push(("OPENAI_BASE_URL", String::new()));
    let mut server = serve(&home, &all).await;
    let line = model_line(&mut server).await;
    assert!(line.contains("gemini/gemini-3.7-flash writes, lab/judge judges"), "{line}");
    let freya = Player::register(&server, "freya").await;
    let models = freya.run("{ models { id name prices { output } } }", json!({})).await;
    let judge = json!({ "id": "lab/judge", "name": "The Judge", "prices": [{ "output": 1.0 }] });
    assert!(models["models"].as_array().unwrap().contains(&judge), "{models}");
    assert_eq!(server.stop().await, Some(0));
    all.push(("SKALD_ROLES__STORY__MODEL", "gemini/gemini-3.6-flash".to_owned()));
    let mut server = serve(&home, &all).await;
    let line = model_line(&mut server).await;
    assert!(line.contains("gemini/gemini-3.6-flash writes"), "{line}");
}

#[tokio::test]
async fn doctor_has_each_role_do_its_work() {
    let home = sqlite_home();
    let (double, settings) = gemini().await;
    double.answers_json(r#"{"awake": true}"#, skald_doubles::JsonShape::Bare);
    let (_, report, _) = run(&home, &["doctor"], &settings).await;
    for said in [
        "ok    story gemini/gemini-3.8-flash: answers",
        "ok    supervisor gemini/gemini-3.5-flash-lite: answers in JSON",
        "ok    embedding gemini/gemini-embedding-001: makes vectors of 768 numbers",
    ] {
        assert!(report.contains(said), "{report}");
    }
}

#[tokio::test]
async fn doctor_says_what_is_wrong_with_a_key_or_a_name() {
    let home = sqlite_home();
    let (_double, mut settings) = gemini().await;
    let mut misspelt = settings.to_vec();
    misspelt.push(("SKALD_ROLES__STORY__MODEL", "gemini/gemini-3.8-flesh".to_owned()));
    let (code, report, _) = run(&home, &["doctor"], &misspelt).await;
    assert_eq!(code, Some(1));
    let line = report.lines().find(|line| line.contains("gemini-3.8-flesh")).unwrap();
    assert!(line.starts_with("FAIL") && line.contains("no such model"), "{line}");

    settings[0].1 = "AIza-somebody-else".to_owned();
    let (code, report, errors) = run(&home, &["doctor"], &settings).await;
    assert_eq!(code, Some(1));
    let line = report.lines().find(|line| line.contains("story gemini")).unwrap();
    assert!(line.starts_with("FAIL") && line.contains("API key not valid"), "{line}");
    assert!(!(report + &errors).contains("AIza-somebody-else"));
}

#[tokio::test]
async fn doctor_warns_of_a_small_context() {
    let home = sqlite_home();
    let double = OpenAiDouble::start(Profile::Ollama).await;
    let (_, report, _) = run(&home, &["doctor"], &[("OPENAI_BASE_URL", double.url())]).await;
    assert!(report.contains("OLLAMA_CONTEXT_LENGTH"), "{report}");
}

#[tokio::test]
async fn the_log_tells_nothing_of_a_story_unless_it_is_asked_to() {
    let home = sqlite_home();
    let file = home.data().join("log");
    for (wire, told) in [("false", false), ("true", true)] {
        let (double, settings) = gemini().await;
        double.words_per_chunk(20);
        double.says("Under the blue stone lies a silver key.");
        let mut settings = settings.to_vec();
        settings.push(("SKALD_LOG__FILTER", "trace".to_owned()));
        settings.push(("SKALD_LOG__WIRE", wire.to_owned()));
        settings.push((LOG_FILE, file.display().to_string()));
        let server = serve(&home, &settings).await;
        let freya = Player::register(&server, &format!("freya-{wire}")).await;
        let session = freya.begin().await;
        let (reader, _) = play(&freya, &session, "Where is the amber ring?").await;
        assert!(reader.text().contains("silver key"));
        freya.ask("{ viewer { The amber ring", json!({})).await;
        assert_eq!(server.stop().await, Some(0));
        let log = std::fs::read_to_string(&file).unwrap();
        assert!(log.contains("DEBUG") || log.contains("TRACE"), "there is a detailed log");
        assert!(!log.contains(KEY), "a key is never logged");
        for words in ["amber ring", "blue stone", "silver key"] {
            assert_eq!(log.contains(words), told, "{words} with log.wire = {wire}");
        }
    }
}
