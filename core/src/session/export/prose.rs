//! How a story stands in a Markdown document. Pure.
//!
//! Emphasis, lists and quotations of the story stay what they are. What would reach beyond its
//! message (a heading, a line, a fence that is never closed, a tag) is shown as it was typed.

/// The words of the document, in the language of the story.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    cast: &'static str,
    player: &'static str,
    hidden: &'static str,
    nameless: &'static str,
}

const ENGLISH: Words = Words {
    cast: "On stage",
    player: "Played by you",
    hidden: "hidden from the model",
    nameless: "A story",
};

const RUSSIAN: Words = Words {
    cast: "На сцене",
    player: "Ваш персонаж",
    hidden: "скрыто от модели",
    nameless: "История",
};

impl Words {
    /// The words for a story in this language; English where there are none.
    pub(super) fn of(language: &str) -> Self {
        let tongue = language.split('-').next().unwrap_or_default();
        if tongue.eq_ignore_ascii_case("ru") { RUSSIAN } else { ENGLISH }
    }

    /// Title, cast and player.
    pub(super) fn title_page(
        self,
        title: Option<&str>,
        cast: &[String],
        player: Option<&str>,
    ) -> String {
        let title = title.map(str::trim).filter(|title| !title.is_empty());
        let mut text = format!("# {}\n", inline(title.unwrap_or(self.nameless)));
        if !cast.is_empty() {
            let names: Vec<String> = cast.iter().map(|name| inline(name)).collect();
            text.extend(["\n", self.cast, ": ", &names.join(", "), "\n"]);
        }
        if let Some(player) = player {
            text.extend(["\n", self.player, ": ", &inline(player), "\n"]);
        }
        text.push_str("\n---\n");
        text
    }

    /// One message: who speaks, then the text.
    pub(super) fn message(self, speaker: &str, content: &str, is_hidden: bool) -> String {
        let mut text = format!("\n**{}**", inline(speaker));
        if is_hidden {
            text.extend([" *(", self.hidden, ")*"]);
        }
        text.push_str("\n\n");
        text.push_str(&block(content));
        text.push('\n');
        text
    }
}

/// A name or title: one line in which nothing means anything.
fn inline(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if "\\`*_[]<>#~|&".contains(letter) {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

/// The text of a message, line by line.
fn block(content: &str) -> String {
    let content = content.replace("\r\n", "\n").replace('\r', "\n");
    content.trim_matches('\n').split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn line(line: &str) -> String {
    let trimmed = line.trim_start_matches(' ');
    let indent = line.len() - trimmed.len();
    let mut text = " ".repeat(indent.min(3));
    if begins_a_structure(trimmed) {
        text.push('\\');
    }
    text.push_str(&without_tags(trimmed));
    text
}

/// Whether a line would be more than a part of its message.
fn begins_a_structure(line: &str) -> bool {
    let after_hashes = line.trim_start_matches('#');
    let is_heading = after_hashes.len() < line.len()
        && (after_hashes.is_empty() || after_hashes.starts_with([' ', '\t']));
    let marks = line.trim_end();
    // Under a paragraph a line of these makes a heading of it; by itself it is a line.
    let is_rule = marks
        .chars()
        .next()
        .filter(|mark| "-=*_".contains(*mark))
        .is_some_and(|mark| marks.chars().all(|letter| letter == mark || letter == ' '));
    let is_fence = line.starts_with("```") || line.starts_with("~~~");
    let is_definition = line.starts_with('[') && line.contains("]:");
    is_heading || is_rule || is_fence || is_definition
}

/// A tag or comment that is never closed would hide what follows.
fn without_tags(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let begins = |next: &char| next.is_ascii_alphabetic() || "/!?".contains(*next);
        if letter == '<' && letters.peek().is_some_and(begins) {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_story_reads_like_one() {
        let words = Words::of("ru-RU");
        let page = words.title_page(Some("Маяк *один*"), &["Мира".into()], Some("Аста"));
        assert_eq!(page, "# Маяк \\*один\\*\n\nНа сцене: Мира\n\nВаш персонаж: Аста\n\n---\n");
        let words = Words::of("en");
        assert_eq!(
            words.message("Mira", "*She nods.* \"Soup?\"\r\n\r\n- bread", true),
            "\n**Mira** *(hidden from the model)*\n\n*She nods.* \"Soup?\"\n\n- bread\n"
        );
        assert_eq!(words.title_page(None, &[], None), "# A story\n\n---\n");
    }

    #[test]
    fn a_text_stays_in_its_message() {
        for (text, expected) in [
            ("# Chapter", "\\# Chapter"),
            ("#hashtag", "#hashtag"),
            ("   ### x", "   \\### x"),
            ("      code?", "   code?"),
            ("---", "\\---"),
            ("* * *", "\\* * *"),
            ("===", "\\==="),
            ("*a* b", "*a* b"),
            ("- a", "- a"),
            ("```rust", "\\```rust"),
            ("~~~", "\\~~~"),
            ("[a]: http://x", "\\[a]: http://x"),
            ("<script>x</script>", "\\<script>x\\</script>"),
            ("<!-- x", "\\<!-- x"),
            ("a < b, 3<4", "a < b, 3<4"),
            ("> quoted", "> quoted"),
        ] {
            assert_eq!(block(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_line_of_a_story_is_a_heading_a_rule_or_a_fence(text in "([#=~`<>!* -]|\\PC|\n|\r){0,60}") {
            for line in block(&text).lines() {
                prop_assert!(!begins_a_structure(line.trim_start_matches(' ')), "{}", line);
                prop_assert!(!line.starts_with("    "));
            }
        }

        #[test]
        fn a_name_is_one_line(name in ".{0,40}") {
            prop_assert!(!inline(&name).contains(['\n', '\r']));
        }
    }
}
