//! `skald/offline`: a storyteller that needs no key and no network.
//!
//! It weaves the cast, the speaker's description, the player's last line and the
//! instruction into prose from templates, in Russian or English, the same for the
//! same seed. It is what a newcomer meets first and what tests talk to. Beside it
//! stand rehearsal models, in which a client's author can see every state of a
//! reply. A new language is a folder in `prose/`.

mod detail;
mod pace;
mod prose;
mod rehearsal;
mod script;
mod words;

use async_trait::async_trait;
use rand::{SeedableRng, rngs::StdRng};

pub use self::pace::Pace;
use self::prose::Size;
use self::rehearsal::Rehearsal;
pub use self::script::estimate_tokens;
use super::{
    Abilities, Llm, LlmError, LlmErrorKind, Model, ModelRole, Price, Reply, Request, Sampler,
};

/// The storyteller's id; rehearsals are named after it, as in `skald/offline:slow`.
pub const MODEL_ID: &str = "skald/offline";
const CONTEXT_TOKENS: u32 = 32_768;

/// The provider of `skald/offline`.
#[derive(Clone, Copy, Debug)]
pub struct Offline {
    pace: Pace,
    rehearsals: bool,
}

impl Offline {
    /// A storyteller at a pace, with or without the rehearsal models.
    pub fn new(pace: Pace, rehearsals: bool) -> Self {
        Self { pace, rehearsals }
    }

    /// Which rehearsal a model id names: none for the storyteller itself.
    fn rehearsal(self, model: &str) -> Result<Option<Rehearsal>, LlmError> {
        let suffix = model.strip_prefix(MODEL_ID);
        if suffix == Some("") {
            return Ok(None);
        }
        let named = suffix.and_then(|suffix| suffix.strip_prefix(':')).and_then(Rehearsal::find);
        match named.filter(|_| self.rehearsals) {
            Some(rehearsal) => Ok(Some(rehearsal)),
            None => Err(LlmErrorKind::ModelNotFound.into()),
        }
    }
}

#[async_trait]
impl Llm for Offline {
    fn models(&self) -> Vec<Model> {
        let storyteller = Model {
            id: MODEL_ID.to_owned(),
            name: "Offline storyteller".to_owned(),
            description: "A stand-in that writes from templates, without a key or a network."
                .to_owned(),
            roles: [ModelRole::Story].into(),
            abilities: Abilities {
                context_tokens: CONTEXT_TOKENS,
                thinks: true,
                samplers: [Sampler::Seed].into(),
                ..Abilities::default()
            },
            prices: vec![Price::default()],
            rehearsal: false,
        };
        let listed = if self.rehearsals { Rehearsal::ALL.as_slice() } else { &[] };
        let rehearsals = listed.iter().map(|rehearsal| {
            let card = rehearsal.card();
            Model {
                id: format!("{MODEL_ID}:{}", card.suffix),
                name: format!("Rehearsal: {}", card.name),
                description: card.description.to_owned(),
                rehearsal: true,
                ..storyteller.clone()
            }
        });
        std::iter::once(storyteller.clone()).chain(rehearsals).collect()
    }

    async fn stream(&self, request: Request) -> Result<Reply, LlmError> {
        let rehearsal = self.rehearsal(&request.model)?;
        if let Some(rehearsal) = rehearsal {
            rehearsal.refuse(request.story.attempt)?;
        }
        let reply = prose::write(&request, rehearsal.map_or(Size::Usual, Rehearsal::size));
        // Not the generator of the prose, so that how text is cut never changes what it says.
        let mut cuts = StdRng::seed_from_u64(request.seed.rotate_left(32));
        let script = script::script(&request, &reply, &mut cuts);
        let chunks = match rehearsal {
            Some(rehearsal) => pace::play(rehearsal.stage(script), rehearsal.pace(self.pace)),
            None => pace::play(script, self.pace),
        };
        Ok(chunks.into())
    }
}

#[cfg(test)]
mod tests;
