//! Reading a model's stream into the draft, and telling who watches.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until};

use super::{
    Failure, Stage,
    end::Outcome,
    join::Join,
    reply::{Draft, RunningReply},
};
use crate::{
    app::App,
    events::{Channel, ReplyProgress, ReplyStep},
    llm::{Chunk, ChunkStream, LlmError, LlmErrorKind},
};

/// Deltas that arrive within this time travel together.
const COALESCE: Duration = Duration::from_millis(25);

/// Text that has arrived and not yet travelled on.
#[derive(Default)]
struct Pending {
    content: String,
    thought: String,
    since: Option<Instant>,
}

/// Reads to the end, or until somebody wants it to end.
pub(super) async fn read(app: &App, running: &RunningReply, mut stream: ChunkStream) -> Outcome {
    let mut pending = Pending::default();
    let mut join = Join::after(&running.begins_with);
    let mut last_publish: Option<Instant> = None;
    let outcome = loop {
        let due = pending.since.map(|since| since + COALESCE);
        let chunk = tokio::select! {
            biased;
            outcome = interrupted(app, running) => break outcome,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                publish(app, running, &mut pending);
                last_publish = Some(Instant::now());
                continue;
            }
            chunk = stream.next() => chunk,
        };
        match chunk {
            Some(Ok(Chunk::Content(text))) => {
                let text: String = storable(&text).collect();
                add_content(running, &mut pending, &join.push(&text));
            }
            Some(Ok(Chunk::Thought(text))) => pending.thought.extend(storable(&text)),
            Some(Ok(Chunk::Usage(usage))) => running.edit(|draft| draft.usage = Some(usage)),
            Some(Ok(Chunk::Finished { reason, usage })) => {
                running.edit(|draft| draft.usage = usage.or(draft.usage));
                // After any other end what is held back has no worth: nobody saw it.
                add_content(running, &mut pending, &join.finish());
                break Outcome::Complete(reason.into());
            }
            Some(Err(error)) => break failed(running, &error),
            None => break failed(running, &LlmErrorKind::Cut.into()),
        }
        // The first text after a silence travels at once; a flood travels in bunches.
        if last_publish.is_none_or(|last| last.elapsed() >= COALESCE) {
            publish(app, running, &mut pending);
            last_publish = Some(Instant::now());
        } else {
            pending.since.get_or_insert_with(Instant::now);
        }
    };
    // The socket to the provider closes now, not after the end is stored.
    drop(stream);
    publish(app, running, &mut pending);
    if !running.read(Draft::has_new_text) && matches!(outcome, Outcome::Complete(_)) {
        return failed(running, &LlmErrorKind::Empty.into());
    }
    outcome
}

/// Waits until a reply should end before its model is done.
pub(super) async fn interrupted(app: &App, running: &RunningReply) -> Outcome {
    tokio::select! {
        () = running.stop.cancelled() => Outcome::Stopped,
        () = app.lifecycle.ending().cancelled() => Outcome::Ending,
        () = running.lost.cancelled() => Outcome::Lost,
    }
}

/// Players read a sentence; whoever runs the server finds the provider's words in the log.
pub(super) fn failed(running: &RunningReply, error: &LlmError) -> Outcome {
    let (kind, detail) = (error.kind, error.for_log());
    tracing::warn!(id = %running.message_id, ?kind, detail, "a model failed");
    Outcome::Failed(Failure::from(error))
}

/// A story begins with a letter, not with the blank line that many models put first.
fn add_content(running: &RunningReply, pending: &mut Pending, text: &str) {
    let begins = pending.content.is_empty() && running.read(|draft| draft.content.units() == 0);
    let text = if begins { text.trim_start() } else { text };
    pending.content.push_str(text);
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

pub(super) fn set_stage(app: &App, running: &RunningReply, stage: Stage) {
    running.edit(|draft| {
        draft.stage = stage;
        draft.dirty = true;
    });
    announce_stage(app, running);
}

pub(super) fn announce_stage(app: &App, running: &RunningReply) {
    let step = running.read(|draft| ReplyStep::Stage {
        stage: draft.stage,
        failure: draft.failure.clone(),
        retry_at: draft.retry_at,
    });
    announce(app, running, step);
}

pub(super) fn announce(app: &App, running: &RunningReply, step: ReplyStep) {
    let attempt = running.read(|draft| draft.attempt);
    let progress = ReplyProgress { message_id: running.message_id, attempt, step };
    app.live.publish_progress(running.session_id, progress);
}
