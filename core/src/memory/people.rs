//! Who spoke: authors of messages as people of a cast. Pure.

use crate::{
    character::CharacterId,
    fold::fold,
    persona::PersonaId,
    recall::{Cast, Person},
    tree::{Author, MessageRole},
};

/// What tells somebody from everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Whom a player plays.
    Persona(PersonaId),
    /// Whom a model plays.
    Character(CharacterId),
    /// Somebody of whom there is only a name, folded.
    Name(String),
}

/// Everybody who spoke on a path, and who is there now.
#[derive(Clone, Debug, Default)]
pub(super) struct People(Vec<(Key, Vec<String>)>);

impl Key {
    /// Who wrote a message; none if it is no person's word.
    pub(super) fn of(role: MessageRole, author: &Author) -> Option<Self> {
        let name = || Self::Name(fold(&author.author_name));
        match role {
            MessageRole::Player => Some(author.author_persona_id.map_or_else(name, Self::Persona)),
            MessageRole::Character => {
                Some(author.author_character_id.map_or_else(name, Self::Character))
            }
            MessageRole::Narrator | MessageRole::System => None,
        }
    }
}

impl People {
    /// Their number; whoever is new gets the next one. People may have several names.
    pub(super) fn meet(&mut self, key: Key, name: &str) -> Person {
        let person = self.find(&key).unwrap_or(self.0.len());
        if person == self.0.len() {
            self.0.push((key, Vec::new()));
        }
        if let Some((_, names)) = self.0.get_mut(person)
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_owned());
        }
        person
    }

    /// Their number: by the name too, of whom nothing else is known.
    fn find(&self, key: &Key) -> Option<Person> {
        let is_named =
            |names: &[String], wanted: &str| names.iter().any(|name| fold(name) == wanted);
        self.0.iter().position(|(known, names)| match key {
            Key::Name(wanted) => is_named(names, wanted),
            Key::Persona(_) | Key::Character(_) => known == key,
        })
    }

    /// All of them by all their names.
    pub(super) fn cast(&self) -> Cast {
        let names: Vec<String> = self.0.iter().map(|(_, names)| names.join(" ")).collect();
        Cast::new(names.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use skald_base::Id;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn everybody_has_one_number() {
        let mut people = People::default();
        let mira = Key::Character(Id::from_uuid(Uuid::from_u128(1)));
        let named = |name: &str| Key::Name(fold(name));
        assert_eq!(people.meet(mira.clone(), "Mira"), 0);
        assert_eq!(people.meet(named("Oleg"), "Oleg"), 1);
        assert_eq!(people.meet(named("MIRA"), "MIRA"), 0, "a name alone means whom it names");
        assert_eq!(people.meet(mira, "Lady Vale"), 0, "a new name is the same person");
        assert_eq!(people.meet(named("lady vale"), "lady vale"), 0);
    }

    #[test]
    fn the_narrator_is_nobody() {
        let author = Author { author_name: "Narrator".into(), ..Author::default() };
        assert_eq!(Key::of(MessageRole::Narrator, &author), None);
        assert_eq!(Key::of(MessageRole::Player, &author), Some(Key::Name("narrator".into())));
    }
}
