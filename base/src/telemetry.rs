//! Log lines on standard error: one line per thing that happened.
//!
//! What people write, what models answer and what keys open never stands in
//! them, whatever the filter says, unless `log.wire` asks for it.

use std::io::IsTerminal;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::filter_fn, fmt, layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// The target of what is sent to models and what they answer.
const WIRE: &str = "skald::wire";

/// Crates that quote what passes through them when they are asked for details.
const TALKATIVE: [&str; 15] = [
    "async_graphql",
    "axum",
    "h2",
    "hyper",
    "hyper_util",
    "reqwest",
    "rustls",
    "sqlx",
    "sqlx_core",
    "sqlx_postgres",
    "sqlx_sqlite",
    "tokio_tungstenite",
    "tower",
    "tower_http",
    "tungstenite",
];

/// How the program logs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What is logged: a level, or directives such as `info,skald_core=debug`. Default `info`.
    pub filter: String,
    /// How a line looks: `text` for people, `json` for collectors. Default `text`.
    pub format: LogFormat,
    /// Logs what is sent to models and what they answer, at level trace: prompts and stories in
    /// plain text. For finding faults; keys are never logged. Default false.
    pub wire: bool,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors: one JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Text, wire: false }
    }
}

/// Starts logging; an invalid filter is answered with what is wrong with it.
pub fn start(config: &LogConfig) -> Result<(), String> {
    let mut filter =
        EnvFilter::try_new(&config.filter).map_err(|error| format!("log.filter: {error}"))?;
    let wire = config.wire;
    if wire {
        let directive = format!("{WIRE}=trace").parse();
        filter = filter.add_directive(directive.map_err(|error| format!("log.wire: {error}"))?);
    }
    let lines =
        fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines: Box<dyn Layer<_> + Send + Sync> = match config.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let discreet = filter_fn(move |event| is_discreet(event, wire));
    let registry = Registry::default().with(lines.with_filter(discreet)).with(filter);
    registry.try_init().map_err(|error| format!("log: {error}"))
}

/// Whether a line may be written, whatever the filter says.
fn is_discreet(event: &Metadata<'_>, wire: bool) -> bool {
    let target = event.target();
    if target == WIRE {
        return wire;
    }
    let name = target.split("::").next().unwrap_or(target);
    *event.level() <= Level::INFO || !TALKATIVE.contains(&name)
}
