//! The crash plan: nothing that was acknowledged is lost, however the server dies.
//!
//! Eight clients change stories of their own, each noting on the disk what it
//! asks for and what it was told; four subscribers put together what they are
//! told; then something dies. When the server is there again, the checker
//! compares, through the graph alone, what there is with what there must be.
//!
//! | module | what it holds |
//! |---|---|
//! | `lane` | the rounds on one database |
//! | `nemesis` | who breaks things, and how |
//! | `home`, `postgres` | what outlives a crash, and the servers on it |
//! | `model` | a double that says numbered words, and knows what it said when |
//! | `player`, `story`, `act`, `journal` | a client, what it does, what it was told |
//! | `watch` | a subscriber |
//! | `check`, `expected`, `tree`, `fork` | what must hold afterwards |
//! | `tally` | what was found, counted |

mod act;
mod check;
mod expected;
mod fork;
mod home;
mod journal;
mod lane;
mod model;
mod nemesis;
mod player;
mod postgres;
mod story;
mod tally;
mod tree;
mod watch;

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use anyhow::{Result, bail};
use tokio::sync::Mutex;

use crate::{report::say, server};

use self::{lane::Lane, tally::Tally};

/// How it is run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often things are broken; on PostgreSQL half of the times.
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Plays the same again, as far as two computers' clocks allow.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints the result as one JSON object, as the last line.
    #[arg(long)]
    json: bool,
    /// The program that is broken. Built as it is released if nobody names one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// The cargo that builds the server.
    #[arg(long, env = "CARGO", default_value = "cargo", hide_env_values = true)]
    cargo: OsString,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let program = match &options.program {
        Some(program) => std::fs::canonicalize(program)?,
        None => server::build(&options.cargo).await?,
    };
    let seed = options.seed.unwrap_or_else(rand::random);
    say(&format!("seed {seed}"));
    // The lanes wait for each other's storms: both together would be too much for two cores.
    let storm = Arc::new(Mutex::new(()));
    let on_postgres = options.rounds / 2;
    let sqlite = Lane { program: program.clone(), postgres: false, seed, storm: storm.clone() };
    let postgres = Lane { program, postgres: true, seed, storm };
    let (sqlite, postgres) =
        tokio::try_join!(sqlite.run(options.rounds - on_postgres), postgres.run(on_postgres))?;
    let mut tally = Tally::default();
    for (name, lane) in [("SQLite", sqlite), ("PostgreSQL", postgres)] {
        say(&lane.describe(name));
        tally.add(lane);
    }
    if options.json {
        say(&tally.json().to_string());
    }
    if !tally.is_clean() {
        bail!("something was lost; again with --seed {seed}");
    }
    Ok(())
}
