//! SQL on what models cost.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx, UserId};

use crate::{
    llm::ModelRole,
    session::SessionId,
    usage::{ModelCall, ModelSum},
};

macro_rules! sums {
    () => {
        "model, role, count(*) AS calls,
         CAST(sum(prompt_tokens) AS BIGINT) AS prompt_tokens,
         CAST(sum(cached_tokens) AS BIGINT) AS cached_tokens,
         CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
         CAST(sum(thought_tokens) AS BIGINT) AS thought_tokens,
         CAST(coalesce(sum(cost), 0) AS BIGINT) AS cost,
         count(*) - count(cost) AS unpriced_calls
         FROM model_call"
    };
}

/// Sums of one session among several.
#[derive(sqlx::FromRow)]
struct SessionSum {
    session_id: SessionId,
    #[sqlx(flatten)]
    sum: ModelSum,
}

pub(crate) async fn insert(tx: &mut Tx, call: &ModelCall) -> Result<()> {
    const SQL: &str = "
        INSERT INTO model_call (id, user_id, session_id, message_id, role, model, prompt_tokens,
            cached_tokens, output_tokens, thought_tokens, cost, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    tx.query(SQL)
        .bind(call.id)
        .bind(call.user_id)
        .bind(call.session_id)
        .bind(call.message_id)
        .bind(role_word(call.role).to_owned())
        .bind(call.model.clone())
        .bind(i64::from(call.usage.prompt))
        .bind(i64::from(call.usage.cached))
        .bind(i64::from(call.usage.output))
        .bind(i64::from(call.usage.thought))
        .bind(call.cost)
        .bind(call.at)
        .execute()
        .await?;
    Ok(())
}

fn role_word(role: ModelRole) -> &'static str {
    match role {
        ModelRole::Story => "STORY",
        ModelRole::Supervisor => "SUPERVISOR",
        ModelRole::Embedding => "EMBEDDING",
    }
}

pub(crate) async fn of_user(
    db: &Db,
    user: UserId,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<ModelSum>> {
    const ALL: &str = concat!(
        "SELECT ",
        sums!(),
        " WHERE user_id = $1 GROUP BY model, role ORDER BY calls DESC, model, role"
    );
    const SINCE: &str = concat!(
        "SELECT ",
        sums!(),
        " WHERE user_id = $1 AND at >= $2 GROUP BY model, role ORDER BY calls DESC, model, role"
    );
    match since {
        Some(since) => Ok(db.read(SINCE).bind(user).bind(since).all().await?),
        None => Ok(db.read(ALL).bind(user).all().await?),
    }
}

/// For a `DataLoader`: what calls cost in these sessions.
pub(crate) async fn of_sessions(
    db: &Db,
    sessions: &[SessionId],
) -> Result<Vec<(SessionId, ModelSum)>> {
    const SQL: &str = concat!(
        "SELECT session_id, ",
        sums!(),
        " WHERE session_id IN (..)
          GROUP BY session_id, model, role
          ORDER BY calls DESC, model, role"
    );
    let rows: Vec<SessionSum> = db.read(SQL).bind_list(sessions).all().await?;
    Ok(rows.into_iter().map(|row| (row.session_id, row.sum)).collect())
}
