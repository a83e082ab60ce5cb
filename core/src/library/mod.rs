//! A player's library: personas, own characters, lorebooks and sessions, and what changed among them.
//!
//! Each change gets the next number of its player in the transaction that makes
//! it, so order of commit is order of number. The log keeps one row for each
//! node, its last change: it never grows beyond the library itself. What was
//! removed stays as a row until the purge drops it; who comes back from before
//! that has to read the lists again.

mod feed;
pub mod watch;

use chrono::{DateTime, Utc};
use skald_base::{Result, Tx, UserId};
use uuid::Uuid;

pub use self::feed::{LibraryFeed, LibraryListener};
use crate::{
    app::App, character::CharacterId, lorebook::LorebookId, persona::PersonaId, session::SessionId,
    store,
};

/// What kind of thing is in a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "they are what their names say")]
pub enum NodeKind {
    Persona,
    Character,
    Session,
    Lorebook,
}

/// Something in a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LibraryNode {
    /// What it is.
    #[sqlx(rename = "node_kind")]
    pub kind: NodeKind,
    /// Its id.
    #[sqlx(rename = "node_id")]
    pub id: Uuid,
}

/// What became of something in a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new on the lists, or back.
    Added,
    /// It is as before, but for its contents.
    Changed,
    /// It left the lists.
    Removed,
}

/// The last change of a node, as stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration documents each field")]
pub struct LibraryChange {
    #[sqlx(flatten)]
    pub node: LibraryNode,
    pub sequence: i64,
    pub added_sequence: i64,
    pub removed: bool,
    pub at: DateTime<Utc>,
}

/// Where a player's log ends, and what is no longer in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration documents each field")]
pub struct LibraryEnds {
    pub last_sequence: i64,
    pub forgotten_sequence: i64,
}

/// A change that is noted but not committed: it is told after the commit.
#[derive(Debug)]
#[must_use = "subscribers are told after the commit"]
pub struct Noted {
    user: UserId,
    sequence: i64,
}

/// Notes changes in the transaction that makes them; the last thing it locks is the player's row.
pub async fn note(
    tx: &mut Tx,
    user: UserId,
    changes: &[(LibraryNode, Change)],
    now: DateTime<Utc>,
) -> Result<Noted> {
    let sequence = store::library::append(tx, user, changes, now).await?;
    Ok(Noted { user, sequence })
}

/// Notes changes, commits, and tells subscribers.
pub async fn commit(
    app: &App,
    mut tx: Tx,
    user: UserId,
    changes: &[(LibraryNode, Change)],
) -> Result<()> {
    let noted = note(&mut tx, user, changes, app.clock.now()).await?;
    tx.commit().await?;
    app.library.tell(&noted);
    Ok(())
}

/// The same, where there may be nothing to note.
pub async fn commit_any(
    app: &App,
    tx: Tx,
    user: UserId,
    changes: &[(LibraryNode, Change)],
) -> Result<()> {
    if changes.is_empty() { Ok(tx.commit().await?) } else { commit(app, tx, user, changes).await }
}

impl From<PersonaId> for LibraryNode {
    fn from(id: PersonaId) -> Self {
        Self { kind: NodeKind::Persona, id: id.uuid() }
    }
}

impl From<CharacterId> for LibraryNode {
    fn from(id: CharacterId) -> Self {
        Self { kind: NodeKind::Character, id: id.uuid() }
    }
}

impl From<LorebookId> for LibraryNode {
    fn from(id: LorebookId) -> Self {
        Self { kind: NodeKind::Lorebook, id: id.uuid() }
    }
}

impl From<SessionId> for LibraryNode {
    fn from(id: SessionId) -> Self {
        Self { kind: NodeKind::Session, id: id.uuid() }
    }
}
