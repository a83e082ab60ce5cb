//! What models cost, and who takes over when one cannot write.

use std::time::Duration;

use serde_json::{Value, json};
use skald_core::llm::{LlmError, LlmErrorKind};

use crate::harness::{World, bjorn, freya, id, scripted_story};

const SUMS: &str = "{ since calls unpricedCalls cost { amount currency }
    tokens { prompt cached output thought }
    models { model role calls cost { amount } tokens { prompt } } }";

async fn mine(world: &World, who: skald_base::Viewer, period: &str) -> Value {
    let query = format!("query($p: UsagePeriod!) {{ usage(period: $p) {SUMS} }}");
    world.ask(who, &query, json!({ "p": period })).await
}

#[tokio::test]
async fn every_call_is_counted_and_priced() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let turn = world.says(freya(), &tale, "Hello.").await;
        script.call().await.tell("Hm.").await;
        let free = world.ends(freya(), &id(&turn["reply"])).await;
        let swipe = json!({ "messageId": free["id"], "modelId": "test/other" });
        let swipe = world.does(freya(), "regenerateReply", swipe).await;
        script.call().await.tell("Oh.").await;
        let priced = world.ends(freya(), &id(&swipe["reply"])).await;
        let cost =
            "query($id: ID!) { message(id: $id) { generation { cost { amount currency } } } }";
        let cost = async |message: &Value| {
            let message = world.ask(freya(), cost, json!({ "id": message["id"] })).await;
            message["generation"]["cost"].clone()
        };
        assert_eq!(cost(&free).await, Value::Null);
        // 90 tokens at 1, 10 cached at 0.1, 23 written at 10 dollars a million.
        let dollars = json!({ "amount": 0.000_321, "currency": "USD" });
        assert_eq!(cost(&priced).await, dollars);

        let all = mine(world, freya(), "ALL").await;
        assert_eq!((&all["calls"], &all["unpricedCalls"]), (&json!(2), &json!(1)));
        assert_eq!((&all["cost"], &all["since"]), (&dollars, &Value::Null));
        let tokens = json!({ "prompt": 200, "cached": 20, "output": 40, "thought": 6 });
        assert_eq!(all["tokens"], tokens);
        let models = all["models"].as_array().unwrap();
        assert_eq!(models.len(), 2);
        assert_eq!(
            (&models[0]["model"], &models[0]["role"]),
            (&json!("test/other"), &json!("STORY"))
        );
        assert_eq!((&models[1]["model"], &models[1]["cost"]), (&json!("test/story"), &Value::Null));
        let day = mine(world, freya(), "DAY").await;
        assert_eq!(day["calls"], 2);
        assert!(day["since"].is_string());

        let query = format!("query($id: ID!) {{ session(id: $id) {{ usage {SUMS} }} }}");
        let of_session = world.ask(freya(), &query, json!({ "id": tale.session })).await;
        assert_eq!(of_session["usage"]["tokens"], tokens);
        assert_eq!(mine(world, bjorn(), "ALL").await["calls"], 0);
        let fresh = world.tale(freya()).await;
        let of_session = world.ask(freya(), &query, json!({ "id": fresh.session })).await;
        assert_eq!(of_session["usage"]["calls"], 0);

        world
            .db
            .write("UPDATE model_call SET at = $1")
            .bind(day_before_yesterday())
            .execute()
            .await
            .unwrap();
        assert_eq!(mine(world, freya(), "DAY").await["calls"], 0);
        assert_eq!(mine(world, freya(), "WEEK").await["calls"], 2);
    })
    .await;
}

fn day_before_yesterday() -> chrono::DateTime<chrono::Utc> {
    use skald_base::Clock;
    skald_base::SystemClock.now() - chrono::TimeDelta::days(2)
}

fn quota() -> LlmError {
    LlmError::new(LlmErrorKind::Quota).after(Duration::from_hours(5))
}

#[tokio::test]
async fn another_model_takes_over_by_choice() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let turn = world.says(freya(), &tale, "Hello.").await;
        script.call().await.fail(quota()).await;
        let message = world.ends(freya(), &id(&turn["reply"])).await;
        let failure = &message["generation"]["failure"];
        assert_eq!((&message["status"], &failure["code"]), (&json!("FAILED"), &json!("QUOTA")));
        assert!(failure["retryAt"].is_string(), "{failure}");
        assert!(failure["message"].as_str().unwrap().contains("choose another model"));

        let settings =
            json!({ "id": tale.session, "settings": { "fallbackModelId": "test/other" } });
        world.does(freya(), "updateSession", settings).await;
        let swipe = json!({ "messageId": message["id"] });
        let turn = world.does(freya(), "regenerateReply", swipe).await;
        let mut watcher = world.watch_reply(freya(), json!({ "id": turn["reply"]["id"] }));
        let call = script.call().await;
        assert_eq!(call.request.model, "test/story");
        call.think("I should").await;
        watcher.until(|event| event["text"] == "I should").await;
        call.fail(quota()).await;
        watcher.until(|event| event["stage"] == "RETRYING").await;
        let reset = watcher.until_type("ReplyReset").await;
        assert_eq!((&reset["thought"], &reset["attempt"]), (&Value::Null, &json!(2)));
        let call = script.call().await;
        assert_eq!(call.request.model, "test/other");
        call.tell("I am the other one.").await;
        let message = world.ends(freya(), &id(&turn["reply"])).await;
        assert_eq!(message["status"], "COMPLETE");
        assert_eq!(message["generation"]["model"], "test/other");

        // If that one cannot write either, nobody is left.
        let swipe = json!({ "messageId": message["id"] });
        let turn = world.does(freya(), "regenerateReply", swipe).await;
        for _ in 0..2 {
            script.call().await.fail(quota()).await;
        }
        let message = world.ends(freya(), &id(&turn["reply"])).await;
        assert_eq!(message["generation"]["failure"]["code"], "QUOTA");
    })
    .await;
}
