//! Whom the player plays: create, edit, choose, retire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skald_base::{
    Error, Id, Kind, Result, Tx, UserId, Viewer,
    graph::{ClientRequestId, Page, Slice, TextRule},
};
use sqlx::types::Json;

use crate::{
    app::App,
    library::{self, Change, LibraryNode},
    request, store,
};

/// Marks ids of personas.
pub enum PersonaKind {}
impl Kind for PersonaKind {
    const PREFIX: &'static str = "persona";
}
/// The id of a persona.
pub type PersonaId = Id<PersonaKind>;

/// Whom a player plays. Only its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the fields are what their names say; the graph documents them")]
pub struct Persona {
    pub id: PersonaId,
    pub owner_id: UserId,
    #[sqlx(flatten)]
    pub profile: PersonaProfile,
    pub is_default: bool,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

/// What a player writes about a persona.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are what their names say; the graph documents them")]
pub struct PersonaProfile {
    pub name: String,
    pub description: String,
    pub appearance: String,
    pub personality: String,
    pub age: Option<String>,
    pub gender: Option<String>,
    pub avatar_url: Option<String>,
    pub tags: Json<Vec<String>>,
    pub fandom: Option<String>,
}

/// What it takes to create a persona.
#[derive(Clone, Debug, Serialize)]
pub struct NewPersona {
    /// A client-made id, unused so far.
    pub id: Option<PersonaId>,
    /// What the player wrote.
    pub profile: PersonaProfile,
    /// Whether new sessions take it unless told otherwise.
    pub is_default: bool,
}

/// A change to a persona; absent fields stay.
#[derive(Debug, Default)]
pub struct PersonaPatch {
    /// Changes the profile in place.
    pub profile: crate::patch::Patch<PersonaProfile>,
    /// Makes it the default, or no longer.
    pub is_default: Option<bool>,
    /// Refuses the change if the persona has another version by now.
    pub expected_version: Option<i64>,
}

impl PersonaProfile {
    /// Refuses what cannot be.
    pub(crate) fn check(&self) -> Result<()> {
        TextRule::required(200).check("input.name", &self.name)?;
        let long = TextRule::optional(64 * 1024);
        long.check("input.description", &self.description)?;
        long.check("input.appearance", &self.appearance)?;
        long.check("input.personality", &self.personality)?;
        for (path, text) in [
            ("input.age", &self.age),
            ("input.gender", &self.gender),
            ("input.avatarUrl", &self.avatar_url),
            ("input.fandom", &self.fandom),
        ] {
            TextRule::optional(2048).check(path, text.as_deref().unwrap_or_default())?;
        }
        crate::patch::check_tags(&self.tags)
    }
}

/// Creates a persona; a player's first one becomes the default.
pub async fn create(
    app: &App,
    viewer: &Viewer,
    new: NewPersona,
    request: &ClientRequestId,
) -> Result<Persona> {
    let user = viewer.user()?;
    new.profile.check()?;
    let id = request::fresh_id(app, "input.id", new.id)?;
    let mut tx = app.db.begin().await?;
    let claim = request::Claim::new(user.id, "createPersona", request, &new);
    if let Some(first) = request::claim(app, &mut tx, &claim, &id).await? {
        drop(tx);
        return get(app, viewer, first).await;
    }
    store::lock_user(&mut tx, user.id).await?;
    let now = app.clock.now();
    let first = !store::persona::any(&mut tx, user.id).await?;
    let is_default = new.is_default || first;
    let mut changes = Vec::new();
    if is_default {
        changes = clear_default(&mut tx, user.id).await?;
    }
    let persona = Persona {
        id,
        owner_id: user.id,
        profile: new.profile,
        is_default,
        version: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    store::persona::insert(&mut tx, &persona).await.map_err(request::id_taken)?;
    changes.push((id.into(), Change::Added));
    library::commit(app, tx, user.id, &changes).await?;
    Ok(persona)
}

/// The viewer's persona with this id.
pub async fn get(app: &App, viewer: &Viewer, id: PersonaId) -> Result<Persona> {
    let user = viewer.user()?;
    let found = store::persona::find(&mut app.db.reader(), id, user.id).await?;
    found.ok_or_else(|| Error::not_found("persona"))
}

/// The viewer's personas, oldest first.
pub async fn list(app: &App, viewer: &Viewer, page: &Page) -> Result<Slice<Persona>> {
    let user = viewer.user()?;
    store::persona::page(&app.db, user.id, page).await
}

/// Changes a persona. Messages keep the name and avatar they were written under.
pub async fn update(
    app: &App,
    viewer: &Viewer,
    id: PersonaId,
    patch: PersonaPatch,
) -> Result<Persona> {
    let user = viewer.user()?;
    let mut tx = app.db.begin().await?;
    store::lock_user(&mut tx, user.id).await?;
    let found = store::persona::lock(&mut tx, id, user.id).await?;
    let mut persona = found.ok_or_else(|| Error::not_found("persona").at("input.id"))?;
    crate::patch::check_version(patch.expected_version, persona.version)?;
    patch.profile.apply(&mut persona.profile);
    persona.profile.check()?;
    persona.version += 1;
    persona.updated_at = app.clock.now();
    let mut changes = Vec::new();
    if let Some(is_default) = patch.is_default {
        if is_default && !persona.is_default {
            changes = clear_default(&mut tx, user.id).await?;
        }
        persona.is_default = is_default;
    }
    store::persona::update(&mut tx, &persona).await?;
    changes.push((id.into(), Change::Changed));
    library::commit(app, tx, user.id, &changes).await?;
    Ok(persona)
}

/// Deletes a persona: for good if no story knows it, else out of sight.
pub async fn delete(app: &App, viewer: &Viewer, id: PersonaId) -> Result<PersonaId> {
    let user = viewer.user()?;
    let mut tx = app.db.begin().await?;
    let found = store::persona::lock_to_delete(&mut tx, id, user.id).await?;
    found.ok_or_else(|| Error::not_found("persona").at("input.id"))?;
    store::persona::delete(&mut tx, id, app.clock.now()).await?;
    library::commit(app, tx, user.id, &[(id.into(), Change::Removed)]).await?;
    Ok(id)
}

/// Makes the default persona, if there is one, an ordinary one; that changes it, too.
async fn clear_default(tx: &mut Tx, user: UserId) -> Result<Vec<(LibraryNode, Change)>> {
    let cleared = store::persona::clear_default(tx, user).await?;
    Ok(cleared.into_iter().map(|id| (id.into(), Change::Changed)).collect())
}
