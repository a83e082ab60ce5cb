//! Events of subscriptions: types, and how news of the domain become them.
//!
//! Interfaces, not unions: an old client survives a new event. Entities are
//! read at delivery; facts of the moment are fields of the event.

use async_graphql::{ComplexObject, Context, Enum, ID, Interface, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::{
    context::Graph,
    generation::{ReplyFailure, ReplyStage, reply_failure},
    message::Message,
    session::Session,
};
use crate::{
    events::{self, EventBody, ReplyProgress, ReplyStep},
    session::{
        SessionId,
        watch::{SessionNews, What},
    },
    store,
    tree::MessageId,
};

/// The two texts of a reply.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "events::Channel")]
pub(super) enum ReplyChannel {
    /// The text of the story.
    Content,
    /// The model's hidden reasoning.
    Thought,
}

/// Defines an event type: the fields of every session event, and its own. Lists that may be long
/// come last: each costs as much as ten of what it holds.
macro_rules! event {
    (
        $(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
        $(lists { $($(#[$list_doc:meta])* $list:ident: $list_type:ty,)* })?
    ) => {
        $(#[$doc])*
        #[derive(SimpleObject)]
        #[graphql(complex)]
        pub(super) struct $name {
            /// The number of the stored event, or of the last one before a live-only event.
            sequence: i64,
            /// When it happened.
            at: DateTime<Utc>,
            #[graphql(skip)]
            session_id: SessionId,
            $($(#[$field_doc])* $field: $type,)*
            $($($(#[$list_doc])* #[graphql(complexity = "1 + 10 * child_complexity")]
                $list: $list_type,)*)?
        }

        #[ComplexObject]
        impl $name {
            /// The session it happened in.
            async fn session(&self, ctx: &Context<'_>) -> Result<Session> {
                let found = ctx.loaders().load(self.session_id).await?;
                found.map(Session).ok_or_else(|| skald_base::Error::not_found("session").into())
            }
        }
    };
}

event! {
    /// A piece of text. Client rule: `text = text.slice(0, offset) + delta.text`;
    /// an offset beyond the end of what you have is a gap: subscribe again.
    ReplyDelta {
        /// The reply's message.
        message_id: ID,
        /// Which attempt, counted from 1.
        attempt: i64,
        /// Which of the two texts.
        channel: ReplyChannel,
        /// Where the piece goes, in UTF-16 code units, as JavaScript counts.
        offset: i64,
        /// The piece.
        text: String,
    }
}
event! {
    /// A reply entered a stage.
    ReplyStageChanged {
        /// The reply's message.
        message_id: ID,
        /// Which attempt, counted from 1.
        attempt: i64,
        /// The stage.
        stage: ReplyStage,
        /// Why it is tried again, in stage `RETRYING`.
        failure: Option<ReplyFailure>,
        /// When it is tried again, in stage `RETRYING`.
        retry_at: Option<DateTime<Utc>>,
    }
}
event! {
    /// What you have of a reply is void (a new attempt, or more than was saved
    /// before a crash): go on from these texts.
    ReplyReset {
        /// The reply's message.
        message_id: ID,
        /// Which attempt, counted from 1.
        attempt: i64,
        /// The content from here on.
        content: String,
        /// The thought from here on.
        thought: Option<String>,
    }
}
event! {
    /// A reply ended with text: complete, stopped or interrupted.
    ReplyFinished {
        /// The reply's message.
        message_id: ID,
        /// Which attempt it was.
        attempt: i64,
        /// The message, in its final form.
        message: Message,
    }
}
event! {
    /// A reply ended without a word of its own; `message.generation.failure` says why.
    ReplyFailed {
        /// The reply's message.
        message_id: ID,
        /// Which attempt it was.
        attempt: i64,
        /// The message, in its final form.
        message: Message,
    }
}
event! {
    /// The replay of the log is over: what follows happens now.
    CaughtUp {}
}
event! {
    /// The log does not reach back to `after`, or you missed more than is
    /// replayed: read the session again. What follows happened after `sequence`.
    ResyncNeeded {}
}
event! {
    /// Messages were added, parents before children.
    MessagesAdded {
        /// The messages.
        messages: Vec<Message>,
        /// The request that added them: yours, if you know it.
        client_request_id: Option<String>,
    }
}
event! {
    /// A message was edited in place, hidden or shown, or kept under a name; or it is a failed
    /// reply that is tried again (`retryReply`), whose text follows from the start.
    MessageUpdated {
        /// The message.
        message: Message,
    }
}
event! {
    /// A message and everything below it was deleted.
    MessagesDeleted {
        /// The topmost deleted message.
        root: Message,
    }
}
event! {
    /// A deletion was undone.
    MessagesRestored {
        /// The topmost restored message.
        root: Message,
    }
    lists {
        /// What stands there now, from `root` down, parents before children; the first
        /// 100 of them. If there are 100, a view of the whole tree reads
        /// `Session.messages` again. Ten messages count in the complexity.
        messages: Vec<Message>,
    }
}
event! {
    /// Another leaf was selected.
    HeadMoved {
        /// The head; null in an emptied session.
        head: Option<Message>,
        /// The last message that the old and the new path share; null if none.
        fork: Option<Message>,
        /// The request that moved it: yours, if you know it.
        client_request_id: Option<String>,
    }
    lists {
        /// The messages of the new path below `fork`, in order; the last 100 of them. Ten
        /// messages count in the complexity.
        branch: Vec<Message>,
    }
}
event! {
    /// The session's settings changed.
    SessionUpdated {}
}
event! {
    /// The session was deleted.
    SessionDeleted {}
}

/// How one reply moves on.
#[derive(Interface)]
#[graphql(
    field(name = "message_id", ty = "&ID", desc = "The reply's message."),
    field(name = "attempt", ty = "&i64", desc = "Which attempt, counted from 1.")
)]
pub(super) enum ReplyEvent {
    Delta(ReplyDelta),
    StageChanged(ReplyStageChanged),
    Reset(ReplyReset),
    Finished(ReplyFinished),
    Failed(ReplyFailed),
}

/// What happens in a session.
#[expect(clippy::large_enum_variant, reason = "one lives at a time, on its way to a client")]
#[derive(Interface)]
#[graphql(
    field(
        name = "sequence",
        ty = "&i64",
        desc = "The number of the stored event, or of the last one before a live-only event."
    ),
    field(name = "at", ty = "&DateTime<Utc>", desc = "When it happened."),
    field(name = "session", ty = "Session", desc = "The session it happened in.")
)]
pub(super) enum SessionEvent {
    CaughtUp(CaughtUp),
    ResyncNeeded(ResyncNeeded),
    MessagesAdded(MessagesAdded),
    MessageUpdated(MessageUpdated),
    MessagesDeleted(MessagesDeleted),
    MessagesRestored(MessagesRestored),
    HeadMoved(HeadMoved),
    ReplyDelta(ReplyDelta),
    ReplyStageChanged(ReplyStageChanged),
    ReplyReset(ReplyReset),
    ReplyFinished(ReplyFinished),
    ReplyFailed(ReplyFailed),
    SessionUpdated(SessionUpdated),
    SessionDeleted(SessionDeleted),
}

/// When and where something happened.
#[derive(Clone, Copy)]
pub(super) struct Occasion {
    pub(super) sequence: i64,
    pub(super) at: DateTime<Utc>,
    pub(super) session_id: SessionId,
}

/// Messages in a `HeadMoved.branch` at most.
const MAX_BRANCH: i64 = 100;

/// Messages in a `MessagesRestored.messages` at most.
const MAX_RESTORED: i64 = 100;

/// The event that tells of this step of a reply.
pub(super) fn progress(occasion: Occasion, progress: ReplyProgress) -> ReplyEvent {
    let Occasion { sequence, at, session_id } = occasion;
    let (message_id, attempt) = (progress.message_id.into(), progress.attempt);
    match progress.step {
        ReplyStep::Delta { channel, offset, text } => ReplyEvent::Delta(ReplyDelta {
            sequence,
            at,
            session_id,
            message_id,
            attempt,
            channel: channel.into(),
            offset: i64::try_from(offset).unwrap_or(i64::MAX),
            text,
        }),
        ReplyStep::Stage { stage, failure, retry_at } => {
            let failure = failure.map(|failure| reply_failure(failure, retry_at));
            let stage = stage.into();
            ReplyEvent::StageChanged(ReplyStageChanged {
                sequence,
                at,
                session_id,
                message_id,
                attempt,
                stage,
                failure,
                retry_at,
            })
        }
        ReplyStep::Reset { content, thought } => {
            let thought = (!thought.is_empty()).then_some(thought);
            ReplyEvent::Reset(ReplyReset {
                sequence,
                at,
                session_id,
                message_id,
                attempt,
                content,
                thought,
            })
        }
    }
}

/// The event that tells of a reply's end.
pub(super) fn ended(occasion: Occasion, attempt: i64, message: Message) -> ReplyEvent {
    let has_failed = message.0.status == crate::tree::MessageStatus::Failed;
    ended_so(occasion, (attempt, has_failed), message)
}

/// The same of an end that may not be the last one: a failed reply may have been tried again.
fn ended_so(
    occasion: Occasion,
    (attempt, has_failed): (i64, bool),
    message: Message,
) -> ReplyEvent {
    let Occasion { sequence, at, session_id } = occasion;
    let message_id = message.0.id.into();
    if has_failed {
        return ReplyEvent::Failed(ReplyFailed {
            sequence,
            at,
            session_id,
            message_id,
            attempt,
            message,
        });
    }
    ReplyEvent::Finished(ReplyFinished { sequence, at, session_id, message_id, attempt, message })
}

impl From<ReplyEvent> for SessionEvent {
    fn from(event: ReplyEvent) -> Self {
        match event {
            ReplyEvent::Delta(event) => Self::ReplyDelta(event),
            ReplyEvent::StageChanged(event) => Self::ReplyStageChanged(event),
            ReplyEvent::Reset(event) => Self::ReplyReset(event),
            ReplyEvent::Finished(event) => Self::ReplyFinished(event),
            ReplyEvent::Failed(event) => Self::ReplyFailed(event),
        }
    }
}

/// The event that tells of this news of a session.
pub(super) async fn session_event(
    ctx: &Context<'_>,
    session_id: SessionId,
    news: SessionNews,
) -> Result<SessionEvent> {
    let SessionNews { sequence, at, what } = news;
    let occasion = Occasion { sequence, at, session_id };
    match what {
        What::Progress(step) => Ok(progress(occasion, step).into()),
        What::CaughtUp => Ok(SessionEvent::CaughtUp(CaughtUp { sequence, at, session_id })),
        What::ResyncNeeded => {
            Ok(SessionEvent::ResyncNeeded(ResyncNeeded { sequence, at, session_id }))
        }
        What::Stored(body) => stored(ctx, occasion, body).await,
    }
}

async fn stored(ctx: &Context<'_>, occasion: Occasion, body: EventBody) -> Result<SessionEvent> {
    let Occasion { sequence, at, session_id } = occasion;
    Ok(match body.clone() {
        EventBody::MessagesAdded { messages, client_request_id } => {
            let messages = ctx.loaders().load_alone(&messages).await?;
            let messages = messages.into_iter().map(Message).collect();
            SessionEvent::MessagesAdded(MessagesAdded {
                sequence,
                at,
                session_id,
                messages,
                client_request_id,
            })
        }
        EventBody::MessageUpdated { message, retried: _ } => {
            let message = message_of(ctx, message).await?;
            SessionEvent::MessageUpdated(MessageUpdated { sequence, at, session_id, message })
        }
        EventBody::MessagesDeleted { root } => {
            let root = message_of(ctx, root).await?;
            SessionEvent::MessagesDeleted(MessagesDeleted { sequence, at, session_id, root })
        }
        EventBody::MessagesRestored { root } => {
            let mut reader = ctx.app().db.reader();
            let rows = store::deletion::living_below(&mut reader, root, MAX_RESTORED).await?;
            let messages = rows.into_iter().map(Message).collect();
            let root = message_of(ctx, root).await?;
            let event = MessagesRestored { sequence, at, session_id, root, messages };
            SessionEvent::MessagesRestored(event)
        }
        EventBody::HeadMoved { head, fork, client_request_id } => {
            head_moved(ctx, occasion, (head, fork), client_request_id).await?
        }
        EventBody::ReplyFinished { message } | EventBody::ReplyFailed { message } => {
            let has_failed = matches!(body, EventBody::ReplyFailed { .. });
            let message = message_of(ctx, message).await?;
            let key = super::loaders::ReplyKey(message.0.id);
            let reply = ctx.loaders().load_alone(&[key]).await?.pop();
            let attempt = reply.map_or(1, |reply| reply.attempt);
            ended_so(occasion, (attempt, has_failed), message).into()
        }
        EventBody::SessionUpdated {} => {
            SessionEvent::SessionUpdated(SessionUpdated { sequence, at, session_id })
        }
        EventBody::SessionDeleted {} => {
            SessionEvent::SessionDeleted(SessionDeleted { sequence, at, session_id })
        }
    })
}

async fn head_moved(
    ctx: &Context<'_>,
    occasion: Occasion,
    (head, fork): (Option<MessageId>, Option<MessageId>),
    client_request_id: Option<String>,
) -> Result<SessionEvent> {
    let Occasion { sequence, at, session_id } = occasion;
    let ids: Vec<MessageId> = head.into_iter().chain(fork).collect();
    let found = ctx.loaders().load_alone(&ids).await?;
    let of = |id: Option<MessageId>| found.iter().find(|message| Some(message.id) == id).cloned();
    let (head, fork) = (of(head), of(fork));
    let branch = match &head {
        None => Vec::new(),
        Some(head) => {
            let above = fork.as_ref().map_or(-1, |fork| fork.depth);
            let length = (head.depth - above).clamp(0, MAX_BRANCH);
            match length {
                0 => Vec::new(),
                length => {
                    let mut reader = ctx.app().db.reader();
                    store::message::path_up(&mut reader, &[head.id], length).await?
                }
            }
        }
    };
    Ok(SessionEvent::HeadMoved(HeadMoved {
        sequence,
        at,
        session_id,
        head: head.map(Message),
        fork: fork.map(Message),
        branch: branch.into_iter().map(|step| Message(step.message)).collect(),
        client_request_id,
    }))
}

async fn message_of(ctx: &Context<'_>, id: MessageId) -> Result<Message> {
    let found = ctx.loaders().load_alone(&[id]).await?.pop();
    found.map(Message).ok_or_else(|| skald_base::Error::not_found("message").into())
}
