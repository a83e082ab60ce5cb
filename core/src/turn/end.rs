//! The end of a reply, which is always stored.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use skald_base::{Result, Tx};
use tokio::time::sleep;

use super::{
    Failure, FailureCode, Finish, Reply, Stage,
    reply::{Draft, RunningReply},
};
use crate::{
    app::App,
    calibration::Counted,
    events::EventBody,
    llm::{ModelRole, Usage},
    prompt::tokens::{Calibration, Weight},
    session::change::SessionChange,
    store,
    tree::MessageStatus,
    usage::{self, ModelCall},
};

/// How one attempt ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The model wrote its reply.
    Complete(Finish),
    /// Somebody stopped it.
    Stopped,
    /// The process is going down.
    Ending,
    /// Another process writes it now.
    Lost,
    /// The model, or we, could not.
    Failed(Failure),
}

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
    pub(crate) cost: Option<i64>,
    pub(crate) failure: Option<Failure>,
    pub(crate) retry_at: Option<DateTime<Utc>>,
    /// What was learnt of the model's tokenizer, if it is worth storing.
    pub(crate) learnt: Option<Calibration>,
}

/// Stores the end of a reply, however long the database takes to come back.
pub(super) async fn end(
    app: &App,
    reply: &Reply,
    running: &RunningReply,
    (outcome, asked): (Outcome, Option<AskedOf>),
) {
    let Some(ending) = ending(running.draft(), outcome) else { return };
    // Once, however often storing it has to be tried.
    let learnt = learn(app, reply, asked, ending.usage);
    let ending = Ending { learnt, ..priced(app, reply, ending) };
    for attempt in 1..=10 {
        match store_end(app, reply, &ending).await {
            Ok(_) => return,
            Err(error) => {
                let error = error.describe();
                tracing::warn!(id = %reply.message_id, attempt, error, "cannot store a reply's end");
                sleep(pause(attempt)).await;
            }
        }
    }
    // The draft is stored: whoever finds the expired lease ends the reply with it.
    tracing::error!(id = %reply.message_id, "gave up storing a reply's end");
}

fn pause(attempt: u32) -> Duration {
    (Duration::from_millis(250) * 2_u32.saturating_pow(attempt)).min(Duration::from_secs(5))
}

fn ending(draft: Draft, outcome: Outcome) -> Option<Ending> {
    let has_text = draft.has_new_text();
    let (status, finish_reason, failure) = match outcome {
        Outcome::Lost => return None,
        Outcome::Complete(reason) => (MessageStatus::Complete, Some(reason), None),
        Outcome::Stopped => (MessageStatus::Stopped, None, None),
        Outcome::Ending if has_text => (MessageStatus::Interrupted, None, None),
        Outcome::Ending => (MessageStatus::Failed, None, Some(without_a_word())),
        Outcome::Failed(failure) if has_text => (MessageStatus::Interrupted, None, Some(failure)),
        Outcome::Failed(failure) => (MessageStatus::Failed, None, Some(failure)),
    };
    Some(Ending {
        status,
        stage: draft.stage,
        first_text_at: draft.first_text_at,
        content: draft.content.into(),
        thought: draft.thought.into(),
        finish_reason,
        usage: draft.usage,
        cost: None,
        failure,
        retry_at: None,
        learnt: None,
    })
}

/// Why a reply failed whose process went away, for good, before the first word.
pub(super) fn without_a_word() -> Failure {
    Failure::new(FailureCode::Internal, "the server was stopped before it wrote a word of this")
}

fn priced(app: &App, reply: &Reply, ending: Ending) -> Ending {
    let after = ending.failure.as_ref().and_then(|failure| failure.retry_after);
    let delay = after.and_then(|after| TimeDelta::from_std(after).ok());
    let retry_at = delay.and_then(|delay| app.clock.now().checked_add_signed(delay));
    let cost = ending.usage.and_then(|usage| usage::cost(app, &reply.model, usage));
    Ending { cost, retry_at, ..ending }
}

/// One transaction: the message, its job, what it cost, the event. False if another process has it.
pub(super) async fn store_end(app: &App, reply: &Reply, ending: &Ending) -> Result<bool> {
    let Some(mut change) = SessionChange::open_for_reply(app, reply.session_id).await? else {
        return Ok(false);
    };
    let now = app.clock.now();
    let process = app.replies.process();
    if !store::reply::finish(&mut change.tx, reply, process, ending, now).await? {
        return Ok(false);
    }
    let place = (reply.session_id, reply.message_id);
    store::message::finish(&mut change.tx, place, ending).await?;
    if let Some(usage) = ending.usage {
        store_call(app, &mut change.tx, reply, usage).await?;
    }
    if let Some(learnt) = &ending.learnt {
        store::calibration::save(&mut change.tx, &reply.model, learnt).await?;
    }
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

/// Books what an attempt cost.
pub(super) async fn store_call(app: &App, tx: &mut Tx, reply: &Reply, usage: Usage) -> Result<()> {
    let call = ModelCall {
        id: app.ids.next(),
        user_id: reply.user_id,
        session_id: Some(reply.session_id),
        message_id: Some(reply.message_id),
        role: ModelRole::Story,
        model: reply.model.clone(),
        usage,
        cost: usage::cost(app, &reply.model, usage),
        at: app.clock.now(),
    };
    store::usage::insert(tx, &call).await
}

/// What was asked, as far as its size can be learnt from.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedOf {
    pub(super) weight: Weight,
    pub(super) context: u32,
}

fn learn(
    app: &App,
    reply: &Reply,
    asked: Option<AskedOf>,
    usage: Option<Usage>,
) -> Option<Calibration> {
    let (AskedOf { weight, context }, usage) = (asked?, usage?);
    app.calibrations.learn(&reply.model, Counted { weight, tokens: usage.prompt, context })
}
