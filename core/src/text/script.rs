//! Which scripts put spaces between words. Pure.

use unicode_normalization::char::is_combining_mark;

/// How a script keeps its words apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// With spaces: a word is a row of letters and digits.
    Spaced,
    /// Not at all, or with particles that cling to words, as in Korean: each character is a word.
    Unspaced,
}

impl Script {
    /// The script of a grapheme cluster; none for what is no part of a word.
    pub(super) fn of(cluster: &str) -> Option<Self> {
        let first = cluster.chars().next()?;
        if is_unspaced(first) {
            Some(Self::Unspaced)
        } else if first.is_alphanumeric() || is_combining_mark(first) || is_inside_word(first) {
            Some(Self::Spaced)
        } else {
            None
        }
    }
}

/// Apostrophes, and what is only seen at the end of a line.
fn is_inside_word(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}'         // Thai, Lao.
        | '\u{1000}'..='\u{11ff}'     // Burmese, Georgian apart (below), Korean letters.
        | '\u{1780}'..='\u{17ff}'     // Khmer.
        | '\u{3005}'..='\u{3007}'     // Marks that stand for Chinese characters.
        | '\u{3040}'..='\u{31ff}'     // Japanese syllables, bopomofo, Korean letters.
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{a960}'..='\u{a97f}' | '\u{ac00}'..='\u{d7ff}' // Korean.
        | '\u{ff66}'..='\u{ffdc}'     // Narrow Japanese and Korean.
        | '\u{20000}'..='\u{3ffff}')
        && !matches!(c, '\u{10a0}'..='\u{10ff}')
}
