//! Two processes on one database: what one leaves or writes, the other goes on with or reads.

use std::time::Duration;

use serde_json::json;
use skald_base::testing::{TestDb, each_database};
use skald_core::MIGRATIONS;

use crate::{
    durable::Process,
    harness::{World, freya, id},
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
