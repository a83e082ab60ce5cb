//! One word: folded and stemmed. Pure.

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::LONGEST_TERM;

/// The folded word and its stem; none if there is nothing but signs in it.
pub(super) fn fold(word: &str) -> Option<(String, String)> {
    let folded: String = without_accents(word).nfc().take(LONGEST_TERM).collect();
    let form: String = folded.chars().filter(|c| *c != '\'').collect();
    if !form.chars().any(char::is_alphanumeric) {
        return None;
    }
    // The stemmer knows apostrophes: Mira's is Mira.
    let stem =
        language_of(&folded).map(|language| Stemmer::create(language).stem(&folded).into_owned());
    let term = stem.map(|stem| stem.replace('\'', "")).filter(|stem| !stem.is_empty());
    Some((form.clone(), term.unwrap_or(form)))
}

/// Lower case, taken apart, without signs and without the accents that writers leave out.
///
/// Capitals first: that makes ss of ß, and one sigma of three.
fn without_accents(word: &str) -> impl Iterator<Item = char> {
    let mut base = ' ';
    let lower = word.nfkd().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    lower.filter_map(move |c| {
        if c == '\'' || c == '\u{2019}' {
            return Some('\'');
        }
        if is_combining_mark(c) {
            return (!is_left_out(base, c)).then_some(c);
        }
        base = c;
        c.is_alphanumeric().then_some(c)
    })
}

/// Café is cafe and ё is е; й and ї remain letters of their own.
fn is_left_out(base: char, mark: char) -> bool {
    match base {
        'a'..='z' => true,
        'е' if mark == '\u{308}' => true,
        '\u{400}'..='\u{52f}' => matches!(mark, '\u{300}' | '\u{301}'),
        _ => false,
    }
}

/// The language whose endings a word may have, by its letters.
fn language_of(word: &str) -> Option<Algorithm> {
    let all = |is_letter: fn(char) -> bool| word.chars().all(|c| c == '\'' || is_letter(c));
    if all(|c| c.is_ascii_lowercase()) {
        Some(Algorithm::English)
    } else if all(|c| ('а'..='я').contains(&c)) {
        Some(Algorithm::Russian)
    } else {
        None
    }
}
