//! Texts that differ only in case, or in how their letters are composed, made equal. Pure.
//!
//! What is searched is folded when it is written, because SQLite's `LOWER` knows ASCII alone.

use unicode_normalization::UnicodeNormalization;

/// The form that two texts share if a reader would take them for the same.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = fold_once(text);
    // A few letters come apart into what folds again, like "\u{a8}" into a space and a mark.
    loop {
        let again = fold_once(&folded);
        if again == folded {
            return folded;
        }
        folded = again;
    }
}

fn fold_once(text: &str) -> String {
    // By way of capitals, letter by letter: "ß" becomes "ss", and a final sigma a sigma.
    let composed = text.trim().nfkc();
    composed.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_read_alike_are_equal() {
        for (one, other) in [
            ("Маяк в тумане", "МАЯК В ТУМАНЕ"),
            ("ΌΔΥΣΣΕΥΣ", "όδυσσευς"),
            ("Straße", "STRASSE"),
            ("Cafe\u{301}", "CAFÉ"),
            ("  Ｔｗｏ ", "two"),
        ] {
            assert_eq!(fold(one), fold(other));
        }
        assert_ne!(fold("Маяк"), fold("Майк"));
    }

    #[test]
    fn the_folding_of_any_letter_ends() {
        // Nothing beyond has two cases or is made of others.
        for letter in '\0'..='\u{2ffff}' {
            let once = fold(letter.encode_utf8(&mut [0; 4]));
            assert_eq!(fold(&once), once, "{letter:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_folded_stays(text in ".{0,40}") {
            let once = fold(&text);
            proptest::prop_assert_eq!(fold(&once), once);
        }
    }
}
