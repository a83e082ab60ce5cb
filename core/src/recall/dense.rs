//! How near passages are in meaning, as an embedder says. Pure.
//!
//! Vectors have length 1, so that the cosine of two of them is their product. A passage counts by
//! its own vector and by that of all that stands around it in its scene: what explains it.

use super::{index::Index, neighbours::Neighbours};

/// How much meaning counts, and whose. They belong to an embedder: others may need others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// The part of meaning beside words: 0 is words alone, 1 meaning alone.
    pub meaning: f64,
    /// The part of what stands around a passage in its meaning: 0 is its own vector alone.
    pub around: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { meaning: 0.5, around: 0.5 }
    }
}

/// What of the vectors beside, and of the next but one, belongs to what stands around a passage.
const AROUND: [(isize, f32); 5] = [(0, 1.0), (-1, 1.0), (1, 1.0), (-2, 0.5), (2, 0.5)];

/// How an embedder sees the passages of an index: for all queries, and as long as it only grows.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Of each passage whether its vector was known.
    known: Vec<bool>,
    /// Of each passage one over the length of all vectors around it together.
    scales: Vec<f32>,
}

/// What an embedder says of a query.
#[derive(Clone, Copy, Debug)]
pub struct Meaning<'a> {
    /// Of each passage the cosine of its vector and the query's; none if it has no vector.
    pub cosines: &'a [Option<f32>],
    /// What stands around each passage.
    pub surroundings: &'a Surroundings,
    /// How much of it counts.
    pub weights: Weights,
}

impl Surroundings {
    /// Learns the vectors that have come since, of length 1; passages may have none.
    pub fn learn<'v>(&mut self, index: &Index, vector: impl Fn(usize) -> Option<&'v [f32]>) {
        self.known.resize(index.len(), false);
        self.scales.resize(index.len(), 0.0);
        let mut stale = vec![false; index.len()];
        for (item, known) in self.known.iter_mut().enumerate() {
            if *known || vector(item).is_none() {
                continue;
            }
            *known = true;
            for (other, _) in around(&index.neighbours, item) {
                stale.get_mut(other).into_iter().for_each(|stale| *stale = true);
            }
        }
        let mut sum = Vec::new();
        for (item, scale) in self.scales.iter_mut().enumerate() {
            if stale.get(item).copied().unwrap_or_default() {
                *scale = scale_of(around(&index.neighbours, item), &vector, &mut sum);
            }
        }
    }
}

/// One over the length of vectors together; 0 if there is none.
fn scale_of<'v>(
    around: impl Iterator<Item = (usize, f32)>,
    vector: &impl Fn(usize) -> Option<&'v [f32]>,
    sum: &mut Vec<f32>,
) -> f32 {
    sum.clear();
    for (other, weight) in around {
        let Some(vector) = vector(other) else { continue };
        sum.resize(vector.len(), 0.0);
        for (sum, number) in sum.iter_mut().zip(vector) {
            *sum += weight * number;
        }
    }
    let length = product(sum, sum).sqrt();
    if length > 0.0 { length.recip() } else { 0.0 }
}

/// A passage and those around it in its scene, with their weights.
fn around(neighbours: &Neighbours, item: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
    AROUND.into_iter().filter_map(move |(distance, weight)| {
        let other = neighbours.at(item, distance)?;
        Some((other, weight))
    })
}

/// The product of two vectors of one length. Sixteen sums at once: compilers make fast code of it.
pub fn product(one: &[f32], other: &[f32]) -> f32 {
    let ((one, one_rest), (other, other_rest)) = (one.as_chunks::<16>(), other.as_chunks::<16>());
    let mut sums = [0.0_f32; 16];
    for (one, other) in one.iter().zip(other) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            *sum += one * other;
        }
    }
    let rest: f32 = one_rest.iter().zip(other_rest).map(|(one, other)| one * other).sum();
    sums.iter().sum::<f32>() + rest
}

impl Index {
    /// Of each passage how near it is to a query, from 0 to 1; none without a vector.
    pub(super) fn nearness(&self, meaning: &Meaning<'_>) -> Vec<Option<f64>> {
        let Meaning { cosines, surroundings, weights } = meaning;
        let cosine = |item: usize| cosines.get(item).copied().flatten();
        let own: Vec<Option<f32>> = (0..self.len()).map(cosine).collect();
        let wide = own.iter().zip(&surroundings.scales).enumerate().map(|(item, (own, scale))| {
            own.map(|_| {
                let near = around(&self.neighbours, item);
                let near = near.map(|(other, weight)| weight * cosine(other).unwrap_or_default());
                scale * near.sum::<f32>()
            })
        });
        let (own, wide) = (between_0_and_1(&own), between_0_and_1(&wide.collect::<Vec<_>>()));
        let both = |(own, wide): (Option<f64>, Option<f64>)| {
            Some((1.0 - weights.around) * own? + weights.around * wide?)
        };
        own.into_iter().zip(wide).map(both).collect()
    }
}

/// The lowest as 0, the highest as 1; if all are the same, 1.
fn between_0_and_1(scores: &[Option<f32>]) -> Vec<Option<f64>> {
    let lowest = scores.iter().flatten().copied().fold(f32::INFINITY, f32::min);
    let highest = scores.iter().flatten().copied().fold(f32::NEG_INFINITY, f32::max);
    let stretch = f64::from(highest - lowest);
    let part = |score: f32| {
        if stretch > 0.0 { f64::from(score - lowest) / stretch } else { 1.0 }
    };
    scores.iter().map(|score| score.map(part)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recall::Item;

    fn unit(vector: &[f32]) -> Vec<f32> {
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vector.iter().map(|number| number / length).collect()
    }

    fn index(scenes: &[u32]) -> Index {
        let item = |scene: &u32| Item { text: "word", speaker: None, scene: *scene, day: None };
        Index::new(&scenes.iter().map(item).collect::<Vec<_>>())
    }

    /// Of each passage the cosine of the query and all vectors around it, as the definition has it.
    fn by_definition(scenes: &[u32], vectors: &[Option<Vec<f32>>], query: &[f32]) -> Vec<f32> {
        let of = |n: usize| {
            let scene: Vec<usize> =
                (0..scenes.len()).filter(|other| scenes[*other] == scenes[n]).collect();
            let place = scene.iter().position(|other| *other == n).unwrap();
            let mut sum = vec![0.0; query.len()];
            for (at, other) in scene.into_iter().enumerate() {
                let weight = [1.0, 1.0, 0.5].get(at.abs_diff(place)).copied().unwrap_or(0.0);
                for (sum, number) in sum.iter_mut().zip(vectors[other].iter().flatten()) {
                    *sum += weight * number;
                }
            }
            unit(&sum).iter().zip(query).map(|(one, other)| one * other).sum()
        };
        (0..scenes.len()).map(of).collect()
    }

    /// Stories with vectors, of which some are missing.
    fn stories() -> impl Strategy<Value = Vec<(u32, Option<Vec<f32>>)>> {
        let vector = prop::collection::vec(0.1_f32..1.0, 19).prop_map(|vector| unit(&vector));
        prop::collection::vec((0_u32..3, prop::option::weighted(0.8, vector)), 1..12)
    }

    proptest! {
        #[test]
        fn nearness_is_as_the_definition_says(story in stories(), around in 0_u8..3) {
            let (scenes, vectors): (Vec<u32>, Vec<Option<Vec<f32>>>) = story.into_iter().unzip();
            let query = unit(&(0_u8..19).map(f32::from).collect::<Vec<_>>());
            let index = index(&scenes);
            let mut surroundings = Surroundings::default();
            // Vectors come one after another.
            surroundings.learn(&index, |item| vectors[item].as_deref().filter(|_| item < 3));
            surroundings.learn(&index, |item| vectors[item].as_deref());
            let cosine = |vector: &Option<Vec<f32>>| vector.as_ref().map(|one| product(one, &query));
            let cosines: Vec<Option<f32>> = vectors.iter().map(cosine).collect();
            let weights = Weights { around: f64::from(around) / 2.0, ..Weights::default() };
            let meaning = Meaning { cosines: &cosines, surroundings: &surroundings, weights };
            let wide = by_definition(&scenes, &vectors, &query);
            let wide: Vec<Option<f32>> = wide.into_iter().zip(&cosines)
                .map(|(wide, cosine)| cosine.map(|_| wide)).collect();
            let (own, wide) = (between_0_and_1(&cosines), between_0_and_1(&wide));
            for (item, found) in index.nearness(&meaning).into_iter().enumerate() {
                let expected = own[item].zip(wide[item])
                    .map(|(own, wide)| (1.0 - weights.around) * own + weights.around * wide);
                prop_assert_eq!(found.is_some(), expected.is_some());
                let apart = found.unwrap_or_default() - expected.unwrap_or_default();
                prop_assert!(apart.abs() < 1e-3, "{:?} {:?}", found, expected);
            }
        }

        #[test]
        fn products_are_sums_of_products(pairs in prop::collection::vec((0_i8.., 0_i8..), 0..50)) {
            let (one, other): (Vec<f32>, Vec<f32>) =
                pairs.iter().map(|(one, other)| (f32::from(*one), f32::from(*other))).unzip();
            let expected: i32 =
                pairs.iter().map(|(one, other)| i32::from(*one) * i32::from(*other)).sum();
            prop_assert!((f64::from(product(&one, &other)) - f64::from(expected)).abs() < 0.5);
        }
    }

    #[test]
    fn what_is_all_the_same_is_all_near() {
        assert_eq!(between_0_and_1(&[Some(0.4), None]), [Some(1.0), None]);
        assert_eq!(between_0_and_1(&[None]), [None]);
    }
}
