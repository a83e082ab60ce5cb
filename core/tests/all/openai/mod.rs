//! The client of OpenAI's wire format, against servers of every kind and every fault.

mod endings;
mod errors;
mod learning;
mod listing;
mod whole;

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use skald_base::config::Secret;
use skald_core::llm::{
    Chunk, FinishReason, LlmError, LlmErrorKind, Options, Output, Provider, Reply, Request, Role,
    Story, Turn, Usage,
    http::{Http, Timeouts},
    openai::{OpenAi, OpenAiConfig, Profile},
};
use skald_doubles::{OpenAiDouble, Profile as Server};

/// Each server, and what the client calls it.
const SERVERS: [(Server, Profile); 8] = [
    (Server::Plain, Profile::Generic),
    (Server::Ollama, Profile::Ollama),
    (Server::LlamaCpp, Profile::LlamaCpp),
    (Server::Vllm, Profile::Vllm),
    (Server::LmStudio, Profile::LmStudio),
    (Server::OpenRouter, Profile::OpenRouter),
    (Server::KoboldCpp, Profile::KoboldCpp),
    (Server::TabbyApi, Profile::TabbyApi),
];

const PATIENT: Timeouts =
    Timeouts { first_byte: Duration::from_secs(20), idle: Duration::from_secs(20) };

fn client_of(double: &OpenAiDouble, profile: Profile) -> OpenAi {
    client_with(double, profile, PATIENT)
}

fn client_with(double: &OpenAiDouble, profile: Profile, timeouts: Timeouts) -> OpenAi {
    let config = OpenAiConfig {
        base_url: format!("{}/", double.url()),
        key: Some(Secret::new("sk-secret")),
        profile,
        timeouts,
    };
    OpenAi::new(config, Http::new().unwrap())
}

fn request(profile: Profile) -> Request {
    Request {
        model: "story".into(),
        abilities: profile.abilities(),
        system: vec!["You are Mira.".into()],
        turns: vec![
            Turn::new(Role::User, "Hello."),
            Turn::new(Role::Model, "Yes?"),
            Turn::new(Role::User, "I sit down."),
        ],
        stop: vec!["\nAnna:".into()],
        max_output_tokens: 400,
        options: Options { temperature: Some(0.9), ..Options::default() },
        output: Output::Prose,
        seed: 7,
        story: Story::default(),
    }
}

fn verdict(profile: Profile) -> Request {
    let schema = json!({
        "type": "object", "additionalProperties": false, "required": ["drift"],
        "properties": { "drift": { "type": "integer" } },
    });
    Request { output: Output::Json { name: "verdict", schema }, ..request(profile) }
}

/// What came of a reply.
#[derive(Clone, Debug, PartialEq)]
struct Heard {
    content: String,
    thought: String,
    usage: Option<Usage>,
    end: Result<FinishReason, LlmError>,
}

impl Heard {
    fn kind(&self) -> Option<LlmErrorKind> {
        self.end.as_ref().err().map(|error| error.kind)
    }
}

/// Asks, and listens to the end.
async fn hear(client: &OpenAi, request: Request) -> Heard {
    match client.stream(request).await {
        Ok(reply) => listen(reply).await,
        Err(error) => {
            Heard { content: String::new(), thought: String::new(), usage: None, end: Err(error) }
        }
    }
}

async fn listen(mut reply: Reply) -> Heard {
    let silence = Err(LlmError::new(LlmErrorKind::Protocol).detail("ended without an end"));
    let mut heard =
        Heard { content: String::new(), thought: String::new(), usage: None, end: silence };
    while let Some(chunk) = reply.chunks.next().await {
        match chunk {
            Ok(Chunk::Content(text)) => heard.content.push_str(&text),
            Ok(Chunk::Thought(text)) => heard.thought.push_str(&text),
            Ok(Chunk::Usage(usage)) => heard.usage = Some(usage),
            Ok(Chunk::Finished { reason, usage }) => {
                heard.usage = usage;
                heard.end = Ok(reason);
            }
            Err(error) => heard.end = Err(error),
        }
    }
    heard
}

/// A server that says this, and a client that knows it.
async fn speaking(server: Server, profile: Profile, text: &str) -> (OpenAiDouble, OpenAi) {
    let double = OpenAiDouble::start(server).await;
    double.says(text);
    let client = client_of(&double, profile);
    (double, client)
}
