//! What a provider is asked in tests, and what is heard from it.

use std::time::Duration;

use futures_util::StreamExt;
use skald_core::llm::{
    Abilities, Chunk, ChunkStream, FinishReason, LlmError, LlmErrorKind, Options, Output, Request,
    Role, Story, Turn, Usage, http::Timeouts,
};

/// Long enough for a busy machine.
pub(crate) const PATIENT: Timeouts =
    Timeouts { first_byte: Duration::from_secs(20), idle: Duration::from_secs(20) };

/// A short scene for a model that can do this.
pub(crate) fn request(model: &str, abilities: Abilities) -> Request {
    Request {
        model: model.to_owned(),
        abilities,
        system: vec!["You are Mira, innkeeper of the ferry.".into(), "Write in English.".into()],
        turns: vec![
            Turn::new(Role::User, "[The scene opens.]"),
            Turn::new(Role::Model, "Mira wipes the bar."),
            Turn { role: Role::User, blocks: vec!["I sit down.".into(), "[It rains.]".into()] },
        ],
        stop: vec!["\nAnna:".into()],
        max_output_tokens: 1200,
        options: Options::default(),
        output: Output::Prose,
        seed: 7,
        story: Story::default(),
    }
}

/// What a reply came to.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) text: String,
    pub(crate) thought: String,
    /// Every count of tokens that was told on the way.
    pub(crate) usages: Vec<Usage>,
    /// The count that came with the end.
    pub(crate) usage: Option<Usage>,
    /// How it ended; none if the stream was over without saying.
    pub(crate) end: Option<Result<FinishReason, LlmError>>,
}

impl Heard {
    /// Hears a reply to its end, after which nothing may come.
    pub(crate) async fn all(mut chunks: ChunkStream) -> Self {
        let mut heard = Self::default();
        while let Some(item) = chunks.next().await {
            assert!(heard.end.is_none(), "{item:?} follows the end {:?}", heard.end);
            match item {
                Ok(Chunk::Content(text)) => heard.text += &text,
                Ok(Chunk::Thought(text)) => heard.thought += &text,
                Ok(Chunk::Usage(usage)) => heard.usages.push(usage),
                Ok(Chunk::Finished { reason, usage }) => {
                    heard.usage = usage;
                    heard.end = Some(Ok(reason));
                }
                Err(error) => heard.end = Some(Err(error)),
            }
        }
        heard
    }

    /// How it ended, without the words.
    pub(crate) fn ended(&self) -> Result<FinishReason, LlmErrorKind> {
        match &self.end {
            Some(Ok(reason)) => Ok(*reason),
            Some(Err(error)) => Err(error.kind),
            None => Err(LlmErrorKind::Cut),
        }
    }

    /// The words of the error with which it ended.
    pub(crate) fn detail(&self) -> &str {
        match &self.end {
            Some(Err(error)) => &error.detail,
            Some(Ok(_)) | None => "",
        }
    }
}
