use proptest::prelude::*;

use super::*;

const MIRA: Person = 0;
const OLEG: Person = 1;

/// A passage: who told it, in which scene and month of 2024, and what.
type Told<'a> = (Option<Person>, u32, u32, &'a str);

fn index(told: &[Told<'_>]) -> Index {
    let items = told.iter().map(|&(speaker, scene, month, text)| Item {
        text,
        speaker,
        scene,
        day: NaiveDate::from_ymd_opt(2024, month, 10),
    });
    Index::new(&items.collect::<Vec<_>>())
}

fn cast() -> Cast {
    Cast::new(["Mira", "Oleg"])
}

/// Asked by Oleg of Mira.
fn ask<'a>(cast: &'a Cast, text: &'a str) -> Query<'a> {
    let (addressed, asking) = (Some(MIRA), Some(OLEG));
    Query { text, context: "", cast, addressed, asking, meaning: None }
}

fn first(index: &Index, text: &str) -> Option<usize> {
    index.rank(&ask(&cast(), text), 1).first().map(|hit| hit.item)
}

/// What decides, what was told, the query, and what comes to mind first.
type Signal<'a> = (&'a str, &'a [Told<'a>], &'a str, usize);

const SIGNALS: &[Signal<'static>] = &[
    (
        "the one who is named",
        &[(Some(OLEG), 1, 5, "I love rain."), (Some(MIRA), 2, 5, "I love rain.")],
        "What does Mira love?",
        1,
    ),
    (
        "you are the one who is addressed",
        &[(Some(OLEG), 1, 5, "I love rain."), (Some(MIRA), 2, 5, "I love rain.")],
        "What do you love?",
        1,
    ),
    (
        "I am the one who asks",
        &[(Some(MIRA), 1, 5, "I love rain."), (Some(OLEG), 2, 5, "I love rain.")],
        "What did I love?",
        1,
    ),
    (
        "the answer beside the question",
        &[
            (Some(MIRA), 1, 5, "Roses, and the sea."),
            (Some(OLEG), 2, 5, "What is your favourite flower?"),
            (Some(MIRA), 2, 5, "Roses."),
        ],
        "Which flower do you like, roses?",
        2,
    ),
    (
        "the day that is named",
        &[(Some(MIRA), 1, 3, "We rode far."), (Some(MIRA), 2, 9, "We rode far.")],
        "Where did we ride in September?",
        1,
    ),
    (
        "a time, if one is asked for",
        &[
            (Some(MIRA), 1, 5, "My brother left the town."),
            (Some(MIRA), 2, 5, "My brother left yesterday."),
        ],
        "When did the brother leave?",
        1,
    ),
    (
        "what tells, not what asks",
        &[(None, 1, 5, "Is there a dragon?"), (None, 2, 5, "There is a dragon here.")],
        "dragon",
        1,
    ),
    (
        "words in every form",
        &[
            (Some(OLEG), 1, 5, "Озеро замёрзло."),
            (Some(MIRA), 2, 5, "Я спрятала кинжалы под старой елью."),
        ],
        "Где кинжал, что ты прятала под ёлкой? Под елями?",
        1,
    ),
];

#[test]
fn each_signal_decides_where_words_alone_do_not() {
    for (what, told, query, expected) in SIGNALS {
        assert_eq!(first(&index(told), query), Some(*expected), "{what}");
    }
}

#[test]
fn a_hit_says_why_it_came_to_mind() {
    let index = index(&[
        (Some(OLEG), 1, 5, "Where is the silver key?"),
        (Some(MIRA), 1, 5, "I hid it last winter."),
        (Some(MIRA), 2, 5, "The moon is up."),
    ]);
    let cast = cast();
    let hits = index.rank(&ask(&cast, "When did you hide the silver key?"), 10);
    let reasons: Vec<_> = hits.iter().map(|hit| (hit.item, &*hit.reason)).collect();
    assert_eq!(
        reasons,
        [
            (
                1,
                "beside it stands \"silver\", \"key\"; it was told by whom you mean; it tells a \
                 time, and you ask for one"
            ),
            (0, "it has \"silver\", \"key\"; but it asks more than it tells"),
        ]
    );
    assert_eq!(hits[0].lexical_rank, Some(2));
    assert_eq!(hits[1].lexical_rank, Some(1));
    let parts = hits[0].parts;
    let sum =
        parts.lexical + parts.question + parts.scene + parts.speaker + parts.date + parts.when;
    assert!((hits[0].score - sum).abs() < 1e-9);
}

#[test]
fn what_was_said_before_counts_less_and_alone_it_counts() {
    let index = index(&[(None, 1, 5, "An old bridge."), (None, 2, 5, "A red boat.")]);
    let cast = cast();
    let ranked = |text, context| {
        let query = Query { context, ..ask(&cast, text) };
        index.rank(&query, 10).into_iter().map(|hit| hit.item).collect::<Vec<_>>()
    };
    assert_eq!(ranked("The boat?", "Old bridge, bridge of old."), [1, 0]);
    assert_eq!(ranked("And then?", "Old bridge."), [0]);
    assert_eq!(ranked("And then?", ""), [] as [usize; 0]);
    assert_eq!(ranked("", ""), [] as [usize; 0]);
    assert!(Index::new(&[]).rank(&ask(&cast, "The boat?"), 10).is_empty());
}

/// What passages and a query mean, in two directions: how much of fire, how much of water.
fn meaning(vectors: &[Option<[f32; 2]>], query: [f32; 2]) -> Vec<Option<f32>> {
    let cosine = |vector: &[f32; 2]| product(vector, &query);
    vectors.iter().map(|vector| vector.as_ref().map(cosine)).collect()
}

const FIRE: [f32; 2] = [1.0, 0.0];
const WATER: [f32; 2] = [0.0, 1.0];

#[test]
fn meaning_finds_what_words_do_not() {
    let index = index(&[
        (Some(OLEG), 1, 5, "The sea was calm."),
        (Some(MIRA), 2, 5, "Flames ate the barn."),
        (Some(OLEG), 3, 5, "The blaze of noon."),
        (Some(OLEG), 4, 5, "What was it? What burned?"),
    ]);
    let cast = cast();
    let vectors = [Some(WATER), Some(FIRE), None, Some(FIRE)];
    let mut surroundings = Surroundings::default();
    surroundings.learn(&index, |item| vectors[item].as_ref().map(|vector| &vector[..]));
    let cosines = meaning(&vectors, FIRE);
    let weights = Weights::default();
    let meaning = Meaning { cosines: &cosines, surroundings: &surroundings, weights };
    let query = Query { meaning: Some(meaning), ..ask(&cast, "Where was the blaze?") };
    let hits = index.rank(&query, 10);
    let seen: Vec<_> = hits.iter().map(|hit| (hit.item, hit.dense_rank, &*hit.reason)).collect();
    assert_eq!(
        seen,
        [
            (2, None, "it has \"blaze\""),
            (1, Some(1), "its meaning is near"),
            (3, Some(1), "its meaning is near; but it asks more than it tells"),
        ],
        "what is far in meaning and has no word of it stays away"
    );
    for hit in &hits {
        let parts = hit.parts;
        let sum = parts.lexical + parts.dense + parts.question + parts.scene + parts.speaker;
        assert!((hit.score - sum - parts.date - parts.when).abs() < 1e-9);
    }
    let alone = Meaning { weights: Weights { meaning: 0.0, ..weights }, ..meaning };
    let words = index.rank(&Query { meaning: Some(alone), ..query }, 10);
    assert_eq!(words.iter().map(|hit| hit.item).collect::<Vec<_>>(), [2], "words alone");
}

#[test]
fn an_embedder_is_asked_without_names() {
    let cast = cast();
    let meant = |text, context| Query { context, ..ask(&cast, text) }.meant();
    assert_eq!(meant("What does Mira love?", "Rain.").as_deref(), Some("What does love?"));
    assert_eq!(meant("And then?", "Oleg went to sea.").as_deref(), Some("went to sea.\nAnd then?"));
    assert_eq!(meant("Mira?", "").as_deref(), Some("?"));
    assert_eq!(meant("Mira", "Oleg"), None);
}

/// A story of few words, so that they meet: for each passage its scene, speaker and words.
fn stories() -> impl Strategy<Value = Vec<(u32, Person, String)>> {
    let words = prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..6);
    let text = words.prop_map(|words| words.join(" "));
    prop::collection::vec((0_u32..3, 0_usize..2, text), 0..15)
}

const WORDS: [&str; 8] = ["lake", "boat?", "key", "moon.", "the", "Mira", "yesterday", "озеро"];

fn items(story: &[(u32, Person, String)]) -> Vec<Item<'_>> {
    let told = story.iter();
    told.map(|(scene, speaker, text)| Item {
        text,
        speaker: Some(*speaker),
        scene: *scene,
        day: NaiveDate::from_ymd_opt(2024, 1, scene + 1),
    })
    .collect()
}

/// The words' score as the definition has it, passage by passage and term by term.
fn by_definition(story: &[(u32, Person, String)], query: &[&str]) -> Vec<f64> {
    let own: Vec<Vec<String>> = story.iter().map(|(_, _, text)| terms(text)).collect();
    let scene = |n: usize| -> Vec<usize> {
        (0..story.len()).filter(|other| story[*other].0 == story[n].0).collect()
    };
    let pooled = |n: usize, of: &dyn Fn(usize) -> f64| -> f64 {
        let scene = scene(n);
        let place = scene.iter().position(|other| *other == n).unwrap();
        let others = scene.iter().enumerate().map(|(at, other)| {
            let asks = story[*other].2.trim().ends_with('?');
            of(*other)
                * match at.abs_diff(place) {
                    0 => 1.0,
                    1 if at < place && asks => 0.7,
                    1 => 0.4,
                    2 => 0.2,
                    _ => 0.0,
                }
        });
        others.sum()
    };
    let count = |n: usize, term: &str| number(own[n].iter().filter(|own| *own == term).count());
    let length = |n: usize| pooled(n, &|other| number(own[other].len()));
    let all = number(story.len());
    let mean = (0..story.len()).map(length).sum::<f64>() / all;
    let score = |n: usize| -> f64 {
        let of_term = query.iter().map(|term| {
            let found = number(own.iter().filter(|own| own.iter().any(|own| own == term)).count());
            let tf = pooled(n, &|other| count(other, term));
            if tf == 0.0 {
                return 0.0;
            }
            let idf = (1.0 + (all - found + 0.5) / (found + 0.5)).ln();
            idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length(n) / mean))
        });
        of_term.sum()
    };
    (0..story.len()).map(score).collect()
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

proptest! {
    #[test]
    fn words_score_as_the_definition_says(story in stories()) {
        let index = Index::new(&items(&story));
        let cast = Cast::default();
        let hits = index.rank(&ask(&cast, "key lake Озеро"), usize::MAX);
        let expected = by_definition(&story, &["key", "lake", "озер"]);
        let best = expected.iter().copied().fold(0.0, f64::max);
        for (item, expected) in expected.iter().enumerate() {
            let hit = hits.iter().find(|hit| hit.item == item);
            let found = hit.map_or(0.0, |hit| hit.parts.lexical);
            let expected = if best > 0.0 { expected / best } else { 0.0 };
            prop_assert!((found - expected).abs() < 1e-9, "{} {} {}", item, found, expected);
        }
    }

    /// Maps hash differently each time: no order of theirs may be seen.
    #[test]
    fn the_same_story_is_ranked_the_same(story in stories(), most in 0_usize..20) {
        let (cast, items) = (cast(), items(&story));
        let query = Query { context: "moon boat", ..ask(&cast, "When was Mira at the lake, key?") };
        let all = Index::new(&items).rank(&query, usize::MAX);
        let some = Index::new(&items).rank(&query, most);
        prop_assert_eq!(&all[..most.min(all.len())], &some[..]);
        for pair in all.windows(2) {
            let order = pair[1].score.total_cmp(&pair[0].score);
            prop_assert!(order.then(pair[0].item.cmp(&pair[1].item)).is_lt());
        }
    }

    /// Saying a word that is looked for once more never lowers a passage among the others.
    #[test]
    fn own_words_never_lower_a_rank(
        counts in prop::collection::vec((0_usize..4, 0_usize..6), 1..10),
        at in 0_usize..10,
    ) {
        let at = at % counts.len();
        let rank = |counts: &[(usize, usize)]| {
            let texts: Vec<String> = counts.iter()
                .map(|(keys, moons)| "key ".repeat(*keys) + &"moon ".repeat(*moons)).collect();
            let items: Vec<Item<'_>> = (0..).zip(&texts)
                .map(|(scene, text)| Item { text, speaker: None, scene, day: None }).collect();
            let cast = Cast::default();
            let hits = Index::new(&items).rank(&ask(&cast, "key"), usize::MAX);
            hits.iter().position(|hit| hit.item == at).unwrap_or(counts.len())
        };
        let mut more = counts.clone();
        more[at].0 += 1;
        prop_assert!(rank(&more) <= rank(&counts));
    }
}
