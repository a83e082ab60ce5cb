//! Writing one reply: attempts with one model or two, and an end that is always stored.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use chrono::TimeDelta;
use futures_util::FutureExt;
use skald_base::{Error, Result};
use tokio::time::sleep;

use super::{
    Failure, FailureCode, Reply, Stage,
    ask::{self, Asked},
    end::{self, AskedOf, Outcome},
    read::{announce, announce_stage, failed, interrupted, read, set_stage},
    reply::{Draft, RunningReply},
    retry::{self, Trial, Verdict},
};
use crate::{
    app::App,
    events::{Channel, ReplyStep},
    prompt::Plan,
    store,
};

/// A committed reply that is about to be written.
pub(super) struct Start {
    pub(super) reply: Reply,
    /// The text it goes on from; empty if it begins anew.
    pub(super) begins_with: String,
    /// The session's sequence when its message was told.
    pub(super) added_at: i64,
    /// Which attempt it is since somebody asked for it.
    pub(super) tries: i64,
}

/// Starts writing a committed reply.
pub(super) fn spawn(app: &App, start: Start) {
    let Start { reply, begins_with, added_at, tries } = start;
    let running = app.replies.enter(&reply, begins_with, added_at);
    let writer = Writer { app: app.clone(), reply, running, tries, asked: None, shorter: false };
    app.lifecycle.spawn(writer.write());
}

/// Who writes a reply, from its first attempt to its end.
struct Writer {
    app: App,
    reply: Reply,
    running: Arc<RunningReply>,
    /// Attempts with the model that writes now.
    tries: i64,
    /// What the last prompt was made of.
    asked: Option<AskedOf>,
    /// Whether the next prompt will be shorter than the last one.
    shorter: bool,
}

/// What comes after a failed attempt.
struct Next {
    model: String,
    after: Duration,
}

impl Writer {
    async fn write(mut self) {
        let outcome = loop {
            let caught = AssertUnwindSafe(self.attempt()).catch_unwind().await;
            // A bug in a provider must not leave a reply that nobody ends.
            let outcome = caught.unwrap_or_else(|_| {
                let panicked = Error::Internal("the task panicked".into());
                internal("writing", &panicked)
            });
            let Outcome::Failed(failure) = &outcome else { break outcome };
            let Some(next) = self.next(failure).await else { break outcome };
            let failure = failure.clone();
            if let Some(outcome) = self.go_on(failure, next).await {
                break outcome;
            }
        };
        end::end(&self.app, &self.reply, &self.running, (outcome, self.asked)).await;
        self.app.replies.leave(&self.running);
    }

    async fn attempt(&mut self) -> Outcome {
        self.shorter = false;
        let Self { app, reply, running, .. } = self;
        let given = running.begins_with.clone();
        if reply.attempt > 1 {
            // A client may hold the thought of the attempt before.
            announce(app, running, ReplyStep::Reset { content: given, thought: String::new() });
        } else if !given.is_empty() {
            let channel = Channel::Content;
            announce(app, running, ReplyStep::Delta { channel, offset: 0, text: given });
        }
        set_stage(app, running, Stage::Recalling);
        let asked = tokio::select! {
            outcome = interrupted(app, running) => return outcome,
            asked = ask::for_reply(app, reply) => asked,
        };
        let asked = match asked {
            Ok(Ok(asked)) => asked,
            Ok(Err(failure)) => return Outcome::Failed(failure),
            Err(error) => return internal("reading the scene", &error),
        };
        let context = asked.request.abilities.context_tokens;
        self.asked = Some(AskedOf { weight: asked.plan.weight, context });
        set_stage(&self.app, &self.running, Stage::Waiting);
        // What was asked is stored while the model reads it, and before the reply ends.
        let (stored, (outcome, body)) =
            tokio::join!(self.keep(&asked, asked.body.as_deref()), self.ask(&asked));
        stored.unwrap_or_else(|error| report(&self.reply, &error));
        if body.is_some() && body != asked.body {
            let kept = self.keep(&asked, body.as_deref()).await;
            kept.unwrap_or_else(|error| report(&self.reply, &error));
        }
        self.shorter = self.is_refused_as_too_long(&asked.plan, &outcome);
        outcome
    }

    /// Whether the model has no room for this prompt; the next one is planned for a smaller context.
    fn is_refused_as_too_long(&self, plan: &Plan, outcome: &Outcome) -> bool {
        let refused = matches!(outcome, Outcome::Failed(failure) if failure.code == FailureCode::PromptTooLarge);
        if refused {
            let sent = plan.tokens.saturating_add(plan.budget.reply);
            self.app.calibrations.refused(&self.reply.model, sent);
        }
        refused
    }

    async fn keep(&self, asked: &Asked, body: Option<&str>) -> Result<()> {
        asked.store(&self.app, &self.reply, body).await
    }

    /// The outcome, and the body that was sent if it is not the one in `asked`.
    async fn ask(&self, asked: &Asked) -> (Outcome, Option<String>) {
        let Self { app, running, .. } = self;
        let answer = tokio::select! {
            outcome = interrupted(app, running) => return (outcome, None),
            answer = app.llm.stream(asked.request.clone()) => answer,
        };
        match answer {
            Ok(answer) => (read(app, running, answer.chunks).await, answer.body),
            Err(error) => (failed(running, &error), None),
        }
    }

    /// What to do after a failure; none if the reply ends with it.
    async fn next(&self, failure: &Failure) -> Option<Next> {
        let fallback = ask::fallback(&self.app, &self.reply).await;
        let fallback = fallback.unwrap_or_else(|error| {
            report(&self.reply, &error);
            None
        });
        let trial = Trial {
            failure,
            tries: self.tries,
            shorter: self.shorter,
            text_shown: self.running.read(Draft::has_new_text),
            has_fallback: fallback.is_some(),
        };
        let (_, chance) = self.reply.message_id.uuid().as_u64_pair();
        match retry::judge(trial, chance.wrapping_mul(self.reply.attempt.unsigned_abs())) {
            Verdict::GiveUp => None,
            Verdict::Again(after) => Some(Next { model: self.reply.model.clone(), after }),
            Verdict::Fallback => fallback.map(|model| Next { model, after: Duration::ZERO }),
        }
    }

    /// Waits, then begins the next attempt; an outcome if the reply ended while waiting.
    async fn go_on(&mut self, failure: Failure, next: Next) -> Option<Outcome> {
        let Self { app, running, .. } = self;
        let retry_at = app.clock.now() + TimeDelta::from_std(next.after).unwrap_or_default();
        running.edit(|draft| {
            draft.stage = Stage::Retrying;
            draft.failure = Some(failure);
            draft.retry_at = Some(retry_at);
            draft.dirty = true;
        });
        announce_stage(app, running);
        tokio::select! {
            outcome = interrupted(app, running) => return Some(outcome),
            () = sleep(next.after) => {}
        }
        match self.store_next(&next.model).await {
            Ok(true) => {}
            Ok(false) => return Some(Outcome::Lost),
            Err(error) => return Some(internal("starting the next attempt", &error)),
        }
        self.tries = if self.reply.model == next.model { self.tries + 1 } else { 1 };
        self.reply.model = next.model;
        self.reply.attempt += 1;
        let attempt = self.reply.attempt;
        let begins_with = &self.running.begins_with;
        let draft = Draft { dirty: true, ..Draft::new(attempt, begins_with) };
        self.running.edit(|current| *current = draft);
        None
    }

    /// Stores that the next attempt begins, and what the last one cost.
    async fn store_next(&self, model: &str) -> Result<bool> {
        let Self { app, reply, running, .. } = self;
        let mut tx = app.db.begin().await?;
        // In the order of everybody who locks both: the session, then its reply.
        if store::session::lock_any(&mut tx, reply.session_id).await?.is_none() {
            return Ok(false);
        }
        if !store::reply::next_attempt(&mut tx, reply, app.replies.process(), model).await? {
            return Ok(false);
        }
        if let Some(usage) = running.read(|draft| draft.usage) {
            end::store_call(app, &mut tx, reply, usage).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// A reply without a record of its prompt, or a second model, is better than none.
fn report(reply: &Reply, error: &Error) {
    let error = error.describe();
    tracing::warn!(id = %reply.message_id, error, "the database failed beside a reply");
}

fn internal(doing: &str, error: &Error) -> Outcome {
    let error = error.describe();
    tracing::error!(doing, error, "a reply failed");
    let message = "the server failed while writing this reply";
    Outcome::Failed(Failure::new(FailureCode::Internal, message))
}
