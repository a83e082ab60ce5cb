//! How each model's tokenizer weighs, kept in memory and in the database.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use skald_base::{Db, Result};

use crate::{
    prompt::tokens::{Calibration, Weight},
    store,
};

/// What is known of the tokenizers of all models.
///
/// Processes that share a database learn each for itself; what one stored last
/// is what the next one starts from.
#[derive(Debug, Default)]
pub struct Calibrations(Mutex<HashMap<String, Known>>);

#[derive(Debug, Default)]
struct Known {
    now: Calibration,
    stored: Calibration,
}

impl Calibrations {
    /// Reads what was learnt before.
    pub async fn load(&self, db: &Db) -> Result<()> {
        for (model, state) in store::calibration::all(db).await? {
            self.known().insert(model, Known { now: state.0.clone(), stored: state.0 });
        }
        Ok(())
    }

    /// What is known of a model's tokenizer.
    pub fn of(&self, model: &str) -> Calibration {
        self.known().get(model).map(|known| known.now.clone()).unwrap_or_default()
    }

    /// Learns what a prompt's real size is; what is worth storing, if anything.
    pub fn learn(&self, model: &str, weight: Weight, counted: u32) -> Option<Calibration> {
        let mut all = self.known();
        let known = all.entry(model.to_owned()).or_default();
        known.now.learn(weight, counted);
        if !known.now.differs(&known.stored) {
            return None;
        }
        known.stored = known.now.clone();
        Some(known.now.clone())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
