//! The configuration of the whole program.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use skald_auth::AuthConfig;
use skald_base::{config::Secret, id::parse_any, telemetry::LogConfig};
use skald_core::Limits;
use skald_transport::Settings;

use crate::{Failure, cli::Options};

/// Everything an operator may set. `SKALD_` and `__` spell it in the environment:
/// `SKALD_LOG__FILTER=debug` sets `log.filter`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Address to listen on. Default `127.0.0.1:8000`: reachable from this machine alone.
    pub(crate) listen: SocketAddr,
    /// Folder of the SQLite databases and their lock. Default `data`.
    pub(crate) data: PathBuf,
    /// Whether the models for rehearsing a client's states are offered. Default true.
    pub(crate) development: bool,
    /// Seconds that running replies may take to finish when the server is stopped. Default 10.
    pub(crate) grace_seconds: u64,
    /// Where the databases are.
    pub(crate) database: DatabaseConfig,
    /// How the program logs.
    pub(crate) log: LogConfig,
    /// What clients may ask for over the network.
    pub(crate) transport: Settings,
    /// Accounts, tokens and throttling.
    pub(crate) auth: AuthConfig,
    /// What one player or session may do at once.
    pub(crate) limits: Limits,
    /// The storyteller that needs no key.
    pub(crate) offline: OfflineConfig,
}

/// Where the databases are.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DatabaseConfig {
    /// Address of auth's database, `sqlite://…` or `postgres://…`. Default: `auth.db` in the data folder.
    pub(crate) auth_url: Option<Secret>,
    /// Address of core's database, `sqlite://…` or `postgres://…`. Default: `core.db` in the data folder.
    pub(crate) core_url: Option<Secret>,
    /// Connections to a PostgreSQL database at most. Default 16.
    pub(crate) connections: u32,
}

/// The storyteller that needs no key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OfflineConfig {
    /// How fast it writes; 0 means as fast as it can. Default 60.
    pub(crate) tokens_per_second: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            data: PathBuf::from("data"),
            development: true,
            grace_seconds: 10,
            database: DatabaseConfig::default(),
            log: LogConfig::default(),
            transport: Settings::default(),
            auth: AuthConfig::default(),
            limits: Limits::default(),
            offline: OfflineConfig::default(),
        }
    }
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { auth_url: None, core_url: None, connections: 16 }
    }
}

impl Default for OfflineConfig {
    fn default() -> Self {
        Self { tokens_per_second: 60 }
    }
}

/// Reads the configuration: flags > environment > file > defaults.
pub(crate) fn load(options: &Options) -> Result<Config, Failure> {
    let usual = Path::new("skald.toml");
    let file = options.config.as_deref().or_else(|| usual.is_file().then_some(usual));
    let mut flags = Vec::new();
    if let Some(listen) = &options.listen {
        flags.push(("listen", listen.clone()));
    }
    if let Some(data) = &options.data {
        flags.push(("data", data.clone()));
    }
    let config: Config = skald_base::config::load(file, &flags).map_err(Failure::Usage)?;
    config.auth.check().map_err(Failure::Usage)?;
    Ok(config)
}

/// The configuration in force, as a file that could be read again; secrets are not shown.
pub(crate) fn print(options: &Options) -> Result<String, Failure> {
    let config = load(options)?;
    toml::to_string_pretty(&config).map_err(|error| Failure::Work(error.to_string()))
}

/// What an id of the graph says, in words.
pub(crate) fn decode_id(id: &str) -> Result<String, Failure> {
    let (prefix, uuid) =
        parse_any(id).ok_or_else(|| Failure::Usage(format!("{id:?} is not an id of the graph")))?;
    let made = uuid.get_timestamp().and_then(|timestamp| {
        let (seconds, nanos) = timestamp.to_unix();
        chrono::DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
    });
    let made = made.map(|at| format!(", made {}", at.to_rfc3339())).unwrap_or_default();
    Ok(format!("{prefix} {uuid}{made}"))
}
