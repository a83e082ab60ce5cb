//! A turn: from what the player sends to a reply that is on its way.
//!
//! A turn is one transaction that stores the player's message, an empty
//! message below it and the job that will fill it; it answers at once. The job
//! runs on ([`run`]) whether or not anybody watches ([`watch`]), its draft is
//! saved as it grows ([`flush`]), and what a crash left is taken up at start
//! ([`recovery`]).

mod again;
mod ask;
mod continuation;
mod end;
pub mod flush;
mod impersonation;
mod job;
pub mod join;
mod preview;
mod read;
pub mod recovery;
pub mod reply;
pub mod retry;
mod run;
mod scene;
mod start;
pub mod text;
pub mod watch;

use serde::{Deserialize, Serialize};
use skald_base::{
    Error, Result, UserErrorCode, Viewer,
    graph::{ClientRequestId, TextRule},
};

use self::start::{open_parent, parent_of, player_message, speaker_of};
pub use self::{
    again::retry_reply,
    continuation::{Continuation, continue_reply},
    impersonation::{Impersonation, impersonate},
    job::{Failure, FailureCode, Finish, Job, NarratorTask, Reply, Speaker, Stage},
    preview::{Preview, PreviewWish, preview},
};
pub(crate) use self::{
    ask::budget,
    end::Ending,
    preview::{outline, rehearse},
    scene::Reach,
    start::{Order, begin, check_limits, choose_speaker, start_reply},
};
use crate::{
    app::App,
    character::CharacterId,
    events::EventBody,
    request,
    session::{Session, SessionId, change::SessionChange},
    store,
    tree::{Message, MessageId},
};

/// What a player sends.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct NewMessage {
    pub session_id: SessionId,
    pub content: String,
    pub parent_id: Option<MessageId>,
    pub speaker_id: Option<CharacterId>,
    pub message_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_head_id: Option<MessageId>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_head_id: Option<MessageId>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_head_id: Option<MessageId>,
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
    change.expect_head(new.expected_head_id)?;
    let parent = open_parent(&mut change, new.parent_id).await?;
    let speaker =
        choose_speaker(&mut change.tx, new.session_id, new.speaker_id, parent.as_ref()).await?;
    check_limits(&mut change, user.id).await?;
    let message =
        player_message(&mut change, parent.as_ref(), (made.message, user.id), new.content).await?;
    let order = Order::new(made.reply, user.id, Job::new(speaker, user.minor));
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
    change.expect_head(wish.expected_head_id)?;
    let parent = open_parent(&mut change, wish.parent_id).await?;
    let speaker = match wish.speaker {
        WishedSpeaker::Narrator(task) => Speaker::Narrator { task },
        WishedSpeaker::Character(id) => {
            let speaker =
                choose_speaker(&mut change.tx, wish.session_id, Some(id), parent.as_ref()).await;
            speaker.map_err(|error| error.at("input.speaker.characterId"))?
        }
    };
    let job = Job { instruction: wish.instruction, ..Job::new(speaker, user.minor) };
    let order = Order::new(Some(reply), user.id, job);
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
    check_model(app, swipe.model_id.as_deref())?;
    change.expect_head(swipe.expected_head_id)?;
    let original = change.message(swipe.message_id, "input.messageId").await?;
    let speaker = speaker_of(&mut change, &original).await?;
    let parent = parent_of(&mut change, &original).await?;
    let job = Job {
        instruction: swipe.instruction,
        temperature: swipe.temperature,
        model: swipe.model_id,
        ..Job::new(speaker, user.minor)
    };
    let order = Order::new(Some(reply), user.id, job);
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

/// Refuses a model that is not there. Asked after the request id was claimed: a repeat is answered
/// even if the model has left the server since.
fn check_model(app: &App, id: Option<&str>) -> Result<()> {
    id.map_or(Ok(()), |id| app.check_model("input.modelId", id))
}

/// The end of a turn that makes a reply and nothing else.
async fn finish_turn(
    mut change: SessionChange<'_>,
    parent: Option<&Message>,
    order: Order,
    request: &ClientRequestId,
) -> Result<Turn> {
    let app = change.app;
    check_limits(&mut change, order.user).await?;
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
