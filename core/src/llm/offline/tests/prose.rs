use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

#[test]
fn other_seeds_write_other_replies() {
    for language in ["en", "ru"] {
        let distinct: HashSet<String> =
            (0..200).map(|seed| text(&request(language, seed))).collect();
        assert!(distinct.len() >= 190, "{language}: {}", distinct.len());
    }
}

#[test]
fn replies_are_of_good_length_and_say_nothing_twice() {
    for story in stories() {
        for seed in 0..40 {
            let text = text(&Request { seed, ..story.clone() });
            let words = count_words(&text);
            assert!((90..=180).contains(&words), "{words} words:\n{text}");
            let paragraphs = text.split("\n\n").count();
            assert!((2..=4).contains(&paragraphs), "{paragraphs} paragraphs:\n{text}");
            let said = sentences(&text);
            let distinct: HashSet<&&str> = said.iter().collect();
            assert_eq!(said.len(), distinct.len(), "{text}");
            assert!(
                !text.contains("  ")
                    && !text.contains(" ,")
                    && !text.contains(['{', '[', '<', '|']),
                "{text}"
            );
        }
    }
}

#[test]
fn russian_replies_are_written_in_russian_letters() {
    for mut story in stories().into_iter().filter(|story| story.story.language == "ru") {
        story.story.depth = 1;
        if story.story.last_line.is_ascii() {
            story.story.last_line.clear();
        }
        for seed in 0..20 {
            let text = text(&Request { seed, ..story.clone() });
            assert!(!text.chars().any(|c| c.is_ascii_alphabetic()), "{text}");
        }
    }
}

#[test]
fn speech_stands_once_and_only_with_a_speaker() {
    for story in stories() {
        let text = text(&story);
        let speeches = text.lines().filter(|line| {
            line.starts_with(['—', '“']) && line.contains("— ") | line.contains("” ")
        });
        let narrates = story.story.speaker.is_none();
        if narrates {
            assert!(!text.contains("\n— ") && !text.starts_with('—'), "{text}");
        } else {
            assert!(speeches.count() >= 1, "{text}");
        }
    }
}

#[test]
fn a_new_story_is_told_what_writes_it_and_only_then() {
    let mut opening = request("en", 3);
    opening.story.depth = 2;
    let first = text(&opening);
    assert!(first.ends_with("a stand-in that writes from templates.)"), "{first}");
    opening.turns.insert(0, Turn::new(Role::Model, first));
    assert!(!text(&opening).contains("offline storyteller"));
    assert!(!text(&request("en", 3)).contains("offline storyteller"));
}

#[test]
fn later_replies_do_not_repeat_earlier_ones() {
    let mut story = request("ru", 0);
    for seed in 0..5 {
        story.seed = seed;
        let reply = text(&story);
        for turn in story.turns.iter().filter(|turn| turn.role == Role::Model) {
            let earlier: HashSet<&str> = sentences(&turn.blocks[0]).into_iter().collect();
            let again =
                sentences(&reply).into_iter().filter(|sentence| earlier.contains(sentence)).count();
            assert!(again <= 2, "{again} sentences again:\n{reply}\n---\n{}", turn.text());
        }
        story.turns.insert(0, Turn::new(Role::Model, reply));
    }
}

#[test]
fn the_request_can_be_found_in_the_reply() {
    let mut story = request("en", 11);
    story.story.instruction = Some("Old Tom drops the tray".to_owned());
    let reply = text(&story);
    for expected in ["Mira", "What is hidden in the cellar?", "Old Tom drops the tray"] {
        assert!(reply.contains(expected), "no {expected} in:\n{reply}");
    }
    assert!(
        ["lighthouse", "salt", "brass key"].iter().any(|detail| reply.contains(detail)),
        "{reply}"
    );
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just(String::new()),
        Just("{{user}} {{char}} {S} [a|b] <b>x</b> **".to_owned()),
        Just("👩‍👩‍👧‍👦❤️🇫🇷".repeat(20)),
        Just("\u{202e}שלום עולם. مرحبا بالعالم.\u{0}".to_owned()),
        Just("ж".repeat(32_768)),
        Just("a. ".repeat(20_000)),
        Just("*".repeat(9)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn any_text_makes_a_reply(
        texts in prop::collection::vec(hostile(), 8), seed: u64, depth in 0_u32..5, russian: bool, kind in 0_u8..6,
    ) {
        let mut request = request(if russian { "ru" } else { "en" }, seed);
        let mut texts = texts.into_iter();
        let mut next = || texts.next().unwrap_or_default();
        let story = &mut request.story;
        story.player = next();
        story.cast = vec![next(), next()];
        story.about_speaker = next();
        story.about_player = next();
        story.last_line = next();
        story.instruction = Some(next());
        story.depth = depth;
        story.speaker = (kind < 3).then(next);
        story.voice = [Voice::First, Voice::Second, Voice::Third][usize::from(kind % 3)];
        story.task = [NarratorTask::Scene, NarratorTask::Transition, NarratorTask::Recap].get(usize::from(kind % 3)).copied();
        let reply = text(&request);
        let is_clean = !reply.contains(['{', '}', '\u{202e}']);
        prop_assert!(is_clean, "not clean: {}", reply);
        prop_assert!(count_words(&reply) >= 60, "{}", reply);
        prop_assert!(reply.len() < 6_000);
    }
}
