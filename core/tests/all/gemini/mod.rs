//! Gemini over real HTTP: what a story hears, whatever the server does.

mod delivery;
mod failures;
mod replies;

use skald_base::config::Secret;
use skald_core::llm::{
    Abilities, LastTurn, LlmError, Provider, Request, Sampler, Thinking,
    gemini::{Gemini, GeminiConfig, Safety},
    http::{Http, Timeouts},
};
use skald_doubles::{GeminiDouble, GeminiFault as Fault};

use crate::hearing::{self, Heard, PATIENT};

const KEY: &str = "AIza-a-secret-of-the-house";
const MODEL: &str = "gemini-3.8-flash";

fn abilities() -> Abilities {
    Abilities {
        context_tokens: 1_114_112,
        output_tokens: Some(65_536),
        thinks: true,
        thinking: [Thinking::Low, Thinking::Medium, Thinking::High].into(),
        samplers: [Sampler::Seed].into(),
        last_turn: LastTurn::User,
        ..Abilities::default()
    }
}

fn request() -> Request {
    hearing::request(MODEL, abilities())
}

fn client(double: &GeminiDouble, timeouts: Timeouts) -> Gemini {
    let config = GeminiConfig {
        base_url: double.url() + "/",
        key: Secret::new(KEY),
        timeouts,
        safety: Safety::Off,
    };
    Gemini::new(config, Http::new().unwrap())
}

async fn start() -> (GeminiDouble, Gemini) {
    let double = GeminiDouble::start().await;
    let gemini = client(&double, PATIENT);
    (double, gemini)
}

async fn hear(gemini: &Gemini) -> Heard {
    Heard::all(gemini.stream(request()).await.unwrap().chunks).await
}

async fn refused(gemini: &Gemini, request: Request) -> LlmError {
    gemini.stream(request).await.err().unwrap()
}

/// What is heard of a reply in which one thing goes wrong.
async fn hear_with(fault: Fault) -> Heard {
    let (double, gemini) = start().await;
    double.words_per_chunk(3);
    double.fails_once(fault);
    hear(&gemini).await
}
