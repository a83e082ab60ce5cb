//! The same request again is answered as the first time, whatever changed since.

use std::sync::Arc;

use serde_json::json;
use skald_base::testing::{TestDb, each_database};
use skald_core::{
    MIGRATIONS,
    llm::offline::{Offline, Pace},
};

use crate::{
    harness::{Plan, World, freya, id},
    script::{MODEL, scripted},
};

#[tokio::test]
async fn a_repeat_is_answered_when_the_model_has_left_the_server() {
    each_database(MIGRATIONS, async |TestDb { db, url, dir: _dir }| {
        let (llm, script) = scripted();
        let plan = Plan { llm: Arc::new(llm), ..Plan::default() };
        let world = World::open(db.clone(), url.clone(), plan).await;
        let tale = world.tale(freya()).await;
        let begin = json!({ "characterIds": [tale.character], "clientRequestId": "begin",
            "settings": { "storyModelId": MODEL } });
        let begun = world.does(freya(), "createSession", begin.clone()).await;

        let swipe = json!({ "messageId": tale.greeting, "modelId": MODEL,
            "clientRequestId": "swipe" });
        let swiped = id(&world.does(freya(), "regenerateReply", swipe.clone()).await["reply"]);
        let call = script.call().await;
        let mut events = world.watch_reply(freya(), json!({ "id": swiped }));
        call.say("Half").await;
        events.until(|event| event["text"] == "Half").await;
        world.does(freya(), "stopReply", json!({ "messageId": swiped })).await;
        let onward = json!({ "messageId": swiped, "modelId": MODEL, "clientRequestId": "onward" });
        let continued = id(&world.does(freya(), "continueReply", onward.clone()).await["reply"]);
        script.call().await.tell(" and whole.").await;
        world.ends(freya(), &continued).await;
        let mine =
            json!({ "sessionId": tale.session, "modelId": MODEL, "clientRequestId": "mine" });
        let written = id(&world.does(freya(), "impersonate", mine.clone()).await["reply"]);
        script.call().await.tell("Mine.").await;
        world.ends(freya(), &written).await;
        world.app.lifecycle.stop(std::time::Duration::ZERO).await;

        let llm = Arc::new(Offline::new(Pace::Instant, true));
        let plan = Plan { llm, seed: 8, ..Plan::default() };
        let later = World::open(db, url, plan).await;
        let rows = later.rows().await;
        let again = later.does(freya(), "createSession", begin.clone()).await;
        assert_eq!(again["session"]["id"], begun["session"]["id"]);
        for (name, input, reply) in [
            ("regenerateReply", swipe, swiped),
            ("continueReply", onward, continued),
            ("impersonate", mine, written),
        ] {
            let again = later.does(freya(), name, input.clone()).await;
            assert_eq!(id(&again["reply"]), reply, "{name}");
            let mut anew = input;
            anew["clientRequestId"] = format!("{name}-anew").into();
            assert_eq!(later.denied(freya(), name, anew).await, "NOT_FOUND", "{name}");
        }
        let mut anew = begin;
        anew["clientRequestId"] = "begin-anew".into();
        assert_eq!(later.denied(freya(), "createSession", anew).await, "NOT_FOUND");
        assert_eq!(later.rows().await, rows, "what is refused leaves nothing");
        later.app.lifecycle.stop(std::time::Duration::ZERO).await;
    })
    .await;
}
