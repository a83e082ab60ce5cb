//! The application: everything a service needs, built once, passed by reference.

use std::{ops::Deref, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use skald_base::{Clock, Db, Error, Ids, Lifecycle, Result, UserError, UserErrorCode};

use crate::{
    calibration::Calibrations,
    character::examples,
    events::Live,
    file::{self, Files, upload},
    library::LibraryFeed,
    llm::{Llm, Model, ModelRole},
    memory::{MemorySettings, Shelf},
    purge, search,
    session::{import::Desk, list::fold_titles},
    turn::{flush, recovery, reply::Replies},
};

/// The story engine. Clones share everything.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What the engine consists of.
pub struct Parts {
    /// The core database.
    pub db: Db,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Ids,
    /// Who writes.
    pub llm: Arc<dyn Llm>,
    /// Spawns and ends tasks.
    pub lifecycle: Lifecycle,
    /// What is allowed.
    pub limits: Limits,
    /// How much comes to mind.
    pub memory: MemorySettings,
    /// The indexes of stories that were played lately.
    pub shelf: Shelf,
    /// The live feeds of sessions.
    pub live: Live,
    /// The live feeds of libraries.
    pub library: LibraryFeed,
    /// The replies that this process writes.
    pub replies: Replies,
    /// How models' tokenizers weigh.
    pub calibrations: Calibrations,
    /// Files that players send.
    pub files: Files,
    /// The imports that this process is at work on.
    pub imports: Desk,
}

/// What one player or session may do at once, and how long things are kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of UTF-8 in one message at most. Default 65536.
    pub message_bytes: usize,
    /// Replies being written for one player at most. Default 8.
    pub replies_per_user: i64,
    /// Replies being written in one session at most. Default 4.
    pub replies_per_session: i64,
    /// Sessions being forked or imported for one player at most. Default 2.
    pub grafts_per_user: i64,
    /// Events kept in a session's log at least; older ones are dropped once an hour. 0 keeps all.
    /// Default 10000.
    pub events_per_session: u32,
    /// Events replayed to a client at most: one that missed more has to read the session again.
    /// Default 1000.
    pub replay_events: u32,
    /// Days for which what was deleted can be restored; then it is erased for good, and what is
    /// kept for repeated requests goes at the same age. 0 erases nothing, ever. Default 30.
    pub purge_after_days: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 * 1024,
            replies_per_user: 8,
            replies_per_session: 4,
            grafts_per_user: 2,
            events_per_session: 10_000,
            replay_events: 1_000,
            purge_after_days: 30,
        }
    }
}

/// What it takes to build the engine.
#[expect(missing_docs, reason = "the fields are those of `Parts`")]
pub struct Setup {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Ids,
    pub llm: Arc<dyn Llm>,
    pub lifecycle: Lifecycle,
    pub limits: Limits,
    pub memory: MemorySettings,
    pub files: Files,
}

impl App {
    /// Builds the engine on a migrated database. [`App::start`] sets it going.
    pub fn new(setup: Setup) -> Self {
        let Setup { db, clock, ids, llm, lifecycle, limits, memory, files } = setup;
        let process = ids.next::<crate::session::SessionKind>().uuid();
        let replies = Replies::new(process);
        let (live, shelf) = (Live::default(), Shelf::new(memory.cache_bytes));
        let calibrations = Calibrations::default();
        Self(Arc::new(Parts {
            db,
            clock,
            ids,
            llm,
            lifecycle,
            limits,
            memory,
            shelf,
            live,
            library: LibraryFeed::default(),
            replies,
            calibrations,
            files,
            imports: Desk::default(),
        }))
    }

    /// Recovers what an earlier process left and starts the background tasks.
    pub async fn start(&self) -> Result<()> {
        examples::ensure(self).await?;
        fold_titles(self).await?;
        self.calibrations.load(&self.db).await?;
        file::at_start(self).await?;
        self.lifecycle.spawn(upload::run_sweeper(self.clone()));
        self.lifecycle.spawn(flush::run(self.clone()));
        recovery::at_start(self).await?;
        self.lifecycle.spawn(recovery::run_sweeper(self.clone()));
        self.lifecycle.spawn(search::indexer::run(self.clone()));
        Ok(())
    }

    /// Begins to erase what was deleted long ago, now and every hour: call it once players are let
    /// in, so that they do not wait for it.
    pub fn start_purge(&self) {
        self.lifecycle.spawn(purge::run(self.clone()));
    }

    /// The model with this id.
    pub fn model(&self, id: &str) -> Option<Model> {
        self.llm.model(id)
    }

    /// Whether there is a model with this id.
    pub fn has_model(&self, id: &str) -> bool {
        self.model(id).is_some()
    }

    /// The wanted model, or the default one: what was configured once may be gone, and the story
    /// goes on.
    pub fn story_model(&self, wanted: Option<String>) -> String {
        wanted.filter(|model| self.has_model(model)).unwrap_or_else(|| self.default_model())
    }

    /// The model that writes unless told otherwise.
    pub fn default_model(&self) -> String {
        self.llm.role(ModelRole::Story).map(|choice| choice.model).unwrap_or_default()
    }

    /// Refuses a model for stories, sent at `path`, that is not there or does not write.
    pub fn check_model(&self, path: &str, id: &str) -> Result<()> {
        self.check_model_for(ModelRole::Story, path, id)
    }

    /// Refuses a model, sent at `path`, that is not there or cannot have this role.
    pub fn check_model_for(&self, role: ModelRole, path: &str, id: &str) -> Result<()> {
        let model = self.model(id).ok_or_else(|| Error::not_found("model").at(path))?;
        if model.roles.contains(&role) {
            return Ok(());
        }
        let cannot = match role {
            ModelRole::Story => "the model does not write stories: choose one with the role STORY",
            ModelRole::Supervisor => {
                "the model cannot judge a story: choose one with the role SUPERVISOR"
            }
            ModelRole::Embedding => {
                "the model makes no vectors: choose one with the role EMBEDDING"
            }
        };
        Err(UserError::new(UserErrorCode::BadUserInput, cannot).at(path).into())
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
