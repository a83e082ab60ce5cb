//! Who is who in chats, which say nothing of people but their names.

use std::collections::HashSet;

use skald_base::{Result, Viewer};

use super::{
    super::{ImportWish, Report, people::People},
    stage::Stage,
};
use crate::{
    app::App,
    character::{Card, Character, CharacterId},
    persona::{PersonaId, PersonaProfile},
    session::{choose_persona, load_cast},
    store,
};

/// The player's name where no chat tells it.
const NAMELESS_PLAYER: &str = "User";

/// Everybody of a story: whom the player named, who has the name here, or somebody new.
pub(super) async fn find(
    app: &App,
    viewer: &Viewer,
    (stage, wish): (&Stage, &ImportWish),
    (file, report): (&str, &mut Report),
) -> Result<(People, Faces)> {
    let (player, note) = find_player(app, viewer, stage, wish).await?;
    let mut notes: Vec<String> = note.into_iter().collect();
    let mut cast = Vec::new();
    if let Some(id) = wish.character_id {
        let found = load_cast(&mut app.db.reader(), viewer, &[id]).await;
        let found = found.map_err(|error| error.at("input.characterId"))?;
        cast.extend(found.into_iter().map(|row| (row.card, Some(row.id))));
    }
    let mut taken: HashSet<CharacterId> = cast.iter().filter_map(|(_, id)| *id).collect();
    for role in stage.cast.iter().skip(cast.len()) {
        let found = store::character::named(&app.db, viewer.user()?.id, &role.name).await?;
        let found = found.into_iter().find(|row| taken.insert(row.id));
        let found = found.map(|Character { card, id, .. }| (card, Some(id)));
        cast.push(found.unwrap_or_else(|| {
            let name = &role.name;
            notes.push(format!(
                "no character here is called {name}: a private one with nothing but the name is made"
            ));
            (Card { name: name.clone(), ..Card::default() }, None)
        }));
    }
    if cast.is_empty() {
        notes.push("nobody but the player speaks: there is nobody on stage".into());
    }
    for note in notes {
        report.adapted.add(file, None, note);
    }
    let faces = Faces {
        player: player.0.avatar_url.clone(),
        cast: cast.iter().map(|(card, _)| card.avatar_url.clone()).collect(),
        names: cast.iter().map(|(card, _)| card.name.clone()).collect(),
    };
    Ok((People::known(player, cast), faces))
}

/// Pictures and names of those who were found.
pub(super) struct Faces {
    pub(super) player: Option<String>,
    pub(super) cast: Vec<Option<String>>,
    pub(super) names: Vec<String>,
}

type Player = (PersonaProfile, Option<PersonaId>);

/// The persona, and what is to be told of the choice.
async fn find_player(
    app: &App,
    viewer: &Viewer,
    stage: &Stage,
    wish: &ImportWish,
) -> Result<(Player, Option<String>)> {
    let user = viewer.user()?.id;
    let mut reader = app.db.reader();
    if let Some(id) = wish.persona_id {
        let row = choose_persona(&mut reader, viewer, Some(id)).await?;
        return Ok(((row.profile, Some(row.id)), None));
    }
    let name = stage.player.as_deref();
    if let Some(name) = name {
        let found = store::persona::named(&app.db, user, name).await?;
        if let Some(row) = found.into_iter().next() {
            return Ok(((row.profile, Some(row.id)), None));
        }
    }
    let name = name.unwrap_or(NAMELESS_PLAYER);
    if let Some(row) = store::persona::find_default(&mut reader, user).await? {
        let default = &row.profile.name;
        let note =
            format!("no persona of yours is called {name}: you play {default}, your default");
        return Ok(((row.profile, Some(row.id)), Some(note)));
    }
    let note =
        format!("no persona of yours is called {name}: one with nothing but the name is made");
    let profile = PersonaProfile { name: name.to_owned(), ..PersonaProfile::default() };
    Ok(((profile, None), Some(note)))
}
