//! Changes to a tree: edit, select, delete, restore.

use serde::Serialize;
use skald_base::{
    Error, Result, UserError, UserErrorCode, Viewer,
    graph::{ClientRequestId, TextRule},
    viewer::SignedIn,
};

use super::{Message, MessageId, MessageRole, MessageStatus, revision};
use crate::{
    app::App,
    events::EventBody,
    purge, request,
    session::{
        Session, SessionId,
        change::{ParentPlace, SessionChange},
    },
    store,
    turn::{self, Job, Made, Order, Turn, not_your_message, session_of},
};

/// How an edit is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum EditMode {
    Sibling,
    InPlace,
}

/// An edit of a message.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct Edit {
    pub message_id: MessageId,
    pub content: String,
    pub mode: EditMode,
    pub reply: bool,
    pub expected_revision: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_head_id: Option<MessageId>,
    pub new_message_id: Option<MessageId>,
    pub reply_id: Option<MessageId>,
}

/// Edits a message: as a sibling (the old one stays as it is) or in place.
pub async fn edit(
    app: &App,
    viewer: &Viewer,
    edit: Edit,
    request: &ClientRequestId,
) -> Result<Turn> {
    let user = viewer.user()?;
    TextRule::required(app.limits.message_bytes).check("input.content", &edit.content)?;
    let session = session_of(app, edit.message_id).await?;
    let mut change = SessionChange::open(app, viewer, session).await.map_err(not_your_message)?;
    let made = made_by(app, session, &edit)?;
    let claim = request::Claim::new(user.id, "editMessage", request, &edit);
    if let Some(first) = request::claim(app, &mut change.tx, &claim, &made).await? {
        drop(change);
        return turn::repeat(app, viewer, first).await;
    }
    change.expect_head(edit.expected_head_id)?;
    let original = change.message(edit.message_id, "input.messageId").await?;
    revision::check(&original, edit.expected_revision)?;
    match edit.mode {
        EditMode::InPlace => edit_in_place(change, &original, &edit).await,
        EditMode::Sibling => {
            let mut sibling = sibling_of(&mut change, &original, made.message).await?;
            sibling.content = edit.content;
            add_sibling(change, sibling, (user, made.reply), request).await
        }
    }
}

/// The ids that an edit makes.
fn made_by(app: &App, session: SessionId, edit: &Edit) -> Result<Made> {
    let message = match edit.mode {
        EditMode::InPlace => edit.message_id,
        EditMode::Sibling => request::fresh_id(app, "input.newMessageId", edit.new_message_id)?,
    };
    let has_reply = edit.reply && edit.mode == EditMode::Sibling;
    let reply = has_reply.then(|| request::fresh_id(app, "input.replyId", edit.reply_id));
    Ok(Made { session, message: Some(message), reply: reply.transpose()? })
}

/// Stores an edited sibling, with a reply if one is wanted.
async fn add_sibling(
    mut change: SessionChange<'_>,
    sibling: Message,
    (user, reply): (SignedIn, Option<MessageId>),
    request: &ClientRequestId,
) -> Result<Turn> {
    let app = change.app;
    if reply.is_some() {
        if sibling.role != MessageRole::Player {
            let message = "only an edited message of the player gets a reply";
            return Err(Error::invalid("input.reply", message));
        }
        turn::check_limits(&mut change, user.id).await?;
    }
    store::message::insert(&mut change.tx, &sibling).await.map_err(request::id_taken)?;
    let started = if reply.is_some() {
        let speaker =
            turn::choose_speaker(&mut change.tx, sibling.session_id, None, Some(&sibling)).await?;
        let order = Order::new(reply, user.id, Job::new(speaker, user.minor));
        Some(turn::start_reply(&mut change, Some(&sibling), order).await?)
    } else {
        None
    };
    let reply_id = started.as_ref().map(|started| started.message.id);
    let client_request_id = Some(request.as_str().to_owned());
    change.record(EventBody::MessagesAdded {
        messages: std::iter::once(sibling.id).chain(reply_id).collect(),
        client_request_id: client_request_id.clone(),
    });
    change.move_head(Some(reply_id.unwrap_or(sibling.id)), client_request_id).await?;
    let session = change.commit().await?;
    let reply = started.map(|started| turn::begin(app, started, &session));
    Ok(Turn { session, message: Some(sibling), reply })
}

async fn edit_in_place(
    mut change: SessionChange<'_>,
    original: &Message,
    edit: &Edit,
) -> Result<Turn> {
    if edit.reply {
        let message = "an edit in place changes a text; for a new reply edit as a sibling";
        return Err(Error::invalid("input.reply", message));
    }
    let message = revision::revise(&mut change, original, &edit.content).await?;
    let session = change.commit().await?;
    Ok(Turn { session, message: Some(message), reply: None })
}

/// A message beside `original`, with the same author.
async fn sibling_of(
    change: &mut SessionChange<'_>,
    original: &Message,
    id: Option<MessageId>,
) -> Result<Message> {
    let place = match original.parent_id {
        None => None,
        Some(parent) => {
            let parent = change.message(parent, "input.messageId").await?;
            Some(ParentPlace::below(&mut change.tx, &parent).await?)
        }
    };
    let author = original.author.clone();
    let id = id.unwrap_or_else(|| change.app.ids.next());
    let mut sibling = change.draft_message(id, original.role, author, place.as_ref());
    sibling.status = MessageStatus::Complete;
    sibling.edited_from_id = Some(original.id);
    sibling.hidden_from_prompt = original.hidden_from_prompt;
    Ok(sibling)
}

/// Selects a message: the head returns to the leaf last visited below it.
pub async fn select(
    app: &App,
    viewer: &Viewer,
    id: MessageId,
    expected_head: Option<MessageId>,
) -> Result<(Session, Message)> {
    let session = session_of(app, id).await?;
    let mut change = SessionChange::open(app, viewer, session).await.map_err(not_your_message)?;
    change.expect_head(expected_head)?;
    let message = change.message(id, "input.messageId").await?;
    let leaf = store::tip::newest_below(&mut change.tx, &message).await?.unwrap_or(id);
    if change.session.head_id != Some(leaf) {
        change.move_head(Some(leaf), None).await?;
    }
    Ok((change.commit().await?, message))
}

/// Deletes a message and everything below it; what is being written there stops.
///
/// The head moves to the parent if it was among them, from a root to another one.
pub async fn delete(
    app: &App,
    viewer: &Viewer,
    id: MessageId,
    expected_head: Option<MessageId>,
) -> Result<(Session, Message)> {
    let session = session_of(app, id).await?;
    let mut change = SessionChange::open(app, viewer, session).await.map_err(not_your_message)?;
    change.expect_head(expected_head)?;
    let message = change.message(id, "input.messageId").await?;
    let deletion = app.ids.next::<super::MessageKind>().uuid();
    let now = app.clock.now();
    store::tip::turn_back(&mut change.tx, &message).await?;
    store::deletion::delete_subtree(&mut change.tx, id, deletion, now).await?;
    let stopped =
        store::reply::request_stop_deleted(&mut change.tx, change.session.id, deletion).await?;
    change.record(EventBody::MessagesDeleted { root: id });
    if let Some(head) = change.session.head_id
        && store::message::ancestor_at(&mut change.tx, head, message.depth).await? == Some(id)
    {
        let head = match message.parent_id {
            Some(parent) => Some(parent),
            None => leaf_of_another_root(&mut change).await?,
        };
        change.move_head(head, None).await?;
    }
    let message = store::message::find(&mut change.tx, id).await?.unwrap_or(message);
    let session = change.commit().await?;
    app.replies.stop(&stopped);
    Ok((session, message))
}

/// Where the head goes when its root was deleted: to the leaf visited last, or
/// to the first root if the player has been below none; nowhere in an emptied session.
async fn leaf_of_another_root(change: &mut SessionChange<'_>) -> Result<Option<MessageId>> {
    let session = change.session.id;
    match store::tip::newest(&mut change.tx, session).await? {
        Some(leaf) => Ok(Some(leaf)),
        None => store::alternatives::first_root(&mut change.tx, session).await,
    }
}

/// Undoes the deletion that took this message; the head moves there.
pub async fn restore(
    app: &App,
    viewer: &Viewer,
    id: MessageId,
    expected_head: Option<MessageId>,
) -> Result<(Session, Message)> {
    let session = session_of(app, id).await?;
    let mut change = SessionChange::open(app, viewer, session).await.map_err(not_your_message)?;
    change.expect_head(expected_head)?;
    let missing = || Error::not_found("message").at("input.messageId");
    let message = store::message::find(&mut change.tx, id).await?.ok_or_else(missing)?;
    let Some(deletion) = message.deletion_id else {
        return Err(Error::conflict("the message is not deleted").at("input.messageId"));
    };
    purge::check_restorable(app, message.deleted_at, missing)?;
    let root = store::deletion::deletion_root(&mut change.tx, change.session.id, deletion).await?;
    if let Some(parent) = root.parent_id {
        let parent = store::message::find(&mut change.tx, parent).await?.ok_or_else(missing)?;
        if parent.deletion_id.is_some() {
            let message = "what it hangs below is deleted too: restore that first";
            return Err(Error::conflict(message).at("input.messageId"));
        }
        if parent.status.is_running() {
            let message = "what it hangs below is being written again: wait for its end";
            let error = UserError::new(UserErrorCode::ReplyRunning, message);
            return Err(error.at("input.messageId").into());
        }
    }
    store::deletion::restore(&mut change.tx, change.session.id, deletion).await?;
    change.record(EventBody::MessagesRestored { root: root.id });
    let message = store::message::find(&mut change.tx, id).await?.ok_or_else(missing)?;
    let leaf = store::tip::newest_below(&mut change.tx, &message).await?.unwrap_or(id);
    change.move_head(Some(leaf), None).await?;
    let session = change.commit().await?;
    Ok((session, message))
}
