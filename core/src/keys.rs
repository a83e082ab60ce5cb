//! Keys: the words that have to be said before a fact or an entry of a lorebook is told. Pure.

use skald_base::{Error, Result, UserError, UserErrorCode};

/// How many keys there may be, and how long each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyRule {
    /// Keys at most.
    pub(crate) most: usize,
    /// Characters of one at most.
    pub(crate) characters: usize,
}

impl KeyRule {
    /// These keys, trimmed, of equal ones the first; sent at `path`.
    pub(crate) fn check(self, path: &str, keys: Vec<String>) -> Result<Vec<String>> {
        let mut kept: Vec<String> = Vec::new();
        for key in keys {
            let key = key.trim();
            if key.is_empty() {
                return Err(UserError::new(UserErrorCode::Blank, "a key is empty").at(path).into());
            }
            check_short(path, key, self.characters)?;
            if kept.iter().all(|other| other != key) {
                kept.push(key.to_owned());
            }
            if kept.len() > self.most {
                let message = format!("at most {} keys", self.most);
                return Err(UserError::new(UserErrorCode::TooLong, message).at(path).into());
            }
        }
        Ok(kept)
    }
}

/// Refuses a text of more characters, or with a NUL, which a client sent at `path`.
pub(crate) fn check_short(path: &str, text: &str, characters: usize) -> Result<()> {
    let name = path.rsplit('.').next().unwrap_or(path);
    if text.chars().count() > characters {
        let message = format!("{name} is longer than {characters} characters");
        return Err(UserError::new(UserErrorCode::TooLong, message).at(path).into());
    }
    if text.contains('\0') {
        return Err(Error::invalid(path, format!("{name} contains a NUL character")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_trimmed_unique_and_few() {
        let rule = KeyRule { most: 2, characters: 3 };
        let keys = |list: &[&str]| {
            let list = list.iter().map(ToString::to_string).collect();
            rule.check("input.keys", list)
        };
        assert_eq!(keys(&[" Лес ", "Лес", "лес"]).unwrap(), ["Лес", "лес"]);
        assert_eq!(keys(&[]).unwrap(), [""; 0]);
        for (list, code) in [
            (&[" "][..], UserErrorCode::Blank),
            (&["леса"], UserErrorCode::TooLong),
            (&["a", "b", "c"], UserErrorCode::TooLong),
            (&["a\0"], UserErrorCode::BadUserInput),
        ] {
            let Err(Error::User(error)) = keys(list) else { panic!("{list:?} was taken") };
            assert_eq!(error.code, code, "{list:?}");
            assert_eq!(error.path, Some(vec!["input".into(), "keys".into()]));
        }
    }
}
