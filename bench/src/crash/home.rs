//! A data folder or two PostgreSQL databases, and the server that lives on them.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::postgres::Postgres;

/// Nobody waits longer for a server that starts.
const START: Duration = Duration::from_mins(1);

/// What outlives a crash.
pub(super) struct Home {
    program: PathBuf,
    folder: TempDir,
    pub(super) postgres: Option<Postgres>,
}

/// A running server.
pub(super) struct Server {
    child: Child,
    pub(super) url: String,
}

impl Home {
    pub(super) async fn new(program: &Path, postgres: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let postgres = if postgres { Some(Postgres::start().await?) } else { None };
        if let Some(postgres) = &postgres {
            postgres.create("auth").await?;
            postgres.create("core").await?;
        }
        Ok(Self { program: program.to_owned(), folder, postgres })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the files, for whoever looks for the cause of a fault.
    pub(super) fn keep(&mut self) {
        self.folder.disable_cleanup(true);
    }

    /// Starts the server; how long it took until it said it was ready.
    pub(super) async fn serve(&self, model: &str) -> Result<(Server, Duration)> {
        let log = self.folder().join("skald.log");
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let began = Instant::now();
        let mut command = Command::new(&self.program);
        // What else is configured on this machine is none of our business.
        command.env_clear().current_dir(self.folder());
        command.env("SKALD_DATA", self.folder().join("data"));
        command.env("SKALD_LOG__FILTER", "warn");
        command.env("SKALD_AUTH__THROTTLE__REGISTER_PER_ADDRESS", "{burst=1000,per_hour=1000}");
        // Each word of the numbered texts is a token or two.
        command.env("SKALD_ROLES__STORY__MAX_OUTPUT_TOKENS", "4000");
        command.env("OPENAI_BASE_URL", model).env("OPENAI_MODEL", "story-large");
        if let Some(postgres) = &self.postgres {
            command.env("SKALD_DATABASE__AUTH_URL", postgres.url("auth"));
            command.env("SKALD_DATABASE__CORE_URL", postgres.url("core"));
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().context("cannot start the server")?;
        let output = child.stdout.take().context("the server has no output")?;
        let mut lines = BufReader::new(output).lines();
        let first = timeout(START, lines.next_line()).await.context("the server hangs")??;
        let first = first.unwrap_or_default();
        let url = first.strip_prefix("ready ").context("the server did not start")?.to_owned();
        Ok((Server { child, url }, began.elapsed()))
    }

    /// Lets the databases' own tools read everything; what they complain of.
    ///
    /// No server may run on SQLite meanwhile. Its files are copied first: reading them would fold
    /// the log into the file, which is what the next server has to prove that it can.
    pub(super) async fn check(&self) -> Result<Option<String>> {
        if let Some(postgres) = &self.postgres {
            for database in ["auth", "core"] {
                if let Err(error) = postgres.check(database).await {
                    return Ok(Some(format!("{error:#}")));
                }
            }
            return Ok(None);
        }
        let copy = tempfile::tempdir()?;
        for name in ["auth.db", "core.db"] {
            for end in ["", "-wal"] {
                let file = self.folder().join("data").join(format!("{name}{end}"));
                if file.exists() {
                    std::fs::copy(file, copy.path().join(format!("{name}{end}")))?;
                }
            }
            let sql = "PRAGMA integrity_check; PRAGMA foreign_key_check;";
            let output = Command::new("sqlite3").arg(copy.path().join(name)).arg(sql).output();
            let output =
                output.await.context("sqlite3, which reads the files, is not installed")?;
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if said != "ok" {
                return Ok(Some(format!("{name}: {said}")));
            }
        }
        Ok(None)
    }
}

impl Server {
    /// Signal 9.
    pub(super) async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end.
    pub(super) async fn terminate(&self) -> Result<()> {
        let pid = self.child.id().context("the server has ended by itself")?.to_string();
        let done = Command::new("kill").args(["-TERM", &pid]).status().await?;
        ensure!(done.success(), "cannot signal the server");
        Ok(())
    }

    /// Waits until it says that it is ready, after its database was away; how long that took.
    pub(super) async fn recovered(&self, http: &reqwest::Client) -> Result<Duration> {
        let began = Instant::now();
        let url = format!("{}readyz", self.url);
        while began.elapsed() < START {
            if http.get(&url).send().await?.status().is_success() {
                return Ok(began.elapsed());
            }
            sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the server does not get ready again")
    }
}
