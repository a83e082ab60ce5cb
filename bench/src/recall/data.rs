//! The file of conversations.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    conversations: Vec<Conversation>,
}

/// Seconds between two turns of a session.
const BETWEEN_TURNS: i64 = 20;

/// A conversation of several sessions, with questions on it.
#[derive(Deserialize)]
pub(super) struct Conversation {
    pub(super) speakers: Vec<String>,
    sessions: Vec<Session>,
    pub(super) turns: Vec<Turn>,
    pub(super) questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Session {
    n: u32,
    /// `1:56 pm on 8 May, 2023`.
    date: String,
}

/// What somebody said.
#[derive(Deserialize)]
pub(super) struct Turn {
    id: String,
    /// The session.
    #[serde(rename = "s")]
    pub(super) session: u32,
    pub(super) speaker: String,
    text: String,
    /// What a picture with it shows.
    image: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Question {
    #[serde(rename = "q")]
    pub(super) text: String,
    /// The ids of the turns that answer it.
    evidence: Vec<String>,
    pub(super) category: String,
}

impl Turn {
    /// As a chat shows it: the picture above the words.
    pub(super) fn told(&self) -> String {
        match &self.image {
            Some(image) => format!("[{image}] {}", self.text),
            None => self.text.clone(),
        }
    }
}

impl Conversation {
    /// The date of a session, as the file has it.
    pub(super) fn date(&self, session: u32) -> Option<&str> {
        let session = self.sessions.iter().find(|other| other.n == session)?;
        Some(&session.date)
    }

    /// The day of a session, if its date can be read.
    pub(super) fn day(&self, session: u32) -> Option<NaiveDate> {
        let day = self.date(session)?.rsplit(" on ").next()?;
        NaiveDate::parse_from_str(day, "%d %B, %Y").ok()
    }

    /// When a turn was said: one after the other from the beginning of its session on.
    pub(super) fn moment(&self, turn: usize) -> Option<DateTime<Utc>> {
        let session = self.turns.get(turn)?.session;
        let before = self.turns.iter().take(turn).filter(|other| other.session == session);
        let seconds = i64::try_from(before.count()).ok()? * BETWEEN_TURNS;
        let written = self.sessions.iter().find(|other| other.n == session)?;
        let began = NaiveDateTime::parse_from_str(&written.date, "%I:%M %p on %d %B, %Y").ok();
        let began = began.or_else(|| Some(self.day(session)?.and_time(NaiveTime::MIN)))?;
        Some(began.and_utc() + TimeDelta::seconds(seconds))
    }

    /// Which turns answer a question.
    pub(super) fn evidence(&self, question: &Question) -> Vec<usize> {
        let place = |id: &String| self.turns.iter().position(|turn| turn.id == *id);
        question.evidence.iter().filter_map(place).collect()
    }
}

pub(super) fn read(text: &str) -> Result<Vec<Conversation>> {
    let file: File = serde_json::from_str(text).context("this is no file of conversations")?;
    ensure!(!file.conversations.is_empty(), "there is no conversation in the file");
    for conversation in &file.conversations {
        ensure!(!conversation.turns.is_empty(), "a conversation of the file has no turn");
        for session in &conversation.sessions {
            let day = conversation.day(session.n);
            day.with_context(|| format!("cannot read the date {:?}", session.date))?;
        }
    }
    Ok(file.conversations)
}

/// All categories of questions, in the order in which they come.
pub(super) fn categories(conversations: &[Conversation]) -> Vec<String> {
    let mut categories: Vec<String> = Vec::new();
    for question in conversations.iter().flat_map(|conversation| &conversation.questions) {
        if !categories.contains(&question.category) {
            categories.push(question.category.clone());
        }
    }
    categories
}
