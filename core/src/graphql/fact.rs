//! Facts of characters and personas in the graph.

use async_graphql::{
    ComplexObject, Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject,
};
use chrono::{DateTime, Utc};
use skald_base::{
    Error, Id, Kind, UserError,
    graph::{
        ClientRequestId, PageArguments, Slice, parse_id, parse_optional_id, payload, time_cursor,
    },
    id::parse_any,
};
use sqlx::types::Json;

use super::{
    connection::{Page, change, page, total},
    context::Graph,
    loaders::FactsKey,
    stale::as_it_is,
};
use crate::{
    character::CharacterKind,
    fact::{self, FactId, FactOwner, FactPatch, NewFact, Note},
    patch::Patch,
    persona::PersonaKind,
    store,
};

/// Something that is known of a character or a persona.
///
/// Whoever sees the one it is about sees it; whoever may change that one may change it.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct Fact {
    /// The fact itself.
    text: String,
    /// Your own word for what kind of fact it is; null if there is none.
    category: Option<String>,
    /// If there are any, the fact may come to mind only when one of them is said; otherwise whenever
    /// it has to do with what is going on.
    keys: Vec<String>,
    /// Counts edits; send it as `expectedVersion` to notice a concurrent one.
    version: i64,
    /// When it was added; facts are listed by it, the oldest first.
    created_at: DateTime<Utc>,
    /// When it was edited last.
    updated_at: DateTime<Utc>,
    #[graphql(skip)]
    row_id: FactId,
}

#[ComplexObject]
impl Fact {
    /// The id, such as `fact_01jd…`.
    pub(super) async fn id(&self) -> ID {
        self.row_id.into()
    }
}

impl From<fact::Fact> for Fact {
    fn from(row: fact::Fact) -> Self {
        Self {
            text: row.note.text,
            category: row.note.category,
            keys: row.note.keys.0,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            row_id: row.id,
        }
    }
}

/// A page of what is known of somebody whom the viewer sees.
pub(super) async fn facts(
    ctx: &Context<'_>,
    owner: FactOwner,
    request: PageArguments,
) -> Result<Page<Fact>> {
    let request = request.check_forward()?;
    let slice: Slice<fact::Fact> = if request.after.is_none() {
        // Together with those of the others on a page of characters.
        let key = FactsKey { owner: owner.uuid(), limit: request.limit() };
        request.cut(ctx.loaders().load(key).await?.unwrap_or_default())
    } else {
        fact::list(ctx.app(), owner, &request).await?
    };
    let total = total(ctx, store::fact::count(&mut ctx.app().db.reader(), owner)).await?;
    Ok(page(slice.map(Fact::from), total, |fact| time_cursor(fact.created_at, fact.row_id)))
}

/// Reads the id of a character or a persona that a client sent at `path`.
pub(super) fn parse_owner(path: &str, id: &ID) -> skald_base::Result<FactOwner> {
    match parse_any(id) {
        Some((CharacterKind::PREFIX, uuid)) => Ok(FactOwner::Character(Id::from_uuid(uuid))),
        Some((PersonaKind::PREFIX, uuid)) => Ok(FactOwner::Persona(Id::from_uuid(uuid))),
        Some(_) | None => Err(Error::invalid(path, "expected the id of a character or a persona")),
    }
}

/// What a new fact is.
#[derive(InputObject)]
struct AddFactInput {
    /// An id you made (a `UUIDv7` written as `fact_…`), so that an optimistic entity keeps its id.
    id: Option<ID>,
    /// The character or persona of yours that it is about; 2,000 facts each at most.
    owner_id: ID,
    /// The fact itself: 1 byte to 4 KiB, without the white space around it.
    text: String,
    /// Your own word for what kind of fact it is; 100 characters at most.
    category: Option<String>,
    /// Words of which one has to be said before the fact may come to mind: 32 at most, of 1 to 100
    /// characters each. Of equal ones the first stays.
    #[graphql(default)]
    keys: Vec<String>,
    /// Your id of this request: sent again with the same input, it gives the first result.
    client_request_id: String,
}

/// What of a fact changes; absent fields stay, null clears.
#[derive(InputObject)]
struct UpdateFactInput {
    /// The fact.
    id: ID,
    /// The fact itself: 1 byte to 4 KiB, without the white space around it.
    text: Option<String>,
    /// Your own word for what kind of fact it is; 100 characters at most.
    category: MaybeUndefined<String>,
    /// All its keys: 32 at most, of 1 to 100 characters each.
    keys: Option<Vec<String>>,
    /// Refuse the change with `CONFLICT` if the fact has another version by now.
    expected_version: Option<i64>,
}

/// Which fact to remove.
#[derive(InputObject)]
struct RemoveFactInput {
    /// The fact.
    id: ID,
}

/// A fact, or why it could not be saved.
#[derive(SimpleObject)]
pub(super) struct FactPayload {
    /// The fact as it is now, also after a `CONFLICT` for `expectedVersion`; null if `errors`
    /// says why not.
    fact: Option<Fact>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// The id of what was removed, or why it could not be.
#[derive(SimpleObject)]
pub(super) struct RemoveFactPayload {
    /// The fact that is gone.
    removed_fact_id: Option<ID>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations on facts.
#[derive(Default)]
pub(super) struct FactMutation;

#[Object]
impl FactMutation {
    /// Add a fact to a character or a persona of yours.
    async fn add_fact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new fact.")] input: AddFactInput,
    ) -> Result<FactPayload> {
        respond(add(ctx, input).await)
    }

    /// Change a fact.
    async fn update_fact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which fact, and what changes.")] input: UpdateFactInput,
    ) -> Result<FactPayload> {
        let id = input.id.clone();
        let payload = respond(update(ctx, input).await)?;
        if payload.fact.is_some() {
            return Ok(payload);
        }
        let now = as_it_is::<FactId>(ctx, &payload.errors, &id).await?;
        Ok(FactPayload { fact: now.map(Fact::from), ..payload })
    }

    /// Remove a fact for good.
    async fn remove_fact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which fact.")] input: RemoveFactInput,
    ) -> Result<RemoveFactPayload> {
        let outcome = match parse_id("input.id", &input.id) {
            Ok(id) => fact::remove(ctx.app(), ctx.viewer(), id).await,
            Err(error) => Err(error),
        };
        let (id, errors) = payload(outcome)?;
        Ok(RemoveFactPayload { removed_fact_id: id.map(ID::from), errors })
    }
}

fn respond(outcome: skald_base::Result<fact::Fact>) -> Result<FactPayload> {
    let (fact, errors) = payload(outcome)?;
    Ok(FactPayload { fact: fact.map(Fact::from), errors })
}

async fn add(ctx: &Context<'_>, input: AddFactInput) -> skald_base::Result<fact::Fact> {
    let request = ClientRequestId::parse("input.clientRequestId", &input.client_request_id)?;
    let new = NewFact {
        id: parse_optional_id("input.id", input.id.as_ref())?,
        owner: parse_owner("input.ownerId", &input.owner_id)?,
        note: Note { text: input.text, category: input.category, keys: Json(input.keys) },
    };
    fact::add(ctx.app(), ctx.viewer(), new, &request).await
}

async fn update(ctx: &Context<'_>, input: UpdateFactInput) -> skald_base::Result<fact::Fact> {
    let id = parse_id("input.id", &input.id)?;
    let note = Patch::default()
        .set(input.text, |to: &mut Note, value| to.text = value)
        .set(change(input.category), |to, value| to.category = value)
        .set(input.keys, |to, value| to.keys = Json(value));
    let patch = FactPatch { note, expected_version: input.expected_version };
    fact::update(ctx.app(), ctx.viewer(), id, patch).await
}
