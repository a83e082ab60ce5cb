//! The player's own message, written by a model for once.

use serde::Serialize;
use skald_base::{Result, Viewer, graph::ClientRequestId};

use super::{
    Job, Made, Order, Speaker, Turn, check_instruction, check_model, finish_turn, repeat,
    start::open_parent,
};
use crate::{
    app::App,
    request,
    session::{SessionId, change::SessionChange},
    tree::MessageId,
};

/// A wish for a message of the player's own.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct Impersonation {
    pub session_id: SessionId,
    pub parent_id: Option<MessageId>,
    pub instruction: Option<String>,
    pub model_id: Option<String>,
    pub message_id: Option<MessageId>,
    pub expected_head_id: Option<MessageId>,
}

/// Has a model write the player's message, as the persona; no reply to it is begun.
pub async fn impersonate(
    app: &App,
    viewer: &Viewer,
    wish: Impersonation,
    request: &ClientRequestId,
) -> Result<Turn> {
    let user = viewer.user()?;
    check_instruction(wish.instruction.as_deref())?;
    let id = request::fresh_id(app, "input.messageId", wish.message_id)?;
    let mut change = SessionChange::open(app, viewer, wish.session_id)
        .await
        .map_err(|error| error.at("input.sessionId"))?;
    let claim = request::Claim::new(user.id, "impersonate", request, &wish);
    let made = Made { session: wish.session_id, message: None, reply: Some(id) };
    if let Some(first) = request::claim(app, &mut change.tx, &claim, &made).await? {
        drop(change);
        return repeat(app, viewer, first).await;
    }
    check_model(app, wish.model_id.as_deref())?;
    change.expect_head(wish.expected_head_id)?;
    let parent = open_parent(&mut change, wish.parent_id).await?;
    let job = Job {
        instruction: wish.instruction,
        model: wish.model_id,
        ..Job::new(Speaker::Player, user.minor)
    };
    let order = Order::new(Some(id), user.id, job);
    finish_turn(change, parent.as_ref(), order, request).await
}
