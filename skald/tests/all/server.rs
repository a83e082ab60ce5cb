//! A `skald serve` process of a test's own, on SQLite or PostgreSQL.

use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use skald_base::{
    Dialect,
    testing::{self, TestDb},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// The pseudo-setting that sends a server's log to a file.
pub(crate) const LOG_FILE: &str = "TEST_LOG_FILE";

/// A folder and databases that outlive the processes on them.
pub(crate) struct Home {
    databases: Option<(TestDb, TestDb)>,
    folder: tempfile::TempDir,
}

/// A running server. Dropped, it is killed.
pub(crate) struct Server {
    child: Child,
    url: String,
    /// What it says after `ready`.
    lines: Lines<BufReader<ChildStdout>>,
}

/// Runs a test on SQLite files in a data folder, then on two PostgreSQL databases.
pub(crate) async fn each_home(test: impl AsyncFn(Home)) {
    test(Home { databases: None, folder: private_folder() }).await;
    if let Some(home) = postgres_home().await {
        test(home).await;
    }
}

/// A home on PostgreSQL; none where it is not installed and may be missing.
pub(crate) async fn postgres_home() -> Option<Home> {
    let auth = testing::empty(Dialect::Postgres).await?;
    let core = testing::empty(Dialect::Postgres).await?;
    Some(Home { databases: Some((auth, core)), folder: private_folder() })
}

/// As the server makes its data folder where there is none.
fn private_folder() -> tempfile::TempDir {
    let owner_only = Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(owner_only).tempdir().unwrap()
}

/// A home on SQLite, for what does not depend on the database.
pub(crate) fn sqlite_home() -> Home {
    Home { databases: None, folder: private_folder() }
}

fn lend_environment(from: &Command, to: &mut Command) {
    for (name, value) in from.as_std().get_envs() {
        match value {
            Some(value) => to.env(name, value),
            None => to.env_remove(name),
        };
    }
}

fn quiet(command: &mut Command) {
    command.env("SKALD_LOG__FILTER", "warn");
    // Tests share one address, and register more often than people do.
    command.env("SKALD_AUTH__THROTTLE__REGISTER_PER_ADDRESS", "{burst=1000,per_hour=1000}");
}

impl Home {
    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    /// The command, configured for this home.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skald"));
        // What the machine of a developer has set is none of a test's business.
        for name in ["GEMINI_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"] {
            command.env_remove(name);
        }
        command.current_dir(self.data()).kill_on_drop(true).env("SKALD_DATA", self.data());
        if let Some((auth, core)) = &self.databases {
            command.env("SKALD_DATABASE__AUTH_URL", &auth.url);
            command.env("SKALD_DATABASE__CORE_URL", &core.url);
        }
        command
    }

    /// Gives a script the environment of a server of this home, so that it can start one.
    pub(crate) fn lend(&self, script: &mut Command) {
        lend_environment(&self.command(), script);
        quiet(script);
        // As fast as it can be while there still is a middle in which to break off.
        script.env("SKALD_OFFLINE__TOKENS_PER_SECOND", "1500");
    }

    /// Starts a server and waits until it says it is ready.
    pub(crate) async fn serve(&self) -> Server {
        self.serve_with(&[]).await
    }

    /// Starts a server with these settings in its environment.
    pub(crate) async fn serve_with(&self, settings: &[(&str, &str)]) -> Server {
        Self::start(self.command(), settings).await
    }

    /// Starts a server whose writes to files may be refused later; the signal that would end it
    /// is ignored, as on a full disk there is none.
    pub(crate) async fn serve_without_file_signal(&self, settings: &[(&str, &str)]) -> Server {
        let inner = self.command();
        let mut command = Command::new("sh");
        command.args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#]).arg(inner.as_std().get_program());
        lend_environment(&inner, &mut command);
        command.current_dir(self.data()).kill_on_drop(true);
        Self::start(command, settings).await
    }

    async fn start(mut command: Command, settings: &[(&str, &str)]) -> Server {
        quiet(&mut command);
        command.envs(settings.iter().copied()).args(["serve", "--listen", "127.0.0.1:0"]);
        if let Some((_, file)) = settings.iter().find(|(name, _)| *name == LOG_FILE) {
            command.stderr(std::fs::File::create(file).unwrap());
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.unwrap().expect("the server says something");
        let url = first.strip_prefix("ready ").expect("the first line is for scripts").to_owned();
        Server { child, url, lines }
    }
}

impl Server {
    /// Where it is, with a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where the graph is.
    pub(crate) fn graphql(&self) -> String {
        format!("{}graphql", self.url)
    }

    /// Where the graph is for sockets.
    pub(crate) fn socket(&self) -> String {
        self.graphql().replace("http://", "ws://")
    }

    /// The next line it says on standard output.
    pub(crate) async fn line(&mut self) -> Option<String> {
        self.lines.next_line().await.unwrap()
    }

    /// The id of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Kills it with signal 9, as a power cut would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to end and waits until it has; its exit code.
    pub(crate) async fn stop(mut self) -> Option<i32> {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        self.child.wait().await.unwrap().code()
    }
}
