//! Which of what comes to mind goes into the prompt. Pure.
//!
//! The best first, as long as they fit into their share of the prompt. What
//! says nearly the same as a better one stays out, and so does what is faint
//! beside the best.

use std::collections::HashSet;

use super::Recalled;
use crate::recall::terms;

/// Terms that two passages share, of all that they have together, from which on they say the same.
const SAME: f64 = 0.8;
/// What scores less than this part of the best is faint.
const FAINT: f64 = 0.25;

/// Marks who goes in, best first, and says of the others why not.
///
/// `room` is what there is for all of them, `size` what one takes.
pub(super) fn select(recalled: &mut [Recalled], mut room: u32, size: impl Fn(&Recalled) -> u32) {
    let best = recalled.iter().map(|one| one.score).fold(0.0, f64::max);
    let mut chosen: Vec<HashSet<String>> = Vec::new();
    for one in recalled {
        let words: HashSet<String> = terms(&one.text).into_iter().collect();
        let size = size(one);
        let refusal = if one.score < FAINT * best {
            Some("left out: the best ones are much nearer")
        } else if chosen.iter().any(|other| says_the_same(other, &words)) {
            Some("left out: a better one says nearly the same")
        } else if size > room {
            Some("left out: there is no room for it")
        } else {
            None
        };
        one.included = refusal.is_none();
        if let Some(refusal) = refusal {
            one.reason = [one.reason.as_str(), refusal].join("; ");
        } else {
            room -= size;
            chosen.push(words);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a passage has few words")]
fn says_the_same(one: &HashSet<String>, other: &HashSet<String>) -> bool {
    let shared = one.intersection(other).count();
    let all = one.len() + other.len() - shared;
    all == 0 || shared as f64 >= SAME * all as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::memory::tests::recalled;

    fn letters(one: &Recalled) -> u32 {
        u32::try_from(one.text.len()).unwrap()
    }

    #[test]
    fn each_is_taken_or_told_why_not() {
        let mut all = [
            recalled(2.0, "Mira hid the silver ring under the old well."),
            recalled(1.9, "Mira hid the silver ring under the old well!"),
            recalled(1.8, "The well was dug by her grandfather, long before the war came."),
            recalled(1.7, "The ring was cold."),
            recalled(0.4, "It rained."),
        ];
        select(&mut all, 70, letters);
        let seen: Vec<(bool, Option<&str>)> =
            all.iter().map(|one| (one.included, one.reason.split("left out: ").nth(1))).collect();
        assert_eq!(
            seen,
            [
                (true, None),
                (false, Some("a better one says nearly the same")),
                (false, Some("there is no room for it")),
                (true, None),
                (false, Some("the best ones are much nearer")),
            ]
        );
    }

    proptest! {
        #[test]
        fn what_goes_in_fits_and_no_two_say_the_same(
            passages in prop::collection::vec((0.0_f64..2.0, "[a-e]{1,2}( [a-e]{1,2}){0,6}"), 0..20),
            room in 0_u32..80,
        ) {
            let mut all: Vec<Recalled> =
                passages.iter().map(|(score, text)| recalled(*score, text)).collect();
            select(&mut all, room, letters);
            let chosen: Vec<&Recalled> = all.iter().filter(|one| one.included).collect();
            prop_assert!(chosen.iter().map(|one| letters(one)).sum::<u32>() <= room);
            for (n, one) in chosen.iter().enumerate() {
                prop_assert!(chosen.iter().skip(n + 1).all(|other| other.text != one.text));
            }
        }
    }
}
