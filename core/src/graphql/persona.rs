//! Personas in the graph.

use async_graphql::{
    ComplexObject, Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject,
};
use chrono::{DateTime, Utc};
use skald_base::{
    UserError,
    graph::{ClientRequestId, nullable, parse_id, parse_optional_id, payload, time_cursor},
};
use sqlx::types::Json;

use super::{
    attachment::lorebooks_of,
    connection::{Page, change, cost, counted_cost, forward, page, total},
    context::Graph,
    fact::{Fact, facts},
    lorebook::Lorebook,
    stale::as_it_is,
};
use crate::{
    fact::FactOwner,
    patch::Patch,
    persona::{self, NewPersona, PersonaId, PersonaPatch, PersonaProfile},
    store,
};

/// Whom a player plays: yours alone to see.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct Persona {
    /// The name the story knows you by. Messages keep the name they were written under.
    name: String,
    /// Who this is, in free text.
    description: String,
    /// The age, as you word it.
    age: Option<String>,
    /// Gender or pronouns, as you word them.
    gender: Option<String>,
    /// How this person looks.
    appearance: String,
    /// How this person is.
    personality: String,
    /// A picture; stored, never fetched by the server.
    avatar_url: Option<String>,
    /// Your own labels.
    tags: Vec<String>,
    /// The fictional world this person belongs to.
    fandom: Option<String>,
    /// Whether new sessions take this persona unless told otherwise.
    is_default: bool,
    /// Counts edits; send it as `expectedVersion` to notice a concurrent one.
    version: i64,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it was edited last.
    updated_at: DateTime<Utc>,
    /// When it was deleted; it stays readable while a story uses it.
    deleted_at: Option<DateTime<Utc>>,
    #[graphql(skip)]
    row_id: PersonaId,
}

#[ComplexObject]
impl Persona {
    /// The id, such as `persona_01jd…`.
    pub(super) async fn id(&self) -> ID {
        self.row_id.into()
    }

    /// What is known of this person, oldest first; 20 a page unless told otherwise, 100 at most.
    #[graphql(complexity = "counted_cost(first, child_complexity)")]
    async fn facts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Fact>> {
        facts(ctx, FactOwner::Persona(self.row_id), forward(first, after)).await
    }

    /// The lorebooks attached to this person that you may read, in order; 32 at most, 20 a
    /// page unless told otherwise. The cursor is a lorebook's id.
    #[graphql(complexity = "cost(first, None, child_complexity)")]
    async fn lorebooks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Lorebook>> {
        lorebooks_of(ctx, self.row_id.uuid(), forward(first, after)).await
    }
}

impl From<persona::Persona> for Persona {
    fn from(row: persona::Persona) -> Self {
        let profile = row.profile;
        Self {
            name: profile.name,
            description: profile.description,
            age: profile.age,
            gender: profile.gender,
            appearance: profile.appearance,
            personality: profile.personality,
            avatar_url: profile.avatar_url,
            tags: profile.tags.0,
            fandom: profile.fandom,
            is_default: row.is_default,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
            row_id: row.id,
        }
    }
}

/// Queries on personas.
#[derive(Default)]
pub(super) struct PersonaQuery;

#[Object]
impl PersonaQuery {
    /// One of your personas; null if there is none with this id.
    async fn persona(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Option<Result<Persona>> {
        let id = match parse_id("id", &id) {
            Ok(id) => id,
            Err(error) => return Some(Err(error.into())),
        };
        let found = persona::get(ctx.app(), ctx.viewer(), id).await;
        nullable(found.map(Persona::from))
    }

    /// Your personas, oldest first; 20 a page unless told otherwise, 100 at most.
    #[graphql(complexity = "counted_cost(first, child_complexity)")]
    async fn personas(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Persona>> {
        let request = forward(first, after).check_forward()?;
        let slice = persona::list(ctx.app(), ctx.viewer(), &request).await?;
        let total =
            total(ctx, store::persona::count(&ctx.app().db, ctx.viewer().user()?.id)).await?;
        let slice = slice.map(Persona::from);
        Ok(page(slice, total, |persona| time_cursor(persona.created_at, persona.row_id)))
    }
}

/// What a new persona is.
#[derive(InputObject)]
struct CreatePersonaInput {
    /// An id you made (a `UUIDv7` written as `persona_…`), so that an optimistic entity keeps its id.
    id: Option<ID>,
    /// The name; 1 to 200 bytes.
    name: String,
    /// Who this is.
    #[graphql(default)]
    description: String,
    /// The age, as you word it.
    age: Option<String>,
    /// Gender or pronouns, as you word them.
    gender: Option<String>,
    /// How this person looks.
    #[graphql(default)]
    appearance: String,
    /// How this person is.
    #[graphql(default)]
    personality: String,
    /// A picture's address.
    avatar_url: Option<String>,
    /// Your own labels; at most 50.
    #[graphql(default)]
    tags: Vec<String>,
    /// The fictional world this person belongs to.
    fandom: Option<String>,
    /// Whether new sessions take this persona; your first one does anyway.
    #[graphql(default)]
    is_default: bool,
    /// Your id of this request: sent again with the same input, it gives the first result.
    client_request_id: String,
}

/// What of a persona changes; absent fields stay, null clears.
#[derive(InputObject)]
struct UpdatePersonaInput {
    /// The persona.
    id: ID,
    /// The name.
    name: Option<String>,
    /// Who this is.
    description: Option<String>,
    /// The age, as you word it.
    age: MaybeUndefined<String>,
    /// Gender or pronouns, as you word them.
    gender: MaybeUndefined<String>,
    /// How this person looks.
    appearance: Option<String>,
    /// How this person is.
    personality: Option<String>,
    /// A picture's address.
    avatar_url: MaybeUndefined<String>,
    /// Your own labels; at most 50.
    tags: Option<Vec<String>>,
    /// The fictional world this person belongs to.
    fandom: MaybeUndefined<String>,
    /// Whether new sessions take this persona.
    is_default: Option<bool>,
    /// Refuse the change with `CONFLICT` if the persona has another version by now.
    expected_version: Option<i64>,
}

/// Which persona to delete.
#[derive(InputObject)]
struct DeletePersonaInput {
    /// The persona.
    id: ID,
}

/// A persona, or why it could not be saved.
#[derive(SimpleObject)]
pub(super) struct PersonaPayload {
    /// The persona as it is now, also after a `CONFLICT` for `expectedVersion`; null if `errors`
    /// says why not.
    persona: Option<Persona>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// The id of what was deleted, or why it could not be.
#[derive(SimpleObject)]
pub(super) struct DeletePersonaPayload {
    /// The persona that is gone.
    deleted_persona_id: Option<ID>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations on personas.
#[derive(Default)]
pub(super) struct PersonaMutation;

#[Object]
impl PersonaMutation {
    /// Create a persona.
    async fn create_persona(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new persona.")] input: CreatePersonaInput,
    ) -> Result<PersonaPayload> {
        respond(create(ctx, input).await)
    }

    /// Change a persona. Sessions that use it follow from their next message on.
    async fn update_persona(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which persona, and what changes.")] input: UpdatePersonaInput,
    ) -> Result<PersonaPayload> {
        let id = input.id.clone();
        respond_to_update(ctx, &id, update(ctx, input).await).await
    }

    /// Delete a persona. While a story uses it, it only goes out of sight.
    async fn delete_persona(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which persona.")] input: DeletePersonaInput,
    ) -> Result<DeletePersonaPayload> {
        let outcome = match parse_id("input.id", &input.id) {
            Ok(id) => persona::delete(ctx.app(), ctx.viewer(), id).await,
            Err(error) => Err(error),
        };
        let (id, errors) = payload(outcome)?;
        Ok(DeletePersonaPayload { deleted_persona_id: id.map(ID::from), errors })
    }
}

async fn respond_to_update(
    ctx: &Context<'_>,
    id: &ID,
    outcome: skald_base::Result<persona::Persona>,
) -> Result<PersonaPayload> {
    let payload = respond(outcome)?;
    if payload.persona.is_some() {
        return Ok(payload);
    }
    let now = as_it_is::<PersonaId>(ctx, &payload.errors, id).await?;
    Ok(PersonaPayload { persona: now.map(Persona::from), ..payload })
}

fn respond(outcome: skald_base::Result<persona::Persona>) -> Result<PersonaPayload> {
    let (persona, errors) = payload(outcome)?;
    Ok(PersonaPayload { persona: persona.map(Persona::from), errors })
}

async fn create(
    ctx: &Context<'_>,
    input: CreatePersonaInput,
) -> skald_base::Result<persona::Persona> {
    let request = ClientRequestId::parse("input.clientRequestId", &input.client_request_id)?;
    let new = NewPersona {
        id: parse_optional_id("input.id", input.id.as_ref())?,
        profile: PersonaProfile {
            name: input.name,
            description: input.description,
            appearance: input.appearance,
            personality: input.personality,
            age: input.age,
            gender: input.gender,
            avatar_url: input.avatar_url,
            tags: Json(input.tags),
            fandom: input.fandom,
        },
        is_default: input.is_default,
    };
    persona::create(ctx.app(), ctx.viewer(), new, &request).await
}

async fn update(
    ctx: &Context<'_>,
    input: UpdatePersonaInput,
) -> skald_base::Result<persona::Persona> {
    let id = parse_id("input.id", &input.id)?;
    let profile = Patch::default()
        .set(input.name, |to: &mut PersonaProfile, value| to.name = value)
        .set(input.description, |to, value| to.description = value)
        .set(change(input.age), |to, value| to.age = value)
        .set(change(input.gender), |to, value| to.gender = value)
        .set(input.appearance, |to, value| to.appearance = value)
        .set(input.personality, |to, value| to.personality = value)
        .set(change(input.avatar_url), |to, value| to.avatar_url = value)
        .set(input.tags, |to, value| to.tags = Json(value))
        .set(change(input.fandom), |to, value| to.fandom = value);
    let expected_version = input.expected_version;
    let patch = PersonaPatch { profile, is_default: input.is_default, expected_version };
    persona::update(ctx.app(), ctx.viewer(), id, patch).await
}
