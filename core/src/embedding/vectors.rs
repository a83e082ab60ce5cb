//! The vectors of a scope in memory, one behind the other. Pure.

use std::collections::HashMap;

use super::text::TextHash;
use crate::recall::product;

/// From so many on, several processors work at them.
const MANY: usize = 8192;
/// Processors that one query has at most.
const HELPERS: usize = 4;

/// Vectors of one length, each found by the hash of its text.
#[derive(Clone, Debug)]
pub struct Vectors {
    dimensions: usize,
    places: HashMap<TextHash, usize>,
    numbers: Vec<f32>,
}

impl Vectors {
    /// None yet.
    pub fn new(dimensions: usize) -> Self {
        Self { dimensions, places: HashMap::new(), numbers: Vec::new() }
    }

    /// Adds the vector of a text, unless it is there or has another length.
    pub fn add(&mut self, hash: TextHash, vector: &[f32]) {
        if vector.len() == self.dimensions && !self.places.contains_key(&hash) {
            self.places.insert(hash, self.places.len());
            self.numbers.extend_from_slice(vector);
        }
    }

    /// Adds a vector as it is stored.
    pub(crate) fn add_bytes(&mut self, hash: TextHash, bytes: &[u8]) {
        let (numbers, rest) = bytes.as_chunks::<4>();
        if rest.is_empty() {
            let numbers: Vec<f32> = numbers.iter().map(|one| f32::from_le_bytes(*one)).collect();
            self.add(hash, &numbers);
        }
    }

    /// Where the vector of a text stands.
    pub(crate) fn place(&self, hash: TextHash) -> Option<usize> {
        self.places.get(&hash).copied()
    }

    /// The vector at a place.
    pub fn at(&self, place: usize) -> Option<&[f32]> {
        let start = place.checked_mul(self.dimensions)?;
        self.numbers.get(start..start.checked_add(self.dimensions)?)
    }

    /// About how much memory they take.
    pub(crate) fn bytes(&self) -> usize {
        let entry = size_of::<(TextHash, usize)>() + 1;
        self.numbers.capacity() * size_of::<f32>() + self.places.capacity() * entry
    }

    /// Of each place the product of its vector and this one.
    ///
    /// Looks at every vector: the time is that of reading them.
    pub fn products(&self, places: &[Option<usize>], with: &[f32]) -> Vec<Option<f32>> {
        let one = |place: &Option<usize>| Some(product(self.at((*place)?)?, with));
        let helpers = std::thread::available_parallelism().map_or(1, usize::from).min(HELPERS);
        if places.len() < MANY || helpers == 1 {
            return places.iter().map(one).collect();
        }
        let each = places.len().div_ceil(helpers);
        std::thread::scope(|scope| {
            let parts: Vec<_> = places
                .chunks(each)
                .map(|part| scope.spawn(move || part.iter().map(one).collect::<Vec<_>>()))
                .collect();
            parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
        })
    }
}

/// A vector as it is stored: its numbers one behind the other, least byte first.
pub(crate) fn bytes_of(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: usize) -> TextHash {
        TextHash::of(&number.to_string())
    }

    #[test]
    fn each_vector_is_found_by_its_text() {
        let mut vectors = Vectors::new(2);
        vectors.add(hash(1), &[1.0, 0.0]);
        vectors.add_bytes(hash(2), &bytes_of(&[0.0, -1.0]));
        vectors.add(hash(1), &[0.5, 0.5]);
        vectors.add(hash(3), &[1.0]);
        vectors.add_bytes(hash(4), &[1, 2, 3]);
        assert_eq!(
            vectors.place(hash(1)).and_then(|place| vectors.at(place)),
            Some(&[1.0, 0.0][..])
        );
        assert_eq!(vectors.place(hash(2)), Some(1));
        assert_eq!(vectors.place(hash(3)), None, "of another length");
        assert_eq!(vectors.place(hash(4)), None, "no numbers");
        assert_eq!(vectors.at(2), None);
        let products = vectors.products(&[Some(1), None, Some(0)], &[2.0, 3.0]);
        assert_eq!(products, [Some(-3.0), None, Some(2.0)]);
    }

    #[test]
    fn many_are_as_few() {
        let mut vectors = Vectors::new(1);
        for number in 0..MANY + 3 {
            vectors.add(hash(number), &[1.0]);
        }
        let places: Vec<Option<usize>> = (0..MANY + 3).map(|n| (n != 5).then_some(n)).collect();
        let products = vectors.products(&places, &[2.0]);
        assert_eq!(products.len(), MANY + 3);
        let missing: Vec<usize> =
            (0..products.len()).filter(|n| products[*n] != Some(2.0)).collect();
        assert_eq!(missing, [5]);
    }
}
