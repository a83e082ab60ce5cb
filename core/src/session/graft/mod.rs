//! A new session made out of many messages from elsewhere: a fork, an imported file.
//!
//! A [`Graft`] takes messages one by one, parents before children, and stores
//! them in short transactions, because SQLite has one writer that running
//! stories need too. Nobody takes part in the session before
//! [`finish`](Graft::finish), and everything that reads sessions reads through
//! those who take part: so nobody sees half of it. What comes to nothing is
//! removed, at once ([`discard`](Graft::discard), or when the graft is
//! dropped) or, after a crash, by [`recover`]; then the request id that asked
//! for it can be used again.
//!
//! ```text
//! match Graft::open(&app, stock, &claim).await? {
//!     Opened::Made(id) => …          the request is a repeat: this is its session
//!     Opened::New(mut graft) => {
//!         graft.add(Scion { key: 1, parent: None, … }).await?;
//!         graft.add(Scion { key: 2, parent: Some(1), … }).await?;
//!         graft.finish(Some(2), &[]).await?
//!     }
//! }
//! ```
//!
//! What hangs on messages and comes to a graft with them is a field of
//! [`Scion`]; whoever copies something else that names messages asks
//! [`Graft::made_of`] what became of each.

mod batch;
mod claim;
mod clear;
mod seat;

use std::hash::Hash;

use chrono::{DateTime, SubsecRound, Utc};
use skald_base::{Error, Result, Tx};
use uuid::Uuid;

use self::{
    batch::Batch,
    claim::made_before,
    clear::clear,
    seat::{Refused, Seats, Taken},
};
pub(crate) use self::{
    claim::{Claimed, claim},
    clear::recover,
};
use super::{CastMember, Session, SessionId, SessionMode, Settings, change::SessionChange};
use crate::{
    app::App,
    character::CharacterId,
    library::{self, Change, LibraryNode},
    persona::PersonaId,
    request::{self, Claim},
    store::{self, graft::OldText},
    tree::{Author, Message, MessageId, MessageRole, MessageStatus, Place},
    turn::Reply,
};

/// How long the process that makes a session may be silent before others clear it away.
pub(crate) const LEASE_MILLIS: i64 = 60_000;

/// What a message is called where it comes from.
pub trait Key: Copy + Eq + Hash + Send {}
impl<K: Copy + Eq + Hash + Send> Key for K {}

/// The session that messages are to grow on.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of `Session`")]
pub struct Stock {
    pub id: SessionId,
    pub mode: SessionMode,
    pub settings: Settings,
    pub persona_id: Option<PersonaId>,
    /// The cast, in order.
    pub cast: Vec<Member>,
    /// The player's tags, checked, in order.
    pub tags: Vec<String>,
    /// Since when it is put away, if it comes like that.
    pub archived_at: Option<DateTime<Utc>>,
    /// For a fork: the session it comes from, and the message it was forked at.
    pub forked: Option<(SessionId, MessageId)>,
    /// People who were copied for it in the same transaction: if it comes to nothing, they go.
    pub copies: Vec<LibraryNode>,
}

/// A character on stage, perhaps one that is known by its name only.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of `CastMember`")]
pub struct Member {
    pub character_id: Option<CharacterId>,
    pub name: String,
    pub avatar_url: Option<String>,
}

/// A message that comes from elsewhere. Nobody is writing it any more.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the other fields are those of `Message`")]
pub struct Scion<K> {
    /// What it is called where it comes from.
    pub key: K,
    /// The message above, added before; none for a root.
    pub parent: Option<K>,
    pub role: MessageRole,
    pub author: Author,
    pub content: String,
    pub thought: Option<String>,
    /// How its writing ended.
    pub status: MessageStatus,
    /// What it said before it was edited in place, oldest first.
    pub revisions: Vec<Revision>,
    pub hidden_from_prompt: bool,
    pub bookmark: Option<String>,
    /// The message it is an edited sibling of; nothing if that one was not added before.
    pub edited_from: Option<K>,
    /// The reply it begins with the text of; nothing if that one was not added before.
    pub continued_from: Option<K>,
    /// Raised to its parent's where it is older. Siblings are ordered by it, equal ones by the
    /// order in which they are added.
    pub created_at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
    /// How a model wrote it; its message and session are set here.
    pub reply: Option<Reply>,
}

/// What a message said before it was edited in place.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of the graph")]
pub struct Revision {
    pub content: String,
    pub created_at: DateTime<Utc>,
}

/// What became of the wish to make a session.
pub enum Opened<K: Key> {
    /// It can be made.
    New(Box<Graft<K>>),
    /// The same request made it before.
    Made(SessionId),
}

/// A session that is being made.
pub struct Graft<K: Key> {
    app: App,
    session: Session,
    claim: Claim,
    /// Of this making alone: this process, too, may have taken it over since.
    lease: Uuid,
    seats: Seats<K>,
    waiting: Batch,
    is_over: bool,
}

/// The siblings that a message was made from.
#[derive(Clone, Copy)]
struct Sources {
    edited_from_id: Option<MessageId>,
    continued_from_id: Option<MessageId>,
}

impl Stock {
    /// The rows of the session and its cast.
    fn plant(self, app: &App, claim: &Claim) -> (Session, Vec<CastMember>) {
        let now = app.clock.now();
        let title_folded = self.settings.folded_title();
        let session = Session {
            id: self.id,
            owner_id: claim.user,
            mode: self.mode,
            settings: self.settings,
            persona_id: self.persona_id,
            forked_from_id: self.forked.map(|(session, _)| session),
            forked_at_id: self.forked.map(|(_, message)| message),
            head_id: None,
            last_sequence: 0,
            version: 1,
            created_at: now,
            last_activity_at: now,
            archived_at: self.archived_at,
            deleted_at: None,
            title_folded,
        };
        let cast = (0..).zip(self.cast).map(|(position, member)| CastMember {
            session_id: session.id,
            position,
            character_id: member.character_id,
            name: member.name,
            avatar_url: member.avatar_url,
        });
        let cast = cast.collect();
        (session, cast)
    }
}

/// A lease that nobody has, neither another process nor another task of this one.
fn fresh_lease(app: &App) -> Uuid {
    app.ids.next::<super::SessionKind>().uuid()
}

impl<K: Key> Graft<K> {
    /// Stores the session, for nobody to see yet; its settings must have been checked.
    pub async fn open(app: &App, stock: Stock, claim: &Claim) -> Result<Opened<K>> {
        match self::claim(app, stock.id, claim).await? {
            Claimed::New(tx) => Self::plant(app, tx, stock, claim).await.map(Opened::New),
            Claimed::Made(first) => Ok(Opened::Made(first)),
        }
    }

    /// Stores the session where its request was claimed, and commits.
    pub(crate) async fn plant(
        app: &App,
        mut tx: Tx,
        mut stock: Stock,
        claim: &Claim,
    ) -> Result<Box<Self>> {
        let copies = std::mem::take(&mut stock.copies);
        let tags = stock.tags.clone();
        let forked = stock.forked;
        let (session, cast) = stock.plant(app, claim);
        store::session::insert(&mut tx, &session).await.map_err(request::id_taken)?;
        store::session_list::set_tags(&mut tx, session.id, &tags).await?;
        for member in &cast {
            store::session::insert_cast(&mut tx, member).await?;
        }
        if let Some((source, _)) = forked {
            store::lorebook::copy_attached(&mut tx, source, session.id).await?;
        }
        let lease = fresh_lease(app);
        store::graft::insert(&mut tx, session.id, claim, lease).await?;
        store::graft::insert_people(&mut tx, session.id, &copies).await?;
        let added: Vec<_> = copies.into_iter().map(|copy| (copy, Change::Added)).collect();
        library::commit_any(app, tx, claim.user, &added).await?;
        let (app, claim) = (app.clone(), claim.clone());
        let (seats, waiting) = (Seats::new(), Batch::default());
        Ok(Box::new(Self { app, session, claim, lease, seats, waiting, is_over: false }))
    }

    /// What an earlier request with this claim made, for who has to read before [`open`](Self::open).
    pub async fn repeat(app: &App, claim: &Claim) -> Result<Option<Opened<K>>> {
        let mut tx = app.db.begin().await?;
        match request::first(&mut tx, claim).await? {
            Some(first) => made_before(&mut tx, first).await.map(|id| Some(Opened::Made(id))),
            None => Ok(None),
        }
    }

    /// Adds a message below one that was added before; its new id.
    pub async fn add(&mut self, mut scion: Scion<K>) -> Result<MessageId> {
        let revisions = std::mem::take(&mut scion.revisions);
        let id = self.add_edited(scion, i64::try_from(revisions.len()).unwrap_or(i64::MAX)).await?;
        for (number, revision) in (1..).zip(revisions) {
            self.add_revision(id, number, revision).await?;
        }
        Ok(id)
    }

    /// Adds a message that was edited in place so many times; what it said before is added after it.
    pub async fn add_edited(&mut self, scion: Scion<K>, times: i64) -> Result<MessageId> {
        let wrong = |what| Error::Internal(format!("a message to graft {what}"));
        if scion.status.is_running() {
            return Err(wrong("is still being written"));
        }
        // The databases keep whole microseconds.
        let created_at = scion.created_at.trunc_subsecs(6);
        let id = self.app.ids.next();
        let taken = self.seats.take((scion.key, id), scion.parent, created_at);
        let taken = taken.map_err(|refused| match refused {
            Refused::TakenAlready => wrong("was added before"),
            Refused::ParentUnknown => wrong("comes before the one above it"),
            Refused::Full => wrong("is one too many"),
        })?;
        let sources = Sources {
            edited_from_id: scion.edited_from.and_then(|key| self.seats.find(key)),
            continued_from_id: scion.continued_from.and_then(|key| self.seats.find(key)),
        };
        let (message, reply) = rows(scion, self.session.id, &taken, sources);
        self.waiting.add(Message { revision: times.saturating_add(1), ..message }, reply);
        self.store_if_full().await?;
        Ok(id)
    }

    /// Adds what a message said before, under its number: from 1, each once.
    pub async fn add_revision(
        &mut self,
        message_id: MessageId,
        revision: i64,
        Revision { content, created_at }: Revision,
    ) -> Result<()> {
        self.waiting.add_old(OldText { message_id, revision, content, created_at });
        self.store_if_full().await
    }

    /// The message that was made of this one, if it was added.
    pub fn made_of(&self, key: K) -> Option<MessageId> {
        self.seats.find(key)
    }

    /// How many messages were added.
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The session is whole: its owner sees it, with this head and these leaves as visited.
    ///
    /// Of the log it has the event that its head moved there; a client reads the rest.
    pub async fn finish(mut self, head: Option<K>, tips: &[(K, DateTime<Utc>)]) -> Result<Session> {
        match self.try_finish(head, tips).await {
            Ok(session) => {
                self.is_over = true;
                Ok(session)
            }
            Err(error) => {
                self.discard().await;
                Err(error)
            }
        }
    }

    async fn try_finish(
        &mut self,
        head: Option<K>,
        tips: &[(K, DateTime<Utc>)],
    ) -> Result<Session> {
        self.store_waiting().await?;
        let tips = self.seats.tips(tips.to_vec());
        let head = head.and_then(|key| self.seats.find(key));
        let id = self.session.id;
        let mut tx = self.begin().await?;
        store::graft::finish(&mut tx, id).await?;
        store::session::admit(&mut tx, &self.session).await?;
        // Before the head is visited, which is the last visit.
        store::tip::insert_all(&mut tx, id, &tips).await?;
        let mut change = SessionChange::begin(&self.app, tx, self.session.clone());
        if head.is_some() {
            change.move_head(head, Some(self.claim.request.as_str().to_owned())).await?;
        }
        change.commit().await
    }

    /// Gives up: removes what there is, so that the request can be made again.
    pub async fn discard(mut self) {
        self.is_over = true;
        clear(&self.app, self.session.id, self.lease).await;
    }

    /// A transaction in which the session is still ours to make.
    async fn begin(&self) -> Result<Tx> {
        if self.app.lifecycle.stopping().is_cancelled() {
            return Err(Error::conflict("the server is stopping: ask again in a moment"));
        }
        let mut tx = self.app.db.begin().await?;
        if !store::graft::renew(&mut tx, self.session.id, self.lease).await? {
            return Err(Error::conflict("this took too long and was given up: ask again"));
        }
        Ok(tx)
    }

    async fn store_if_full(&mut self) -> Result<()> {
        if self.waiting.is_full() { self.store_waiting().await } else { Ok(()) }
    }

    async fn store_waiting(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.waiting);
        if batch.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        batch.store(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

impl<K: Key> Drop for Graft<K> {
    fn drop(&mut self) {
        if self.is_over || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (app, id, lease) = (self.app.clone(), self.session.id, self.lease);
        self.app.lifecycle.spawn(async move { clear(&app, id, lease).await });
    }
}

/// Everything that is stored of one message, but for what it said before.
fn rows<K>(
    scion: Scion<K>,
    session_id: SessionId,
    taken: &Taken,
    sources: Sources,
) -> (Message, Option<Reply>) {
    let Place { id, depth, jump_id, jump_depth } = taken.place;
    let reply = scion.reply.map(|reply| Reply { message_id: id, session_id, ..reply });
    let message = Message {
        id,
        session_id,
        parent_id: taken.parent_id,
        depth,
        jump_id,
        jump_depth,
        role: scion.role,
        author: scion.author,
        content: scion.content,
        thought: scion.thought,
        status: scion.status,
        revision: 1,
        edited_from_id: sources.edited_from_id,
        continued_from_id: sources.continued_from_id,
        hidden_from_prompt: scion.hidden_from_prompt,
        bookmark: scion.bookmark,
        created_at: taken.created_at,
        edited_at: scion.edited_at,
        deleted_at: None,
        deletion_id: None,
    };
    (message, reply)
}
