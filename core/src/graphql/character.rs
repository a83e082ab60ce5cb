//! Characters in the graph.

use async_graphql::{
    ComplexObject, Context, Enum, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject,
};
use chrono::{DateTime, Utc};
use skald_base::{
    UserError, UserId,
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
    user::UserRef,
};
use crate::{
    character::{self, Card, CharacterId, CharacterPatch, NewCharacter, Shelf},
    fact::FactOwner,
    patch::Patch,
    store,
};

/// Who may read a character.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "character::Visibility")]
pub(super) enum Visibility {
    /// Its creator alone.
    Private,
    /// Whoever has its id; it is in no list.
    Unlisted,
    /// Everybody; it stands in the catalogue.
    Public,
}

/// For whom a character's stories are meant.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "character::Rating")]
pub(super) enum ContentRating {
    /// For everybody.
    General,
    /// For teenagers and older.
    Teen,
    /// For adults.
    Mature,
}

/// A character that a model plays.
///
/// Readable by its creator, by everybody if `PUBLIC` or `UNLISTED`, and by
/// the players of sessions that use it. Writable by its creator alone.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct Character {
    /// The name; what `{{char}}` stands for.
    name: String,
    /// Who this is, in free text.
    description: String,
    /// How this character looks.
    appearance: String,
    /// How this character is.
    personality: String,
    /// Where and how a story with it begins.
    scenario: String,
    /// Its first message in a new session; `{{char}}` and `{{user}}` stand for the names.
    greeting: String,
    /// Other first messages: alternatives to the greeting.
    alternate_greetings: Vec<String>,
    /// How it talks, by example.
    example_dialogue: String,
    /// An instruction to the model, added to the server's own.
    system_prompt: String,
    /// An instruction to the model after the history.
    post_history_instructions: String,
    /// For readers of the catalogue; never in a prompt.
    creator_notes: String,
    /// The language of its texts, as a BCP 47 tag.
    language: Option<String>,
    /// Labels for the catalogue.
    tags: Vec<String>,
    /// The fictional world it belongs to.
    fandom: Option<String>,
    /// For whom its stories are meant.
    rating: ContentRating,
    /// Who may read it.
    visibility: Visibility,
    /// A picture; stored, never fetched by the server.
    avatar_url: Option<String>,
    /// Counts edits; send it as `expectedVersion` to notice a concurrent one.
    version: i64,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it was edited last.
    updated_at: DateTime<Utc>,
    /// When it was deleted; it stays readable to the sessions that use it.
    deleted_at: Option<DateTime<Utc>>,
    #[graphql(skip)]
    creator_id: Option<UserId>,
    #[graphql(skip)]
    row_id: CharacterId,
}

#[ComplexObject]
impl Character {
    /// The id, such as `character_01jd…`.
    pub(super) async fn id(&self) -> ID {
        self.row_id.into()
    }

    /// Who made it; null if it came with the server or the account is gone.
    async fn creator(&self) -> Option<UserRef> {
        self.creator_id.map(UserRef)
    }

    /// What is known of it, oldest first; 20 a page unless told otherwise, 100 at most.
    #[graphql(complexity = "counted_cost(first, child_complexity)")]
    async fn facts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Fact>> {
        facts(ctx, FactOwner::Character(self.row_id), forward(first, after)).await
    }

    /// The lorebooks attached to it that you may read, in order; 32 at most, 20 a page unless told
    /// otherwise. The cursor is a lorebook's id.
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

impl From<character::Character> for Character {
    fn from(row: character::Character) -> Self {
        let card = row.card;
        Self {
            name: card.name,
            description: card.description,
            appearance: card.appearance,
            personality: card.personality,
            scenario: card.scenario,
            greeting: card.greeting,
            alternate_greetings: card.alternate_greetings.0,
            example_dialogue: card.example_dialogue,
            system_prompt: card.system_prompt,
            post_history_instructions: card.post_history_instructions,
            creator_notes: card.creator_notes,
            language: card.language,
            tags: card.tags.0,
            fandom: card.fandom,
            rating: card.rating.into(),
            visibility: row.visibility.into(),
            avatar_url: card.avatar_url,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
            creator_id: row.creator_id,
            row_id: row.id,
        }
    }
}

/// Which characters to list.
#[derive(InputObject)]
struct CharacterFilter {
    /// Only those you created.
    mine: Option<bool>,
}

/// Queries on characters.
#[derive(Default)]
pub(super) struct CharacterQuery;

#[Object]
impl CharacterQuery {
    /// One character; null if there is none that you may read.
    async fn character(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Option<Result<Character>> {
        let id = match parse_id("id", &id) {
            Ok(id) => id,
            Err(error) => return Some(Err(error.into())),
        };
        let found = character::get(ctx.app(), ctx.viewer(), id).await;
        nullable(found.map(Character::from))
    }

    /// The public catalogue and your own characters, newest first; 20 a page
    /// unless told otherwise, 100 at most.
    #[graphql(complexity = "counted_cost(first, child_complexity)")]
    async fn characters(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which characters; the catalogue and your own if absent.")] filter: Option<
            CharacterFilter,
        >,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Character>> {
        let mine = filter.and_then(|filter| filter.mine).unwrap_or_default();
        let which = if mine { Shelf::Mine } else { Shelf::Catalogue };
        let request = forward(first, after).check_forward()?;
        let slice = character::list(ctx.app(), ctx.viewer(), which, &request).await?;
        let total =
            total(ctx, store::character::count(&ctx.app().db, ctx.viewer().id(), which)).await?;
        let slice = slice.map(Character::from);
        Ok(page(slice, total, |character| time_cursor(character.created_at, character.row_id)))
    }
}

/// What a new character is.
#[derive(InputObject)]
struct CreateCharacterInput {
    /// An id you made (a `UUIDv7` written as `character_…`), so that an optimistic entity keeps its id.
    id: Option<ID>,
    /// The name; 1 to 200 bytes.
    name: String,
    /// Who this is.
    #[graphql(default)]
    description: String,
    /// How this character looks.
    #[graphql(default)]
    appearance: String,
    /// How this character is.
    #[graphql(default)]
    personality: String,
    /// Where and how a story with it begins.
    #[graphql(default)]
    scenario: String,
    /// Its first message in a new session.
    #[graphql(default)]
    greeting: String,
    /// Other first messages; at most 50.
    #[graphql(default)]
    alternate_greetings: Vec<String>,
    /// How it talks, by example.
    #[graphql(default)]
    example_dialogue: String,
    /// An instruction to the model, added to the server's own.
    #[graphql(default)]
    system_prompt: String,
    /// An instruction to the model after the history.
    #[graphql(default)]
    post_history_instructions: String,
    /// For readers of the catalogue.
    #[graphql(default)]
    creator_notes: String,
    /// The language of its texts, as a BCP 47 tag.
    language: Option<String>,
    /// Labels for the catalogue; at most 50.
    #[graphql(default)]
    tags: Vec<String>,
    /// The fictional world it belongs to.
    fandom: Option<String>,
    /// For whom its stories are meant; `GENERAL` if absent.
    rating: Option<ContentRating>,
    /// Who may read it; `PRIVATE` if absent.
    visibility: Option<Visibility>,
    /// A picture's address.
    avatar_url: Option<String>,
    /// Your id of this request: sent again with the same input, it gives the first result.
    client_request_id: String,
}

/// What of a character changes; absent fields stay, null clears.
#[derive(InputObject)]
struct UpdateCharacterInput {
    /// The character.
    id: ID,
    /// The name.
    name: Option<String>,
    /// Who this is.
    description: Option<String>,
    /// How this character looks.
    appearance: Option<String>,
    /// How this character is.
    personality: Option<String>,
    /// Where and how a story with it begins.
    scenario: Option<String>,
    /// Its first message in a new session.
    greeting: Option<String>,
    /// Other first messages; at most 50.
    alternate_greetings: Option<Vec<String>>,
    /// How it talks, by example.
    example_dialogue: Option<String>,
    /// An instruction to the model, added to the server's own.
    system_prompt: Option<String>,
    /// An instruction to the model after the history.
    post_history_instructions: Option<String>,
    /// For readers of the catalogue.
    creator_notes: Option<String>,
    /// The language of its texts, as a BCP 47 tag.
    language: MaybeUndefined<String>,
    /// Labels for the catalogue; at most 50.
    tags: Option<Vec<String>>,
    /// The fictional world it belongs to.
    fandom: MaybeUndefined<String>,
    /// For whom its stories are meant.
    rating: Option<ContentRating>,
    /// Who may read it.
    visibility: Option<Visibility>,
    /// A picture's address.
    avatar_url: MaybeUndefined<String>,
    /// Refuse the change with `CONFLICT` if the character has another version by now.
    expected_version: Option<i64>,
}

/// Which character to delete.
#[derive(InputObject)]
struct DeleteCharacterInput {
    /// The character.
    id: ID,
}

/// A character, or why it could not be saved.
#[derive(SimpleObject)]
pub(super) struct CharacterPayload {
    /// The character as it is now, also after a `CONFLICT` for `expectedVersion`; null if `errors`
    /// says why not.
    character: Option<Character>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// The id of what was deleted, or why it could not be.
#[derive(SimpleObject)]
pub(super) struct DeleteCharacterPayload {
    /// The character that is gone from the catalogue.
    deleted_character_id: Option<ID>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations on characters.
#[derive(Default)]
pub(super) struct CharacterMutation;

#[Object]
impl CharacterMutation {
    /// Create a character.
    async fn create_character(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new character.")] input: CreateCharacterInput,
    ) -> Result<CharacterPayload> {
        respond(create(ctx, input).await)
    }

    /// Change a character. Sessions follow it from their next reply on.
    async fn update_character(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which character, and what changes.")] input: UpdateCharacterInput,
    ) -> Result<CharacterPayload> {
        let id = input.id.clone();
        respond_to_update(ctx, &id, update(ctx, input).await).await
    }

    /// Delete a character. Sessions that use it go on.
    async fn delete_character(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which character.")] input: DeleteCharacterInput,
    ) -> Result<DeleteCharacterPayload> {
        let outcome = match parse_id("input.id", &input.id) {
            Ok(id) => character::delete(ctx.app(), ctx.viewer(), id).await,
            Err(error) => Err(error),
        };
        let (id, errors) = payload(outcome)?;
        Ok(DeleteCharacterPayload { deleted_character_id: id.map(ID::from), errors })
    }
}

async fn respond_to_update(
    ctx: &Context<'_>,
    id: &ID,
    outcome: skald_base::Result<character::Character>,
) -> Result<CharacterPayload> {
    let payload = respond(outcome)?;
    if payload.character.is_some() {
        return Ok(payload);
    }
    let now = as_it_is::<CharacterId>(ctx, &payload.errors, id).await?;
    Ok(CharacterPayload { character: now.map(Character::from), ..payload })
}

fn respond(outcome: skald_base::Result<character::Character>) -> Result<CharacterPayload> {
    let (character, errors) = payload(outcome)?;
    Ok(CharacterPayload { character: character.map(Character::from), errors })
}

async fn create(
    ctx: &Context<'_>,
    input: CreateCharacterInput,
) -> skald_base::Result<character::Character> {
    let request = ClientRequestId::parse("input.clientRequestId", &input.client_request_id)?;
    let new = NewCharacter {
        id: parse_optional_id("input.id", input.id.as_ref())?,
        card: Card {
            name: input.name,
            description: input.description,
            appearance: input.appearance,
            personality: input.personality,
            scenario: input.scenario,
            greeting: input.greeting,
            alternate_greetings: Json(input.alternate_greetings),
            example_dialogue: input.example_dialogue,
            system_prompt: input.system_prompt,
            post_history_instructions: input.post_history_instructions,
            creator_notes: input.creator_notes,
            language: input.language,
            tags: Json(input.tags),
            fandom: input.fandom,
            rating: input.rating.map(Into::into).unwrap_or_default(),
            avatar_url: input.avatar_url,
        },
        visibility: input.visibility.map(Into::into).unwrap_or_default(),
    };
    character::create(ctx.app(), ctx.viewer(), new, &request).await
}

async fn update(
    ctx: &Context<'_>,
    input: UpdateCharacterInput,
) -> skald_base::Result<character::Character> {
    let id = parse_id("input.id", &input.id)?;
    let card = Patch::default()
        .set(input.name, |to: &mut Card, value| to.name = value)
        .set(input.description, |to, value| to.description = value)
        .set(input.appearance, |to, value| to.appearance = value)
        .set(input.personality, |to, value| to.personality = value)
        .set(input.scenario, |to, value| to.scenario = value)
        .set(input.greeting, |to, value| to.greeting = value)
        .set(input.alternate_greetings, |to, value| to.alternate_greetings = Json(value))
        .set(input.example_dialogue, |to, value| to.example_dialogue = value)
        .set(input.system_prompt, |to, value| to.system_prompt = value)
        .set(input.post_history_instructions, |to, value| to.post_history_instructions = value)
        .set(input.creator_notes, |to, value| to.creator_notes = value)
        .set(change(input.language), |to, value| to.language = value)
        .set(input.tags, |to, value| to.tags = Json(value))
        .set(change(input.fandom), |to, value| to.fandom = value)
        .set(input.rating.map(character::Rating::from), |to, value| to.rating = value)
        .set(change(input.avatar_url), |to, value| to.avatar_url = value);
    let visibility = input.visibility.map(character::Visibility::from);
    let patch = CharacterPatch { card, visibility, expected_version: input.expected_version };
    character::update(ctx.app(), ctx.viewer(), id, patch).await
}
