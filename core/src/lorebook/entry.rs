//! Entries of lorebooks: many are saved or removed at once, all or none.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use skald_base::{
    Error, Id, Kind, Result, UserError, UserErrorCode, Viewer,
    graph::{ClientRequestId, Page, Slice, TextRule},
};
use sqlx::types::Json;

use super::{Lorebook, LorebookId, get, lock_own, settings::EntrySettings};
use crate::{
    app::App,
    keys::{KeyRule, check_short},
    library::{self, Change},
    patch::check_version,
    request,
    session::SessionId,
    store,
};

/// Marks ids of entries of lorebooks.
pub enum LoreEntryKind {}
impl Kind for LoreEntryKind {
    const PREFIX: &'static str = "lore_entry";
}
/// The id of an entry of a lorebook.
pub type LoreEntryId = Id<LoreEntryKind>;

/// Entries saved or removed at once at most.
const AT_ONCE: usize = 100;
/// Entries of one book at most.
const MAX_ENTRIES: usize = 5_000;
/// Characters of a title at most.
const MAX_TITLE: usize = 500;
/// Keys of either kind; one may be a pattern.
const KEYS: KeyRule = KeyRule { most: 200, characters: 1_000 };

/// What a lorebook says of one thing.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the fields are what their names say; the graph documents them")]
pub struct LoreEntry {
    pub id: LoreEntryId,
    pub lorebook_id: LorebookId,
    #[sqlx(flatten)]
    pub lore: Lore,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What somebody wrote as an entry.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration and the graph document each field")]
pub struct Lore {
    pub title: String,
    pub content: String,
    pub keys: Json<Vec<String>>,
    pub secondary_keys: Json<Vec<String>>,
    pub enabled: bool,
    pub constant: bool,
    pub recall: bool,
    pub insertion_order: i64,
    pub settings: Json<EntrySettings>,
}

/// A new entry, or a change to one; absent fields stay, or are as in [`Lore::default`].
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `Lore`")]
pub struct EntryDraft {
    /// Of an entry of this book, or made by the client.
    pub id: Option<LoreEntryId>,
    pub title: Option<String>,
    /// A new entry needs one.
    pub content: Option<String>,
    pub keys: Option<Vec<String>>,
    pub secondary_keys: Option<Vec<String>>,
    pub enabled: Option<bool>,
    pub constant: Option<bool>,
    pub recall: Option<bool>,
    pub insertion_order: Option<i64>,
    pub settings: Option<EntrySettings>,
    /// Refuses the change if the entry has another version by now.
    pub expected_version: Option<i64>,
}

/// A wish to save entries of a lorebook.
#[derive(Clone, Debug, Serialize)]
pub struct SaveEntries {
    /// The book.
    pub lorebook_id: LorebookId,
    /// Its new and changed entries.
    pub drafts: Vec<EntryDraft>,
}

impl Default for Lore {
    fn default() -> Self {
        Self {
            title: String::new(),
            content: String::new(),
            keys: Json::default(),
            secondary_keys: Json::default(),
            enabled: true,
            constant: false,
            recall: true,
            insertion_order: 100,
            settings: Json::default(),
        }
    }
}

impl EntryDraft {
    /// What the entry says then; refuses what cannot be. The draft stood at `path`.
    fn apply(self, lore: Lore, path: &str) -> Result<Lore> {
        let at = |field: &str| format!("{path}.{field}");
        let keys = |field, keys| KEYS.check(&at(field), keys).map(Json);
        let secondary_keys = self.secondary_keys.unwrap_or(lore.secondary_keys.0);
        let lore = Lore {
            title: self.title.map_or(lore.title, |title| title.trim().to_owned()),
            content: self.content.unwrap_or(lore.content),
            keys: keys("keys", self.keys.unwrap_or(lore.keys.0))?,
            secondary_keys: keys("secondaryKeys", secondary_keys)?,
            enabled: self.enabled.unwrap_or(lore.enabled),
            constant: self.constant.unwrap_or(lore.constant),
            recall: self.recall.unwrap_or(lore.recall),
            insertion_order: self.insertion_order.unwrap_or(lore.insertion_order),
            settings: self.settings.map_or(lore.settings, Json),
        };
        check_short(&at("title"), &lore.title, MAX_TITLE)?;
        TextRule::optional(64 * 1024).check(&at("content"), &lore.content)?;
        lore.settings.check(&at("settings"))?;
        Ok(lore)
    }
}

/// The entries of a lorebook that the viewer sees, in the order in which they were made.
pub async fn list(app: &App, book: LorebookId, page: &Page) -> Result<Slice<LoreEntry>> {
    store::lore_entry::page(&app.db, book, page).await
}

/// The entries that may come to mind in a session: enabled ones, marked for recall, of the books
/// that are attached to it, to its persona or to a character on stage.
pub async fn recallable(app: &App, session: SessionId) -> Result<Vec<LoreEntry>> {
    store::lorebook::recallable(&app.db, session).await
}

/// Saves entries of a book of the viewer's, all or none; they come in the order of the drafts.
pub async fn save(
    app: &App,
    viewer: &Viewer,
    wish: SaveEntries,
    request: &ClientRequestId,
) -> Result<(Lorebook, Vec<LoreEntry>)> {
    let user = viewer.user()?;
    check_count("input.entries", wish.drafts.len())?;
    let claim = request::Claim::new(user.id, "saveLoreEntries", request, &wish);
    let ids = ids_of(app, &wish.drafts)?;
    let mut tx = app.db.begin().await?;
    if let Some(first) = request::claim(app, &mut tx, &claim, &ids).await? {
        drop(tx);
        let book = get(app, viewer, wish.lorebook_id).await?;
        let entries = store::lore_entry::readable(&app.db, &first, viewer.id()).await?;
        return Ok((book, in_order(&first, entries)));
    }
    let book = lock_own(&mut tx, viewer, (wish.lorebook_id, "input.lorebookId")).await?;
    let known = store::lore_entry::of_book(&mut tx, book.id, &ids).await?;
    let mut known: HashMap<_, _> = known.into_iter().map(|entry| (entry.id, entry)).collect();
    let (mut new, mut changed) = (Vec::new(), Vec::new());
    for (place, (id, draft)) in ids.iter().zip(wish.drafts).enumerate() {
        let path = format!("input.entries.{place}");
        match known.remove(id) {
            Some(entry) => changed.push(edit(app, entry, draft, &path)?),
            None => new.push(begin(app, (book.id, *id), draft, &path)?),
        }
    }
    if !new.is_empty() {
        let count = store::lore_entry::count(&mut tx, book.id).await?;
        if usize::try_from(count).unwrap_or(usize::MAX) + new.len() > MAX_ENTRIES {
            let message = format!("at most {MAX_ENTRIES} entries in one lorebook");
            let error = UserError::new(UserErrorCode::LimitExceeded, message);
            return Err(error.at("input.entries").into());
        }
    }
    store::lore_entry::insert(&mut tx, &new).await.map_err(request::id_taken)?;
    for entry in &changed {
        store::lore_entry::update(&mut tx, entry).await?;
    }
    library::commit(app, tx, user.id, &[(book.id.into(), Change::Changed)]).await?;
    new.extend(changed);
    Ok((book, in_order(&ids, new)))
}

/// Removes entries of a book of the viewer's for good; those that were there.
pub async fn remove(
    app: &App,
    viewer: &Viewer,
    (book, ids): (LorebookId, Vec<LoreEntryId>),
) -> Result<(Lorebook, Vec<LoreEntryId>)> {
    check_count("input.entryIds", ids.len())?;
    let mut tx = app.db.begin().await?;
    let book = lock_own(&mut tx, viewer, (book, "input.lorebookId")).await?;
    let gone: HashSet<_> =
        store::lore_entry::delete(&mut tx, book.id, &ids).await?.into_iter().collect();
    let change = (book.id.into(), Change::Changed);
    let changes = if gone.is_empty() { &[][..] } else { &[change] };
    library::commit_any(app, tx, viewer.user()?.id, changes).await?;
    Ok((book, ids.into_iter().filter(|id| gone.contains(id)).collect()))
}

fn check_count(path: &str, count: usize) -> Result<()> {
    let error = match count {
        0 => UserError::new(UserErrorCode::Blank, "name one entry at least"),
        _ if count > AT_ONCE => {
            UserError::new(UserErrorCode::TooLong, format!("at most {AT_ONCE} entries at once"))
        }
        _ => return Ok(()),
    };
    Err(error.at(path).into())
}

/// The id of each draft: the one it names, or a fresh one.
fn ids_of(app: &App, drafts: &[EntryDraft]) -> Result<Vec<LoreEntryId>> {
    let mut seen = HashSet::new();
    let mut ids = Vec::with_capacity(drafts.len());
    for (place, draft) in drafts.iter().enumerate() {
        let path = format!("input.entries.{place}.id");
        let id = request::fresh_id(app, &path, draft.id)?;
        if !seen.insert(id) {
            return Err(Error::invalid(&path, "an entry is there twice"));
        }
        ids.push(id);
    }
    Ok(ids)
}

fn edit(app: &App, entry: LoreEntry, draft: EntryDraft, path: &str) -> Result<LoreEntry> {
    let checked = check_version(draft.expected_version, entry.version);
    checked.map_err(|error| error.at(&format!("{path}.expectedVersion")))?;
    let lore = draft.apply(entry.lore, path)?;
    Ok(LoreEntry { lore, version: entry.version + 1, updated_at: app.clock.now(), ..entry })
}

fn begin(
    app: &App,
    (lorebook_id, id): (LorebookId, LoreEntryId),
    draft: EntryDraft,
    path: &str,
) -> Result<LoreEntry> {
    // A change to an entry that somebody has removed meanwhile shall not make half an entry.
    if draft.content.is_none() || draft.expected_version.is_some() {
        let missing = if draft.id.is_some() { "id" } else { "content" };
        let path = format!("{path}.{missing}");
        return Err(match draft.id {
            Some(_) => Error::not_found("entry").at(&path),
            None => Error::invalid(&path, "a new entry needs a content"),
        });
    }
    let now = app.clock.now();
    let lore = draft.apply(Lore::default(), path)?;
    Ok(LoreEntry { id, lorebook_id, lore, version: 1, created_at: now, updated_at: now })
}

fn in_order(ids: &[LoreEntryId], entries: Vec<LoreEntry>) -> Vec<LoreEntry> {
    let mut found: HashMap<_, _> = entries.into_iter().map(|entry| (entry.id, entry)).collect();
    ids.iter().filter_map(|id| found.remove(id)).collect()
}
