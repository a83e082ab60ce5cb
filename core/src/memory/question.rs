//! What a turn asks of memory. Pure.

use super::people::Key;
use crate::{
    fold::fold,
    prompt::Scene,
    tree::{Message, MessageId},
    turn::Speaker,
};

/// What a turn asks of memory.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// What was said last.
    pub(super) text: String,
    /// What was said before it.
    pub(super) context: String,
    /// Who said it: "I".
    pub(super) asking: Option<(Key, String)>,
    /// Who speaks next: "you".
    pub(super) addressed: Option<(Key, String)>,
    /// Whom the player plays, and who is on stage, by their present names.
    pub(super) people: Vec<(Key, String)>,
    /// The messages it is made of: they are no answer to themselves.
    pub(super) made_of: Vec<MessageId>,
}

impl Question {
    /// The question of the next turn; none if nothing was said yet.
    pub(super) fn of(scene: &Scene) -> Option<Self> {
        let is_told =
            |message: &&Message| !message.hidden_from_prompt && !message.content.trim().is_empty();
        let mut told = scene.path.iter().rev().filter(is_told);
        let (last, before) = (told.next()?, told.next());
        let name = last.author.author_name.clone();
        let asking = Key::of(last.role, &last.author).map(|key| (key, name));
        let is_other =
            |(next, _): &(Key, String)| asking.as_ref().is_none_or(|(asking, _)| asking != next);
        let addressed = who_speaks(scene).filter(is_other);
        Some(Self {
            text: last.content.clone(),
            context: before.map(|message| message.content.clone()).unwrap_or_default(),
            asking,
            addressed,
            people: people(scene),
            made_of: [Some(last), before].into_iter().flatten().map(|m| m.id).collect(),
        })
    }
}

impl Question {
    /// The same behind other words than those of the story.
    pub(super) fn asked_after(&mut self, context: String) {
        self.context = context;
        self.made_of.truncate(1);
    }
}

/// Whoever speaks next; none for the narrator.
fn who_speaks(scene: &Scene) -> Option<(Key, String)> {
    match &scene.job.speaker {
        Speaker::Character { id, name } => {
            let key = id.map_or_else(|| Key::Name(fold(name)), Key::Character);
            Some((key, scene.speaker_name().unwrap_or(name).to_owned()))
        }
        Speaker::Player => Some(player(scene)),
        Speaker::Narrator { .. } => None,
    }
}

fn player(scene: &Scene) -> (Key, String) {
    let name = scene.player_name();
    let key = scene.persona.as_ref().map(|persona| Key::Persona(persona.id));
    (key.unwrap_or_else(|| Key::Name(fold(name))), name.to_owned())
}

/// Those on stage by the names they joined with, and those they have now.
fn people(scene: &Scene) -> Vec<(Key, String)> {
    let cast = scene.cast.iter().map(|member| {
        let key = member.character_id.map_or_else(|| Key::Name(fold(&member.name)), Key::Character);
        (key, member.name.clone())
    });
    let characters = scene.characters.iter();
    let now = characters.map(|one| (Key::Character(one.id), one.card.name.clone()));
    std::iter::once(player(scene)).chain(cast).chain(now).collect()
}
