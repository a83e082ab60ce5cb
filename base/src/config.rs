//! Configuration by one pattern: flags > environment > file > defaults.
//!
//! A configuration is a struct whose fields are documented, with `Default` and
//! `#[serde(default, deny_unknown_fields)]`. Nothing else in the program reads
//! the environment. `SKALD_LOG__FILTER=debug` sets `log.filter`.

use std::path::Path;

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

/// Reads a configuration; the error is one sentence that names the setting.
///
/// `flags` are `(dotted.name, value)` pairs from the command line.
pub fn load<T>(file: Option<&Path>, flags: &[(&str, String)]) -> Result<T, String>
where
    T: Default + Serialize + DeserializeOwned,
{
    let mut figment = Figment::from(Serialized::defaults(T::default()));
    if let Some(file) = file {
        if !file.is_file() {
            return Err(format!("configuration file {} does not exist", file.display()));
        }
        figment = figment.merge(Toml::file_exact(file));
    }
    // `SKALD_CONFIG` names the file itself; it is not a setting.
    figment = figment.merge(Env::prefixed("SKALD_").ignore(&["config"]).split("__"));
    for (name, value) in flags {
        figment = figment.merge(Serialized::default(name, value));
    }
    figment.extract().map_err(|error| sentence(&error))
}

fn sentence(error: &figment::Error) -> String {
    let name = error.path.join(".");
    let source = error.metadata.as_ref().map(|metadata| metadata.name.to_string());
    match (name.is_empty(), source) {
        (true, None) => error.kind.to_string(),
        (true, Some(source)) => format!("{} (in {source})", error.kind),
        (false, None) => format!("{name}: {}", error.kind),
        (false, Some(source)) => format!("{name}: {} (in {source})", error.kind),
    }
}

/// A setting that is never shown: prints and serialises as `(secret)`.
#[derive(Clone, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Secret(#[schemars(with = "String")] SecretString);

impl Secret {
    /// Wraps a value that must not be shown.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("(secret)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(secret)")
    }
}
