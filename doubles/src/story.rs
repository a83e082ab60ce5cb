//! What a double says when nobody told it: a short story, the same each time.

/// The answer to a turn in English, or in any language not named here.
pub const ENGLISH: &str = "The rain had stopped an hour before dawn. Mira set the last cup on the \
    shelf and looked at the stranger by the door. \"You are late,\" she said, \"and the ferry does \
    not wait for anybody.\" Behind her the fire sank into red coals.";

/// The answer to a turn with Cyrillic letters.
pub const RUSSIAN: &str = "Дождь стих за час до рассвета. Мира поставила последнюю чашку на полку \
    и посмотрела на незнакомца у двери. «Ты опоздал, — сказала она, — а паром никого не ждёт». \
    За её спиной догорал огонь.";

/// The answer to a turn with Han characters.
pub const CHINESE: &str = "黎明前一个时辰，雨停了。米拉把最后一只杯子放回架上，望着门边的陌生人。“你来晚了，”她说，“渡船不等人。”她身后的炉火只剩下红炭。";

/// What a model thinks where a fault needs thoughts and nobody gave any.
pub const THOUGHTS: &str = "The stranger has just come in. Mira should notice the wet coat first, \
    then speak of the ferry.";

/// The words that `words` repeats; one token each with the blank before it.
const WORDS: [&str; 10] =
    ["the", "river", "rose", "in", "the", "night", "and", "took", "the", "bridge"];

/// The story that fits the language of a turn.
pub(crate) fn for_turn(turn: &str) -> &'static str {
    let is_cyrillic = |letter| matches!(letter, '\u{400}'..='\u{52f}');
    let is_han = |letter| matches!(letter, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}');
    if turn.contains(is_cyrillic) {
        RUSSIAN
    } else if turn.contains(is_han) {
        CHINESE
    } else {
        ENGLISH
    }
}

/// A text of so many words.
pub(crate) fn words(count: usize) -> String {
    WORDS.iter().cycle().take(count).copied().collect::<Vec<_>>().join(" ")
}

/// The text in chunks of so many words, or of letters where words have no blanks.
///
/// A blank goes to the word after it, as in the vocabulary of tokenizers.
pub(crate) fn chunks(text: &str, words: usize) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut found = 0;
    let mut before = None;
    for (at, letter) in text.char_indices() {
        let wide = letter >= '\u{2e80}';
        let starts = wide || before.is_some_and(|b: char| !b.is_whitespace() && letter == ' ');
        if starts && at > start {
            found += 1;
            if found >= words.max(1) {
                chunks.extend(text.get(start..at));
                (start, found) = (at, 0);
            }
        }
        before = Some(letter);
    }
    chunks.extend(text.get(start..).filter(|rest| !rest.is_empty()));
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_put_together_are_the_text() {
        for text in [ENGLISH, RUSSIAN, CHINESE, "", "one", " two  blanks \n"] {
            for words in [1, 3, 100] {
                assert_eq!(chunks(text, words).concat(), text);
            }
        }
        assert_eq!(chunks("one two three", 1), ["one", " two", " three"]);
        assert_eq!(chunks("one two three", 2), ["one two", " three"]);
        assert_eq!(chunks(&words(200), 1).len(), 200);
        assert!(chunks(CHINESE, 4).len() > 10);
    }

    #[test]
    fn the_story_is_in_the_language_of_the_turn() {
        assert_eq!(for_turn("I sit down."), ENGLISH);
        assert_eq!(for_turn("Я сажусь."), RUSSIAN);
        assert_eq!(for_turn("我坐下。"), CHINESE);
    }
}
