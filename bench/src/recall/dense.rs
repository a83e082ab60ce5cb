//! What vectors add: the product's ranking with an embedder, and what anybody would try with one.

use std::{
    collections::{BTreeSet, HashMap},
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::Result;
use rand::{Rng, SeedableRng, rngs::StdRng};
use skald_core::{
    embedding::{TextHash, Vectors as Kept},
    recall::{Index, Meaning, Query, Surroundings, Weights, product},
};

use super::{
    baseline::Bm25,
    data::{Conversation, Question, Turn},
    embedder::{Vectors, unit},
    measure::{Answer, USUAL, cast_of, items_of, query},
};
use crate::report::Times;

/// How much a rank counts where several rankings are put together: one over it and this.
const RANKS: usize = 60;

/// What is measured with vectors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The product's own: words and meaning.
    Recall,
    /// The nearest turns.
    Dense,
    /// The nearest turns, each with its date and the name of its speaker before it.
    DensePrefixed,
    /// BM25 and vectors, each of single turns and of three in a row, their ranks put together.
    Windows,
}

impl Way {
    /// All that stands beside the product's own.
    pub(super) const BASELINES: [Self; 3] = [Self::Dense, Self::DensePrefixed, Self::Windows];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Recall => "recall with the embedder",
            Self::Dense => "vectors of turns",
            Self::DensePrefixed => "vectors of date, speaker, turn",
            Self::Windows => "RRF of BM25, vectors, windows",
        }
    }

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Recall => "recall",
            Self::Dense => "dense",
            Self::DensePrefixed => "dense_with_prefix",
            Self::Windows => "windowed_rrf",
        }
    }
}

/// All texts of conversations, as they are embedded.
pub(super) async fn embed(
    conversations: &[Conversation],
    (url, model): (&str, &str),
) -> Result<Vectors> {
    let mut texts = BTreeSet::new();
    for conversation in conversations {
        let cast = cast_of(conversation);
        texts.extend(conversation.turns.iter().map(Turn::told));
        texts.extend(prefixed(conversation));
        texts.extend(windows(conversation, Turn::told));
        for question in &conversation.questions {
            texts.extend(query(&cast, question).meant());
            texts.insert(question.text.clone());
        }
    }
    Vectors::of(url, model, texts).await
}

/// Turns with their date and their speaker's name.
fn prefixed(conversation: &Conversation) -> Vec<String> {
    let turns = conversation.turns.iter().map(|turn| {
        let date = conversation.date(turn.session).unwrap_or_default();
        format!("[{date}] {}", with_speaker(turn))
    });
    turns.collect()
}

fn with_speaker(turn: &Turn) -> String {
    format!("{}: {}", turn.speaker, turn.told())
}

/// Each turn with the one before and the one behind it in its session.
fn windows(conversation: &Conversation, told: impl Fn(&Turn) -> String) -> Vec<String> {
    let windows = conversation.turns.iter().enumerate().map(|(n, turn)| {
        let window = conversation.turns.iter().skip(n.saturating_sub(1)).take(2 + n.min(1));
        let window = window.filter(|other| other.session == turn.session);
        window.map(&told).collect::<Vec<_>>().join("\n")
    });
    windows.collect()
}

/// Asks every question that has evidence; how each was answered, and in which time.
pub(super) fn run(
    conversations: &[Conversation],
    vectors: &Vectors,
    way: Way,
) -> (Vec<Answer>, Times) {
    let (mut answers, mut times) = (Vec::new(), Vec::new());
    for conversation in conversations {
        let asked = Asked::new(conversation, vectors);
        for question in &conversation.questions {
            let evidence = conversation.evidence(question);
            if evidence.is_empty() {
                continue;
            }
            let (found, time) = asked.answer(question, way);
            answers.push(Answer::of(question, &evidence, &found));
            times.push(time);
        }
    }
    (answers, Times::new(times))
}

/// A conversation, ready to be asked.
struct Asked<'a> {
    conversation: &'a Conversation,
    vectors: &'a Vectors,
    /// Turns as they are told.
    told: Vec<String>,
    index: Index,
    surroundings: Surroundings,
}

impl<'a> Asked<'a> {
    fn new(conversation: &'a Conversation, vectors: &'a Vectors) -> Self {
        let told: Vec<String> = conversation.turns.iter().map(Turn::told).collect();
        let index = Index::new(&items_of(conversation, &told));
        let mut surroundings = Surroundings::default();
        surroundings.learn(&index, |item| vectors.get(told.get(item)?));
        Self { conversation, vectors, told, index, surroundings }
    }

    fn answer(&self, question: &Question, way: Way) -> (Vec<usize>, Duration) {
        let start = Instant::now();
        if way == Way::Recall {
            black_box(self.recall(question, USUAL));
            let time = start.elapsed();
            return (self.recall(question, usize::MAX), time);
        }
        let found = match way {
            Way::Recall => self.recall(question, usize::MAX),
            Way::Dense => self.nearest(&self.told, &question.text),
            Way::DensePrefixed => self.nearest(&prefixed(self.conversation), &question.text),
            Way::Windows => self.windows(question),
        };
        (found, start.elapsed())
    }

    fn recall(&self, question: &Question, most: usize) -> Vec<usize> {
        let cast = cast_of(self.conversation);
        let plain = query(&cast, question);
        let asked = plain.meant();
        let asked = asked.as_deref().and_then(|text| self.vectors.get(text));
        let cosines: Option<Vec<Option<f32>>> = asked.map(|asked| {
            let cosine = |text: &String| Some(product(asked, self.vectors.get(text)?));
            self.told.iter().map(cosine).collect()
        });
        let meaning = cosines.as_deref().map(|cosines| Meaning {
            cosines,
            surroundings: &self.surroundings,
            weights: Weights::default(),
        });
        let hits = self.index.rank(&Query { meaning, ..plain }, most);
        hits.into_iter().map(|hit| hit.item).collect()
    }

    /// Texts by how near they are to a question.
    fn nearest(&self, texts: &[String], question: &str) -> Vec<usize> {
        let asked = self.vectors.get(question).unwrap_or_default();
        let near = texts.iter().map(|text| {
            self.vectors.get(text).map_or(f32::NEG_INFINITY, |vector| product(asked, vector))
        });
        let mut ranked: Vec<(usize, f32)> = near.enumerate().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.into_iter().map(|(item, _)| item).collect()
    }

    fn windows(&self, question: &Question) -> Vec<usize> {
        let conversation = self.conversation;
        let single: Vec<String> = conversation.turns.iter().map(with_speaker).collect();
        together(&[
            Bm25::new(&single).rank(&question.text),
            Bm25::new(&windows(conversation, with_speaker)).rank(&question.text),
            self.nearest(&prefixed(conversation), &question.text),
            self.nearest(&windows(conversation, Turn::told), &question.text),
        ])
    }
}

/// Vectors of random numbers for a large scope, one for each passage.
pub(super) struct Cloud {
    vectors: Kept,
    places: Vec<Option<usize>>,
    surroundings: Surroundings,
}

impl Cloud {
    pub(super) fn new(index: &Index, dimensions: usize) -> Self {
        let mut random = StdRng::seed_from_u64(7);
        let mut vectors = Kept::new(dimensions);
        for item in 0..index.len() {
            let vector = (0..dimensions).map(|_| random.random_range(-1.0..1.0)).collect();
            vectors.add(TextHash::of(&item.to_string()), &unit(vector));
        }
        let mut surroundings = Surroundings::default();
        surroundings.learn(index, |item| vectors.at(item));
        let places = (0..index.len()).map(Some).collect();
        Self { vectors, places, surroundings }
    }

    /// What a turn does once it has its question's vector: all vectors are looked at, and ranked.
    pub(super) fn ask(&self, index: &Index, query: &Query<'_>) {
        let asked = self.vectors.at(index.len() / 2).unwrap_or_default();
        let cosines = self.vectors.products(&self.places, asked);
        let (cosines, surroundings) = (&cosines, &self.surroundings);
        let meaning = Meaning { cosines, surroundings, weights: Weights::default() };
        black_box(index.rank(&Query { meaning: Some(meaning), ..*query }, USUAL));
    }
}

/// Reciprocal rank fusion (Cormack and others, 2009).
fn together(rankings: &[Vec<usize>; 4]) -> Vec<usize> {
    let mut scores: HashMap<usize, f64> = HashMap::new();
    for ranking in rankings {
        for (place, item) in (RANKS + 1..).zip(ranking) {
            *scores.entry(*item).or_default() +=
                f64::from(u32::try_from(place).unwrap_or(u32::MAX)).recip();
        }
    }
    let mut ranked: Vec<(usize, f64)> = scores.into_iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.into_iter().map(|(item, _)| item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_put_together() {
        assert_eq!(together(&[vec![2, 0, 1], vec![0, 2], vec![0], vec![1, 0]]), [0, 2, 1]);
    }
}
