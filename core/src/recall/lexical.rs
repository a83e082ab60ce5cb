//! BM25 over words pooled from neighbours. Pure.

use std::collections::HashSet;

use super::{
    Query,
    cast::Told,
    index::{Index, number},
    words::terms,
};

/// How soon a word that comes again says nothing new.
const K1: f64 = 1.2;
/// How much the length of a passage counts.
const B: f64 = 0.75;
/// What all words of the context together weigh beside those of the text.
const CONTEXT: f64 = 0.5;

/// A term that is looked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) term: String,
    /// How much it counts.
    pub(super) weight: f64,
    /// How the query has it, for the reasons.
    pub(super) written: String,
}

impl Index {
    /// What a query looks for, each term once; names are no words.
    pub(super) fn wanted(&self, query: &Query<'_>, told: &Told<'_>) -> Vec<Wanted> {
        let mut known = HashSet::new();
        let mut wanted = self.found(told, &mut known);
        let mut context = self.found(&Told::new(query.context, query.cast), &mut known);
        let mass = |some: &[Wanted]| some.iter().map(|one| one.weight).sum::<f64>();
        // Who says only "And then?" means what was said before.
        if !wanted.is_empty() {
            let share = (CONTEXT * mass(&wanted) / mass(&context)).min(1.0);
            for one in &mut context {
                one.weight *= share;
            }
        }
        wanted.append(&mut context);
        wanted
    }

    /// The terms of a text that stand somewhere and are not known yet, with their rarity.
    fn found(&self, told: &Told<'_>, known: &mut HashSet<String>) -> Vec<Wanted> {
        let mut found = Vec::new();
        for term in terms(&told.words) {
            let weight = self.rarity(&term);
            if weight > 0.0 && known.insert(term.clone()) {
                let written = told.written(&term);
                found.push(Wanted { term, weight, written });
            }
        }
        found
    }

    /// How well the words of each passage and its neighbours answer a query.
    ///
    /// Costs five times the postings of the query's terms, and nothing else is looked at.
    pub(super) fn lexical(&self, wanted: &[Wanted]) -> Vec<f64> {
        let mut scores = vec![0.0; self.len()];
        let (mut pooled, mut touched) = (vec![0.0; self.len()], Vec::new());
        for one in wanted {
            self.pool(&one.term, &mut pooled, &mut touched);
            for item in touched.drain(..) {
                let (Some(count), Some(score)) = (pooled.get_mut(item), scores.get_mut(item))
                else {
                    continue;
                };
                *score += one.weight * self.saturated(item, std::mem::take(count));
            }
        }
        scores
    }

    /// Counts a term in every passage, the shares of neighbours with it.
    fn pool(&self, term: &str, pooled: &mut [f64], touched: &mut Vec<usize>) {
        for posting in self.postings(term) {
            let asks = self.traits.get(posting.item()).is_some_and(|traits| traits.asks);
            for share in self.neighbours.takers(posting.item(), asks) {
                let Some(count) = pooled.get_mut(share.taker) else { continue };
                if *count == 0.0 {
                    touched.push(share.taker);
                }
                *count += share.weight * posting.count();
            }
        }
    }

    /// What a count of a term is worth in a passage of its length.
    fn saturated(&self, item: usize, count: f64) -> f64 {
        let length = self.traits.get(item).map_or(0.0, |traits| traits.length);
        let relative = length / self.mean_length();
        count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * relative))
    }

    /// How rare a term is; 0 if it stands nowhere. Only its own passages count, not neighbours.
    fn rarity(&self, term: &str) -> f64 {
        let found = number(self.postings(term).len());
        if found > 0.0 { ((number(self.len()) - found + 0.5) / (found + 0.5)).ln_1p() } else { 0.0 }
    }
}
