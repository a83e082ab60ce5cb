//! What models can do and cost, told by their ids: rows of data (pure).
//!
//! Rows apply in order to every id they match, and what a later row says stands
//! above what an earlier one says, field by field. The rows that come with the
//! program are in `models.toml`; an operator's own, `[[models]]` in the
//! configuration, have the same shape and apply last. A new model is a row.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Abilities, LastTurn, Listed, ModelRole, Price, Sampler, Thinking};

/// The rows that come with the program.
const BUILT_IN: &str = include_str!("models.toml");

/// More tokens than any model holds, and as many as a client can be told.
const MAX_TOKENS: u32 = i32::MAX.unsigned_abs();

/// What models can do and cost, row by row.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Rows that come with the program.
    known: Vec<Row>,
    /// Rows of the operator's.
    own: Vec<Row>,
}

/// What is known of the models with certain ids. What it does not say stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Row {
    /// Which models: an id, or a pattern such as `my-model*`. Later entries stand above earlier
    /// ones, all of them above what the program knows, each for the fields it has.
    #[serde(rename = "match")]
    pub pattern: Glob,
    /// The name people read.
    pub name: Option<String>,
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// What it can be used for: any of `story`, `supervisor`, `embedding`.
    pub roles: Option<BTreeSet<ModelRole>>,
    /// Tokens of prompt and reply together.
    pub context_tokens: Option<u32>,
    /// Tokens of reply at most, thought included.
    pub output_tokens: Option<u32>,
    /// Whether it thinks before it writes.
    pub thinks: Option<bool>,
    /// How much it can be told to think: any of `none`, `minimal`, `low`, `medium`, `high`.
    pub thinking: Option<BTreeSet<Thinking>>,
    /// Whether it is told how much to think in tokens, not by level.
    pub thinking_budget: Option<bool>,
    /// Which options it takes: any of `temperature`, `top_p`, `top_k`, `min_p`,
    /// `repetition_penalty`, `presence_penalty`, `frequency_penalty`, `seed`.
    pub samplers: Option<BTreeSet<Sampler>>,
    /// Whether it goes on from the beginning of a reply.
    pub prefill: Option<bool>,
    /// With whose turn a conversation may end: `any` or `user`.
    pub last_turn: Option<LastTurn>,
    /// Length of the vectors it makes.
    pub dimensions: Option<u32>,
    /// US dollars for a million tokens, oldest first, such as
    /// `[{ until = "2026-12-31", input = 0.75, cached_input = 0.075, output = 3.75 }]`.
    pub prices: Option<Vec<Price>>,
}

/// A pattern for ids: `*` stands for any text, `?` for any character; capitals do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Glob(String);

/// All that is known of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// The name people read.
    pub name: Option<String>,
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// What it can be used for.
    pub roles: BTreeSet<ModelRole>,
    /// What it can do.
    pub abilities: Abilities,
    /// What it costs, oldest price first.
    pub prices: Vec<Price>,
}

#[derive(Deserialize)]
struct File {
    models: Vec<Row>,
}

impl Catalogue {
    /// The rows that come with the program, and an operator's own above them.
    pub fn new(own: Vec<Row>) -> Self {
        let file: File = toml::from_str(BUILT_IN).expect("models.toml is tested");
        Self { known: file.models, own }
    }

    /// What is known of a model: `defaults` of its provider, the rows, what its server `listed`,
    /// the operator's rows; each above the ones before.
    pub fn sheet(&self, provider: &str, defaults: Abilities, listed: &Listed) -> Sheet {
        let writes = [ModelRole::Story, ModelRole::Supervisor].into();
        let mut sheet = Sheet {
            name: None,
            description: None,
            roles: writes,
            abilities: defaults,
            prices: Vec::new(),
        };
        let id = &listed.id;
        self.known.iter().filter(|row| row.pattern.covers(id)).for_each(|row| row.tell(&mut sheet));
        listed.tell(&mut sheet);
        let full = format!("{provider}/{id}");
        let own = self.own.iter().filter(|row| row.pattern.covers(id) || row.pattern.is(&full));
        own.for_each(|row| row.tell(&mut sheet));
        let abilities = &mut sheet.abilities;
        abilities.context_tokens = abilities.context_tokens.min(MAX_TOKENS);
        abilities.output_tokens = abilities.output_tokens.map(|tokens| tokens.min(MAX_TOKENS));
        sheet
    }
}

impl Row {
    /// What is wrong with it, as one sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        if self.prices.iter().flatten().all(Price::is_plausible) {
            return Ok(());
        }
        Err(format!("models: the prices of {:?} must be 0 to 1000000", self.pattern.0))
    }

    fn tell(&self, sheet: &mut Sheet) {
        let row = self.clone();
        let abilities = &mut sheet.abilities;
        sheet.name = row.name.or(sheet.name.take());
        sheet.description = row.description.or(sheet.description.take());
        abilities.output_tokens = row.output_tokens.or(abilities.output_tokens);
        abilities.dimensions = row.dimensions.or(abilities.dimensions);
        set(&mut sheet.roles, row.roles);
        set(&mut abilities.context_tokens, row.context_tokens);
        set(&mut abilities.thinks, row.thinks);
        set(&mut abilities.thinking, row.thinking);
        set(&mut abilities.thinking_budget, row.thinking_budget);
        set(&mut abilities.samplers, row.samplers);
        set(&mut abilities.prefill, row.prefill);
        set(&mut abilities.last_turn, row.last_turn);
        set(&mut sheet.prices, row.prices);
    }
}

impl Listed {
    fn tell(&self, sheet: &mut Sheet) {
        // A server that has no better name repeats the id.
        let name = self.name.clone().filter(|name| *name != self.id);
        sheet.name = sheet.name.take().or(name);
        if self.embeds {
            sheet.roles = [ModelRole::Embedding].into();
        }
        set(&mut sheet.abilities.context_tokens, self.context_tokens);
        sheet.abilities.output_tokens = self.output_tokens.or(sheet.abilities.output_tokens);
        // A price of today says nothing of other days, so dated ones stay.
        if let Some(price) =
            self.price.filter(|price| price.is_plausible() && sheet.prices.len() < 2)
        {
            sheet.prices = vec![price];
        }
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

impl Glob {
    /// A pattern.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Whether it is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it fits an id, or what stands behind its last slash.
    pub fn covers(&self, id: &str) -> bool {
        self.is(id) || id.rsplit_once('/').is_some_and(|(_, last)| self.is(last))
    }

    /// Whether it fits an id as a whole.
    pub fn is(&self, id: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().flat_map(char::to_lowercase).collect();
        let id: Vec<char> = id.chars().flat_map(char::to_lowercase).collect();
        fits(&pattern, &id)
    }
}

/// Where the last `*` was tried one character further each time the rest did not fit.
fn fits(mut pattern: &[char], mut text: &[char]) -> bool {
    let mut retry: Option<(&[char], &[char])> = None;
    loop {
        match (pattern, text) {
            ([], []) => return true,
            (['*', rest @ ..], _) => {
                retry = Some((rest, text));
                pattern = rest;
            }
            ([wanted, rest @ ..], [found, more @ ..]) if *wanted == '?' || wanted == found => {
                (pattern, text) = (rest, more);
            }
            _mismatch => {
                let Some((rest, [_, more @ ..])) = retry else { return false };
                retry = Some((rest, more));
                (pattern, text) = (rest, more);
            }
        }
    }
}

#[cfg(test)]
mod tests;
