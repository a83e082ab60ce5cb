//! Going on from a reply that was cut: a sibling that begins with its text.

use serde::Serialize;
use skald_base::{Error, Result, UserError, UserErrorCode, Viewer, graph::ClientRequestId};

use super::{
    Finish, Job, Made, Order, Reply, Turn, check_model, finish_turn, not_your_message, repeat,
    session_of, start::parent_of,
};
use crate::{
    app::App,
    prompt::Begun,
    request,
    session::change::SessionChange,
    store,
    tree::{Message, MessageId, MessageStatus},
};

/// A wish to have a cut reply written on.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct Continuation {
    pub message_id: MessageId,
    pub model_id: Option<String>,
    pub reply_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_head_id: Option<MessageId>,
}

/// Writes a cut reply on, as its sibling: the original stays as it is.
pub async fn continue_reply(
    app: &App,
    viewer: &Viewer,
    wish: Continuation,
    request: &ClientRequestId,
) -> Result<Turn> {
    let user = viewer.user()?;
    let reply = request::fresh_id(app, "input.replyId", wish.reply_id)?;
    let session = session_of(app, wish.message_id).await?;
    let mut change = SessionChange::open(app, viewer, session).await.map_err(not_your_message)?;
    let claim = request::Claim::new(user.id, "continueReply", request, &wish);
    let made = Made { session, message: None, reply: Some(reply) };
    if let Some(first) = request::claim(app, &mut change.tx, &claim, &made).await? {
        drop(change);
        return repeat(app, viewer, first).await;
    }
    check_model(app, wish.model_id.as_deref())?;
    change.expect_head(wish.expected_head_id)?;
    let original = change.message(wish.message_id, "input.messageId").await?;
    let written = store::reply::find(&mut change.tx, original.id).await?;
    let job = cut(&original, written)?;
    let parent = parent_of(&mut change, &original).await?;
    // Asked with the same words as the original, so that the prompt begins as its prompt did.
    let job = Job { model: wish.model_id, minor: user.minor, ..job };
    let begun = Some(Begun { from: Some(original.id), text: original.content });
    let order = Order { begun, ..Order::new(Some(reply), user.id, job) };
    finish_turn(change, parent.as_ref(), order, request).await
}

/// What was asked of a reply that ended before its end.
fn cut(message: &Message, reply: Option<Reply>) -> Result<Job> {
    let refused = |text: &str| Err(Error::invalid("input.messageId", text));
    let Some(reply) = reply else {
        return refused("only what a model wrote can be gone on from");
    };
    match (message.status, reply.finish_reason) {
        (MessageStatus::Pending | MessageStatus::Writing, _) => {
            let text = "the reply is still being written: stop it or wait for its end";
            let error = UserError::new(UserErrorCode::ReplyRunning, text);
            Err(error.at("input.messageId").into())
        }
        (MessageStatus::Failed, _) => refused("the reply failed: retry it instead"),
        (MessageStatus::Complete, Some(Finish::Stop) | None) => {
            refused("the reply is complete: there is nothing to go on with")
        }
        _ if message.content.trim().is_empty() => {
            refused("the reply has no text to go on from: regenerate it instead")
        }
        (MessageStatus::Complete, Some(Finish::Length))
        | (MessageStatus::Stopped | MessageStatus::Interrupted, _) => Ok(reply.job.0),
    }
}
