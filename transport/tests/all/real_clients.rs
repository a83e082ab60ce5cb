//! The clients people use, run by node from the folder `conformance`.

use std::path::Path;

use tokio::process::Command;

use crate::server::TestServer;

/// Runs a script against the server and wants it to succeed with `summary`.
async fn run(script: &str, url: String, arguments: &[&str], summary: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance");
    if !folder.join("node_modules").exists() {
        return missing("run `npm ci` in conformance/ to test with real clients");
    }
    let output = Command::new("node")
        .arg(script)
        .arg(url)
        .args(arguments)
        .current_dir(folder)
        .kill_on_drop(true)
        .output()
        .await;
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
    eprintln!("skipped: {advice}");
}

#[tokio::test]
async fn graphql_http_audits() {
    let server = TestServer::start().await;
    run("audit.mjs", server.url("/graphql"), &["--strict"], "61 passed, 0 failed").await;
}

#[tokio::test]
async fn graphql_ws_protocol() {
    let server = TestServer::start().await;
    let url = server.url("/graphql").replace("http", "ws");
    let arguments = [
        "--conformance",
        "--query",
        "subscription { tick }",
        "--init",
        r#"{"authorization":"Bearer alice"}"#,
        "--bad-init",
        r#"{"authorization":"bad"}"#,
    ];
    run("ws-client.mjs", url, &arguments, "18 passed, 0 failed").await;
}

#[tokio::test]
async fn graphql_ws_client() {
    let server = TestServer::start().await;
    let url = server.url("/graphql").replace("http", "ws");
    let arguments = ["--query", "subscription { tick }", "--init", r#"{"Authorization":"alice"}"#];
    run("ws-client.mjs", url, &arguments, "received 3 result(s)").await;
}

#[tokio::test]
async fn apollo_client_over_multipart() {
    let server = TestServer::start().await;
    let arguments = ["--query", "subscription { tick }", "--strict"];
    run("multipart-client.mjs", server.url("/graphql"), &arguments, "9 passed, 0 failed").await;
}

#[tokio::test]
async fn graphql_sse_client() {
    let server = TestServer::start().await;
    let arguments = ["--query", "subscription { tick }"];
    run("sse-client.mjs", server.url("/graphql"), &arguments, "1 passed, 0 failed").await;
}
