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

/// What is known of the tokenizers of all models, and of contexts that are smaller than said.
///
/// Processes that share a database learn each for itself; what one stored last
/// is what the next one starts from.
#[derive(Debug, Default)]
pub struct Calibrations(Mutex<HashMap<String, Known>>);

#[derive(Debug, Default)]
struct Known {
    now: Calibration,
    stored: Calibration,
    /// The last count, and of what: a server that always says the same counts nothing.
    last: Option<(Weight, u32)>,
    /// Tokens of prompt and reply that this model surely takes, if it refused more.
    ceiling: Option<u32>,
}

/// A prompt, as a provider counted it.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// What it was made of.
    pub weight: Weight,
    /// How many tokens it had.
    pub tokens: u32,
    /// How many the model takes at most, as far as we know.
    pub context: u32,
}

impl Calibrations {
    /// Reads what was learnt before.
    pub async fn load(&self, db: &Db) -> Result<()> {
        for (model, state) in store::calibration::all(db).await? {
            let Ok(calibration) = serde_json::from_value::<Calibration>(state) else { continue };
            if calibration.is_sound() {
                let (now, stored) = (calibration.clone(), calibration);
                self.known().insert(model, Known { now, stored, ..Known::default() });
            }
        }
        Ok(())
    }

    /// What is known of a model's tokenizer.
    pub fn of(&self, model: &str) -> Calibration {
        self.known().get(model).map(|known| known.now.clone()).unwrap_or_default()
    }

    /// Learns what a prompt's real size is; what is worth storing, if anything.
    pub fn learn(&self, model: &str, counted: Counted) -> Option<Calibration> {
        let Counted { weight, tokens, context } = counted;
        let mut all = self.known();
        let known = all.entry(model.to_owned()).or_default();
        let repeats = |(before, count): (Weight, u32)| count == tokens && before != weight;
        // A server that cuts a prompt silently counts what it left, at its context's end.
        let is_cut = tokens >= context - context / 20;
        if known.last.replace((weight, tokens)).is_some_and(repeats) || is_cut {
            return None;
        }
        known.now.learn(weight, tokens);
        if !known.now.differs(&known.stored) {
            return None;
        }
        known.stored = known.now.clone();
        Some(known.now.clone())
    }

    /// Notes that a model refused a prompt and reply of this estimated size as too long.
    pub fn refused(&self, model: &str, tokens: u32) {
        let mut all = self.known();
        let known = all.entry(model.to_owned()).or_default();
        let smaller = tokens / 10 * 7;
        known.ceiling = Some(known.ceiling.map_or(smaller, |ceiling| ceiling.min(smaller)));
    }

    /// A model's context, if it has not turned out to be smaller.
    pub fn context(&self, model: &str, said: u32) -> u32 {
        let ceiling = self.known().get(model).and_then(|known| known.ceiling);
        ceiling.map_or(said, |ceiling| ceiling.min(said))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_count_nothing_teach_nothing() {
        let weight = |words: usize| Weight::of(&"word ".repeat(words));
        let fresh = Calibration::default();
        // Always the same number, as some servers say.
        let known = Calibrations::default();
        for words in [400, 500, 600] {
            known.learn("m", Counted { weight: weight(words), tokens: 100, context: 8192 });
        }
        let after_one = known.of("m").tokens(weight(1000));
        let once = Calibrations::default();
        once.learn("m", Counted { weight: weight(400), tokens: 100, context: 8192 });
        assert_eq!(after_one, once.of("m").tokens(weight(1000)));
        // What is left of a prompt that was cut to the context.
        let known = Calibrations::default();
        known.learn("m", Counted { weight: weight(9000), tokens: 4090, context: 4096 });
        assert_eq!(known.of("m"), fresh);
    }

    #[test]
    fn a_context_that_was_refused_is_smaller_than_said() {
        let known = Calibrations::default();
        assert_eq!(known.context("m", 8192), 8192);
        known.refused("m", 8000);
        assert_eq!(known.context("m", 8192), 5600);
        known.refused("m", 5600);
        known.refused("m", 8000);
        assert_eq!(known.context("m", 8192), 3920);
        assert_eq!(known.context("m", 2000), 2000);
    }
}
