//! Questions: who asks seldom tells. Pure.

/// Marks that may close a sentence or a quotation.
const CLOSING: [char; 10] = ['"', '\'', '”', '’', '»', '*', '_', ')', ']', '}'];

/// Whether a text ends with a question.
pub(super) fn asks(text: &str) -> bool {
    let end = |c: char| c.is_whitespace() || CLOSING.contains(&c);
    text.trim_end_matches(end).ends_with('?')
}

/// The part of its sentences that ask.
pub(super) fn share_of_questions(text: &str) -> f64 {
    let (mut all, mut asking) = (0.0, 0.0);
    for sentence in sentences(text) {
        all += 1.0;
        asking += f64::from(u8::from(asks(sentence)));
    }
    if all > 0.0 { asking / all } else { 0.0 }
}

/// Sentences: they end with a sign, perhaps a closing mark, and white space.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut ends = false;
    let cut = text.split(move |c: char| {
        if c.is_whitespace() {
            return ends;
        }
        ends = matches!(c, '.' | '!' | '?' | '…') || ends && CLOSING.contains(&c);
        false
    });
    cut.filter(|sentence| !sentence.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_counted() {
        for (text, share, asks_last) in [
            ("Where were you?", 1.0, true),
            ("I was at the lake. And you?", 0.5, true),
            ("\"Who is there?\" She waited.", 0.5, false),
            ("*She frowns.* \"Who?\"", 0.5, true),
            ("Кто это?!  Не знаю… Может быть?", 1.0 / 3.0, true),
            ("No question here", 0.0, false),
            ("", 0.0, false),
            ("   ", 0.0, false),
        ] {
            assert!((share_of_questions(text) - share).abs() < 1e-9, "{text}");
            assert_eq!(asks(text), asks_last, "{text}");
        }
    }
}
