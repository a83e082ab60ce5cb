//! From a scene to a plan: which blocks there are, and which of them fit. Pure.

use super::{
    Block, BlockKind, BlockSource, Budget, DropReason, Dropped, GoingOn, Plan, PromptRole, Scene,
    TooLarge,
    budget::{self, History, first_kept},
    scene::Member,
    template,
    tokens::{Calibration, Weight},
};
use crate::{
    character::Card,
    tree::{Message, MessageRole},
};

/// Examples of talk may take this part of what the other constant blocks leave. Nothing else is
/// looked at, neither the history nor what was learnt of the model's tokenizer, so that they do
/// not come and go.
const EXAMPLES_SHARE: u32 = 4;

/// Plans the prompt for one reply.
pub fn plan(
    scene: &Scene,
    budget: Budget,
    calibration: &Calibration,
    going_on: GoingOn,
) -> Result<Plan, TooLarge> {
    let draft = Draft { scene, calibration };
    let mut constant = draft.constant();
    let mut history = draft.history();
    let mut last = draft.last();
    last.extend(draft.beginning(going_on));
    let (mut examples, mut large) = draft.examples(&constant, budget);
    let mut crowded = Vec::new();
    let room = loop {
        let must_have = constant.iter().chain(&last).chain(history.last());
        match budget.room(must_have.map(|block| (block.kind, block.tokens))) {
            Ok(room) => break room,
            Err(too_large) => {
                let spare = draft.dispensable(&constant).ok_or(too_large)?;
                large.push(constant.remove(spare));
                crowded.append(&mut examples);
            }
        }
    };
    // Hardly ever: they have a small part of what a model usually takes.
    while size(&examples) > room {
        crowded.extend(examples.pop());
    }
    let mut dropped = dropped_blocks(&large, DropReason::TooLarge);
    dropped.extend(dropped_blocks(&crowded, DropReason::OutOfRoom));
    let room = room - size(&examples) + history.last().map_or(0, |block| block.tokens);
    let (mut first, mut underfilled) = draft.trim(&history, room);
    let mut memory_room = 0;
    if first > 0 || !draft.is_complete() {
        // Never at the cost of the newest message.
        memory_room = budget.memory.min(room - history.last().map_or(0, |block| block.tokens));
        (first, underfilled) = draft.trim(&history, room - memory_room);
    }
    let left: Vec<Block> = history.drain(..first).collect();
    dropped.extend(draft.dropped_history(&left));
    dropped.extend(draft.hidden_history(history.first()));
    let began_with = history.first().and_then(|block| match block.source {
        Some(BlockSource::Message(id)) => Some(id),
        Some(BlockSource::Character(_) | BlockSource::Persona(_)) | None => None,
    });
    let opening = draft.opening(history.first().or(last.first()));
    let blocks: Vec<Block> =
        constant.into_iter().chain(examples).chain(opening).chain(history).chain(last).collect();
    let weight: Weight = blocks.iter().map(|block| Weight::of(&block.text)).sum();
    let tokens = calibration.tokens(weight);
    let memories = Vec::new();
    Ok(Plan {
        blocks,
        dropped,
        tokens,
        budget,
        began_with,
        memory_room,
        memories,
        underfilled,
        weight,
    })
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

    /// A block made from somebody's card.
    fn of(&self, member: Member<'_>, sort: (BlockKind, PromptRole), text: String) -> Option<Block> {
        let source = member.character.map(|character| BlockSource::Character(character.id));
        Some(Block { source, ..self.block(sort, text)? })
    }

    /// Blocks made from everybody's cards, in the order of the cast.
    fn of_all(&self, kind: BlockKind, text: impl Fn(Member<'_>) -> String) -> Vec<Block> {
        let members = self.scene.members().into_iter();
        let sort = (kind, PromptRole::System);
        members.filter_map(|member| self.of(member, sort, text(member))).collect()
    }

    /// A part of somebody's card, with names in the place of macros.
    fn part(&self, member: Member<'_>, part: fn(&Card) -> &str) -> String {
        let text = member.character.map_or("", |character| part(&character.card));
        self.scene.names(member).expand(text.trim())
    }

    /// What stays the same whoever speaks.
    fn constant(&self) -> Vec<Block> {
        let Self { scene, .. } = self;
        let system = |kind| (kind, PromptRole::System);
        let about_player = template::fenced("player", scene.player_name(), &scene.about_player());
        let about_player = self.block(system(BlockKind::Persona), about_player).map(|block| {
            let source = scene.persona.as_ref().map(|persona| BlockSource::Persona(persona.id));
            Block { source, ..block }
        });
        let rules = self.block(system(BlockKind::System), template::system(scene));
        let manners = self.of_all(BlockKind::CharacterSystem, |member| {
            template::manner(member.name, &self.part(member, |card| &card.system_prompt))
        });
        let cast = self.of_all(BlockKind::Character, |member| {
            template::fenced("character", member.name, &scene.about(member))
        });
        rules.into_iter().chain(manners).chain(cast).chain(about_player).collect()
    }

    /// Where the largest block stands that a reply can do without: a card of somebody else's.
    fn dispensable(&self, constant: &[Block]) -> Option<usize> {
        let speaker = self.scene.members().into_iter().find(|member| member.speaks);
        let speaker = speaker.and_then(|member| member.character).map(|character| character.id);
        let of_others = constant.iter().enumerate().filter(|(_, block)| match block.source {
            Some(BlockSource::Character(id)) => Some(id) != speaker,
            Some(BlockSource::Persona(_) | BlockSource::Message(_)) | None => false,
        });
        of_others.max_by_key(|(_, block)| block.tokens).map(|(index, _)| index)
    }

    /// Examples that are small enough, in the order of the cast, and those that are not.
    fn examples(&self, constant: &[Block], budget: Budget) -> (Vec<Block>, Vec<Block>) {
        let usual = Calibration::default();
        let usual_size = |block: &Block| usual.tokens(Weight::of(&block.text));
        let needed = constant.iter().map(usual_size).fold(0, u32::saturating_add);
        let mut room = budget.prompt().saturating_sub(needed) / EXAMPLES_SHARE;
        let examples = self.of_all(BlockKind::Examples, |member| {
            template::examples(member.name, &self.part(member, |card| &card.example_dialogue))
        });
        examples.into_iter().partition(|block| {
            let left = room.checked_sub(usual_size(block));
            room = left.unwrap_or(room);
            left.is_some()
        })
    }

    fn history(&self) -> Vec<Block> {
        self.scene.path.iter().filter_map(|message| self.said(message)).collect()
    }

    /// A message as the model reads it, whoever speaks now; none if it is hidden or has no text.
    fn said(&self, message: &Message) -> Option<Block> {
        if !is_told(message) {
            return None;
        }
        // Whose words they are is clear only between the player and a single character.
        let (role, is_clear) = match message.role {
            MessageRole::Player => (PromptRole::User, true),
            MessageRole::Character => (PromptRole::Model, self.scene.cast.len() == 1),
            MessageRole::Narrator | MessageRole::System => (PromptRole::Model, false),
        };
        let text = if is_clear {
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
        let speaker = scene.members().into_iter().find(|member| member.speaks);
        let after = speaker.and_then(|member| {
            let after = self.part(member, |card| &card.post_history_instructions);
            self.of(member, user(BlockKind::PostHistory), template::manner(member.name, &after))
        });
        let direction = bracketed(&template::direction(scene));
        let direction = self.block(user(BlockKind::Direction), direction);
        let wish = template::untagged(scene.job.instruction.as_deref().unwrap_or_default());
        let wish = self.block(user(BlockKind::Instruction), bracketed(&wish));
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

    /// What is written of the reply already, after everything that was asked of it.
    fn beginning(&self, going_on: GoingOn) -> Vec<Block> {
        let Some(begun) = &self.scene.begun else { return Vec::new() };
        let text = self.block((BlockKind::Beginning, PromptRole::Model), begun.text.clone());
        let text =
            text.map(|block| Block { source: begun.from.map(BlockSource::Message), ..block });
        let wish = match going_on {
            GoingOn::Prefill => None,
            GoingOn::Asked => {
                let wish = template::go_on_from(&self.scene.session.settings.language);
                self.block((BlockKind::Direction, PromptRole::User), bracketed(wish))
            }
        };
        text.into_iter().chain(wish).collect()
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

    /// What the player hid of the part of the story that goes in.
    fn hidden_history(&self, first: Option<&Block>) -> Option<Dropped> {
        let source = first.and_then(|block| block.source);
        let from = self.scene.path.iter().position(|m| source == Some(BlockSource::Message(m.id)));
        let told = self.scene.path.iter().skip(from.unwrap_or_default());
        let hidden = told.filter(|m| m.hidden_from_prompt && !m.content.trim().is_empty());
        let sizes = hidden.map(|m| self.calibration.tokens(Weight::of(&m.content)));
        let (count, tokens) = sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size));
        let (kind, reason) = (BlockKind::History, DropReason::Hidden);
        (count > 0).then_some(Dropped { kind, count, tokens, reason })
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

fn size(blocks: &[Block]) -> u32 {
    blocks.iter().map(|block| block.tokens).sum()
}

/// What did not go in, kind by kind.
fn dropped_blocks(blocks: &[Block], reason: DropReason) -> Vec<Dropped> {
    let mut dropped: Vec<Dropped> = Vec::new();
    for &Block { kind, tokens, .. } in blocks {
        match dropped.iter_mut().find(|dropped| dropped.kind == kind) {
            Some(dropped) => {
                dropped.count += 1;
                dropped.tokens += tokens;
            }
            None => dropped.push(Dropped { kind, count: 1, tokens, reason }),
        }
    }
    dropped
}

fn is_told(message: &Message) -> bool {
    !message.hidden_from_prompt && !message.content.trim().is_empty()
}

/// Apart from what the player says: brackets mark a word to the model.
fn bracketed(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!("[{text}]") }
}
