//! Characters that a model plays: create, edit, publish, retire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skald_base::{
    Error, Id, Kind, Result, UserError, UserErrorCode, UserId, Viewer,
    graph::{ClientRequestId, Page, Slice, TextRule},
};
use sqlx::types::Json;

use crate::{
    app::App,
    library::{self, Change},
    patch::{Patch, check_tags, check_version},
    request, store,
};

pub mod examples;

/// Marks ids of characters.
pub enum CharacterKind {}
impl Kind for CharacterKind {
    const PREFIX: &'static str = "character";
}
/// The id of a character.
pub type CharacterId = Id<CharacterKind>;

/// Who may read a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum Visibility {
    #[default]
    Private,
    Unlisted,
    Public,
}

/// For whom a character's stories are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum Rating {
    #[default]
    General,
    Teen,
    Mature,
}

/// A character as it stands in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the fields are what their names say; the graph documents them")]
pub struct Character {
    pub id: CharacterId,
    pub creator_id: Option<UserId>,
    #[sqlx(flatten)]
    pub card: Card,
    pub visibility: Visibility,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

/// What a creator writes about a character.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are what their names say; the graph documents them")]
pub struct Card {
    pub name: String,
    pub description: String,
    pub appearance: String,
    pub personality: String,
    pub scenario: String,
    pub greeting: String,
    pub alternate_greetings: Json<Vec<String>>,
    pub example_dialogue: String,
    pub system_prompt: String,
    pub post_history_instructions: String,
    pub creator_notes: String,
    pub language: Option<String>,
    pub tags: Json<Vec<String>>,
    pub fandom: Option<String>,
    pub rating: Rating,
    pub avatar_url: Option<String>,
}

/// What it takes to create a character.
#[derive(Clone, Debug, Serialize)]
pub struct NewCharacter {
    /// A client-made id, unused so far.
    pub id: Option<CharacterId>,
    /// What the creator wrote.
    pub card: Card,
    /// Who may read it.
    pub visibility: Visibility,
}

/// A change to a character; absent fields stay.
#[derive(Debug, Default)]
pub struct CharacterPatch {
    /// Changes the card in place.
    pub card: Patch<Card>,
    /// Publishes or withdraws it.
    pub visibility: Option<Visibility>,
    /// Refuses the change if the character has another version by now.
    pub expected_version: Option<i64>,
}

/// Which characters a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// The public catalogue and the viewer's own.
    Catalogue,
    /// The viewer's own alone.
    Mine,
}

impl Card {
    /// Refuses what cannot be.
    pub(crate) fn check(&self) -> Result<()> {
        TextRule::required(200).check("input.name", &self.name)?;
        let long = TextRule::optional(64 * 1024);
        for (path, text) in [
            ("input.description", &self.description),
            ("input.appearance", &self.appearance),
            ("input.personality", &self.personality),
            ("input.scenario", &self.scenario),
            ("input.greeting", &self.greeting),
            ("input.exampleDialogue", &self.example_dialogue),
            ("input.systemPrompt", &self.system_prompt),
            ("input.postHistoryInstructions", &self.post_history_instructions),
            ("input.creatorNotes", &self.creator_notes),
        ] {
            long.check(path, text)?;
        }
        if self.alternate_greetings.len() > 50 {
            let error = UserError::new(UserErrorCode::TooLong, "at most 50 alternate greetings");
            return Err(error.at("input.alternateGreetings").into());
        }
        for greeting in self.alternate_greetings.iter() {
            TextRule::required(64 * 1024).check("input.alternateGreetings", greeting)?;
        }
        for (path, text) in [
            ("input.language", &self.language),
            ("input.fandom", &self.fandom),
            ("input.avatarUrl", &self.avatar_url),
        ] {
            TextRule::optional(2048).check(path, text.as_deref().unwrap_or_default())?;
        }
        check_tags(&self.tags)
    }
}

/// Creates a character.
pub async fn create(
    app: &App,
    viewer: &Viewer,
    new: NewCharacter,
    request: &ClientRequestId,
) -> Result<Character> {
    let user = viewer.user()?;
    new.card.check()?;
    let id = request::fresh_id(app, "input.id", new.id)?;
    let mut tx = app.db.begin().await?;
    let claim = request::Claim::new(user.id, "createCharacter", request, &new);
    if let Some(first) = request::claim(app, &mut tx, &claim, &id).await? {
        drop(tx);
        return get(app, viewer, first).await;
    }
    let now = app.clock.now();
    let character = Character {
        id,
        creator_id: Some(user.id),
        card: new.card,
        visibility: new.visibility,
        version: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    store::character::insert(&mut tx, &character).await.map_err(request::id_taken)?;
    library::commit(app, tx, user.id, &[(id.into(), Change::Added)]).await?;
    Ok(character)
}

/// A character that the viewer may read: public, unlisted, their own, or in a story of theirs.
pub async fn get(app: &App, viewer: &Viewer, id: CharacterId) -> Result<Character> {
    let found = store::character::find_readable(&mut app.db.reader(), id, viewer.id()).await?;
    found.ok_or_else(|| Error::not_found("character"))
}

/// The catalogue or the viewer's own characters, newest first.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    shelf: Shelf,
    page: &Page,
) -> Result<Slice<Character>> {
    if shelf == Shelf::Mine {
        viewer.user()?;
    }
    store::character::page(&app.db, viewer.id(), shelf, page).await
}

/// Changes a character. Stories follow it from their next reply on.
pub async fn update(
    app: &App,
    viewer: &Viewer,
    id: CharacterId,
    patch: CharacterPatch,
) -> Result<Character> {
    let mut tx = app.db.begin().await?;
    let mut character = lock_own(&mut tx, viewer, id).await?;
    check_version(patch.expected_version, character.version)?;
    patch.card.apply(&mut character.card);
    character.card.check()?;
    character.visibility = patch.visibility.unwrap_or(character.visibility);
    character.version += 1;
    character.updated_at = app.clock.now();
    store::character::update(&mut tx, &character).await?;
    library::commit(app, tx, viewer.user()?.id, &[(id.into(), Change::Changed)]).await?;
    Ok(character)
}

/// Deletes a character: gone from the catalogue, still readable to stories that use it.
pub async fn delete(app: &App, viewer: &Viewer, id: CharacterId) -> Result<CharacterId> {
    let mut tx = app.db.begin().await?;
    let mut character = lock_own(&mut tx, viewer, id).await?;
    character.deleted_at = Some(app.clock.now());
    character.version += 1;
    store::character::update(&mut tx, &character).await?;
    library::commit(app, tx, viewer.user()?.id, &[(id.into(), Change::Removed)]).await?;
    Ok(id)
}

/// The viewer's own character; others' public ones are seen but not to be changed.
pub(crate) async fn lock_own(
    tx: &mut skald_base::Tx,
    viewer: &Viewer,
    id: CharacterId,
) -> Result<Character> {
    let user = viewer.user()?;
    let found = store::character::find_readable(tx, id, Some(user.id)).await?;
    let character = found.ok_or_else(|| Error::not_found("character").at("input.id"))?;
    if character.creator_id != Some(user.id) {
        let error = UserError::new(UserErrorCode::Forbidden, "only its creator may change it");
        return Err(error.at("input.id").into());
    }
    store::character::lock(tx, id)
        .await?
        .ok_or_else(|| Error::not_found("character").at("input.id"))
}
