//! The `skald` program: subcommands, and the wiring of the all-in-one server.

mod admin;
mod cli;
mod config;
mod doctor;
mod example;
mod gate;
mod models;
mod nearby;
mod page;
mod schema;
mod serve;
mod wire;

use std::{io::Write, process::ExitCode, time::Duration};

use clap::Parser;
use tokio::runtime::Runtime;

use self::cli::{Cli, Command};

/// For SQLite too: what its threads allocate others free, and they must not wait for each other.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Why the program ends before its work is done.
enum Failure {
    /// The configuration or the arguments are wrong: exit code 2.
    Usage(String),
    /// Something went wrong while working: exit code 1.
    Work(String),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Work(format!("{error:#}"))
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("cannot start: {error}"), 1),
    };
    let outcome = runtime.block_on(run(cli));
    // Work that never waits for anything cannot be stopped, but it can be left behind.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => complain(&message, 2),
        Err(Failure::Work(message)) => complain(&message, 1),
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Serve(options) => serve::run(options).await,
        Command::Migrate(options) => {
            let config = config::load(&options)?;
            let databases = wire::open(&config).await?;
            say(&format!("databases are up to date: {}", databases.describe()));
            Ok(())
        }
        Command::Schema { subgraph } => {
            say(schema::print(subgraph).trim_end());
            Ok(())
        }
        Command::Config { options, example } => {
            let text = if example { example::print()? } else { config::print(&options)? };
            say(text.trim_end());
            Ok(())
        }
        Command::Doctor(options) => doctor::run(&options).await,
        Command::Id { id } => {
            say(&config::decode_id(&id)?);
            Ok(())
        }
        Command::Admin { options, command } => admin::run(&options, command).await,
    }
}

/// Prints a line for people or scripts on standard output.
fn say(text: &str) {
    // Whoever reads may have heard enough, as `head` does: that is no fault of ours.
    drop(writeln!(std::io::stdout(), "{text}"));
}

#[expect(clippy::print_stderr, reason = "logging may not have started, and people read this")]
fn complain(message: &str, code: u8) -> ExitCode {
    eprintln!("skald: {message}");
    ExitCode::from(code)
}
