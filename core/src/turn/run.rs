//! Writing one reply: attempts, deltas, and an end that is always stored.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt, StreamExt};
use skald_base::{Error, Result};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Failure, FailureCode, Finish, MAX_ATTEMPTS, Reply, Stage,
    reply::{Draft, RunningReply},
    scene,
};
use crate::{
    app::App,
    events::{Channel, EventBody, ReplyProgress, ReplyStep},
    llm::{Chunk, ChunkStream, LlmError, LlmErrorKind, Usage},
    session::change::SessionChange,
    store,
    tree::MessageStatus,
};

/// Deltas that arrive within this time travel together.
const COALESCE: Duration = Duration::from_millis(25);

/// How a reply ended.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) status: MessageStatus,
    pub(crate) stage: Stage,
    pub(crate) first_text_at: Option<DateTime<Utc>>,
    pub(crate) content: String,
    pub(crate) thought: String,
    pub(crate) finish_reason: Option<Finish>,
    pub(crate) usage: Option<Usage>,
    pub(crate) failure: Option<Failure>,
}

/// How one attempt ended.
enum Outcome {
    Complete(Finish, Option<Usage>),
    Stopped,
    /// The process is going down.
    Ending,
    /// Another process writes it now.
    Lost,
    Failed(Failure, Option<Duration>),
}

/// Starts writing a committed reply, whose message was told at sequence `added_at`.
pub(super) fn spawn(app: &App, reply: Reply, added_at: i64) {
    let running = app.replies.enter(&reply, added_at);
    let task = write(app.clone(), reply, running);
    app.lifecycle.spawn(task);
}

async fn write(app: App, mut reply: Reply, running: Arc<RunningReply>) {
    loop {
        let caught = AssertUnwindSafe(attempt(&app, &reply, &running)).catch_unwind().await;
        // A bug in a provider must not leave a reply that nobody ends.
        let outcome = caught.unwrap_or_else(|_| {
            let panicked = Error::Internal("the task panicked".into());
            internal("writing", &panicked)
        });
        let retry = match &outcome {
            Outcome::Failed(failure, after) => may_retry(&reply, &running, failure).then(|| {
                after.unwrap_or_else(|| backoff(reply.attempt)).min(Duration::from_mins(2))
            }),
            Outcome::Complete(..) | Outcome::Stopped | Outcome::Ending | Outcome::Lost => None,
        };
        let outcome = match (retry, outcome) {
            (Some(after), Outcome::Failed(failure, _)) => {
                match wait_to_retry(&app, &mut reply, &running, failure, after).await {
                    None => continue,
                    Some(outcome) => outcome,
                }
            }
            (_, outcome) => outcome,
        };
        end(&app, &reply, &running, outcome).await;
        break;
    }
    app.replies.leave(&running);
}

/// A call is retried only while the client has seen no text of the story.
fn may_retry(reply: &Reply, running: &RunningReply, failure: &Failure) -> bool {
    failure.code.is_retryable()
        && failure.code != FailureCode::Internal
        && reply.attempt < MAX_ATTEMPTS
        && running.read(|draft| draft.content.units() == 0)
}

fn backoff(attempt: i64) -> Duration {
    Duration::from_millis(500) * 2_u32.saturating_pow(u32::try_from(attempt).unwrap_or(1) - 1)
}

/// Waits, then begins the next attempt; an outcome if the reply ended while waiting.
async fn wait_to_retry(
    app: &App,
    reply: &mut Reply,
    running: &RunningReply,
    failure: Failure,
    after: Duration,
) -> Option<Outcome> {
    let retry_at = app.clock.now() + TimeDelta::from_std(after).unwrap_or_default();
    running.edit(|draft| {
        draft.stage = Stage::Retrying;
        draft.failure = Some(failure.clone());
        draft.retry_at = Some(retry_at);
        draft.dirty = true;
    });
    announce_stage(app, running);
    tokio::select! {
        () = running.stop.cancelled() => return Some(Outcome::Stopped),
        () = app.lifecycle.ending().cancelled() => return Some(Outcome::Ending),
        () = running.lost.cancelled() => return Some(Outcome::Lost),
        () = sleep(after) => {}
    }
    match store::reply::next_attempt(&app.db, reply, app.replies.process()).await {
        Ok(true) => {}
        Ok(false) => return Some(Outcome::Lost),
        Err(error) => return Some(internal("starting the next attempt", &error)),
    }
    reply.attempt += 1;
    running.edit(|draft| {
        *draft = Draft {
            attempt: reply.attempt,
            stage: Stage::Recalling,
            content: String::new().into(),
            thought: String::new().into(),
            failure: None,
            retry_at: None,
            first_text_at: None,
            dirty: true,
        };
    });
    None
}

fn internal(doing: &str, error: &Error) -> Outcome {
    let error = error.describe();
    tracing::error!(doing, error, "a reply failed");
    let message = "the server failed while writing this reply".into();
    Outcome::Failed(Failure { code: FailureCode::Internal, message }, None)
}

async fn attempt(app: &App, reply: &Reply, running: &RunningReply) -> Outcome {
    if reply.attempt > 1 {
        // A client may hold the thought of the attempt before.
        let (content, thought) = (String::new(), String::new());
        announce(app, running, ReplyStep::Reset { content, thought });
    }
    set_stage(app, running, Stage::Recalling);
    let request = match scene::request(app, reply).await {
        Ok(Ok(request)) => request,
        Ok(Err(failure)) => return Outcome::Failed(failure, None),
        Err(error) => return internal("reading the scene", &error),
    };
    set_stage(app, running, Stage::Waiting);
    let stream = tokio::select! {
        () = running.stop.cancelled() => return Outcome::Stopped,
        () = app.lifecycle.ending().cancelled() => return Outcome::Ending,
        () = running.lost.cancelled() => return Outcome::Lost,
        stream = app.llm.stream(request) => stream,
    };
    match stream {
        Ok(reply) => read(app, running, reply.chunks).await,
        Err(error) => failed(&error),
    }
}

fn failed(error: &LlmError) -> Outcome {
    Outcome::Failed(Failure::from(error), error.retry_after)
}

/// Text that has arrived and not yet travelled on.
#[derive(Default)]
struct Pending {
    content: String,
    thought: String,
    since: Option<Instant>,
}

async fn read(app: &App, running: &RunningReply, mut stream: ChunkStream) -> Outcome {
    let mut pending = Pending::default();
    let mut last_publish: Option<Instant> = None;
    let mut spent: Option<Usage> = None;
    let outcome = loop {
        let due = pending.since.map(|since| since + COALESCE);
        let chunk = tokio::select! {
            biased;
            () = running.stop.cancelled() => break Outcome::Stopped,
            () = app.lifecycle.ending().cancelled() => break Outcome::Ending,
            () = running.lost.cancelled() => break Outcome::Lost,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                publish(app, running, &mut pending);
                last_publish = Some(Instant::now());
                continue;
            }
            chunk = stream.next() => chunk,
        };
        match chunk {
            Some(Ok(Chunk::Content(text))) => pending.content.extend(storable(&text)),
            Some(Ok(Chunk::Thought(text))) => pending.thought.extend(storable(&text)),
            Some(Ok(Chunk::Usage(usage))) => spent = Some(usage),
            Some(Ok(Chunk::Finished { reason, usage })) => {
                break Outcome::Complete(reason.into(), usage.or(spent));
            }
            Some(Err(error)) => break failed(&error),
            None => break failed(&LlmErrorKind::Cut.into()),
        }
        // The first text after a silence travels at once; a flood travels in bunches.
        if last_publish.is_none_or(|last| last.elapsed() >= COALESCE) {
            publish(app, running, &mut pending);
            last_publish = Some(Instant::now());
        } else {
            pending.since.get_or_insert_with(Instant::now);
        }
    };
    publish(app, running, &mut pending);
    outcome
}

/// The text without NUL, which PostgreSQL cannot store and no story needs.
fn storable(text: &str) -> std::str::Split<'_, char> {
    text.split('\0')
}

/// Appends what is pending to the draft and tells who watches.
fn publish(app: &App, running: &RunningReply, pending: &mut Pending) {
    let Pending { content, thought, .. } = std::mem::take(pending);
    if content.is_empty() && thought.is_empty() {
        return;
    }
    if !content.is_empty() && running.read(|draft| draft.stage != Stage::Writing) {
        let now = app.clock.now();
        running.edit(|draft| draft.first_text_at.get_or_insert(now).to_owned());
        set_stage(app, running, Stage::Writing);
    }
    for (channel, text) in [(Channel::Thought, thought), (Channel::Content, content)] {
        if text.is_empty() {
            continue;
        }
        let offset = running.edit(|draft| {
            draft.dirty = true;
            match channel {
                Channel::Content => draft.content.push(&text),
                Channel::Thought => draft.thought.push(&text),
            }
        });
        announce(app, running, ReplyStep::Delta { channel, offset, text });
    }
}

fn set_stage(app: &App, running: &RunningReply, stage: Stage) {
    running.edit(|draft| {
        draft.stage = stage;
        draft.dirty = true;
    });
    announce_stage(app, running);
}

fn announce_stage(app: &App, running: &RunningReply) {
    let step = running.read(|draft| ReplyStep::Stage {
        stage: draft.stage,
        failure: draft.failure.clone(),
        retry_at: draft.retry_at,
    });
    announce(app, running, step);
}

fn announce(app: &App, running: &RunningReply, step: ReplyStep) {
    let attempt = running.read(|draft| draft.attempt);
    let progress = ReplyProgress { message_id: running.message_id, attempt, step };
    app.live.publish_progress(running.session_id, progress);
}

/// Stores the end of a reply, however long the database takes to come back.
async fn end(app: &App, reply: &Reply, running: &RunningReply, outcome: Outcome) {
    let Some(ending) = ending(running.draft(), outcome) else { return };
    for attempt in 1..=10 {
        match store_end(app, reply, &ending).await {
            Ok(_) => return,
            Err(error) => {
                let error = error.describe();
                tracing::warn!(id = %reply.message_id, attempt, error, "cannot store a reply's end");
                sleep(backoff(attempt).min(Duration::from_secs(5))).await;
            }
        }
    }
    // The draft is stored: whoever finds the expired lease ends the reply with it.
    tracing::error!(id = %reply.message_id, "gave up storing a reply's end");
}

fn ending(draft: Draft, outcome: Outcome) -> Option<Ending> {
    let has_text = draft.content.units() > 0;
    let (status, finish_reason, usage, failure) = match outcome {
        Outcome::Lost => return None,
        Outcome::Complete(reason, usage) if has_text => {
            (MessageStatus::Complete, Some(reason), usage, None)
        }
        Outcome::Complete(_, usage) => {
            let message = "the model answered with no text".into();
            let failure = Failure { code: FailureCode::Empty, message };
            (MessageStatus::Failed, None, usage, Some(failure))
        }
        Outcome::Stopped => (MessageStatus::Stopped, None, None, None),
        Outcome::Ending => (MessageStatus::Interrupted, None, None, None),
        Outcome::Failed(failure, _) if has_text => {
            (MessageStatus::Interrupted, None, None, Some(failure))
        }
        Outcome::Failed(failure, _) => (MessageStatus::Failed, None, None, Some(failure)),
    };
    Some(Ending {
        status,
        stage: draft.stage,
        first_text_at: draft.first_text_at,
        content: draft.content.into(),
        thought: draft.thought.into(),
        finish_reason,
        usage,
        failure,
    })
}

/// One transaction: the message, its job, the event. False if another process has it.
pub(super) async fn store_end(app: &App, reply: &Reply, ending: &Ending) -> Result<bool> {
    let Some(mut change) = SessionChange::open_for_reply(app, reply.session_id).await? else {
        return Ok(false);
    };
    let now = app.clock.now();
    let process = app.replies.process();
    if !store::reply::finish(&mut change.tx, reply, process, ending, now).await? {
        return Ok(false);
    }
    store::message::finish(&mut change.tx, reply.message_id, ending).await?;
    let message = reply.message_id;
    change.record(match ending.status {
        MessageStatus::Failed => EventBody::ReplyFailed { message },
        MessageStatus::Pending
        | MessageStatus::Writing
        | MessageStatus::Complete
        | MessageStatus::Stopped
        | MessageStatus::Interrupted => EventBody::ReplyFinished { message },
    });
    change.commit().await?;
    Ok(true)
}
