//! What happens in a session: the stored log, and the live feed beside it.
//!
//! A [`SessionEvent`] is stored with the change it tells of and has a sequence
//! number; clients resume after it. The live feed carries stored events as they
//! commit and, between them, what is not worth a row: deltas and stages of
//! replies. A receiver that falls behind is told so and reads again.

mod local;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;

pub use self::local::{Listener, Live, Missed};
use crate::{
    session::SessionId,
    tree::MessageId,
    turn::{Failure, Stage},
};

/// A stored event of a session.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SessionEvent {
    /// Whose event it is.
    pub session_id: SessionId,
    /// Its number in the session's log: 1, 2, 3 …
    pub sequence: i64,
    /// What happened.
    pub body: Json<EventBody>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What happened, with the facts of the moment; entities are read at delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventBody {
    /// Messages were added, parents before children.
    MessagesAdded {
        /// The new messages.
        messages: Vec<MessageId>,
        /// The request that added them.
        client_request_id: Option<String>,
    },
    /// A message was edited in place or marked, or it is a failed reply that is tried again.
    MessageUpdated {
        /// The message.
        message: MessageId,
        /// Whether it is such a reply, which runs from now on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        retried: bool,
    },
    /// A message and everything below it was deleted.
    MessagesDeleted {
        /// The topmost deleted message.
        root: MessageId,
    },
    /// A deletion was undone.
    MessagesRestored {
        /// The topmost restored message.
        root: MessageId,
    },
    /// Another leaf was selected.
    HeadMoved {
        /// The new head; none in an emptied session.
        head: Option<MessageId>,
        /// The last message that the old and the new path share.
        fork: Option<MessageId>,
        /// The request that moved it.
        client_request_id: Option<String>,
    },
    /// A reply ended with text: complete, stopped or interrupted.
    ReplyFinished {
        /// The reply's message.
        message: MessageId,
    },
    /// A reply ended without a word of its own.
    ReplyFailed {
        /// The reply's message.
        message: MessageId,
    },
    /// The session's settings changed.
    SessionUpdated {},
    /// The session was deleted.
    SessionDeleted {},
}

/// One item of a session's live feed.
#[derive(Clone, Debug)]
pub enum LiveEvent {
    /// A stored event was committed.
    Stored(SessionEvent),
    /// Something about a running reply that is not stored as an event.
    Reply(ReplyProgress),
}

/// How a running reply moves on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyProgress {
    /// The reply's message.
    pub message_id: MessageId,
    /// Which attempt, counted from 1.
    pub attempt: i64,
    /// What moved.
    pub step: ReplyStep,
}

/// What moved in a running reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyStep {
    /// Text arrived.
    Delta {
        /// Content or thought.
        channel: Channel,
        /// Where it goes, in UTF-16 code units.
        offset: usize,
        /// The text.
        text: String,
    },
    /// The reply entered a stage.
    Stage {
        /// The stage.
        stage: Stage,
        /// Why it is retried, if it is.
        failure: Option<Failure>,
        /// When it will be retried.
        retry_at: Option<DateTime<Utc>>,
    },
    /// What was shown so far is void: the text is this.
    Reset {
        /// The content from here on.
        content: String,
        /// The thought from here on.
        thought: String,
    },
}

/// The two texts of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum Channel {
    Content,
    Thought,
}
