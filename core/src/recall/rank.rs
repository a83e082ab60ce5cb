//! All signals together: which passages come to mind first. Pure.

use std::collections::BTreeSet;

use super::{
    Query,
    cast::{Person, Told},
    date::{Dates, asks_when},
    index::{Index, Traits},
    lexical::Wanted,
};

/// What a question loses of its score: it seldom tells.
const QUESTION: f64 = 0.3;
/// What a passage gets of the question before it, which it may answer.
const ANSWER: f64 = 0.2;
/// What a passage gets of the best of its scene.
const SCENE: f64 = 0.1;
/// For being told by somebody whom the query names.
const SPEAKER: f64 = 0.25;
/// For being told on a day that the query names.
const DATE: f64 = 0.5;
/// For telling a time, if the query asks when.
const WHEN: f64 = 0.2;

/// A passage that comes to mind.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Which passage, in the order of telling.
    pub item: usize,
    /// How strongly: about 1 for the best words and meaning alone, at most about 2.
    pub score: f64,
    /// Its rank by words alone, from 1; none if it shares no word with the query.
    pub lexical_rank: Option<usize>,
    /// Its rank by meaning alone, from 1; none without an embedder or a vector.
    pub dense_rank: Option<usize>,
    /// What the score is the sum of.
    pub parts: Parts,
    /// Why, in plain words.
    pub reason: String,
}

/// What a score is the sum of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// Words, its own and its neighbours': with `dense` it makes 1 for the best.
    pub lexical: f64,
    /// Meaning, its own and that of what stands around it; 0 without an embedder.
    pub dense: f64,
    /// What it lost by asking, or got by standing behind a question.
    pub question: f64,
    /// The best of its scene.
    pub scene: f64,
    /// Who told it.
    pub speaker: f64,
    /// The day on which it was told.
    pub date: f64,
    /// That it tells a time.
    pub when: f64,
}

/// How near a passage is to a query: 1 for the nearest of all.
#[derive(Clone, Copy, Debug)]
struct Near {
    words: f64,
    /// None without an embedder or a vector.
    meaning: Option<f64>,
}

impl Parts {
    fn score(&self) -> f64 {
        let answer = self.lexical + self.dense + self.question;
        answer + self.scene + self.speaker + self.date + self.when
    }

    /// Whether it has anything to do with the query.
    fn comes_to_mind(&self) -> bool {
        self.lexical > 0.0 || self.dense > 0.0 || self.date > 0.0
    }
}

impl Index {
    /// What comes to mind, best first; of equals, what was told first. At most so many.
    ///
    /// What shares neither a word nor a day with the query, itself or by its neighbours, does not
    /// come to mind at all, unless an embedder says how near it is.
    pub fn rank(&self, query: &Query<'_>, most: usize) -> Vec<Hit> {
        let told = Told::new(query.text, query.cast);
        let wanted = self.wanted(query, &told);
        let near = self.near(query, &wanted);
        let parts = self.parts(query, &told, &near);
        let by_words = Ranking::of(near.iter().map(|near| near.words).filter(|one| *one > 0.0));
        let by_meaning = Ranking::of(near.iter().filter_map(|near| near.meaning));
        let comes = |(_, parts): &(usize, &Parts)| parts.comes_to_mind();
        let found = parts.iter().enumerate().filter(comes).collect();
        let hits = best(found, most).into_iter().map(|(item, parts)| {
            let near = near.get(item);
            let words = near.map(|near| near.words).filter(|one| *one > 0.0);
            let meaning = near.and_then(|near| near.meaning);
            let mut hit = Hit {
                item,
                score: parts.score(),
                lexical_rank: words.map(|words| by_words.rank(words)),
                dense_rank: meaning.map(|meaning| by_meaning.rank(meaning)),
                parts: *parts,
                reason: String::new(),
            };
            hit.reason = self.reason(&hit, &wanted);
            hit
        });
        hits.collect()
    }

    /// How near each passage is to a query, before anything else is looked at.
    fn near(&self, query: &Query<'_>, wanted: &[Wanted]) -> Vec<Near> {
        let words = normalised(self.lexical(wanted)).into_iter();
        match query.meaning {
            None => words.map(|words| Near { words, meaning: None }).collect(),
            Some(meaning) => {
                let near = words.zip(self.nearness(&meaning));
                near.map(|(words, meaning)| Near { words, meaning }).collect()
            }
        }
    }

    /// What each passage's score is the sum of.
    fn parts(&self, query: &Query<'_>, told: &Told<'_>, near: &[Near]) -> Vec<Parts> {
        let share = query.meaning.map_or(0.0, |meaning| meaning.weights.meaning);
        let near = fused(near, share);
        let sums: Vec<f64> = near.iter().map(|(lexical, dense)| lexical + dense).collect();
        let answers = normalised(self.answering(&sums));
        let best = self.best_of_scenes(&answers);
        let people = meant(query, told);
        let (dates, when) = (Dates::of(told, &self.years), asks_when(told));
        let rows = self.traits.iter().zip(near).zip(answers).zip(best);
        let parts = rows.map(|(((traits, (lexical, dense)), answer), best)| Parts {
            lexical,
            dense,
            question: answer - (lexical + dense),
            scene: SCENE * best,
            speaker: if is_told_by(traits, &people) { SPEAKER } else { 0.0 },
            date: traits.day.map_or(0.0, |day| DATE * dates.nearness(day)),
            when: if when && traits.tells_time { WHEN } else { 0.0 },
        });
        parts.collect()
    }

    /// Scores of nearness, less for what asks, more for what stands behind a question.
    fn answering(&self, near: &[f64]) -> Vec<f64> {
        let own = |(score, traits): (&f64, &Traits)| score * (1.0 - QUESTION * traits.questions);
        let own: Vec<f64> = near.iter().zip(&self.traits).map(own).collect();
        let with_question = |(item, score): (usize, &f64)| {
            let before = self.neighbours.at(item, -1);
            let asking = before.filter(|n| self.traits.get(*n).is_some_and(|traits| traits.asks));
            let handed_on = asking.and_then(|before| own.get(before)).copied();
            score + ANSWER * handed_on.unwrap_or_default()
        };
        own.iter().enumerate().map(with_question).collect()
    }

    /// Of each passage the best score of its scene.
    fn best_of_scenes(&self, scores: &[f64]) -> Vec<f64> {
        let mut best = vec![0.0; scores.len()];
        for scene in self.neighbours.scenes() {
            let of_scene = scene.iter().filter_map(|item| scores.get(*item));
            let highest = of_scene.fold(0.0, |best: f64, score| best.max(*score));
            for item in scene {
                if let Some(best) = best.get_mut(*item) {
                    *best = highest;
                }
            }
        }
        best
    }
}

/// Whom a query means: those it names, and who "you" and "I" are.
fn meant(query: &Query<'_>, told: &Told<'_>) -> BTreeSet<Person> {
    let mut people = told.named.clone();
    people.extend(query.addressed.filter(|_| told.says_you));
    people.extend(query.asking.filter(|_| told.says_i));
    people
}

fn is_told_by(traits: &Traits, people: &BTreeSet<Person>) -> bool {
    traits.speaker.is_some_and(|speaker| people.contains(&speaker))
}

/// Scores of which the best is 1.
fn normalised(mut scores: Vec<f64>) -> Vec<f64> {
    let best = scores.iter().copied().fold(0.0, f64::max);
    if best > 0.0 {
        for score in &mut scores {
            *score /= best;
        }
    }
    scores
}

/// Words and meaning of each passage together, the best sum of which is 1; meaning has this share.
///
/// What has no vector yet is judged by its words alone.
fn fused(near: &[Near], share: f64) -> Vec<(f64, f64)> {
    let both = near.iter().map(|near| match near.meaning {
        Some(meaning) => ((1.0 - share) * near.words, share * meaning),
        None => (near.words, 0.0),
    });
    let mut both: Vec<(f64, f64)> = both.collect();
    let best = both.iter().map(|(lexical, dense)| lexical + dense).fold(0.0, f64::max);
    if best > 0.0 {
        for (lexical, dense) in &mut both {
            (*lexical, *dense) = (*lexical / best, *dense / best);
        }
    }
    both
}

/// The best ones, best first; of equals, what was told first.
fn best(mut found: Vec<(usize, &Parts)>, most: usize) -> Vec<(usize, &Parts)> {
    let order = |a: &(usize, &Parts), b: &(usize, &Parts)| {
        b.1.score().total_cmp(&a.1.score()).then(a.0.cmp(&b.0))
    };
    if most < found.len() {
        found.select_nth_unstable_by(most, order);
        found.truncate(most);
    }
    found.sort_unstable_by(order);
    found
}

/// All scores of one kind, by which ranks are told.
struct Ranking(Vec<f64>);

impl Ranking {
    fn of(scores: impl Iterator<Item = f64>) -> Self {
        let mut scores: Vec<f64> = scores.collect();
        scores.sort_unstable_by(|a, b| b.total_cmp(a));
        Self(scores)
    }

    /// The rank of a score, from 1; equals have the same.
    fn rank(&self, score: f64) -> usize {
        self.0.partition_point(|other| *other > score) + 1
    }
}
