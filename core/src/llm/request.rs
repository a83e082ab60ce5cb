//! What a model is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Abilities, Model, Thinking};

/// What a model is asked to write.
#[derive(Clone, Debug)]
pub struct Request {
    /// The model's id.
    pub model: String,
    /// What the model can do, so that it is asked nothing else.
    pub abilities: Abilities,
    /// Standing instructions, block by block: who is who, how to write.
    pub system: Vec<String>,
    /// The conversation, oldest first; never empty, begins with [`Role::User`], roles alternate.
    /// It ends with [`Role::User`] too, or with [`Role::Model`] where a model that can is to go
    /// on from its own words.
    pub turns: Vec<Turn>,
    /// Texts at which the model should stop, without writing them.
    pub stop: Vec<String>,
    /// Tokens of reply at most, thought excluded: the provider adds room for it.
    pub max_output_tokens: u32,
    /// How to choose words, how much to think.
    pub options: Options,
    /// The form of the answer.
    pub output: Output,
    /// Makes a repeatable model repeat itself; differs for every swipe.
    pub seed: u64,
    /// What the story is about, for providers that need no prose prompt.
    pub story: Story,
}

/// How a model is called. What it does not take is not sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How freely words are chosen, 0 to 2. The model's own default if unset.
    pub temperature: Option<f32>,
    /// Nucleus sampling: the share of likely words to choose from, 0 to 1.
    pub top_p: Option<f32>,
    /// How many of the likeliest words to choose from.
    pub top_k: Option<u32>,
    /// Leaves out words less likely than this share of the likeliest, 0 to 1.
    pub min_p: Option<f32>,
    /// Divides the odds of words that stand there already; 1 is none.
    pub repetition_penalty: Option<f32>,
    /// Lowers the odds of words that stand there already, -2 to 2.
    pub presence_penalty: Option<f32>,
    /// Lowers the odds of words by how often they stand there, -2 to 2.
    pub frequency_penalty: Option<f32>,
    /// How much the model thinks before it writes; the nearest level it has is used.
    pub thinking: Option<Thinking>,
    /// Tokens of a reply at most. Default 1200.
    pub max_output_tokens: Option<u32>,
    /// Fields that are added to the request as they are, for samplers that have no name here
    /// (`openai` only).
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// The form of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Output {
    /// Prose.
    #[default]
    Prose,
    /// One JSON object.
    Json {
        /// What the object is, as one word.
        name: &'static str,
        /// Its JSON Schema: flat, every property required, no further ones allowed.
        schema: serde_json::Value,
    },
}

/// The facts behind the prompt, in structure: what `offline` weaves its prose from.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// Which attempt at this reply it is, counted from 1.
    pub attempt: u32,
    /// The session's language as a BCP 47 tag, such as `en` or `ru`.
    pub language: String,
    /// Who writes the reply: a character's name, or none for the narrator.
    pub speaker: Option<String>,
    /// What the narrator is asked for, if the narrator writes.
    pub task: Option<NarratorTask>,
    /// Whether the player's own message is to be written, for once.
    pub writes_player: bool,
    /// The name of the player's persona.
    pub player: String,
    /// The names of all characters on stage.
    pub cast: Vec<String>,
    /// Sentences about the speaker: description, personality, scenario.
    pub about_speaker: String,
    /// Sentences about the player's persona.
    pub about_player: String,
    /// What the player wrote last.
    pub last_line: String,
    /// An instruction for this reply alone.
    pub instruction: Option<String>,
    /// What is written of the reply already; empty if it begins anew.
    pub begun: String,
    /// How many messages stand on the path.
    pub depth: u32,
    /// In which grammatical person the story is told.
    pub voice: Voice,
}

/// In which grammatical person a character's replies are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// "I raise the lantern."
    First,
    /// "You see her raise the lantern."
    Second,
    /// "Mira raises the lantern."
    #[default]
    Third,
}

/// What the narrator is asked to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NarratorTask {
    /// Describe where we are.
    Scene,
    /// Move to another place or time.
    Transition,
    /// Tell what has happened so far.
    Recap,
}

/// One turn of the conversation, as a model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said, block by block; never empty.
    pub blocks: Vec<String>,
}

/// Who speaks in a model's conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The player, and everything the model should answer to.
    User,
    /// The model's own earlier replies.
    Model,
}

/// What separates two blocks where a wire format has room for one text only.
pub const BLOCK_SEPARATOR: &str = "\n\n";

impl Turn {
    /// A turn of one block.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, blocks: vec![text.into()] }
    }

    /// What is said, as one text.
    pub fn text(&self) -> String {
        self.blocks.join(BLOCK_SEPARATOR)
    }
}

impl Request {
    /// The standing instructions as one text.
    pub fn system_text(&self) -> String {
        self.system.join(BLOCK_SEPARATOR)
    }

    /// A request that is no story: a question and the form of its answer.
    pub fn question(model: &Model, system: &str, question: &str) -> Self {
        Self {
            model: model.id.clone(),
            abilities: model.abilities.clone(),
            system: vec![system.to_owned()],
            turns: vec![Turn::new(Role::User, question)],
            stop: Vec::new(),
            max_output_tokens: 1024,
            options: Options::default(),
            output: Output::Prose,
            seed: 1,
            story: Story { attempt: 1, language: "en".into(), ..Story::default() },
        }
    }
}
