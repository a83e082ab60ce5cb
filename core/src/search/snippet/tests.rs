use proptest::prelude::*;

use super::*;

fn snippet(text: &str, query: &str) -> Snippet {
    Snippet::of(text, &Query::parse(query).unwrap())
}

/// The snippet with brackets around what is highlighted.
fn shown(text: &str, query: &str) -> String {
    let Snippet { text, highlights } = snippet(text, query);
    let units: Vec<u16> = text.encode_utf16().collect();
    let (mut shown, mut at) = (String::new(), 0);
    let piece = |range: Range<usize>| String::from_utf16(units.get(range).unwrap()).unwrap();
    for range in highlights {
        let (before, found) = (piece(at..range.start), piece(range.clone()));
        shown.push_str(&[&before, "[", &found, "]"].concat());
        at = range.end;
    }
    shown + &piece(at..units.len())
}

#[test]
fn what_was_found_is_highlighted() {
    for (text, query, expected) in [
        ("Она была бегущая по волнам.", "волна бегущий", "Она была [бегущая] по [волнам]."),
        (
            "She  runs.\n\nThey ran; 🐉 he was running.",
            "run",
            "She [runs]. They ran; 🐉 he was [running].",
        ),
        ("An old house, an old\nman.", "\"old man\"", "An old house, an [old man]."),
        ("Old old man", "\"old man\" old", "[Old] [old man]"),
        ("雪国へ行く", "雪国", "[雪国]へ行く"),
        ("  Lantern!  ", "lante", "[Lantern]!"),
        ("*Mira’s*", "mira", "*[Mira’s]*"),
        ("The tavern.", "dragon", "The tavern."),
    ] {
        assert_eq!(shown(text, query), expected, "{query}");
    }
}

#[test]
fn the_piece_that_holds_most_is_shown() {
    let filler = "nothing of it here ".repeat(30);
    let text = format!("{filler}a dragon {filler}the dragon sleeps in gold {filler}gold {filler}");
    let shown = shown(&text, "dragon gold");
    assert!(shown.contains("the [dragon] sleeps in [gold] nothing"), "{shown}");
    assert!(shown.starts_with('…') && shown.ends_with('…'), "{shown}");
    let snippet = snippet(&text, "nothingness");
    assert!(snippet.text.starts_with("nothing of it here") && snippet.text.chars().count() > 200);
}

#[test]
fn a_word_that_does_not_fit_is_cut() {
    let word = "ab".repeat(500);
    let snippet = snippet(&format!("See {word}!"), &word);
    assert_eq!(snippet.text, format!("…{}…", word.get(..ROOM).unwrap()));
    assert_eq!(snippet.highlights.first(), Some(&(1..LONGEST - 1)));
}

#[test]
fn a_text_that_is_one_match_after_another_is_read_at_once() {
    let text = "a ".repeat(32 * 1024);
    let begun = std::time::Instant::now();
    let snippet = snippet(&text, "a");
    // Comparing each match with all that follow it takes a minute.
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((snippet.highlights.len(), snippet.highlights.first()), (119, Some(&(0..1))));
}

/// The first of the pieces that hold most, found by trying all.
fn best_of_all(text: &str, words: &[Word], matches: &[Match]) -> Option<Range<usize>> {
    let mut best: Option<((usize, usize), Range<usize>)> = None;
    for n in 0..matches.len() {
        let start = place(words, &matches[n])?.start;
        let (mut parts, mut count, mut end) = (std::collections::BTreeSet::new(), 0, start);
        for found in &matches[n..] {
            let to = place(words, found)?.end.max(end);
            if length(text, &(start..to)) > ROOM && count > 0 {
                break;
            }
            (end, count) = (to, count + 1);
            parts.insert(found.part);
        }
        let score = (parts.len(), count);
        if best.as_ref().is_none_or(|(highest, _)| score > *highest) {
            best = Some((score, start..end));
        }
    }
    best.map(|(_, piece)| piece)
}

fn story() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        8 => "[a-c]{1,3}",
        4 => "[а-вё]{1,3}",
        2 => "(dragon|run|running|волна|волнам|雪国|🐉)",
        2 => "[ \n]{1,3}|[.,*\"…—']{1,2}",
        1 => "\\PC{1,8}",
        1 => "[xy]{250}",
    ];
    prop::collection::vec(word, 0..200).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_piece_that_holds_most_is_found(text in story(), typed in "([a-c]{1,3}|dragon|ru|волны|\"b a\"|\"c a b\"| ){1,4}") {
        let Some(query) = Query::parse(&typed) else { return Ok(()) };
        let words = text::words(&text);
        let matches = query.matches(&words);
        prop_assert_eq!(best(&text, &words, &matches), best_of_all(&text, &words, &matches));
    }

    #[test]
    fn highlights_are_whole_words_inside(text in story(), typed in "([a-c]{1,3}|dragon|ru|волны|\"b a\"|雪| ){1,4}") {
        let Some(query) = Query::parse(&typed) else { return Ok(()) };
        let snippet = Snippet::of(&text, &query);
        prop_assert!(snippet.text.chars().count() <= LONGEST);
        let units: Vec<u16> = snippet.text.encode_utf16().collect();
        let words = text::words(&snippet.text);
        let unit = |byte: usize| snippet.text.get(..byte).unwrap().encode_utf16().count();
        let mut last = 0;
        for range in &snippet.highlights {
            prop_assert!(last <= range.start && range.start < range.end && range.end <= units.len());
            prop_assert!(words.iter().any(|word| unit(word.range.start) == range.start));
            prop_assert!(words.iter().any(|word| unit(word.range.end) == range.end));
            last = range.end;
        }
        let found = !query.matches(&text::words(&text)).is_empty();
        prop_assert_eq!(found, !snippet.highlights.is_empty());
    }
}
