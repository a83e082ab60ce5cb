//! The laws of the story's tree, under everything that players and models may do, in any order.
//!
//! A random story is played through the graph and, beside it, on a model of
//! lists and walks ([`model`]) that says what each act does, or why it is
//! refused ([`refuse`]). After each act the graph, the rows and the log must be
//! what the model says ([`check`]). Forks are looked at as they are made, once
//! more at the end, and some stories go on in one ([`fork`]). A failure is
//! shrunk to the shortest story that fails.
//!
//! `SKALD_LAWS_CASES=500 cargo test -p skald-core --test all laws::` plays more, and without a
//! limit of time; `SKALD_LAWS_SEED=n` plays other stories.

mod act;
mod changes;
mod check;
mod fold;
mod fork;
mod model;
mod play;
mod refuse;
mod turns;

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;
use tokio::{runtime::Handle, task::block_in_place};

use self::{act::acts, play::Play};
use crate::{
    harness::{Plan, freya, person, story_with},
    script::scripted,
};

/// Acts in one story at most; a page of the graph holds all messages that they make.
const ACTS: usize = 48;

/// Stories on each database, unless told otherwise or time is up.
const CASES: u32 = 24;

/// No further story is begun after so long.
const ENOUGH: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "how long a test plays is no configuration")]
fn setting(name: &str) -> Option<u32> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_done_the_laws_hold() {
    let wanted = setting("SKALD_LAWS_CASES");
    let seed = setting("SKALD_LAWS_SEED").unwrap_or_default();
    let plan = || {
        let (llm, script) = scripted();
        (Plan { llm: Arc::new(llm), ..Plan::default() }, script)
    };
    story_with(plan, async |world, script| {
        let card = json!({ "name": "Mira", "greeting": "One.", "alternateGreetings": ["Two."],
            "visibility": "PUBLIC" });
        let character = world.character(freya(), card).await;
        let cases = wanted.unwrap_or(CASES);
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let (begun, stories) = (Instant::now(), Cell::new(0_u128));
        let outcome = TestRunner::new_with_rng(config, rng).run(&acts(ACTS), |acts| {
            if wanted.is_none() && begun.elapsed() > ENOUGH {
                return Ok(());
            }
            // A player for each story: what an earlier one left running counts for nobody else.
            stories.set(stories.get() + 1);
            let who = person(1000 + stories.get());
            let play = async {
                let mut play = Play::begin(world, &script, who, &character).await;
                for act in acts {
                    play.act(act).await;
                    play.check().await;
                }
                play.calm().await;
                play.check().await;
                play.check_fold().await;
                play.check_left().await;
            };
            block_in_place(|| Handle::current().block_on(play));
            Ok(())
        });
        outcome.unwrap();
        assert!(stories.get() > 0);
    })
    .await;
}
