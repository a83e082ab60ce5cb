//! What a model is told: a plan of blocks in order, fitted into a budget. Pure.
//!
//! The order is for prefix caches: what never changes comes first (how to
//! write, who is on stage), then the history, which only grows, and last what is
//! new in every turn. What comes to mind of an outgrown story is new too: it stands
//! before the message that is answered. Who speaks now is new: nothing above the last blocks may
//! depend on it. What must be there is counted first; the rest goes in by
//! priority: examples, if they are small, then the history, newest messages
//! first.

mod assemble;
pub mod budget;
pub mod macros;
mod memory;
pub mod record;
mod scene;
pub mod skeleton;
pub mod template;
pub mod tokens;

use serde::{Deserialize, Serialize};

use self::tokens::Weight;
pub use self::{
    assemble::plan,
    budget::{Budget, TooLarge},
    memory::Telling,
    scene::{Begun, Scene},
};
use crate::{
    character::CharacterId,
    llm::{Role, Turn},
    memory::Recalled,
    persona::PersonaId,
    tree::MessageId,
};

/// What a block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BlockKind {
    /// How to write.
    System,
    /// What a character's creator wants of the model.
    CharacterSystem,
    /// Who a character on stage is.
    Character,
    /// Who the player is.
    Persona,
    /// How a character on stage talks.
    Examples,
    /// A word of the player's, where a conversation would begin with the model.
    Opening,
    /// A message of the path.
    History,
    /// What comes to mind of the story above the history, and the word before it.
    Memory,
    /// What the speaker's creator wants said last.
    PostHistory,
    /// Who speaks now, or what is to be narrated.
    Direction,
    /// What the player asks of this reply.
    Instruction,
    /// What is written of this reply already.
    Beginning,
}

/// In whose mouth a block is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PromptRole {
    /// Nobody's: the standing instructions.
    System,
    /// The player's.
    User,
    /// The model's.
    Model,
}

/// How a model is brought to go on from a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoingOn {
    /// The text is its own last turn.
    Prefill,
    /// It is asked to.
    Asked,
}

/// What a block was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockSource {
    /// A character's card.
    Character(CharacterId),
    /// A persona.
    Persona(PersonaId),
    /// A message.
    Message(MessageId),
}

/// A piece of the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it says.
    pub kind: BlockKind,
    /// In whose mouth it is put.
    pub role: PromptRole,
    /// The text.
    pub text: String,
    /// What it was made from; none if it is the server's own or the player's words for this reply.
    pub source: Option<BlockSource>,
    /// Its estimated size.
    pub tokens: u32,
}

/// What did not go in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dropped {
    /// What it says.
    pub kind: BlockKind,
    /// How many blocks.
    pub count: i64,
    /// Their estimated size, as far as they were read.
    pub tokens: u32,
    /// Why.
    pub reason: DropReason,
}

/// Why a block did not go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DropReason {
    /// It takes more room than its kind may have.
    TooLarge,
    /// What is more important took the room.
    OutOfRoom,
    /// The player keeps models from it.
    Hidden,
}

/// A prompt, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The blocks in order.
    pub blocks: Vec<Block>,
    /// What did not go in.
    pub dropped: Vec<Dropped>,
    /// The estimated size of all blocks.
    pub tokens: u32,
    /// What it was fitted into.
    pub budget: Budget,
    /// The message with which the history begins.
    pub began_with: Option<MessageId>,
    /// Tokens kept for what comes to mind; none if the whole story went in.
    pub memory_room: u32,
    /// What came to mind, strongest first.
    pub memories: Vec<Recalled>,
    /// Whether there is room for older messages than were read.
    pub underfilled: bool,
    /// What it is made of, for learning from what the provider counts.
    pub weight: Weight,
}

impl BlockKind {
    /// What it is, within a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "the system text",
            Self::CharacterSystem => "the character's system prompt",
            Self::Character => "the character",
            Self::Persona => "the persona",
            Self::Examples => "the example dialogue",
            Self::Opening => "the opening",
            Self::History => "the last message",
            Self::Memory => "what comes to mind",
            Self::PostHistory => "the character's post-history instructions",
            Self::Direction => "the direction",
            Self::Instruction => "the instruction",
            Self::Beginning => "the text to go on from",
        }
    }
}

impl Plan {
    /// The blocks of the system prompt.
    pub fn system(&self) -> Vec<String> {
        let blocks = self.blocks.iter().filter(|block| block.role == PromptRole::System);
        blocks.map(|block| block.text.clone()).collect()
    }

    /// The conversation: neighbours of one role share a turn.
    pub fn turns(&self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        for block in &self.blocks {
            let role = match block.role {
                PromptRole::System => continue,
                PromptRole::User => Role::User,
                PromptRole::Model => Role::Model,
            };
            match turns.last_mut() {
                Some(last) if last.role == role => last.blocks.push(block.text.clone()),
                Some(_) | None => turns.push(Turn::new(role, block.text.clone())),
            }
        }
        turns
    }
}
