//! Whole turns with real providers over real HTTP: what a player sees of each fault.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};
use skald_base::config::Secret;
use skald_core::{
    Limits,
    llm::{
        Abilities, Listed, Options, RoleChoice,
        catalogue::{Catalogue, Glob},
        gemini::{Gemini, GeminiConfig, Safety},
        http::{Http, Timeouts},
        offline::{Offline, Pace},
        openai::{OpenAi, OpenAiConfig, Profile},
        registry::{Models, Provided, Roles},
    },
};
use skald_doubles::{
    Delivery, Gate, GeminiDouble, GeminiFault, How, OpenAiDouble, OpenAiFault, Overflow,
    Profile as Server, story, tokens::Vocabulary,
};

use crate::harness::{Plan, Tale, World, freya, id, story_with};

const KEY: &str = "key-of-the-host-5512";
const FLASH: &str = "gemini-3.8-flash";
/// The model of the compatible servers.
const STORY: &str = "story";

const TIMEOUTS: Timeouts =
    Timeouts { first_byte: Duration::from_secs(20), idle: Duration::from_secs(20) };

pub(crate) fn gemini(name: &str, double: &GeminiDouble) -> Provided {
    let key = Secret::new(KEY);
    let config =
        GeminiConfig { base_url: double.url(), key, timeouts: TIMEOUTS, safety: Safety::Off };
    let provider = Arc::new(Gemini::new(config, Http::new().unwrap()));
    Provided {
        name: name.into(),
        provider,
        defaults: Abilities::default(),
        offer: vec![Glob::new("*")],
    }
}

pub(crate) fn openai(name: &str, double: &OpenAiDouble, profile: Profile) -> Provided {
    let key = Some(Secret::new(KEY));
    let config = OpenAiConfig { base_url: double.url(), key, profile, timeouts: TIMEOUTS };
    let provider = Arc::new(OpenAi::new(config, Http::new().unwrap()));
    Provided {
        name: name.into(),
        provider,
        defaults: profile.abilities(),
        offer: vec![Glob::new("*")],
    }
}

/// A world in which these providers have this model, and the first one writes.
pub(crate) fn world_of(provided: Vec<Provided>, model: &str) -> Plan {
    let names: Vec<String> = provided.iter().map(|provided| provided.name.clone()).collect();
    let story = RoleChoice {
        model: format!("{}/{model}", names[0]),
        fallback: None,
        options: Options::default(),
    };
    let roles = Roles { story: Some(story), ..Roles::default() };
    let offline = Offline::new(Pace::Instant, true);
    let models = Models::new(offline, provided, roles, Catalogue::new(Vec::new()));
    for name in names {
        models.learn(&name, vec![Listed { id: model.into(), ..Listed::default() }]);
    }
    let limits = Limits { replies_per_user: 100, ..Limits::default() };
    Plan { llm: Arc::new(models), limits, ..Plan::default() }
}

/// What became of a fault.
#[derive(Debug, PartialEq)]
struct Seen {
    status: String,
    /// The failure's code, or why a complete reply ended.
    reason: String,
    attempts: i64,
    /// How much of the text there is: none, a beginning, or all.
    text: &'static str,
}

fn seen(message: &Value, whole: &str) -> Seen {
    let generation = &message["generation"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let content = message["content"].as_str().unwrap();
    let code = word(&generation["failure"]["code"]);
    Seen {
        status: word(&message["status"]),
        reason: if code.is_empty() { word(&generation["finishReason"]) } else { code },
        attempts: generation["attempt"].as_i64().unwrap(),
        text: match content {
            "" => "none",
            text if text == whole => "all",
            text if whole.starts_with(text) => "a beginning",
            _ => "something else",
        },
    }
}

fn saw(status: &str, reason: &str, attempts: i64, text: &'static str) -> Seen {
    Seen { status: status.into(), reason: reason.into(), attempts, text }
}

/// Plays one turn with each of these providers at once.
async fn play_all(world: &World, providers: usize, model: &str) -> Vec<Value> {
    let play = async |n: usize| {
        let tale = world.tale(freya()).await;
        let settings = json!({ "id": tale.session, "settings": {
            "storyModelId": format!("f{n}/{model}") } });
        world.does(freya(), "updateSession", settings).await;
        world.talks(freya(), &tale, "I sit down.").await.1
    };
    join_all((0..providers).map(play)).await
}

#[tokio::test]
async fn every_fault_of_gemini_is_told_for_what_it_is() {
    use GeminiFault as Fault;
    let cases = [
        (Fault::ThoughtsThenText, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::PartsInOneChunk, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::LastChunkSignature, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::LastChunkWithoutContent, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::JsonArray, 1, saw("COMPLETE", "STOP", 1, "all")),
        (
            Fault::EndsWith { reason: "UNHEARD_OF", after: 9999 },
            1,
            saw("COMPLETE", "STOP", 1, "all"),
        ),
        (Fault::MaxTokensAfter(3), 1, saw("COMPLETE", "LENGTH", 1, "a beginning")),
        (Fault::NoFinishReason, 9, saw("INTERRUPTED", "CUT", 1, "all")),
        (
            Fault::EndsWith { reason: "SAFETY", after: 3 },
            9,
            saw("INTERRUPTED", "BLOCKED", 1, "a beginning"),
        ),
        (Fault::ErrorEvent(3), 9, saw("INTERRUPTED", "OVERLOADED", 1, "a beginning")),
        (Fault::ErrorLines(3), 9, saw("INTERRUPTED", "OVERLOADED", 1, "a beginning")),
        (Fault::PromptBlocked("PROHIBITED_CONTENT"), 9, saw("FAILED", "BLOCKED", 1, "none")),
        (Fault::BadKey, 9, saw("FAILED", "AUTH", 1, "none")),
        (Fault::LeakedKey, 9, saw("FAILED", "AUTH", 1, "none")),
        (Fault::ModelGone, 9, saw("FAILED", "MODEL_NOT_FOUND", 1, "none")),
        (Fault::QuotaPerDay(0.2), 9, saw("FAILED", "QUOTA", 1, "none")),
        (Fault::QuotaZero, 9, saw("FAILED", "QUOTA", 1, "none")),
        (Fault::QuotaPerMinute(301.0), 9, saw("FAILED", "QUOTA", 1, "none")),
        // What passes is tried again, and nobody notices but the clock.
        (Fault::QuotaPerMinute(0.2), 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::MaxTokensInThoughts, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::ThoughtsOnly, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::EmptyText, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::MalformedFunctionCall, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::BadGateway, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::Internal, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::DeadlineExceeded, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::Overloaded, 2, saw("COMPLETE", "STOP", 3, "all")),
        (Fault::Overloaded, 9, saw("FAILED", "OVERLOADED", 3, "none")),
    ];
    let doubles = join_all(cases.iter().map(|_| GeminiDouble::start())).await;
    let plan = || {
        let provided =
            doubles.iter().zip(&cases).enumerate().map(|(n, (double, (fault, times, _)))| {
                double.works();
                double.fails_times(*times, fault.clone());
                gemini(&format!("f{n}"), double)
            });
        (world_of(provided.collect(), FLASH), ())
    };
    story_with(plan, async |world, ()| {
        let messages = play_all(world, cases.len(), FLASH).await;
        for ((fault, _, expected), message) in cases.iter().zip(messages) {
            assert_eq!(seen(&message, story::ENGLISH), *expected, "{fault:?}: {message}");
            assert!(!message.to_string().contains(KEY), "{message}");
            if expected.status == "COMPLETE" {
                assert!(message["generation"]["usage"]["prompt"].as_i64() > Some(100), "{message}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_fault_of_a_compatible_server_is_told_for_what_it_is() {
    use OpenAiFault as Fault;
    let cases = [
        (Fault::BytesAfterDone, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::NoDone, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::EmptyChoices, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::NullContent, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::Pings, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::UnknownFinishReason, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::JsonInsteadOfStream, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::Length(3), 1, saw("COMPLETE", "LENGTH", 1, "a beginning")),
        (Fault::NoFinishReason, 9, saw("INTERRUPTED", "CUT", 1, "all")),
        (Fault::ContentFilter(3), 9, saw("INTERRUPTED", "BLOCKED", 1, "a beginning")),
        (Fault::ErrorEvent(4), 9, saw("INTERRUPTED", "OVERLOADED", 1, "a beginning")),
        (Fault::ErrorThenDone(4), 9, saw("INTERRUPTED", "OVERLOADED", 1, "a beginning")),
        (Fault::NamedErrorEvent(4), 9, saw("INTERRUPTED", "OVERLOADED", 1, "a beginning")),
        (Fault::FinishError(4), 9, saw("INTERRUPTED", "OVERLOADED", 1, "a beginning")),
        (Fault::BadKey, 9, saw("FAILED", "AUTH", 1, "none")),
        (Fault::StringError, 9, saw("FAILED", "AUTH", 1, "none")),
        (Fault::DetailError, 9, saw("FAILED", "BAD_REQUEST", 1, "none")),
        (Fault::TopLevelError, 9, saw("FAILED", "BAD_REQUEST", 1, "none")),
        (Fault::NoCredits, 9, saw("FAILED", "QUOTA", 1, "none")),
        (Fault::InsufficientQuota, 9, saw("FAILED", "QUOTA", 1, "none")),
        (Fault::Moderated, 9, saw("FAILED", "BLOCKED", 1, "none")),
        (Fault::ModelGone, 9, saw("FAILED", "MODEL_NOT_FOUND", 1, "none")),
        (
            Fault::ContextOverflow(Overflow::LlamaCpp),
            9,
            saw("FAILED", "PROMPT_TOO_LARGE", 3, "none"),
        ),
        // What passes is tried again, and nobody notices but the clock.
        (Fault::RateLimited(1), 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::Loading, 4, saw("COMPLETE", "STOP", 5, "all")),
        (Fault::EmptyDeltaThenEnd, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::EmptyText, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::TimedOut, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::BadGateway, 1, saw("COMPLETE", "STOP", 2, "all")),
        (Fault::Internal, 2, saw("COMPLETE", "STOP", 3, "all")),
        // What the template cannot take is put differently in the same attempt.
        (Fault::NoSystemRole, 1, saw("COMPLETE", "STOP", 1, "all")),
        (Fault::MustAlternate, 1, saw("COMPLETE", "STOP", 1, "all")),
    ];
    let doubles = join_all(cases.iter().map(|_| OpenAiDouble::start(Server::Plain))).await;
    let plan = || {
        let provided =
            doubles.iter().zip(&cases).enumerate().map(|(n, (double, (fault, times, _)))| {
                double.works();
                double.fails_times(*times, fault.clone());
                openai(&format!("f{n}"), double, Profile::Generic)
            });
        (world_of(provided.collect(), STORY), ())
    };
    story_with(plan, async |world, ()| {
        let messages = play_all(world, cases.len(), STORY).await;
        for ((fault, _, expected), message) in cases.iter().zip(messages) {
            assert_eq!(seen(&message, story::ENGLISH), *expected, "{fault:?}: {message}");
            assert!(!message.to_string().contains(KEY), "{message}");
        }
    })
    .await;
}

/// What every reply's plan says it was sent with.
async fn request_body(world: &World, message: &str) -> String {
    let query = "query($id: ID!) { message(id: $id) { generation { prompt { requestBody } } } }";
    let message = world.ask(freya(), query, json!({ "id": message })).await;
    message["generation"]["prompt"]["requestBody"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_kind_of_server_plays_a_session() {
    let servers = [
        (Server::Plain, Profile::Generic),
        (Server::Ollama, Profile::Ollama),
        (Server::LlamaCpp, Profile::LlamaCpp),
        (Server::Vllm, Profile::Vllm),
        (Server::LmStudio, Profile::LmStudio),
        (Server::OpenRouter, Profile::OpenRouter),
        (Server::KoboldCpp, Profile::KoboldCpp),
        (Server::TabbyApi, Profile::TabbyApi),
    ];
    for (server, profile) in servers {
        let double = OpenAiDouble::start(server).await;
        double.thinks(story::THOUGHTS);
        let plan = || (world_of(vec![openai("f0", &double, profile)], STORY), ());
        story_with(plan, async |world, ()| {
            let calls = double.call_count();
            plays(world, story::ENGLISH).await;
            let sent: Vec<_> = double.calls().into_iter().skip(calls).collect();
            assert_eq!(sent.len(), 3, "{server:?}: nothing had to be sent twice");
        })
        .await;
    }
}

#[tokio::test]
async fn gemini_plays_a_session() {
    let double = GeminiDouble::start().await;
    double.thinks(story::THOUGHTS);
    let plan = || (world_of(vec![gemini("f0", &double)], FLASH), ());
    story_with(plan, async |world, ()| {
        let calls = double.call_count();
        let (tale, replies) = plays(world, story::ENGLISH).await;
        // What a plan says was sent is what the server got, byte for byte, and stays it.
        let bodies: Vec<_> =
            double.calls().into_iter().skip(calls).map(|call| call.body.clone()).collect();
        assert_eq!(bodies.len(), replies.len());
        let change = json!({ "id": tale.character, "name": "Ada", "description": "A spy." });
        world.does(freya(), "updateCharacter", change).await;
        world.does(freya(), "updatePersona", json!({ "id": tale.persona, "name": "Else" })).await;
        for (body, reply) in bodies.iter().zip(&replies) {
            assert_eq!(request_body(world, reply).await.as_bytes(), body);
            assert!(!String::from_utf8_lossy(body).contains(KEY));
        }
        // The next turn's request begins with all of this one up to what was said last.
        let texts: Vec<String> =
            bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect();
        let (shared, _) = texts[0].split_once("I sit down.").unwrap();
        assert!(
            texts[1].starts_with(&format!("{shared}I sit down.")),
            "{}\n{}",
            texts[0],
            texts[1]
        );
    })
    .await;
}

/// A turn, a second one and a swipe, each with thought and honest usage.
async fn plays(world: &World, whole: &str) -> (Tale, Vec<String>) {
    let tale = world.tale(freya()).await;
    let first = world.talks(freya(), &tale, "I sit down.").await.1;
    let second = world.talks(freya(), &tale, "I look around.").await.1;
    let swipe = world.does(freya(), "regenerateReply", json!({ "messageId": second["id"] })).await;
    let third = world.ends(freya(), &id(&swipe["reply"])).await;
    for reply in [&first, &second, &third] {
        assert_eq!(seen(reply, whole), saw("COMPLETE", "STOP", 1, "all"), "{reply}");
        assert_eq!(reply["thought"].as_str().unwrap().trim(), story::THOUGHTS.trim(), "{reply}");
        let usage = &reply["generation"]["usage"];
        assert!(
            usage["prompt"].as_i64() > Some(300) && usage["output"].as_i64() > Some(10),
            "{usage}"
        );
    }
    (tale, [first, second, third].iter().map(id).collect())
}

/// Whose letters a story is written in, and who says what in it.
const LANGUAGES: [(&str, &str, &str); 3] = [
    ("en", "Mira, an innkeeper with a burn scar, who trusts nobody.", story::ENGLISH),
    ("ru", "Мира, хозяйка трактира со шрамом от ожога. Не верит никому.", story::RUSSIAN),
    ("zh", "米拉，客栈老板娘，脸上有烧伤的疤痕，谁也不信任。", story::CHINESE),
];

#[tokio::test]
async fn after_ten_turns_sizes_are_within_a_tenth_of_the_truth() {
    for vocabulary in [Vocabulary::O200k, Vocabulary::Cl100k] {
        sizes_are_learnt(vocabulary).await;
    }
}

async fn sizes_are_learnt(vocabulary: Vocabulary) {
    let double = OpenAiDouble::start(Server::Plain).await;
    double.behaves(|traits| traits.vocabulary = vocabulary);
    // One model, three languages: what is learnt of one must not spoil the others.
    let plan = || (world_of(vec![openai("f0", &double, Profile::Generic)], STORY), ());
    story_with(plan, async |world, ()| {
        let mut tales = Vec::new();
        for (language, about, _) in LANGUAGES {
            let card = json!({ "name": "Mira", "description": about, "greeting": about });
            let character = world.character(freya(), card).await;
            let persona = world.persona(freya(), "Astrid").await;
            let input = json!({ "personaId": persona, "characterIds": [character],
                "language": language });
            let session = world.does(freya(), "createSession", input).await["session"].clone();
            tales.push(Tale { session: id(&session), persona, character, greeting: String::new() });
        }
        for turn in 0..11 {
            for (tale, (language, _, text)) in tales.iter().zip(LANGUAGES) {
                // Longer and shorter parts of a text, so that no two turns are alike.
                let letters: Vec<char> = text.chars().collect();
                let part = |from: usize, share: usize| -> String {
                    letters.iter().cycle().skip(from).take(letters.len() * share / 4).collect()
                };
                double.says_once(part(turn * 17, 1 + turn % 4));
                let (_, reply) = world.talks(freya(), tale, &part(turn * 31, 1 + turn % 3)).await;
                let query = "query($id: ID!) { message(id: $id) { generation {
                    usage { prompt } prompt { tokens } } } }";
                let told = world.ask(freya(), query, json!({ "id": reply["id"] })).await;
                let of = |value: &Value| f64::from(u32::try_from(value.as_u64().unwrap()).unwrap());
                let counted = of(&told["generation"]["usage"]["prompt"]);
                let estimated = of(&told["generation"]["prompt"]["tokens"]);
                let error = estimated / counted - 1.0;
                let told = format!("{vocabulary:?} {language} {turn}: {estimated} for {counted}");
                assert!(turn < 10 || error.abs() <= 0.1, "{told}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn who_stops_a_reply_closes_the_socket_to_the_model_at_once() {
    let double = GeminiDouble::start().await;
    let gate = Gate::new();
    let plan = || (world_of(vec![gemini("f0", &double)], FLASH), ());
    story_with(plan, async |world, ()| {
        // Before a word, and in the middle of the text.
        for (delivery, mid_text) in [
            (Delivery::new().hold_headers(&gate), false),
            (Delivery::new().hold_after(3, &gate), true),
        ] {
            double.deliver_once(delivery);
            let tale = world.tale(freya()).await;
            let reply = id(&world.says(freya(), &tale, "I sit down.").await["reply"]);
            let call = double.next_call().await;
            if mid_text {
                let mut watcher = world.watch_reply(freya(), json!({ "id": reply }));
                watcher.until_type("ReplyDelta").await;
            }
            let stopped = std::time::Instant::now();
            world.does(freya(), "stopReply", json!({ "messageId": reply })).await;
            let end = call.end().await;
            assert_eq!(end.how, How::Closed);
            let took = end.at.saturating_duration_since(stopped);
            assert!(took < Duration::from_millis(100), "closed after {took:?}");
            assert_eq!(world.ends(freya(), &reply).await["status"], "STOPPED");
        }
        // A server that goes down lets go of its models likewise.
        double.deliver_once(Delivery::new().hold_after(3, &gate));
        let tale = world.tale(freya()).await;
        let reply = id(&world.says(freya(), &tale, "I sit down.").await["reply"]);
        let call = double.next_call().await;
        world.watch_reply(freya(), json!({ "id": reply })).until_type("ReplyDelta").await;
        let stopped = std::time::Instant::now();
        world.app.lifecycle.stop(Duration::ZERO).await;
        let end = call.end().await;
        let took = end.at.saturating_duration_since(stopped);
        assert!(end.how == How::Closed && took < Duration::from_millis(100), "{end:?} {took:?}");
        let message = world.message(freya(), &reply).await;
        assert_eq!(message["status"], "INTERRUPTED");
        assert!(!message["content"].as_str().unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_context_smaller_than_said_is_found_out_and_kept_to() {
    let double = OpenAiDouble::start(Server::Plain).await;
    // Nobody tells Skald, which believes in 8,192.
    double.behaves(|traits| traits.context = 2_000);
    let plan = || (world_of(vec![openai("f0", &double, Profile::Generic)], STORY), ());
    story_with(plan, async |world, ()| {
        let tale = world.tale(freya()).await;
        let line = "I look around the room and wonder what to ask her first. ".repeat(8);
        let mut repeated = 0;
        for turn in 0..12 {
            let (_, reply) = world.talks(freya(), &tale, &format!("{turn}: {line}")).await;
            assert_eq!(reply["status"], "COMPLETE", "{turn}: {reply}");
            repeated += reply["generation"]["attempt"].as_i64().unwrap() - 1;
        }
        // It was learnt once, not in every turn.
        assert!((1..=4).contains(&repeated), "{repeated}");
    })
    .await;
}
