//! What Skald adds to the time to the first token, and what a token costs it.
//!
//! A reply's time is taken where it matters, at the player's client: from
//! sending the mutation to the first content on a socket. From each the median
//! is subtracted of a client that sends the double the same bytes that Skald
//! sent it, in the same number of streams. Looking only from the double's first
//! chunk on would leave out what players wait for most: the turn's commit,
//! reading the scene and planning the prompt happen before the provider is
//! asked. A difference of whole ways also counts no client twice, since both
//! use the same one, on the same processor.
//!
//! Fifty players begin one after the other, spread over the length of one
//! reply, so that each reply begins while forty-nine others are being written,
//! as on a busy server. What happens when all fifty press the key in the same
//! instant is printed for people; no server on two cores can make that quick.

use std::{ffi::OsString, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use skald_doubles::{Call, Delivery, Endpoint, GeminiDouble};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::{self, Direct, Player, Turn},
    report::{Times, rounded, say},
    server::{self, Server},
};

/// Players who play at the same time.
const PLAYERS: usize = 50;
/// Turns that each story has before anything is measured.
const HISTORY: usize = 10;
/// The pace at which the double writes: sixty tokens a second.
const PACE: Duration = Duration::from_micros(16_667);
/// Replies to one player alone: how many, and how long.
const ALONE: (usize, usize) = (200, 6);
/// Replies to each of fifty players: how many, and how long.
const TOGETHER: (usize, usize) = (6, 120);
/// How often the provider is asked without Skald: alone, and by each of fifty.
const DIRECT: (usize, usize) = (60, 3);

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
    let double = GeminiDouble::start().await;
    let url = double.url();
    let settings =
        [("GEMINI_API_KEY", "a-key-of-the-double"), ("SKALD_PROVIDERS__GEMINI__BASE_URL", &url)];
    let server = Server::start(&program, &settings).await?;
    let alone = alone(&double, &server).await?;
    let together = together(&double, &server).await?;
    if options.json {
        let result = json!({
            "streams_1": alone,
            "streams_50": together.added,
            "cpu_us_per_token": rounded(together.cpu_us_per_token),
        });
        say(&result.to_string());
    }
    Ok(())
}

/// New players, each with a story of some length.
async fn gather(count: usize, double: &GeminiDouble, server: &Server) -> Result<Vec<Player>> {
    say(&format!("{count} register and play {HISTORY} turns each"));
    double.deliver(Delivery::new());
    double.says_words(TOGETHER.1);
    let http = client::http()?;
    let mut tasks = JoinSet::new();
    for number in 1..=count {
        // One after the other: the server hashes few passwords at once.
        let name = format!("player_{number}_of_{count}");
        let mut player = Player::join(http.clone(), &server.url, &name).await?;
        tasks.spawn(async move { player.remember(HISTORY).await.map(|()| player) });
    }
    tasks.join_all().await.into_iter().collect()
}

/// What is added to replies that come one at a time.
async fn alone(double: &GeminiDouble, server: &Server) -> Result<Value> {
    let players = gather(1, double, server).await?;
    double.deliver(Delivery::new().pace(PACE));
    double.says_words(ALONE.1);
    let (_, players) = crowd(players, 1, Duration::ZERO).await?;
    let (bare, _) = crowd(vec![direct(double)?], DIRECT.0, Duration::ZERO).await?;
    let (turns, _) = crowd(players, ALONE.0, Duration::ZERO).await?;
    Ok(compare("1 stream", &times(&turns), &times(&bare)))
}

/// What was found with fifty players.
struct Together {
    added: Value,
    cpu_us_per_token: f64,
}

async fn together(double: &GeminiDouble, server: &Server) -> Result<Together> {
    let players = gather(PLAYERS, double, server).await?;
    double.deliver(Delivery::new().pace(PACE));
    let spread = PACE * u32::try_from(TOGETHER.1 / PLAYERS)?;
    let (bare, _) = crowd(vec![direct(double)?; PLAYERS], DIRECT.1, spread).await?;
    let bare = times(&bare);

    let before = server.cpu_time()?;
    let (turns, players) = crowd(players, TOGETHER.0, spread).await?;
    let cpu = server.cpu_time()?.saturating_sub(before).as_secs_f64();
    let tokens = u32::try_from(turns.iter().map(|turn| turn.words).sum::<usize>())?;
    let added = compare("50 streams", &times(&turns), &bare);
    let cpu_us_per_token = cpu * 1e6 / f64::from(tokens);
    say(&format!(
        "50 streams: {tokens} tokens cost {cpu:.2} s of CPU time, {cpu_us_per_token:.1} µs each"
    ));
    let (at_once, _) = crowd(players, 2, Duration::ZERO).await?;
    compare("50 in the same instant", &times(&at_once), &bare);
    Ok(Together { added, cpu_us_per_token })
}

/// Who takes turns in a crowd.
trait Plays: Send + 'static {
    fn turn(&mut self) -> impl Future<Output = Result<Turn>> + Send;
}

impl Plays for Player {
    async fn turn(&mut self) -> Result<Turn> {
        Self::turn(self).await
    }
}

impl Plays for Direct {
    async fn turn(&mut self) -> Result<Turn> {
        Self::turn(self).await
    }
}

/// All take so many turns, each beginning a little after the one before.
async fn crowd<P: Plays>(
    members: Vec<P>,
    rounds: usize,
    spread: Duration,
) -> Result<(Vec<Turn>, Vec<P>)> {
    let mut tasks = JoinSet::new();
    for (place, mut member) in (0_u32..).zip(members) {
        tasks.spawn(async move {
            sleep(spread * place).await;
            let mut turns = Vec::new();
            for _ in 0..rounds {
                turns.push(member.turn().await?);
            }
            anyhow::Ok((turns, member))
        });
    }
    let (mut turns, mut members) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (own, member) = done??;
        turns.extend(own);
        members.push(member);
    }
    Ok((turns, members))
}

/// A client that says what Skald said last.
fn direct(double: &GeminiDouble) -> Result<Direct> {
    let calls = double.calls();
    let last = calls.iter().rfind(|call| call.endpoint == Endpoint::Generate);
    let last: &Call = last.context("Skald asked nothing")?;
    Ok(Direct::repeat(client::http()?, &double.root(), last))
}

fn times(turns: &[Turn]) -> Times {
    Times::new(turns.iter().map(|turn| turn.first).collect())
}

/// Prints what a way takes with Skald and without; what is added, as JSON.
fn compare(what: &str, with: &Times, without: &Times) -> Value {
    let base = without.percentile(50);
    say(&format!(
        "{what}: first token after {:.2} ms (p99 {:.2}) in {} replies; \
         the provider alone takes {base:.2} ms (p99 {:.2})",
        with.percentile(50),
        with.percentile(99),
        with.count(),
        without.percentile(99),
    ));
    with.above(base)
}
