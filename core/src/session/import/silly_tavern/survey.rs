//! The first reading of chats: what is in them, and what will have to be adapted.

use chrono::{DateTime, Utc};

use super::{
    super::{ImportFormat, Report, Source, document::Flaw},
    stage::Stage,
    walk::{Found, walk},
};
use crate::interchange::silly_tavern::{Header, Node};

/// What a chat says beside its messages that means nothing outside the program it comes from.
const NOISE: [&str; 9] = [
    "integrity",
    "chat_id_hash",
    "tainted",
    "timedWorldInfo",
    "lastInContextMessageId",
    "note_interval",
    "note_depth",
    "note_position",
    "note_role",
];
/// Such things that are told of one file at most.
const MAX_METADATA: usize = 20;

/// What is in chats.
pub(super) struct Survey {
    pub(super) stage: Stage,
    pub(super) report: Report,
    /// The earliest moment that the files tell, if they tell any.
    pub(super) began_at: Option<DateTime<Utc>>,
    /// Where each file ended; none for a file without a message.
    pub(super) ends: Vec<Option<u64>>,
    letters: Letters,
    named: (Option<String>, Option<String>),
}

/// How many letters there are, and how many of them Cyrillic.
#[derive(Default)]
struct Letters {
    all: usize,
    cyrillic: usize,
}

/// Reads all files.
pub(super) fn survey(sources: &[Source]) -> Result<Survey, (usize, Flaw)> {
    let mut survey = Survey {
        stage: Stage::default(),
        report: Report::new(ImportFormat::SillyTavern),
        began_at: None,
        ends: Vec::new(),
        letters: Letters::default(),
        named: (None, None),
    };
    let ends = walk(sources, DateTime::UNIX_EPOCH, &mut |file, found| {
        let name = sources.get(file).map_or("", |source| source.file_name.as_str());
        survey.note(name, found);
        true
    })?;
    let (player, character) = std::mem::take(&mut survey.named);
    survey.stage.set_out(player, character);
    survey.ends = ends;
    if survey.report.messages == 0 {
        return Err((0, Flaw("there is no message in it, nor in the files after it".into())));
    }
    Ok(survey)
}

impl Survey {
    /// The language of the story, by its letters.
    pub(super) fn language(&self) -> &'static str {
        if self.letters.cyrillic * 2 > self.letters.all { "ru" } else { "en" }
    }

    fn note(&mut self, file: &str, found: Found) {
        let report = &mut self.report;
        match found {
            Found::Header(header) => self.note_header(file, header),
            Found::Skipped { line, reason } => report.skipped.add(file, Some(line), reason),
            Found::Message { line, nodes, adapted } => {
                for note in adapted {
                    report.adapted.add(file, Some(line), note);
                }
                report.messages += nodes.len();
                for node in nodes {
                    self.note_message((file, line), &node);
                }
            }
        }
    }

    fn note_header(&mut self, file: &str, header: Header) {
        self.remember(header.created_at);
        let (player, character) = &mut self.named;
        *player = player.take().or(header.user_name);
        *character = character.take().or(header.character_name);
        let is_said = |value: &serde_json::Value| match value {
            serde_json::Value::Null => false,
            serde_json::Value::String(text) => !text.is_empty(),
            serde_json::Value::Array(list) => !list.is_empty(),
            serde_json::Value::Object(fields) => !fields.is_empty(),
            serde_json::Value::Bool(_) | serde_json::Value::Number(_) => true,
        };
        let told = header
            .metadata
            .iter()
            .filter(|(name, value)| is_said(value) && !NOISE.contains(&name.as_str()));
        for (name, _) in told.take(MAX_METADATA) {
            let name: String = name.chars().take(100).collect();
            let message = format!("chat_metadata.{name} has no place here");
            self.report.skipped.add(file, None, message);
        }
    }

    fn note_message(&mut self, (file, line): (&str, usize), node: &Node) {
        if !self.stage.hear(&node.speaker) {
            let name = &node.speaker.name;
            let message =
                format!("{name} is one too many on stage: only the messages have the name");
            self.report.adapted.add(file, Some(line), message);
        }
        self.remember(node.version.sent_at);
        for letter in node.version.content.chars().filter(|letter| letter.is_alphabetic()) {
            self.letters.all += 1;
            self.letters.cyrillic += usize::from(('\u{400}'..='\u{4ff}').contains(&letter));
        }
    }

    fn remember(&mut self, at: Option<DateTime<Utc>>) {
        self.began_at = match (self.began_at, at) {
            (Some(began), Some(at)) => Some(began.min(at)),
            (began, at) => began.or(at),
        };
    }
}
