//! What means the same comes to mind, as long as somebody embeds.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use skald_base::clock::TestClock;
use skald_core::{
    llm::{
        catalogue::Catalogue,
        offline::{Offline, Pace},
        openai::Profile,
        registry::{EmbeddingRole, Models, Roles},
    },
    memory::reindex,
    purge,
};
use skald_doubles::{Endpoint, OpenAiDouble, OpenAiFault, Profile as Server};
use tokio::time::{Duration, sleep, timeout};

use crate::{
    harness::{PATIENCE, Plan, Tale, World, freya, id, story_with},
    providers::openai,
};

/// It shares only little words with the question, which count for meaning alone: the double's
/// vectors are made of all words.
const TOLD: &str = "We were there with him.";
const QUESTION: &str = "Were we there with him?";

/// Words of the question stand here too.
const LAKE: &str = "The silver key lies in the lake.";

/// A world in which the offline storyteller writes and this server embeds.
fn plan(double: &OpenAiDouble) -> Plan {
    let (model, dimensions) = (Some("lab/embedder".to_owned()), Some(256));
    let embedding = EmbeddingRole { model, dimensions, only_of: None };
    let roles = Roles { embedding, ..Roles::default() };
    let provided = vec![openai("lab", double, Profile::Generic)];
    let offline = Offline::new(Pace::Instant, true);
    let models = Models::new(offline, provided, roles, Catalogue::new(Vec::new()));
    Plan { llm: Arc::new(models), ..Plan::default() }
}

async fn embedded_story(tell: impl AsyncFn(&World, &OpenAiDouble)) {
    let double = OpenAiDouble::start(Server::Plain).await;
    story_with(
        || {
            double.works();
            (plan(&double), ())
        },
        async |world, ()| tell(world, &double).await,
    )
    .await;
}

/// What would come to mind of all that was told.
async fn recalls(world: &World, session: &str, text: &str) -> Vec<Value> {
    let query = "query($input: RecallPreviewInput!) { recallPreview(input: $input) {
        text lexicalRank denseRank reason } }";
    let input = json!({ "sessionId": session, "text": text, "context": "", "scope": "PATH" });
    let found = world.ask(freya(), query, json!({ "input": input })).await;
    found.as_array().unwrap().clone()
}

async fn all_are_embedded(world: &World) {
    reindex(&world.app, |_| {}).await.unwrap();
}

/// The texts that were embedded to be found, since so many calls.
fn embedded(double: &OpenAiDouble, since: usize) -> Vec<String> {
    let calls = double.calls();
    let calls = calls.iter().skip(since).filter(|call| call.endpoint == Endpoint::Embed);
    let texts = calls.flat_map(|call| call.json["input"].as_array().unwrap().clone());
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

async fn tells(world: &World, texts: &[&str]) -> Tale {
    let tale = world.tale(freya()).await;
    for text in texts {
        world.talks(freya(), &tale, text).await;
    }
    tale
}

#[tokio::test]
async fn what_means_the_same_comes_to_mind_without_a_shared_word() {
    embedded_story(async |world, _double| {
        let tale = tells(world, &[TOLD, LAKE]).await;
        all_are_embedded(world).await;
        let found = recalls(world, &tale.session, QUESTION).await;
        let first = &found[0];
        assert_eq!(first["text"], TOLD, "{found:?}");
        assert_eq!((&first["lexicalRank"], &first["denseRank"]), (&Value::Null, &json!(1)));
        assert!(first["reason"].as_str().unwrap().contains("its meaning is near"), "{first}");
        let found = recalls(world, &tale.session, "A silver key?").await;
        assert_eq!((&found[0]["text"], &found[0]["lexicalRank"]), (&json!(LAKE), &json!(1)));
    })
    .await;
}

#[tokio::test]
async fn what_has_no_vector_gets_one_in_the_background() {
    embedded_story(async |world, _double| {
        let tale = tells(world, &[TOLD, LAKE]).await;
        let found = recalls(world, &tale.session, QUESTION).await;
        assert!(found.iter().all(|memory| memory["denseRank"] == Value::Null), "{found:?}");
        let comes = async {
            while recalls(world, &tale.session, QUESTION).await.is_empty() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, comes).await.expect("vectors in time");
        assert_eq!(recalls(world, &tale.session, QUESTION).await[0]["text"], TOLD);
    })
    .await;
}

#[tokio::test]
async fn without_the_embedder_words_are_left_and_turns_go_on() {
    embedded_story(async |world, double| {
        let tale = tells(world, &[TOLD, LAKE]).await;
        all_are_embedded(world).await;
        let faults = [OpenAiFault::BadGateway, OpenAiFault::BadKey, OpenAiFault::RateLimited(120)];
        for (n, fault) in faults.into_iter().enumerate() {
            double.fails_at(Endpoint::Embed, fault);
            let found = recalls(world, &tale.session, &format!("A silver key, {n}?")).await;
            assert_eq!(found[0]["text"], LAKE);
            assert_eq!(found[0]["denseRank"], Value::Null);
            let (_, reply) = world.talks(freya(), &tale, "And then?").await;
            assert_eq!(reply["status"], "COMPLETE");
        }
        // After several failures nobody asks it any more.
        let calls = double.call_count();
        assert_eq!(recalls(world, &tale.session, "Which key?").await[0]["text"], LAKE);
        assert_eq!(double.call_count(), calls);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_embedded_twice() {
    embedded_story(async |world, double| {
        let before = double.call_count();
        let tale = tells(world, &[TOLD, LAKE]).await;
        all_are_embedded(world).await;
        let texts = embedded(double, before);
        let different: BTreeSet<&String> = texts.iter().collect();
        assert_eq!(different.len(), texts.len(), "{texts:?}");
        assert!(texts.iter().any(|text| text == LAKE), "{texts:?}");
        let calls = double.call_count();
        all_are_embedded(world).await;
        let path = world.path(freya(), &tale, None).await;
        let fork = json!({ "sessionId": tale.session, "messageId": path.last(), "scope": "PATH" });
        let fork = world.does(freya(), "forkSession", fork).await;
        all_are_embedded(world).await;
        assert_eq!(embedded(double, calls), [] as [String; 0], "a fork has what its story has");
        let found = recalls(world, &id(&fork["session"]), QUESTION).await;
        assert_eq!((&found[0]["text"], &found[0]["denseRank"]), (&json!(TOLD), &json!(1)));
    })
    .await;
}

#[tokio::test]
async fn an_edited_text_is_found_by_what_it_says_now() {
    embedded_story(async |world, _double| {
        let tale = world.tale(freya()).await;
        let (message, _) = world.talks(freya(), &tale, TOLD).await;
        all_are_embedded(world).await;
        let input = json!({ "messageId": message["id"], "content": "Nobody came.",
            "mode": "IN_PLACE" });
        world.does(freya(), "editMessage", input).await;
        all_are_embedded(world).await;
        let found = recalls(world, &tale.session, QUESTION).await;
        assert!(found.iter().all(|memory| memory["text"] != TOLD), "{found:?}");
        let found = recalls(world, &tale.session, "Nobody came.").await;
        assert_eq!(found[0]["text"], "Nobody came.");
        assert!(found[0]["denseRank"].is_number(), "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn vectors_go_with_what_they_tell_of() {
    const VECTORS: &str = "SELECT count(*) FROM embedding";
    let double = OpenAiDouble::start(Server::Plain).await;
    let plan = || {
        let clock = Arc::new(TestClock::new(DateTime::from_timestamp(1_750_000_000, 0).unwrap()));
        (Plan { clock: clock.clone(), ..plan(&double) }, clock)
    };
    story_with(plan, async |world, clock| {
        let tale = world.tale(freya()).await;
        let (message, _) = world.talks(freya(), &tale, TOLD).await;
        all_are_embedded(world).await;
        let all = world.count(VECTORS).await;
        assert_eq!(all, 3, "the greeting, the message, the reply");
        world.does(freya(), "deleteMessage", json!({ "messageId": message["id"] })).await;
        clock.advance(TimeDelta::days(31));
        purge::once(&world.app).await.map_err(|error| error.describe()).unwrap();
        assert_eq!(world.count(VECTORS).await, 1, "the greeting's");
        world.does(freya(), "deleteSession", json!({ "id": tale.session })).await;
        clock.advance(TimeDelta::days(31));
        let erased = purge::once(&world.app).await.map_err(|error| error.describe()).unwrap();
        assert_eq!((world.count(VECTORS).await, erased.vectors), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn another_model_embeds_anew_and_the_old_vectors_go() {
    let double = OpenAiDouble::start(Server::Plain).await;
    let model = |name: &str| {
        let embedding = EmbeddingRole { model: Some(name.into()), ..EmbeddingRole::default() };
        let provided = vec![openai("lab", &double, Profile::Generic)];
        let roles = Roles { embedding, ..Roles::default() };
        let offline = Offline::new(Pace::Instant, true);
        Models::new(offline, provided, roles, Catalogue::new(Vec::new()))
    };
    let plan = || (Plan { llm: Arc::new(model("lab/one")), ..Plan::default() }, ());
    story_with(plan, async |world, ()| {
        let tale = tells(world, &[TOLD]).await;
        all_are_embedded(world).await;
        let plan = Plan { llm: Arc::new(model("lab/other")), seed: 8, ..Plan::default() };
        let later = World::open(world.db.clone(), world.url.clone(), plan).await;
        all_are_embedded(&later).await;
        let found = recalls(&later, &tale.session, QUESTION).await;
        let told = found.iter().find(|memory| memory["text"] == TOLD).expect("a memory");
        assert!(told["denseRank"].is_number(), "{told}");
        let old = "SELECT count(*) FROM embedding WHERE model = 'lab/one'";
        assert_eq!(later.count(old).await, 0);
        later.app.lifecycle.stop(Duration::ZERO).await;
    })
    .await;
}
