//! The configuration of the whole program.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use skald_auth::AuthConfig;
use skald_base::{
    config::{Secret, Sources},
    id::parse_any,
    telemetry::LogConfig,
};
use skald_core::{
    FileSettings, Limits, MemorySettings,
    llm::{
        catalogue::Row,
        config::{Providers, RolesConfig},
    },
};
use skald_transport::Settings;

use crate::{Failure, cli::Options};

/// Everything an operator may set. `SKALD_` and `__` spell it in the environment:
/// `SKALD_LOG__FILTER=debug` sets `log.filter`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Address to listen on. Default `127.0.0.1:8000`: reachable from this machine alone.
    pub(crate) listen: SocketAddr,
    /// Address by which clients reach this server, such as `https://chat.example.org`, if it is
    /// another one than they ask for: links to files begin with it. Default: what a request says.
    pub(crate) public_url: Option<String>,
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
    /// What one player or session may do at once, and how long things are kept.
    pub(crate) limits: Limits,
    /// How much of a long story comes to mind, and what that may cost.
    pub(crate) memory: MemorySettings,
    /// What players may send and fetch as files.
    pub(crate) files: FileSettings,
    /// The storyteller that needs no key.
    pub(crate) offline: OfflineConfig,
    /// Servers of models, by name.
    pub(crate) providers: Providers,
    /// Who does what. Unset roles go to Gemini if there is a key for it, then to the provider
    /// that there is, then to `skald/offline`; if the story is given to somebody, they follow it.
    pub(crate) roles: RolesConfig,
    /// What models can do and cost, where the program does not know it or knows it wrongly.
    pub(crate) models: Vec<Row>,
}

/// Variables that other programs know too; they stand below the file.
const WELL_KNOWN: [(&str, &str); 4] = [
    ("GEMINI_API_KEY", "providers.gemini.key"),
    ("OPENAI_API_KEY", "providers.openai.key"),
    ("OPENAI_BASE_URL", "providers.openai.base_url"),
    ("OPENAI_MODEL", "providers.openai.model"),
];

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
            public_url: None,
            data: PathBuf::from("data"),
            development: true,
            grace_seconds: 10,
            database: DatabaseConfig::default(),
            log: LogConfig::default(),
            transport: Settings::default(),
            auth: AuthConfig::default(),
            limits: Limits::default(),
            memory: MemorySettings::default(),
            files: FileSettings::default(),
            offline: OfflineConfig::default(),
            providers: Providers::default(),
            roles: RolesConfig::default(),
            models: Vec::new(),
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

/// Reads the configuration: flags > environment > file > well-known variables > defaults.
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
    let sources = Sources { file, flags: &flags, well_known: &WELL_KNOWN };
    let mut config: Config = skald_base::config::load(&sources).map_err(Failure::Usage)?;
    config.auth.check().map_err(Failure::Usage)?;
    config.check_models().map_err(Failure::Usage)?;
    Ok(config)
}

impl Config {
    /// What is wrong with the models, as one sentence that names the setting.
    fn check_models(&mut self) -> Result<(), String> {
        // A model's name alone brings nobody to write.
        self.providers.retain(|name, provider| {
            name != "openai" || provider.base_url.is_some() || provider.key().is_some()
        });
        if let Some(place) = self.models.iter().position(|row| row.pattern.is_empty()) {
            return Err(format!("models[{place}].match is not set: name the models it is about"));
        }
        self.roles.check(&self.providers)
    }
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
