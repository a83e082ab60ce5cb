//! Lorebooks in the graph.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use skald_base::{
    UserError, UserId,
    graph::{ClientRequestId, nullable, parse_id, parse_optional_id, payload, time_cursor},
};
use sqlx::types::Json;

use super::{
    character::Visibility,
    connection::{Page, counted_cost, forward, page, total},
    context::Graph,
    lore_entry::{LoreEntry, entries},
    stale::as_it_is,
    user::UserRef,
};
use crate::{
    character::{self, Shelf},
    lorebook::{self, Cover, LorebookId, LorebookPatch, NewLorebook, settings::BookSettings},
    patch::Patch,
    store,
};

/// What is known of a world, entry by entry.
///
/// Readable by its creator, by everybody if `PUBLIC` or `UNLISTED`, by whoever attached it to
/// something of theirs, and by the players of its creator's characters that it is attached to.
/// Writable by its creator alone.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct Lorebook {
    /// The name.
    name: String,
    /// For readers; never in a prompt.
    description: String,
    /// How the keys of its entries are looked for.
    settings: LorebookSettings,
    /// Who may read it.
    visibility: Visibility,
    /// Counts edits of the book, not of its entries; send it as `expectedVersion` to notice a
    /// concurrent one.
    version: i64,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it was edited last.
    updated_at: DateTime<Utc>,
    /// When it was deleted; it stays readable, and is told, where it is attached.
    deleted_at: Option<DateTime<Utc>>,
    #[graphql(skip)]
    creator_id: Option<UserId>,
    #[graphql(skip)]
    pub(super) row_id: LorebookId,
}

/// How the keys of a lorebook are looked for, as formats of lorebooks know it: kept with the book,
/// for stories that go by keys. Null is the server's choice.
#[derive(Clone, Default, SimpleObject, InputObject)]
#[graphql(input_name = "LorebookSettingsInput")]
pub(super) struct LorebookSettings {
    /// In how many of the last messages keys are looked for; 0 to 1,000.
    scan_depth: Option<i32>,
    /// How many tokens its entries may take together; 0 to 1,000,000.
    token_budget: Option<i32>,
    /// Whether what entries say may wake other entries.
    recursive_scanning: Option<bool>,
}

#[ComplexObject]
impl Lorebook {
    /// The id, such as `lorebook_01jd…`.
    pub(super) async fn id(&self) -> ID {
        self.row_id.into()
    }

    /// Who made it; null if it came with the server or the account is gone.
    async fn creator(&self) -> Option<UserRef> {
        self.creator_id.map(UserRef)
    }

    /// What it says, in the order in which it was written down; 20 a page unless told otherwise,
    /// 100 at most.
    #[graphql(complexity = "counted_cost(first, child_complexity)")]
    async fn entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<LoreEntry>> {
        entries(ctx, self.row_id, forward(first, after)).await
    }
}

impl From<lorebook::Lorebook> for Lorebook {
    fn from(row: lorebook::Lorebook) -> Self {
        let BookSettings { scan_depth, token_budget, recursive_scanning } = row.cover.settings.0;
        Self {
            name: row.cover.name,
            description: row.cover.description,
            settings: LorebookSettings { scan_depth, token_budget, recursive_scanning },
            visibility: row.visibility.into(),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
            creator_id: row.creator_id,
            row_id: row.id,
        }
    }
}

impl From<LorebookSettings> for Json<BookSettings> {
    fn from(input: LorebookSettings) -> Self {
        let LorebookSettings { scan_depth, token_budget, recursive_scanning } = input;
        Self(BookSettings { scan_depth, token_budget, recursive_scanning })
    }
}

/// Which lorebooks to list.
#[derive(InputObject)]
struct LorebookFilter {
    /// Only those you created.
    mine: Option<bool>,
}

/// Queries on lorebooks.
#[derive(Default)]
pub(super) struct LorebookQuery;

#[Object]
impl LorebookQuery {
    /// One lorebook; null if there is none that you may read.
    async fn lorebook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Option<Result<Lorebook>> {
        let id = match parse_id("id", &id) {
            Ok(id) => id,
            Err(error) => return Some(Err(error.into())),
        };
        nullable(lorebook::get(ctx.app(), ctx.viewer(), id).await.map(Lorebook::from))
    }

    /// The public catalogue and your own lorebooks, newest first; 20 a page unless told otherwise,
    /// 100 at most.
    #[graphql(complexity = "counted_cost(first, child_complexity)")]
    async fn lorebooks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which lorebooks; the catalogue and your own if absent.")] filter: Option<
            LorebookFilter,
        >,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Lorebook>> {
        let mine = filter.and_then(|filter| filter.mine).unwrap_or_default();
        let which = if mine { Shelf::Mine } else { Shelf::Catalogue };
        let request = forward(first, after).check_forward()?;
        let (app, viewer) = (ctx.app(), ctx.viewer());
        let slice = lorebook::list(app, viewer, which, &request).await?;
        let mut reader = app.db.reader();
        let count = store::lorebook::count(&mut reader, viewer.id(), which);
        let total = total(ctx, count).await?;
        let slice = slice.map(Lorebook::from);
        Ok(page(slice, total, |book| time_cursor(book.created_at, book.row_id)))
    }
}

/// What a new lorebook is.
#[derive(InputObject)]
struct CreateLorebookInput {
    /// An id you made (a `UUIDv7` written as `lorebook_…`), so that an optimistic entity keeps its id.
    id: Option<ID>,
    /// The name; 1 to 200 bytes.
    name: String,
    /// For readers; 64 KiB at most.
    #[graphql(default)]
    description: String,
    /// How the keys of its entries are looked for.
    settings: Option<LorebookSettings>,
    /// Who may read it; `PRIVATE` if absent.
    visibility: Option<Visibility>,
    /// Your id of this request: sent again with the same input, it gives the first result.
    client_request_id: String,
}

/// What of a lorebook changes; absent fields stay.
#[derive(InputObject)]
struct UpdateLorebookInput {
    /// The lorebook.
    id: ID,
    /// The name.
    name: Option<String>,
    /// For readers.
    description: Option<String>,
    /// How the keys of its entries are looked for: all of it, as it is from now on.
    settings: Option<LorebookSettings>,
    /// Who may read it.
    visibility: Option<Visibility>,
    /// Refuse the change with `CONFLICT` if the lorebook has another version by now.
    expected_version: Option<i64>,
}

/// Which lorebook to delete.
#[derive(InputObject)]
struct DeleteLorebookInput {
    /// The lorebook.
    id: ID,
}

/// A lorebook, or why it could not be saved.
#[derive(SimpleObject)]
pub(super) struct LorebookPayload {
    /// The lorebook as it is now, also after a `CONFLICT` for `expectedVersion`; null if `errors`
    /// says why not.
    lorebook: Option<Lorebook>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// The id of what was deleted, or why it could not be.
#[derive(SimpleObject)]
pub(super) struct DeleteLorebookPayload {
    /// The lorebook that is gone from the lists.
    deleted_lorebook_id: Option<ID>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations on lorebooks.
#[derive(Default)]
pub(super) struct LorebookMutation;

#[Object]
impl LorebookMutation {
    /// Create a lorebook; `saveLoreEntries` fills it. You may have 1,000.
    async fn create_lorebook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new lorebook.")] input: CreateLorebookInput,
    ) -> Result<LorebookPayload> {
        respond(create(ctx, input).await)
    }

    /// Change a lorebook, but for its entries.
    async fn update_lorebook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which lorebook, and what changes.")] input: UpdateLorebookInput,
    ) -> Result<LorebookPayload> {
        let id = input.id.clone();
        let payload = respond(update(ctx, input).await)?;
        if payload.lorebook.is_some() {
            return Ok(payload);
        }
        let now = as_it_is::<LorebookId>(ctx, &payload.errors, &id).await?;
        Ok(LorebookPayload { lorebook: now.map(Lorebook::from), ..payload })
    }

    /// Delete a lorebook: it leaves the lists and cannot be attached any more. Where it is
    /// attached it stays; detach it there to have it forgotten.
    async fn delete_lorebook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which lorebook.")] input: DeleteLorebookInput,
    ) -> Result<DeleteLorebookPayload> {
        let outcome = match parse_id("input.id", &input.id) {
            Ok(id) => lorebook::delete(ctx.app(), ctx.viewer(), id).await,
            Err(error) => Err(error),
        };
        let (id, errors) = payload(outcome)?;
        Ok(DeleteLorebookPayload { deleted_lorebook_id: id.map(ID::from), errors })
    }
}

fn respond(outcome: skald_base::Result<lorebook::Lorebook>) -> Result<LorebookPayload> {
    let (lorebook, errors) = payload(outcome)?;
    Ok(LorebookPayload { lorebook: lorebook.map(Lorebook::from), errors })
}

async fn create(
    ctx: &Context<'_>,
    input: CreateLorebookInput,
) -> skald_base::Result<lorebook::Lorebook> {
    let request = ClientRequestId::parse("input.clientRequestId", &input.client_request_id)?;
    let new = NewLorebook {
        id: parse_optional_id("input.id", input.id.as_ref())?,
        cover: Cover {
            name: input.name,
            description: input.description,
            settings: input.settings.unwrap_or_default().into(),
        },
        visibility: input.visibility.map(Into::into).unwrap_or_default(),
    };
    lorebook::create(ctx.app(), ctx.viewer(), new, &request).await
}

async fn update(
    ctx: &Context<'_>,
    input: UpdateLorebookInput,
) -> skald_base::Result<lorebook::Lorebook> {
    let id = parse_id("input.id", &input.id)?;
    let cover = Patch::default()
        .set(input.name, |to: &mut Cover, value| to.name = value)
        .set(input.description, |to, value| to.description = value)
        .set(input.settings, |to, value| to.settings = value.into());
    let visibility = input.visibility.map(character::Visibility::from);
    let patch = LorebookPatch { cover, visibility, expected_version: input.expected_version };
    lorebook::update(ctx.app(), ctx.viewer(), id, patch).await
}
