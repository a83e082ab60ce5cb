//! A PostgreSQL cluster of our own, that may be stopped in the middle.

use std::{
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

/// Ends the cluster when its standard input does, however this process ended.
const WATCH: &str = r#"read -r _
"$@" -m immediate stop"#;

/// A running cluster; dropped, it and its files are gone.
pub(super) struct Postgres {
    bin: PathBuf,
    /// Who may run it: PostgreSQL refuses to be run as root.
    as_user: Vec<String>,
    watcher: Option<Child>,
    folder: TempDir,
}

impl Postgres {
    /// Starts a cluster; it writes to the disk as an installed one does.
    pub(super) async fn start() -> Result<Self> {
        let bin = binaries().context("PostgreSQL 15 or later is not installed")?;
        let folder = tempfile::tempdir()?;
        let as_user = as_user(folder.path()).await?;
        let mut postgres = Self { bin, as_user, watcher: None, folder };
        let data = postgres.data();
        let create = ["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"];
        postgres.run("initdb", &create).await?;
        postgres.start_again().await?;
        let mut watcher = std::process::Command::new("sh");
        watcher.args(["-c", WATCH, "sh"]).args(postgres.words("pg_ctl")).args(["-D", &data]);
        watcher.current_dir("/").stdin(Stdio::piped());
        watcher.stdout(Stdio::null()).stderr(Stdio::null());
        postgres.watcher = Some(watcher.spawn()?);
        Ok(postgres)
    }

    fn folder(&self) -> String {
        self.folder.path().display().to_string()
    }

    fn data(&self) -> String {
        format!("{}/data", self.folder())
    }

    pub(super) async fn start_again(&self) -> Result<()> {
        let options = format!("-k {} -c listen_addresses= -c max_connections=100", self.folder());
        let log = format!("{}/log", self.folder());
        let data = self.data();
        self.run("pg_ctl", &["start", "-w", "-D", &data, "-l", &log, "-o", &options]).await
    }

    /// Stops it as a crash would: nothing is written, no client is told.
    pub(super) async fn stop_at_once(&self) -> Result<()> {
        self.run("pg_ctl", &["stop", "-w", "-m", "immediate", "-D", &self.data()]).await
    }

    /// Ends every connection to a database.
    pub(super) async fn end_connections(&self, database: &str) -> Result<()> {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        );
        self.sql(&sql).await
    }

    pub(super) async fn create(&self, database: &str) -> Result<()> {
        self.sql(&format!("CREATE DATABASE {database}")).await
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder())
    }

    /// Reads every table and index as `pg_amcheck` does.
    pub(super) async fn check(&self, database: &str) -> Result<()> {
        let folder = self.folder();
        let options = ["--install-missing", "--heapallindexed", "-U", "postgres", "-h", &folder];
        self.run("pg_amcheck", &[&options[..], &["-d", database]].concat()).await
    }

    async fn sql(&self, sql: &str) -> Result<()> {
        let folder = self.folder();
        self.run("psql", &["-q", "-U", "postgres", "-h", &folder, "-d", "postgres", "-c", sql])
            .await
    }

    fn words(&self, program: &str) -> Vec<String> {
        let mut words = self.as_user.clone();
        words.push(self.bin.join(program).display().to_string());
        words
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let words = self.words(program);
        let (first, rest) = words.split_first().context("a command has a name")?;
        let mut command = Command::new(first);
        command.args(rest).args(arguments).current_dir("/");
        // A server that is started inherits what it would write to.
        let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status().await?;
        ensure!(done.success(), "{program} {} failed", arguments.join(" "));
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            drop(watcher.stdin.take());
            drop(watcher.wait());
        }
    }
}

fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let installed: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).chain(installed).collect();
    places.sort();
    places.into_iter().rev().find(|bin| bin.join("initdb").exists() && bin.join("psql").exists())
}

/// What stands before a command so that it is not run as root; the folder goes to that user.
async fn as_user(folder: &Path) -> Result<Vec<String>> {
    let own = Command::new("id").arg("-u").output().await?;
    if own.stdout.trim_ascii() != b"0" {
        return Ok(Vec::new());
    }
    let known = Command::new("id").args(["-g", "postgres"]).output().await?;
    ensure!(known.status.success(), "root needs a user `postgres` to run PostgreSQL as");
    let group = String::from_utf8_lossy(known.stdout.trim_ascii()).into_owned();
    let given = Command::new("chown").arg("postgres").arg(folder).status().await?;
    ensure!(given.success(), "cannot give a folder to the user postgres");
    let words = ["setpriv", "--reuid=postgres", &format!("--regid={group}"), "--clear-groups"];
    Ok(words.map(ToOwned::to_owned).to_vec())
}
