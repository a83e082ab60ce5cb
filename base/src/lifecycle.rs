//! The life of the process: tasks that are known, and an end in two steps.
//!
//! Every spawned task belongs to the lifecycle. `stop` first asks (the soft
//! token: take no new work, finish what runs), then, after a grace period,
//! insists (the hard token: save what there is and end).

use std::{future::Future, time::Duration};

use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Time that tasks have to save what there is, once they were told to end.
const LAST_WORDS: Duration = Duration::from_secs(15);

/// Spawns tasks and ends them in order.
#[derive(Clone, Default)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// A lifecycle in which nothing runs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a task that `stop` will wait for.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Cancelled when no new work should begin.
    pub fn stopping(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when running work has to save what it has and end.
    pub fn ending(&self) -> &CancellationToken {
        &self.hard
    }

    /// The tracker of all tasks, for libraries that spawn by themselves.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Ends all tasks: asks, waits for `grace`, insists, and waits a last moment.
    pub async fn stop(&self, grace: Duration) {
        self.soft.cancel();
        self.tasks.close();
        if timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::info!("tasks still run after the grace period: ending them");
        }
        self.hard.cancel();
        if timeout(LAST_WORDS, self.tasks.wait()).await.is_err() {
            tracing::error!(tasks = self.tasks.len(), "tasks did not end and are given up");
        }
    }
}
