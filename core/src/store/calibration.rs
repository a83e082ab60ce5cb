//! SQL on how models' tokenizers weigh.

use skald_base::{Db, Result, Tx};
use sqlx::types::Json;

use crate::prompt::tokens::Calibration;

pub(crate) async fn all(db: &Db) -> Result<Vec<(String, Json<Calibration>)>> {
    Ok(db.read("SELECT model, state FROM token_calibration").all().await?)
}

pub(crate) async fn save(tx: &mut Tx, model: &str, state: &Calibration) -> Result<()> {
    const SQL: &str = "
        INSERT INTO token_calibration (model, state) VALUES ($1, $2)
        ON CONFLICT (model) DO UPDATE SET state = excluded.state";
    tx.query(SQL).bind(model.to_owned()).bind(Json(state.clone())).execute().await?;
    Ok(())
}
