//! What an embedder says of a question, if there is one.

use std::sync::{Arc, Mutex, PoisonError};

use super::{question::Question, told::Told};
use crate::{
    app::App,
    embedding::{Scope, Sight, Space, look},
    recall::{Index, Surroundings, Weights},
    session::SessionId,
};

/// How a question sees what was told.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) sight: Sight,
    /// How much that counts.
    pub(super) weights: Weights,
}

/// Asks the embedder; none without one, or while it fails. What has no vector yet gets one in the
/// background, what was told last first.
pub(super) async fn see(
    app: &App,
    session: SessionId,
    (told, question): (&Told, &Question),
) -> Option<Seen> {
    let text = told.meant(question)?;
    let sight = look(app, Scope::of(session), (told.hashes(), &text)).await?;
    let missing: Vec<usize> = sight.missing().collect();
    if !missing.is_empty() {
        app.embedding.queue.add(told.job(session, missing.into_iter().rev()));
    }
    Some(Seen { sight, weights: app.embedding.settings.weights() })
}

/// What stands around passages in meaning, learnt as their vectors come.
#[derive(Debug, Default)]
pub(super) struct Around(Mutex<Option<(Space, Arc<Surroundings>)>>);

impl Around {
    /// What is known by now, with all that a question sees.
    pub(super) fn learn(&self, index: &Index, sight: &Sight) -> Arc<Surroundings> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.take().filter(|(space, _)| *space == sight.space);
        let mut surroundings = before.map(|(_, surroundings)| surroundings).unwrap_or_default();
        sight.teach(Arc::make_mut(&mut surroundings), index);
        *known = Some((sight.space.clone(), surroundings.clone()));
        surroundings
    }
}

/// A story that goes on elsewhere learns the rest by itself.
impl Clone for Around {
    fn clone(&self) -> Self {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Self(Mutex::new(known.clone()))
    }
}
