//! What the offline storyteller promises.

mod prose;
mod rehearsals;
mod replies;

use futures_util::StreamExt;

use super::super::{
    Chunk, ChunkStream, FinishReason, NarratorTask, Options, Output, Role, Story, Turn, Usage,
    Voice,
};
use super::prose as weaving;
use super::*;

fn request(language: &str, seed: u64) -> Request {
    let russian = language == "ru";
    let pick = |ru: &str, en: &str| {
        if russian { ru.to_owned() } else { en.to_owned() }
    };
    let last_line = pick("Что спрятано в погребе?", "What is hidden in the cellar?");
    Request {
        model: MODEL_ID.to_owned(),
        abilities: Abilities::default(),
        system: vec![pick("Ты Мира.", "You are Mira.")],
        turns: vec![Turn::new(Role::User, last_line.clone())],
        stop: Vec::new(),
        max_output_tokens: 4_000,
        options: Options::default(),
        output: Output::Prose,
        seed,
        story: Story {
            writes_player: false,
            attempt: 1,
            language: language.to_owned(),
            speaker: Some(pick("Мира", "Mira")),
            task: None,
            player: pick("Алекс", "Alex"),
            cast: vec![pick("Мира", "Mira"), pick("Старый Том", "Old Tom")],
            about_speaker: pick(
                "Мира хранит последний маяк на побережье. Она не доверяет чужакам и пьёт чай с солью. \
                 В кармане всегда лежит латунный ключ.",
                "Mira keeps the last lighthouse on the coast. She distrusts strangers and takes her tea \
                 with salt. A brass key hangs from a red thread.",
            ),
            about_player: pick(
                "Алекс ищет пропавшего брата.",
                "Alex is looking for a lost brother.",
            ),
            last_line,
            instruction: None,
            begun: String::new(),
            depth: 5,
            voice: Voice::Third,
        },
    }
}

/// The content, the thought, and how it ended.
struct Played {
    text: String,
    thought: String,
    pieces: usize,
    end: Option<(FinishReason, Usage)>,
    error: Option<LlmError>,
}

async fn play(request: Request) -> Played {
    let reply = Offline::new(Pace::Instant, true).stream(request).await.unwrap();
    collect(reply.chunks).await
}

async fn collect(mut stream: ChunkStream) -> Played {
    let mut played =
        Played { text: String::new(), thought: String::new(), pieces: 0, end: None, error: None };
    while let Some(chunk) = stream.next().await {
        assert!(played.end.is_none() && played.error.is_none(), "nothing follows the end");
        match chunk {
            Ok(Chunk::Content(text)) => {
                played.text.push_str(&text);
                played.pieces += 1;
            }
            Ok(Chunk::Thought(text)) => {
                assert!(played.text.is_empty(), "thought comes first");
                played.thought.push_str(&text);
            }
            Ok(Chunk::Usage(_)) => {}
            Ok(Chunk::Finished { reason, usage }) => {
                played.end = Some((reason, usage.unwrap()));
            }
            Err(error) => played.error = Some(error),
        }
    }
    played
}

fn text(request: &Request) -> String {
    weaving::write(request, Size::Usual).text
}

fn count_words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
}

fn sentences(text: &str) -> Vec<&str> {
    text.split(['.', '!', '?', '\n', '“', '”', '«', '»', '—'])
        .map(str::trim)
        .filter(|sentence| sentence.split(' ').count() > 3)
        .collect()
}

/// Every kind of story, in both languages.
fn stories() -> Vec<Request> {
    let lines = [
        "",
        "Привет!",
        "Hello!",
        "*opens the door*",
        "*подхожу к окну*",
        "Пока.",
        "Почему?",
        "Так.",
    ];
    let mut stories = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        for language in ["en", "ru"] {
            for voice in [Voice::First, Voice::Second, Voice::Third] {
                let mut request = request(language, at as u64);
                request.story.voice = voice;
                request.story.last_line = line.to_owned();
                stories.push(request);
            }
            for task in [NarratorTask::Scene, NarratorTask::Transition, NarratorTask::Recap] {
                let mut request = request(language, at as u64);
                request.story.speaker = None;
                request.story.task = Some(task);
                stories.push(request);
            }
        }
    }
    stories
}
