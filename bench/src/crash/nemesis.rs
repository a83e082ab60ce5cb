//! Who breaks things, and how.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::sleep;

use super::home::{Home, Server};

/// How long a server that was asked to end has before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// What happens in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// Signal 9.
    Kill,
    /// Signal 9, and the model's server dies too.
    KillBoth,
    /// SIGTERM, and signal 9 a second later.
    Terminate,
    /// PostgreSQL ends all connections; Skald lives.
    Connections,
    /// PostgreSQL crashes and is started again; Skald lives.
    Database,
    /// PostgreSQL crashes and is started again; Skald is killed meanwhile.
    Everything,
}

/// What happens on SQLite, round after round.
const SQLITE: &[Blow] = &[Blow::Kill, Blow::Terminate, Blow::Kill, Blow::KillBoth];
/// What happens on PostgreSQL.
const POSTGRES: &[Blow] = &[
    Blow::Kill,
    Blow::Database,
    Blow::Terminate,
    Blow::Connections,
    Blow::KillBoth,
    Blow::Everything,
    Blow::Kill,
    Blow::KillBoth,
];

impl Blow {
    /// The blow of a round.
    pub(super) fn of_round(round: u32, postgres: bool) -> Self {
        let blows = if postgres { POSTGRES } else { SQLITE };
        let place = usize::try_from(round).unwrap_or_default() % blows.len();
        blows.get(place).copied().unwrap_or(Self::Kill)
    }

    /// Whether Skald lives through it.
    pub(super) fn spares_skald(self) -> bool {
        matches!(self, Self::Connections | Self::Database)
    }

    /// Strikes; when Skald died, if it did.
    pub(super) async fn strike(self, home: &Home, server: &mut Server) -> Result<Option<Instant>> {
        let mut died = None;
        if self == Self::Terminate {
            server.terminate().await?;
            sleep(GRACE).await;
        }
        if let Some(postgres) = &home.postgres {
            match self {
                Self::Connections => postgres.end_connections("core").await?,
                Self::Database => postgres.stop_at_once().await?,
                Self::Everything => {
                    // Its last writes are on their way while both go down.
                    died = Some(Instant::now());
                    let (stopped, killed) = tokio::join!(postgres.stop_at_once(), server.kill());
                    stopped?;
                    killed?;
                }
                Self::Kill | Self::KillBoth | Self::Terminate => {}
            }
            if matches!(self, Self::Database | Self::Everything) {
                postgres.start_again().await?;
            }
        }
        if matches!(self, Self::Kill | Self::KillBoth | Self::Terminate) {
            died = Some(Instant::now());
            server.kill().await?;
        }
        Ok(died)
    }
}
