//! Taking from free text what can stand in a sentence of ours.
//!
//! Descriptions come from anywhere: cards, other languages, markup, nothing at all.
//! What does not look like a plain sentence in the story's script is left out.

const READ_CHARS: usize = 6_000;
const MOST_SENTENCES: usize = 40;
const MOST_WORDS: usize = 16;
const MOST_CHARS: usize = 140;
const NAME_CHARS: usize = 40;

/// Words of a text that instructs a model rather than tells of somebody.
const INSTRUCTS: &str = "you your user char ai roleplay respond reply write prompt ты тебя тебе твой вы вас игрок \
    игрока пользователь пользователя отвечай пиши";

/// A sentence about somebody, without its full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Detail {
    pub(super) text: String,
    /// Whether it can stand as narration: it begins with the name.
    pub(super) is_named: bool,
}

/// The sentences of `text` that can be woven in, in their order.
pub(super) fn details(text: &str, name: &str, cyrillic: bool) -> Vec<Detail> {
    let text: String = text.chars().take(READ_CHARS).collect();
    sentences(&text)
        .into_iter()
        .filter_map(|sentence| usable(sentence, cyrillic))
        .take(MOST_SENTENCES)
        .map(|text| match named(&text, name) {
            Some(text) => Detail { text, is_named: true },
            None => Detail { text, is_named: false },
        })
        .collect()
}

/// Any text as one short quotable line; `None` if nothing is left of it.
pub(super) fn quotable(text: &str) -> Option<String> {
    let text: String = text.chars().take(READ_CHARS).collect();
    let line = shorten(&plain(&text), MOST_WORDS);
    let line = line.trim_end_matches(['.', ' ', ';', ':', ',']).to_owned();
    line.chars().any(char::is_alphanumeric).then_some(line)
}

/// A name that is safe to print, or what stands in for it.
pub(super) fn name(name: &str, otherwise: &str) -> String {
    let name = plain(&name.chars().take(NAME_CHARS * 4).collect::<String>());
    let mut short = String::new();
    for word in name.split(' ') {
        if short.chars().count() + word.chars().count() >= NAME_CHARS {
            break;
        }
        if !short.is_empty() {
            short.push(' ');
        }
        short.push_str(word);
    }
    if short.is_empty() {
        short = name.chars().take(NAME_CHARS).collect();
    }
    let short = short.trim_matches(['.', ',', ' ', '-', '!', '?', ':', ';']);
    if short.chars().any(|c| c.is_alphanumeric() || !c.is_ascii()) {
        short.to_owned()
    } else {
        otherwise.to_owned()
    }
}

fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let ends_clause = matches!(c, '.' | '!' | '?' | '…' | '。')
            && chars.peek().is_none_or(|(_, next)| next.is_whitespace());
        if ends_clause || matches!(c, '\n' | '\r') {
            let end = at + c.len_utf8();
            found.extend(text.get(start..end));
            start = end;
        }
    }
    found.extend(text.get(start..));
    found
}

fn usable(sentence: &str, cyrillic: bool) -> Option<String> {
    let sentence = sentence.trim();
    if sentence.contains(['{', '}', '<', '>', '[', ']', '|', '=', '/', '\\', '"', '“', '«', '@'])
    {
        return None;
    }
    if sentence.ends_with(['?', '!', '…', ':']) || sentence.starts_with(['#', '(']) {
        return None;
    }
    let sentence = plain(sentence.trim_start_matches(['-', '*', '•', '+', ' ']));
    let sentence = sentence.trim_end_matches(['.', '。', ' ', ',']);
    // "Personality: wary, dry" is a form, not a sentence.
    let is_form = sentence.split_once(':').is_some_and(|(label, _)| label.split(' ').count() <= 3);
    let words: Vec<String> = sentence
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let instructs = words.iter().any(|word| INSTRUCTS.split(' ').any(|listed| listed == word));
    if is_form || instructs || words.len() < 3 || !is_in_script(sentence, cyrillic) {
        return None;
    }
    Some(shorten(sentence, MOST_WORDS))
}

/// At least nine letters in ten belong to the story's script.
fn is_in_script(text: &str, cyrillic: bool) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let (ours, all) = letters.fold((0_usize, 0_usize), |(ours, all), c| {
        let is_cyrillic = matches!(c, '\u{400}'..='\u{52f}');
        let is_latin = matches!(c, 'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}');
        (ours + usize::from(if cyrillic { is_cyrillic } else { is_latin }), all + 1)
    });
    all > 0 && ours * 10 >= all * 9
}

/// The sentence with the name as its first word, if that or a pronoun is its first word.
fn named(sentence: &str, name: &str) -> Option<String> {
    let (first, rest) = sentence.split_once(' ')?;
    if matches!(first, "She" | "He" | "Она" | "Он") {
        return Some(format!("{name} {rest}"));
    }
    (name.split(' ').next() == Some(first)).then(|| sentence.to_owned())
}

/// Cuts at the last clause that fits, so that a long sentence still ends well.
fn shorten(text: &str, most_words: usize) -> String {
    let head = text.split(' ').take(most_words).collect::<Vec<_>>().join(" ");
    let head: String = head.chars().take(MOST_CHARS).collect();
    if head == text {
        return head;
    }
    let clause = head.rfind([',', ';', '—', ':']).and_then(|at| head.get(..at));
    match clause.filter(|clause| clause.split(' ').count() >= 4) {
        Some(clause) => clause.trim_end().to_owned(),
        None => format!("{}…", head.rsplit_once(' ').map_or(head.as_str(), |(whole, _)| whole)),
    }
}

/// Text without markup, quotes, controls and runs of space.
fn plain(text: &str) -> String {
    let kept: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_invisible(*c) && !is_markup(*c))
        .collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_markup(c: char) -> bool {
    matches!(
        c,
        '{' | '}'
            | '['
            | ']'
            | '<'
            | '>'
            | '*'
            | '_'
            | '#'
            | '`'
            | '~'
            | '|'
            | '\\'
            | '"'
            | '“'
            | '”'
            | '«'
            | '»'
    )
}

/// Marks that would turn or hide the text around them; the joiner inside emoji stays.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, cyrillic: bool) -> Vec<String> {
        details(text, "Mira", cyrillic).into_iter().map(|detail| detail.text).collect()
    }

    #[test]
    fn keeps_plain_sentences_and_leaves_out_the_rest() {
        let card = "Mira keeps the last lighthouse. You must never speak for {{user}}.\n\
                    Personality: wary, dry\n<START>\n- She takes tea with salt.\nWhy? http://example/x";
        assert_eq!(
            texts(card, false),
            ["Mira keeps the last lighthouse", "Mira takes tea with salt"]
        );
    }

    #[test]
    fn keeps_to_the_script_of_the_story() {
        assert!(texts("She keeps the lighthouse.", true).is_empty());
        assert!(texts("灯台を守る人 です 。", false).is_empty());
        assert_eq!(texts("Она хранит маяк.", true), ["Mira хранит маяк"]);
    }

    #[test]
    fn long_sentences_end_at_a_clause() {
        let long = "Mira tends the lamp every night, although no ship has passed for eleven years and \
                    the oil is nearly gone.";
        assert_eq!(texts(long, false), ["Mira tends the lamp every night"]);
    }

    #[test]
    fn names_are_made_safe() {
        assert_eq!(name("  {{user}}\n", "x"), "user");
        assert_eq!(name("<>{}", "x"), "x");
        assert_eq!(name("Mira \u{202e}Vale", "x"), "Mira Vale");
        assert!(name(&"Ж".repeat(60_000), "x").chars().count() <= NAME_CHARS);
    }
}
