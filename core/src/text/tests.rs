use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::*;

fn terms(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| word.term).collect()
}

#[test]
fn forms_of_a_word_have_one_term() {
    for (one, other) in [
        ("running", "run"),
        ("волнам", "волна"),
        ("Ёлка", "елки"),
        ("ЁЛКИ", "ёлка"),
        ("Mira's", "mira"),
        ("Mira’s", "MIRA"),
        ("don't", "don’t"),
        ("café", "CAFE"),
        ("naïve", "naive"),
        ("Straße", "STRASSE"),
        ("ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς"),
        ("за́мок", "замок"),
        ("ﬁnd", "find"),
        ("１２３", "123"),
        ("вол\u{ad}на", "волна"),
        ("İstanbul", "istanbul"),
        ("ｶﾞ", "ガ"),
    ] {
        assert_eq!(terms(one), terms(other), "{one} {other}");
        assert_eq!(terms(one).len(), 1, "{one}");
    }
}

#[test]
fn letters_of_their_own_stay_apart() {
    for (one, other) in [("йод", "иод"), ("їжа", "іжа"), ("が", "か"), ("run", "ruin")]
    {
        assert_ne!(terms(one), terms(other), "{one} {other}");
    }
}

#[test]
fn texts_are_cut_where_a_reader_would() {
    for (text, expected) in [
        ("Бегущая по волнам.", vec!["бегущ", "по", "волн"]),
        ("The end.Next: snake_case", vec!["the", "end", "next", "snake", "case"]),
        ("что-то — 3.14 m2", vec!["что", "то", "3", "14", "m2"]),
        ("*grins* \"Well…\"", vec!["grin", "well"]),
        ("雪国へ Yuki", vec!["雪", "国", "へ", "yuki"]),
        ("한국어", vec!["한", "국", "어"]),
        ("…!? — 🐉", vec![]),
        ("", vec![]),
    ] {
        assert_eq!(terms(text), expected, "{text}");
    }
    let joined: Vec<bool> = words("雪国へ 行く").into_iter().map(|word| word.is_joined).collect();
    assert_eq!(joined, [false, true, true, false, true]);
}

#[test]
fn a_word_without_end_is_known_by_its_beginning() {
    let word = words(&"ab1".repeat(20_000)).remove(0);
    assert_eq!(word.term.chars().count(), LONGEST_TERM);
    assert_eq!(word.range, 0..60_000);
}

proptest! {
    #[test]
    fn composed_and_taken_apart_text_is_the_same(text in "\\PC{0,60}") {
        let (composed, apart): (String, String) = (text.nfc().collect(), text.nfd().collect());
        let forms = |text: &str| -> Vec<(String, String)> {
            words(text).into_iter().map(|word| (word.form, word.term)).collect()
        };
        prop_assert_eq!(forms(&composed), forms(&apart));
    }

    #[test]
    fn words_stand_in_the_text_in_order(text in "(\\PC|[a-яё' 雪。]){0,80}") {
        let mut last = 0;
        for word in words(&text) {
            prop_assert!(word.range.start >= last && word.range.start < word.range.end);
            prop_assert!(text.get(word.range.clone()).is_some());
            last = word.range.end;
            for term in [&word.term, &word.form] {
                prop_assert!((1..=LONGEST_TERM).contains(&term.chars().count()), "{}", term);
                prop_assert!(term.chars().all(|c| !c.is_whitespace() && !c.is_ascii_punctuation()));
            }
        }
    }

    #[test]
    fn a_form_is_found_by_itself(text in "[a-zа-яё]{1,12}") {
        for word in words(&text) {
            let again = words(&word.form);
            prop_assert_eq!(&again[0].form, &word.form);
            prop_assert_eq!(&again[0].term, &word.term);
        }
    }
}
