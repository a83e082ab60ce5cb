//! From a scene to a plan: which blocks there are, and which of them fit. Pure.

use super::{
    Block, BlockKind, BlockSource, Budget, DropReason, Dropped, Plan, PromptRole, Scene, TooLarge,
    budget::{self, History, first_kept},
    template,
    tokens::{Calibration, Weight},
};
use crate::{
    character::Character,
    tree::{Message, MessageRole},
    turn::Speaker,
};

/// Examples of a character's talk may take this part of what is not needed otherwise: a rule
/// that does not look at the history, so that they do not come and go.
const EXAMPLES_SHARE: u32 = 4;

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
        let own = self.of_speaker(own, |character| &character.card.system_prompt, template::manner);
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
            format!("{}: {}", template::plain(&message.author.author_name), message.content)
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
