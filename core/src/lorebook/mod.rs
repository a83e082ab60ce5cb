//! Lorebooks: what is known of a world, entry by entry; create, edit, publish, retire.
//!
//! A book is its creator's, as a character is, and tells where it is attached: to a session, to a
//! character or to a persona. Which of its entries come to mind is the business of recall.

pub mod attachment;
pub mod entry;
pub mod settings;

use chrono::{DateTime, Utc};
use serde::Serialize;
use skald_base::{
    Error, Id, Kind, Result, Tx, UserError, UserErrorCode, UserId, Viewer,
    graph::{ClientRequestId, Page, Slice, TextRule},
};
use sqlx::types::Json;

use self::settings::BookSettings;
use crate::{
    app::App,
    character::{Shelf, Visibility},
    library::{self, Change},
    patch::{Patch, check_version},
    request, store,
};

/// Marks ids of lorebooks.
pub enum LorebookKind {}
impl Kind for LorebookKind {
    const PREFIX: &'static str = "lorebook";
}
/// The id of a lorebook.
pub type LorebookId = Id<LorebookKind>;

/// Lorebooks of one player at most.
const MAX_BOOKS: i64 = 1_000;

/// What is known of a world.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the fields are what their names say; the graph documents them")]
pub struct Lorebook {
    pub id: LorebookId,
    pub creator_id: Option<UserId>,
    #[sqlx(flatten)]
    pub cover: Cover,
    pub visibility: Visibility,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

/// What a creator writes about a lorebook, beside its entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "the fields are what their names say; the graph documents them")]
pub struct Cover {
    pub name: String,
    pub description: String,
    pub settings: Json<BookSettings>,
}

/// What it takes to create a lorebook.
#[derive(Clone, Debug, Serialize)]
pub struct NewLorebook {
    /// A client-made id, unused so far.
    pub id: Option<LorebookId>,
    /// What the creator wrote.
    pub cover: Cover,
    /// Who may read it.
    pub visibility: Visibility,
}

/// A change to a lorebook; absent fields stay.
#[derive(Debug, Default)]
pub struct LorebookPatch {
    /// Changes the cover in place.
    pub cover: Patch<Cover>,
    /// Publishes or withdraws it.
    pub visibility: Option<Visibility>,
    /// Refuses the change if the book has another version by now.
    pub expected_version: Option<i64>,
}

impl Cover {
    fn check(&self) -> Result<()> {
        TextRule::required(200).check("input.name", &self.name)?;
        TextRule::optional(64 * 1024).check("input.description", &self.description)?;
        self.settings.check("input.settings")
    }
}

/// Creates a lorebook without entries.
pub async fn create(
    app: &App,
    viewer: &Viewer,
    new: NewLorebook,
    request: &ClientRequestId,
) -> Result<Lorebook> {
    let user = viewer.user()?;
    new.cover.check()?;
    let id = request::fresh_id(app, "input.id", new.id)?;
    let mut tx = app.db.begin().await?;
    let claim = request::Claim::new(user.id, "createLorebook", request, &new);
    if let Some(first) = request::claim(app, &mut tx, &claim, &id).await? {
        drop(tx);
        return get(app, viewer, first).await;
    }
    store::lock_user(&mut tx, user.id).await?;
    if store::lorebook::count(&mut tx, Some(user.id), Shelf::Mine).await? >= MAX_BOOKS {
        let message = format!("at most {MAX_BOOKS} lorebooks of one player");
        return Err(UserError::new(UserErrorCode::LimitExceeded, message).into());
    }
    let now = app.clock.now();
    let book = Lorebook {
        id,
        creator_id: Some(user.id),
        cover: new.cover,
        visibility: new.visibility,
        version: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    store::lorebook::insert(&mut tx, &book).await.map_err(request::id_taken)?;
    library::commit(app, tx, user.id, &[(id.into(), Change::Added)]).await?;
    Ok(book)
}

/// A lorebook that the viewer may read: published, their own, or where they play.
pub async fn get(app: &App, viewer: &Viewer, id: LorebookId) -> Result<Lorebook> {
    let found = store::lorebook::readable(&mut app.db.reader(), &[id], viewer.id()).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("lorebook"))
}

/// The catalogue and the viewer's own lorebooks, newest first.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    shelf: Shelf,
    page: &Page,
) -> Result<Slice<Lorebook>> {
    if shelf == Shelf::Mine {
        viewer.user()?;
    }
    store::lorebook::page(&app.db, viewer.id(), shelf, page).await
}

/// Changes a lorebook, but for its entries.
pub async fn update(
    app: &App,
    viewer: &Viewer,
    id: LorebookId,
    patch: LorebookPatch,
) -> Result<Lorebook> {
    let mut tx = app.db.begin().await?;
    let mut book = lock_own(&mut tx, viewer, (id, "input.id")).await?;
    check_version(patch.expected_version, book.version)?;
    patch.cover.apply(&mut book.cover);
    book.cover.check()?;
    book.visibility = patch.visibility.unwrap_or(book.visibility);
    book.version += 1;
    book.updated_at = app.clock.now();
    store::lorebook::update(&mut tx, &book).await?;
    library::commit(app, tx, viewer.user()?.id, &[(id.into(), Change::Changed)]).await?;
    Ok(book)
}

/// Deletes a lorebook: gone from the lists, still told where it is attached.
pub async fn delete(app: &App, viewer: &Viewer, id: LorebookId) -> Result<LorebookId> {
    let mut tx = app.db.begin().await?;
    let mut book = lock_own(&mut tx, viewer, (id, "input.id")).await?;
    book.deleted_at = Some(app.clock.now());
    book.version += 1;
    store::lorebook::update(&mut tx, &book).await?;
    library::commit(app, tx, viewer.user()?.id, &[(id.into(), Change::Removed)]).await?;
    Ok(id)
}

/// The viewer's own book, which nobody else changes meanwhile; its id stood at `path`.
async fn lock_own(
    tx: &mut Tx,
    viewer: &Viewer,
    (id, path): (LorebookId, &str),
) -> Result<Lorebook> {
    let user = viewer.user()?;
    let missing = || Error::not_found("lorebook").at(path);
    let found = store::lorebook::readable(tx, &[id], Some(user.id)).await?;
    let seen = found.into_iter().next().ok_or_else(missing)?;
    if seen.creator_id != Some(user.id) {
        let error = UserError::new(UserErrorCode::Forbidden, "only its creator may change it");
        return Err(error.at(path).into());
    }
    store::lorebook::lock(tx, id).await?.ok_or_else(missing)
}
