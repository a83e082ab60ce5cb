//! Asks every question, and reckons.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use skald_core::recall::{Cast, Index, Item, Query};

use super::{
    baseline::Bm25,
    data::{Conversation, Question, Turn},
};
use crate::report::Times;

/// How many of the first hits are looked at.
pub(super) const DEPTHS: [usize; 4] = [1, 5, 10, 20];

/// Hits that a prompt or a screen takes: for so many the time is taken.
pub(super) const USUAL: usize = 20;

/// More than a conversation has.
const SESSIONS: usize = 1000;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ranker {
    /// The product's own.
    Recall,
    /// BM25 over turns.
    Words,
    /// BM25 over turns that begin with the name of their speaker.
    WordsAndSpeaker,
}

/// How one question was answered.
pub(super) struct Answer {
    pub(super) category: String,
    /// The part of the evidence among the first hits, for each of the [`DEPTHS`].
    recall: [f64; 4],
    /// One over the rank of the first evidence; 0 if none was found.
    reciprocal_rank: f64,
}

/// Means over questions.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) questions: usize,
    recall: [f64; 4],
    reciprocal_rank: f64,
}

impl Ranker {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Recall => "its ranking alone, in memory",
            Self::Words => "BM25 over turns",
            Self::WordsAndSpeaker => "BM25 over speaker and turn",
        }
    }

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Recall => "in_memory",
            Self::Words => "bm25",
            Self::WordsAndSpeaker => "bm25_with_speaker",
        }
    }
}

/// Asks every question that has evidence; how each was answered, and in which time.
pub(super) fn run(conversations: &[Conversation], ranker: Ranker) -> (Vec<Answer>, Times) {
    let (mut answers, mut times) = (Vec::new(), Vec::new());
    for conversation in conversations {
        let asked = Asked::new(conversation, ranker);
        for question in &conversation.questions {
            let evidence = conversation.evidence(question);
            if evidence.is_empty() {
                continue;
            }
            let (found, time) = asked.answer(question);
            answers.push(Answer::of(question, &evidence, &found));
            times.push(time);
        }
    }
    (answers, Times::new(times))
}

/// A conversation, ready to be asked.
enum Asked {
    Recall(Cast, Index),
    Words(Bm25),
}

impl Asked {
    fn new(conversation: &Conversation, ranker: Ranker) -> Self {
        let turns = conversation.turns.iter();
        match ranker {
            Ranker::Recall => {
                let texts: Vec<String> = turns.map(Turn::told).collect();
                Self::Recall(cast_of(conversation), Index::new(&items_of(conversation, &texts)))
            }
            Ranker::Words => Self::Words(Bm25::new(&turns.map(Turn::told).collect::<Vec<_>>())),
            Ranker::WordsAndSpeaker => {
                let told = |turn: &Turn| format!("{}: {}", turn.speaker, turn.told());
                Self::Words(Bm25::new(&turns.map(told).collect::<Vec<_>>()))
            }
        }
    }

    /// The turns that come to mind, best first, and how long it took.
    fn answer(&self, question: &Question) -> (Vec<usize>, Duration) {
        let start = Instant::now();
        match self {
            Self::Recall(cast, index) => {
                let query = query(cast, question);
                black_box(index.rank(&query, USUAL));
                let time = start.elapsed();
                let hits = index.rank(&query, usize::MAX);
                (hits.into_iter().map(|hit| hit.item).collect(), time)
            }
            Self::Words(index) => {
                let ranked = index.rank(&question.text);
                (ranked, start.elapsed())
            }
        }
    }
}

pub(super) fn cast_of(conversation: &Conversation) -> Cast {
    Cast::new(conversation.speakers.iter().map(String::as_str))
}

pub(super) fn items_of<'a>(conversation: &Conversation, texts: &'a [String]) -> Vec<Item<'a>> {
    let items = conversation.turns.iter().zip(texts).map(|(turn, text)| Item {
        text,
        speaker: conversation.speakers.iter().position(|speaker| *speaker == turn.speaker),
        scene: turn.session,
        day: conversation.day(turn.session),
    });
    items.collect()
}

/// Nobody is addressed: the questions are asked from outside.
pub(super) fn query<'a>(cast: &'a Cast, question: &'a Question) -> Query<'a> {
    let text = &question.text;
    Query { text, context: "", cast, addressed: None, asking: None, meaning: None }
}

/// One scope of so many turns, those of the conversations again and again: how long indexing
/// takes, and each question, with what the index was prepared for.
pub(super) fn large<T>(
    conversations: &[Conversation],
    turns: usize,
    prepare: impl Fn(&Index) -> T,
    ask: impl Fn(&Index, &T, &Query<'_>),
) -> (Duration, Times) {
    let told = |one: &Conversation| one.turns.iter().map(Turn::told).collect();
    let texts: Vec<Vec<String>> = conversations.iter().map(told).collect();
    // No two of them share a scene.
    let copies = (0..).step_by(SESSIONS).zip(conversations.iter().zip(&texts).cycle());
    let items = copies.flat_map(|(first, (one, texts))| {
        let items = items_of(one, texts).into_iter();
        items.map(move |item| Item { scene: first + item.scene, ..item })
    });
    let items: Vec<Item<'_>> = items.take(turns).collect();
    let start = Instant::now();
    let index = Index::new(&items);
    let built = start.elapsed();
    let prepared = prepare(&index);
    let mut times = Vec::new();
    for conversation in conversations {
        let cast = cast_of(conversation);
        for question in &conversation.questions {
            let start = Instant::now();
            ask(&index, &prepared, &query(&cast, question));
            times.push(start.elapsed());
        }
    }
    (built, Times::new(times))
}

impl Answer {
    /// What is found of the evidence among what came to mind, best first.
    pub(super) fn of(question: &Question, evidence: &[usize], ranked: &[usize]) -> Self {
        let found = |depth: usize| {
            let found = ranked.iter().take(depth).filter(|turn| evidence.contains(turn)).count();
            number(found) / number(evidence.len())
        };
        let first = ranked.iter().position(|turn| evidence.contains(turn));
        Self {
            category: question.category.clone(),
            recall: DEPTHS.map(found),
            reciprocal_rank: first.map_or(0.0, |first| 1.0 / number(first + 1)),
        }
    }
}

impl Figures {
    pub(super) fn of<'a>(answers: impl Iterator<Item = &'a Answer>) -> Self {
        let mut sum = Self::default();
        for answer in answers {
            sum.questions += 1;
            sum.reciprocal_rank += answer.reciprocal_rank;
            for (sum, recall) in sum.recall.iter_mut().zip(answer.recall) {
                *sum += recall;
            }
        }
        sum
    }

    /// The mean part of the evidence among so many hits; not a number without questions.
    pub(super) fn recall_at(&self, depth: usize) -> f64 {
        let place = DEPTHS.iter().position(|other| *other == depth);
        let sum = place.and_then(|place| self.recall.get(place)).copied();
        sum.unwrap_or(f64::NAN) / number(self.questions)
    }

    pub(super) fn reciprocal_rank(&self) -> f64 {
        self.reciprocal_rank / number(self.questions)
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let recall = |depth| (format!("recall_at_{depth}"), fraction(self.recall_at(depth)));
        let mut json: Map<String, Value> = DEPTHS.map(recall).into_iter().collect();
        json.insert("mrr".into(), fraction(self.reciprocal_rank()));
        json.insert("questions".into(), json!(self.questions));
        json
    }
}

/// A part of one, with four decimals.
pub(super) fn fraction(part: f64) -> Value {
    json!((part * 10_000.0).round() / 10_000.0)
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recall::data;

    const FIXTURE: &str = r#"{ "conversations": [ {
        "id": "a", "speakers": ["Ada", "Bo"],
        "sessions": [ { "n": 1, "date": "9:00 am on 3 June, 2024" } ],
        "turns": [
            { "id": "1", "s": 1, "speaker": "Ada", "text": "I keep bees.", "image": "a hive" },
            { "id": "2", "s": 1, "speaker": "Bo", "text": "I sail." },
            { "id": "3", "s": 1, "speaker": "Bo", "text": "My boat is old." } ],
        "questions": [
            { "id": "q", "q": "What does Ada keep in the hive?", "answer": "bees",
              "evidence": ["1"], "category": "single-hop" },
            { "id": "r", "q": "How old is the boat of Bo?", "answer": "?",
              "evidence": ["3", "1"], "category": "adversarial" },
            { "id": "s", "q": "Nothing?", "answer": "", "evidence": [], "category": "open" } ]
        } ] }"#;

    #[test]
    fn evidence_is_counted_among_the_first_hits() {
        let conversations = data::read(FIXTURE).unwrap();
        for ranker in [Ranker::Recall, Ranker::Words, Ranker::WordsAndSpeaker] {
            let (answers, times) = run(&conversations, ranker);
            assert_eq!(times.count(), 2, "a question without evidence is not asked");
            let usual = Figures::of(answers.iter().filter(|one| one.category == "single-hop"));
            assert!((usual.recall_at(1) - 1.0).abs() < 1e-9, "{}", ranker.name());
            assert!((usual.reciprocal_rank() - 1.0).abs() < 1e-9);
            let other = Figures::of(answers.iter().filter(|one| one.category == "adversarial"));
            assert!((other.recall_at(1) - 0.5).abs() < 1e-9, "{}", ranker.name());
        }
    }

    /// The project's own: 70 turns, 41 questions in other forms of the words, nobody's benchmark.
    #[test]
    fn a_russian_story_comes_to_mind() {
        let story = include_str!("../../data/recall-ru.json");
        let conversations = data::read(story).unwrap();
        let ten = |ranker| {
            let (answers, _) = run(&conversations, ranker);
            let usual = answers.iter().filter(|one| one.category != "adversarial");
            Figures::of(usual).recall_at(10)
        };
        assert!(ten(Ranker::Recall) >= 0.85, "{}", ten(Ranker::Recall));
        assert!(ten(Ranker::WordsAndSpeaker) < 0.75, "{}", ten(Ranker::WordsAndSpeaker));
    }

    #[test]
    fn a_large_scope_has_as_many_turns_as_wished() {
        let conversations = data::read(FIXTURE).unwrap();
        let ask = |index: &Index, (): &(), query: &Query<'_>| drop(index.rank(query, USUAL));
        let (_, times) = large(&conversations, 100, |_| (), ask);
        assert_eq!(times.count(), 3);
    }

    #[test]
    fn what_is_no_date_is_named() {
        let broken = FIXTURE.replace("3 June, 2024", "a day");
        let error = data::read(&broken).err().unwrap();
        assert!(error.to_string().contains("a day"), "{error}");
    }
}
