//! `skald doctor`: checks what a server needs, and says what to fix.

use std::os::unix::fs::PermissionsExt;

use futures_util::StreamExt;
use serde_json::{Value, json};
use skald_core::llm::{
    Chunk, Llm, LlmError, LlmErrorKind, ModelRole, Output, Purpose, Request, RoleChoice,
    registry::Models, structured,
};
use tokio::{
    net::TcpListener,
    time::{Duration, timeout},
};

use crate::{
    Failure,
    cli::Options,
    config::{self, Config},
    models,
    page::PAGE,
    say, wire,
};

/// How long one model may take to answer.
const PATIENCE: Duration = Duration::from_mins(2);
/// Below this many tokens of context a local server was probably not told better.
const SMALL_CONTEXT: u32 = 8192;

/// What was found so far.
#[derive(Default)]
struct Report {
    failed: usize,
}

impl Report {
    fn add(&mut self, what: &str, outcome: Result<String, String>) {
        match outcome {
            Ok(detail) => say(&format!("ok    {what}: {detail}")),
            Err(problem) => {
                self.failed += 1;
                say(&format!("FAIL  {what}: {problem}"));
            }
        }
    }
}

/// Runs all checks; fails if one of them did.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let config = config::load(options)?;
    say("ok    configuration");
    let mut report = Report::default();
    report.add("address", check_address(&config).await);
    report.add("page", check_page());
    report.add("folder", check_folder(&config));
    match wire::open(&config).await {
        Err(error) => report.add("databases", Err(format!("{error:#}"))),
        Ok(databases) => {
            report.add("databases", Ok(databases.describe()));
            if let Err(error) = wire::auth(&config, &databases).await {
                report.add("auth", Err(format!("{error:#}")));
            }
            databases.close().await;
        }
    }
    match models::open(&config).await {
        Err(problem) => report.add("models", Err(problem)),
        Ok(models) => check_models(&models, &mut report).await,
    }
    match report.failed {
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

/// Has each role do its work once.
async fn check_models(models: &Models, report: &mut Report) {
    // What a server says of its models, such as how much they hold.
    models.read_lists().await;
    if let Some(story) = models.role(ModelRole::Story) {
        report.add(&format!("story {}", story.model), check_story(models, &story).await);
        warn_of_small_context(models, &story.model);
        if let Some(model) = story.fallback.clone() {
            let fallback = RoleChoice { model, ..story };
            let what = format!("story's fallback {}", fallback.model);
            report.add(&what, check_story(models, &fallback).await);
        }
    }
    if let Some(judge) = models.role(ModelRole::Supervisor) {
        report.add(&format!("supervisor {}", judge.model), check_judge(models, &judge).await);
    }
    if let Some(embedder) = models.role(ModelRole::Embedding) {
        report.add(&format!("embedding {}", embedder.model), check_embedder(models).await);
    }
}

/// Asks for one word, as a story would.
async fn check_story(models: &Models, choice: &RoleChoice) -> Result<String, String> {
    let request = question(models, choice, "Answer with one word.", "Hello")?;
    let first_text = async {
        let mut chunks = models.stream(request).await?.chunks;
        while let Some(chunk) = chunks.next().await {
            if matches!(chunk?, Chunk::Content(_)) {
                return Ok("answers".to_owned());
            }
        }
        Err(LlmErrorKind::Empty.into())
    };
    answer(first_text).await
}

/// Asks for an object, as one asks who judges a story.
async fn check_judge(models: &Models, choice: &RoleChoice) -> Result<String, String> {
    let instruction = "Answer with a JSON object: {\"awake\": true}";
    let mut request = question(models, choice, instruction, "Are you awake?")?;
    let schema = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["awake"],
        "properties": { "awake": { "type": "boolean" } },
    });
    request.output = Output::Json { name: "answer", schema };
    let is_awake = |object: &Value| match object["awake"].as_bool() {
        Some(_) => Ok(()),
        None => Err("the field awake must be true or false".to_owned()),
    };
    let object = async {
        structured::ask(models, request, is_awake).await?;
        Ok("answers in JSON".to_owned())
    };
    answer(object).await
}

/// Has a text and a question embedded: they are compared with each other.
async fn check_embedder(models: &Models) -> Result<String, String> {
    let vectors = async {
        let text = ["A lantern in a window.".to_owned()];
        let text = models.embed(&text, Purpose::Document).await?;
        let question = ["What shines there?".to_owned()];
        let question = models.embed(&question, Purpose::Query).await?;
        let length = |vectors: &[Vec<f32>]| vectors.first().map_or(0, Vec::len);
        match (length(&text), length(&question)) {
            (0, _) | (_, 0) => Err(LlmErrorKind::Empty.into()),
            (one, other) if one == other => Ok(format!("makes vectors of {one} numbers")),
            (one, other) => {
                let detail = format!("vectors of {one} numbers and of {other}");
                Err(LlmError::new(LlmErrorKind::Protocol).detail(detail))
            }
        }
    };
    answer(vectors).await
}

fn question(
    models: &Models,
    choice: &RoleChoice,
    system: &str,
    text: &str,
) -> Result<Request, String> {
    let model = models.model(&choice.model).ok_or("there is no such model")?;
    let options = choice.options.clone();
    Ok(Request { options, ..Request::question(&model, system, text) })
}

/// What came of a call, in time and in words for whoever runs the server.
async fn answer(call: impl Future<Output = Result<String, LlmError>>) -> Result<String, String> {
    match timeout(PATIENCE, call).await {
        Ok(outcome) => outcome.map_err(|error| models::with_detail(&error)),
        Err(_) => Err("does not answer within two minutes".into()),
    }
}

fn warn_of_small_context(models: &Models, id: &str) {
    let Some(model) = models.model(id) else { return };
    let tokens = model.abilities.context_tokens;
    if tokens < SMALL_CONTEXT {
        say(&format!(
            "warn  story {id}: its context is {tokens} tokens, and stories forget early; give its \
             server more (Ollama: OLLAMA_CONTEXT_LENGTH=16384), and say so in [[models]] if it \
             does not tell"
        ));
    }
}
