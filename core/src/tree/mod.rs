//! The tree of messages and its laws.
//!
//! A message is a node with one parent pointer, set once. Children, siblings
//! and paths are derived. What only needs values is here ([`Place`]); what
//! changes a tree is in [`change`].

pub mod change;
pub mod mark;
pub mod outline;
pub mod path;
pub mod revision;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use skald_base::{Id, Kind, UserId};
use uuid::Uuid;

use crate::{character::CharacterId, persona::PersonaId, session::SessionId};

/// Marks ids of messages.
pub enum MessageKind {}
impl Kind for MessageKind {
    const PREFIX: &'static str = "message";
}
/// The id of a message.
pub type MessageId = Id<MessageKind>;

/// What a message is in the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum MessageRole {
    Player,
    Character,
    Narrator,
    System,
}

/// Siblings are messages below one parent on the same side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// What the player writes.
    Player,
    /// What the story answers.
    Story,
}

impl MessageRole {
    /// Which side writes in this role.
    pub fn side(self) -> Side {
        match self {
            Self::Player => Side::Player,
            Self::Character | Self::Narrator | Self::System => Side::Story,
        }
    }
}

/// How far the writing of a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum MessageStatus {
    Pending,
    Writing,
    Complete,
    Stopped,
    Interrupted,
    Failed,
}

impl MessageStatus {
    /// Whether a model is still at it.
    pub fn is_running(self) -> bool {
        match self {
            Self::Pending | Self::Writing => true,
            Self::Complete | Self::Stopped | Self::Interrupted | Self::Failed => false,
        }
    }
}

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration and the graph document each field")]
pub struct Message {
    pub id: MessageId,
    pub session_id: SessionId,
    pub parent_id: Option<MessageId>,
    pub depth: i64,
    pub jump_id: Option<MessageId>,
    pub jump_depth: i64,
    pub role: MessageRole,
    #[sqlx(flatten)]
    pub author: Author,
    pub content: String,
    pub thought: Option<String>,
    pub status: MessageStatus,
    pub revision: i64,
    pub edited_from_id: Option<MessageId>,
    pub continued_from_id: Option<MessageId>,
    pub hidden_from_prompt: bool,
    pub bookmark: Option<String>,
    pub created_at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub deletion_id: Option<Uuid>,
}

/// Who wrote a message: names as they were, links to who they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration and the graph document each field")]
pub struct Author {
    pub author_name: String,
    pub author_avatar_url: Option<String>,
    pub author_user_id: Option<UserId>,
    pub author_persona_id: Option<PersonaId>,
    pub author_character_id: Option<CharacterId>,
}

/// Where a node stands: all that it takes to find its ancestors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The node.
    pub id: MessageId,
    /// Edges to its root.
    pub depth: i64,
    /// An ancestor far up; none at a root.
    pub jump_id: Option<MessageId>,
    /// That ancestor's depth; 0 at a root.
    pub jump_depth: i64,
}

/// A leaf that the player has visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The leaf.
    pub leaf_id: MessageId,
    /// The topmost message that leads there.
    pub top_id: MessageId,
    /// When the player was there last.
    pub visited_at: DateTime<Utc>,
}

impl Message {
    /// Where it stands.
    pub fn place(&self) -> Place {
        let Self { id, depth, jump_id, jump_depth, .. } = *self;
        Place { id, depth, jump_id, jump_depth }
    }
}

impl Place {
    /// The jump pointer of a child of `self`, whose own jump leads to `jump`.
    ///
    /// Skew-binary jump pointers: E. W. Myers, "An applicative random-access
    /// stack", Information Processing Letters 17 (1983). From any node, any
    /// ancestor is O(log depth) steps away.
    pub fn child_jump(&self, jump: Option<&Self>) -> (MessageId, i64) {
        let Some(jump) = jump else { return (self.id, self.depth) };
        if self.depth - jump.depth == jump.depth - jump.jump_depth {
            (jump.jump_id.unwrap_or(jump.id), jump.jump_depth)
        } else {
            (self.id, self.depth)
        }
    }
}

/// All siblings of one place: below the same parent, on the same side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlternativesKey {
    /// The parent they share, or the session whose roots they are.
    pub below: Below,
    /// Their side.
    pub side: Side,
}

/// What siblings hang on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Below {
    /// A message.
    Message(MessageId),
    /// Nothing: they are roots of this session.
    Session(SessionId),
}

impl Message {
    /// The siblings this message is one of.
    pub fn alternatives(&self) -> AlternativesKey {
        let below = self.parent_id.map_or(Below::Session(self.session_id), Below::Message);
        AlternativesKey { below, side: self.role.side() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: usize) -> MessageId {
        MessageId::from_uuid(Uuid::from_u128(n as u128))
    }

    /// A random tree: node n hangs below `parents[n] < n`; node 0 is the root.
    fn places(parents: &[usize]) -> Vec<Place> {
        let mut places = vec![Place { id: id(0), depth: 0, jump_id: None, jump_depth: 0 }];
        for (n, parent) in parents.iter().enumerate() {
            let parent = places[parent % places.len()];
            let jump = parent.jump_id.map(|jump| places[jump.uuid().as_u128() as usize]);
            let (jump_id, jump_depth) = parent.child_jump(jump.as_ref());
            let depth = parent.depth + 1;
            places.push(Place { id: id(n + 1), depth, jump_id: Some(jump_id), jump_depth });
        }
        places
    }

    fn parent_of(parents: &[usize], node: usize) -> usize {
        parents[node - 1] % node
    }

    proptest! {
        #[test]
        fn a_jump_leads_to_the_ancestor_it_names(parents in prop::collection::vec(0_usize..400, 0..400)) {
            let places = places(&parents);
            for (node, place) in places.iter().enumerate().skip(1) {
                let mut up = node;
                while places[up].depth > place.jump_depth {
                    up = parent_of(&parents, up);
                }
                prop_assert_eq!(places[up].id, place.jump_id.unwrap());
            }
        }

        #[test]
        fn every_ancestor_is_logarithmically_near(depth in 1_usize..20_000, target in 0_usize..20_000) {
            let parents: Vec<usize> = (0..depth).collect();
            let places = places(&parents);
            let target = i64::try_from(target % depth).unwrap();
            let (mut at, mut steps) = (depth, 0);
            while places[at].depth > target {
                let place = places[at];
                at = if place.jump_depth >= target {
                    place.jump_id.unwrap().uuid().as_u128() as usize
                } else {
                    at - 1
                };
                steps += 1;
            }
            prop_assert_eq!(places[at].depth, target);
            prop_assert!(f64::from(steps) <= 3.0 * f64::from(u32::try_from(depth).unwrap()).log2() + 3.0, "{} steps", steps);
        }
    }
}
