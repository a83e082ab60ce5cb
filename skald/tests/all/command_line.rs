//! What scripts rely on: exit codes, first lines, one process a folder.

use std::os::unix::fs::PermissionsExt;

use crate::{
    client::Player,
    server::{each_home, sqlite_home},
};
use serde_json::json;

#[tokio::test]
async fn the_first_line_is_for_scripts_and_three_for_people() {
    let home = sqlite_home();
    let mut server = home.serve().await;
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(server.line().await.unwrap());
    }
    assert!(lines[0].contains(server.url()) || lines[0].contains("npm"), "{lines:?}");
    assert!(lines[1].contains("skald/offline"), "{lines:?}");
    assert!(lines[2].contains(&home.data().display().to_string()), "{lines:?}");
}

#[tokio::test]
async fn bad_configuration_is_one_sentence_and_code_2() {
    let home = sqlite_home();
    for (setting, value, named) in [
        ("SKALD_LISTEN", "nowhere", "listen"),
        ("SKALD_LISTEM", "127.0.0.1:0", "listem"),
        ("SKALD_LOG__FILTER", "a=b=c", "log.filter"),
        ("SKALD_CONFIG", "missing.toml", "missing.toml"),
        ("SKALD_ROLES__STORY__MODEL", "moon/tale", "roles.story.model"),
        ("SKALD_ROLES__STORY__HEAT", "1", "heat"),
        ("SKALD_ROLES__STORY__THINKING", "deep", "roles.story"),
        ("SKALD_PROVIDERS__LAB__BASE_URL", "lab:8080", "providers.lab.base_url"),
        ("SKALD_PROVIDERS__LAB__API", "telnet", "providers.lab.api"),
        ("SKALD_PROVIDERS__GEMINI__OFFER", "[]", "GEMINI_API_KEY"),
        ("SKALD_MODELS", "[{name=x}]", "models[0].match"),
        ("OPENAI_API_KEY", "sk-1", "OPENAI_MODEL"),
    ] {
        let output = home.command().arg("serve").env(setting, value).output().await.unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{setting}: {message}");
        assert!(message.contains(named) && message.trim().lines().count() == 1, "{message}");
    }
}

#[tokio::test]
async fn a_data_folder_belongs_to_one_process() {
    let home = sqlite_home();
    let _server = home.serve().await;
    let second = home.command().args(["serve", "--listen", "127.0.0.1:0"]).output().await.unwrap();
    let message = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(message.contains("another skald process uses folder"), "{message}");
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let home = sqlite_home();
    let url = "postgres://skald:hunter2@localhost/core";
    let output =
        home.command().arg("config").env("SKALD_DATABASE__CORE_URL", url).output().await.unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && shown.contains("core_url = \"(secret)\""), "{shown}");
    assert!(!shown.contains("hunter2"));
}

#[tokio::test]
async fn doctor_finds_nothing_wrong_but_perhaps_the_page() {
    each_home(async |home| {
        let doctor = home.command().args(["doctor", "--listen", "127.0.0.1:0"]).output();
        let report = String::from_utf8(doctor.await.unwrap().stdout).unwrap();
        for line in report.lines() {
            assert!(line.starts_with("ok ") || line.starts_with("FAIL  page"), "{report}");
        }
        assert!(report.contains("readable by its owner alone"), "{report}");
        assert!(report.contains("story skald/offline: answers"), "{report}");
    })
    .await;
}

#[tokio::test]
async fn the_first_admin_is_made_on_the_command_line() {
    each_home(async |home| {
        let server = home.serve().await;
        let freya = Player::register(&server, "freya").await;
        let viewer = freya.run("{ viewer { username } }", json!({})).await;
        let name = viewer["viewer"]["username"].as_str().unwrap().to_owned();
        assert_eq!(server.stop().await, Some(0));
        let set =
            home.command().args(["admin", "set-role", &name, "ADMIN"]).output().await.unwrap();
        assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
        let server = home.serve().await;
        let login = json!({ "login": name, "password": "a lantern for every window" });
        let query = "mutation($input: LoginInput!) { login(input: $input) {
            user { account { role } } errors { code } } }";
        let anybody = Player::anonymous(&server);
        let data = anybody.run(query, json!({ "input": login })).await;
        assert_eq!(data["login"]["errors"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn an_id_says_what_it_is() {
    let home = sqlite_home();
    let id = "message_01h455vb4pex5vsknk084sn02q";
    let output = home.command().args(["id", id]).output().await.unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(
        words.starts_with("message 01890a5d-ac96-774b-bcce-b302099a8057, made 2023-"),
        "{words}"
    );
}

#[tokio::test]
async fn the_example_configuration_explains_and_changes_nothing() {
    let home = sqlite_home();
    let print = |arguments: &'static [&str]| home.command().args(arguments).output();
    let example = print(&["config", "--example"]).await.unwrap();
    let example = String::from_utf8(example.stdout).unwrap();
    let uncomment = |line: &str| match line.strip_prefix("# ") {
        Some(setting) if is_setting(setting) => setting.to_owned(),
        _ => line.to_owned(),
    };
    let file: Vec<String> = example.lines().map(uncomment).collect();
    let before = print(&["config"]).await.unwrap().stdout;
    std::fs::write(home.data().join("all.toml"), file.join("\n")).unwrap();
    let after = print(&["config", "--config", "all.toml"]).await.unwrap();
    assert!(after.status.success(), "{}", String::from_utf8_lossy(&after.stderr));
    assert_eq!(String::from_utf8(after.stdout).unwrap(), String::from_utf8(before).unwrap());
    // Nothing stands there without an explanation.
    let lines: Vec<&str> = example.lines().collect();
    for pair in lines.windows(2) {
        if is_setting(pair[1].trim_start_matches("# ")) {
            assert!(pair[0].starts_with("# "), "{} has no explanation", pair[1]);
        }
    }
}

/// Whether a line says `name = value`.
fn is_setting(line: &str) -> bool {
    let name = line.split_once(" = ").map_or("", |(name, _)| name);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[tokio::test]
async fn the_data_folder_is_nobody_else_s_to_read() {
    let home = sqlite_home();
    let data = home.data().join("deep/down");
    let migrate = home.command().arg("migrate").arg("--data").arg(&data).output().await.unwrap();
    assert!(migrate.status.success(), "{}", String::from_utf8_lossy(&migrate.stderr));
    let mode = std::fs::metadata(&data).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_server_can_be_stopped_the_moment_it_is_ready() {
    let home = sqlite_home();
    for _ in 0..5 {
        let server = home.serve().await;
        assert_eq!(server.stop().await, Some(0), "ended in order, not killed");
    }
}
