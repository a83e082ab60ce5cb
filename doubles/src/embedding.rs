//! Vectors of texts: the same text has the same vector, and shared words make texts near.

/// A vector of this many dimensions, of length 1.
pub(crate) fn embed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0; dimensions];
    for word in text.to_lowercase().split(|letter: char| !letter.is_alphanumeric()) {
        if word.is_empty() || dimensions == 0 {
            continue;
        }
        let hash = hash(word);
        // Several places a word: two words seldom share all of them.
        for turn in 0..4_u32 {
            let bits = hash.rotate_left(turn * 16);
            let place = usize::try_from(bits >> 32).unwrap_or_default() % dimensions;
            let sign = if bits & 1 == 0 { 1.0 } else { -1.0 };
            if let Some(value) = vector.get_mut(place) {
                *value += sign;
            }
        }
    }
    normalise(vector)
}

/// The vector with length 1; one without direction points along its first axis.
fn normalise(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length < f32::EPSILON {
        vector.iter_mut().take(1).for_each(|value| *value = 1.0);
        return vector;
    }
    for value in &mut vector {
        *value /= length;
    }
    vector
}

/// FNV-1a: the same on every machine and in every build.
fn hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The bytes of the numbers, least first, in base64: how servers pack vectors.
pub(crate) fn base64(vector: &[f32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let place = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap_or_default();
            let letter = DIGITS.get(place).copied().map_or('=', char::from);
            text.push(if digit <= three.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_shared_words_are_near() {
        let near = |one: &str, other: &str| {
            let (one, other) = (embed(one, 768), embed(other, 768));
            one.iter().zip(&other).map(|(one, other)| one * other).sum::<f32>()
        };
        assert!(near("Mira fears fire", "mira fears fire.") > 0.99);
        assert!(near("Mira fears fire", "Mira fears water") > near("Mira fears fire", "a boat"));
        assert_eq!(embed("", 3), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn base64_is_little_endian() {
        assert_eq!(base64(&[1.0]), "AACAPw==");
        assert_eq!(base64(&[1.0, -2.5]), "AACAPwAAIMA=");
    }
}
