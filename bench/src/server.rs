//! The program under test: built as it is released, started, and its CPU time.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use skald_base::{Db, Dialect, testing};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// What Linux counts CPU time in, whatever the kernel's own clock does.
const TICKS_PER_SECOND: u32 = 100;

/// Builds the program beside this one, so that it is never older than what is measured.
pub(crate) async fn build(cargo: &OsStr) -> Result<PathBuf> {
    if cfg!(debug_assertions) {
        bail!("this is not a release build: cargo run --release -p skald-bench");
    }
    let own = std::env::current_exe().context("where is this program?")?;
    let folder = own.parent().context("this program is in no folder")?;
    let target = folder.parent().context("this program is in no target folder")?;
    let built = Command::new(cargo)
        .args(["build", "--release", "--package", "skald", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .stdout(Stdio::from(std::io::stderr()))
        .status()
        .await
        .context("cannot run cargo")?;
    ensure!(built.success(), "skald could not be built");
    Ok(folder.join("skald"))
}

/// A running server with a database of its own; dropped, both are gone.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    data: PathBuf,
    /// Where the data folder is; kept as long as the server runs.
    _folder: TempDir,
}

/// A running server, and the databases it is on if they are not its own.
pub(crate) struct Home {
    pub(crate) server: Server,
    pub(crate) databases: Vec<testing::TestDb>,
}

/// Starts the program on an empty database of this kind; nothing if that is not installed.
pub(crate) async fn start_on(
    program: &Path,
    dialect: Dialect,
    settings: &[(&str, &str)],
) -> Result<Option<Home>> {
    if dialect == Dialect::Sqlite {
        let server = Server::start(program, settings).await?;
        return Ok(Some(Home { server, databases: Vec::new() }));
    }
    let (Some(core), Some(auth)) = (testing::empty(dialect).await, testing::empty(dialect).await)
    else {
        return Ok(None);
    };
    let urls = [("SKALD_DATABASE__CORE_URL", &*core.url), ("SKALD_DATABASE__AUTH_URL", &*auth.url)];
    let settings: Vec<(&str, &str)> = settings.iter().copied().chain(urls).collect();
    let server = Server::start(program, &settings).await?;
    Ok(Some(Home { server, databases: vec![core, auth] }))
}

impl Home {
    /// A way into the stories of the server.
    pub(crate) async fn core(&self) -> Result<Db> {
        match self.databases.first() {
            Some(core) => Ok(core.db.clone()),
            None => Ok(Db::open_file(&self.server.core_file()).await?),
        }
    }
}

impl Server {
    /// Starts the program in an empty folder, with these settings; on SQLite if none names
    /// another database.
    pub(crate) async fn start(program: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let data = folder.path().join("data");
        let mut child = Command::new(program)
            // What else is configured on this machine is none of our business.
            .env_clear()
            .current_dir(folder.path())
            .env("SKALD_DATA", &data)
            .env("SKALD_LOG__FILTER", "off")
            .env("SKALD_AUTH__THROTTLE__REGISTER_PER_ADDRESS", "{burst=1000,per_hour=1000}")
            .envs(settings.iter().copied())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take().context("the server has no output")?;
        let first = BufReader::new(output).lines().next_line().await?.unwrap_or_default();
        let url = first.strip_prefix("ready ").context("the server did not start")?.to_owned();
        Ok(Self { child, url, data, _folder: folder })
    }

    /// The stories, if they are on SQLite.
    pub(crate) fn core_file(&self) -> PathBuf {
        self.data.join("core.db")
    }

    /// The CPU time it has used so far, its own and the system's for it.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        let pid = self.child.id().context("the server has ended")?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .context("CPU time is read from /proc, which Linux has")?;
        let ticks = cpu_ticks(&stat).context("/proc/PID/stat is not as expected")?;
        Ok(Duration::from_secs(ticks) / TICKS_PER_SECOND)
    }
}

/// `utime` and `stime`; the name before them may hold anything, but ends with the last bracket.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(") ")?.1.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 900 0 3 0 1200 34 0 0 20 0 5 0 777 1 2";
        assert_eq!(cpu_ticks(stat), Some(1234));
        assert_eq!(cpu_ticks("42 (cut off) S 1"), None);
    }
}
