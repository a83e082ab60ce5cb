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
    /// How strongly: about 1 for the best words alone, at most about 2.
    pub score: f64,
    /// Its rank by words alone, from 1; none if it shares no word with the query.
    pub lexical_rank: Option<usize>,
    /// What the score is the sum of.
    pub parts: Parts,
    /// Why, in plain words.
    pub reason: String,
}

/// What a score is the sum of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// Words, its own and its neighbours': 1 for the best.
    pub lexical: f64,
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

impl Parts {
    fn score(&self) -> f64 {
        self.words() + self.scene + self.speaker + self.date + self.when
    }

    /// What its words are worth, as an answer.
    fn words(&self) -> f64 {
        self.lexical + self.question
    }
}

impl Index {
    /// What comes to mind, best first; of equals, what was told first. At most so many.
    ///
    /// What shares neither a word nor a day with the query, itself or by its neighbours, does not
    /// come to mind at all.
    pub fn rank(&self, query: &Query<'_>, most: usize) -> Vec<Hit> {
        let told = Told::new(query.text, query.cast);
        let wanted = self.wanted(query, &told);
        let parts = self.parts(query, &told, &wanted);
        let ranks = ranks(&parts);
        let comes = |(_, parts): &(usize, &Parts)| parts.lexical > 0.0 || parts.date > 0.0;
        let mut found: Vec<(usize, &Parts)> = parts.iter().enumerate().filter(comes).collect();
        found.sort_by(|a, b| b.1.score().total_cmp(&a.1.score()).then(a.0.cmp(&b.0)));
        found.truncate(most);
        let hits = found.into_iter().map(|(item, parts)| Hit {
            item,
            score: parts.score(),
            lexical_rank: ranks.get(item).copied().flatten(),
            parts: *parts,
            reason: self.reason(item, parts, &wanted),
        });
        hits.collect()
    }

    /// What each passage's score is the sum of.
    fn parts(&self, query: &Query<'_>, told: &Told<'_>, wanted: &[Wanted]) -> Vec<Parts> {
        let lexical = normalised(self.lexical(wanted));
        let words = normalised(self.answering(&lexical));
        let best = self.best_of_scenes(&words);
        let people = meant(query, told);
        let (dates, when) = (Dates::of(told, &self.years), asks_when(told));
        let rows = self.traits.iter().zip(lexical).zip(words).zip(best);
        let parts = rows.map(|(((traits, lexical), words), best)| Parts {
            lexical,
            question: words - lexical,
            scene: SCENE * best,
            speaker: if is_told_by(traits, &people) { SPEAKER } else { 0.0 },
            date: traits.day.map_or(0.0, |day| DATE * dates.nearness(day)),
            when: if when && traits.tells_time { WHEN } else { 0.0 },
        });
        parts.collect()
    }

    /// Scores by words, less for what asks, more for what stands behind a question.
    fn answering(&self, lexical: &[f64]) -> Vec<f64> {
        let own = |(score, traits): (&f64, &Traits)| score * (1.0 - QUESTION * traits.questions);
        let own: Vec<f64> = lexical.iter().zip(&self.traits).map(own).collect();
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

/// Of each passage its rank by words.
fn ranks(parts: &[Parts]) -> Vec<Option<usize>> {
    let found = parts.iter().enumerate().filter(|(_, parts)| parts.lexical > 0.0);
    let mut found: Vec<(usize, f64)> = found.map(|(item, parts)| (item, parts.lexical)).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut ranks = vec![None; parts.len()];
    for (rank, (item, _)) in (1..).zip(found) {
        if let Some(place) = ranks.get_mut(item) {
            *place = Some(rank);
        }
    }
    ranks
}
