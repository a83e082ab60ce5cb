//! A turn: from what the player sends to a reply that is on its way.
//!
//! A turn is one transaction that stores the player's message, an empty
//! message below it and the job that will fill it; it answers at once. The job
//! runs on ([`run`]) whether or not anybody watches ([`watch`]), its draft is
//! saved as it grows ([`flush`]), and what a crash left is taken up at start
//! ([`recovery`]).

pub mod flush;
pub mod recovery;
pub mod reply;
mod run;
pub mod scene;
pub mod text;
pub mod watch;

pub(crate) use self::run::Ending;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skald_base::{
    Error, Result, UserError, UserErrorCode, UserId, Viewer,
    graph::{ClientRequestId, TextRule},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    app::App,
    character::CharacterId,
    events::EventBody,
    llm::{FinishReason, LlmError},
    request,
    session::{
        CastMember, Session, SessionId,
        change::{ParentPlace, SessionChange},
    },
    store,
    tree::{Author, Message, MessageId, MessageRole, MessageStatus},
};

/// Tries at one reply at most, as long as no text was shown.
pub const MAX_ATTEMPTS: i64 = 3;

/// The job by which a model writes a message, as stored.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration and the graph document each field")]
pub struct Reply {
    pub message_id: MessageId,
    pub session_id: SessionId,
    pub user_id: UserId,
    pub job: Json<Job>,
    pub model: String,
    pub attempt: i64,
    pub stage: Stage,
    pub leased_by: Option<Uuid>,
    pub stop_requested: bool,
    pub draft_content: String,
    pub draft_thought: String,
    pub failure_code: Option<FailureCode>,
    pub failure_message: Option<String>,
    pub retry_at: Option<DateTime<Utc>>,
    pub finish_reason: Option<Finish>,
    pub prompt_tokens: Option<i64>,
    pub cached_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub thought_tokens: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub first_text_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl Reply {
    /// Why it failed, or why its last attempt did.
    pub fn failure(&self) -> Option<Failure> {
        let message = self.failure_message.clone().unwrap_or_default();
        self.failure_code.map(|code| Failure { code, message })
    }
}

/// What was asked of the model, kept so that a crash can be recovered from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Who writes.
    pub speaker: Speaker,
    /// An instruction for this reply alone.
    pub instruction: Option<String>,
    /// How freely to choose words.
    pub temperature: Option<f32>,
    /// Whether the player said that they are not of age.
    pub minor: bool,
}

/// Who writes a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Speaker {
    /// A character of the cast.
    Character {
        /// The character; none if it is gone for good.
        id: Option<CharacterId>,
        /// Its name on stage.
        name: String,
    },
    /// The narrator, with a task.
    Narrator {
        /// What to narrate.
        task: NarratorTask,
    },
}

/// What the narrator is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum NarratorTask {
    Scene,
    Transition,
    Recap,
}

/// How far a running reply has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum Stage {
    Recalling,
    Waiting,
    Writing,
    Retrying,
}

/// Why a complete reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum Finish {
    Stop,
    Length,
}

impl From<FinishReason> for Finish {
    fn from(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Stop => Self::Stop,
            FinishReason::Length => Self::Length,
        }
    }
}

/// Why a reply failed, for players.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason, as a code.
    pub code: FailureCode,
    /// The reason, as a sentence.
    pub message: String,
}

/// Why a reply failed, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum FailureCode {
    RateLimited,
    Quota,
    Auth,
    BadRequest,
    Blocked,
    Overloaded,
    Timeout,
    Cut,
    Protocol,
    PromptTooLarge,
    Internal,
}

impl FailureCode {
    /// Whether trying again later may help.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited | Self::Overloaded | Self::Timeout | Self::Cut | Self::Internal => {
                true
            }
            Self::Quota
            | Self::Auth
            | Self::BadRequest
            | Self::Blocked
            | Self::Protocol
            | Self::PromptTooLarge => false,
        }
    }
}

impl From<&LlmError> for Failure {
    fn from(error: &LlmError) -> Self {
        let code = match error {
            LlmError::RateLimited { .. } => FailureCode::RateLimited,
            LlmError::Quota => FailureCode::Quota,
            LlmError::Auth => FailureCode::Auth,
            LlmError::BadRequest(_) => FailureCode::BadRequest,
            LlmError::Blocked(_) => FailureCode::Blocked,
            LlmError::Overloaded => FailureCode::Overloaded,
            LlmError::Timeout => FailureCode::Timeout,
            LlmError::Cut => FailureCode::Cut,
            LlmError::Protocol(_) => FailureCode::Protocol,
        };
        Self { code, message: error.to_string() }
    }
}

/// What a player sends.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct NewMessage {
    pub session_id: SessionId,
    pub content: String,
    pub parent_id: Option<MessageId>,
    pub speaker_id: Option<CharacterId>,
    pub message_id: Option<MessageId>,
    pub reply_id: Option<MessageId>,
}

/// What a turn made.
#[derive(Clone, Debug)]
pub struct Turn {
    /// The session, with its head moved.
    pub session: Session,
    /// The message that was written by hand, if the turn had one.
    pub message: Option<Message>,
    /// The reply that is on its way, if the turn asked for one.
    pub reply: Option<Message>,
}

/// A wish for a reply without a message of the player's.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct ReplyWish {
    pub session_id: SessionId,
    pub parent_id: Option<MessageId>,
    pub speaker: WishedSpeaker,
    pub instruction: Option<String>,
    pub reply_id: Option<MessageId>,
}

/// Who should speak.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum WishedSpeaker {
    /// A character of the cast.
    Character(CharacterId),
    /// The narrator.
    Narrator(NarratorTask),
}

/// A wish for another version of a reply.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct Swipe {
    pub message_id: MessageId,
    pub model_id: Option<String>,
    pub instruction: Option<String>,
    pub temperature: Option<f32>,
    pub reply_id: Option<MessageId>,
}

/// The ids a turn made, as the table of requests keeps them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) session: SessionId,
    pub(crate) message: Option<MessageId>,
    pub(crate) reply: Option<MessageId>,
}

/// Stores the player's message and starts the reply to it.
pub async fn send(
    app: &App,
    viewer: &Viewer,
    new: NewMessage,
    request: &ClientRequestId,
) -> Result<Turn> {
    let user = viewer.user()?;
    TextRule::required(app.limits.message_bytes).check("input.content", &new.content)?;
    let made = Made {
        session: new.session_id,
        message: Some(request::fresh_id(app, "input.messageId", new.message_id)?),
        reply: Some(request::fresh_id(app, "input.replyId", new.reply_id)?),
    };
    let mut change = SessionChange::open(app, viewer, new.session_id)
        .await
        .map_err(|error| error.at("input.sessionId"))?;
    let claim = request::Claim::new(user.id, "sendMessage", request, &new);
    if let Some(first) = request::claim(app, &mut change.tx, &claim, &made).await? {
        drop(change);
        return repeat(app, viewer, first).await;
    }
    let parent = open_parent(&mut change, new.parent_id).await?;
    let speaker = choose_speaker(&mut change, new.speaker_id, parent.as_ref()).await?;
    let message = player_message(&mut change, parent.as_ref(), made.message, new.content).await?;
    let job = Job { speaker, instruction: None, temperature: None, minor: user.minor };
    let order = Order { id: made.reply, user: user.id, job, model: None };
    let reply = start_reply(&mut change, Some(&message), order).await?;
    let request_id = Some(request.as_str().to_owned());
    change.record(EventBody::MessagesAdded {
        messages: vec![message.id, reply.message.id],
        client_request_id: request_id.clone(),
    });
    change.move_head(Some(reply.message.id), request_id).await?;
    let session = change.commit().await?;
    let reply = begin(app, reply, &session);
    Ok(Turn { session, message: Some(message), reply: Some(reply) })
}

/// Lets a character or the narrator speak below the head or another message.
pub async fn request_reply(
    app: &App,
    viewer: &Viewer,
    wish: ReplyWish,
    request: &ClientRequestId,
) -> Result<Turn> {
    let user = viewer.user()?;
    check_instruction(wish.instruction.as_deref())?;
    let reply = request::fresh_id(app, "input.replyId", wish.reply_id)?;
    let mut change = SessionChange::open(app, viewer, wish.session_id)
        .await
        .map_err(|error| error.at("input.sessionId"))?;
    let claim = request::Claim::new(user.id, "requestReply", request, &wish);
    let made = Made { session: wish.session_id, message: None, reply: Some(reply) };
    if let Some(first) = request::claim(app, &mut change.tx, &claim, &made).await? {
        drop(change);
        return repeat(app, viewer, first).await;
    }
    let parent = open_parent(&mut change, wish.parent_id).await?;
    let speaker = match wish.speaker {
        WishedSpeaker::Narrator(task) => Speaker::Narrator { task },
        WishedSpeaker::Character(id) => {
            let speaker = choose_speaker(&mut change, Some(id), parent.as_ref()).await;
            speaker.map_err(|error| error.at("input.speaker.characterId"))?
        }
    };
    let job = Job { speaker, instruction: wish.instruction, temperature: None, minor: user.minor };
    let order = Order { id: Some(reply), user: user.id, job, model: None };
    finish_turn(change, parent.as_ref(), order, request).await
}

/// Writes another version of a reply, beside it.
pub async fn regenerate(
    app: &App,
    viewer: &Viewer,
    swipe: Swipe,
    request: &ClientRequestId,
) -> Result<Turn> {
    let user = viewer.user()?;
    check_instruction(swipe.instruction.as_deref())?;
    if let Some(model) = &swipe.model_id {
        app.check_model("input.modelId", model)?;
    }
    if swipe.temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
        return Err(Error::invalid("input.temperature", "temperature must be between 0 and 2"));
    }
    let reply = request::fresh_id(app, "input.replyId", swipe.reply_id)?;
    let session = session_of(app, swipe.message_id).await?;
    let mut change = SessionChange::open(app, viewer, session).await.map_err(not_your_message)?;
    let claim = request::Claim::new(user.id, "regenerateReply", request, &swipe);
    let made = Made { session, message: None, reply: Some(reply) };
    if let Some(first) = request::claim(app, &mut change.tx, &claim, &made).await? {
        drop(change);
        return repeat(app, viewer, first).await;
    }
    let original = change.message(swipe.message_id, "input.messageId").await?;
    let speaker = speaker_of(&mut change, &original).await?;
    let parent = match original.parent_id {
        Some(parent) => Some(change.message(parent, "input.messageId").await?),
        None => None,
    };
    let job = Job {
        speaker,
        instruction: swipe.instruction,
        temperature: swipe.temperature,
        minor: user.minor,
    };
    let order = Order { id: Some(reply), user: user.id, job, model: swipe.model_id };
    finish_turn(change, parent.as_ref(), order, request).await
}

/// Asks a running reply to end; what is written of it stays.
///
/// Stopping what has ended already changes nothing and is no error.
pub async fn stop(app: &App, viewer: &Viewer, id: MessageId) -> Result<Message> {
    let session = session_of(app, id).await?;
    let mut change =
        SessionChange::open_deleted(app, viewer, session).await.map_err(not_your_message)?;
    store::reply::request_stop(&mut change.tx, id).await?;
    change.commit().await?;
    app.replies.stop_and_wait(id).await;
    let found = store::message::find(&mut app.db.reader(), id).await?;
    found.ok_or_else(|| Error::not_found("message").at("input.messageId"))
}

/// The session a message belongs to; whether the viewer may see it is checked when it is opened.
pub(crate) async fn session_of(app: &App, id: MessageId) -> Result<SessionId> {
    let found = store::message::find(&mut app.db.reader(), id).await?;
    let message = found.ok_or_else(|| Error::not_found("message").at("input.messageId"))?;
    Ok(message.session_id)
}

/// A message in a session that is not the viewer's looks like no message at all.
pub(crate) fn not_your_message(error: Error) -> Error {
    match error {
        Error::User(user) if user.code == UserErrorCode::NotFound => {
            Error::not_found("message").at("input.messageId")
        }
        Error::User(_) | Error::Unauthenticated | Error::Database(_) | Error::Internal(_) => error,
    }
}

/// What the first of two equal requests made, as it is now.
pub(crate) async fn repeat(app: &App, viewer: &Viewer, made: Made) -> Result<Turn> {
    let session = crate::session::get(app, viewer, made.session).await?;
    let mut reader = app.db.reader();
    let mut find = async |id: Option<MessageId>| match id {
        Some(id) => store::message::find(&mut reader, id).await,
        None => Ok(None),
    };
    let message = find(made.message).await?;
    let reply = find(made.reply).await?;
    Ok(Turn { session, message, reply })
}

fn check_instruction(instruction: Option<&str>) -> Result<()> {
    TextRule::optional(16 * 1024).check("input.instruction", instruction.unwrap_or_default())
}

/// The message to go on from: the named one or the head, and nobody writes it any more.
pub(crate) async fn open_parent(
    change: &mut SessionChange<'_>,
    id: Option<MessageId>,
) -> Result<Option<Message>> {
    let Some(id) = id.or(change.session.head_id) else { return Ok(None) };
    let parent = change.message(id, "input.parentId").await?;
    if parent.status.is_running() {
        let message = "the message above is still being written: stop it or wait for its end";
        let error = UserError::new(UserErrorCode::ReplyRunning, message);
        return Err(error.at("input.parentId").into());
    }
    Ok(Some(parent))
}

async fn player_message(
    change: &mut SessionChange<'_>,
    parent: Option<&Message>,
    id: Option<MessageId>,
    content: String,
) -> Result<Message> {
    let place = place_below(change, parent).await?;
    let persona = match change.session.persona_id {
        Some(id) => store::persona::find_any(&mut change.tx, id).await?,
        None => None,
    };
    let author = Author {
        author_name: persona.as_ref().map_or("Player".into(), |p| p.profile.name.clone()),
        author_avatar_url: persona.as_ref().and_then(|p| p.profile.avatar_url.clone()),
        author_user_id: Some(change.session.owner_id),
        author_persona_id: persona.map(|persona| persona.id),
        author_character_id: None,
    };
    let id = id.unwrap_or_else(|| change.app.ids.next());
    let mut message = change.draft_message(id, MessageRole::Player, author, place.as_ref());
    message.content = content;
    message.status = MessageStatus::Complete;
    store::message::insert(&mut change.tx, &message).await.map_err(request::id_taken)?;
    Ok(message)
}

async fn place_below(
    change: &mut SessionChange<'_>,
    parent: Option<&Message>,
) -> Result<Option<ParentPlace>> {
    match parent {
        Some(parent) => ParentPlace::below(&mut change.tx, parent).await.map(Some),
        None => Ok(None),
    }
}

/// What `start_reply` needs to know.
pub(crate) struct Order {
    pub(crate) id: Option<MessageId>,
    pub(crate) user: UserId,
    pub(crate) job: Job,
    pub(crate) model: Option<String>,
}

/// A reply that is stored but not committed: [`begin`] it after the commit.
pub(crate) struct Started {
    pub(crate) message: Message,
    reply: Reply,
}

/// Stores an empty message and the job that will fill it.
pub(crate) async fn start_reply(
    change: &mut SessionChange<'_>,
    parent: Option<&Message>,
    order: Order,
) -> Result<Started> {
    check_limits(change, order.user).await?;
    let place = place_below(change, parent).await?;
    let (role, author) = reply_author(change, &order.job.speaker).await?;
    let id = order.id.unwrap_or_else(|| change.app.ids.next());
    let message = change.draft_message(id, role, author, place.as_ref());
    store::message::insert(&mut change.tx, &message).await.map_err(request::id_taken)?;
    let app = change.app;
    let wanted = order.model.or_else(|| change.session.settings.story_model.clone());
    let reply = Reply {
        message_id: message.id,
        session_id: message.session_id,
        user_id: order.user,
        job: Json(order.job),
        // A model that was configured once may be gone: the story goes on with the default.
        model: wanted.filter(|model| app.has_model(model)).unwrap_or_else(|| app.default_model()),
        attempt: 1,
        stage: Stage::Recalling,
        leased_by: Some(app.replies.process()),
        stop_requested: false,
        draft_content: String::new(),
        draft_thought: String::new(),
        failure_code: None,
        failure_message: None,
        retry_at: None,
        finish_reason: None,
        prompt_tokens: None,
        cached_tokens: None,
        output_tokens: None,
        thought_tokens: None,
        created_at: message.created_at,
        first_text_at: None,
        finished_at: None,
    };
    store::reply::insert(&mut change.tx, &reply).await?;
    Ok(Started { message, reply })
}

/// Sets the writing of a committed reply going.
pub(crate) fn begin(app: &App, started: Started, session: &Session) -> Message {
    run::spawn(app, started.reply, session.last_sequence);
    started.message
}

async fn check_limits(change: &mut SessionChange<'_>, user: UserId) -> Result<()> {
    let session = change.session.id;
    let limits = &change.app.limits;
    // The session is locked already; the player's other sessions are not.
    store::lock_user(&mut change.tx, user).await?;
    let (of_user, of_session) = store::reply::count_running(&mut change.tx, user, session).await?;
    let exceeded = |what: &str, allowed: i64| {
        let message = format!("at most {allowed} replies may be written at once {what}");
        Err(UserError::new(UserErrorCode::LimitExceeded, message).into())
    };
    if of_session >= limits.replies_per_session {
        return exceeded("in one session", limits.replies_per_session);
    }
    if of_user >= limits.replies_per_user {
        return exceeded("for one player", limits.replies_per_user);
    }
    Ok(())
}

async fn reply_author(
    change: &mut SessionChange<'_>,
    speaker: &Speaker,
) -> Result<(MessageRole, Author)> {
    let Speaker::Character { id, name } = speaker else {
        let narrator = crate::prompt::template::narrator(&change.session.settings.language);
        let author = Author { author_name: narrator.into(), ..Author::default() };
        return Ok((MessageRole::Narrator, author));
    };
    // The live name and avatar, as sessions follow the live character.
    let character = match id {
        Some(id) => store::character::find_any(&mut change.tx, *id).await?,
        None => None,
    };
    let author = Author {
        author_name: character.as_ref().map_or_else(|| name.clone(), |c| c.card.name.clone()),
        author_avatar_url: character.as_ref().and_then(|c| c.card.avatar_url.clone()),
        author_character_id: *id,
        ..Author::default()
    };
    Ok((MessageRole::Character, author))
}

/// The wanted member of the cast, or who spoke last on the path, or the first.
pub(crate) async fn choose_speaker(
    change: &mut SessionChange<'_>,
    wanted: Option<CharacterId>,
    parent: Option<&Message>,
) -> Result<Speaker> {
    let cast = store::session::cast(&mut change.tx, &[change.session.id]).await?;
    if let Some(wanted) = wanted {
        let member = cast.into_iter().find(|member| member.character_id == Some(wanted));
        let member = member
            .ok_or_else(|| Error::not_found("character in the cast").at("input.speakerId"))?;
        return Ok(as_speaker(member));
    }
    let mut last = None;
    if let (Some(parent), true) = (parent, cast.len() > 1) {
        let recent = store::message::path_up(&mut change.tx, &[parent.id], 12).await?;
        last = recent.into_iter().rev().find_map(|step| step.message.author.author_character_id);
    }
    let member = cast
        .iter()
        .find(|member| last.is_some() && member.character_id == last)
        .or_else(|| cast.first())
        .cloned();
    member.map(as_speaker).ok_or_else(|| Error::not_found("cast"))
}

fn as_speaker(member: CastMember) -> Speaker {
    Speaker::Character { id: member.character_id, name: member.name }
}

/// Who wrote a message, so that another version has the same author and task.
async fn speaker_of(change: &mut SessionChange<'_>, message: &Message) -> Result<Speaker> {
    match message.role {
        MessageRole::Character => Ok(Speaker::Character {
            id: message.author.author_character_id,
            name: message.author.author_name.clone(),
        }),
        MessageRole::Narrator => {
            let reply = store::reply::find(&mut change.tx, message.id).await?;
            Ok(reply.map_or(Speaker::Narrator { task: NarratorTask::Scene }, |r| r.job.0.speaker))
        }
        MessageRole::Player | MessageRole::System => {
            let message = "only what a character or the narrator wrote can be written again";
            Err(Error::invalid("input.messageId", message))
        }
    }
}

/// The end of a turn that makes a reply and nothing else.
async fn finish_turn(
    mut change: SessionChange<'_>,
    parent: Option<&Message>,
    order: Order,
    request: &ClientRequestId,
) -> Result<Turn> {
    let app = change.app;
    let reply = start_reply(&mut change, parent, order).await?;
    let client_request_id = Some(request.as_str().to_owned());
    change.record(EventBody::MessagesAdded {
        messages: vec![reply.message.id],
        client_request_id: client_request_id.clone(),
    });
    change.move_head(Some(reply.message.id), client_request_id).await?;
    let session = change.commit().await?;
    let reply = begin(app, reply, &session);
    Ok(Turn { session, message: None, reply: Some(reply) })
}
