//! The rounds on one database.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::{
    sync::{Mutex, watch::Receiver},
    task::JoinSet,
};

use super::{
    check, fork,
    home::{Home, Server},
    model::{Model, Said},
    nemesis::Blow,
    player::Player,
    story::Story,
    tally::{Fault, Tally},
    tree::Tree,
    watch::Watcher,
};
use crate::{client, report::say};

/// Who plays, and how many of them are watched.
const CLIENTS: usize = 8;
const WATCHED: usize = 4;
/// Milliseconds until something breaks.
const FUSE: std::ops::RangeInclusive<u64> = 50..=2500;
/// So soon after a server is ready all replies have ended.
const SETTLED: Duration = Duration::from_secs(5);
/// On PostgreSQL a lease, 10 s, has to run out first: that of a dead process, or of one that never
/// learnt of a commit, because its connection died under it, and so does not write the reply.
const TAKEN_OVER: Duration = Duration::from_secs(15);

/// A database, and the program on it.
pub(super) struct Lane {
    pub(super) program: PathBuf,
    pub(super) postgres: bool,
    pub(super) seed: u64,
    /// Held while clients play.
    pub(super) storm: Arc<Mutex<()>>,
}

/// What is there as long as the lane.
struct World {
    home: Home,
    model: Model,
    server: Server,
    http: reqwest::Client,
    players: Vec<Player>,
    tally: Tally,
    rng: StdRng,
    /// Sessions of earlier rounds, as they were left.
    past: Vec<(usize, String, Tree)>,
}

/// What a storm left.
struct Ruins {
    stories: Vec<Story>,
    watchers: Vec<Watcher>,
    /// What the model had said before it died too.
    said: Vec<Said>,
    /// When Skald died, if it did.
    died: Option<Instant>,
}

impl Lane {
    fn name(&self) -> &'static str {
        if self.postgres { "PostgreSQL" } else { "SQLite" }
    }

    pub(super) async fn run(self, rounds: u32) -> Result<Tally> {
        if rounds == 0 {
            return Ok(Tally::default());
        }
        let mut world = self.build().await?;
        for round in 0..rounds {
            let blow = Blow::of_round(round, self.postgres);
            let played = self.round(&mut world, round, blow).await;
            let played = played.with_context(|| format!("{} round {round}: {blow:?}", self.name()));
            if played.is_err() || !world.tally.is_clean() {
                world.home.keep();
                say(&format!("  files are kept in {}", world.home.folder().display()));
            }
            played?;
        }
        self.look_back(&mut world).await?;
        Ok(world.tally)
    }

    async fn build(&self) -> Result<World> {
        let home = Home::new(&self.program, self.postgres).await?;
        let model = Model::start().await;
        let (server, _) = home.serve(&model.url()).await?;
        let http = client::http()?;
        let mut players = Vec::new();
        for number in 0..CLIENTS {
            let name = format!("player_{number}");
            players.push(Player::register(http.clone(), &server.url, &name).await?);
        }
        let rng = StdRng::seed_from_u64(self.seed ^ u64::from(self.postgres));
        Ok(World { home, model, server, http, players, tally: Tally::default(), rng, past: vec![] })
    }

    async fn round(&self, world: &mut World, round: u32, blow: Blow) -> Result<()> {
        let storm = self.storm.clone().lock_owned().await;
        let mut ruins = self.storm(world, round, blow).await?;
        world.model.write_quickly();
        self.rebuild(world, blow, &mut ruins).await?;
        drop(storm);
        self.settle(world, &mut ruins).await?;
        self.check(world, ruins).await?;
        world.tally.round_done();
        Ok(())
    }

    /// Everybody plays until something breaks.
    async fn storm(&self, world: &mut World, round: u32, blow: Blow) -> Result<Ruins> {
        let fuse = Duration::from_millis(world.rng.random_range(FUSE));
        say(&format!("{} round {round}: {blow:?} after {} ms", self.name(), fuse.as_millis()));
        let mut stories = Vec::new();
        for (number, player) in world.players.iter().enumerate() {
            let mark = format!("{}-{round}-{number}", self.name());
            let seed = world.rng.random();
            stories.push(Story::begin(player.clone(), world.home.folder(), (mark, seed)).await?);
        }
        world.model.write_slowly();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut listening = JoinSet::new();
        for story in stories.iter().take(WATCHED) {
            let mut watcher = Watcher::new(&story.session);
            let feed = watcher.open(&story.player).await?;
            let stopped = stopped.clone();
            listening.spawn(async move {
                until(stopped, watcher.listen(feed)).await;
                watcher
            });
        }
        let mut playing = JoinSet::new();
        for (number, mut story) in stories.into_iter().enumerate() {
            let stopped = stopped.clone();
            playing.spawn(async move {
                let played = until(stopped, story.play()).await;
                played.transpose().map(|_| (number, story))
            });
        }
        world.model.stumble(fuse).await;
        let died = blow.strike(&world.home, &mut world.server).await?;
        stop.send_replace(true);
        let mut stories = playing.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
        stories.sort_by_key(|(number, _)| *number);
        let stories = stories.into_iter().map(|(_, story)| story).collect();
        let watchers = listening.join_all().await;
        Ok(Ruins { stories, watchers, said: Vec::new(), died })
    }

    /// Starts what died.
    async fn rebuild(&self, world: &mut World, blow: Blow, ruins: &mut Ruins) -> Result<()> {
        let ready = if blow.spares_skald() {
            world.server.recovered(&world.http).await?
        } else {
            if !self.postgres
                && let Some(complaint) = world.home.check().await?
            {
                world.tally.fault(Fault::Torn, complaint);
            }
            if blow == Blow::KillBoth {
                ruins.said = world.model.said();
                world.model.die().await;
                world.model.write_quickly();
            }
            let (server, ready) = world.home.serve(&world.model.url()).await?;
            world.server = server;
            ready
        };
        world.tally.ready_after(ready);
        for story in &mut ruins.stories {
            story.player.move_to(&world.server.url);
        }
        Ok(())
    }

    /// Waits until all replies have ended, as they must soon.
    async fn settle(&self, world: &mut World, ruins: &mut Ruins) -> Result<()> {
        for story in &mut ruins.stories {
            check::sign_in(story, &mut world.tally).await;
        }
        let within = if self.postgres { TAKEN_OVER } else { SETTLED };
        match check::settle(&ruins.stories, within).await? {
            Some(time) => world.tally.settled_after(time),
            None => world.tally.fault(Fault::NonTerminal, format!("after {within:?} replies run")),
        }
        Ok(())
    }

    async fn check(&self, world: &mut World, ruins: Ruins) -> Result<()> {
        let Ruins { mut stories, watchers, mut said, died } = ruins;
        let tally = &mut world.tally;
        for story in &mut stories {
            let tree = Tree::read(&story.player, &story.session, tally).await?;
            check::last_things(story, &tree, tally);
            let unknown = story.journal.acts.iter().filter(|act| act.is_unknown()).count();
            let known = story.journal.acts.len() - unknown;
            tally.played(
                known,
                unknown,
                tree.messages.values().filter(|one| !one.is_said()).count(),
            );
            check::retry(story, tally).await?;
            check::restore(story).await?;
        }
        check::settle(&stories, SETTLED).await?;
        let mut trees = Vec::new();
        for story in &stories {
            let tree = Tree::read(&story.player, &story.session, tally).await?;
            tree.check(tally);
            check::messages(story, &tree, tally);
            trees.push(tree);
        }
        for (number, (story, tree)) in stories.iter().zip(&trees).enumerate() {
            for (session, fork) in fork::check(story, tree, tally).await? {
                world.past.push((number, session, fork));
            }
            let mut known = BTreeSet::from([story.session.as_str()]);
            let own = world.past.iter().filter(|(player, ..)| *player == number);
            known.extend(own.map(|(_, session, _)| session.as_str()));
            fork::check_list(&story.player, &known, tally).await?;
        }
        said.extend(world.model.said());
        check::texts(&trees, &said, died, tally);
        for mut watcher in watchers {
            let mut both = stories.iter().zip(&trees);
            let own = both.find(|(story, _)| story.session == watcher.session);
            let (story, tree) = own.context("a watcher without a story")?;
            check::watcher(&mut watcher, story, tree, tally).await?;
        }
        for (story, tree) in stories.iter_mut().zip(&trees) {
            if check::regenerate(story, tree, tally).await? {
                break;
            }
        }
        self.remember(world, stories).await
    }

    /// Keeps what the round left, to compare with it in the end.
    async fn remember(&self, world: &mut World, stories: Vec<Story>) -> Result<()> {
        for (number, story) in stories.into_iter().enumerate() {
            let tree = Tree::read(&story.player, &story.session, &mut world.tally).await?;
            if let Some(player) = world.players.get_mut(number) {
                *player = story.player;
            }
            world.past.push((number, story.session, tree));
        }
        Ok(())
    }

    /// No later crash took anything from an earlier round.
    async fn look_back(&self, world: &mut World) -> Result<()> {
        let World { past, players, tally, .. } = world;
        for (number, session, before) in past {
            let player = players.get(*number).context("a session has a player")?;
            let now = Tree::read(player, session, tally).await?;
            tally.expect(now == *before, Fault::Lost, || format!("{session} is not as it was"));
        }
        world.server.kill().await?;
        if let Some(complaint) = world.home.check().await? {
            world.tally.fault(Fault::Torn, complaint);
        }
        Ok(())
    }
}

/// What it comes to, unless everybody is told to stop before.
async fn until<T>(mut stopped: Receiver<bool>, doing: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = doing => Some(done),
        _stop = stopped.wait_for(|stopped| *stopped) => None,
    }
}
