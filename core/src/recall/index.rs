//! What is known of passages before anybody asks. Pure.

use std::collections::{BTreeSet, HashMap};

use chrono::{Datelike, NaiveDate};

use super::{
    Item,
    cast::Person,
    date::tells_time,
    neighbours::Neighbours,
    question::{asks, share_of_questions},
    words::{terms, words},
};

/// Passages, ready to be asked again and again.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Where each term stands.
    postings: HashMap<String, Vec<Posting>>,
    /// Of each passage, in the order of telling.
    pub(super) traits: Vec<Traits>,
    pub(super) neighbours: Neighbours,
    /// The mean of all lengths.
    pub(super) mean_length: f64,
    /// The years in which they were told.
    pub(super) years: BTreeSet<i32>,
}

/// That a term stands in a passage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posting {
    pub(super) item: usize,
    /// How often.
    pub(super) count: f64,
}

/// What is known of a passage beside its terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    pub(super) speaker: Option<Person>,
    pub(super) day: Option<NaiveDate>,
    /// How many terms, its share of its neighbours' with them.
    pub(super) length: f64,
    /// Whether it ends with a question.
    pub(super) asks: bool,
    /// The part of its sentences that ask.
    pub(super) questions: f64,
    /// Whether it tells a time.
    pub(super) tells_time: bool,
}

impl Index {
    /// Reads passages, which come in the order of telling.
    pub fn new(items: &[Item<'_>]) -> Self {
        let neighbours = Neighbours::new(items.iter().map(|item| item.scene));
        let years = items.iter().filter_map(|item| item.day).map(|day| day.year()).collect();
        let mut index = Self { neighbours, years, ..Self::default() };
        let lengths: Vec<f64> = items.iter().map(|item| index.read(item)).collect();
        for (item, length) in lengths.into_iter().enumerate() {
            let asks = index.traits.get(item).is_some_and(|traits| traits.asks);
            for share in index.neighbours.takers(item, asks) {
                if let Some(taker) = index.traits.get_mut(share.taker) {
                    taker.length += share.weight * length;
                }
            }
        }
        let all: f64 = index.traits.iter().map(|traits| traits.length).sum();
        index.mean_length = all / number(items.len()).max(1.0);
        index
    }

    /// Reads the next passage; how many terms it has.
    fn read(&mut self, item: &Item<'_>) -> f64 {
        let words = words(item.text);
        let traits = Traits {
            speaker: item.speaker,
            day: item.day,
            length: 0.0,
            asks: asks(item.text),
            questions: share_of_questions(item.text),
            tells_time: tells_time(&words),
        };
        let number_of_item = self.traits.len();
        self.traits.push(traits);
        let terms = terms(&words);
        let length = number(terms.len());
        for term in terms {
            let postings = self.postings.entry(term).or_default();
            match postings.last_mut() {
                Some(last) if last.item == number_of_item => last.count += 1.0,
                Some(_) | None => postings.push(Posting { item: number_of_item, count: 1.0 }),
            }
        }
        length
    }

    /// How many passages there are.
    pub fn len(&self) -> usize {
        self.traits.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.traits.is_empty()
    }

    /// Where a term stands, in the order of telling.
    pub(super) fn postings(&self, term: &str) -> &[Posting] {
        self.postings.get(term).map_or(&[], Vec::as_slice)
    }
}

/// A count as a number to reckon with.
pub(super) fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
