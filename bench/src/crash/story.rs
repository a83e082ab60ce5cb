//! What one client does until the server dies: everything that changes a story, in any order.

#![expect(clippy::indexing_slicing, reason = "JSON without a field gives null, not a panic")]

use std::{path::Path, time::Duration};

use anyhow::Result;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    act::{ACTS, Act, Glance, document},
    journal::Journal,
    player::{Outcome, Player},
};

const REPLIES: &str = "query ($id: ID!) { session(id: $id) {
    messages(first: 100) { nodes { id status } } } }";
/// Milliseconds between two acts of a client.
const PAUSE: std::ops::Range<u64> = 20..250;

/// One client, with the session that it has to itself in this round.
pub(super) struct Story {
    pub(super) player: Player,
    pub(super) session: String,
    pub(super) greeting: String,
    pub(super) journal: Journal,
    pub(super) rng: StdRng,
    /// Begins every text and every request id of this round.
    pub(super) mark: String,
    pub(super) count: u32,
}

impl Story {
    pub(super) async fn begin(
        player: Player,
        folder: &Path,
        (mark, seed): (String, u64),
    ) -> Result<Self> {
        let (session, greeting) = player.begin(&mark).await?;
        let journal = Journal::open(&folder.join(format!("{mark}.journal")))?;
        let rng = StdRng::seed_from_u64(seed);
        Ok(Self { player, session, greeting, journal, rng, mark, count: 0 })
    }

    /// Plays until an answer fails to come.
    pub(super) async fn play(&mut self) -> Result<()> {
        loop {
            sleep(Duration::from_millis(self.rng.random_range(PAUSE))).await;
            let (act, _) = *ACTS.choose_weighted(&mut self.rng, |(_, often)| *often)?;
            if !self.act(act).await? {
                return Ok(());
            }
        }
    }

    /// Does something; false if nobody said what became of it.
    async fn act(&mut self, act: Act) -> Result<bool> {
        if matches!(act, Act::Refresh) {
            let outcome = self.player.refresh().await;
            return Ok(!matches!(outcome, Outcome::Unknown));
        }
        let glance = if act.needs_a_look() { self.look().await } else { Some(Glance::default()) };
        let Some(glance) = glance else { return Ok(false) };
        let Some((what, input)) = self.plan(act, &glance) else { return Ok(true) };
        self.perform(what, input).await
    }

    /// What became of the replies so far; none if nobody answers.
    async fn look(&self) -> Option<Glance> {
        let found = self.player.read(REPLIES, json!({ "id": self.session })).await.ok()?;
        let mut glance = Glance::default();
        for node in found["session"]["messages"]["nodes"].as_array()? {
            let Some(id) = node["id"].as_str() else { continue };
            match node["status"].as_str() {
                Some("STOPPED" | "INTERRUPTED") => glance.cut.push(id.to_owned()),
                Some("FAILED") => glance.failed.push(id.to_owned()),
                _ => {}
            }
        }
        Some(glance)
    }

    /// Asks for something, and notes it before and after.
    pub(super) async fn perform(&mut self, what: &'static str, input: Value) -> Result<bool> {
        self.journal.intend(what, input.clone())?;
        let outcome = self.player.try_to(&document(what), json!({ "input": input })).await;
        let known = !matches!(outcome, Outcome::Unknown);
        self.journal.learn(outcome)?;
        Ok(known)
    }
}
