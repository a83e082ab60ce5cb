//! A session's settings in the graph: which models stand behind it, how it is written.

use async_graphql::{Enum, InputObject, MaybeUndefined, SimpleObject};

use super::connection::change;
use crate::{
    patch::Patch,
    session::{self, Settings, Style},
};

/// How long a reply is.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "session::ReplyLength")]
enum ReplyLength {
    /// Two to five sentences.
    Short,
    /// One to three paragraphs.
    Medium,
    /// Four to seven paragraphs.
    Long,
}

/// In which tense the story is told.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "session::NarrativeTense")]
enum NarrativeTense {
    /// "Mira raised the lantern."
    Past,
    /// "Mira raises the lantern."
    Present,
}

/// What a player may set about a session.
#[derive(SimpleObject)]
pub(super) struct SessionSettings {
    /// The model that writes; null means the server's default. See `models`.
    story_model_id: Option<String>,
    /// The model that judges the story in scenario mode; null means the server's default.
    supervisor_model_id: Option<String>,
    /// The model that takes over when the story's model cannot write; null means the server's choice.
    fallback_model_id: Option<String>,
    /// How replies are written.
    style: SessionStyle,
}

/// How the replies of a session are written.
#[derive(SimpleObject)]
struct SessionStyle {
    /// How long replies are; null means that they mirror what the player writes.
    length: Option<ReplyLength>,
    /// The tense; null means that the story goes on in the one it is told in so far.
    tense: Option<NarrativeTense>,
    /// The mood to keep, in free text, such as "slow-burn, melancholy, rain".
    atmosphere: Option<String>,
    /// Your own instruction for every reply.
    instruction: Option<String>,
}

impl From<Settings> for SessionSettings {
    fn from(settings: Settings) -> Self {
        let Style { length, tense, atmosphere, instruction } = settings.style;
        Self {
            story_model_id: settings.story_model,
            supervisor_model_id: settings.supervisor_model,
            fallback_model_id: settings.fallback_model,
            style: SessionStyle {
                length: length.map(Into::into),
                tense: tense.map(Into::into),
                atmosphere,
                instruction,
            },
        }
    }
}

/// What a player may set about a session; absent fields stay, null clears.
#[derive(Default, InputObject)]
pub(super) struct SessionSettingsInput {
    /// The model that writes; null means the server's default. See `models`.
    story_model_id: MaybeUndefined<String>,
    /// The model that judges the story in scenario mode; null means the server's default.
    supervisor_model_id: MaybeUndefined<String>,
    /// The model that takes over when the story's model cannot write; null means the server's choice.
    fallback_model_id: MaybeUndefined<String>,
    /// How replies are written; null clears all of it.
    style: MaybeUndefined<SessionStyleInput>,
}

/// How the replies of a session are written; absent fields stay, null clears.
#[derive(Default, InputObject)]
struct SessionStyleInput {
    /// How long replies are; null means that they mirror what the player writes.
    length: MaybeUndefined<ReplyLength>,
    /// The tense; null means that the story goes on in the one it is told in so far.
    tense: MaybeUndefined<NarrativeTense>,
    /// The mood to keep, in free text of 2,000 bytes at most, such as "slow-burn, melancholy, rain".
    atmosphere: MaybeUndefined<String>,
    /// Your own instruction for every reply, 16 KiB at most. It is followed unless it would put
    /// somebody who is not an adult into a romantic or sexual situation, or take your character
    /// out of your hands.
    instruction: MaybeUndefined<String>,
}

impl SessionSettingsInput {
    /// The changes that it names, after those of `patch`.
    pub(super) fn add_to(self, patch: Patch<Settings>) -> Patch<Settings> {
        let clear = self.style.is_null().then(Style::default);
        let style = self.style.take().unwrap_or_default();
        let length = change(style.length).map(|value| value.map(session::ReplyLength::from));
        let tense = change(style.tense).map(|value| value.map(session::NarrativeTense::from));
        patch
            .set(change(self.story_model_id), |to, value| to.story_model = value)
            .set(change(self.supervisor_model_id), |to, value| to.supervisor_model = value)
            .set(change(self.fallback_model_id), |to, value| to.fallback_model = value)
            .set(clear, |to, value| to.style = value)
            .set(length, |to, value| to.style.length = value)
            .set(tense, |to, value| to.style.tense = value)
            .set(change(style.atmosphere), |to, value| to.style.atmosphere = value)
            .set(change(style.instruction), |to, value| to.style.instruction = value)
    }
}
