//! What models cost: a row for each call, sums for players.

use chrono::{DateTime, TimeDelta, Utc};
use skald_base::{Id, Kind, Result, UserId, Viewer};

use crate::{
    app::App,
    llm::{ModelRole, Usage},
    session::SessionId,
    store,
    tree::MessageId,
};

/// Marks ids of calls.
pub enum ModelCallKind {}
impl Kind for ModelCallKind {
    const PREFIX: &'static str = "call";
}
/// The id of a call.
pub type ModelCallId = Id<ModelCallKind>;

/// One call of a model that reported its tokens.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the migration documents each field")]
pub struct ModelCall {
    pub id: ModelCallId,
    pub user_id: UserId,
    pub session_id: Option<SessionId>,
    pub message_id: Option<MessageId>,
    pub role: ModelRole,
    pub model: String,
    pub usage: Usage,
    pub cost: Option<i64>,
    pub at: DateTime<Utc>,
}

/// Over which time usage is summed, up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum Period {
    Day,
    Week,
    Month,
    Year,
    All,
}

/// What one model cost in one role.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the graph documents each field")]
pub struct ModelSum {
    pub model: String,
    pub role: String,
    pub calls: i64,
    pub prompt_tokens: i64,
    pub cached_tokens: i64,
    pub output_tokens: i64,
    pub thought_tokens: i64,
    /// Billionths of a US dollar, of the calls whose price was known.
    pub cost: i64,
    /// Calls whose price was not known.
    pub unpriced_calls: i64,
}

impl Period {
    /// When it began, if it did.
    pub fn start(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let days = match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
            Self::Year => 365,
            Self::All => return None,
        };
        now.checked_sub_signed(TimeDelta::days(days))
    }
}

/// What a call of this model costs today, in billionths of a US dollar, if its price is known.
pub fn cost(app: &App, model: &str, usage: Usage) -> Option<i64> {
    let model = app.model(model)?;
    let today = app.clock.now().date_naive();
    model.price(today).map(|price| price.cost(usage))
}

/// What the viewer's calls cost over a period, by model and role.
pub async fn of_viewer(
    app: &App,
    viewer: &Viewer,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<ModelSum>> {
    let user = viewer.user()?;
    store::usage::of_user(&app.db, user.id, since).await
}
