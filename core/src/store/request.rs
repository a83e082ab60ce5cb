//! SQL on requests of clients.

use chrono::{DateTime, Utc};
use serde_json::Value;
use skald_base::{Result, Tx};
use sqlx::types::Json;

use crate::request::Claim;

/// What the first request with this id did.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct First {
    pub(crate) kind: String,
    pub(crate) input_hash: Vec<u8>,
    pub(crate) result: Json<Value>,
}

/// Stores the claim; false if the id is used. Waits for a transaction that is using it.
pub(crate) async fn insert(
    tx: &mut Tx,
    claim: &Claim,
    result: Value,
    now: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "
        INSERT INTO client_request (user_id, request_id, kind, input_hash, result, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (user_id, request_id) DO NOTHING";
    let query = tx.query(SQL).bind(claim.user).bind(claim.request.as_str().to_owned());
    let query = query.bind(claim.kind).bind(claim.input_hash.clone());
    Ok(query.bind(Json(result)).bind(now).execute().await? == 1)
}

pub(crate) async fn find(tx: &mut Tx, claim: &Claim) -> Result<Option<First>> {
    const SQL: &str = "
        SELECT kind, input_hash, result
        FROM client_request
        WHERE user_id = $1 AND request_id = $2";
    let query = tx.query(SQL).bind(claim.user).bind(claim.request.as_str().to_owned());
    Ok(query.optional().await?)
}
