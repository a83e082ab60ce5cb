//! Configuration by one pattern: flags > environment > file > well-known variables > defaults.
//!
//! A configuration is a struct whose fields are documented, with `Default` and
//! `#[serde(default, deny_unknown_fields)]`. Nothing else in the program reads
//! the environment. `SKALD_LOG__FILTER=debug` sets `log.filter`. Variables that other
//! programs know too, such as those for keys, stand below the file.

use std::{env::VarError, path::Path};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

/// Where a configuration comes from, beside the `SKALD_` variables and the defaults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// The file, if there is one.
    pub file: Option<&'a Path>,
    /// `(dotted.name, value)` pairs from the command line.
    pub flags: &'a [(&'a str, String)],
    /// Variables that other programs know too, and the settings they give: `(NAME, dotted.name)`.
    pub well_known: &'a [(&'a str, &'a str)],
}

/// Reads a configuration; the error is one sentence that names the setting.
///
/// A well-known variable that is empty counts as unset.
pub fn load<T>(sources: &Sources<'_>) -> Result<T, String>
where
    T: Default + Serialize + DeserializeOwned,
{
    let mut figment = Figment::from(Serialized::defaults(T::default()));
    for (variable, name) in sources.well_known {
        if let Some(value) = variable_value(variable)? {
            figment = figment.merge(Serialized::default(name, value));
        }
    }
    if let Some(file) = sources.file {
        if !file.is_file() {
            return Err(format!("configuration file {} does not exist", file.display()));
        }
        figment = figment.merge(Toml::file_exact(file));
    }
    // `SKALD_CONFIG` names the file itself; it is not a setting.
    figment = figment.merge(Env::prefixed("SKALD_").ignore(&["config"]).split("__"));
    for (name, value) in sources.flags {
        figment = figment.merge(Serialized::default(name, value));
    }
    figment.extract().map_err(|error| sentence(&error))
}

/// The text of a variable that other programs know too: never a number, never a list.
#[expect(clippy::disallowed_methods, reason = "this is where configuration reads the environment")]
fn variable_value(variable: &str) -> Result<Option<String>, String> {
    match std::env::var(variable) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{variable}: is not text")),
    }
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
