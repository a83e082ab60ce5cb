//! A prompt plan as it is stored: small, because its blocks are stored once. Pure.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use skald_base::Kind;
use skald_base::id::{format_any, parse_any};
use sqlx::types::Json;

use super::{
    Block, BlockKind, BlockSource, Dropped, Plan, PromptRole,
    skeleton::{Part, Skeleton},
    tokens::{Calibration, Weight},
};
use crate::{
    character::CharacterKind,
    memory::{Recalled, Source},
    persona::PersonaKind,
    session::SessionId,
    tree::{MessageId, MessageKind},
};

/// The plan of a reply's prompt, as stored.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration documents each field")]
pub struct PlanRecord {
    pub message_id: MessageId,
    pub session_id: SessionId,
    pub attempt: i64,
    pub began_with: Option<MessageId>,
    pub plan: Json<PlanBody>,
}

/// How a prompt is put together from stored blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanBody {
    /// The model it was made for.
    pub model: String,
    /// The numbers of its blocks, in order.
    pub blocks: Runs,
    /// How texts were sized.
    factors: [f64; 4],
    /// The estimated size of all blocks.
    pub tokens: u32,
    /// What it was fitted into: tokens of prompt and reply.
    total: u32,
    reply: u32,
    /// What did not go in.
    pub dropped: Vec<Dropped>,
    /// What came to mind, strongest first; none in plans from before there was memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memories: Vec<MemoryRecord>,
    /// The provider's request without the blocks; none if the model has no wire.
    skeleton: Option<Skeleton>,
}

/// What came to mind, without its text: that is a message's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryRecord {
    /// Where it comes from.
    pub source: Source,
    /// How strongly it came to mind.
    pub score: f64,
    /// Its rank by words alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexical_rank: Option<usize>,
    /// Whether it went in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub included: bool,
    /// Why.
    pub reason: String,
}

/// A block as stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration documents each field")]
pub struct BlockRecord {
    pub number: i64,
    pub kind: BlockKind,
    pub role: PromptRole,
    pub source: Option<String>,
    pub text: String,
}

/// Numbers of which many follow one another, as text: `1-4,17-212`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Runs(String);

impl Runs {
    /// These numbers, in this order.
    pub fn of(numbers: &[i64]) -> Self {
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for number in numbers {
            match runs.last_mut() {
                Some((_, end)) if *end + 1 == *number => *end = *number,
                Some(_) | None => runs.push((*number, *number)),
            }
        }
        let words = runs.into_iter().map(|(start, end)| {
            if start == end { start.to_string() } else { format!("{start}-{end}") }
        });
        Self(words.collect::<Vec<_>>().join(","))
    }

    /// Runs as they were stored.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The numbers, in their order.
    pub fn numbers(&self) -> Vec<i64> {
        let runs = self.0.split(',').filter_map(|word| {
            let (start, end) = word.split_once('-').unwrap_or((word, word));
            Some(start.parse::<i64>().ok()?..=end.parse::<i64>().ok()?)
        });
        runs.flatten().collect()
    }
}

impl MemoryRecord {
    /// What is kept of a memory.
    pub fn of(memory: &Recalled) -> Self {
        let Recalled { source, score, lexical_rank, included, ref reason, .. } = *memory;
        // More digits tell nobody anything.
        let score = (score * 1000.0).round() / 1000.0;
        Self { source, score, lexical_rank, included, reason: reason.clone() }
    }
}

impl BlockSource {
    /// The id of what a block was made from.
    pub fn id(self) -> String {
        match self {
            Self::Character(id) => format_any(CharacterKind::PREFIX, id.uuid()),
            Self::Persona(id) => format_any(PersonaKind::PREFIX, id.uuid()),
            Self::Message(id) => format_any(MessageKind::PREFIX, id.uuid()),
        }
    }

    /// What this id names, if blocks are made of it.
    pub fn parse(id: &str) -> Option<Self> {
        let (prefix, uuid) = parse_any(id)?;
        match prefix {
            CharacterKind::PREFIX => Some(Self::Character(skald_base::Id::from_uuid(uuid))),
            PersonaKind::PREFIX => Some(Self::Persona(skald_base::Id::from_uuid(uuid))),
            MessageKind::PREFIX => Some(Self::Message(skald_base::Id::from_uuid(uuid))),
            _ => None,
        }
    }
}

impl BlockKind {
    /// The word by which it is stored.
    fn word(self) -> &'static str {
        match self {
            Self::System => "SYSTEM",
            Self::CharacterSystem => "CHARACTER_SYSTEM",
            Self::Character => "CHARACTER",
            Self::Persona => "PERSONA",
            Self::Examples => "EXAMPLES",
            Self::Opening => "OPENING",
            Self::History => "HISTORY",
            Self::Memory => "MEMORY",
            Self::PostHistory => "POST_HISTORY",
            Self::Direction => "DIRECTION",
            Self::Instruction => "INSTRUCTION",
            Self::Beginning => "BEGINNING",
        }
    }
}

impl PromptRole {
    /// The word by which it is stored.
    fn word(self) -> &'static str {
        match self {
            Self::System => "SYSTEM",
            Self::User => "USER",
            Self::Model => "MODEL",
        }
    }
}

impl Block {
    /// What tells it from every other block.
    pub fn hash(&self) -> Vec<u8> {
        let source = self.source.map(BlockSource::id).unwrap_or_default();
        let mut hash = Sha256::new();
        for part in [self.kind.word(), self.role.word(), &source, &self.text] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }

    /// What the joints of a body depend on.
    fn sort(&self) -> String {
        format!("{} {}", self.kind.word(), self.role.word())
    }
}

impl PlanBody {
    /// A plan whose blocks are stored under these numbers.
    pub fn of(
        plan: &Plan,
        calibration: &Calibration,
        numbers: &[i64],
        (model, body): (&str, Option<&str>),
    ) -> Self {
        let sorts: Vec<String> = plan.blocks.iter().map(Block::sort).collect();
        let parts = parts(&sorts, &plan.blocks);
        Self {
            model: model.to_owned(),
            blocks: Runs::of(numbers),
            factors: calibration.factors(),
            tokens: plan.tokens,
            total: plan.budget.total,
            reply: plan.budget.reply,
            dropped: plan.dropped.clone(),
            memories: plan.memories.iter().map(MemoryRecord::of).collect(),
            skeleton: body.map(|body| Skeleton::of(body, &parts)),
        }
    }

    /// Tokens that the prompt could have.
    pub fn budget(&self) -> u32 {
        self.total.saturating_sub(self.reply)
    }

    /// The blocks, from what is stored under their numbers.
    pub fn blocks(&self, records: Vec<BlockRecord>) -> Vec<Block> {
        let calibration = Calibration::with_factors(self.factors);
        let block = |record: BlockRecord| Block {
            kind: record.kind,
            role: record.role,
            tokens: calibration.tokens(Weight::of(&record.text)),
            source: record.source.as_deref().and_then(BlockSource::parse),
            text: record.text,
        };
        records.into_iter().map(block).collect()
    }

    /// The body of the provider's request, as it was sent.
    pub fn body(&self, blocks: &[Block]) -> Option<String> {
        let sorts: Vec<String> = blocks.iter().map(Block::sort).collect();
        self.skeleton.as_ref().map(|skeleton| skeleton.body(&parts(&sorts, blocks)))
    }
}

fn parts<'a>(sorts: &'a [String], blocks: &'a [Block]) -> Vec<Part<'a>> {
    let part = |(sort, block): (&'a String, &'a Block)| Part { sort, text: &block.text };
    sorts.iter().zip(blocks).map(part).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_are_short() {
        for (numbers, text) in [
            (&[][..], ""),
            (&[5], "5"),
            (&[1, 2, 3, 4, 17, 18, 3], "1-4,17-18,3"),
            (&[3, 2, 1], "3,2,1"),
            (&[7, 7, 8], "7,7-8"),
        ] {
            assert_eq!(Runs::of(numbers), Runs(text.into()));
        }
    }

    proptest! {
        #[test]
        fn runs_keep_every_number(numbers in prop::collection::vec(1_i64..20, 0..40)) {
            prop_assert_eq!(Runs::of(&numbers).numbers(), numbers);
        }
    }
}
