//! What models cost, in the graph.

use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::{context::Graph, generation::TokenUsage, model::ModelRole};
use crate::usage::{self, ModelSum};

/// Over which time usage is summed, up to now.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "usage::Period")]
enum UsagePeriod {
    /// The last 24 hours.
    Day,
    /// The last 7 days.
    Week,
    /// The last 30 days.
    Month,
    /// The last 365 days.
    Year,
    /// Everything.
    All,
}

/// An amount of money.
#[derive(SimpleObject)]
pub(super) struct Money {
    /// How much, in units of the currency: 0.0057 is about half a cent.
    amount: f64,
    /// The currency as an ISO 4217 code; `USD`, as providers charge.
    currency: &'static str,
}

/// What calls of models cost: replies, retries, and what the server asked models by itself.
pub(super) struct Usage {
    since: Option<DateTime<Utc>>,
    sums: Vec<ModelSum>,
}

/// What one model cost in one role.
#[derive(SimpleObject)]
struct ModelUsage {
    /// The model's id. It may be gone from `models` by now.
    model: String,
    /// What it was used for.
    role: ModelRole,
    /// How many calls reported their tokens.
    calls: i64,
    /// The tokens of these calls.
    tokens: TokenUsage,
    /// What the calls cost whose price is known; null if none is.
    cost: Option<Money>,
}

/// What calls of models cost: replies, retries, and what the server asked models by itself.
#[Object]
impl Usage {
    /// When the period began; null if it is all there is.
    async fn since(&self) -> Option<DateTime<Utc>> {
        self.since
    }

    /// How many calls reported their tokens.
    async fn calls(&self) -> i64 {
        self.sums.iter().map(|sum| sum.calls).sum()
    }

    /// The tokens of all calls.
    async fn tokens(&self) -> TokenUsage {
        tokens(&self.sums)
    }

    /// What the calls cost whose price is known, at the prices of their days.
    async fn cost(&self) -> Money {
        money(self.sums.iter().map(|sum| sum.cost).sum())
    }

    /// Calls whose price is not known: their cost is missing in `cost`.
    async fn unpriced_calls(&self) -> i64 {
        self.sums.iter().map(|sum| sum.unpriced_calls).sum()
    }

    /// The same by model and role, most calls first.
    async fn models(&self) -> Vec<ModelUsage> {
        self.sums.iter().map(ModelUsage::from).collect()
    }
}

impl From<&ModelSum> for ModelUsage {
    fn from(sum: &ModelSum) -> Self {
        Self {
            model: sum.model.clone(),
            role: ModelRole::from_stored(&sum.role),
            calls: sum.calls,
            tokens: tokens(std::slice::from_ref(sum)),
            cost: known_cost(std::slice::from_ref(sum)),
        }
    }
}

impl From<Vec<ModelSum>> for Usage {
    fn from(sums: Vec<ModelSum>) -> Self {
        Self { since: None, sums }
    }
}

/// The tokens of all these calls.
pub(super) fn tokens(sums: &[ModelSum]) -> TokenUsage {
    let total = |of: fn(&ModelSum) -> i64| sums.iter().map(of).sum();
    TokenUsage {
        prompt: total(|sum| sum.prompt_tokens),
        cached: total(|sum| sum.cached_tokens),
        output: total(|sum| sum.output_tokens),
        thought: total(|sum| sum.thought_tokens),
    }
}

/// What those of these calls cost whose price is known; none if no price is.
pub(super) fn known_cost(sums: &[ModelSum]) -> Option<Money> {
    let is_known = sums.iter().any(|sum| sum.unpriced_calls < sum.calls);
    is_known.then(|| money(sums.iter().map(|sum| sum.cost).sum()))
}

/// Billionths of a US dollar as clients see them.
#[expect(clippy::cast_precision_loss, reason = "beyond nine million dollars a cent may be lost")]
pub(super) fn money(billionths: i64) -> Money {
    Money { amount: billionths as f64 / 1e9, currency: "USD" }
}

/// Queries on usage.
#[derive(Default)]
pub(super) struct UsageQuery;

#[Object]
impl UsageQuery {
    /// What your calls of models cost over a period. A session has its own sums in `Session.usage`.
    async fn usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which time, up to now.")] period: UsagePeriod,
    ) -> Result<Usage> {
        let since = usage::Period::from(period).start(ctx.app().clock.now());
        let sums = usage::of_viewer(ctx.app(), ctx.viewer(), since).await?;
        Ok(Usage { since, sums })
    }
}
