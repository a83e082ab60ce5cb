//! Entries of lorebooks in the graph.

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use skald_base::{
    UserError, UserErrorCode,
    graph::{
        ClientRequestId, PageArguments, parse_id, parse_ids, parse_optional_id, payload,
        time_cursor,
    },
};

use super::{
    connection::{Page, page, total},
    context::Graph,
    lorebook::Lorebook,
};
use crate::{
    lorebook::{
        LorebookId,
        entry::{self, EntryDraft, LoreEntryId, SaveEntries},
        settings,
    },
    store,
};

/// What a lorebook says of one thing.
///
/// Whoever may read the book may read it; the book's creator alone writes it.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct LoreEntry {
    /// For readers, never in a prompt; may be empty.
    title: String,
    /// What a model is told; an empty one tells nothing.
    content: String,
    /// Words that wake it when they are said; one that is written as `/pattern/` with flags is a
    /// regular expression.
    keys: Vec<String>,
    /// Words that count beside the keys, as `settings.secondaryLogic` says.
    secondary_keys: Vec<String>,
    /// Whether it is told at all.
    enabled: bool,
    /// Whether it is told whatever is said.
    constant: bool,
    /// Whether it comes to mind by its meaning, too, without any of its keys.
    recall: bool,
    /// Its place among those that are told: lower ones come earlier.
    insertion_order: i64,
    /// Everything else that formats of lorebooks know of an entry.
    settings: LoreEntrySettings,
    /// Counts edits; send it as `expectedVersion` to notice a concurrent one.
    version: i64,
    /// When it was made; entries are listed by it, the oldest first.
    created_at: DateTime<Utc>,
    /// When it was edited last.
    updated_at: DateTime<Utc>,
    #[graphql(skip)]
    row_id: LoreEntryId,
}

#[ComplexObject]
impl LoreEntry {
    /// The id, such as `lore_entry_01jd…`.
    pub(super) async fn id(&self) -> ID {
        self.row_id.into()
    }
}

/// How secondary keys count. Without any an entry goes by its keys alone.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "settings::SecondaryLogic")]
enum LoreSecondaryLogic {
    /// One of them has to be said, too.
    AndAny,
    /// All of them have to be said, too.
    AndAll,
    /// None of them may be said.
    NotAny,
    /// Not all of them may be said.
    NotAll,
}

/// Where in a prompt an entry stands.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "settings::EntryPosition")]
enum LoreEntryPosition {
    /// Before what is written about the characters.
    BeforeCharacter,
    /// After what is written about the characters.
    AfterCharacter,
    /// Before the examples of how they talk.
    BeforeExamples,
    /// After the examples of how they talk.
    AfterExamples,
    /// At the top of the author's note.
    NoteTop,
    /// At the bottom of the author's note.
    NoteBottom,
    /// `depth` messages before the end.
    AtDepth,
    /// Where the macro of the outlet with its name stands.
    Outlet,
}

/// In whose words an entry is told.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "settings::EntryRole")]
enum LoreEntryRole {
    /// The instructions'.
    System,
    /// The player's.
    User,
    /// The model's.
    Assistant,
}

/// When and where an entry is told once one of its keys is said, in the terms of formats of
/// lorebooks: kept with the entry, for stories that go by keys. Null is what its book or the
/// server says.
#[derive(Clone, Default, SimpleObject, InputObject)]
#[graphql(input_name = "LoreEntrySettingsInput")]
pub(super) struct LoreEntrySettings {
    /// How secondary keys count; `AND_ANY` if null.
    secondary_logic: Option<LoreSecondaryLogic>,
    /// Where in a prompt it stands.
    position: Option<LoreEntryPosition>,
    /// How many messages before the end it stands, for `AT_DEPTH`; 0 to 1,000.
    depth: Option<i32>,
    /// In whose words it is told, for `AT_DEPTH`.
    role: Option<LoreEntryRole>,
    /// The outlet's name, for `OUTLET`; 200 characters at most.
    outlet: Option<String>,
    /// Where there is too little room, entries with the lowest priority go first.
    priority: Option<i32>,
    /// Of a hundred times that a key is said, how often it is told; 0 to 100.
    probability: Option<i32>,
    /// In how many of the last messages its keys are looked for; 0 to 1,000.
    scan_depth: Option<i32>,
    /// Whether its keys have to be said in the same case.
    case_sensitive: Option<bool>,
    /// Whether its keys have to be whole words.
    whole_words: Option<bool>,
    /// Whether other entries cannot wake it.
    exclude_recursion: Option<bool>,
    /// Whether it cannot wake other entries.
    prevent_recursion: Option<bool>,
    /// If set, only other entries wake it, in this round of them at the earliest; 0 to 1,000.
    delay_until_recursion: Option<i32>,
    /// Whether it is told even where there is no room left for lore.
    ignore_budget: Option<bool>,
    /// Of the entries of a group one is told; names, separated by commas, 200 characters at most.
    group: Option<String>,
    /// Whether it goes before the others of its group.
    group_override: Option<bool>,
    /// Its chances against the others of its group; 0 to 1,000,000.
    group_weight: Option<i32>,
    /// Whether in its group those are told of which most keys were said.
    group_scoring: Option<bool>,
    /// For how many messages it stays once it was told; 0 to 1,000,000.
    sticky: Option<i32>,
    /// For how many messages it cannot be told again after that; 0 to 1,000,000.
    cooldown: Option<i32>,
    /// How many messages there have to be before it can be told; 0 to 1,000,000.
    delay: Option<i32>,
}

/// Says the same in the domain's words and back.
macro_rules! translate {
    (same: $($same:ident)*; into: $($into:ident)*) => {
        impl From<settings::EntrySettings> for LoreEntrySettings {
            fn from(from: settings::EntrySettings) -> Self {
                Self { $($same: from.$same,)* $($into: from.$into.map(Into::into),)* }
            }
        }
        impl From<LoreEntrySettings> for settings::EntrySettings {
            fn from(from: LoreEntrySettings) -> Self {
                Self { $($same: from.$same,)* $($into: from.$into.map(Into::into),)* }
            }
        }
    };
}

translate! {
    same: depth outlet priority probability scan_depth case_sensitive whole_words
        exclude_recursion prevent_recursion delay_until_recursion ignore_budget group
        group_override group_weight group_scoring sticky cooldown delay;
    into: secondary_logic position role
}

impl From<entry::LoreEntry> for LoreEntry {
    fn from(row: entry::LoreEntry) -> Self {
        let lore = row.lore;
        Self {
            title: lore.title,
            content: lore.content,
            keys: lore.keys.0,
            secondary_keys: lore.secondary_keys.0,
            enabled: lore.enabled,
            constant: lore.constant,
            recall: lore.recall,
            insertion_order: lore.insertion_order,
            settings: lore.settings.0.into(),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            row_id: row.id,
        }
    }
}

/// A page of the entries of a book that the viewer sees.
pub(super) async fn entries(
    ctx: &Context<'_>,
    book: LorebookId,
    request: PageArguments,
) -> Result<Page<LoreEntry>> {
    let request = request.check_forward()?;
    let slice = entry::list(ctx.app(), book, &request).await?;
    let total = total(ctx, store::lore_entry::count(&mut ctx.app().db.reader(), book)).await?;
    Ok(page(slice.map(LoreEntry::from), total, |entry| time_cursor(entry.created_at, entry.row_id)))
}

/// A new entry, or a change to one: absent fields stay, or are as said here.
#[derive(InputObject)]
struct LoreEntryInput {
    /// The entry of this book that changes; for a new one an id you made (a `UUIDv7` written as
    /// `lore_entry_…`), or none.
    id: Option<ID>,
    /// For readers; 500 characters at most, empty unless said.
    title: Option<String>,
    /// What a model is told, 64 KiB at most. A new entry needs one; it may be empty.
    content: Option<String>,
    /// Words that wake it: 200 at most, of 1 to 1,000 characters each; none unless said.
    keys: Option<Vec<String>>,
    /// Words that count beside the keys: as many; none unless said.
    secondary_keys: Option<Vec<String>>,
    /// Whether it is told at all; true unless said.
    enabled: Option<bool>,
    /// Whether it is told whatever is said; false unless said.
    constant: Option<bool>,
    /// Whether it comes to mind by its meaning; true unless said.
    recall: Option<bool>,
    /// Its place among those that are told; 100 unless said.
    insertion_order: Option<i64>,
    /// Everything else: all of it, as it is from now on.
    settings: Option<LoreEntrySettings>,
    /// Refuse everything with `CONFLICT` if the entry has another version by now.
    expected_version: Option<i64>,
}

/// Which entries to save.
#[derive(InputObject)]
struct SaveLoreEntriesInput {
    /// A lorebook of yours; 5,000 entries at most.
    lorebook_id: ID,
    /// Its new and changed entries, 1 to 100: all are saved or none.
    entries: Vec<LoreEntryInput>,
    /// Your id of this request: sent again with the same input, it gives the first result.
    client_request_id: String,
}

/// Which entries to remove.
#[derive(InputObject)]
struct RemoveLoreEntriesInput {
    /// A lorebook of yours.
    lorebook_id: ID,
    /// Its entries, 1 to 100; those that are not there any more are passed over.
    entry_ids: Vec<ID>,
}

/// Entries of a lorebook, or why they could not be saved.
#[derive(SimpleObject)]
pub(super) struct SaveLoreEntriesPayload {
    /// The book; null if `errors` says why not.
    lorebook: Option<Lorebook>,
    /// The entries in the order of the input. After a `CONFLICT` for an `expectedVersion` those
    /// that the input names, as they are now; otherwise empty if `errors` says why not.
    entries: Vec<LoreEntry>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// What was removed from a lorebook, or why it was not.
#[derive(SimpleObject)]
pub(super) struct RemoveLoreEntriesPayload {
    /// The book; null if `errors` says why not.
    lorebook: Option<Lorebook>,
    /// The entries that are gone with this request.
    removed_entry_ids: Vec<ID>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations on entries of lorebooks.
#[derive(Default)]
pub(super) struct LoreEntryMutation;

#[Object]
impl LoreEntryMutation {
    /// Save entries of a lorebook of yours, new ones and changes, all or none. Stories know them
    /// from their next reply on.
    async fn save_lore_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which book, and its entries.")] input: SaveLoreEntriesInput,
    ) -> Result<SaveLoreEntriesPayload> {
        let named: Vec<ID> = input.entries.iter().filter_map(|entry| entry.id.clone()).collect();
        let (saved, errors) = payload(save(ctx, input).await)?;
        let Some((book, entries)) = saved else {
            let is_stale = errors.iter().any(|error| {
                let field = error.path.as_ref().and_then(|path| path.last());
                error.code == UserErrorCode::Conflict
                    && field.is_some_and(|field| field == "expectedVersion")
            });
            let now = if is_stale { as_they_are(ctx, &named).await? } else { Vec::new() };
            return Ok(SaveLoreEntriesPayload { lorebook: None, entries: now, errors });
        };
        let entries = entries.into_iter().map(LoreEntry::from).collect();
        Ok(SaveLoreEntriesPayload { lorebook: Some(book.into()), entries, errors })
    }

    /// Remove entries from a lorebook of yours for good.
    async fn remove_lore_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which book, and which entries.")] input: RemoveLoreEntriesInput,
    ) -> Result<RemoveLoreEntriesPayload> {
        let (removed, errors) = payload(remove(ctx, input).await)?;
        let (book, ids) = removed.map_or((None, Vec::new()), |(book, ids)| (Some(book), ids));
        Ok(RemoveLoreEntriesPayload {
            lorebook: book.map(Lorebook::from),
            removed_entry_ids: ids.into_iter().map(ID::from).collect(),
            errors,
        })
    }
}

async fn as_they_are(ctx: &Context<'_>, ids: &[ID]) -> Result<Vec<LoreEntry>> {
    let ids: Vec<LoreEntryId> = parse_ids("input.entries", ids)?;
    let rows = ctx.loaders().load_all(&ids).await?;
    Ok(rows.into_iter().map(LoreEntry::from).collect())
}

type Saved = (crate::lorebook::Lorebook, Vec<entry::LoreEntry>);

async fn save(ctx: &Context<'_>, input: SaveLoreEntriesInput) -> skald_base::Result<Saved> {
    let request = ClientRequestId::parse("input.clientRequestId", &input.client_request_id)?;
    let lorebook_id = parse_id("input.lorebookId", &input.lorebook_id)?;
    let mut drafts = Vec::with_capacity(input.entries.len());
    for (place, entry) in input.entries.into_iter().enumerate() {
        let path = format!("input.entries.{place}.id");
        drafts.push(EntryDraft {
            id: parse_optional_id(&path, entry.id.as_ref())?,
            title: entry.title,
            content: entry.content,
            keys: entry.keys,
            secondary_keys: entry.secondary_keys,
            enabled: entry.enabled,
            constant: entry.constant,
            recall: entry.recall,
            insertion_order: entry.insertion_order,
            settings: entry.settings.map(Into::into),
            expected_version: entry.expected_version,
        });
    }
    entry::save(ctx.app(), ctx.viewer(), SaveEntries { lorebook_id, drafts }, &request).await
}

async fn remove(
    ctx: &Context<'_>,
    input: RemoveLoreEntriesInput,
) -> skald_base::Result<(crate::lorebook::Lorebook, Vec<LoreEntryId>)> {
    let book = parse_id("input.lorebookId", &input.lorebook_id)?;
    let ids = parse_ids("input.entryIds", &input.entry_ids)?;
    entry::remove(ctx.app(), ctx.viewer(), (book, ids)).await
}
