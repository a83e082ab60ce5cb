//! Names people sign in with: what is allowed, and which two are the same (pure).

use skald_base::{Error, Result, UserError, UserErrorCode};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_security::confusable_detection::skeleton;

/// The longest e-mail address that can be delivered to, in bytes.
const MAX_EMAIL: usize = 254;
/// No name needs more bytes, however it is encoded. To normalise a megabyte is work that
/// nobody may ask for before they are known.
const MAX_TYPED: usize = 1_024;

/// A checked username with the forms in which it must be unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Username {
    /// As its owner writes it.
    pub(crate) text: String,
    /// Case-folded: what finds it.
    pub(crate) key: String,
    /// Folded, with look-alikes made equal: who is it taken for?
    pub(crate) skeleton: String,
    /// The same of the text as it is written: capitals look like other letters.
    pub(crate) look: String,
}

impl Username {
    /// Checks a username from the input field at `path`.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self> {
        check_typed(path, text)?;
        let text: String = text.trim().nfkc().collect();
        match text.chars().count() {
            0 => {
                let error = UserError::new(UserErrorCode::Blank, "username is empty");
                return Err(error.at(path).into());
            }
            1..=2 => return Err(Error::invalid(path, "username needs 3 characters at least")),
            3..=32 => {}
            _ => {
                let message = "username is longer than 32 characters";
                let error = UserError::new(UserErrorCode::TooLong, message);
                return Err(error.at(path).into());
            }
        }
        if !is_well_formed(&text) {
            let message = "username may hold letters, digits, \"_\", \"-\" and \".\", \
                           and begins with a letter or digit";
            return Err(Error::invalid(path, message));
        }
        let key = fold(&text);
        let (skeleton, look) = (look_alike(&key), look_alike(&text));
        Ok(Self { text, key, skeleton, look })
    }
}

/// Refuses what is too long to be looked at, from the input field at `path`.
pub(crate) fn check_typed(path: &str, text: &str) -> Result<()> {
    if text.len() > MAX_TYPED {
        let name = path.rsplit('.').next().unwrap_or(path);
        let message = format!("{name} is longer than {MAX_TYPED} bytes");
        return Err(UserError::new(UserErrorCode::TooLong, message).at(path).into());
    }
    Ok(())
}

fn is_well_formed(text: &str) -> bool {
    let begins = text.chars().next().is_some_and(char::is_alphanumeric);
    // Marks belong to their letter in many scripts; stacks of them are graffiti.
    let mut marks = 0;
    let mut has_letter = false;
    begins
        && text.chars().all(|letter| {
            if is_combining_mark(letter) {
                marks += 1;
                return marks <= 2 && has_letter && !is_hardly_seen(letter);
            }
            marks = 0;
            has_letter = letter.is_alphabetic();
            (letter.is_alphanumeric() || "_-.".contains(letter)) && !is_hardly_seen(letter)
        })
}

/// Fillers, joiners, selectors: what fonts do not draw.
fn is_hardly_seen(letter: char) -> bool {
    // The iota below is composed with every letter it belongs to.
    letter == '\u{345}' || skeleton(letter.encode_utf8(&mut [0; 4])).next().is_none()
}

/// The key that may find a name somebody typed; none if nobody can have it.
pub(crate) fn key(text: &str) -> Option<String> {
    (text.len() <= MAX_TYPED).then(|| fold(text.trim()))
}

/// Makes texts equal that differ only in case or in how they are encoded.
pub(crate) fn fold(text: &str) -> String {
    // Up and down again, letter by letter, takes "ß" to "ss" and both sigmas to one.
    // PostgreSQL takes no NUL, and no name has one.
    let text = text.replace('\0', "\u{fffd}");
    let upper: String = text.nfkc().flat_map(char::to_uppercase).collect();
    upper.chars().flat_map(char::to_lowercase).nfkc().collect()
}

/// Makes names equal that look alike (UTS 39); never shown to anybody.
fn look_alike(text: &str) -> String {
    // Folding makes new look-alikes: "M" is like nothing else, "m" is like "rn".
    let round = |text: &str| fold(&skeleton(text).collect::<String>());
    round(&round(text))
}

/// Checks an e-mail address from the input field at `path`; gives it and its folded form.
pub(crate) fn parse_email(path: &str, text: &str) -> Result<(String, String)> {
    check_typed(path, text)?;
    let text: String = text.trim().nfc().collect();
    if text.len() > MAX_EMAIL {
        let message = format!("email is longer than {MAX_EMAIL} bytes");
        return Err(UserError::new(UserErrorCode::TooLong, message).at(path).into());
    }
    let parts: Vec<&str> = text.split('@').collect();
    let odd = |letter: char| letter.is_whitespace() || letter.is_control();
    let ([local, domain], false) = (parts.as_slice(), text.contains(odd)) else {
        return Err(Error::invalid(path, "not an e-mail address"));
    };
    if local.is_empty() || domain.is_empty() {
        return Err(Error::invalid(path, "not an e-mail address"));
    }
    let key = fold(&text);
    Ok((text, key))
}

/// What somebody typed to sign in: a username or an e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Login {
    /// A folded username.
    Username(String),
    /// A folded e-mail address.
    Email(String),
}

impl Login {
    /// Reads a login; any text is one. What is too long is nobody's.
    pub(crate) fn parse(text: &str) -> Self {
        // Normalising writes some texts out at length; no bucket shall keep those.
        let key = key(text).filter(|key| key.len() <= 4 * MAX_TYPED).unwrap_or_default();
        if key.contains('@') { Self::Email(key) } else { Self::Username(key) }
    }

    /// The folded text.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Username(key) | Self::Email(key) => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Username {
        Username::parse("input.username", text).unwrap()
    }

    #[test]
    fn names_of_any_script_are_fine() {
        for text in ["freya", "Фрейя", "山田太郎", "हिन्दी", "a.b-c_d", "Ørsted9"]
        {
            assert_eq!(name(text).text, text);
        }
        for text in [
            "",
            "ab",
            ".abc",
            "a b c",
            "abc\u{200b}",
            "a\u{0}bc",
            "a@b",
            "🐉🐉🐉",
            "e\u{301}\u{301}\u{301}\u{301}xy",
            "dave01\u{345}",
            "dave\u{345}",
            "dave1\u{307}",
            "dave\u{34f}",
            "dave\u{fe0f}",
            "\u{3164}\u{3164}\u{3164}",
        ] {
            assert!(Username::parse("input.username", text).is_err(), "{text}");
        }
        assert!(Username::parse("input.username", &"a".repeat(33)).is_err());
    }

    #[test]
    fn the_same_name_in_other_clothes_is_the_same() {
        assert_eq!(name("Freya").key, name("FREYA").key);
        assert_eq!(name("Straße").key, name("STRASSE").key);
        assert_eq!(name("ｆｒｅｙａ").key, name("freya").key);
        // Cyrillic е, digit one, digit zero.
        assert_eq!(name("frеya").skeleton, name("freya").skeleton);
        assert_ne!(name("frеya").key, name("freya").key);
        assert_eq!(name("freya1").skeleton, name("freyal").skeleton);
        assert_eq!(name("od1n0").skeleton, name("OdlnO").skeleton);
        assert_ne!(name("freya").skeleton, name("freyr").skeleton);
    }

    #[test]
    fn capitals_look_like_other_letters() {
        for (one, other) in [
            ("Alice", "AIice"),
            ("malice", "MAIice"),
            // Cyrillic from here on.
            ("TOMMY", "ТОММУ"),
            ("tommy", "ТОММУ"),
            ("HELEN", "НELEN"),
            ("helen", "НЕLЕN"),
            ("MAXX", "МАХХ"),
        ] {
            assert_eq!(name(one).look, name(other).look, "{one} {other}");
        }
        for (one, other) in [("ali", "all"), ("Ali", "All"), ("freya", "freyr")] {
            assert_ne!(name(one).look, name(other).look, "{one} {other}");
            assert_ne!(name(one).skeleton, name(other).skeleton, "{one} {other}");
        }
    }

    #[test]
    fn nothing_endless_is_normalised() {
        // One letter that NFKC makes eighteen of.
        let endless = "\u{fdfa}".repeat(300_000);
        assert_eq!(key(&endless), None);
        assert_eq!(Login::parse(&endless), Login::Username(String::new()));
        assert!(Username::parse("input.username", &endless).is_err());
        assert!(parse_email("input.email", &format!("{endless}@x")).is_err());
        assert_eq!(key(&"a".repeat(MAX_TYPED)).map(|key| key.len()), Some(MAX_TYPED));
    }

    #[test]
    fn an_address_has_one_at_sign_and_two_ends() {
        let (text, key) = parse_email("input.email", " Freya@Asgard.Example ").unwrap();
        assert_eq!((&*text, &*key), ("Freya@Asgard.Example", "freya@asgard.example"));
        for text in ["", "freya", "@x", "x@", "a@b@c", "a b@c", "a\n@c"] {
            assert!(parse_email("input.email", text).is_err(), "{text}");
        }
        assert!(parse_email("input.email", &format!("a@{}", "b".repeat(253))).is_err());
    }
}
