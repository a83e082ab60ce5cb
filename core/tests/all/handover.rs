//! Two processes on one database: what one leaves or writes, the other goes on with or reads.

use std::time::Duration;

use serde_json::json;
use skald_base::testing::{TestDb, each_database};
use skald_core::MIGRATIONS;
use tokio::sync::oneshot;

use crate::{
    durable::{Process, draft},
    harness::{World, eventually, freya, id, scripted_story},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_without_a_word_outlives_the_end_of_its_process() {
    each_database(MIGRATIONS, async |TestDb { db: _db, url, dir: _dir }| {
        let first = Process::start(&url, 1).await;
        let tale = first.run(async |world: World| world.tale(freya()).await).await;
        let reply = first.reply(&tale).await;
        let call = first.script.call().await;
        call.think("Hm…").await;
        first.run(async |world: World| world.app.lifecycle.stop(Duration::ZERO).await).await;
        first.crash();

        // Nobody has to wait until a lease expires: it was left in order.
        let second = Process::start(&url, 2).await;
        let call = second.script.call().await;
        assert_eq!(call.request.story.attempt, 2);
        call.tell("Whole.").await;
        let message = second.run(async move |world: World| world.ends(freya(), &reply).await).await;
        assert_eq!(
            (&message["status"], &message["content"]),
            (&json!("COMPLETE"), &json!("Whole."))
        );
        second.crash();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_beside_another_process_never_sees_a_text_vanish() {
    scripted_story(async |world, script| {
        let tale = world.tale(freya()).await;
        let other = Process::start(&world.url, 2).await;
        for _ in 0..25 {
            let input = json!({ "sessionId": tale.session, "parentId": tale.greeting,
                "content": "Go on." });
            let reply = id(&world.does(freya(), "sendMessage", input).await["reply"]);
            let call = script.call().await;
            call.say("A tale").await;
            eventually(async || draft(&world.db, &reply, "content").await == "A tale").await;
            let (begun, begins) = oneshot::channel();
            let read = other.run(async move |world: World| {
                let query = "query($id: ID!) { message(id: $id) { content } }";
                let mut begun = Some(begun);
                loop {
                    let variables = json!({ "id": reply });
                    let content = world.ask(freya(), query, variables).await["content"].clone();
                    match content.as_str().unwrap() {
                        "A tale" => drop(begun.take().map(|begun| begun.send(()))),
                        end => break end.to_owned(),
                    }
                }
            });
            // The reader is at it before the reply ends.
            let tell = async {
                begins.await.unwrap();
                call.tell(", whole.").await;
            };
            let (read, ()) = tokio::join!(read, tell);
            assert!(read.starts_with("A tale"), "{read:?}");
        }
        other.crash();
    })
    .await;
}
