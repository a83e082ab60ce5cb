//! Sessions: one playthrough of a persona with a cast.

pub mod change;
pub mod export;
pub mod fork;
pub mod graft;
pub mod import;
pub mod list;
pub mod native;
pub mod style;
mod tags;
pub mod watch;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skald_base::{
    Error, Id, Kind, Result, UserError, UserErrorCode, UserId, Viewer,
    db::Source,
    graph::{ClientRequestId, TextRule},
};

use self::change::SessionChange;
pub use self::style::{NarrativeTense, ReplyLength, Style};
use crate::{
    app::App,
    character::{Character, CharacterId},
    events::EventBody,
    fold::fold,
    llm::ModelRole,
    patch::{Patch, check_version},
    persona::{Persona, PersonaId},
    prompt::macros::Names,
    purge, request, store,
    tree::{Author, MessageId, MessageRole, MessageStatus},
};

/// Marks ids of sessions.
pub enum SessionKind {}
impl Kind for SessionKind {
    const PREFIX: &'static str = "session";
}
/// The id of a session.
pub type SessionId = Id<SessionKind>;

/// Characters on stage at most.
pub const MAX_CAST: usize = 8;

/// How a story is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum SessionMode {
    Sandbox,
}

/// In which grammatical person the story is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum NarrativeVoice {
    First,
    Second,
    #[default]
    Third,
}

/// One playthrough.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration and the graph document each field")]
pub struct Session {
    pub id: SessionId,
    pub owner_id: UserId,
    pub mode: SessionMode,
    #[sqlx(flatten)]
    pub settings: Settings,
    pub persona_id: Option<PersonaId>,
    pub forked_from_id: Option<SessionId>,
    pub forked_at_id: Option<MessageId>,
    pub head_id: Option<MessageId>,
    pub last_sequence: i64,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub last_activity_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub title_folded: String,
}

/// What a player may change about a session at any time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the migration and the graph document each field")]
pub struct Settings {
    pub title: Option<String>,
    pub language: String,
    pub narrative_voice: NarrativeVoice,
    pub relationship: Option<String>,
    pub story_model: Option<String>,
    pub supervisor_model: Option<String>,
    pub fallback_model: Option<String>,
    #[sqlx(flatten)]
    pub style: Style,
}

/// A character on stage, with name and avatar as they were when it joined.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration and the graph document each field")]
pub struct CastMember {
    pub session_id: SessionId,
    pub position: i64,
    pub character_id: Option<CharacterId>,
    pub name: String,
    pub avatar_url: Option<String>,
}

/// What it takes to begin a session.
#[derive(Clone, Debug, Serialize)]
pub struct NewSession {
    /// A client-made id, unused so far.
    pub id: Option<SessionId>,
    /// Whom the player plays; their default persona if absent.
    pub persona_id: Option<PersonaId>,
    /// The cast, in order; the first one greets.
    pub character_ids: Vec<CharacterId>,
    /// Title, language and so on.
    pub settings: Settings,
}

/// A change to a session's settings; absent fields stay.
#[derive(Debug, Default)]
pub struct SessionPatch {
    /// Changes the settings in place.
    pub settings: Patch<Settings>,
    /// Plays on as somebody else.
    pub persona_id: Option<PersonaId>,
    /// Puts it away, or back on the list.
    pub archived: Option<bool>,
    /// Replaces its tags.
    pub tags: Option<Vec<String>>,
    /// Refuses the change if the session has another version by now.
    pub expected_version: Option<i64>,
}

impl Settings {
    /// The title in the form by which it is searched and ordered; empty without one.
    fn folded_title(&self) -> String {
        fold(self.title.as_deref().unwrap_or_default())
    }

    /// Refuses what cannot be; `before` is what they were.
    fn check(&self, app: &App, before: &Self) -> Result<()> {
        let title = self.title.as_deref().unwrap_or_default();
        TextRule::optional(500).check("input.title", title)?;
        let relationship = self.relationship.as_deref().unwrap_or_default();
        TextRule::optional(16 * 1024).check("input.relationship", relationship)?;
        let language = &self.language;
        let is_tag = (2..=35).contains(&language.len())
            && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_tag {
            return Err(Error::invalid("input.language", "not a BCP 47 language tag, such as en"));
        }
        self.style.check("input.settings.style")?;
        let (story, supervisor) = (&self.story_model, &self.supervisor_model);
        let (writes, judges) = (ModelRole::Story, ModelRole::Supervisor);
        let fallback = &self.fallback_model;
        for (role, path, model, before) in [
            (writes, "input.settings.storyModelId", story, &before.story_model),
            (judges, "input.settings.supervisorModelId", supervisor, &before.supervisor_model),
            (writes, "input.settings.fallbackModelId", fallback, &before.fallback_model),
        ] {
            // A model that the server has lost meanwhile must not keep a title from changing.
            let chosen = model.as_deref().filter(|_| model != before);
            chosen.map_or(Ok(()), |id| app.check_model_for(role, path, id))?;
        }
        Ok(())
    }
}

/// Begins a session: the cast takes the stage and the first character greets.
pub async fn create(
    app: &App,
    viewer: &Viewer,
    new: NewSession,
    request: &ClientRequestId,
) -> Result<Session> {
    let user = viewer.user()?;
    let id = request::fresh_id(app, "input.id", new.id)?;
    let claim = request::Claim::new(user.id, "createSession", request, &new);
    let mut tx = app.db.begin().await?;
    if let Some(first) = request::claim(app, &mut tx, &claim, &id).await? {
        drop(tx);
        return get(app, viewer, first).await;
    }
    // A repeat is answered even if a model has left the server since.
    new.settings.check(app, &Settings::default())?;
    let persona = choose_persona(&mut tx, viewer, new.persona_id).await?;
    let cast = load_cast(&mut tx, viewer, &new.character_ids).await?;
    let now = app.clock.now();
    let title_folded = new.settings.folded_title();
    let session = Session {
        id,
        owner_id: user.id,
        mode: SessionMode::Sandbox,
        settings: new.settings,
        persona_id: Some(persona.id),
        forked_from_id: None,
        forked_at_id: None,
        head_id: None,
        last_sequence: 0,
        version: 1,
        created_at: now,
        last_activity_at: now,
        archived_at: None,
        deleted_at: None,
        title_folded,
    };
    store::session::insert(&mut tx, &session).await.map_err(request::id_taken)?;
    store::session::admit(&mut tx, &session).await?;
    for (position, character) in (0..).zip(&cast) {
        store::session::insert_cast(&mut tx, &cast_member(id, position, character)).await?;
    }
    let mut change = SessionChange::begin(app, tx, session);
    greet(&mut change, &persona, &cast).await?;
    change.commit().await
}

async fn choose_persona(
    source: &mut impl Source,
    viewer: &Viewer,
    id: Option<PersonaId>,
) -> Result<Persona> {
    let user = viewer.user()?;
    let Some(id) = id else {
        let persona = store::persona::find_default(source, user.id).await?;
        let message = "you have no persona to play: create one first";
        let missing = UserError::new(UserErrorCode::NotFound, message).at("input.personaId");
        return persona.ok_or_else(|| missing.into());
    };
    let persona = store::persona::find(source, id, user.id).await?;
    persona
        .filter(|persona| persona.deleted_at.is_none())
        .ok_or_else(|| Error::not_found("persona").at("input.personaId"))
}

async fn load_cast(
    source: &mut impl Source,
    viewer: &Viewer,
    ids: &[CharacterId],
) -> Result<Vec<Character>> {
    let path = "input.characterIds";
    if ids.is_empty() {
        return Err(UserError::new(UserErrorCode::Blank, "a story needs a character")
            .at(path)
            .into());
    }
    if ids.len() > MAX_CAST {
        let message = format!("at most {MAX_CAST} characters on stage");
        return Err(UserError::new(UserErrorCode::TooLong, message).at(path).into());
    }
    let mut cast = Vec::with_capacity(ids.len());
    for id in ids {
        let found = store::character::find_readable(source, *id, viewer.id()).await?;
        let usable = found.filter(|character| character.deleted_at.is_none());
        cast.push(usable.ok_or_else(|| Error::not_found("character").at(path))?);
    }
    Ok(cast)
}

fn cast_member(session_id: SessionId, position: i64, character: &Character) -> CastMember {
    CastMember {
        session_id,
        position,
        character_id: Some(character.id),
        name: character.card.name.clone(),
        avatar_url: character.card.avatar_url.clone(),
    }
}

/// The greeting becomes the first message, alternate greetings its siblings.
async fn greet(
    change: &mut SessionChange<'_>,
    persona: &Persona,
    cast: &[Character],
) -> Result<()> {
    let Some(character) = cast.first() else { return Ok(()) };
    let names = Names { character: &character.card.name, player: &persona.profile.name };
    let greetings = std::iter::once(&character.card.greeting)
        .chain(character.card.alternate_greetings.iter())
        .filter(|greeting| !greeting.trim().is_empty());
    let author = Author {
        author_name: character.card.name.clone(),
        author_avatar_url: character.card.avatar_url.clone(),
        author_character_id: Some(character.id),
        ..Author::default()
    };
    let mut made = Vec::new();
    for greeting in greetings {
        let id = change.app.ids.next();
        let mut message = change.draft_message(id, MessageRole::Character, author.clone(), None);
        message.content = names.expand(greeting);
        message.status = MessageStatus::Complete;
        store::message::insert(&mut change.tx, &message).await?;
        made.push(message.id);
    }
    let Some(first) = made.first().copied() else { return Ok(()) };
    change.record(EventBody::MessagesAdded { messages: made, client_request_id: None });
    change.move_head(Some(first), None).await
}

/// The viewer's session with this id; a deleted one too, until it is purged.
pub async fn get(app: &App, viewer: &Viewer, id: SessionId) -> Result<Session> {
    let user = viewer.user()?;
    let found = store::session::find(&mut app.db.reader(), id, user.id).await?;
    found.ok_or_else(|| Error::not_found("session"))
}

/// Changes a session's settings, its tags, or whether it is put away.
pub async fn update(
    app: &App,
    viewer: &Viewer,
    id: SessionId,
    patch: SessionPatch,
) -> Result<Session> {
    let persona = match patch.persona_id {
        Some(persona) => {
            Some(choose_persona(&mut app.db.reader(), viewer, Some(persona)).await?.id)
        }
        None => None,
    };
    let tags = patch.tags.map(|tags| tags::check("input.tags", tags)).transpose()?;
    let mut change = SessionChange::open(app, viewer, id).await?;
    check_version(patch.expected_version, change.session.version)?;
    let before = change.session.settings.clone();
    patch.settings.apply(&mut change.session.settings);
    change.session.settings.check(app, &before)?;
    change.session.title_folded = change.session.settings.folded_title();
    change.session.persona_id = persona.or(change.session.persona_id);
    if let Some(archived) = patch.archived {
        // Put away again, it keeps the moment of the first time.
        let since = change.session.archived_at.unwrap_or_else(|| app.clock.now());
        change.session.archived_at = archived.then_some(since);
    }
    if let Some(tags) = &tags {
        store::session_list::set_tags(&mut change.tx, id, tags).await?;
    }
    change.session.version += 1;
    store::session::update(&mut change.tx, &change.session).await?;
    change.record(EventBody::SessionUpdated {});
    change.commit().await
}

/// Takes a session out of sight and stops what is being written in it.
pub async fn delete(app: &App, viewer: &Viewer, id: SessionId) -> Result<Session> {
    let mut change = SessionChange::open(app, viewer, id).await?;
    change.session.deleted_at = Some(app.clock.now());
    change.session.version += 1;
    store::session::update(&mut change.tx, &change.session).await?;
    let running = store::reply::request_stop_in_session(&mut change.tx, id).await?;
    change.record(EventBody::SessionDeleted {});
    let session = change.commit().await?;
    app.replies.stop(&running);
    Ok(session)
}

/// Brings a deleted session back as it was, unless it was deleted too long ago.
pub async fn restore(app: &App, viewer: &Viewer, id: SessionId) -> Result<Session> {
    let mut change = SessionChange::open_deleted(app, viewer, id).await?;
    purge::check_restorable(app, change.session.deleted_at, || Error::not_found("session"))?;
    change.session.deleted_at = None;
    change.session.version += 1;
    store::session::update(&mut change.tx, &change.session).await?;
    change.record(EventBody::SessionUpdated {});
    change.commit().await
}
