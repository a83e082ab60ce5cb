//! One change to a session: its lock, its events, its commit.
//!
//! Everything that changes a story goes through here, so that the log and the
//! tree can never disagree: events are stored in the transaction that made
//! them true, and told to subscribers only after it committed.

use skald_base::{Error, Result, Tx, Viewer};

use super::{Session, SessionId};
use crate::{
    app::App,
    events::EventBody,
    library::{self, Change},
    store,
    tree::{Author, Message, MessageId, MessageRole, MessageStatus},
};

/// A session that this transaction alone may change.
pub struct SessionChange<'a> {
    /// The application.
    pub app: &'a App,
    /// The open transaction.
    pub tx: Tx,
    /// The session as it was when it was locked, with this change's own edits.
    pub session: Session,
    events: Vec<EventBody>,
    /// Whether it was new when it was locked, and whether it was deleted.
    was: Was,
}

/// What a session was when it was locked, as far as its owner's list is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Was {
    New,
    Listed,
    Deleted,
}

impl<'a> SessionChange<'a> {
    /// Locks the viewer's session; a deleted one has to be restored first.
    pub async fn open(app: &'a App, viewer: &Viewer, id: SessionId) -> Result<Self> {
        let change = Self::open_deleted(app, viewer, id).await?;
        if change.session.deleted_at.is_some() {
            return Err(Error::conflict("the session is deleted: restore it first"));
        }
        Ok(change)
    }

    /// Locks the viewer's session, deleted or not.
    pub async fn open_deleted(app: &'a App, viewer: &Viewer, id: SessionId) -> Result<Self> {
        let user = viewer.user()?;
        let mut tx = app.db.begin().await?;
        let found = store::session::lock(&mut tx, id, user.id).await?;
        let session = found.ok_or_else(|| Error::not_found("session"))?;
        Ok(Self::of_locked(app, tx, session))
    }

    /// Locks a session for the end of a reply, which no viewer asks for.
    pub async fn open_for_reply(app: &'a App, id: SessionId) -> Result<Option<Self>> {
        let mut tx = app.db.begin().await?;
        let found = store::session::lock_any(&mut tx, id).await?;
        Ok(found.map(|session| Self::of_locked(app, tx, session)))
    }

    /// The first change of a session, in the transaction that lets its owner see it.
    pub fn begin(app: &'a App, tx: Tx, session: Session) -> Self {
        Self { app, tx, session, events: Vec::new(), was: Was::New }
    }

    fn of_locked(app: &'a App, tx: Tx, session: Session) -> Self {
        let was = if session.deleted_at.is_some() { Was::Deleted } else { Was::Listed };
        Self { app, tx, session, events: Vec::new(), was }
    }

    /// Notes an event that becomes true with this change.
    pub fn record(&mut self, event: EventBody) {
        self.events.push(event);
    }

    /// A message below `parent` that is not stored yet.
    pub fn draft_message(
        &self,
        id: MessageId,
        role: MessageRole,
        author: Author,
        parent: Option<&ParentPlace>,
    ) -> Message {
        Message {
            id,
            session_id: self.session.id,
            parent_id: parent.map(|parent| parent.id),
            depth: parent.map_or(0, |parent| parent.depth + 1),
            jump_id: parent.map(|parent| parent.child_jump_id),
            jump_depth: parent.map_or(0, |parent| parent.child_jump_depth),
            role,
            author,
            content: String::new(),
            thought: None,
            status: MessageStatus::Pending,
            revision: 1,
            edited_from_id: None,
            continued_from_id: None,
            hidden_from_prompt: false,
            bookmark: None,
            created_at: self.app.clock.now(),
            edited_at: None,
            deleted_at: None,
            deletion_id: None,
        }
    }

    /// A message of this session that is not deleted.
    pub async fn message(&mut self, id: MessageId, path: &str) -> Result<Message> {
        let found = store::message::find(&mut self.tx, id).await?;
        found
            .filter(|message| message.session_id == self.session.id && message.deleted_at.is_none())
            .ok_or_else(|| Error::not_found("message").at(path))
    }

    /// Refuses to go on if the head is not where the client believes it to be.
    ///
    /// Asked after the request id was claimed: a request that is sent again is answered as the
    /// first time, wherever its own turn has moved the head.
    pub fn expect_head(&self, expected: Option<MessageId>) -> Result<()> {
        match expected {
            Some(expected) if self.session.head_id != Some(expected) => {
                Err(Error::conflict("the head moved meanwhile").at("input.expectedHeadId"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Moves the head and remembers the leaf as visited.
    pub async fn move_head(
        &mut self,
        head: Option<MessageId>,
        client_request_id: Option<String>,
    ) -> Result<()> {
        let before = self.session.head_id;
        let fork = match (before, head) {
            (Some(old), Some(new)) => {
                store::message::common_ancestor(&mut self.tx, old, new).await?
            }
            (Some(_), None) | (None, Some(_) | None) => None,
        };
        self.session.head_id = head;
        store::session::set_head(&mut self.tx, self.session.id, head).await?;
        if let Some(head) = head {
            self.visit(head, before.filter(|before| fork == Some(*before))).await?;
        }
        self.record(EventBody::HeadMoved { head, fork, client_request_id });
        Ok(())
    }

    /// What this change is to the list of the session's owner.
    fn to_library(&self) -> Option<Change> {
        match self.was {
            _ if self.session.deleted_at.is_some() => Some(Change::Removed),
            Was::New | Was::Deleted => Some(Change::Added),
            Was::Listed if self.events.is_empty() => None,
            Was::Listed => Some(Change::Changed),
        }
    }

    /// Remembers a leaf as visited; `above` is where the player was, if that is above it.
    async fn visit(&mut self, leaf: MessageId, above: Option<MessageId>) -> Result<()> {
        let (id, now) = (self.session.id, self.app.clock.now());
        if let Some(above) = above
            && store::tip::go_on(&mut self.tx, id, (above, leaf), now).await?
        {
            return Ok(());
        }
        store::tip::visit(&mut self.tx, id, leaf, now).await?;
        Ok(())
    }

    /// Stores the events, commits, and tells subscribers.
    pub async fn commit(mut self) -> Result<Session> {
        let now = self.app.clock.now();
        let (id, owner) = (self.session.id, self.session.owner_id);
        let to_library = self.to_library();
        let events = store::event::append(&mut self.tx, id, self.events, now).await?;
        if let Some(last) = events.last() {
            self.session.last_sequence = last.sequence;
            self.session.last_activity_at = now;
        }
        // The owner's row is locked last, by everybody, and for no longer than a commit takes.
        let noted = match to_library {
            Some(change) => {
                Some(library::note(&mut self.tx, owner, &[(id.into(), change)], now).await?)
            }
            None => None,
        };
        self.tx.commit().await?;
        self.app.live.publish_stored(events);
        if let Some(noted) = noted {
            self.app.library.tell(&noted);
        }
        Ok(self.session)
    }
}

/// A parent, and the jump pointer its next child gets.
#[derive(Clone, Copy, Debug)]
pub struct ParentPlace {
    /// The parent.
    pub id: MessageId,
    /// Its depth.
    pub depth: i64,
    /// Where the child's jump leads.
    pub child_jump_id: MessageId,
    /// How deep that is.
    pub child_jump_depth: i64,
}

impl ParentPlace {
    /// The place below `parent`, read with one statement if it is not a root.
    pub async fn below(tx: &mut Tx, parent: &Message) -> Result<Self> {
        let place = parent.place();
        let jump = match place.jump_id {
            Some(jump) => store::message::find_place(tx, jump).await?,
            None => None,
        };
        let (child_jump_id, child_jump_depth) = place.child_jump(jump.as_ref());
        Ok(Self { id: place.id, depth: place.depth, child_jump_id, child_jump_depth })
    }
}
