//! The real program: conversations as stories in a database, questions as its clients ask them.

#![expect(clippy::indexing_slicing, reason = "JSON without a field gives null, not a panic")]

use std::{
    collections::HashMap,
    ffi::OsStr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use skald_base::Dialect;

use super::{
    data::{Conversation, Question},
    measure::Answer,
};
use crate::{
    client::{self, Account, request_id, text},
    report::Times,
    server,
};

const UPLOAD: &str = "mutation ($input: CreateUploadInput!) { done: createUpload(input: $input) {
    upload { id url } errors { code message } } }";
const IMPORT: &str = "mutation ($input: ImportSessionInput!) { done: importSession(input: $input) {
    session { id } errors { code message } } }";
const PATH: &str = "query ($id: ID!, $after: String) { session(id: $id) {
    path(first: 100, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } } }";
const RECALL: &str = "query ($input: RecallPreviewInput!) { recallPreview(input: $input) {
    anchor { id } } }";

/// Hits that are asked for: all that may be.
const FIRST: usize = 100;

/// Asks every question that has evidence of a server on this database; nothing if that is not
/// there.
pub(super) async fn run(
    conversations: &[Conversation],
    cargo: &OsStr,
    dialect: Dialect,
) -> Result<Option<(Vec<Answer>, Times)>> {
    let program = server::build(cargo).await?;
    ask_all(conversations, &program, dialect).await
}

async fn ask_all(
    conversations: &[Conversation],
    program: &Path,
    dialect: Dialect,
) -> Result<Option<(Vec<Answer>, Times)>> {
    let Some(home) = server::start_on(program, dialect, &[]).await? else { return Ok(None) };
    let account = Account::register(client::http()?, &home.server.url, "freya").await?;
    let (mut answers, mut times) = (Vec::new(), Vec::new());
    for conversation in conversations {
        let story = Story::begin(&account, conversation).await?;
        // Reads the story once, as the first turn of a day does.
        story.ask("?").await?;
        for question in &conversation.questions {
            let evidence = conversation.evidence(question);
            if evidence.is_empty() {
                continue;
            }
            let (found, time) = story.answer(question).await?;
            answers.push(Answer::of(question, &evidence, &found));
            times.push(time);
        }
    }
    Ok(Some((answers, Times::new(times))))
}

/// A conversation in the program: the first speaker is the player's persona, the other a character.
struct Story<'a> {
    account: &'a Account,
    session: String,
    /// Which turn each message is.
    turns: HashMap<String, usize>,
}

impl<'a> Story<'a> {
    async fn begin(account: &'a Account, conversation: &Conversation) -> Result<Self> {
        let input = json!({ "fileName": "story.json", "clientRequestId": request_id() });
        let done = account.ask(UPLOAD, json!({ "input": input })).await?;
        let upload = &done["done"]["upload"];
        account.put(&text(&upload["url"])?, document(conversation)).await?;
        let input = json!({ "uploadIds": [upload["id"]], "clientRequestId": request_id() });
        let done = account.ask(IMPORT, json!({ "input": input })).await?;
        let session = text(&done["done"]["session"]["id"])?;
        let mut story = Self { account, session, turns: HashMap::new() };
        story.find_turns().await?;
        ensure!(story.turns.len() == conversation.turns.len(), "not all turns came in");
        Ok(story)
    }

    /// Reads the path from the root on.
    async fn find_turns(&mut self) -> Result<()> {
        let mut after = Value::Null;
        loop {
            let variables = json!({ "id": self.session, "after": after });
            let answer = self.account.ask(PATH, variables).await?;
            let path = &answer["session"]["path"];
            for node in path["nodes"].as_array().context("no path")? {
                let number = self.turns.len();
                self.turns.insert(text(&node["id"])?, number);
            }
            if path["pageInfo"]["hasNextPage"] != true {
                return Ok(());
            }
            after = path["pageInfo"]["endCursor"].clone();
        }
    }

    /// The turns that come to mind, best first, and how long a client waited for them.
    async fn answer(&self, question: &Question) -> Result<(Vec<usize>, Duration)> {
        let start = Instant::now();
        let answer = self.ask(&question.text).await?;
        let time = start.elapsed();
        let mut found = Vec::new();
        for memory in answer["recallPreview"].as_array().context("no memories")? {
            let anchor = text(&memory["anchor"]["id"])?;
            let turn = *self.turns.get(&anchor).context("a memory of another story")?;
            // Of a long turn several passages may come to mind.
            if !found.contains(&turn) {
                found.push(turn);
            }
        }
        Ok((found, time))
    }

    async fn ask(&self, question: &str) -> Result<Value> {
        let input = json!({ "sessionId": self.session, "text": question, "context": "",
            "scope": "PATH", "first": FIRST, "speaker": { "narrator": { "task": "RECAP" } } });
        self.account.ask(RECALL, json!({ "input": input })).await
    }
}

/// A conversation in the program's own format.
fn document(conversation: &Conversation) -> String {
    let mut speakers = conversation.speakers.iter();
    let player = speakers.next();
    let characters: Vec<&String> = speakers.collect();
    let place = |name: &String| characters.iter().position(|other| *other == name);
    let messages = conversation.turns.iter().enumerate().map(|(number, turn)| {
        let is_player = player == Some(&turn.speaker);
        let (role, author) = if is_player {
            ("PLAYER", json!({ "name": turn.speaker, "player": true, "persona": 0 }))
        } else {
            let character = place(&turn.speaker);
            ("CHARACTER", json!({ "name": turn.speaker, "character": character }))
        };
        json!({ "number": number, "parent": number.checked_sub(1), "role": role,
            "author": author, "content": turn.told(), "status": "COMPLETE",
            "createdAt": conversation.moment(number) })
    });
    let messages: Vec<Value> = messages.collect();
    let cast = (0..characters.len()).zip(&characters);
    let cast: Vec<Value> =
        cast.map(|(place, name)| json!({ "name": name, "character": place })).collect();
    let named = |name: &String| json!({ "name": name });
    let session = json!({ "mode": "SANDBOX", "settings": { "language": "en" }, "cast": cast,
        "createdAt": conversation.moment(0), "persona": 0 });
    let last = conversation.turns.len() - 1;
    // In the order in which a reader wants them, which a JSON value would not keep.
    let fields = [
        ("format", json!("skald-session")),
        ("version", json!("1.1")),
        ("session", session),
        ("personas", player.into_iter().map(named).collect()),
        ("characters", characters.into_iter().map(named).collect()),
        ("messages", messages.into()),
        ("head", json!(last)),
        ("tips", json!([last])),
    ];
    let fields = fields.map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", fields.join(","))
}
