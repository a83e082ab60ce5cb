//! Turns in the graph: the mutations that have a model write.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use skald_base::{
    UserError,
    graph::{ClientRequestId, parse_id, parse_optional_id, payload},
};

use super::{context::Graph, message::Message, session::Session};
use crate::turn::{self, NewMessage, ReplyWish, Swipe, Turn, WishedSpeaker};

/// What the narrator is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "turn::NarratorTask")]
enum NarratorTask {
    /// Describe where we are.
    Scene,
    /// Move to another place or time.
    Transition,
    /// Tell what has happened so far.
    Recap,
}

/// What you send.
#[derive(InputObject)]
struct SendMessageInput {
    /// The session.
    session_id: ID,
    /// What you write; 1 byte to 64 KiB, kept byte for byte.
    content: String,
    /// The message you answer; the head if absent. Always send it: it is what
    /// keeps two tabs from answering different messages.
    parent_id: Option<ID>,
    /// Which character of the cast answers; who spoke last if absent.
    speaker_id: Option<ID>,
    /// An id you made for your message (a `UUIDv7` written as `message_…`).
    message_id: Option<ID>,
    /// An id you made for the reply (a `UUIDv7` written as `message_…`).
    reply_id: Option<ID>,
    /// Your id of this request: sent again with the same input, it gives the
    /// first result, and nothing is sent twice.
    client_request_id: String,
}

/// Who should speak.
#[derive(OneofObject)]
pub(super) enum SpeakerInput {
    /// This character of the cast.
    CharacterId(ID),
    /// The narrator.
    Narrator(NarratorInput),
}

impl SpeakerInput {
    pub(super) fn parse(self) -> skald_base::Result<WishedSpeaker> {
        match self {
            Self::CharacterId(id) => {
                parse_id("input.speaker.characterId", &id).map(WishedSpeaker::Character)
            }
            Self::Narrator(narrator) => Ok(WishedSpeaker::Narrator(narrator.task.into())),
        }
    }
}

/// What the narrator is asked for.
#[derive(InputObject)]
pub(super) struct NarratorInput {
    /// The task.
    task: NarratorTask,
}

/// A wish for a reply without a message of yours.
#[derive(InputObject)]
struct RequestReplyInput {
    /// The session.
    session_id: ID,
    /// The message to go on from; the head if absent.
    parent_id: Option<ID>,
    /// Who should speak.
    speaker: SpeakerInput,
    /// An instruction for this reply alone.
    instruction: Option<String>,
    /// An id you made for the reply (a `UUIDv7` written as `message_…`).
    reply_id: Option<ID>,
    /// Your id of this request.
    client_request_id: String,
}

/// A wish for another version of a reply.
#[derive(InputObject)]
struct RegenerateReplyInput {
    /// The reply; anywhere in the tree, written or still being written.
    message_id: ID,
    /// The model that should write; the session's if absent. See `models`.
    model_id: Option<String>,
    /// An instruction for this version alone.
    instruction: Option<String>,
    /// How freely to choose words, 0 to 2; the model's own default if absent.
    temperature: Option<f32>,
    /// An id you made for the new version (a `UUIDv7` written as `message_…`).
    reply_id: Option<ID>,
    /// Your id of this request.
    client_request_id: String,
}

/// Which reply to stop.
#[derive(InputObject)]
struct StopReplyInput {
    /// The reply.
    message_id: ID,
}

/// What a turn made, or why it could not begin.
#[derive(SimpleObject)]
pub(super) struct TurnPayload {
    /// The session, with its head moved.
    session: Option<Session>,
    /// The message that was written by hand, if the turn had one.
    message: Option<Message>,
    /// The reply that is on its way: subscribe to `reply(messageId:)` or `sessionEvents`.
    reply: Option<Message>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// The stopped reply, or why it could not be stopped.
#[derive(SimpleObject)]
struct StopReplyPayload {
    /// The reply, with what was written of it.
    reply: Option<Message>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations that ask a model to write.
#[derive(Default)]
pub(super) struct ReplyMutation;

#[Object]
impl ReplyMutation {
    /// Send a message; the reply to it is written at once, whether or not anybody watches.
    async fn send_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What you send.")] input: SendMessageInput,
    ) -> Result<TurnPayload> {
        turn_payload(send(ctx, input).await)
    }

    /// Let a character or the narrator speak.
    async fn request_reply(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who should speak, and where.")] input: RequestReplyInput,
    ) -> Result<TurnPayload> {
        turn_payload(request_reply(ctx, input).await)
    }

    /// Have another version of a reply written, as its sibling: a swipe.
    async fn regenerate_reply(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which reply, and how to write it.")] input: RegenerateReplyInput,
    ) -> Result<TurnPayload> {
        turn_payload(regenerate(ctx, input).await)
    }

    /// Stop a reply and keep what is written of it. Stopping one that has ended changes nothing.
    async fn stop_reply(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which reply.")] input: StopReplyInput,
    ) -> Result<StopReplyPayload> {
        let outcome = match parse_id("input.messageId", &input.message_id) {
            Ok(id) => turn::stop(ctx.app(), ctx.viewer(), id).await,
            Err(error) => Err(error),
        };
        let (reply, errors) = payload(outcome)?;
        Ok(StopReplyPayload { reply: reply.map(Message), errors })
    }
}

/// What a service answered.
pub(super) type Outcome<T> = skald_base::Result<T>;

/// A turn, or why it could not begin, as data.
pub(super) fn turn_payload(outcome: Outcome<Turn>) -> Result<TurnPayload> {
    let (turn, errors) = payload(outcome)?;
    let Some(Turn { session, message, reply }) = turn else {
        return Ok(TurnPayload { session: None, message: None, reply: None, errors });
    };
    let (message, reply) = (message.map(Message), reply.map(Message));
    Ok(TurnPayload { session: Some(Session(session)), message, reply, errors })
}

/// The id by which a client knows its request.
pub(super) fn request_id(text: &str) -> Outcome<ClientRequestId> {
    ClientRequestId::parse("input.clientRequestId", text)
}

async fn send(ctx: &Context<'_>, input: SendMessageInput) -> Outcome<Turn> {
    let request = request_id(&input.client_request_id)?;
    let new = NewMessage {
        session_id: parse_id("input.sessionId", &input.session_id)?,
        content: input.content,
        parent_id: parse_optional_id("input.parentId", input.parent_id.as_ref())?,
        speaker_id: parse_optional_id("input.speakerId", input.speaker_id.as_ref())?,
        message_id: parse_optional_id("input.messageId", input.message_id.as_ref())?,
        reply_id: parse_optional_id("input.replyId", input.reply_id.as_ref())?,
    };
    turn::send(ctx.app(), ctx.viewer(), new, &request).await
}

async fn request_reply(ctx: &Context<'_>, input: RequestReplyInput) -> Outcome<Turn> {
    let request = request_id(&input.client_request_id)?;
    let wish = ReplyWish {
        session_id: parse_id("input.sessionId", &input.session_id)?,
        parent_id: parse_optional_id("input.parentId", input.parent_id.as_ref())?,
        speaker: input.speaker.parse()?,
        instruction: input.instruction,
        reply_id: parse_optional_id("input.replyId", input.reply_id.as_ref())?,
    };
    turn::request_reply(ctx.app(), ctx.viewer(), wish, &request).await
}

async fn regenerate(ctx: &Context<'_>, input: RegenerateReplyInput) -> Outcome<Turn> {
    let request = request_id(&input.client_request_id)?;
    let swipe = Swipe {
        message_id: parse_id("input.messageId", &input.message_id)?,
        model_id: input.model_id,
        instruction: input.instruction,
        temperature: input.temperature,
        reply_id: parse_optional_id("input.replyId", input.reply_id.as_ref())?,
    };
    turn::regenerate(ctx.app(), ctx.viewer(), swipe, &request).await
}
