//! What a model is told: a plan of blocks in order, fitted into a budget. Pure.
//!
//! The order is for prefix caches: what never changes comes first (how to
//! write, who is who), then the history, which only grows, and last what is
//! new in every turn. What must be there is counted first; the history gets
//! the rest, newest messages first.

pub mod budget;
pub mod macros;
pub mod template;

pub use self::budget::{Budget, TooLarge};
use self::macros::Names;
use crate::{
    character::Character,
    llm::{Role, Turn},
    persona::Persona,
    session::{CastMember, Session},
    tree::{Message, MessageRole},
    turn::{Job, Speaker},
};

/// Everything a prompt is made of.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The session.
    pub session: Session,
    /// Whom the player plays.
    pub persona: Option<Persona>,
    /// Who is on stage.
    pub cast: Vec<CastMember>,
    /// Who speaks, as the character is now; none for the narrator.
    pub speaker: Option<Character>,
    /// What was asked.
    pub job: Job,
    /// The path above the reply, oldest first; its beginning may be missing.
    pub path: Vec<Message>,
    /// How deep the reply stands.
    pub depth: i64,
}

/// What a block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// How to write.
    System,
    /// Who the speaker is.
    Character,
    /// Who the player is.
    Persona,
    /// How the speaker talks.
    Examples,
    /// A message of the path.
    History,
    /// What is asked of this reply.
    Instruction,
}

/// A piece of the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it says.
    pub kind: BlockKind,
    /// In whose mouth it is put; none stands in the system prompt.
    pub role: Option<Role>,
    /// The text.
    pub text: String,
    /// Its estimated size.
    pub tokens: u32,
}

/// A prompt, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The blocks in order.
    pub blocks: Vec<Block>,
    /// Messages of the path that did not fit, counted from the oldest.
    pub dropped_messages: usize,
    /// The estimated size of all blocks.
    pub tokens: u32,
}

impl Scene {
    /// The name of the player's persona.
    pub fn player_name(&self) -> &str {
        let fallback = template::player(&self.session.settings.language);
        self.persona.as_ref().map_or(fallback, |persona| &persona.profile.name)
    }

    /// The name of who speaks; none for the narrator.
    pub fn speaker_name(&self) -> Option<&str> {
        match (&self.speaker, &self.job.speaker) {
            (Some(character), _) => Some(&character.card.name),
            (None, Speaker::Character { name, .. }) => Some(name),
            (None, Speaker::Narrator { .. }) => None,
        }
    }

    /// What is known of the speaker, as one text.
    pub fn about_speaker(&self) -> String {
        let Some(character) = &self.speaker else { return String::new() };
        let card = &character.card;
        let parts = [&card.description, &card.appearance, &card.personality, &card.scenario];
        self.names().expand(&join(parts.into_iter().map(String::as_str)))
    }

    /// What is known of the player's persona, as one text.
    pub fn about_player(&self) -> String {
        let Some(persona) = &self.persona else { return String::new() };
        let profile = &persona.profile;
        let short = [&profile.age, &profile.gender].into_iter().filter_map(Option::as_deref);
        let long = [&profile.description, &profile.appearance, &profile.personality];
        join(short.chain(long.into_iter().map(String::as_str)))
    }

    /// What the player wrote last on the path.
    pub fn last_line(&self) -> &str {
        let last = self.path.iter().rev().find(|message| message.role == MessageRole::Player);
        last.map_or("", |message| &message.content)
    }

    fn names(&self) -> Names<'_> {
        let first = self.cast.first().map_or("", |member| member.name.as_str());
        Names { character: self.speaker_name().unwrap_or(first), player: self.player_name() }
    }
}

/// Plans the prompt for one reply.
pub fn plan(scene: &Scene, budget: Budget) -> Result<Plan, TooLarge> {
    let constant = constant_blocks(scene);
    let last = instruction_block(scene);
    let history: Vec<Block> =
        scene.path.iter().filter_map(|message| said(scene, message)).collect();
    let must_have = constant.iter().chain(&last).map(|block| (block.kind, block.tokens));
    let room = budget.room(must_have)?;
    let keep = budget::keep_newest(history.iter().map(|block| block.tokens), room);
    let dropped_messages = history.len() - keep;
    let kept = history.into_iter().skip(dropped_messages);
    let blocks: Vec<Block> = constant.into_iter().chain(kept).chain(last).collect();
    let tokens = blocks.iter().map(|block| block.tokens).sum();
    Ok(Plan { blocks, dropped_messages, tokens })
}

impl Plan {
    /// The blocks of the system prompt.
    pub fn system(&self) -> Vec<String> {
        let blocks = self.blocks.iter().filter(|block| block.role.is_none());
        blocks.map(|block| block.text.clone()).collect()
    }

    /// The conversation: neighbours of one role merged, a user's turn first and last.
    pub fn turns(&self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        for block in &self.blocks {
            let Some(role) = block.role else { continue };
            match turns.last_mut() {
                Some(last) if last.role == role => last.blocks.push(block.text.clone()),
                Some(_) | None => turns.push(Turn::new(role, block.text.clone())),
            }
        }
        // Some models refuse a conversation that begins or ends with their own words.
        if turns.first().is_none_or(|turn| turn.role == Role::Model) {
            turns.insert(0, Turn::new(Role::User, "(The scene opens.)"));
        }
        if turns.last().is_some_and(|turn| turn.role == Role::Model) {
            turns.push(Turn::new(Role::User, "(The scene goes on.)"));
        }
        turns
    }
}

fn block(kind: BlockKind, role: Option<Role>, text: String) -> Option<Block> {
    let tokens = budget::estimate_tokens(&text);
    (!text.trim().is_empty()).then_some(Block { kind, role, text, tokens })
}

fn constant_blocks(scene: &Scene) -> Vec<Block> {
    let names = scene.names();
    let own = scene.speaker.as_ref().map(|character| names.expand(&character.card.system_prompt));
    let system = join([template::system(scene).as_str(), own.as_deref().unwrap_or_default()]);
    let about_speaker = scene.speaker_name().map(|name| {
        let about = scene.about_speaker();
        template::fenced("character", name, &about)
    });
    let about_player = template::fenced("player", scene.player_name(), &scene.about_player());
    let examples = scene
        .speaker
        .as_ref()
        .map(|character| template::examples(&names.expand(&character.card.example_dialogue)));
    [
        block(BlockKind::System, None, system),
        block(BlockKind::Character, None, about_speaker.unwrap_or_default()),
        block(BlockKind::Persona, None, about_player),
        block(BlockKind::Examples, None, examples.unwrap_or_default()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A message as the model reads it; none if it is hidden or has no text.
fn said(scene: &Scene, message: &Message) -> Option<Block> {
    if message.hidden_from_prompt || message.content.trim().is_empty() {
        return None;
    }
    let is_own = message.role != MessageRole::Player
        && Some(message.author.author_name.as_str()) == scene.speaker_name();
    let role = if message.role == MessageRole::Player { Role::User } else { Role::Model };
    // Whose words they are is clear only between the player and a single character.
    let text = if role == Role::User || is_own && scene.cast.len() == 1 {
        message.content.clone()
    } else {
        format!("{}: {}", message.author.author_name, message.content)
    };
    block(BlockKind::History, Some(role), text)
}

fn instruction_block(scene: &Scene) -> Option<Block> {
    let names = scene.names();
    let after_history = scene
        .speaker
        .as_ref()
        .map(|character| names.expand(&character.card.post_history_instructions));
    let task = match &scene.job.speaker {
        Speaker::Narrator { task } => Some(template::task(*task, &scene.session)),
        Speaker::Character { name, .. } if scene.cast.len() > 1 => {
            Some(template::speak_as(scene.speaker_name().unwrap_or(name), &scene.session))
        }
        Speaker::Character { .. } => None,
    };
    let parts = [after_history, task, scene.job.instruction.clone()];
    let text = join(parts.iter().flatten().map(String::as_str));
    if text.is_empty() {
        return None;
    }
    block(BlockKind::Instruction, Some(Role::User), format!("[{text}]"))
}

/// The parts that say something, separated by blank lines.
fn join<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<&str> =
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}
