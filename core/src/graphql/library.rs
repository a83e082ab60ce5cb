//! Events of a library: what keeps lists and a second device true.

use async_graphql::{Context, ID, Interface, Result, SimpleObject};
use chrono::{DateTime, Utc};

use super::node::{self, Node};
use crate::{
    character::CharacterId,
    library::{
        Change, LibraryNode, NodeKind,
        watch::{LibraryNews, What},
    },
    lorebook::LorebookId,
    persona::PersonaId,
    session::SessionId,
};

/// Something is new on your lists, or back on them.
#[derive(SimpleObject)]
pub(super) struct LibraryNodeAdded {
    /// Where to go on after this event.
    cursor: String,
    /// When it happened.
    at: DateTime<Utc>,
    /// The persona, character, lorebook or session as it is now.
    node: Node,
}

/// Something of yours changed: its contents, or for a session its last activity. If you do not
/// have it, add it.
#[derive(SimpleObject)]
pub(super) struct LibraryNodeChanged {
    /// Where to go on after this event.
    cursor: String,
    /// When it happened.
    at: DateTime<Utc>,
    /// The persona, character, lorebook or session as it is now.
    node: Node,
}

/// Something left your lists: it was deleted.
#[derive(SimpleObject)]
pub(super) struct LibraryNodeRemoved {
    /// Where to go on after this event.
    cursor: String,
    /// When it happened.
    at: DateTime<Utc>,
    /// The id of the persona, character, lorebook or session.
    id: ID,
}

/// The replay is over: what follows happens now.
#[derive(SimpleObject)]
pub(super) struct LibraryCaughtUp {
    /// Where to go on after this event.
    cursor: String,
    /// When it was so.
    at: DateTime<Utc>,
}

/// What happened after your cursor is not known any more: read your lists
/// again. What follows happened after `cursor`.
#[derive(SimpleObject)]
pub(super) struct LibraryResyncNeeded {
    /// Where to go on after this event.
    cursor: String,
    /// When it was so.
    at: DateTime<Utc>,
}

/// What happens in your library: your personas, characters, lorebooks and sessions.
#[derive(Interface)]
#[graphql(
    field(name = "cursor", ty = "&String", desc = "Where to go on after this event."),
    field(name = "at", ty = "&DateTime<Utc>", desc = "When it happened.")
)]
pub(super) enum LibraryEvent {
    Added(LibraryNodeAdded),
    Changed(LibraryNodeChanged),
    Removed(LibraryNodeRemoved),
    CaughtUp(LibraryCaughtUp),
    ResyncNeeded(LibraryResyncNeeded),
}

/// The event that tells of this news; none if what it is about is gone meanwhile: its removal follows.
pub(super) async fn library_event(
    ctx: &Context<'_>,
    news: LibraryNews,
) -> Result<Option<LibraryEvent>> {
    let LibraryNews { sequence, at, what } = news;
    let cursor = sequence.to_string();
    Ok(match what {
        What::CaughtUp => Some(LibraryEvent::CaughtUp(LibraryCaughtUp { cursor, at })),
        What::ResyncNeeded => Some(LibraryEvent::ResyncNeeded(LibraryResyncNeeded { cursor, at })),
        What::Node(node, Change::Removed) => {
            Some(LibraryEvent::Removed(LibraryNodeRemoved { cursor, at, id: id_of(node) }))
        }
        What::Node(node, change) => {
            let node = node::find(ctx, "id", &id_of(node)).await?;
            node.map(|node| match change {
                Change::Added => LibraryEvent::Added(LibraryNodeAdded { cursor, at, node }),
                Change::Changed | Change::Removed => {
                    LibraryEvent::Changed(LibraryNodeChanged { cursor, at, node })
                }
            })
        }
    })
}

fn id_of(node: LibraryNode) -> ID {
    match node.kind {
        NodeKind::Persona => PersonaId::from_uuid(node.id).into(),
        NodeKind::Character => CharacterId::from_uuid(node.id).into(),
        NodeKind::Session => SessionId::from_uuid(node.id).into(),
        NodeKind::Lorebook => LorebookId::from_uuid(node.id).into(),
    }
}
