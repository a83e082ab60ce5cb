//! SQL on how models' tokenizers weigh.

use serde_json::Value;
use skald_base::{Db, Result, Tx};
use sqlx::types::Json;

use crate::prompt::tokens::Calibration;

/// The states as they are stored: one of another version may not be readable.
pub(crate) async fn all(db: &Db) -> Result<Vec<(String, Value)>> {
    const SQL: &str = "SELECT model, state FROM token_calibration";
    let rows: Vec<(String, Json<Value>)> = db.read(SQL).all().await?;
    Ok(rows.into_iter().map(|(model, state)| (model, state.0)).collect())
}

pub(crate) async fn save(tx: &mut Tx, model: &str, state: &Calibration) -> Result<()> {
    const SQL: &str = "
        INSERT INTO token_calibration (model, state) VALUES ($1, $2)
        ON CONFLICT (model) DO UPDATE SET state = excluded.state";
    tx.query(SQL).bind(model.to_owned()).bind(Json(state.clone())).execute().await?;
    Ok(())
}
