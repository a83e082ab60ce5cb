//! What anybody would try first: BM25 over single turns, with or without the name of the speaker
//! before each. It has the words of recall, stemmed and without stop words, and nothing else.

use std::collections::HashMap;

use skald_core::recall::terms;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Texts, ready to be asked.
pub(super) struct Bm25 {
    texts: Vec<HashMap<String, f64>>,
    lengths: Vec<f64>,
    /// In how many texts a term stands.
    found: HashMap<String, f64>,
    mean: f64,
}

impl Bm25 {
    pub(super) fn new(texts: &[String]) -> Self {
        let (mut counts, mut lengths, mut found) = (Vec::new(), Vec::new(), HashMap::new());
        for text in texts {
            let mut count: HashMap<String, f64> = HashMap::new();
            for term in terms(text) {
                *count.entry(term).or_default() += 1.0;
            }
            lengths.push(count.values().sum());
            for term in count.keys() {
                *found.entry(term.clone()).or_default() += 1.0;
            }
            counts.push(count);
        }
        let all: f64 = lengths.iter().sum();
        let mean = all / number(texts.len()).max(1.0);
        Self { texts: counts, lengths, found, mean }
    }

    /// Which texts answer a question, best first.
    pub(super) fn rank(&self, question: &str) -> Vec<usize> {
        let mut wanted = terms(question);
        wanted.sort();
        wanted.dedup();
        let rows = self.texts.iter().zip(&self.lengths).enumerate();
        let mut ranked: Vec<(usize, f64)> =
            rows.map(|(n, row)| (n, self.score(&wanted, row))).collect();
        ranked.retain(|(_, score)| *score > 0.0);
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.into_iter().map(|(n, _)| n).collect()
    }

    fn score(&self, wanted: &[String], (counts, length): (&HashMap<String, f64>, &f64)) -> f64 {
        let all = number(self.texts.len());
        let of_term = |term: &String| {
            let (count, found) = (counts.get(term)?, self.found.get(term)?);
            let rarity = (1.0 + (all - found + 0.5) / (found + 0.5)).ln();
            let size = K1 * (1.0 - B + B * length / self.mean);
            Some(rarity * count * (K1 + 1.0) / (count + size))
        };
        wanted.iter().filter_map(of_term).sum()
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
