//! Which new passwords are refused (pure): short, endless, or the first a stranger would try.

use std::{collections::HashSet, sync::LazyLock};

use skald_base::{Result, UserError, UserErrorCode};

use super::Password;
use crate::name::fold;

/// The shortest password, in characters.
const MIN_PASSWORD: usize = 8;

/// Passwords, and stems of passwords, that everybody tries first.
static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("common.txt").split_whitespace().collect());

/// Checks a new password from the input field at `path`; it must not be made of `names`.
pub(crate) fn check(path: &str, password: &Password, names: &[&str]) -> Result<()> {
    let weak = |message: &str| {
        let error = UserError::new(UserErrorCode::WeakPassword, message);
        Err(error.at(path).into())
    };
    let text = password.text();
    if text.chars().count() < MIN_PASSWORD {
        return weak("password needs 8 characters at least");
    }
    if password.is_too_long() {
        return weak("password is longer than 256 characters");
    }
    if is_guessable(text, names) {
        return weak("password is too common, or made of your name");
    }
    Ok(())
}

fn is_guessable(text: &str, names: &[&str]) -> bool {
    let text = fold(text);
    // "password2026!" is no better than "password".
    let stem = text.trim_matches(|letter: char| !letter.is_alphabetic());
    let plain = undo_leet(&text);
    let plain_stem = plain.trim_matches(|letter: char| !letter.is_alphabetic());
    let made_of_name = names
        .iter()
        .flat_map(|name| name.split(['@', '.']))
        .map(fold)
        .filter(|name| name.chars().count() >= 3)
        .any(|name| [&*text, stem].contains(&&*name));
    made_of_name
        || has_few_letters(&text)
        || is_a_row(&text)
        || [&*text, stem, &*plain, plain_stem].iter().any(|guess| COMMON.contains(guess))
}

fn undo_leet(text: &str) -> String {
    let plain = |letter| match letter {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    text.chars().map(plain).collect()
}

/// "aaaaaaaa", "abababab".
fn has_few_letters(text: &str) -> bool {
    text.chars().collect::<HashSet<_>>().len() <= 2
}

/// "12345678", "hgfedcba".
fn is_a_row(text: &str) -> bool {
    let letters: Vec<u32> = text.chars().map(u32::from).collect();
    let is_step = |step: u32| {
        letters.windows(2).all(|pair| matches!(pair, [a, b] if b.wrapping_sub(*a) == step))
    };
    is_step(1) || is_step(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_fine(text: &str) -> bool {
        let names = ["freya", "f.njordsdottir@asgard.example"];
        check("input.password", &Password::new(text), &names).is_ok()
    }

    #[test]
    fn long_phrases_of_any_script_are_fine() {
        for text in [
            "brisingamen at dawn",
            "кошки гуляют сами",
            "       x  y z 9",
            "Tr0ub4dor&3",
            "🐉🐈🐎🦅🐗🐍🐺🦌",
            "n0t-a-common-thing",
        ] {
            assert!(is_fine(text), "{text}");
        }
        assert!(is_fine(&"brisinga".repeat(32)));
    }

    #[test]
    fn what_strangers_try_first_is_refused() {
        for text in [
            "short77",
            "password",
            "Password1!",
            "P@ssw0rd",
            "qwertyuiop",
            "12345678",
            "87654321",
            "aaaaaaaa",
            "abababab",
            "letmein2026",
            "iloveyou!!",
            "freya123",
            "njordsdottir",
            "Njordsdottir1",
            "йцукенгш",
            "пароль2026",
            "11111111",
        ] {
            assert!(!is_fine(text), "{text}");
        }
        assert!(!is_fine(&"brisinga".repeat(33)));
    }
}
