//! `skald-bench`: measures the release build of Skald on this machine.
//!
//! Each command starts the real program against a double of a
//! provider, in a process of its own and on a database of its own, plays with it
//! over the network, and prints what it found. Nothing here is part of the program.
//!
//! | module | what it holds |
//! |---|---|
//! | `crash` | what is lost when the server dies: nothing |
//! | `ttft` | what Skald adds to the time to the first token, and what a token costs |
//! | `reminder` | what it costs the first token that a long story comes to mind |
//! | `recall` | how much of what was said comes to mind again |
//! | `depth` | whether the length and width of a story cost anything |
//! | `server` | the program under test: built, started, its CPU time |
//! | `client` | players, and a client that asks the provider itself |
//! | `report` | percentiles, and what is printed |

mod client;
mod crash;
mod depth;
mod recall;
mod reminder;
mod report;
mod server;
mod ttft;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures the release build of Skald on this machine.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Time to first token that Skald adds, and CPU time per token.
    ///
    /// A reply's time is taken at a player's client: from sending `sendMessage` over HTTP to the
    /// first `ReplyDelta` of content on a WebSocket that watches the session. From it the median
    /// time is subtracted in which a client without Skald, that sends the provider the very same
    /// request, has the first text. Once one player plays alone, and once fifty play at the same
    /// time, each with a socket and a session of their own. `cpu_us_per_token` is the server's CPU
    /// time while the fifty play, in microseconds, for each token that the provider wrote. It
    /// holds everything that a reply costs, from the mutation to the stored end.
    Ttft(ttft::Options),
    /// Whether a story of 100,000 levels or 200,000 messages is slower than one of 100.
    ///
    /// Stories are put into the databases of two servers, one on SQLite and one on `PostgreSQL` if
    /// that is installed. A player then does the same with each in turn over HTTP, 60 times after
    /// 10 rounds that do not count: reads the last 50 messages, with few fields and with twenty of
    /// each message as a screen needs them; asks whether a message in the middle is above the
    /// leaf (`path(leaf:, before:, last: 1)`); sends a message and regenerates a reply, each timed
    /// to its answer, after which the reply is awaited; selects a swipe, the top of a branch left
    /// long ago, and the main branch again. `ratio` is the worst of them: the median of a large
    /// story over that of the small one.
    Depth(depth::Options),
    /// Kills the server in the middle of everything, again and again, and looks for what is lost.
    ///
    /// Each round eight clients send, swipe, edit, branch, select, delete, restore and stop, and
    /// four subscribers watch, while a double of a model writes a hundred words a second. After
    /// 50 to 2500 ms the server gets signal 9; in some rounds SIGTERM comes a second earlier, the
    /// model dies too, or PostgreSQL loses its connections or crashes. Then the graph is asked
    /// whether everything that was acknowledged is there once, all replies have ended, each text
    /// is what the model said, trees are whole, and subscribers can go on where they were.
    /// `lost`, `duplicated`, `torn` and `non_terminal` count what is not so; `max_text_loss_ms` is
    /// the age, when the server died, of the oldest word of a reply that is not stored. It fails
    /// if any of the four is not 0, or more than a second of text is gone.
    Crash(crash::Options),
    /// How much of what was said in conversations comes to mind again.
    ///
    /// A file holds conversations, questions on them, and for each question the turns that answer
    /// it. Each conversation is imported into the program as a story, with its authors and times,
    /// and every question is asked of its whole path with `recallPreview`, for 100 hits; nobody is
    /// addressed, so "you" means nobody. Recall at k is the part
    /// of a question's evidence among its first k hits; the overall numbers are means over all
    /// questions but those of the category `adversarial`, which are reckoned apart. MRR is the mean
    /// of one over the rank of the first evidence. The time is that of a client from a question to
    /// its answer over HTTP. Beside it stands the same ranking asked in memory, and what anybody
    /// would try first: BM25 over turns, with and without the name of the speaker before each.
    ///
    /// With `--embedder` turns and questions are embedded too, and the numbers are those of words
    /// and meaning together, ranked in memory: the program is not asked, and the time is that of
    /// ranking alone. Beside them stands recall by words alone, the nearest vectors of turns, of
    /// turns with date and speaker before them, and reciprocal rank fusion of BM25 and vectors,
    /// both of single turns and of three in a row.
    Recall(recall::Options),
    /// What it costs the first token that a long story comes to mind.
    ///
    /// Stories of 100, 5,000 and 20,000 messages are put into the databases of two servers, on
    /// SQLite and on `PostgreSQL` if that is installed: one recalls nothing, the other as it comes.
    /// The same message is sent below the end of each 45 times, the first 5 of which do not count,
    /// and the time is taken from sending to the first text on a WebSocket. `added_ms` is the
    /// difference of the medians; `added_in_first_turn_ms` is what the first turn after a start
    /// takes longer, in which the story is read and indexed.
    Reminder(reminder::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Ttft(options) => ttft::run(&options).await,
        Command::Depth(options) => depth::run(&options).await,
        Command::Crash(options) => crash::run(&options).await,
        Command::Reminder(options) => reminder::run(&options).await,
        Command::Recall(options) => recall::run(&options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::complain(&error),
    }
}
