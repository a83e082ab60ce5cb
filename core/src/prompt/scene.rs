//! Everything a prompt is made of. Pure.

use super::{macros::Names, template};
use crate::{
    character::Character,
    persona::Persona,
    session::{CastMember, Session},
    tree::{Message, MessageId, MessageRole},
    turn::{Job, Speaker},
};

/// Everything a prompt is made of.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The session.
    pub session: Session,
    /// Whom the player plays.
    pub persona: Option<Persona>,
    /// Who is on stage.
    pub cast: Vec<CastMember>,
    /// Who speaks, as the character is now; none for the narrator.
    pub speaker: Option<Character>,
    /// What was asked.
    pub job: Job,
    /// The path above the reply, oldest first; its beginning may be missing.
    pub path: Vec<Message>,
    /// How deep the reply stands.
    pub depth: i64,
    /// The message with which the history began the last time, if that is known.
    pub began_with: Option<MessageId>,
}

impl Scene {
    /// The name of the player's persona.
    pub fn player_name(&self) -> &str {
        let fallback = template::player(&self.session.settings.language);
        self.persona.as_ref().map_or(fallback, |persona| &persona.profile.name)
    }

    /// The name of who speaks; none for the narrator.
    pub fn speaker_name(&self) -> Option<&str> {
        match (&self.speaker, &self.job.speaker) {
            (Some(character), _) => Some(&character.card.name),
            (None, Speaker::Character { name, .. }) => Some(name),
            (None, Speaker::Narrator { .. }) => None,
        }
    }

    /// What is known of the speaker, as one text.
    pub fn about_speaker(&self) -> String {
        let Some(character) = &self.speaker else { return String::new() };
        let card = &character.card;
        let parts = [&card.description, &card.appearance, &card.personality, &card.scenario];
        self.names().expand(&join(parts.into_iter().map(String::as_str)))
    }

    /// What is known of the player's persona, as one text.
    pub fn about_player(&self) -> String {
        let Some(persona) = &self.persona else { return String::new() };
        let profile = &persona.profile;
        let short = [&profile.age, &profile.gender].into_iter().filter_map(Option::as_deref);
        let long = [&profile.description, &profile.appearance, &profile.personality];
        join(short.chain(long.into_iter().map(String::as_str)))
    }

    /// What the player wrote last on the path.
    pub fn last_line(&self) -> &str {
        let last = self.path.iter().rev().find(|message| message.role == MessageRole::Player);
        last.map_or("", |message| &message.content)
    }

    pub(super) fn names(&self) -> Names<'_> {
        let first = self.cast.first().map_or("", |member| member.name.as_str());
        Names { character: self.speaker_name().unwrap_or(first), player: self.player_name() }
    }
}

/// The parts that say something, separated by blank lines.
fn join<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<&str> =
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}
