//! What is known of a character or a persona, fact by fact: add, edit, remove.
//!
//! Who sees the owner sees its facts, and who may change the owner may change
//! them. They are kept for recall: a fact with keys may come to mind only when
//! one of them is said.

use chrono::{DateTime, Utc};
use serde::Serialize;
use skald_base::{
    Error, Id, Kind, Result, Tx, UserError, UserErrorCode, UserId, Viewer,
    db::Source,
    graph::{ClientRequestId, Page, Slice, TextRule},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    app::App,
    character::{self, CharacterId},
    keys::{KeyRule, check_short},
    library::{self, Change, LibraryNode},
    patch::{Patch, check_version},
    persona::PersonaId,
    request, store,
};

/// Marks ids of facts.
pub enum FactKind {}
impl Kind for FactKind {
    const PREFIX: &'static str = "fact";
}
/// The id of a fact.
pub type FactId = Id<FactKind>;

/// Facts of one owner at most.
pub(crate) const MAX_FACTS: usize = 2_000;
/// Bytes of a fact at most.
const MAX_BYTES: usize = 4 * 1024;
/// Characters of a category at most.
const MAX_CATEGORY: usize = 100;
/// The keys of a fact.
const KEYS: KeyRule = KeyRule { most: 32, characters: 100 };

/// Whom a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[expect(missing_docs, reason = "they are what their names say")]
pub enum FactOwner {
    Character(CharacterId),
    Persona(PersonaId),
}

/// Something that is known of a character or a persona.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the fields are what their names say; the graph documents them")]
pub struct Fact {
    pub id: FactId,
    #[sqlx(flatten)]
    pub owner: FactOwner,
    #[sqlx(flatten)]
    pub note: Note,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What somebody wrote down as a fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, sqlx::FromRow)]
pub struct Note {
    /// The fact itself.
    pub text: String,
    /// The writer's own word for what kind of fact it is.
    pub category: Option<String>,
    /// If there are any, one of them has to be said before the fact comes to mind.
    pub keys: Json<Vec<String>>,
}

/// What it takes to add a fact.
#[derive(Clone, Debug, Serialize)]
pub struct NewFact {
    /// A client-made id, unused so far.
    pub id: Option<FactId>,
    /// Whom it is about.
    pub owner: FactOwner,
    /// What somebody wrote.
    pub note: Note,
}

/// A change to a fact; absent fields stay.
#[derive(Debug, Default)]
pub struct FactPatch {
    /// Changes what is written in place.
    pub note: Patch<Note>,
    /// Refuses the change if the fact has another version by now.
    pub expected_version: Option<i64>,
}

impl FactOwner {
    /// The id without its kind.
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Character(id) => id.uuid(),
            Self::Persona(id) => id.uuid(),
        }
    }

    /// Lets nobody else change the owner, if the viewer may; its id stood at `path`.
    pub(crate) async fn lock(self, tx: &mut Tx, viewer: &Viewer, path: &str) -> Result<()> {
        let user = viewer.user()?;
        match self {
            Self::Character(id) => {
                let locked = character::lock_own(tx, viewer, id).await;
                locked.map(drop).map_err(|error| error.at(path))
            }
            Self::Persona(id) => {
                let found = store::persona::lock(tx, id, user.id).await?;
                found.map(drop).ok_or_else(|| Error::not_found("persona").at(path))
            }
        }
    }
}

impl From<FactOwner> for LibraryNode {
    fn from(owner: FactOwner) -> Self {
        match owner {
            FactOwner::Character(id) => id.into(),
            FactOwner::Persona(id) => id.into(),
        }
    }
}

impl Note {
    /// The same, trimmed; refuses what cannot be.
    pub(crate) fn checked(self) -> Result<Self> {
        let text = self.text.trim().to_owned();
        TextRule::required(MAX_BYTES).check("input.text", &text)?;
        let category = self.category.map(|category| category.trim().to_owned());
        let category = category.filter(|category| !category.is_empty());
        check_short("input.category", category.as_deref().unwrap_or_default(), MAX_CATEGORY)?;
        let keys = Json(KEYS.check("input.keys", self.keys.0)?);
        Ok(Self { text, category, keys })
    }
}

/// Adds a fact to a character or a persona of the viewer's.
pub async fn add(
    app: &App,
    viewer: &Viewer,
    new: NewFact,
    request: &ClientRequestId,
) -> Result<Fact> {
    let user = viewer.user()?;
    let id = request::fresh_id(app, "input.id", new.id)?;
    let claim = request::Claim::new(user.id, "addFact", request, &new);
    let note = new.note.checked()?;
    let mut tx = app.db.begin().await?;
    if let Some(first) = request::claim(app, &mut tx, &claim, &id).await? {
        drop(tx);
        return get(app, viewer, first).await;
    }
    new.owner.lock(&mut tx, viewer, "input.ownerId").await?;
    // Counted under the owner's lock: nobody adds another one meanwhile.
    let count = store::fact::count(&mut tx, new.owner).await?;
    if usize::try_from(count).is_ok_and(|count| count >= MAX_FACTS) {
        let message = format!("at most {MAX_FACTS} facts of one character or persona");
        let error = UserError::new(UserErrorCode::LimitExceeded, message);
        return Err(error.at("input.ownerId").into());
    }
    let fact = fact_of(app, new.owner, (id, note));
    let facts = std::slice::from_ref(&fact);
    store::fact::insert(&mut tx, facts).await.map_err(request::id_taken)?;
    library::commit(app, tx, user.id, &[(new.owner.into(), Change::Changed)]).await?;
    Ok(fact)
}

/// Notes about somebody who is new in the same transaction.
pub(crate) async fn write_all(
    app: &App,
    tx: &mut Tx,
    owner: FactOwner,
    notes: Vec<Note>,
) -> Result<()> {
    let facts = notes.into_iter().map(|note| fact_of(app, owner, (app.ids.next(), note)));
    store::fact::insert(tx, &facts.collect::<Vec<_>>()).await
}

fn fact_of(app: &App, owner: FactOwner, (id, note): (FactId, Note)) -> Fact {
    let now = app.clock.now();
    Fact { id, owner, note, version: 1, created_at: now, updated_at: now }
}

/// A fact of somebody the viewer sees.
pub async fn get(app: &App, viewer: &Viewer, id: FactId) -> Result<Fact> {
    find(&mut app.db.reader(), viewer.id(), id).await
}

/// The facts of somebody the viewer sees, oldest first.
pub async fn list(app: &App, owner: FactOwner, page: &Page) -> Result<Slice<Fact>> {
    store::fact::page(&app.db, owner, page).await
}

/// Changes a fact of a character or a persona of the viewer's.
pub async fn update(app: &App, viewer: &Viewer, id: FactId, patch: FactPatch) -> Result<Fact> {
    let (mut tx, mut fact) = lock(app, viewer, id).await?;
    check_version(patch.expected_version, fact.version)?;
    patch.note.apply(&mut fact.note);
    fact.note = fact.note.checked()?;
    fact.version += 1;
    fact.updated_at = app.clock.now();
    store::fact::update(&mut tx, &fact).await?;
    library::commit(app, tx, viewer.user()?.id, &[(fact.owner.into(), Change::Changed)]).await?;
    Ok(fact)
}

/// Removes a fact of a character or a persona of the viewer's, for good.
pub async fn remove(app: &App, viewer: &Viewer, id: FactId) -> Result<FactId> {
    let (mut tx, fact) = lock(app, viewer, id).await?;
    store::fact::delete(&mut tx, id).await?;
    library::commit(app, tx, viewer.user()?.id, &[(fact.owner.into(), Change::Changed)]).await?;
    Ok(id)
}

/// A transaction in which nobody else changes this fact, nor whom it is about.
async fn lock(app: &App, viewer: &Viewer, id: FactId) -> Result<(Tx, Fact)> {
    let user = viewer.user()?;
    let mut tx = app.db.begin().await?;
    let seen = find(&mut tx, Some(user.id), id).await?;
    seen.owner.lock(&mut tx, viewer, "input.id").await?;
    // Once more: it may have been changed or removed before the lock was had.
    let fact = find(&mut tx, Some(user.id), id).await?;
    Ok((tx, fact))
}

async fn find(source: &mut impl Source, viewer: Option<UserId>, id: FactId) -> Result<Fact> {
    let found = store::fact::readable(source, &[id], viewer).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("fact").at("input.id"))
}
