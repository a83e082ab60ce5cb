//! Whose words count for whom: a question and its answer stand side by side. Pure.

use std::collections::HashMap;

/// Of the words of the passage beside.
const NEAR: f64 = 0.4;
/// Of the words of the next but one.
const FAR: f64 = 0.2;
/// More of the words of the passage before, if it asks.
const ANSWER: f64 = 0.3;

/// A share of one passage's words that counts for another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    /// For whom it counts.
    pub(super) taker: usize,
    /// How much of each word.
    pub(super) weight: f64,
}

/// The passages of a story, scene by scene.
#[derive(Clone, Debug, Default)]
pub(super) struct Neighbours {
    /// The passages of each scene, in the order of telling.
    scenes: Vec<Vec<usize>>,
    /// Of each passage: which scene, and the how many-eth of it.
    places: Vec<(usize, usize)>,
    /// Which scene has which name.
    numbers: HashMap<u32, usize>,
}

impl Neighbours {
    /// The next passage, in the scene of this name.
    pub(super) fn push(&mut self, name: u32) {
        let (item, next) = (self.places.len(), self.numbers.len());
        let scene = *self.numbers.entry(name).or_insert(next);
        if scene == next {
            self.scenes.push(Vec::new());
        }
        if let Some(items) = self.scenes.get_mut(scene) {
            self.places.push((scene, items.len()));
            items.push(item);
        }
    }

    /// Passages scene by scene.
    pub(super) fn scenes(&self) -> &[Vec<usize>] {
        &self.scenes
    }

    /// The passage so many behind this one in its scene.
    pub(super) fn at(&self, item: usize, distance: isize) -> Option<usize> {
        let (scene, place) = *self.places.get(item)?;
        self.scenes.get(scene)?.get(place.checked_add_signed(distance)?).copied()
    }

    /// For whom the words of a passage count, itself first; `asks` says whether it asks.
    pub(super) fn takers(&self, item: usize, asks: bool) -> impl Iterator<Item = Share> + '_ {
        let next = if asks { NEAR + ANSWER } else { NEAR };
        let around = [(0, 1.0), (2, FAR), (1, next), (-1, NEAR), (-2, FAR)];
        around.into_iter().filter_map(move |(distance, weight)| {
            let taker = self.at(item, distance)?;
            Some(Share { taker, weight })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn takers(scenes: &[u32], item: usize, asks: bool) -> Vec<(usize, f64)> {
        let mut neighbours = Neighbours::default();
        for name in scenes {
            neighbours.push(*name);
        }
        neighbours.takers(item, asks).map(|share| (share.taker, share.weight)).collect()
    }

    #[test]
    fn words_count_for_those_beside_in_the_same_scene() {
        let scenes = [1, 1, 1, 1, 1, 2];
        let expected = [(2, 1.0), (4, FAR), (3, NEAR), (1, NEAR), (0, FAR)];
        assert_eq!(takers(&scenes, 2, false), expected);
        assert_eq!(takers(&scenes, 4, true), [(4, 1.0), (3, NEAR), (2, FAR)]);
        assert_eq!(takers(&scenes, 3, true)[1], (4, NEAR + ANSWER));
        assert_eq!(takers(&scenes, 5, true), [(5, 1.0)]);
    }

    proptest! {
        /// What is told of another scene in between changes nothing.
        #[test]
        fn another_scene_changes_no_neighbours(
            scenes in prop::collection::vec(0_u32..3, 1..20),
            at in 0_usize..20,
        ) {
            let at = at % (scenes.len() + 1);
            let mut more = scenes.clone();
            more.insert(at, 9);
            let moved = |item: usize| if item < at { item } else { item + 1 };
            for item in 0..scenes.len() {
                let before: Vec<(usize, f64)> = takers(&scenes, item, true)
                    .into_iter().map(|(taker, weight)| (moved(taker), weight)).collect();
                prop_assert_eq!(takers(&more, moved(item), true), before);
            }
        }
    }
}
