//! The example configuration: every setting with its default and what it means.
//!
//! The explanations are the doc comments of the configuration structs, by way
//! of their JSON schema, so that there is one place to write them.

use std::fmt::Write as _;

use schemars::schema_for;
use serde_json::Value;
use toml::Table;

use crate::{Failure, config::Config};

/// Prints all settings as TOML, commented out, each below its explanation.
pub(crate) fn print() -> Result<String, Failure> {
    let fault = |error: toml::ser::Error| Failure::Work(error.to_string());
    let defaults = Table::try_from(Config::default()).map_err(fault)?;
    let schema = Value::from(schema_for!(Config));
    let mut text = String::from(
        "# Skald's settings with their defaults. Uncomment what you change.\n\
         # In the environment `SKALD_` and `__` spell a name: SKALD_LOG__FILTER sets log.filter.\n",
    );
    section(&mut text, &schema, &schema, ("", &defaults));
    Ok(text)
}

/// A table within a table, and how its heading is written.
enum Inner<'a> {
    /// `[name]`.
    One(&'a Value),
    /// `[name.NAME]`, for each that somebody names; there is none by default.
    Named(&'a Value),
    /// `[[name]]`, as often as wanted; there is none by default.
    List(&'a Value),
}

/// The settings of one table, then its tables.
fn section(text: &mut String, root: &Value, schema: &Value, (name, defaults): (&str, &Table)) {
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let mut tables = Vec::new();
    for (key, property) in &properties {
        let target = resolve(root, property);
        if let Some(inner) = inner(root, target) {
            tables.push((key, property, inner));
            continue;
        }
        explain(text, property, target);
        let line = match defaults.get(key) {
            Some(value) => format!("# {key} = {value}\n"),
            None => format!("# {key} =\n"),
        };
        text.push_str(&line);
    }
    for (key, property, inner) in tables {
        let path = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        // Below a name that stands for any, nothing may be uncommented as it stands.
        let mark = if path.contains("NAME") { "# " } else { "" };
        let (target, path, heading) = match inner {
            Inner::One(target) => (target, path.clone(), format!("{mark}[{path}]")),
            Inner::Named(target) => {
                let path = format!("{path}.NAME");
                (target, path.clone(), format!("# [{path}]"))
            }
            Inner::List(target) => (target, path.clone(), format!("# [[{path}]]")),
        };
        explain(text, property, target);
        // Writing to a string cannot fail.
        let _always_ok = writeln!(text, "{heading}");
        let empty = Table::new();
        let defaults = defaults.get(key).and_then(toml::Value::as_table).unwrap_or(&empty);
        section(text, root, target, (&path, defaults));
    }
}

/// The table or tables that a property holds, if it does.
fn inner<'a>(root: &'a Value, target: &'a Value) -> Option<Inner<'a>> {
    let table = |value: &'a Value| {
        let target = resolve(root, value);
        target["properties"].is_object().then_some(target)
    };
    let one = table(target).map(Inner::One);
    let named = || table(&target["additionalProperties"]).map(Inner::Named);
    let list = || target["items"].is_object().then(|| table(&target["items"]))?.map(Inner::List);
    one.or_else(named).or_else(list)
}

/// The definition a property refers to, or the property itself.
fn resolve<'a>(root: &'a Value, property: &'a Value) -> &'a Value {
    let reference = property["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    reference.and_then(|path| root.pointer(path)).unwrap_or(property)
}

/// A property's explanation as comment lines, after a blank one.
fn explain(text: &mut String, property: &Value, target: &Value) {
    let own = property["description"].as_str();
    let description = own.or_else(|| target["description"].as_str()).unwrap_or_default();
    text.push('\n');
    for line in description.lines() {
        let line = format!("# {line}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
}
