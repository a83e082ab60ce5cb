//! Messages in the graph, and the mutations that make and move them.

use std::borrow::Cow;

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, Result, SimpleObject};
use chrono::{DateTime, Utc};
use skald_base::{
    UserError,
    graph::{ClientRequestId, parse_id, parse_optional_id, payload},
    id::format_any,
};
use uuid::Uuid;

use super::{
    character::Character,
    connection::{Page, cost, forward, page, slice_ids},
    context::Graph,
    generation::Generation,
    loaders::{ChildrenKey, ReplyKey},
    persona::Persona,
    session::Session,
    user::UserRef,
};
use crate::{
    session::SessionId,
    store,
    tree::{
        self, AlternativesKey, Below, MessageId, Side,
        change::{self, Edit},
    },
    turn::{self, NewMessage, ReplyWish, Swipe, Turn, WishedSpeaker},
};

/// What a message is in the story.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "tree::MessageRole")]
enum MessageRole {
    /// The player wrote it, as their persona.
    Player,
    /// A character says and does it.
    Character,
    /// The narrator tells it.
    Narrator,
    /// A note outside the story.
    System,
}

/// How far the writing of a message has come. The last four are terminal.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "tree::MessageStatus")]
enum MessageStatus {
    /// Asked for; no text yet.
    Pending,
    /// Text arrives.
    Writing,
    /// Written to its end, or up to the model's limit (`finishReason: LENGTH`).
    Complete,
    /// Stopped by a player; what was written stays.
    Stopped,
    /// The server or the model gave up in the middle; what was written stays.
    Interrupted,
    /// The model could not write it; `generation.failure` says why.
    Failed,
}

/// How an edit is kept.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "change::EditMode")]
enum EditMode {
    /// As a new message beside the old one, which stays with all that follows it.
    Sibling,
    /// In the message itself, for a typo; the old text is kept as a revision.
    InPlace,
}

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

/// Who wrote a message: names as they were, links to who they are now.
#[derive(SimpleObject)]
struct Author {
    /// On which side of the story.
    kind: MessageRole,
    /// The name it was written under.
    name: String,
    /// The picture it was written under.
    avatar_url: Option<String>,
    /// The persona, if it is yours.
    persona: Option<Persona>,
    /// The character; null if it is gone for good.
    character: Option<Character>,
    /// The user who wrote it; null for what a model wrote.
    user: Option<UserRef>,
}

/// A former text of a message that was edited in place.
#[derive(SimpleObject)]
struct MessageRevision {
    /// Which one, counted from 1.
    revision: i64,
    /// What it said.
    content: String,
    /// When it was written.
    created_at: DateTime<Utc>,
}

/// A node of a story's tree.
#[derive(Clone)]
pub(super) struct Message(pub(super) tree::Message);

impl Message {
    /// The row, with the draft in the place of the text while it is being written.
    async fn current(&self, ctx: &Context<'_>) -> Result<Cow<'_, tree::Message>> {
        if !self.0.status.is_running() {
            return Ok(Cow::Borrowed(&self.0));
        }
        let mut row = self.0.clone();
        if let Some(running) = ctx.app().replies.find(row.id) {
            let draft = running.draft();
            if draft.content.units() > 0 {
                row.status = tree::MessageStatus::Writing;
            }
            row.content = draft.content.as_str().to_owned();
            let thought = draft.thought.as_str();
            row.thought = (!thought.is_empty()).then(|| thought.to_owned());
            return Ok(Cow::Owned(row));
        }
        // Another process writes it, or it has ended since it was read.
        let row = ctx.loaders().load(row.id).await?.unwrap_or(row);
        if !row.status.is_running() {
            return Ok(Cow::Owned(row));
        }
        let Some(reply) = ctx.loaders().load(ReplyKey(row.id)).await? else {
            return Ok(Cow::Owned(row));
        };
        let (content, thought) = (reply.draft_content, reply.draft_thought);
        let is_written = !content.is_empty();
        let status = if is_written { tree::MessageStatus::Writing } else { row.status };
        let thought = (!thought.is_empty()).then_some(thought);
        Ok(Cow::Owned(tree::Message { content, thought, status, ..row }))
    }
}

/// A node of a story's tree.
#[Object]
impl Message {
    /// The id, such as `message_01jd…`; also a cursor of `Session.path`.
    pub(super) async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The session it belongs to.
    async fn session(&self, ctx: &Context<'_>) -> Result<Session> {
        let session = ctx.loaders().load(self.0.session_id).await?;
        session.map(Session).ok_or_else(|| skald_base::Error::not_found("session").into())
    }

    /// The message it follows; null at a root.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<Self>> {
        let loaded = ctx.loaders().load(self.0.parent_id?).await;
        loaded.map(|found| found.map(Self)).map_err(Into::into).transpose()
    }

    /// The id of the message it follows; null at a root. Never changes.
    async fn parent_id(&self) -> Option<ID> {
        self.0.parent_id.map(ID::from)
    }

    /// How many messages are above it on its path.
    async fn depth(&self) -> i64 {
        self.0.depth
    }

    /// What it is in the story.
    async fn role(&self) -> MessageRole {
        self.0.role.into()
    }

    /// Who wrote it.
    async fn author(&self, ctx: &Context<'_>) -> Result<Author> {
        let author = self.0.author.clone();
        let selected = |name| ctx.look_ahead().field(name).exists();
        let persona = match author.author_persona_id.filter(|_| selected("persona")) {
            Some(id) => ctx.loaders().load(id).await?.map(Persona::from),
            None => None,
        };
        let character = match author.author_character_id.filter(|_| selected("character")) {
            Some(id) => ctx.loaders().load(id).await?.map(Character::from),
            None => None,
        };
        Ok(Author {
            kind: self.0.role.into(),
            name: author.author_name,
            avatar_url: author.author_avatar_url,
            persona,
            character,
            user: author.author_user_id.map(UserRef),
        })
    }

    /// The text; while it is being written, the text so far.
    async fn content(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.current(ctx).await?.into_owned().content)
    }

    /// The beginning of the text, for lists: 120 characters unless told
    /// otherwise, 1,000 at most; white space is folded.
    async fn excerpt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many characters at most; 120 if absent.")] length: Option<i32>,
    ) -> Result<String> {
        let length = usize::try_from(length.unwrap_or(120)).unwrap_or(0).min(1000);
        let row = self.current(ctx).await?;
        let words: Vec<&str> = row.content.split_whitespace().collect();
        Ok(words.join(" ").chars().take(length).collect())
    }

    /// The model's hidden reasoning; never part of the story. Ask for it when it is opened.
    async fn thought(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.current(ctx).await.map(|row| row.into_owned().thought).transpose()
    }

    /// Whether there is hidden reasoning.
    async fn has_thought(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.current(ctx).await?.thought.is_some())
    }

    /// How far the writing has come.
    async fn status(&self, ctx: &Context<'_>) -> Result<MessageStatus> {
        Ok(self.current(ctx).await?.status.into())
    }

    /// All messages in this place, itself among them: what a client shows as swipes.
    async fn alternatives(&self) -> Alternatives {
        Alternatives(self.0.alternatives())
    }

    /// Which of the alternatives it is, counted from 0.
    async fn position(&self, ctx: &Context<'_>) -> Result<i32> {
        let ids = ctx.loaders().load(self.0.alternatives()).await?.unwrap_or_default();
        // A deleted message is none of them: it stands where it would be.
        let position = ids.iter().position(|id| *id == self.0.id);
        let position = position.unwrap_or_else(|| ids.iter().filter(|id| **id < self.0.id).count());
        Ok(i32::try_from(position).unwrap_or(i32::MAX))
    }

    /// The messages that follow it, on both sides, in order; 20 a page unless
    /// told otherwise, 100 at most.
    #[graphql(complexity = "cost(first, None, child_complexity)")]
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Self>> {
        let ids = ctx.loaders().load(ChildrenKey(self.0.id)).await?.unwrap_or_default();
        message_page(ctx, &ids, first, after).await
    }

    /// How a model wrote it; null for what was written by hand.
    async fn generation(&self, ctx: &Context<'_>) -> Option<Result<Generation>> {
        let mut reply = match ctx.loaders().load(ReplyKey(self.0.id)).await {
            Ok(reply) => reply?,
            Err(error) => return Some(Err(error.into())),
        };
        if let Some(running) = ctx.app().replies.find(self.0.id) {
            let draft = running.draft();
            reply.attempt = draft.attempt;
            reply.stage = draft.stage;
            reply.failure_code = draft.failure.as_ref().map(|failure| failure.code);
            reply.failure_message = draft.failure.map(|failure| failure.message);
            reply.retry_at = draft.retry_at;
            reply.first_text_at = draft.first_text_at;
        }
        Some(Ok(Generation(reply)))
    }

    /// Counts edits in place, from 1; send it as `expectedRevision`.
    async fn revision(&self) -> i64 {
        self.0.revision
    }

    /// What it said before it was edited in place, oldest first.
    async fn revisions(&self, ctx: &Context<'_>) -> Result<Vec<MessageRevision>> {
        if self.0.revision == 1 {
            return Ok(Vec::new());
        }
        let rows = store::message::revisions(&ctx.app().db, self.0.id).await?;
        let wrap =
            |(revision, content, created_at)| MessageRevision { revision, content, created_at };
        Ok(rows.into_iter().map(wrap).collect())
    }

    /// The message this is an edited sibling of.
    async fn edited_from(&self, ctx: &Context<'_>) -> Option<Result<Self>> {
        let loaded = ctx.loaders().load(self.0.edited_from_id?).await;
        loaded.map(|found| found.map(Self)).map_err(Into::into).transpose()
    }

    /// Whether models are not shown this message.
    async fn hidden_from_prompt(&self) -> bool {
        self.0.hidden_from_prompt
    }

    /// When it was added.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was edited in place last.
    async fn edited_at(&self) -> Option<DateTime<Utc>> {
        self.0.edited_at
    }

    /// When it was deleted; it can be restored.
    async fn deleted_at(&self) -> Option<DateTime<Utc>> {
        self.0.deleted_at
    }
}

/// All messages in one place of the tree: below the same parent, on the same side.
///
/// One entity for all of them, so that a cache has one counter to update.
pub(super) struct Alternatives(AlternativesKey);

const PLAYER_ALTERNATIVES: &str = "alternatives_player";
const STORY_ALTERNATIVES: &str = "alternatives_story";

impl Alternatives {
    /// Whether ids with this prefix name alternatives.
    pub(super) fn is_prefix(prefix: &str) -> bool {
        [PLAYER_ALTERNATIVES, STORY_ALTERNATIVES].contains(&prefix)
    }

    /// The alternatives with this id, if the viewer may read what they hang on.
    pub(super) async fn find(ctx: &Context<'_>, prefix: &str, uuid: Uuid) -> Result<Option<Self>> {
        let side = match prefix {
            PLAYER_ALTERNATIVES => Side::Player,
            STORY_ALTERNATIVES => Side::Story,
            _ => return Ok(None),
        };
        let (message, session) = (MessageId::from_uuid(uuid), SessionId::from_uuid(uuid));
        let below = if ctx.loaders().load(message).await?.is_some() {
            Below::Message(message)
        } else if ctx.loaders().load(session).await?.is_some() {
            Below::Session(session)
        } else {
            return Ok(None);
        };
        Ok(Some(Self(AlternativesKey { below, side })))
    }
}

/// All messages in one place of the tree: below the same parent, on the same side.
///
/// One entity for all of them, so that a cache has one counter to update.
#[Object]
impl Alternatives {
    /// The id, which all alternatives share.
    pub(super) async fn id(&self) -> ID {
        let prefix = match self.0.side {
            Side::Player => PLAYER_ALTERNATIVES,
            Side::Story => STORY_ALTERNATIVES,
        };
        let uuid = match self.0.below {
            Below::Message(id) => id.uuid(),
            Below::Session(id) => id.uuid(),
        };
        ID(format_any(prefix, uuid))
    }

    /// How many there are; at least 1.
    async fn count(&self, ctx: &Context<'_>) -> Result<i32> {
        let ids = ctx.loaders().load(self.0).await?.unwrap_or_default();
        Ok(i32::try_from(ids.len()).unwrap_or(i32::MAX))
    }

    /// Their ids, in order of creation.
    async fn message_ids(&self, ctx: &Context<'_>) -> Result<Vec<ID>> {
        let ids = ctx.loaders().load(self.0).await?.unwrap_or_default();
        Ok(ids.into_iter().map(ID::from).collect())
    }

    /// The messages themselves, in order of creation; 20 a page unless told
    /// otherwise, 100 at most.
    #[graphql(complexity = "cost(first, None, child_complexity)")]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Message>> {
        let ids = ctx.loaders().load(self.0).await?.unwrap_or_default();
        message_page(ctx, &ids, first, after).await
    }
}

async fn message_page(
    ctx: &Context<'_>,
    ids: &[MessageId],
    first: Option<i32>,
    after: Option<String>,
) -> Result<Page<Message>> {
    let request = forward(first, after).check_forward()?;
    let slice = slice_ids(ids, &request)?;
    let rows = ctx.loaders().load_all(&slice.rows).await?;
    let slice = skald_base::graph::Slice {
        rows: rows.into_iter().map(Message).collect(),
        has_previous: slice.has_previous,
        has_next: slice.has_next,
    };
    let total = i64::try_from(ids.len()).ok();
    Ok(page(slice, total, |message| message.0.id.to_string()))
}

/// Queries on messages.
#[derive(Default)]
pub(super) struct MessageQuery;

#[Object]
impl MessageQuery {
    /// One message of a session of yours, deleted or not; null if there is none with this id.
    async fn message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Option<Result<Message>> {
        let id: MessageId = match parse_id("id", &id) {
            Ok(id) => id,
            Err(error) => return Some(Err(error.into())),
        };
        if let Err(error) = ctx.viewer().user() {
            return Some(Err(error.into()));
        }
        match ctx.loaders().load(id).await {
            Ok(found) => found.map(|row| Ok(Message(row))),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// The messages that are being written for you now, in all sessions.
    async fn running_replies(&self, ctx: &Context<'_>) -> Result<Vec<Message>> {
        let user = ctx.viewer().user()?;
        let ids = store::reply::running_for(&ctx.app().db, user.id).await?;
        let rows = ctx.loaders().load_all(&ids).await?;
        Ok(rows.into_iter().map(Message).collect())
    }
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
enum SpeakerInput {
    /// This character of the cast.
    CharacterId(ID),
    /// The narrator.
    Narrator(NarratorInput),
}

/// What the narrator is asked for.
#[derive(InputObject)]
struct NarratorInput {
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

/// An edit.
#[derive(InputObject)]
struct EditMessageInput {
    /// The message.
    message_id: ID,
    /// The new text; 1 byte to 64 KiB.
    content: String,
    /// How the edit is kept; as a sibling if absent.
    mode: Option<EditMode>,
    /// Whether your edited message, as a sibling, gets a fresh reply.
    #[graphql(default)]
    reply: bool,
    /// Refuse the edit with `CONFLICT` if the message has another revision by now.
    expected_revision: Option<i64>,
    /// An id you made for the sibling (a `UUIDv7` written as `message_…`).
    new_message_id: Option<ID>,
    /// An id you made for the reply (a `UUIDv7` written as `message_…`).
    reply_id: Option<ID>,
    /// Your id of this request.
    client_request_id: String,
}

/// Which message to select.
#[derive(InputObject)]
struct SelectMessageInput {
    /// The message.
    message_id: ID,
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
}

/// Which message to delete, with everything below it.
#[derive(InputObject)]
struct DeleteMessageInput {
    /// The message.
    message_id: ID,
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
}

/// Which message to restore.
#[derive(InputObject)]
struct RestoreMessageInput {
    /// A deleted message.
    message_id: ID,
}

/// What a turn made, or why it could not begin.
#[derive(SimpleObject)]
struct TurnPayload {
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

/// A message and its session after a change, or why it was refused.
#[derive(SimpleObject)]
struct MessagePayload {
    /// The session, with its head where it is now.
    session: Option<Session>,
    /// The message.
    message: Option<Message>,
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

/// Mutations that edit the tree.
#[derive(Default)]
pub(super) struct MessageMutation;

#[Object]
impl MessageMutation {
    /// Edit a message: as a sibling, so that nothing is lost, or in place.
    async fn edit_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message, and its new text.")] input: EditMessageInput,
    ) -> Result<TurnPayload> {
        turn_payload(edit(ctx, input).await)
    }

    /// Select a message: the head returns to the leaf you last visited below it.
    async fn select_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message.")] input: SelectMessageInput,
    ) -> Result<MessagePayload> {
        let outcome = match move_head(&input.message_id, input.expected_head_id.as_ref()) {
            Ok((id, head)) => {
                change::select(ctx.app(), ctx.viewer(), id, head).await.map(|s| (s, id))
            }
            Err(error) => Err(error),
        };
        let (done, errors) = payload(outcome)?;
        let Some((session, id)) = done else {
            return Ok(MessagePayload { session: None, message: None, errors });
        };
        let message = ctx.loaders().load(id).await?.map(Message);
        Ok(MessagePayload { session: Some(Session(session)), message, errors })
    }

    /// Delete a message and everything below it; replies being written there
    /// stop, and the head moves to the parent if it was below (from a root to
    /// the leaf you last visited below another one). It can be restored.
    async fn delete_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message.")] input: DeleteMessageInput,
    ) -> Result<MessagePayload> {
        let outcome = match move_head(&input.message_id, input.expected_head_id.as_ref()) {
            Ok((id, head)) => change::delete(ctx.app(), ctx.viewer(), id, head).await,
            Err(error) => Err(error),
        };
        message_payload(outcome)
    }

    /// Undo the deletion that took this message, whole; the head moves there.
    async fn restore_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message.")] input: RestoreMessageInput,
    ) -> Result<MessagePayload> {
        let outcome = match parse_id("input.messageId", &input.message_id) {
            Ok(id) => change::restore(ctx.app(), ctx.viewer(), id).await,
            Err(error) => Err(error),
        };
        message_payload(outcome)
    }
}

type Outcome<T> = skald_base::Result<T>;

fn turn_payload(outcome: Outcome<Turn>) -> Result<TurnPayload> {
    let (turn, errors) = payload(outcome)?;
    let Some(Turn { session, message, reply }) = turn else {
        return Ok(TurnPayload { session: None, message: None, reply: None, errors });
    };
    let (message, reply) = (message.map(Message), reply.map(Message));
    Ok(TurnPayload { session: Some(Session(session)), message, reply, errors })
}

fn message_payload(
    outcome: Outcome<(crate::session::Session, tree::Message)>,
) -> Result<MessagePayload> {
    let (done, errors) = payload(outcome)?;
    let (session, message) = done.unzip();
    Ok(MessagePayload { session: session.map(Session), message: message.map(Message), errors })
}

fn move_head(message: &ID, head: Option<&ID>) -> Outcome<(MessageId, Option<MessageId>)> {
    let id = parse_id("input.messageId", message)?;
    let head = parse_optional_id("input.expectedHeadId", head)?;
    Ok((id, head))
}

fn request_id(text: &str) -> Outcome<ClientRequestId> {
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
        speaker: match input.speaker {
            SpeakerInput::CharacterId(id) => {
                WishedSpeaker::Character(parse_id("input.speaker.characterId", &id)?)
            }
            SpeakerInput::Narrator(narrator) => WishedSpeaker::Narrator(narrator.task.into()),
        },
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

async fn edit(ctx: &Context<'_>, input: EditMessageInput) -> Outcome<Turn> {
    let request = request_id(&input.client_request_id)?;
    let edit = Edit {
        message_id: parse_id("input.messageId", &input.message_id)?,
        content: input.content,
        mode: input.mode.map_or(change::EditMode::Sibling, Into::into),
        reply: input.reply,
        expected_revision: input.expected_revision,
        new_message_id: parse_optional_id("input.newMessageId", input.new_message_id.as_ref())?,
        reply_id: parse_optional_id("input.replyId", input.reply_id.as_ref())?,
    };
    change::edit(ctx.app(), ctx.viewer(), edit, &request).await
}
