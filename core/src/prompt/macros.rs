//! Macros in cards and greetings: `{{char}}`, `{{user}}`, `{{original}}`. Pure.
//!
//! Cards put `{{original}}` where the application's own instructions should
//! stand. Ours stand already, whatever the card says, so it becomes nothing.
//!
//! Names are case-insensitive; the old forms `<BOT>`, `<CHAR>` and `<USER>`
//! count too. One pass from left to right, so that what a name brings in is
//! never expanded again; macros it does not know stay as they are.

/// The names that macros stand for.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// What `{{char}}` stands for.
    pub character: &'a str,
    /// What `{{user}}` stands for.
    pub player: &'a str,
}

impl Names<'_> {
    /// The text with names in the place of macros.
    pub fn expand(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '<']) {
            let (before, after) = rest.split_at(at);
            expanded.push_str(before);
            if let Some((value, tail)) = self.macro_at(after) {
                expanded.push_str(value);
                rest = tail;
            } else {
                let mut letters = after.chars();
                expanded.extend(letters.next());
                rest = letters.as_str();
            }
        }
        expanded.push_str(rest);
        expanded
    }

    /// The value of the macro at the beginning of `text`, and what follows it.
    fn macro_at<'t>(&'t self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let (name, tail) = match text.strip_prefix("{{") {
            Some(inside) => inside.split_once("}}")?,
            None => text.strip_prefix('<')?.split_once('>')?,
        };
        let is_old_form = text.starts_with('<');
        match name.trim().to_ascii_lowercase().as_str() {
            "char" => Some((self.character, tail)),
            "bot" if is_old_form => Some((self.character, tail)),
            "user" => Some((self.player, tail)),
            "original" if !is_old_form => Some(("", tail)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: Names<'_> = Names { character: "Mira", player: "{{char}}" };

    #[test]
    fn names_take_the_place_of_macros_once() {
        for (text, expected) in [
            ("{{char}} nods.", "Mira nods."),
            ("{{CHAR}}, {{ Char }}, <bot>, <CHAR>", "Mira, Mira, Mira, Mira"),
            // A name that looks like a macro is a name.
            ("Hello {{user}}!", "Hello {{char}}!"),
            ("{{random:a,b}} {{bot}} {{char", "{{random:a,b}} {{bot}} {{char"),
            ("{{{char}}} <b>bold</b> a < b", "{Mira} <b>bold</b> a < b"),
            ("{ {{user}} }", "{ {{char}} }"),
            // Our own rules stand already.
            ("{{original}}", ""),
            ("{{Original}} Be {{char}}.{{ original }}", " Be Mira."),
            ("<original> {{original", "<original> {{original"),
        ] {
            assert_eq!(NAMES.expand(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_without_macros_stays(text in "[a-zа-я {}<>]{0,60}") {
            let lower = text.to_lowercase();
            prop_assume!(!["char", "user", "bot", "original"].iter().any(|name| lower.contains(name)));
            prop_assert_eq!(NAMES.expand(&text), text);
        }
    }
}
