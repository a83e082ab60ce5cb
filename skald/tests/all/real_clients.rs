//! The clients people use, against the real server: npm's, and a browser.

use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::process::Command;

use crate::{
    client::{Player, Reader, read_to_end},
    server::{each_home, sqlite_home},
};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// Runs a script of an npm folder and wants it to succeed with `summary`.
async fn run(place: &str, script: &str, arguments: &[&str], summary: &str) {
    run_in(Command::new("node"), place, script, arguments, summary).await;
}

/// The same with a command that has an environment already.
async fn run_in(mut node: Command, place: &str, script: &str, arguments: &[&str], summary: &str) {
    let folder = folder(place);
    if !folder.join("node_modules").exists() {
        return missing(&format!("run `npm ci` in {place}/ to test with real clients"));
    }
    node.arg(script).args(arguments).current_dir(folder).kill_on_drop(true);
    let output = node.output().await;
    let Ok(output) = output else { return missing("install node 20 to test with real clients") };
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains(summary), "{script}:\n{out}\n{err}");
}

/// A machine without node may skip these tests, the build server may not.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
#[expect(clippy::print_stderr, reason = "tells the developer what to install")]
fn missing(advice: &str) {
    assert!(std::env::var("CI").is_err(), "{advice}");
    eprintln!("SKIPPED: {advice}");
}

#[tokio::test]
async fn graphql_http_audits() {
    let home = sqlite_home();
    let server = home.serve().await;
    run("conformance", "audit.mjs", &[&server.graphql(), "--strict"], "61 passed, 0 failed").await;
}

#[tokio::test]
async fn graphql_ws_protocol() {
    let home = sqlite_home();
    let server = home.serve().await;
    let freya = Player::register(&server, "freya").await;
    let session = freya.begin().await;
    let first = freya.send(&session, "Hello").await;
    let (mut socket, _) = freya.watch(&first, 0).await;
    read_to_end(&mut socket, Reader::default()).await;
    let finite = format!("subscription {{ reply(messageId: \"{first}\") {{ messageId }} }}");
    // A model that never ends, so that the subscription is open as long as it is looked at.
    let reply = freya.swipe(&first, "skald/offline:stall").await;
    let query = format!("subscription {{ reply(messageId: \"{reply}\") {{ messageId }} }}");
    let init = json!({ "authorization": format!("Bearer {}", freya.token.unwrap()) }).to_string();
    let bad = json!({ "authorization": "Bearer nonsense" }).to_string();
    let socket = server.socket();
    let arguments = [
        &socket,
        "--conformance",
        "--query",
        &query,
        "--finite",
        &finite,
        "--init",
        &init,
        "--bad-init",
        &bad,
    ];
    run("conformance", "ws-client.mjs", &arguments, "18 passed, 0 failed").await;
}

/// Random stories with real caches of Apollo Client; the script starts and kills the
/// servers itself. The long form, from this folder's `conformance`:
/// `SKALD_DATA=$(mktemp -d) node cache-client.mjs ../target/debug/skald --runs 500`.
#[tokio::test]
async fn apollo_s_cache_fed_by_events_is_what_a_fresh_read_says() {
    each_home(async |home| {
        let arguments = [env!("CARGO_BIN_EXE_skald"), "--runs", "4", "--steps", "24"];
        let mut node = Command::new("node");
        home.lend(&mut node);
        run_in(node, "conformance", "cache-client.mjs", &arguments, "1 passed, 0 failed").await;
    })
    .await;
}

#[tokio::test]
async fn the_page_s_tour_in_a_browser() {
    let home = sqlite_home();
    let server = home.serve().await;
    if !folder("web/dist").join("index.html").exists() {
        return missing("run `npm ci && npm run build` in web/ before building, to test the page");
    }
    let browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    if !browsers.iter().any(|browser| Path::new(browser).exists()) {
        return missing("install Chromium (Debian: apt-get install chromium) to test the page");
    }
    run("web", "e2e/tour.mjs", &[server.url()], " passed, 0 failed").await;
}
