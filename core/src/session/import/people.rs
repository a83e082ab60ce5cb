//! Who is who: people of a document among the player's own and those of the catalogue.
//!
//! Somebody who is written alike is the same; everybody else becomes a private copy.

use std::collections::{BTreeSet, HashSet};

use skald_base::{Result, Tx, UserId, Viewer};
use uuid::Uuid;

use super::{ImportWish, Report, document::Head};
use crate::{
    app::App,
    character::{Card, Character, CharacterId, Visibility},
    fact::{self, FactOwner, Note},
    library::LibraryNode,
    persona::{Persona, PersonaId, PersonaProfile},
    session::{
        choose_persona,
        graft::Member,
        load_cast,
        native::{CastRecord, FactRecord},
    },
    store,
};

/// Who of a document is known here, by place in its lists.
pub(super) struct People {
    personas: Vec<Person<PersonaProfile, PersonaId>>,
    characters: Vec<Person<Card, CharacterId>>,
    wanted_player: Option<PersonaId>,
    wanted_first: Option<CharacterId>,
}

/// Somebody of a document.
struct Person<T, I> {
    /// What is written about them.
    card: T,
    /// What is known of them, in order; nobody looks at it where they are known here.
    notes: Vec<Note>,
    /// Who they are here; none if nobody is written alike.
    known: Option<I>,
}

/// Everybody of a document, found or copied.
pub(super) struct Settled {
    personas: Vec<PersonaId>,
    characters: Vec<CharacterId>,
    copies: Vec<LibraryNode>,
    wanted_player: Option<PersonaId>,
    wanted_first: Option<CharacterId>,
}

impl People {
    /// Looks everybody up; whom the player named takes the place of the first on either side.
    pub(super) async fn find(
        app: &App,
        viewer: &Viewer,
        head: &Head,
        wish: &ImportWish,
    ) -> Result<Self> {
        let user = viewer.user()?.id;
        let mut reader = app.db.reader();
        if let Some(id) = wish.persona_id {
            choose_persona(&mut reader, viewer, Some(id)).await?;
        }
        if let Some(id) = wish.character_id {
            let found = load_cast(&mut reader, viewer, &[id]).await;
            found.map_err(|error| error.at("input.characterId"))?;
        }
        let (mut personas, mut characters) = (Vec::new(), Vec::new());
        for (place, profile) in head.personas.iter().enumerate() {
            let mut found = store::persona::named(&app.db, user, &profile.name).await?;
            found.retain(|row| row.profile == *profile);
            let notes = notes(&head.facts, |fact| fact.persona == Some(place))?;
            let ids: Vec<Uuid> = found.iter().map(|row| row.id.uuid()).collect();
            let alike = who_knows(app, &ids, &notes).await?.map(PersonaId::from_uuid);
            let wanted = wish.persona_id.filter(|_| head.session.persona == Some(place));
            personas.push(Person { card: profile.clone(), notes, known: wanted.or(alike) });
        }
        let first = head.session.cast.first().and_then(|member| member.character);
        for (place, card) in head.characters.iter().enumerate() {
            let mut found = store::character::named(&app.db, user, &card.name).await?;
            found.retain(|row| row.card == *card);
            let notes = notes(&head.facts, |fact| fact.character == Some(place))?;
            let ids: Vec<Uuid> = found.iter().map(|row| row.id.uuid()).collect();
            let alike = who_knows(app, &ids, &notes).await?.map(CharacterId::from_uuid);
            let wanted = wish.character_id.filter(|_| first == Some(place));
            characters.push(Person { card: card.clone(), notes, known: wanted.or(alike) });
        }
        let (wanted_player, wanted_first) = (wish.persona_id, wish.character_id);
        Ok(Self { personas, characters, wanted_player, wanted_first })
    }

    /// Those who were looked up already: the player's persona, and the cast in its order.
    pub(super) fn known(
        player: (PersonaProfile, Option<PersonaId>),
        characters: Vec<(Card, Option<CharacterId>)>,
    ) -> Self {
        let (card, known) = player;
        let personas = vec![Person { card, notes: Vec::new(), known }];
        let character = |(card, known)| Person { card, notes: Vec::new(), known };
        let characters = characters.into_iter().map(character).collect();
        Self { personas, characters, wanted_player: None, wanted_first: None }
    }

    /// Tells of whom copies are made.
    pub(super) fn note(&self, (file, report): (&str, &mut Report)) {
        let personas = self.personas.iter().filter(|person| person.known.is_none());
        let characters = self.characters.iter().filter(|person| person.known.is_none());
        let names: BTreeSet<(&str, &str)> = personas
            .map(|person| ("persona", person.card.name.as_str()))
            .chain(characters.map(|person| ("character", person.card.name.as_str())))
            .collect();
        for (noun, name) in names {
            let message = format!("no {noun} here is written as {name} is: a private copy is made");
            report.adapted.add(file, None, message);
        }
    }

    /// Makes the copies, where the request was claimed: what does not come to be copies nobody.
    pub(super) async fn settle(self, app: &App, user: UserId, tx: &mut Tx) -> Result<Settled> {
        // A player's first persona is the one that new sessions take.
        let mut is_default = !store::persona::any(tx, user).await?;
        let now = app.clock.now();
        let (wanted_player, wanted_first) = (self.wanted_player, self.wanted_first);
        let mut settled = Settled {
            personas: Vec::new(),
            characters: Vec::new(),
            copies: Vec::new(),
            wanted_player,
            wanted_first,
        };
        for Person { card: profile, notes, known } in self.personas {
            let id = known.unwrap_or_else(|| app.ids.next());
            settled.personas.push(id);
            if known.is_none() {
                settled.copies.push(id.into());
                let persona = Persona {
                    id,
                    owner_id: user,
                    profile,
                    is_default: std::mem::take(&mut is_default),
                    version: 1,
                    created_at: now,
                    updated_at: now,
                    deleted_at: None,
                };
                store::persona::insert(tx, &persona).await?;
                fact::write_all(app, tx, FactOwner::Persona(id), notes).await?;
            }
        }
        for Person { card, notes, known } in self.characters {
            let id = known.unwrap_or_else(|| app.ids.next());
            settled.characters.push(id);
            if known.is_none() {
                settled.copies.push(id.into());
                let character = Character {
                    id,
                    creator_id: Some(user),
                    card,
                    visibility: Visibility::Private,
                    version: 1,
                    created_at: now,
                    updated_at: now,
                    deleted_at: None,
                };
                store::character::insert(tx, &character).await?;
                fact::write_all(app, tx, FactOwner::Character(id), notes).await?;
            }
        }
        Ok(settled)
    }
}

/// What a document says is known of somebody.
fn notes(facts: &[FactRecord], is_about: impl Fn(&FactRecord) -> bool) -> Result<Vec<Note>> {
    facts.iter().filter(|fact| is_about(fact)).map(FactRecord::note).collect()
}

/// The first of these of whom exactly this is known, else the first of whom all of it is.
///
/// Who has learnt something since a story went out is still the same.
async fn who_knows(app: &App, ids: &[Uuid], notes: &[Note]) -> Result<Option<Uuid>> {
    let mut knows_all = None;
    // One by one: each may know very much.
    for id in ids {
        let facts = store::fact::of_owners(&app.db, &[*id]).await?;
        if facts.iter().map(|fact| &fact.note).eq(notes) {
            return Ok(Some(*id));
        }
        let known: HashSet<&Note> = facts.iter().map(|fact| &fact.note).collect();
        if notes.iter().all(|note| known.contains(note)) {
            knows_all = knows_all.or(Some(*id));
        }
    }
    Ok(knows_all)
}

impl Settled {
    /// Whom the player plays.
    pub(super) fn player(&self, place: Option<usize>) -> Option<PersonaId> {
        self.wanted_player.or(self.persona(place))
    }

    /// The persona at a place of the list.
    pub(super) fn persona(&self, place: Option<usize>) -> Option<PersonaId> {
        self.personas.get(place?).copied()
    }

    /// The character at a place of the list.
    pub(super) fn character(&self, place: Option<usize>) -> Option<CharacterId> {
        self.characters.get(place?).copied()
    }

    /// Who is on stage.
    pub(super) fn cast(&self, records: &[CastRecord]) -> Vec<Member> {
        let member = |(place, record): (usize, &CastRecord)| Member {
            character_id: self
                .wanted_first
                .filter(|_| place == 0)
                .or(self.character(record.character)),
            name: record.name.clone(),
            avatar_url: record.avatar_url.clone(),
        };
        records.iter().enumerate().map(member).collect()
    }

    /// Whom the library did not know before.
    pub(super) fn copies(&self) -> Vec<LibraryNode> {
        self.copies.clone()
    }
}
