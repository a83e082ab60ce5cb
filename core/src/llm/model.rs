//! What models can do and what they cost: data, never code.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Usage;

/// A model that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The id by which clients choose it: provider and the provider's own id, such as
    /// `gemini/gemini-3.8-flash`.
    pub id: String,
    /// The name people read.
    pub name: String,
    /// What it is, in a sentence.
    pub description: String,
    /// What it can be used for.
    pub roles: BTreeSet<ModelRole>,
    /// What it can do.
    pub abilities: Abilities,
    /// What it costs, oldest price first; empty if that is not known.
    pub prices: Vec<Price>,
    /// Whether it exists for rehearsing a client's states, not for stories.
    pub rehearsal: bool,
}

/// What a model is used for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ModelRole {
    /// Writes replies.
    Story,
    /// Judges a story and steers it.
    Supervisor,
    /// Turns texts into vectors, for memory.
    Embedding,
}

/// What a model can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Tokens of prompt and reply together.
    pub context_tokens: u32,
    /// Tokens of reply at most, thought included; no limit of its own if absent.
    pub output_tokens: Option<u32>,
    /// Whether it thinks before it writes.
    pub thinks: bool,
    /// How much it can be told to think, least first; empty if it cannot be told.
    pub thinking: BTreeSet<Thinking>,
    /// Tokens of thought for each level, for models that take a budget instead of a level.
    pub thinking_budget: bool,
    /// Which options for choosing words it takes.
    pub samplers: BTreeSet<Sampler>,
    /// Whether it goes on from the beginning of a reply that is given as its own last turn.
    pub prefill: bool,
    /// With whose turn a conversation may end.
    pub last_turn: LastTurn,
    /// Length of the vectors it makes, if it embeds.
    pub dimensions: Option<u32>,
}

/// With whose turn a conversation may end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LastTurn {
    /// The user's or the model's.
    #[default]
    Any,
    /// The user's only: another is refused.
    User,
}

/// How much a model thinks before it writes, least first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Thinking {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// A little.
    Low,
    /// A good deal.
    Medium,
    /// As much as it wants.
    High,
}

/// An option by which words are chosen.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// How freely words are chosen.
    Temperature,
    /// Nucleus sampling.
    TopP,
    /// The likeliest words only.
    TopK,
    /// Words at least this share as likely as the likeliest.
    MinP,
    /// A divisor for words that stand there already.
    RepetitionPenalty,
    /// A fine for words that stand there already.
    PresencePenalty,
    /// A fine for words by how often they stand there.
    FrequencyPenalty,
    /// Makes a choice repeatable.
    Seed,
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// The first day it holds, in UTC; always so far if unset.
    #[schemars(with = "Option<String>")]
    pub from: Option<NaiveDate>,
    /// The last day it holds; until further notice if unset.
    #[schemars(with = "Option<String>")]
    pub until: Option<NaiveDate>,
    /// A million tokens of prompt.
    pub input: f64,
    /// A million tokens of prompt that the provider had cached; `input` if unset.
    pub cached_input: Option<f64>,
    /// A million tokens of reply or thought.
    pub output: f64,
}

/// The most that a million tokens may cost.
const MAX_PRICE: f64 = 1e6;

impl Price {
    /// What a call costs, in billionths of a US dollar.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a price of any real call is far below 2^53 billionths"
    )]
    pub fn cost(&self, usage: Usage) -> i64 {
        let cached = self.cached_input.unwrap_or(self.input);
        let fresh = usage.prompt.saturating_sub(usage.cached);
        let millionths = f64::from(fresh) * self.input
            + f64::from(usage.cached) * cached
            + f64::from(usage.output.saturating_add(usage.thought)) * self.output;
        (millionths * 1000.0).round() as i64
    }

    /// Whether all of it are amounts that a model may cost.
    pub fn is_plausible(&self) -> bool {
        let amounts = [Some(self.input), self.cached_input, Some(self.output)];
        amounts.into_iter().flatten().all(|amount| (0.0..=MAX_PRICE).contains(&amount))
    }

    /// Whether it holds on this day.
    pub fn holds(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

impl Model {
    /// The price on this day, if it is known.
    pub fn price(&self, day: NaiveDate) -> Option<&Price> {
        self.prices.iter().rev().find(|price| price.holds(day))
    }
}

impl Default for Abilities {
    /// What is safe to believe of a model that nobody has described.
    fn default() -> Self {
        Self {
            context_tokens: 8192,
            output_tokens: None,
            thinks: false,
            thinking: BTreeSet::new(),
            thinking_budget: false,
            samplers: BTreeSet::new(),
            prefill: false,
            last_turn: LastTurn::Any,
            dimensions: None,
        }
    }
}

impl Abilities {
    /// The level of thinking it has that is nearest to the wanted one, the lower of two.
    pub fn nearest_thinking(&self, wanted: Thinking) -> Option<Thinking> {
        let distance = |level: Thinking| (level as i32 - wanted as i32).abs();
        self.thinking.iter().copied().min_by_key(|level| (distance(*level), *level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_costs_what_its_tokens_cost() {
        // 8k of prompt, 6k of it cached, 400 of text and 600 of thought.
        let price =
            Price { input: 0.75, cached_input: Some(0.075), output: 3.75, ..Price::default() };
        let usage = Usage { prompt: 8000, cached: 6000, output: 400, thought: 600 };
        assert_eq!(price.cost(usage), 5_700_000);
        assert_eq!(Price { cached_input: None, ..price }.cost(usage), 9_750_000);
    }

    #[test]
    fn a_price_holds_on_its_days() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let until = Price { until: Some(day("2026-12-31")), input: 0.75, ..Price::default() };
        let from = Price { from: Some(day("2027-01-01")), input: 1.5, ..Price::default() };
        let model = Model {
            id: String::new(),
            name: String::new(),
            description: String::new(),
            roles: BTreeSet::new(),
            abilities: Abilities::default(),
            prices: vec![until, from],
            rehearsal: false,
        };
        let input = |on: &str| model.price(day(on)).map(|price| price.input);
        assert_eq!(input("2026-12-31"), Some(0.75));
        assert_eq!(input("2027-01-01"), Some(1.5));
    }

    #[test]
    fn the_nearest_level_of_thinking_is_used() {
        use Thinking::{High, Low, Medium, Minimal, None};
        let abilities = |levels: &[Thinking]| Abilities {
            thinking: levels.iter().copied().collect(),
            ..Abilities::default()
        };
        for (levels, wanted, expected) in [
            (&[Low, Medium, High][..], Minimal, Some(Low)),
            (&[Low, Medium, High], None, Some(Low)),
            (&[Minimal, Medium], Low, Some(Minimal)),
            (&[None, High], High, Some(High)),
            (&[], Low, Option::None),
        ] {
            assert_eq!(abilities(levels).nearest_thinking(wanted), expected);
        }
    }
}
