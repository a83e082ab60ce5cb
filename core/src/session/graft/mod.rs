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

mod clear;
mod seat;

use std::{collections::HashMap, hash::Hash};

use chrono::{DateTime, SubsecRound, Utc};
use skald_base::{Error, Result, Tx, UserError, UserErrorCode};

pub(crate) use self::clear::recover;
use self::{
    clear::clear,
    seat::{Refused, Seats, Taken},
};
use super::{CastMember, Session, SessionId, SessionMode, Settings, change::SessionChange};
use crate::{
    app::App,
    character::CharacterId,
    persona::PersonaId,
    request::{self, Claim},
    store::{
        self,
        graft::{OldText, Tip},
    },
    tree::{Author, Message, MessageId, MessageRole, MessageStatus, Place},
    turn::Reply,
};

/// How long the process that makes a session may be silent before others clear it away.
pub(crate) const LEASE_MILLIS: i64 = 60_000;
/// Messages stored in one transaction at most.
const BATCH: usize = 256;
/// Bytes of text stored in one transaction, about.
const BATCH_BYTES: usize = 1024 * 1024;

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
    /// For a fork: the session it comes from, and the message it was forked at.
    pub forked: Option<(SessionId, MessageId)>,
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
    seats: Seats<K>,
    waiting: Batch,
    is_over: bool,
}

/// What was added and is not stored yet.
#[derive(Default)]
struct Batch {
    messages: Vec<Message>,
    old_texts: Vec<OldText>,
    replies: Vec<Reply>,
    bytes: usize,
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
            archived_at: None,
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

impl<K: Key> Graft<K> {
    /// Stores the session, for nobody to see yet; its settings must have been checked.
    pub async fn open(app: &App, stock: Stock, claim: &Claim) -> Result<Opened<K>> {
        let mut tx = app.db.begin().await?;
        if let Some(first) = request::claim(app, &mut tx, claim, &stock.id).await? {
            return Self::opened_before(&mut tx, first).await;
        }
        store::lock_user(&mut tx, claim.user).await?;
        let allowed = app.limits.grafts_per_user;
        if store::graft::count(&mut tx, claim.user).await? >= allowed {
            let message = format!("at most {allowed} sessions may be forked or imported at once");
            return Err(UserError::new(UserErrorCode::LimitExceeded, message).into());
        }
        let (session, cast) = stock.plant(app, claim);
        store::session::insert(&mut tx, &session).await.map_err(request::id_taken)?;
        for member in &cast {
            store::session::insert_cast(&mut tx, member).await?;
        }
        store::graft::insert(&mut tx, session.id, claim, app.replies.process()).await?;
        tx.commit().await?;
        let (app, claim) = (app.clone(), claim.clone());
        let (seats, waiting) = (Seats::new(), Batch::default());
        let graft = Self { app, session, claim, seats, waiting, is_over: false };
        Ok(Opened::New(Box::new(graft)))
    }

    /// What an earlier request with this claim made, for who has to read before [`open`](Self::open).
    pub async fn repeat(app: &App, claim: &Claim) -> Result<Option<Opened<K>>> {
        let mut tx = app.db.begin().await?;
        match request::first(&mut tx, claim).await? {
            Some(first) => Self::opened_before(&mut tx, first).await.map(Some),
            None => Ok(None),
        }
    }

    async fn opened_before(tx: &mut Tx, first: SessionId) -> Result<Opened<K>> {
        if store::graft::is_growing(tx, first).await? {
            let message = "this request is still being carried out: ask again in a moment";
            return Err(Error::conflict(message).at("input.clientRequestId"));
        }
        Ok(Opened::Made(first))
    }

    /// Adds a message below one that was added before; its new id.
    pub async fn add(&mut self, scion: Scion<K>) -> Result<MessageId> {
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
        self.waiting.add(scion, self.session.id, &taken, sources);
        if self.waiting.messages.len() >= BATCH || self.waiting.bytes >= BATCH_BYTES {
            self.store_waiting().await?;
        }
        Ok(id)
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
        let tips = self.tips_beside(head, tips);
        let head = head.and_then(|key| self.seats.find(key));
        let id = self.session.id;
        let mut tx = self.begin().await?;
        store::graft::finish(&mut tx, id).await?;
        store::session::admit(&mut tx, &self.session).await?;
        let mut change = SessionChange::resume(&self.app, tx, self.session.clone());
        if head.is_some() {
            change.move_head(head, Some(self.claim.request.as_str().to_owned())).await?;
        }
        store::graft::insert_tips(&mut change.tx, id, &tips).await?;
        change.commit().await
    }

    /// The leaves that something leads to, once the head was visited after all of them.
    fn tips_beside(&self, head: Option<K>, visits: &[(K, DateTime<Utc>)]) -> Vec<Tip> {
        let mut newest_first = visits.to_vec();
        newest_first.sort_by_key(|(_, visited_at)| std::cmp::Reverse(*visited_at));
        let leaves = head.into_iter().chain(newest_first.into_iter().map(|(leaf, _)| leaf));
        let visited_at: HashMap<K, DateTime<Utc>> = visits.iter().copied().collect();
        let tops = self.seats.tops(leaves).into_iter().filter(|(leaf, _)| Some(*leaf) != head);
        let tip = |(leaf, top_id)| {
            let (leaf_id, visited_at) = (self.seats.find(leaf)?, *visited_at.get(&leaf)?);
            Some(Tip { leaf_id, top_id, visited_at })
        };
        tops.filter_map(tip).collect()
    }

    /// Gives up: removes what there is, so that the request can be made again.
    pub async fn discard(mut self) {
        self.is_over = true;
        clear(&self.app, self.session.id).await;
    }

    /// A transaction in which the session is still ours to make.
    async fn begin(&self) -> Result<Tx> {
        if self.app.lifecycle.stopping().is_cancelled() {
            return Err(Error::conflict("the server is stopping: ask again in a moment"));
        }
        let mut tx = self.app.db.begin().await?;
        let process = self.app.replies.process();
        if !store::graft::renew(&mut tx, self.session.id, process).await? {
            return Err(Error::conflict("this took too long and was given up: ask again"));
        }
        Ok(tx)
    }

    async fn store_waiting(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.waiting);
        if batch.messages.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        store::message::insert_all(&mut tx, &batch.messages).await?;
        store::graft::insert_revisions(&mut tx, &batch.old_texts).await?;
        store::reply::insert_ended(&mut tx, &batch.replies).await?;
        tx.commit().await?;
        Ok(())
    }
}

impl<K: Key> Drop for Graft<K> {
    fn drop(&mut self) {
        if self.is_over || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (app, id) = (self.app.clone(), self.session.id);
        self.app.lifecycle.spawn(async move { clear(&app, id).await });
    }
}

impl Batch {
    /// Everything that is stored of one message: what comes with messages is added here.
    fn add<K>(&mut self, scion: Scion<K>, session_id: SessionId, taken: &Taken, sources: Sources) {
        let Place { id, depth, jump_id, jump_depth } = taken.place;
        let mut revision = 1;
        for old in scion.revisions {
            self.bytes += old.content.len();
            let Revision { content, created_at } = old;
            self.old_texts.push(OldText { message_id: id, revision, content, created_at });
            revision += 1;
        }
        let reply = |reply| Reply { message_id: id, session_id, ..reply };
        self.replies.extend(scion.reply.map(reply));
        self.bytes += scion.content.len() + scion.thought.as_deref().map_or(0, str::len);
        self.messages.push(Message {
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
            revision,
            edited_from_id: sources.edited_from_id,
            continued_from_id: sources.continued_from_id,
            hidden_from_prompt: scion.hidden_from_prompt,
            bookmark: scion.bookmark,
            created_at: taken.created_at,
            edited_at: scion.edited_at,
            deleted_at: None,
            deletion_id: None,
        });
    }
}
