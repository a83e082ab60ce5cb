//! Texts of one message, one after the other: edits in place, and the way back.

use serde::Serialize;
use skald_base::{Error, Result, UserError, UserErrorCode, Viewer, graph::ClientRequestId};

use super::{Message, MessageId};
use crate::{
    app::App,
    events::EventBody,
    request,
    session::{Session, change::SessionChange},
    store,
    turn::{self, Made, not_your_message, session_of},
};

/// A wish to have a former text back.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct Return {
    pub message_id: MessageId,
    pub revision: i64,
    pub expected_revision: Option<i64>,
}

/// Makes a former text the present one, as a new revision: nothing is lost.
pub async fn restore(
    app: &App,
    viewer: &Viewer,
    wish: Return,
    request: &ClientRequestId,
) -> Result<(Session, Message)> {
    let user = viewer.user()?;
    let id = wish.message_id;
    let session = session_of(app, id).await?;
    let mut change = SessionChange::open(app, viewer, session).await.map_err(not_your_message)?;
    let made = Made { session, message: Some(id), reply: None };
    let claim = request::Claim::new(user.id, "restoreRevision", request, &wish);
    if let Some(first) = request::claim(app, &mut change.tx, &claim, &made).await? {
        drop(change);
        let first = turn::repeat(app, viewer, first).await?;
        let message = first.message.ok_or_else(|| Error::not_found("message"))?;
        return Ok((first.session, message));
    }
    let message = change.message(id, "input.messageId").await?;
    check(&message, wish.expected_revision)?;
    if wish.revision == message.revision {
        return Err(Error::invalid("input.revision", "this is what the message says now"));
    }
    let found = store::revision::find_revision(&mut change.tx, id, wish.revision).await?;
    let former = found.ok_or_else(|| Error::not_found("revision").at("input.revision"))?;
    let message = revise(&mut change, &message, &former.content).await?;
    Ok((change.commit().await?, message))
}

/// Refuses a new text for a message that is being written, or says something else by now.
pub(super) fn check(message: &Message, expected: Option<i64>) -> Result<()> {
    if message.status.is_running() {
        let text = "the message is still being written: stop it or wait for its end";
        let error = UserError::new(UserErrorCode::ReplyRunning, text);
        return Err(error.at("input.messageId").into());
    }
    if expected.is_some_and(|expected| expected != message.revision) {
        let text = format!("edited meanwhile: revision {}", message.revision);
        return Err(Error::conflict(text).at("input.expectedRevision"));
    }
    Ok(())
}

/// Gives a message a new text and keeps the old one.
pub(super) async fn revise(
    change: &mut SessionChange<'_>,
    message: &Message,
    content: &str,
) -> Result<Message> {
    let now = change.app.clock.now();
    store::revision::revise(&mut change.tx, message, content, now).await?;
    change.record(EventBody::MessageUpdated { message: message.id, retried: false });
    change.message(message.id, "input.messageId").await
}
