//! Trying a failed reply once more, in its place.

use skald_base::{Error, Result, Viewer, graph::ClientRequestId};
use sqlx::types::Json;

use super::{
    Job, Made, Reply, Turn, not_your_message, repeat,
    run::{self, Start},
    session_of,
    start::{check_limits, parent_of},
};
use crate::{
    app::App,
    events::EventBody,
    request,
    session::change::SessionChange,
    store,
    tree::{Message, MessageId, MessageStatus},
};

/// Begins a failed reply again: the same message, the next attempt.
pub async fn retry_reply(
    app: &App,
    viewer: &Viewer,
    id: MessageId,
    request: &ClientRequestId,
) -> Result<Turn> {
    let user = viewer.user()?;
    let session = session_of(app, id).await?;
    let mut change = SessionChange::open(app, viewer, session).await.map_err(not_your_message)?;
    let claim = request::Claim::new(user.id, "retryReply", request, &id);
    let made = Made { session, message: None, reply: Some(id) };
    if let Some(first) = request::claim(app, &mut change.tx, &claim, &made).await? {
        drop(change);
        return repeat(app, viewer, first).await;
    }
    let message = change.message(id, "input.messageId").await?;
    let failed = store::reply::find(&mut change.tx, id).await?;
    let failed = without_text(&message, failed)?;
    if store::message::has_children(&mut change.tx, id).await? {
        let text = "the story went on below the reply: regenerate it instead";
        return Err(Error::invalid("input.messageId", text));
    }
    parent_of(&mut change, &message).await?;
    check_limits(&mut change, user.id).await?;
    let wanted = failed.job.model.clone().or_else(|| change.session.settings.story_model.clone());
    let again = Reply {
        attempt: failed.attempt + 1,
        user_id: user.id,
        model: app.story_model(wanted),
        leased_by: Some(app.replies.process()),
        draft_content: message.content.clone(),
        job: Json(Job { minor: user.minor, ..failed.job.0.clone() }),
        ..failed
    };
    if !store::reply::begin_again(&mut change.tx, &again).await? {
        return Err(Error::Internal("a failed reply that has not ended".into()));
    }
    store::message::begin_again(&mut change.tx, id).await?;
    change.record(EventBody::MessageUpdated { message: id, retried: true });
    let session = change.commit().await?;
    let begins_with = message.content.clone();
    let added_at = session.last_sequence;
    run::spawn(app, Start { reply: again, begins_with, added_at, tries: 1 });
    let reply = Message { status: MessageStatus::Pending, thought: None, ..message };
    Ok(Turn { session, message: None, reply: Some(reply) })
}

/// The job of a message of whose text nothing was published.
fn without_text(message: &Message, reply: Option<Reply>) -> Result<Reply> {
    let refused = |text: &str| Err(Error::invalid("input.messageId", text));
    match reply {
        Some(_) if message.status != MessageStatus::Failed => {
            refused("only a reply that failed can be retried: regenerate it instead")
        }
        Some(_) if message.revision > 1 => {
            refused("the message was written by hand since: regenerate it instead")
        }
        Some(reply) => Ok(reply),
        None => refused("only what a model should have written can be retried"),
    }
}
