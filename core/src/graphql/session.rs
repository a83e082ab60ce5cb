//! Sessions in the graph.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use skald_base::{
    Error, UserError,
    graph::{
        ClientRequestId, PageArguments, PageEnd, Slice, nullable, parse_id, parse_ids,
        parse_optional_id, parse_time_cursor, payload, time_cursor,
    },
};

use super::{
    attachment::lorebooks_of,
    character::Character,
    connection::{Page, change, cost, counted_cost, forward, page, total},
    context::Graph,
    loaders::{CastKey, PathKey, RunningKey, TagsKey, UsageKey},
    lorebook::Lorebook,
    message::Message,
    outline::{self, Outline, SessionStats, outline_cost},
    persona::Persona,
    search::{SearchHit, search_page},
    settings::{SessionSettings, SessionSettingsInput},
    stale::as_it_is,
    usage::Usage,
    user::UserRef,
};
use crate::{
    patch::Patch,
    session::{self, NewSession, SessionId, SessionPatch, Settings},
    store,
    tree::{self, MessageId},
};

/// How a story is driven.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "session::SessionMode")]
pub(super) enum SessionMode {
    /// Freely: anything goes.
    Sandbox,
}

/// In which grammatical person the story is told.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "session::NarrativeVoice")]
enum NarrativeVoice {
    /// "I raise the lantern."
    First,
    /// "You see her raise the lantern."
    Second,
    /// "Mira raises the lantern."
    Third,
}

/// One playthrough: a persona, a cast, and the tree of their messages.
#[derive(Clone)]
pub(super) struct Session(pub(super) session::Session);

/// A character on stage, with name and avatar as they were when it joined.
#[derive(SimpleObject)]
struct CastMember {
    /// The name on the bill.
    name: String,
    /// The picture on the bill.
    avatar_url: Option<String>,
    /// The character as it is now; null if it is gone for good.
    character: Option<Character>,
}

/// One playthrough: a persona, a cast, and the tree of their messages.
#[Object]
impl Session {
    /// The id, such as `session_01jd…`.
    pub(super) async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The title you gave it.
    async fn title(&self) -> Option<&str> {
        self.0.settings.title.as_deref()
    }

    /// How the story is driven.
    async fn mode(&self) -> SessionMode {
        self.0.mode.into()
    }

    /// The language the story is told in, as a BCP 47 tag such as `en` or `ru`.
    async fn language(&self) -> &str {
        &self.0.settings.language
    }

    /// In which grammatical person the story is told.
    async fn narrative_voice(&self) -> NarrativeVoice {
        self.0.settings.narrative_voice.into()
    }

    /// What persona and cast are to each other, in free text.
    async fn relationship(&self) -> Option<&str> {
        self.0.settings.relationship.as_deref()
    }

    /// Whose session it is; null if the account is gone.
    async fn owner(&self) -> Option<UserRef> {
        Some(UserRef(self.0.owner_id))
    }

    /// Whom the owner plays; null if the persona is gone or not yours to see.
    async fn persona(&self, ctx: &Context<'_>) -> Option<Result<Persona>> {
        let loaded = ctx.loaders().load(self.0.persona_id?).await;
        loaded.map(|found| found.map(Persona::from)).map_err(Into::into).transpose()
    }

    /// The characters on stage, in order; 1 to 8.
    async fn cast(&self, ctx: &Context<'_>) -> Result<Vec<CastMember>> {
        let members = ctx.loaders().load(CastKey(self.0.id)).await?.unwrap_or_default();
        let wanted = ctx.look_ahead().field("character").exists();
        let load = async |member: session::CastMember| -> Result<CastMember> {
            let character = match member.character_id.filter(|_| wanted) {
                Some(id) => ctx.loaders().load(id).await?.map(Character::from),
                None => None,
            };
            Ok(CastMember { name: member.name, avatar_url: member.avatar_url, character })
        };
        futures_util::future::try_join_all(members.into_iter().map(load)).await
    }

    /// The number of the last stored event, as of when this session was read:
    /// give it to `sessionEvents(after:)` and nothing is missed.
    async fn sequence(&self) -> i64 {
        self.0.last_sequence
    }

    /// The leaf of the active path; null in a session without messages.
    async fn head(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        let loaded = ctx.loaders().load(self.0.head_id?).await;
        loaded.map(|found| found.map(Message)).map_err(Into::into).transpose()
    }

    /// What calls of models cost in this session so far.
    async fn usage(&self, ctx: &Context<'_>) -> Result<Usage> {
        let sums = ctx.loaders().load(UsageKey(self.0.id)).await?.unwrap_or_default();
        Ok(Usage::from(sums))
    }

    /// The session this one was forked from; null if it is no fork, or if that is gone or not yours.
    async fn forked_from(&self, ctx: &Context<'_>) -> Option<Result<Session>> {
        let loaded = ctx.loaders().load(self.0.forked_from_id?).await;
        loaded.map(|found| found.map(Session)).map_err(Into::into).transpose()
    }

    /// The message of that session it was forked at; null if that is gone or not yours.
    async fn forked_at(&self, ctx: &Context<'_>) -> Option<Result<Message>> {
        let loaded = ctx.loaders().load(self.0.forked_at_id?).await;
        loaded.map(|found| found.map(Message)).map_err(Into::into).transpose()
    }

    /// The messages that are being written now.
    async fn running_replies(&self, ctx: &Context<'_>) -> Result<Vec<Message>> {
        let ids = ctx.loaders().load(RunningKey(self.0.id)).await?.unwrap_or_default();
        let rows = ctx.loaders().load_all(&ids).await?;
        Ok(rows.into_iter().map(Message).collect())
    }

    /// The messages from the root to a leaf (the head if absent), in order.
    ///
    /// The last 20 unless told otherwise, 100 at most; read upwards with
    /// `last` and `before`. A message id is a valid cursor. For a given leaf
    /// the path never changes, and reading it costs the same at any depth.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the graph's")]
    async fn path(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where the path ends; at the head if absent.")] leaf: Option<ID>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many nodes from the end, 100 at most.")] last: Option<i32>,
        #[graphql(desc = "Only nodes before this cursor.")] before: Option<String>,
    ) -> Result<Page<Message>> {
        let request = PageArguments { first, after, last, before }.check(PageEnd::Back)?;
        let leaf: Option<MessageId> = parse_optional_id("leaf", leaf.as_ref())?;
        let slice = match (leaf, self.0.head_id) {
            (None, None) => Slice { rows: Vec::new(), has_previous: false, has_next: false },
            (None, Some(head))
                if request.end == PageEnd::Back
                    && request.size > 0
                    && request.after.is_none()
                    && request.before.is_none() =>
            {
                let size = i64::try_from(request.size).unwrap_or(i64::MAX);
                let rows = ctx.loaders().load(PathKey { leaf: head, size }).await?;
                let rows = rows.unwrap_or_default();
                let has_previous = rows.first().is_some_and(|first| first.depth > 0);
                Slice { rows, has_previous, has_next: false }
            }
            (leaf, head) => {
                let Some(leaf) = leaf.or(head) else { return Err("no leaf".into()) };
                tree::path::window(ctx.app(), self.0.id, leaf, &request).await?
            }
        };
        Ok(page(slice.map(Message), None, |message| message.0.id.to_string()))
    }

    /// The whole tree, flat, in order of creation; deleted messages left out.
    #[graphql(complexity = "counted_cost(first, child_complexity)")]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Message>> {
        let request = forward(first, after).check_forward()?;
        let after = request.after.as_deref();
        let after = after.map(|text| parse_time_cursor("after", text)).transpose()?;
        let db = &ctx.app().db;
        let rows = store::message::all_in_session(db, self.0.id, after, request.limit()).await?;
        let total = total(ctx, store::message::count(db, self.0.id)).await?;
        let slice = request.cut(rows).map(Message);
        Ok(page(slice, total, |message| time_cursor(message.0.created_at, message.0.id)))
    }

    /// The whole tree in light nodes, for a tree view: in order of creation,
    /// deleted messages left out; 5,000 a page unless told otherwise, and at most.
    #[graphql(complexity = "outline_cost(first, child_complexity)")]
    async fn outline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 5,000 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Outline> {
        outline::read(ctx, self.0.id, first, after).await
    }

    /// Figures of the session: its messages, branches, tokens and cost.
    #[graphql(complexity = "10 + child_complexity")]
    async fn stats(&self) -> SessionStats {
        SessionStats(self.0.id)
    }

    /// The messages that hold what you look for, newest texts first; 20 a page
    /// unless told otherwise, 100 at most.
    ///
    /// Every word has to be there, in any of its forms (English and Russian are
    /// known); the last one may be unfinished, from three letters on. What stands in quotation marks
    /// has to be there in that order. Nothing else has a meaning of its own. All
    /// branches are searched; deleted messages and replies that are still being
    /// written are left out. A text without a word, or of more than 500 bytes,
    /// is refused with `BAD_USER_INPUT`. More than 1,000 hits are not counted:
    /// `totalCount` is null then.
    #[graphql(complexity = "counted_cost(first, child_complexity)")]
    async fn search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to look for.")] text: String,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<SearchHit>> {
        search_page(ctx, &self.0, &text, forward(first, after)).await
    }

    /// The messages that you keep under a name, in order of their creation; deleted ones left
    /// out. 20 a page unless told otherwise, 100 at most.
    #[graphql(complexity = "counted_cost(first, child_complexity)")]
    async fn bookmarks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Message>> {
        let request = forward(first, after).check_forward()?;
        let after = request.after.as_deref();
        let after = after.map(|text| parse_time_cursor("after", text)).transpose()?;
        let (db, id) = (&ctx.app().db, self.0.id);
        let rows = store::message::bookmarked_in_session(db, id, after, request.limit()).await?;
        let total = total(ctx, store::message::count_bookmarked(db, id)).await?;
        let slice = request.cut(rows).map(Message);
        Ok(page(slice, total, |message| time_cursor(message.0.created_at, message.0.id)))
    }

    /// The lorebooks attached to the session itself that you may read, in order; 32 at most, 20 a
    /// page unless told otherwise. The cursor is a lorebook's id.
    #[graphql(complexity = "cost(first, None, child_complexity)")]
    async fn lorebooks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Lorebook>> {
        lorebooks_of(ctx, self.0.id.uuid(), forward(first, after)).await
    }

    /// What you set about how the story is written.
    async fn settings(&self) -> SessionSettings {
        self.0.settings.clone().into()
    }

    /// Counts edits of the settings; send it as `expectedVersion` to notice a concurrent one.
    async fn version(&self) -> i64 {
        self.0.version
    }

    /// When it began.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When something last happened in it; sessions are listed by it unless told otherwise.
    async fn last_activity_at(&self) -> DateTime<Utc> {
        self.0.last_activity_at
    }

    /// When you put it away; null if you have not, or have taken it out again.
    async fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.0.archived_at
    }

    /// Your tags, in your order.
    async fn tags(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        Ok(ctx.loaders().load(TagsKey(self.0.id)).await?.unwrap_or_default())
    }

    /// When it was deleted; it can be restored.
    async fn deleted_at(&self) -> Option<DateTime<Utc>> {
        self.0.deleted_at
    }
}

/// Queries on sessions.
#[derive(Default)]
pub(super) struct SessionQuery;

#[Object]
impl SessionQuery {
    /// One of your sessions, deleted or not; null if there is none with this id.
    async fn session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Option<Result<Session>> {
        let id = match parse_id("id", &id) {
            Ok(id) => id,
            Err(error) => return Some(Err(error.into())),
        };
        nullable(session::get(ctx.app(), ctx.viewer(), id).await.map(Session))
    }
}

/// What a new session is.
#[derive(InputObject)]
struct CreateSessionInput {
    /// An id you made (a `UUIDv7` written as `session_…`), so that an optimistic entity keeps its id.
    id: Option<ID>,
    /// Whom you play; your default persona if absent.
    persona_id: Option<ID>,
    /// The cast, in order; 1 to 8. The first one greets.
    character_ids: Vec<ID>,
    /// A title.
    title: Option<String>,
    /// The language the story is told in, as a BCP 47 tag; `en` if absent.
    language: Option<String>,
    /// In which grammatical person the story is told; `THIRD` if absent.
    narrative_voice: Option<NarrativeVoice>,
    /// What persona and cast are to each other, in free text.
    relationship: Option<String>,
    /// How the story is written.
    settings: Option<SessionSettingsInput>,
    /// Your id of this request: sent again with the same input, it gives the first result.
    client_request_id: String,
}

/// What of a session changes; absent fields stay, null clears.
#[derive(InputObject)]
struct UpdateSessionInput {
    /// The session.
    id: ID,
    /// Play on as this persona of yours.
    persona_id: Option<ID>,
    /// The title.
    title: MaybeUndefined<String>,
    /// The language the story is told in, as a BCP 47 tag.
    language: Option<String>,
    /// In which grammatical person the story is told.
    narrative_voice: Option<NarrativeVoice>,
    /// What persona and cast are to each other.
    relationship: MaybeUndefined<String>,
    /// How the story is written.
    settings: Option<SessionSettingsInput>,
    /// Put it away (true): it leaves the list, and stories go on in it as before. Or take it out.
    archived: Option<bool>,
    /// All its tags, in your order: 20 at most of 1 to 100 bytes each. White space around them is
    /// cut off, and of those that differ only in case the first stays.
    tags: Option<Vec<String>>,
    /// Refuse the change with `CONFLICT` if the session has another version by now.
    expected_version: Option<i64>,
}

/// Which session to delete.
#[derive(InputObject)]
struct DeleteSessionInput {
    /// The session.
    id: ID,
}

/// Which session to restore.
#[derive(InputObject)]
struct RestoreSessionInput {
    /// The session.
    id: ID,
}

/// A session, or why it could not be saved.
#[derive(SimpleObject)]
pub(super) struct SessionPayload {
    /// The session as it is now, also after a `CONFLICT` for `expectedVersion`; null if `errors`
    /// says why not.
    session: Option<Session>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations on sessions.
#[derive(Default)]
pub(super) struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Begin a session: the first character greets, alternate greetings are its siblings.
    async fn create_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new session.")] input: CreateSessionInput,
    ) -> Result<SessionPayload> {
        respond(create(ctx, input).await)
    }

    /// Change a session's settings.
    async fn update_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session, and what changes.")] input: UpdateSessionInput,
    ) -> Result<SessionPayload> {
        let id = input.id.clone();
        respond_to_update(ctx, &id, update(ctx, input).await).await
    }

    /// Delete a session: it leaves your list and what is being written in it stops.
    async fn delete_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session.")] input: DeleteSessionInput,
    ) -> Result<SessionPayload> {
        let outcome = match parse_id("input.id", &input.id) {
            Ok(id) => session::delete(ctx.app(), ctx.viewer(), id).await,
            Err(error) => Err(error),
        };
        respond(outcome.map_err(|error| error.at("input.id")))
    }

    /// Bring a deleted session back as it was.
    async fn restore_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session.")] input: RestoreSessionInput,
    ) -> Result<SessionPayload> {
        let outcome = match parse_id("input.id", &input.id) {
            Ok(id) => session::restore(ctx.app(), ctx.viewer(), id).await,
            Err(error) => Err(error),
        };
        respond(outcome.map_err(|error| error.at("input.id")))
    }
}

async fn respond_to_update(
    ctx: &Context<'_>,
    id: &ID,
    outcome: skald_base::Result<session::Session>,
) -> Result<SessionPayload> {
    let payload = respond(outcome)?;
    if payload.session.is_some() {
        return Ok(payload);
    }
    let now = as_it_is::<SessionId>(ctx, &payload.errors, id).await?;
    Ok(SessionPayload { session: now.map(Session), ..payload })
}

pub(super) fn respond(outcome: skald_base::Result<session::Session>) -> Result<SessionPayload> {
    let (session, errors) = payload(outcome)?;
    Ok(SessionPayload { session: session.map(Session), errors })
}

async fn create(
    ctx: &Context<'_>,
    input: CreateSessionInput,
) -> skald_base::Result<session::Session> {
    let request = ClientRequestId::parse("input.clientRequestId", &input.client_request_id)?;
    let mut settings = Settings {
        title: input.title,
        language: input.language.unwrap_or_else(|| "en".into()),
        narrative_voice: input.narrative_voice.map(Into::into).unwrap_or_default(),
        relationship: input.relationship,
        ..Settings::default()
    };
    input.settings.unwrap_or_default().add_to(Patch::default()).apply(&mut settings);
    let new = NewSession {
        id: parse_optional_id("input.id", input.id.as_ref())?,
        persona_id: parse_optional_id("input.personaId", input.persona_id.as_ref())?,
        character_ids: parse_ids("input.characterIds", &input.character_ids)?,
        settings,
    };
    session::create(ctx.app(), ctx.viewer(), new, &request).await
}

async fn update(
    ctx: &Context<'_>,
    input: UpdateSessionInput,
) -> skald_base::Result<session::Session> {
    let id: SessionId = parse_id("input.id", &input.id)?;
    let voice = input.narrative_voice.map(session::NarrativeVoice::from);
    let settings = Patch::default()
        .set(change(input.title), |to: &mut Settings, value| to.title = value)
        .set(input.language, |to, value| to.language = value)
        .set(voice, |to, value| to.narrative_voice = value)
        .set(change(input.relationship), |to, value| to.relationship = value);
    let settings = input.settings.unwrap_or_default().add_to(settings);
    let persona_id = parse_optional_id("input.personaId", input.persona_id.as_ref())?;
    let patch = SessionPatch {
        settings,
        persona_id,
        archived: input.archived,
        tags: input.tags,
        expected_version: input.expected_version,
    };
    let outcome = session::update(ctx.app(), ctx.viewer(), id, patch).await;
    outcome.map_err(|error| match error {
        Error::User(user) if user.path.is_none() => Error::User(user.at("input.id")),
        Error::User(_) | Error::Unauthenticated | Error::Database(_) | Error::Internal(_) => error,
    })
}
