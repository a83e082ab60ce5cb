//! What it costs the first token that a long story comes to mind.
//!
//! The same turn is played in the same stories on two servers: one recalls nothing
//! (`memory.prompt_percent = 0`), the other as it comes. The difference of their medians is what
//! recall adds, of a story that was played lately; the first turn on the second server also reads
//! and indexes the story, and is shown apart.

use std::{ffi::OsString, path::Path, time::Instant};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use skald_base::{Dialect, id::parse_any};

use crate::{
    client::{self, Account, SEND, read_reply, request_id},
    depth::{
        seed,
        tree::{Shape, Tree},
    },
    report::{Times, rounded, say},
    server,
};

/// Messages of the stories.
const STORIES: [usize; 3] = [100, 5_000, 20_000];
/// Turns that count, after those that only warm up.
const ROUNDS: usize = 40;
const WARM_UP: usize = 5;

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Prints the result as one JSON object, as the last line.
    #[arg(long)]
    json: bool,
    /// The cargo that builds the server.
    #[arg(long, env = "CARGO", default_value = "cargo", hide_env_values = true)]
    cargo: OsString,
}

/// Times to the first token in one story, in milliseconds.
struct Found {
    first: f64,
    median: f64,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let program = server::build(&options.cargo).await?;
    let mut result = Map::new();
    for (name, dialect) in [("sqlite", Dialect::Sqlite), ("postgres", Dialect::Postgres)] {
        let without = measure(&program, dialect, "0").await?;
        let with = measure(&program, dialect, "15").await?;
        let (Some(without), Some(with)) = (without, with) else {
            say(&format!("{name}: not measured, PostgreSQL is not installed"));
            continue;
        };
        result.insert(name.into(), compare(name, &without, &with));
    }
    if options.json {
        say(&Value::Object(result).to_string());
    }
    Ok(())
}

/// Plays on a server with this share of prompts for memories; nothing if there is no database.
async fn measure(program: &Path, dialect: Dialect, percent: &str) -> Result<Option<Vec<Found>>> {
    let settings =
        [("SKALD_OFFLINE__TOKENS_PER_SECOND", "0"), ("SKALD_MEMORY__PROMPT_PERCENT", percent)];
    let Some(home) = server::start_on(program, dialect, &settings).await? else { return Ok(None) };
    let db = home.core().await?;
    let account = Account::register(client::http()?, &home.server.url, "freya").await?;
    let mut stories = Vec::new();
    for depth in STORIES {
        let session = account.begin_session().await?;
        let (_, id) = parse_any(&session).context("a session has an id")?;
        let shape = Shape { depth, swipe_every: depth, branch_every: depth + 1, branch_length: 1 };
        let tree = Tree::grow(shape, seed::root_of(&db, id).await?);
        seed::story(&db, id, &tree).await?;
        stories.push((session, tree.id(tree.leaf())));
    }
    if dialect == Dialect::Postgres {
        // What the server would do by itself within a minute.
        db.write("ANALYZE").execute().await?;
    }
    db.close().await;
    let mut found = Vec::new();
    for (session, leaf) in &stories {
        found.push(play(&account, session, leaf).await?);
    }
    Ok(Some(found))
}

/// Plays the same turn again and again, below the same message.
async fn play(account: &Account, session: &str, leaf: &str) -> Result<Found> {
    let mut times = Vec::new();
    for _ in 0..=WARM_UP + ROUNDS {
        let mut socket = account.watch(session).await?;
        let input = json!({ "sessionId": session, "parentId": leaf, "clientRequestId": request_id(),
            "content": "Who called your name when the rain ran down the window of the old house?" });
        let began = Instant::now();
        account.ask(SEND, json!({ "input": input })).await?;
        let (first, _) = read_reply(&mut socket).await?;
        times.push(first - began);
    }
    let first = times.first().map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0);
    let counted = Times::new(times.split_off(1 + WARM_UP));
    Ok(Found { first, median: counted.percentile(50) })
}

/// Prints what recall adds; the same as JSON.
fn compare(database: &str, without: &[Found], with: &[Found]) -> Value {
    let rows = STORIES.into_iter().zip(without.iter().zip(with)).map(|(messages, (off, on))| {
        let (added, first) = (rounded(on.median - off.median), rounded(on.first - off.median));
        say(&format!(
            "{database}, {messages} messages: first token after {:.2} ms; recall adds {added} ms, \
             in the first turn {first} ms",
            off.median
        ));
        json!({ "messages": messages, "without_ms": rounded(off.median), "added_ms": added,
            "added_in_first_turn_ms": first })
    });
    Value::Array(rows.collect())
}
