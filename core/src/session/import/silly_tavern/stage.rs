//! Who speaks in chats, in the order in which they are heard. Pure.

use std::collections::HashSet;

use crate::{interchange::silly_tavern::Speaker, session::MAX_CAST, tree::MessageRole};

/// Names of those who find no place on stage that are remembered.
const MAX_OTHERS: usize = 500;

/// Player and cast of a story that is put together from chats.
#[derive(Default)]
pub(super) struct Stage {
    /// Whom the player plays, by name.
    pub(super) player: Option<String>,
    /// Who is on stage.
    pub(super) cast: Vec<Role>,
    others: HashSet<String>,
}

/// Somebody on stage.
pub(super) struct Role {
    pub(super) name: String,
    /// The file of the character, which tells it from others of the same name.
    avatar: Option<String>,
}

impl Stage {
    /// Notes who speaks; false for somebody new who finds no place on stage.
    pub(super) fn hear(&mut self, speaker: &Speaker) -> bool {
        match speaker.role {
            MessageRole::Narrator | MessageRole::System => {}
            MessageRole::Player => {
                self.player.get_or_insert_with(|| speaker.name.clone());
            }
            MessageRole::Character => return self.hear_character(speaker),
        }
        true
    }

    fn hear_character(&mut self, speaker: &Speaker) -> bool {
        if let Some(role) = self.place(speaker).and_then(|place| self.cast.get_mut(place)) {
            role.avatar = role.avatar.take().or_else(|| speaker.avatar.clone());
            return true;
        }
        let Speaker { name, avatar, .. } = speaker.clone();
        if self.cast.len() < MAX_CAST {
            self.cast.push(Role { name, avatar });
            return true;
        }
        self.others.len() >= MAX_OTHERS || !self.others.insert(name)
    }

    /// Whom the head of a file names, if nobody of them says a word.
    pub(super) fn set_out(&mut self, player: Option<String>, character: Option<String>) {
        self.player = self.player.take().or(player);
        if let (true, Some(name)) = (self.cast.is_empty(), character) {
            self.cast.push(Role { name, avatar: None });
        }
    }

    /// The place of a speaker on stage.
    pub(super) fn place(&self, speaker: &Speaker) -> Option<usize> {
        let same = |role: &Role| {
            let avatars = (&role.avatar, &speaker.avatar);
            let is_other = matches!(avatars, (Some(one), Some(other)) if one != other);
            role.name == speaker.name && !is_other
        };
        self.cast.iter().position(same).filter(|_| speaker.role == MessageRole::Character)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speaker(name: &str, avatar: Option<&str>) -> Speaker {
        let (name, avatar) = (name.to_owned(), avatar.map(str::to_owned));
        Speaker { role: MessageRole::Character, name, avatar }
    }

    #[test]
    fn everybody_stands_in_the_order_they_are_heard() {
        let mut stage = Stage::default();
        for (name, avatar) in [
            ("Mira", None),
            ("Guard", Some("a.png")),
            ("Guard", Some("b.png")),
            ("Mira", Some("m.png")),
        ] {
            assert!(stage.hear(&speaker(name, avatar)));
        }
        assert_eq!(stage.place(&speaker("Mira", None)), Some(0));
        assert_eq!(stage.place(&speaker("Guard", Some("b.png"))), Some(2));
        assert_eq!(stage.cast.len(), 3);
        stage.set_out(Some("Astrid".into()), Some("Nobody".into()));
        assert_eq!((stage.player.as_deref(), stage.cast.len()), (Some("Astrid"), 3));
    }

    #[test]
    fn who_is_one_too_many_is_told_once() {
        let mut stage = Stage::default();
        assert!((0..8).all(|n| stage.hear(&speaker(&n.to_string(), None))));
        let ninth = speaker("Ninth", None);
        assert_eq!([stage.hear(&ninth), stage.hear(&ninth)], [false, true]);
        assert_eq!((stage.cast.len(), stage.place(&ninth)), (8, None));
    }
}
