//! `skald doctor`: checks what a server needs, and says what to fix.

use std::os::unix::fs::PermissionsExt;

use futures_util::StreamExt;
use skald_base::Lifecycle;
use skald_core::llm::{Chunk, Request};
use tokio::{
    net::TcpListener,
    time::{Duration, timeout},
};

use crate::{
    Failure,
    cli::Options,
    config::{self, Config},
    page::PAGE,
    say, wire,
};

/// Runs all checks; fails if one of them did.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let config = config::load(options)?;
    say("ok    configuration");
    let mut failed = 0;
    let mut report = |what: &str, outcome: Result<String, String>| match outcome {
        Ok(detail) => say(&format!("ok    {what}: {detail}")),
        Err(problem) => {
            failed += 1;
            say(&format!("FAIL  {what}: {problem}"));
        }
    };
    report("address", check_address(&config).await);
    report("page", check_page());
    report("folder", check_folder(&config));
    match wire::open(&config).await {
        Err(error) => report("databases", Err(format!("{error:#}"))),
        Ok(databases) => {
            report("databases", Ok(databases.describe()));
            match wire::services(&config, &databases, &Lifecycle::new()).await {
                Err(error) => report("services", Err(format!("{error:#}"))),
                Ok((_, app)) => {
                    let model = app.default_model();
                    report(&format!("model {model}"), check_model(&app, model.clone()).await);
                }
            }
            databases.close().await;
        }
    }
    match failed {
        0 => Ok(()),
        1 => Err(Failure::Work("one check failed".into())),
        failed => Err(Failure::Work(format!("{failed} checks failed"))),
    }
}

async fn check_address(config: &Config) -> Result<String, String> {
    let address = config.listen;
    match TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) => Err(format!("cannot listen on {address} ({error}): choose another --listen")),
    }
}

fn check_page() -> Result<String, String> {
    match PAGE.len() {
        0 => Err("not built: npm ci && npm run build in web/, then build skald again".into()),
        files => Ok(format!("{files} files in this binary")),
    }
}

/// Signing keys and stories lie in the data folder.
fn check_folder(config: &Config) -> Result<String, String> {
    let shown = config.data.display();
    match std::fs::metadata(&config.data) {
        Err(_) => Ok(format!("{shown} will be created")),
        Ok(folder) if folder.permissions().mode().trailing_zeros() >= 6 => {
            Ok(format!("{shown} is readable by its owner alone"))
        }
        Ok(_) => Err(format!("{shown} can be read by others: chmod 700 {shown}")),
    }
}

/// Asks the model for one word, as a story would.
async fn check_model(app: &skald_core::App, model: String) -> Result<String, String> {
    let model = app.model(&model).ok_or("there is no such model")?;
    let request = Request::question(&model, "Answer briefly.", "Hello");
    let first_text = async {
        let reply = app.llm.stream(request).await.map_err(|error| error.to_string())?;
        let mut stream = reply.chunks;
        while let Some(chunk) = stream.next().await {
            if matches!(chunk, Ok(Chunk::Content(_))) {
                return Ok("answers".to_owned());
            }
            chunk.map_err(|error| error.to_string())?;
        }
        Err("ended without a word".to_owned())
    };
    let answer = timeout(Duration::from_mins(1), first_text).await;
    answer.unwrap_or_else(|_| Err("does not answer within a minute".into()))
}
