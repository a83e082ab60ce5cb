//! The little language of the sentences, and the safe way to fill them.
//!
//! `[I lean|she leans]` chooses by who tells the story, `<you|{player}>` by whether
//! the player is spoken to, and `{S}`, `{s}`, `{name}`, `{player}`, `{other}`,
//! `{echo}` (`{Echo}` with a capital) and `{detail}` are values. A value is copied as it is and never read as
//! a template, so no text of a user can steer the weaving.

use super::super::super::Voice;
use super::tongue::Typography;

/// What a template is filled with.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) voice: Voice,
    pub(super) subject: String,
    pub(super) subject_capital: String,
    pub(super) name: String,
    pub(super) player: String,
}

impl Values {
    pub(super) fn new(voice: Voice, typography: &Typography, name: String, player: String) -> Self {
        let (subject, subject_capital) = match voice {
            Voice::First => (typography.i.to_owned(), typography.i_capital.to_owned()),
            Voice::Second | Voice::Third => (name.clone(), name.clone()),
        };
        Self { voice, subject, subject_capital, name, player }
    }

    /// Whether the sentence has the speaker for its subject, as far as one can see.
    pub(super) fn is_subject_of(&self, sentence: &str) -> bool {
        match self.voice {
            Voice::First => sentence.starts_with(&self.subject_capital),
            Voice::Second | Voice::Third => sentence.contains(&self.name),
        }
    }

    /// Fills a template; `slot` stands for `{echo}`, `{other}` and `{detail}`.
    pub(super) fn fill(&self, template: &str, slot: &str) -> String {
        let mut out = String::with_capacity(template.len() + 32);
        self.fill_into(&mut out, template, slot);
        // A quoted question keeps its own mark instead of our full stop.
        out.replace("?.”", "?”").replace("!.”", "!”").replace("….”", "…”")
    }

    fn fill_into(&self, out: &mut String, template: &str, slot: &str) {
        let mut rest = template;
        while let Some((before, mark, after)) = next_mark(rest) {
            out.push_str(before);
            let Some((inside, tail)) = after.split_once(closing(mark)) else {
                return;
            };
            if mark == '{' && inside == "Echo" {
                out.push_str(&capitalised(slot));
            } else if mark == '{' {
                out.push_str(self.value(inside, slot));
            } else {
                self.fill_into(out, self.choose(mark, inside), slot);
            }
            rest = tail;
        }
        out.push_str(rest);
    }

    fn choose<'t>(&self, mark: char, inside: &'t str) -> &'t str {
        let (one, other) = inside.split_once('|').unwrap_or((inside, inside));
        let takes_first = match self.voice {
            Voice::First => true,
            Voice::Second => mark == '<',
            Voice::Third => false,
        };
        if takes_first { one } else { other }
    }

    fn value<'v>(&'v self, key: &str, slot: &'v str) -> &'v str {
        match key {
            "S" => &self.subject_capital,
            "s" => &self.subject,
            "name" => &self.name,
            "player" => &self.player,
            _ => slot,
        }
    }
}

fn next_mark(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(['{', '[', '<'])?;
    let (before, rest) = text.split_at(at);
    let mut chars = rest.chars();
    let mark = chars.next()?;
    Some((before, mark, chars.as_str()))
}

fn closing(mark: char) -> char {
    match mark {
        '{' => '}',
        '[' => ']',
        _ => '>',
    }
}

pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}
