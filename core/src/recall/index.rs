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
    /// The sum of all lengths.
    all_lengths: f64,
    /// The years in which they were told.
    pub(super) years: BTreeSet<i32>,
}

/// That a term stands in a passage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posting {
    // Small, since there are millions of them.
    item: u32,
    count: f32,
}

/// What is known of a passage beside its terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    pub(super) speaker: Option<Person>,
    pub(super) day: Option<NaiveDate>,
    /// How many terms it has.
    terms: f64,
    /// How many terms, its share of its neighbours' with them.
    pub(super) length: f64,
    /// Whether it ends with a question.
    pub(super) asks: bool,
    /// The part of its sentences that ask.
    pub(super) questions: f64,
    /// Whether it tells a time.
    pub(super) tells_time: bool,
}

impl Posting {
    /// The passage.
    pub(super) fn item(self) -> usize {
        usize::try_from(self.item).unwrap_or(usize::MAX)
    }

    /// How often the term stands in it.
    pub(super) fn count(self) -> f64 {
        f64::from(self.count)
    }
}

impl Index {
    /// Reads passages, which come in the order of telling.
    pub fn new(items: &[Item<'_>]) -> Self {
        let mut index = Self::default();
        for item in items {
            index.push(item);
        }
        index
    }

    /// Reads the passage that was told next.
    pub fn push(&mut self, item: &Item<'_>) {
        let number_of_item = self.traits.len();
        self.neighbours.push(item.scene);
        self.years.extend(item.day.map(|day| day.year()));
        self.read(item);
        let before = [-2, -1].into_iter().filter_map(|n| self.neighbours.at(number_of_item, n));
        let before: Vec<usize> = before.collect();
        self.lend(number_of_item, |_| true);
        for other in before {
            self.lend(other, |taker| taker == number_of_item);
        }
    }

    /// Gives a passage's terms to whom they count for, of those that are meant.
    fn lend(&mut self, item: usize, is_meant: impl Fn(usize) -> bool) {
        let Some(&Traits { asks, terms, .. }) = self.traits.get(item) else { return };
        let shares: Vec<_> = self.neighbours.takers(item, asks).collect();
        for share in shares.into_iter().filter(|share| is_meant(share.taker)) {
            if let Some(taker) = self.traits.get_mut(share.taker) {
                taker.length += share.weight * terms;
                self.all_lengths += share.weight * terms;
            }
        }
    }

    /// Notes where the terms of the next passage stand, and what else is known of it.
    fn read(&mut self, item: &Item<'_>) {
        let words = words(item.text);
        let terms = terms(&words);
        let traits = Traits {
            speaker: item.speaker,
            day: item.day,
            terms: number(terms.len()),
            length: 0.0,
            asks: asks(item.text),
            questions: share_of_questions(item.text),
            tells_time: tells_time(&words),
        };
        let number_of_item = self.traits.len();
        self.traits.push(traits);
        for term in terms {
            let postings = self.postings.entry(term).or_default();
            match postings.last_mut() {
                Some(last) if last.item() == number_of_item => last.count += 1.0,
                Some(_) | None => {
                    let item = u32::try_from(number_of_item).unwrap_or(u32::MAX);
                    postings.push(Posting { item, count: 1.0 });
                }
            }
        }
    }

    /// The mean of all lengths.
    pub(super) fn mean_length(&self) -> f64 {
        self.all_lengths / number(self.len()).max(1.0)
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let terms = self.postings.iter().map(|(term, postings)| {
            let (text, places) = (term.capacity(), postings.capacity());
            size_of::<(String, Vec<Posting>)>() + text + places * size_of::<Posting>()
        });
        // A passage has a place in its scene, too.
        let of_passage = size_of::<Traits>() + 3 * size_of::<usize>();
        terms.sum::<usize>() + self.traits.capacity() * of_passage
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
