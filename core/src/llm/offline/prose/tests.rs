//! Laws of the sentences themselves.

use super::tongue::{self, ByIntent, Pool, Tongue};

fn by_intent(pools: &ByIntent) -> [Pool; 6] {
    [pools.greeting, pools.farewell, pools.question, pools.action, pools.silence, pools.statement]
}

/// Everything that is told, as against spoken.
fn told(tongue: &Tongue) -> Vec<&'static str> {
    let (told, narrator) = (&tongue.narration, &tongue.narrator);
    let mut pools = vec![
        told.openings,
        told.beats,
        told.anywhere,
        told.gestures,
        told.touches,
        told.glimpses,
        told.echoed_questions,
        told.echoed_statements,
        told.named_details,
        told.quoted_details,
        told.rumours,
        told.asides,
        told.others,
        told.hooks,
        told.farewell_hooks,
        narrator.passages,
        narrator.arrivals,
        narrator.recap_openings,
        narrator.recap_moments,
        narrator.recap_latest,
        narrator.recap_musings,
        narrator.recap_hooks,
        narrator.presences,
        narrator.hooks,
    ];
    pools.extend(by_intent(&tongue.reactions));
    pools.extend(tongue.places.iter().map(|place| place.sights));
    pools.extend(tongue.moods.iter().map(|mood| mood.sentences));
    pools.concat()
}

fn spoken(tongue: &Tongue) -> Vec<&'static str> {
    let questions = &tongue.questions;
    let mut pools =
        vec![questions.place, questions.person, questions.reason, tongue.narration.partings];
    pools.extend(by_intent(&tongue.lines));
    pools.extend(tongue.tempers.iter().map(|temper| temper.codas));
    pools.concat()
}

fn tongues() -> [&'static Tongue; 2] {
    [tongue::of("en"), tongue::of("ru-RU")]
}

/// What stands right before and right after each mention of the player.
fn around_player(template: &str) -> Vec<(char, char)> {
    let mentions = template.match_indices("{player}");
    let beside = |text: &str, last: bool| {
        if last { text.chars().next_back() } else { text.chars().next() }
    };
    mentions
        .map(|(at, name)| {
            let before = beside(template[..at].trim_end(), true).unwrap_or('.');
            (before, beside(&template[at + name.len()..], false).unwrap_or('.'))
        })
        .collect()
}

#[test]
fn the_player_is_never_the_one_who_acts() {
    for tongue in tongues() {
        for template in told(tongue) {
            for sentence in template.split(". ") {
                assert!(!sentence.starts_with("{player} "), "{template}");
                let allowed =
                    ["You see ", "You hear "].iter().any(|start| sentence.starts_with(start));
                assert!(allowed || !sentence.starts_with("You "), "{template}");
                assert!(!sentence.starts_with("Ты "), "{template}");
            }
        }
        for template in spoken(tongue) {
            for (before, after) in around_player(template) {
                assert!(
                    ",.".contains(before) || ",.:".contains(after),
                    "not an address: {template}"
                );
                assert!(",.:;?!".contains(after), "not an address: {template}");
            }
        }
    }
}

#[test]
fn russian_narration_never_needs_the_players_name() {
    for template in told(tongue::of("ru")) {
        assert!(!template.contains("{player}"), "{template}");
        assert!(
            !template.chars().any(|c| c.is_ascii_alphabetic()) || template.contains('{'),
            "{template}"
        );
    }
}

#[test]
fn templates_are_well_formed_and_distinct() {
    for tongue in tongues() {
        let all = [told(tongue), spoken(tongue)].concat();
        for (at, template) in all.iter().enumerate() {
            for (open, close) in [('{', '}'), ('[', ']'), ('<', '>')] {
                let count = |mark| template.chars().filter(|c| *c == mark).count();
                assert_eq!(count(open), count(close), "{template}");
            }
            for key in template.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
                assert!(
                    ["S", "s", "name", "player", "other", "echo", "Echo", "detail"].contains(&key),
                    "{template}"
                );
            }
            assert!(!all[at + 1..].contains(template), "twice: {template}");
        }
    }
}

#[test]
fn the_narrator_needs_no_speaker() {
    for tongue in tongues() {
        let narrator = &tongue.narrator;
        let pools = [
            narrator.passages,
            narrator.arrivals,
            narrator.recap_openings,
            narrator.recap_moments,
            narrator.recap_latest,
            narrator.recap_musings,
            narrator.recap_hooks,
            narrator.presences,
            narrator.hooks,
            tongue.narration.openings,
            tongue.narration.beats,
            tongue.narration.anywhere,
            tongue.narration.asides,
        ];
        for template in pools.concat() {
            assert!(
                !template.contains("{name}") && !template.to_lowercase().contains("{s}"),
                "{template}"
            );
        }
    }
}

#[test]
fn languages_are_known_by_their_tag() {
    for (tag, cyrillic) in
        [("ru", true), ("RU-ru", true), ("ru_RU", true), ("en", false), ("", false), ("rum", false)]
    {
        assert_eq!(tongue::of(tag).typography.cyrillic, cyrillic, "{tag}");
    }
}
