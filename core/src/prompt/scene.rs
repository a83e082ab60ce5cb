//! Everything a prompt is made of. Pure.

use super::{macros::Names, template};
use crate::{
    character::{Character, CharacterId},
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
    /// The characters of the cast and the one who speaks, as they are now, in any order.
    pub characters: Vec<Character>,
    /// What was asked.
    pub job: Job,
    /// The path above the reply, oldest first; its beginning may be missing.
    pub path: Vec<Message>,
    /// How deep the reply stands.
    pub depth: i64,
    /// The message with which the history began the last time, if that is known.
    pub began_with: Option<MessageId>,
    /// The text that the reply goes on from, if it does not begin anew.
    pub begun: Option<Begun>,
}

/// A text that a reply goes on from.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The message it is of, as long as that is there.
    pub from: Option<MessageId>,
    /// The text.
    pub text: String,
}

/// Somebody on stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    /// What the character is called now.
    pub(super) name: &'a str,
    /// The character as it is now; none if it is gone for good.
    pub(super) character: Option<&'a Character>,
    /// Whether it speaks now.
    pub(super) speaks: bool,
}

impl Scene {
    /// The name of the player's persona.
    pub fn player_name(&self) -> &str {
        let fallback = template::player(&self.session.settings.language);
        self.persona.as_ref().map_or(fallback, |persona| &persona.profile.name)
    }

    /// The name of who speaks; none for the narrator.
    pub fn speaker_name(&self) -> Option<&str> {
        match &self.job.speaker {
            Speaker::Character { id, name } => {
                Some(self.character(*id).map_or(name, |character| &character.card.name))
            }
            Speaker::Player | Speaker::Narrator { .. } => None,
        }
    }

    /// The names at which whoever writes has to stop: another's words are not theirs to write.
    pub fn others(&self) -> Vec<String> {
        match &self.job.speaker {
            Speaker::Player => self.members().iter().map(|other| other.name.to_owned()).collect(),
            Speaker::Character { .. } | Speaker::Narrator { .. } => {
                vec![self.player_name().to_owned()]
            }
        }
    }

    /// The cast in its order, and after it a speaker who is not in it any more.
    pub(super) fn members(&self) -> Vec<Member<'_>> {
        let member = |id: Option<CharacterId>, name, speaks| {
            let character = self.character(id);
            let name = character.map_or(name, |character| character.card.name.as_str());
            Member { name, character, speaks }
        };
        let speaks = |of_cast: &CastMember| match &self.job.speaker {
            Speaker::Character { id: Some(id), .. } => of_cast.character_id == Some(*id),
            Speaker::Character { id: None, name } => {
                of_cast.character_id.is_none() && of_cast.name == *name
            }
            Speaker::Player | Speaker::Narrator { .. } => false,
        };
        let cast = self
            .cast
            .iter()
            .map(|of_cast| member(of_cast.character_id, of_cast.name.as_str(), speaks(of_cast)));
        let mut members: Vec<Member<'_>> = cast.collect();
        if let Speaker::Character { id, name } = &self.job.speaker
            && !members.iter().any(|member| member.speaks)
        {
            members.push(member(*id, name, true));
        }
        members
    }

    fn character(&self, id: Option<CharacterId>) -> Option<&Character> {
        self.characters.iter().find(|character| Some(character.id) == id)
    }

    /// What is known of the speaker, as one text.
    pub fn about_speaker(&self) -> String {
        let speaker = self.members().into_iter().find(|member| member.speaks);
        speaker.map_or_else(String::new, |speaker| self.about(speaker))
    }

    /// What is known of somebody on stage, as one text.
    pub(super) fn about(&self, member: Member<'_>) -> String {
        let Some(character) = member.character else { return String::new() };
        let card = &character.card;
        let parts = [&card.description, &card.appearance, &card.personality, &card.scenario];
        self.names(member).expand(&join(parts.into_iter().map(String::as_str)))
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
        let is_shown =
            |message: &&Message| message.role == MessageRole::Player && !message.hidden_from_prompt;
        let last = self.path.iter().rev().find(is_shown);
        last.map_or("", |message| &message.content)
    }

    /// What macros stand for in the card of somebody on stage.
    pub(super) fn names<'a>(&'a self, member: Member<'a>) -> Names<'a> {
        Names { character: member.name, player: self.player_name() }
    }
}

/// The parts that say something, separated by blank lines.
fn join<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<&str> =
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}
