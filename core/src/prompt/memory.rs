//! What comes to mind, as a part of the prompt. Pure.
//!
//! Each passage is a block of its own, so that it is stored once however often
//! it is recalled. Together they stand before the message that is answered: what
//! is above them stays in the provider's cache.

use super::{
    Block, BlockKind, BlockSource, Plan, PromptRole, template,
    tokens::{Calibration, Weight},
};
use crate::memory::{Recalled, Source};

/// Memories in a plan's record at most, if not more went in.
const MOST_KEPT: usize = 24;

/// How a prompt speaks of what comes to mind.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// The session's language.
    pub language: &'a str,
    /// How texts are sized.
    pub calibration: &'a Calibration,
}

impl Telling<'_> {
    /// Tokens that a memory takes.
    pub fn size(&self, memory: &Recalled) -> u32 {
        self.block(template::memory(&memory.teller, &memory.text), None).tokens
    }

    /// Tokens that memories take beside their own.
    pub fn frame(&self) -> u32 {
        self.header().tokens
    }

    fn header(&self) -> Block {
        self.block(format!("[{}]", template::before_memories(self.language)), None)
    }

    fn block(&self, text: String, source: Option<BlockSource>) -> Block {
        let tokens = self.calibration.tokens(Weight::of(&text));
        Block { kind: BlockKind::Memory, role: PromptRole::User, text, source, tokens }
    }

    fn told(&self, memory: &Recalled) -> Block {
        let source = match memory.source {
            Source::Episode { message, .. } => BlockSource::Message(message),
        };
        self.block(template::memory(&memory.teller, &memory.text), Some(source))
    }
}

impl Plan {
    /// Takes in what came to mind, strongest first: what is included is told in its order.
    pub fn remember(&mut self, mut memories: Vec<Recalled>, telling: Telling<'_>) {
        let mut included: Vec<&Recalled> = memories.iter().filter(|one| one.included).collect();
        included.sort_by_key(|one| (one.depth, one.source.start()));
        let mut blocks: Vec<Block> = included.into_iter().map(|one| telling.told(one)).collect();
        if !blocks.is_empty() {
            blocks.insert(0, telling.header());
        }
        let last = self.blocks.iter().rposition(|block| block.kind == BlockKind::History);
        let weight: Weight = blocks.iter().map(|block| Weight::of(&block.text)).sum();
        let at = last.unwrap_or(self.blocks.len());
        self.blocks.splice(at..at, blocks);
        self.weight += weight;
        self.tokens = telling.calibration.tokens(self.weight);
        let mut rank = 0;
        memories.retain(|one| {
            rank += 1;
            one.included || rank <= MOST_KEPT
        });
        self.memories = memories;
    }
}

#[cfg(test)]
mod tests {
    use skald_base::Id;
    use uuid::Uuid;

    use super::*;
    use crate::{memory::tests::recalled, prompt::Budget, tree::MessageId};

    fn plan() -> Plan {
        let block = |kind, role, text: &str| Block {
            kind,
            role,
            text: text.into(),
            source: None,
            tokens: 1,
        };
        let history = |role, text| block(BlockKind::History, role, text);
        Plan {
            blocks: vec![
                block(BlockKind::System, PromptRole::System, "Write."),
                history(PromptRole::User, "I sit."),
                history(PromptRole::Model, "Sit then."),
                history(PromptRole::User, "Where is the ring?"),
                block(BlockKind::Direction, PromptRole::User, "[Go on.]"),
            ],
            dropped: Vec::new(),
            tokens: 0,
            budget: Budget::new(4000, None, false),
            began_with: None,
            memory_room: 600,
            memories: Vec::new(),
            underfilled: false,
            weight: Weight::default(),
        }
    }

    fn told(depth: i64, text: &str, included: bool) -> Recalled {
        let message = MessageId::from_uuid(Uuid::from_u128(depth.unsigned_abs().into()));
        let source = Source::Episode { message, revision: 1, start: 0, end: text.len() };
        Recalled { source, depth, included, ..recalled(1.0, text) }
    }

    #[test]
    fn memories_stand_before_what_is_answered_in_the_order_of_telling() {
        let calibration = Calibration::default();
        let telling = Telling { language: "en", calibration: &calibration };
        let mut plan = plan();
        let memories = vec![
            told(9, "It shone. </memory>", true),
            told(4, "Nobody saw.", false),
            told(2, "She hid it.", true),
        ];
        plan.remember(memories.clone(), telling);
        let texts: Vec<&str> = plan.blocks.iter().skip(3).map(|block| &*block.text).collect();
        assert!(texts[0].starts_with("[Passages from earlier"), "{}", texts[0]);
        assert_eq!(
            texts[1..],
            [
                "<memory name=\"Mira\">\nShe hid it.\n</memory>",
                "<memory name=\"Mira\">\nIt shone. <\\/memory>\n</memory>",
                "Where is the ring?",
                "[Go on.]"
            ]
        );
        let source = BlockSource::Message(Id::from_uuid(Uuid::from_u128(2)));
        assert_eq!(plan.blocks[4].source, Some(source));
        assert_eq!(plan.memories, memories);
        let sizes: u32 =
            memories.iter().filter(|one| one.included).map(|one| telling.size(one)).sum();
        assert!(plan.tokens.abs_diff(sizes + telling.frame()) <= 3, "{}", plan.tokens);
    }

    #[test]
    fn what_nothing_comes_of_changes_nothing_but_its_record() {
        let calibration = Calibration::default();
        let telling = Telling { language: "ru", calibration: &calibration };
        let (mut plan, before) = (plan(), plan());
        plan.remember((0..40).map(|n| told(n, "Nobody saw.", false)).collect(), telling);
        assert_eq!(plan.blocks, before.blocks);
        assert_eq!(plan.memories.len(), MOST_KEPT);
    }
}
