//! Fresh databases for tests: each test runs on SQLite and on PostgreSQL.
//!
//! `TEST_POSTGRES_URL` names a server if there is one. Otherwise a private,
//! throw-away cluster is started from the installed PostgreSQL binaries and
//! ends with the test process: a shell that waits for the end of its standard
//! input stops the server and removes its files, however the process ended.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use uuid::Uuid;

use crate::db::{Db, Dialect, Migrations};

/// A migrated, empty database of a test's own.
pub struct TestDb {
    /// The database.
    pub db: Db,
    /// Its URL, for a process that opens it itself.
    pub url: String,
    /// Where its file and other files of the test may lie.
    pub dir: TempDir,
}

/// Runs a test on a fresh SQLite database, then on a fresh PostgreSQL one.
///
/// PostgreSQL is skipped, loudly, only where it is not installed and `CI` is not set.
pub async fn each_database<F>(migrations: Migrations, test: F)
where
    F: AsyncFn(TestDb),
{
    test(fresh(Dialect::Sqlite, migrations).await.expect("SQLite needs nothing")).await;
    if let Some(database) = fresh(Dialect::Postgres, migrations).await {
        test(database).await;
    }
}

/// A migrated database, or nothing where PostgreSQL is missing and may be.
pub async fn fresh(dialect: Dialect, migrations: Migrations) -> Option<TestDb> {
    let database = empty(dialect).await?;
    database.db.migrate(migrations).await.expect("the migrations run on an empty database");
    Some(database)
}

/// An empty database, or nothing where PostgreSQL is missing and may be.
pub async fn empty(dialect: Dialect) -> Option<TestDb> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let url = match dialect {
        Dialect::Sqlite => format!("sqlite://{}", dir.path().join("test.db").display()),
        Dialect::Postgres => create_database(postgres()?).await,
    };
    let db = Db::connect(&url, 8).await.expect("the database opens");
    Some(TestDb { db, url, dir })
}

async fn create_database(server: &str) -> String {
    let admin = Db::connect(server, 1).await.expect("TEST_POSTGRES_URL names a running server");
    let name = format!("t_{}", random_name());
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    admin.write(create).execute().await.expect("this role may create databases");
    admin.close().await;
    let (base, query) = server.split_once('?').unwrap_or((server, ""));
    let (base, _) = base.rsplit_once('/').expect("the URL names a database");
    format!("{base}/{name}?{query}")
}

fn random_name() -> String {
    let mut bytes = [0_u8; 16];
    rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
    Uuid::from_bytes(bytes).simple().to_string()
}

/// The URL of the server for tests, started at the first call.
fn postgres() -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    SERVER.get_or_init(find_or_start).as_deref()
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test harness talks to people"
)]
fn find_or_start() -> Option<String> {
    if let Ok(url) = std::env::var("TEST_POSTGRES_URL") {
        return Some(url);
    }
    match start_cluster() {
        Ok(url) => Some(url),
        Err(why) => {
            let advice = "install PostgreSQL 15 or later (Debian: apt-get install postgresql), \
                          or set TEST_POSTGRES_URL to a server that may create databases";
            assert!(std::env::var("CI").is_err(), "no PostgreSQL for the tests: {why}; {advice}");
            eprintln!("SKIPPED on PostgreSQL: {why}; {advice}");
            None
        }
    }
}

/// The shell that watches over the cluster: it ends when this process does.
static WATCHER: Mutex<Option<Child>> = Mutex::new(None);

fn start_cluster() -> Result<String, String> {
    let bin = find_binaries().ok_or("initdb and postgres are not installed")?;
    let dir = std::env::temp_dir().join(format!("skald-postgres-{}", random_name()));
    std::fs::create_dir(&dir).map_err(|error| error.to_string())?;
    // PostgreSQL refuses to run as root.
    let user = run("id", &["-u"])?;
    let prefix = if user.trim() == "0" {
        let account = if run("id", &["-u", "postgres"]).is_ok() { "postgres" } else { "nobody" };
        run("chown", &[account, &dir.display().to_string()])?;
        format!("setpriv --reuid={account} --regid=$(id -g {account}) --clear-groups ")
    } else {
        String::new()
    };
    let script = format!(
        r#"cd "$1" || exit 1
        {prefix}"$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --no-sync --locale=C >"$1/log" 2>&1 || exit 1
        {prefix}"$2/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c fsync=off \
            -c full_page_writes=off -c max_connections=400 -c shared_buffers=64MB >>"$1/log" 2>&1 &
        server=$!
        read -r _
        kill -INT $server; wait $server
        rm -rf "$1""#
    );
    let watcher = Command::new("sh")
        .args(["-c", &script, "sh"])
        .args([&dir, &bin])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    *WATCHER.lock().unwrap_or_else(PoisonError::into_inner) = Some(watcher);
    wait_for(&dir, &bin)?;
    Ok(format!("postgres://postgres@localhost/postgres?host={}", dir.display()))
}

fn find_binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut candidates: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    candidates.sort();
    candidates.extend(run("pg_config", &["--bindir"]).map(|path| path.trim().into()));
    candidates
        .into_iter()
        .rev()
        .find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} failed"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[expect(clippy::disallowed_methods, reason = "another process has no event to await")]
fn wait_for(dir: &Path, bin: &Path) -> Result<(), String> {
    let ready = bin.join("pg_isready");
    let started = Instant::now();
    while started.elapsed() < Duration::from_mins(1) {
        let answer = Command::new(&ready).arg("-q").arg("-h").arg(dir).status();
        if answer.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    Err(format!("PostgreSQL did not start: {log}"))
}
