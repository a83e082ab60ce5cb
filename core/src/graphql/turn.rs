//! Turns in the graph: the mutations that have a model write.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use skald_base::{
    UserError,
    graph::{ClientRequestId, parse_id, parse_optional_id, payload},
};

use super::{context::Graph, message::Message, session::Session, stale::story_as_it_is};
use crate::{
    tree::MessageId,
    turn::{self, Continuation, Impersonation, NewMessage, ReplyWish, Swipe, Turn, WishedSpeaker},
};

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
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
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
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
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
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
    /// Your id of this request.
    client_request_id: String,
}

/// A wish for a message of your own that a model writes.
#[derive(InputObject)]
struct ImpersonateInput {
    /// The session.
    session_id: ID,
    /// The message to go on from; the head if absent.
    parent_id: Option<ID>,
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
    /// What your persona should do or say, in your words; up to the model if absent.
    instruction: Option<String>,
    /// The model that should write; the session's if absent. See `models`.
    model_id: Option<String>,
    /// An id you made for the message (a `UUIDv7` written as `message_…`).
    message_id: Option<ID>,
    /// Your id of this request.
    client_request_id: String,
}

/// A wish to have a cut reply written on.
#[derive(InputObject)]
#[expect(clippy::struct_field_names, reason = "they are the graph's")]
struct ContinueReplyInput {
    /// The reply: `STOPPED`, `INTERRUPTED`, or `COMPLETE` with `finishReason: LENGTH`.
    message_id: ID,
    /// The model that should write; the session's if absent. See `models`.
    model_id: Option<String>,
    /// An id you made for the new message (a `UUIDv7` written as `message_…`).
    reply_id: Option<ID>,
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
    /// Your id of this request.
    client_request_id: String,
}

/// A wish to have a failed reply tried once more.
#[derive(InputObject)]
struct RetryReplyInput {
    /// The reply, which is `FAILED`.
    message_id: ID,
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
///
/// If it was refused with `CONFLICT` for `expectedHeadId` or `expectedRevision`, `session` (and
/// `message`, where the input named one) are what they are now.
#[derive(SimpleObject)]
pub(super) struct TurnPayload {
    /// The session, with its head where it is now.
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
        let id = input.session_id.clone();
        turn_payload(ctx, &id, send(ctx, input).await).await
    }

    /// Let a character or the narrator speak.
    async fn request_reply(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who should speak, and where.")] input: RequestReplyInput,
    ) -> Result<TurnPayload> {
        let id = input.session_id.clone();
        turn_payload(ctx, &id, request_reply(ctx, input).await).await
    }

    /// Have another version of a reply written, as its sibling: a swipe.
    async fn regenerate_reply(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which reply, and how to write it.")] input: RegenerateReplyInput,
    ) -> Result<TurnPayload> {
        let id = input.message_id.clone();
        turn_payload(ctx, &id, regenerate(ctx, input).await).await
    }

    /// Have a model write your own message, as your persona.
    ///
    /// What is being written is in `reply`, with role `PLAYER`: watch it, stop it, swipe it or
    /// continue it like any reply. No reply to it begins by itself: `requestReply` asks for one.
    async fn impersonate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where, and what you have in mind.")] input: ImpersonateInput,
    ) -> Result<TurnPayload> {
        let id = input.session_id.clone();
        turn_payload(ctx, &id, impersonate(ctx, input).await).await
    }

    /// Have a cut reply written on, as its sibling, which begins with all of its text.
    ///
    /// Offsets count from the beginning of the whole text, and its first delta is the old one.
    /// If not a word is added, the sibling is `FAILED` with the old text, and `retryReply` works.
    async fn continue_reply(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which reply.")] input: ContinueReplyInput,
    ) -> Result<TurnPayload> {
        let id = input.message_id.clone();
        turn_payload(ctx, &id, continue_reply(ctx, input).await).await
    }

    /// Try a failed reply once more: the same message, the next attempt. The head does not move.
    /// One below which the story went on, or that was edited since, is refused with
    /// `BAD_USER_INPUT`: regenerate it instead.
    async fn retry_reply(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which reply.")] input: RetryReplyInput,
    ) -> Result<TurnPayload> {
        let id = input.message_id.clone();
        turn_payload(ctx, &id, retry(ctx, input).await).await
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

/// A turn, or why it could not begin, as data; `id` is the session or message it was about.
pub(super) async fn turn_payload(
    ctx: &Context<'_>,
    id: &ID,
    outcome: Outcome<Turn>,
) -> Result<TurnPayload> {
    let (turn, errors) = payload(outcome)?;
    let Some(Turn { session, message, reply }) = turn else {
        let (session, message) = story_as_it_is(ctx, &errors, id).await?;
        return Ok(TurnPayload { session, message, reply: None, errors });
    };
    let (message, reply) = (message.map(Message), reply.map(Message));
    Ok(TurnPayload { session: Some(Session(session)), message, reply, errors })
}

/// The id by which a client knows its request.
pub(super) fn request_id(text: &str) -> Outcome<ClientRequestId> {
    ClientRequestId::parse("input.clientRequestId", text)
}

/// The head that a client believes in.
pub(super) fn expected_head(id: Option<&ID>) -> Outcome<Option<MessageId>> {
    parse_optional_id("input.expectedHeadId", id)
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
        expected_head_id: expected_head(input.expected_head_id.as_ref())?,
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
        expected_head_id: expected_head(input.expected_head_id.as_ref())?,
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
        expected_head_id: expected_head(input.expected_head_id.as_ref())?,
    };
    turn::regenerate(ctx.app(), ctx.viewer(), swipe, &request).await
}

async fn continue_reply(ctx: &Context<'_>, input: ContinueReplyInput) -> Outcome<Turn> {
    let request = request_id(&input.client_request_id)?;
    let wish = Continuation {
        message_id: parse_id("input.messageId", &input.message_id)?,
        model_id: input.model_id,
        reply_id: parse_optional_id("input.replyId", input.reply_id.as_ref())?,
        expected_head_id: expected_head(input.expected_head_id.as_ref())?,
    };
    turn::continue_reply(ctx.app(), ctx.viewer(), wish, &request).await
}

async fn retry(ctx: &Context<'_>, input: RetryReplyInput) -> Outcome<Turn> {
    let request = request_id(&input.client_request_id)?;
    let id = parse_id("input.messageId", &input.message_id)?;
    turn::retry_reply(ctx.app(), ctx.viewer(), id, &request).await
}

async fn impersonate(ctx: &Context<'_>, input: ImpersonateInput) -> Outcome<Turn> {
    let request = request_id(&input.client_request_id)?;
    let wish = Impersonation {
        session_id: parse_id("input.sessionId", &input.session_id)?,
        parent_id: parse_optional_id("input.parentId", input.parent_id.as_ref())?,
        instruction: input.instruction,
        model_id: input.model_id,
        message_id: parse_optional_id("input.messageId", input.message_id.as_ref())?,
        expected_head_id: expected_head(input.expected_head_id.as_ref())?,
    };
    turn::impersonate(ctx.app(), ctx.viewer(), wish, &request).await
}
