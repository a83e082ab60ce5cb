//! Whether a story's length and width cost anything.
//!
//! Three sessions of one player on one server: one of depth 100, one of depth
//! 100,000, and one of 200,000 messages with a swipe at every reply and a branch
//! at every fourth level. A round does the same with each of them, one after the
//! other, beginning with another one each time, so that whatever else the machine
//! does hits all alike. What counts is how the medians compare.

mod play;
pub(crate) mod seed;
pub(crate) mod tree;

use std::{ffi::OsString, path::Path, time::Instant};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use skald_base::{Dialect, id::parse_any};

use self::{
    play::{Act, Play},
    tree::{Shape, Tree},
};
use crate::{
    client::{self, Account},
    report::{Times, rounded, say},
    server,
};

/// Rounds that count, after those that only warm up.
const ROUNDS: usize = 60;
const WARM_UP: usize = 10;

/// The sessions: the first is what the others are compared with.
const CASES: [(&str, Shape); 3] = [
    ("depth 100", Shape { depth: 100, swipe_every: 2, branch_every: 20, branch_length: 6 }),
    (
        "depth 100,000",
        Shape { depth: 100_000, swipe_every: 20_000, branch_every: 20_000, branch_length: 6 },
    ),
    (
        "200,000 messages",
        Shape { depth: 50_004, swipe_every: 2, branch_every: 4, branch_length: 10 },
    ),
];

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

pub(crate) async fn run(options: &Options) -> Result<()> {
    let program = server::build(&options.cargo).await?;
    let mut result = Map::new();
    let mut worst = 0.0_f64;
    for (name, dialect) in [("sqlite", Dialect::Sqlite), ("postgres", Dialect::Postgres)] {
        let Some((found, outline)) = measure(&program, dialect).await? else {
            say(&format!("{name}: not measured, PostgreSQL is not installed"));
            continue;
        };
        worst = found.iter().flat_map(Row::ratios).fold(worst, f64::max);
        result.insert(name.into(), table(name, &found, outline));
    }
    say(&format!("worst ratio: {worst:.2}"));
    if options.json {
        result.insert("ratio".into(), json!(rounded(worst)));
        say(&Value::Object(result).to_string());
    }
    Ok(())
}

/// The medians of one act, in milliseconds, as in [`CASES`].
struct Row {
    act: Act,
    medians: Vec<f64>,
}

impl Row {
    /// How the large cases compare with the first.
    fn ratios(&self) -> impl Iterator<Item = f64> {
        let small = self.medians.first().copied().unwrap_or(f64::NAN);
        self.medians.iter().skip(1).map(move |median| median / small)
    }
}

/// Plays on one database; nothing if it is not there.
async fn measure(program: &Path, dialect: Dialect) -> Result<Option<(Vec<Row>, f64)>> {
    let fast = ("SKALD_OFFLINE__TOKENS_PER_SECOND", "0");
    let Some(home) = server::start_on(program, dialect, &[fast]).await? else { return Ok(None) };
    let db = home.core().await?;
    let account = Account::register(client::http()?, &home.server.url, "freya").await?;
    let mut stories = Vec::new();
    for (name, shape) in CASES {
        let began = Instant::now();
        let session = account.begin_session().await?;
        let (_, session) = parse_any(&session).context("a session has an id")?;
        let tree = Tree::grow(shape, seed::root_of(&db, session).await?);
        seed::story(&db, session, &tree).await?;
        let took = began.elapsed().as_secs_f64();
        let count = tree.nodes.len();
        say(&format!("{dialect:?}, {name}: {count} messages, stored in {took:.0} s"));
        stories.push((session, tree));
    }
    if dialect == Dialect::Postgres {
        // What the server would do by itself within a minute.
        db.write("ANALYZE").execute().await?;
    }
    db.close().await;
    let begin = |(session, tree)| Play::begin(&account, session, tree);
    let mut plays: Vec<Play> = stories.into_iter().map(begin).collect();
    let rows = alternate(&mut plays).await?;
    Ok(Some((rows, outline(&plays).await?)))
}

/// The median of reading a page of the outline of the large sessions, in milliseconds.
async fn outline(plays: &[Play]) -> Result<f64> {
    let mut times = Vec::new();
    for round in 0..WARM_UP + ROUNDS {
        for play in plays {
            times.extend(play.outline().await?.filter(|_| round >= WARM_UP));
        }
    }
    Ok(Times::new(times).percentile(50))
}

/// Rounds with all sessions in turn.
async fn alternate(plays: &mut [Play]) -> Result<Vec<Row>> {
    let mut times = vec![vec![Vec::new(); plays.len()]; Act::ALL.len()];
    for round in 0..WARM_UP + ROUNDS {
        for step in 0..plays.len() {
            let number = (round + step) % plays.len();
            let Some(play) = plays.get_mut(number) else { continue };
            let took = play.round().await?;
            if round < WARM_UP {
                continue;
            }
            for (of_act, took) in times.iter_mut().zip(took) {
                of_act.iter_mut().skip(number).take(1).for_each(|of_case| of_case.push(took));
            }
        }
    }
    let rows = Act::ALL.into_iter().zip(times).map(|(act, cases)| {
        let medians = cases.into_iter().map(|times| Times::new(times).percentile(50)).collect();
        Row { act, medians }
    });
    Ok(rows.collect())
}

/// Prints what was found on one database; the same as JSON.
fn table(database: &str, rows: &[Row], outline: f64) -> Value {
    let [small, deep, bushy] = CASES.map(|(name, _)| name);
    say(&format!("{database:<30}{small:>16}{deep:>16}{bushy:>18}   (medians, ms)"));
    let mut found = Map::new();
    for row in rows {
        let cells: Vec<String> = std::iter::once(String::new())
            .chain(row.ratios().map(|ratio| format!(" ×{ratio:.2}")))
            .zip(&row.medians)
            .map(|(ratio, median)| format!("{median:.2}{ratio}"))
            .collect();
        let [small, deep, bushy] = [0, 1, 2].map(|n| cells.get(n).cloned().unwrap_or_default());
        say(&format!("{:<30}{small:>16}{deep:>16}{bushy:>18}", row.act.name()));
        let medians: Vec<f64> = row.medians.iter().copied().map(rounded).collect();
        found.insert(
            row.act.name().into(),
            json!({ "medians_ms": medians,
            "ratio": rounded(row.ratios().fold(0.0, f64::max)) }),
        );
    }
    say(&format!("{:<30}{outline:>16.2}", "outline of 5,000 nodes"));
    found.insert("outline of 5,000 nodes".into(), json!({ "median_ms": rounded(outline) }));
    Value::Object(found)
}
