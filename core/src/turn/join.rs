//! Going on from a text: what a model repeats of its end is left out. Pure.
//!
//! Asked to go on, many models say the last words once more, or all of them.
//! What arrives is held back as long as it may be such a repetition; what is
//! none travels on unchanged, letter for letter.

/// A repetition has at least so many words …
const WORDS: usize = 3;

/// … or so many letters, for long words and for scripts that do not part them.
const LETTERS: usize = 16;

/// A repetition begins at most so many letters before the end.
const REACH: usize = 4000;

/// What arrives after a text, on its way to be joined to it.
#[derive(Debug, Default)]
pub struct Join {
    /// The end of the text.
    tail: Vec<char>,
    /// Where in it that which arrived may have begun; none once it is decided.
    starts: Vec<usize>,
    /// What arrived and is not decided.
    held: String,
    /// How many of its letters were compared: all but the blanks before the first.
    compared: usize,
    /// How many of its bytes repeat the end.
    repeated: usize,
}

impl Join {
    /// Nothing has arrived after this text.
    pub fn after(text: &str) -> Self {
        let mut tail: Vec<char> = text.chars().rev().take(REACH).collect();
        tail.reverse();
        let starts = match last_start(&tail) {
            Some(last) => (0..=last).filter(|at| is_letter(&tail, *at)).collect(),
            None => Vec::new(),
        };
        Self { tail, starts, ..Self::default() }
    }

    /// Takes a piece; what of all that arrived can be joined now.
    pub fn push(&mut self, piece: &str) -> String {
        for (at, letter) in piece.char_indices() {
            if self.starts.is_empty() {
                return self.finish() + piece.get(at..).unwrap_or_default();
            }
            self.held.push(letter);
            self.compare(letter);
        }
        if self.starts.is_empty() { self.finish() } else { String::new() }
    }

    /// The end of what arrives: what is still held back and repeats nothing.
    pub fn finish(&mut self) -> String {
        self.starts.clear();
        let held = std::mem::take(&mut self.held);
        let repeated = std::mem::take(&mut self.repeated);
        held.get(repeated..).unwrap_or_default().to_owned()
    }

    fn compare(&mut self, letter: char) {
        if self.compared == 0 && letter.is_whitespace() {
            return;
        }
        let Self { tail, starts, held, compared, repeated } = self;
        starts.retain(|start| tail.get(start + *compared) == Some(&letter));
        *compared += 1;
        // The rest of the text from here on has been said again, whole.
        if starts.iter().any(|start| start + *compared == tail.len()) {
            *repeated = held.len();
            starts.retain(|start| start + *compared < tail.len());
        }
    }
}

/// The last place from which on the text is long enough to be told from chance.
fn last_start(tail: &[char]) -> Option<usize> {
    let mut words = 0;
    (0..tail.len()).rev().find(|at| {
        let begins = tail.get(*at).is_some_and(|letter| letter.is_alphanumeric())
            && at
                .checked_sub(1)
                .and_then(|before| tail.get(before))
                .is_none_or(|l| !l.is_alphanumeric());
        words += usize::from(begins);
        words >= WORDS || tail.len() - at >= LETTERS
    })
}

fn is_letter(tail: &[char], at: usize) -> bool {
    tail.get(at).is_some_and(|letter| !letter.is_whitespace())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined<'a>(text: &str, pieces: impl IntoIterator<Item = &'a str>) -> String {
        let mut join = Join::after(text);
        let mut whole = text.to_owned();
        for piece in pieces {
            whole.push_str(&join.push(piece));
        }
        whole + &join.finish()
    }

    #[test]
    fn what_is_said_again_is_said_once() {
        for (text, more, whole) in [
            ("She walked to the", " door.", "She walked to the door."),
            ("She walked to the", "She walked to the door.", "She walked to the door."),
            ("She walked to the", "\n\nwalked to the door.", "She walked to the door."),
            ("She walked to the do", "walked to the door.", "She walked to the door."),
            ("She walked to the ", "walked to the door.", "She walked to the door."),
            ("— Поздно, — сказала о", "Поздно, — сказала она.", "— Поздно, — сказала она."),
            (
                "彼女は静かに扉を開けて、暗い廊下へ",
                "扉を開けて、暗い廊下へ出た。",
                "彼女は静かに扉を開けて、暗い廊下へ扉を開けて、暗い廊下へ出た。",
            ),
            (
                "彼女は静かに扉を開けて、暗い廊下へ",
                "女は静かに扉を開けて、暗い廊下へ出た。",
                "彼女は静かに扉を開けて、暗い廊下へ出た。",
            ),
            // Two words may be chance.
            ("No, no", "no, no, never.", "No, nono, no, never."),
            ("", "Once upon a time.", "Once upon a time."),
            // Begun like a repetition, but none.
            ("a b c d e f", "c d e g", "a b c d e fc d e g"),
            // The longest one counts.
            ("x y z x y z", "x y z x y z!", "x y z x y z!"),
        ] {
            assert_eq!(joined(text, [more]), whole);
            let letters: Vec<String> = more.chars().map(String::from).collect();
            assert_eq!(joined(text, letters.iter().map(String::as_str)), whole, "letter by letter");
        }
    }

    fn cut(text: &str, cuts: &[usize]) -> Vec<String> {
        let letters: Vec<char> = text.chars().collect();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (letters.len() + 1)).collect();
        places.extend([0, letters.len()]);
        places.sort_unstable();
        places.windows(2).map(|pair| letters[pair[0]..pair[1]].iter().collect()).collect()
    }

    proptest! {
        /// Wherever a text is cut, and however many of its last words come again: it stands there once.
        #[test]
        fn a_text_cut_anywhere_is_whole_again(
            words in prop::collection::vec("[a-zа-яё漢😀éß]{1,6}", 6..40),
            at in 0_usize..10_000,
            again in 0_usize..30,
            cuts in prop::collection::vec(0_usize..10_000, 0..8),
        ) {
            // Numbered, so that no text says the same twice by itself.
            let words: Vec<String> = words.iter().enumerate().map(|(n, word)| format!("{word}{n}")).collect();
            let text: Vec<char> = words.join(" ").chars().collect();
            let (before, after) = text.split_at(at % text.len());
            let (before, after): (String, String) = (before.iter().collect(), after.iter().collect());
            let last: Vec<&str> = before.split_inclusive(' ').collect();
            let again = match again.min(last.len()) {
                few if few < 4 => String::new(),
                many => last[last.len() - many..].concat(),
            };
            let more = format!("{again}{after}");
            let pieces = cut(&more, &cuts);
            let whole: String = text.iter().collect();
            prop_assert_eq!(joined(&before, pieces.iter().map(String::as_str)), whole);
        }

        /// Whatever arrives in whatever pieces: only a repetition of the end is left out.
        #[test]
        fn nothing_else_is_left_out(
            text in "[ab \nё]{0,40}",
            more in "[ab \nё]{0,40}",
            cuts in prop::collection::vec(0_usize..100, 0..8),
        ) {
            let whole = joined(&text, [more.as_str()]);
            let pieces = cut(&more, &cuts);
            prop_assert_eq!(&joined(&text, pieces.iter().map(String::as_str)), &whole);
            let kept = whole.strip_prefix(&text).unwrap();
            let left_out = more.strip_suffix(kept).unwrap();
            prop_assert!(text.ends_with(left_out.trim_start()));
            if !left_out.is_empty() {
                let words = left_out.split(|l: char| !l.is_alphanumeric()).filter(|w| !w.is_empty());
                prop_assert!(words.count() >= WORDS || left_out.chars().count() >= LETTERS);
            }
        }
    }
}
