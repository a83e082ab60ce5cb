//! Marks of the player's on messages: hidden from models, kept under a name.

use skald_base::{Result, Viewer, graph::TextRule};

use super::{Message, MessageId};
use crate::{
    app::App,
    events::EventBody,
    session::{Session, change::SessionChange},
    store,
    turn::{not_your_message, session_of},
};

/// Shows a message to models, or does not; players see it either way.
pub async fn hide(
    app: &App,
    viewer: &Viewer,
    id: MessageId,
    hidden: bool,
) -> Result<(Session, Message)> {
    mark(app, viewer, id, |message| message.hidden_from_prompt = hidden).await
}

/// Keeps a message under a name, or no longer.
pub async fn bookmark(
    app: &App,
    viewer: &Viewer,
    id: MessageId,
    name: Option<String>,
) -> Result<(Session, Message)> {
    if let Some(name) = &name {
        TextRule::required(200).check("input.name", name)?;
    }
    mark(app, viewer, id, |message| message.bookmark = name).await
}

/// Changes marks; a message that bears them already is left alone, and nobody is told.
async fn mark(
    app: &App,
    viewer: &Viewer,
    id: MessageId,
    set: impl FnOnce(&mut Message),
) -> Result<(Session, Message)> {
    let session = session_of(app, id).await?;
    let mut change = SessionChange::open(app, viewer, session).await.map_err(not_your_message)?;
    let before = change.message(id, "input.messageId").await?;
    let mut message = before.clone();
    set(&mut message);
    if message != before {
        store::message::set_marks(&mut change.tx, &message).await?;
        change.record(EventBody::MessageUpdated { message: id, retried: false });
    }
    Ok((change.commit().await?, message))
}
