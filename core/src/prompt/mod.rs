//! What a model is told: a plan of blocks in order, fitted into a budget. Pure.
//!
//! The order is for prefix caches: what never changes comes first (how to
//! write, who is who), then the history, which only grows, and last what is
//! new in every turn. What must be there is counted first; the rest goes in by
//! priority: examples, if they are small, then the history, newest messages
//! first.

pub mod budget;
pub mod macros;
pub mod record;
pub mod skeleton;
pub mod template;
pub mod tokens;

use serde::{Deserialize, Serialize};

pub use self::budget::{Budget, TooLarge};
use self::{
    budget::{History, first_kept},
    macros::Names,
    tokens::{Calibration, Weight},
};
use crate::{
    character::{Character, CharacterId},
    llm::{Role, Turn},
    persona::{Persona, PersonaId},
    session::{CastMember, Session},
    tree::{Message, MessageId, MessageRole},
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
    /// The message with which the history began the last time, if that is known.
    pub began_with: Option<MessageId>,
}

/// What a block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BlockKind {
    /// How to write.
    System,
    /// What the character's creator wants of the model.
    CharacterSystem,
    /// Who the speaker is.
    Character,
    /// Who the player is.
    Persona,
    /// How the speaker talks.
    Examples,
    /// A word of the player's, where a conversation would begin with the model.
    Opening,
    /// A message of the path.
    History,
    /// What the character's creator wants said last.
    PostHistory,
    /// Who speaks now, or what is to be narrated.
    Direction,
    /// What the player asks of this reply.
    Instruction,
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
    /// Whether there is room for older messages than were read.
    pub underfilled: bool,
    /// What it is made of, for learning from what the provider counts.
    pub weight: Weight,
}

/// Examples of a character's talk may take this part of what is not needed otherwise: a rule
/// that does not look at the history, so that they do not come and go.
const EXAMPLES_SHARE: u32 = 4;

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
            Self::PostHistory => "the character's post-history instructions",
            Self::Direction => "the direction",
            Self::Instruction => "the instruction",
        }
    }
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
pub fn plan(scene: &Scene, budget: Budget, calibration: &Calibration) -> Result<Plan, TooLarge> {
    let draft = Draft { scene, calibration };
    let constant = draft.constant();
    let examples = draft.examples();
    let mut history = draft.history();
    let last = draft.last();
    let answered = history.last().map(|block| (block.kind, block.tokens));
    let must_have = constant.iter().chain(&last).map(|block| (block.kind, block.tokens));
    let room = budget.room(must_have.clone().chain(answered))?;
    let mut dropped = Vec::new();
    let (examples, large): (Vec<Block>, Vec<Block>) =
        examples.into_iter().partition(|block| block.tokens <= room / EXAMPLES_SHARE);
    dropped.extend(large.iter().map(|block| Dropped {
        kind: block.kind,
        count: 1,
        tokens: block.tokens,
        reason: DropReason::TooLarge,
    }));
    let taken = examples.iter().map(|block| block.tokens).sum::<u32>();
    let room = room - taken + answered.map_or(0, |(_, tokens)| tokens);
    let (first, underfilled) = draft.trim(&history, room);
    let left: Vec<Block> = history.drain(..first).collect();
    dropped.extend(draft.dropped_history(&left));
    let began_with = history.first().and_then(|block| match block.source {
        Some(BlockSource::Message(id)) => Some(id),
        Some(BlockSource::Character(_) | BlockSource::Persona(_)) | None => None,
    });
    let opening = draft.opening(history.first().or(last.first()));
    let blocks: Vec<Block> =
        constant.into_iter().chain(examples).chain(opening).chain(history).chain(last).collect();
    let weight: Weight = blocks.iter().map(|block| Weight::of(&block.text)).sum();
    let tokens = calibration.tokens(weight);
    Ok(Plan { blocks, dropped, tokens, budget, began_with, underfilled, weight })
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

/// A plan in the making.
struct Draft<'a> {
    scene: &'a Scene,
    calibration: &'a Calibration,
}

impl Draft<'_> {
    fn block(&self, (kind, role): (BlockKind, PromptRole), text: String) -> Option<Block> {
        let tokens = self.calibration.tokens(Weight::of(&text));
        (!text.trim().is_empty()).then_some(Block { kind, role, text, source: None, tokens })
    }

    /// A block made from the speaker's card.
    fn of_speaker(
        &self,
        sort: (BlockKind, PromptRole),
        text: impl Fn(&Character) -> &str,
        wrap: impl Fn(&str) -> String,
    ) -> Option<Block> {
        let speaker = self.scene.speaker.as_ref()?;
        let source = Some(BlockSource::Character(speaker.id));
        let text = self.scene.names().expand(text(speaker).trim());
        let block = self.block(sort, wrap(&text))?;
        Some(Block { source, ..block })
    }

    fn constant(&self) -> Vec<Block> {
        let Self { scene, .. } = self;
        let system = |kind| (kind, PromptRole::System);
        let own = system(BlockKind::CharacterSystem);
        let own = self.of_speaker(own, |character| &character.card.system_prompt, str::to_owned);
        let about_speaker = scene.speaker_name().and_then(|name| {
            let about = template::fenced("character", name, &scene.about_speaker());
            let source = scene.speaker.as_ref().map(|speaker| BlockSource::Character(speaker.id));
            Some(Block { source, ..self.block(system(BlockKind::Character), about)? })
        });
        let about_player = template::fenced("player", scene.player_name(), &scene.about_player());
        let about_player = self.block(system(BlockKind::Persona), about_player).map(|block| {
            let source = scene.persona.as_ref().map(|persona| BlockSource::Persona(persona.id));
            Block { source, ..block }
        });
        let rules = self.block(system(BlockKind::System), template::system(scene));
        [rules, own, about_speaker, about_player].into_iter().flatten().collect()
    }

    fn examples(&self) -> Option<Block> {
        let sort = (BlockKind::Examples, PromptRole::System);
        self.of_speaker(sort, |character| &character.card.example_dialogue, template::examples)
    }

    fn history(&self) -> Vec<Block> {
        self.scene.path.iter().filter_map(|message| self.said(message)).collect()
    }

    /// A message as the model reads it; none if it is hidden or has no text.
    fn said(&self, message: &Message) -> Option<Block> {
        let Self { scene, .. } = self;
        if !is_told(message) {
            return None;
        }
        let is_own = message.role != MessageRole::Player
            && Some(message.author.author_name.as_str()) == scene.speaker_name();
        let is_player = message.role == MessageRole::Player;
        let role = if is_player { PromptRole::User } else { PromptRole::Model };
        // Whose words they are is clear only between the player and a single character.
        let text = if is_player || is_own && scene.cast.len() == 1 {
            message.content.clone()
        } else {
            format!("{}: {}", message.author.author_name, message.content)
        };
        let block = self.block((BlockKind::History, role), text)?;
        Some(Block { source: Some(BlockSource::Message(message.id)), ..block })
    }

    /// What is said last, and anew in every turn.
    fn last(&self) -> Vec<Block> {
        let Self { scene, .. } = self;
        let user = |kind| (kind, PromptRole::User);
        let after = user(BlockKind::PostHistory);
        let after = self.of_speaker(
            after,
            |character| &character.card.post_history_instructions,
            bracketed,
        );
        let direction = match &scene.job.speaker {
            Speaker::Narrator { task } => template::task(*task, &scene.session),
            Speaker::Character { name, .. } if scene.cast.len() > 1 => {
                template::speak_as(scene.speaker_name().unwrap_or(name), &scene.session)
            }
            Speaker::Character { .. } => String::new(),
        };
        let direction = self.block(user(BlockKind::Direction), bracketed(&direction));
        let wish = bracketed(scene.job.instruction.as_deref().unwrap_or_default());
        let wish = self.block(user(BlockKind::Instruction), wish);
        let mut last: Vec<Block> = [after, direction, wish].into_iter().flatten().collect();
        // Some models refuse a conversation that ends with their own words.
        let newest = scene.path.iter().rev().find(|message| is_told(message));
        if last.is_empty() && newest.is_none_or(|message| message.role != MessageRole::Player) {
            let language = &scene.session.settings.language;
            let go_on = bracketed(template::go_on(language));
            last.extend(self.block(user(BlockKind::Direction), go_on));
        }
        last
    }

    /// Some models refuse a conversation that begins with their own words.
    fn opening(&self, first: Option<&Block>) -> Option<Block> {
        if first.is_some_and(|block| block.role == PromptRole::User) {
            return None;
        }
        let text = bracketed(template::opening(&self.scene.session.settings.language));
        self.block((BlockKind::Opening, PromptRole::User), text)
    }

    /// The first block of the history that goes in, and whether older ones than were read could.
    fn trim(&self, history: &[Block], room: u32) -> (usize, bool) {
        let began_with = self.scene.began_with.map(BlockSource::Message);
        let previous = began_with
            .and_then(|source| history.iter().position(|block| block.source == Some(source)));
        let sizes: Vec<u32> = history.iter().map(|block| block.tokens).collect();
        let complete = self.is_complete();
        let first = first_kept(History { sizes: &sizes, complete, previous }, room);
        let kept = sizes.iter().skip(first).sum();
        let underfilled = budget::is_underfilled(kept, sizes.len() - first, room);
        (first, !complete && underfilled)
    }

    fn is_complete(&self) -> bool {
        self.scene.path.first().is_none_or(|message| message.depth == 0)
    }

    fn dropped_history(&self, left: &[Block]) -> Option<Dropped> {
        // Above the first message that was read stand as many as it is deep.
        let unread = self.scene.path.first().map_or(0, |message| message.depth);
        let count = unread + i64::try_from(left.len()).unwrap_or(i64::MAX);
        let tokens = left.iter().map(|block| block.tokens).sum();
        let reason = DropReason::OutOfRoom;
        (count > 0).then_some(Dropped { kind: BlockKind::History, count, tokens, reason })
    }
}

fn is_told(message: &Message) -> bool {
    !message.hidden_from_prompt && !message.content.trim().is_empty()
}

/// Apart from what the player says: brackets mark a word to the model.
fn bracketed(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!("[{text}]") }
}

/// The parts that say something, separated by blank lines.
fn join<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<&str> =
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}
