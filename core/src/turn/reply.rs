//! The replies that this process is writing: their drafts, their stop buttons.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Failure, Reply, Stage, text::GrowingText};
use crate::{llm::Usage, session::SessionId, tree::MessageId};

/// All replies that this process writes.
pub struct Replies {
    process: Uuid,
    running: Mutex<HashMap<MessageId, Arc<RunningReply>>>,
    started: Notify,
}

/// A reply that this process writes.
pub struct RunningReply {
    /// Its message.
    pub message_id: MessageId,
    /// Its session.
    pub session_id: SessionId,
    /// The text it goes on from; empty if it begins anew.
    pub begins_with: String,
    /// The session's sequence when its message had been told.
    pub added_at: i64,
    /// Cancelled when somebody asked to stop it.
    pub stop: CancellationToken,
    /// Cancelled when another process has taken it over.
    pub lost: CancellationToken,
    /// Cancelled when its end is stored, or it was lost.
    pub done: CancellationToken,
    draft: Mutex<Draft>,
}

/// What is written of a reply so far.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are what their names say")]
pub struct Draft {
    pub attempt: i64,
    pub stage: Stage,
    pub content: GrowingText,
    /// How much of the content, in UTF-16 code units, is the text it goes on from.
    pub given: usize,
    pub thought: GrowingText,
    pub failure: Option<Failure>,
    pub retry_at: Option<DateTime<Utc>>,
    pub first_text_at: Option<DateTime<Utc>>,
    pub usage: Option<Usage>,
    /// Whether the stored draft is behind this one.
    pub dirty: bool,
}

impl Draft {
    /// Nothing is written yet but the text it goes on from.
    pub fn new(attempt: i64, begins_with: &str) -> Self {
        let content = GrowingText::from(begins_with.to_owned());
        Self {
            attempt,
            stage: Stage::Recalling,
            given: content.units(),
            content,
            thought: GrowingText::default(),
            failure: None,
            retry_at: None,
            first_text_at: None,
            usage: None,
            dirty: false,
        }
    }

    /// Whether a word was published that was not given.
    pub fn has_new_text(&self) -> bool {
        self.content.units() > self.given
    }
}

impl Replies {
    /// Nothing runs yet; `process` is this process's name in leases.
    pub fn new(process: Uuid) -> Self {
        Self { process, running: Mutex::default(), started: Notify::new() }
    }

    /// This process's name in leases.
    pub fn process(&self) -> Uuid {
        self.process
    }

    /// Enters a reply that is about to run.
    pub(super) fn enter(
        &self,
        reply: &Reply,
        begins_with: String,
        added_at: i64,
    ) -> Arc<RunningReply> {
        let running = Arc::new(RunningReply {
            message_id: reply.message_id,
            session_id: reply.session_id,
            draft: Mutex::new(Draft::new(reply.attempt, &begins_with)),
            begins_with,
            added_at,
            stop: CancellationToken::new(),
            lost: CancellationToken::new(),
            done: CancellationToken::new(),
        });
        lock(&self.running).insert(reply.message_id, running.clone());
        self.started.notify_one();
        running
    }

    /// Forgets a reply whose end is stored; not the next run of it, which may have begun.
    pub(super) fn leave(&self, running: &Arc<RunningReply>) {
        let mut all = lock(&self.running);
        if all.get(&running.message_id).is_some_and(|other| Arc::ptr_eq(other, running)) {
            all.remove(&running.message_id);
        }
        drop(all);
        running.done.cancel();
    }

    /// The running reply of this message, if this process writes it.
    pub fn find(&self, id: MessageId) -> Option<Arc<RunningReply>> {
        lock(&self.running).get(&id).cloned()
    }

    /// The replies this process writes in a session, oldest message first.
    pub fn in_session(&self, session: SessionId) -> Vec<Arc<RunningReply>> {
        let mut found: Vec<_> = self.all();
        found.retain(|reply| reply.session_id == session);
        found.sort_by_key(|reply| reply.message_id);
        found
    }

    /// All replies this process writes.
    pub fn all(&self) -> Vec<Arc<RunningReply>> {
        lock(&self.running).values().cloned().collect()
    }

    /// Asks these replies to stop, as far as this process writes them.
    pub fn stop(&self, ids: &[MessageId]) {
        for reply in ids.iter().filter_map(|id| self.find(*id)) {
            reply.stop.cancel();
        }
    }

    /// Asks a reply to stop and waits a moment for its end to be stored.
    pub async fn stop_and_wait(&self, id: MessageId) {
        let Some(reply) = self.find(id) else { return };
        reply.stop.cancel();
        if timeout(Duration::from_secs(5), reply.done.cancelled()).await.is_err() {
            tracing::warn!(%id, "a stopped reply has not ended yet");
        }
    }

    /// Waits until there may be something to flush.
    pub(super) async fn wait_for_work(&self) {
        while lock(&self.running).is_empty() {
            self.started.notified().await;
        }
    }

    /// Whether this process writes nothing.
    pub fn is_idle(&self) -> bool {
        lock(&self.running).is_empty()
    }
}

impl RunningReply {
    /// A copy of the draft as it is now.
    pub fn draft(&self) -> Draft {
        self.read(Draft::clone)
    }

    /// Something about the draft, without a copy of its texts.
    pub fn read<T>(&self, question: impl FnOnce(&Draft) -> T) -> T {
        question(&lock(&self.draft))
    }

    /// Changes the draft.
    pub(super) fn edit<T>(&self, change: impl FnOnce(&mut Draft) -> T) -> T {
        change(&mut lock(&self.draft))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
