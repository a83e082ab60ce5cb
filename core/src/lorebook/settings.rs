//! What formats of lorebooks know beside texts and keys: kept, so that nothing of a book is lost. Pure.
//!
//! Stored as JSON: a field that is absent has the meaning that its format gives it.

use serde::{Deserialize, Serialize};
use skald_base::{Error, Result};

use crate::keys::check_short;

/// Characters of a name at most.
const MAX_NAME: usize = 200;
/// Messages, weights and the like at most.
const MANY: i32 = 1_000_000;
/// Messages that are looked through, or counted from the end, at most.
const DEEP: i32 = 1_000;

/// How the keys of a whole book are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the graph documents them")]
pub struct BookSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan_depth: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_budget: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recursive_scanning: Option<bool>,
}

/// How secondary keys count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum SecondaryLogic {
    AndAny,
    AndAll,
    NotAny,
    NotAll,
}

/// Where in a prompt an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum EntryPosition {
    BeforeCharacter,
    AfterCharacter,
    BeforeExamples,
    AfterExamples,
    NoteTop,
    NoteBottom,
    AtDepth,
    Outlet,
}

/// In whose words an entry is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum EntryRole {
    System,
    User,
    Assistant,
}

/// When and where an entry is told, once one of its keys is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the graph documents them")]
pub struct EntrySettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secondary_logic: Option<SecondaryLogic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<EntryPosition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<EntryRole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlet: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan_depth: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case_sensitive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole_words: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_recursion: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prevent_recursion: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_until_recursion: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_budget: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_override: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_weight: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_scoring: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<i32>,
}

impl BookSettings {
    /// Refuses what cannot be; sent at `path`.
    pub(crate) fn check(&self, path: &str) -> Result<()> {
        let numbers =
            [("scanDepth", self.scan_depth, DEEP), ("tokenBudget", self.token_budget, MANY)];
        numbers.into_iter().try_for_each(|number| check_number(path, number))
    }
}

impl EntrySettings {
    /// Refuses what cannot be; sent at `path`.
    pub(crate) fn check(&self, path: &str) -> Result<()> {
        for (field, text) in [("outlet", &self.outlet), ("group", &self.group)] {
            let text = text.as_deref().unwrap_or_default();
            check_short(&format!("{path}.{field}"), text, MAX_NAME)?;
        }
        let numbers = [
            ("depth", self.depth, DEEP),
            ("probability", self.probability, 100),
            ("scanDepth", self.scan_depth, DEEP),
            ("delayUntilRecursion", self.delay_until_recursion, DEEP),
            ("groupWeight", self.group_weight, MANY),
            ("sticky", self.sticky, MANY),
            ("cooldown", self.cooldown, MANY),
            ("delay", self.delay, MANY),
        ];
        numbers.into_iter().try_for_each(|number| check_number(path, number))
    }
}

fn check_number(path: &str, (field, number, most): (&str, Option<i32>, i32)) -> Result<()> {
    match number {
        Some(number) if !(0..=most).contains(&number) => {
            let message = format!("{field} must be between 0 and {most}");
            Err(Error::invalid(&format!("{path}.{field}"), message))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_set_is_not_stored_and_what_is_stored_comes_back() {
        assert_eq!(serde_json::to_string(&EntrySettings::default()).unwrap(), "{}");
        let settings = EntrySettings {
            secondary_logic: Some(SecondaryLogic::NotAll),
            position: Some(EntryPosition::AtDepth),
            depth: Some(4),
            prevent_recursion: Some(false),
            ..EntrySettings::default()
        };
        let stored = serde_json::to_string(&settings).unwrap();
        let expected = r#"{"secondaryLogic":"NOT_ALL","position":"AT_DEPTH","depth":4,"preventRecursion":false}"#;
        assert_eq!(stored, expected);
        assert_eq!(serde_json::from_str::<EntrySettings>(&stored).unwrap(), settings);
        // Of a later version.
        let later = r#"{"depth":4,"triggers":["CONTINUE"]}"#;
        assert_eq!(serde_json::from_str::<EntrySettings>(later).unwrap().depth, Some(4));
    }

    #[test]
    fn numbers_and_names_have_bounds() {
        for (settings, field) in [
            (EntrySettings { depth: Some(-1), ..Default::default() }, "depth"),
            (EntrySettings { probability: Some(101), ..Default::default() }, "probability"),
            (EntrySettings { sticky: Some(1_000_001), ..Default::default() }, "sticky"),
            (EntrySettings { group: Some("я".repeat(201)), ..Default::default() }, "group"),
            (EntrySettings { outlet: Some("\0".into()), ..Default::default() }, "outlet"),
        ] {
            let Err(Error::User(error)) = settings.check("input.settings") else {
                panic!("{field} was taken")
            };
            assert_eq!(error.path.unwrap().last().unwrap(), field);
        }
        let fits = EntrySettings { probability: Some(100), depth: Some(0), ..Default::default() };
        assert!(fits.check("input.settings").is_ok());
    }
}
