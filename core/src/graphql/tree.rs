//! The tree in the graph: the mutations that edit, select, delete and restore.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use skald_base::{
    UserError,
    graph::{parse_id, parse_optional_id, payload},
};

use super::{
    context::Graph,
    message::Message,
    session::Session,
    stale::story_as_it_is,
    turn::{Outcome, TurnPayload, expected_head, request_id, turn_payload},
};
use crate::{
    tree::{
        self, MessageId,
        change::{self, Edit},
        mark,
        revision::{self, Return},
    },
    turn::Turn,
};

/// How an edit is kept.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "change::EditMode")]
enum EditMode {
    /// As a new message beside the old one, which stays with all that follows it.
    Sibling,
    /// In the message itself, for a typo; the old text is kept as a revision.
    InPlace,
}

/// An edit.
#[derive(InputObject)]
struct EditMessageInput {
    /// The message.
    message_id: ID,
    /// The new text; 1 byte to 64 KiB.
    content: String,
    /// How the edit is kept; as a sibling if absent.
    mode: Option<EditMode>,
    /// Whether your edited message, as a sibling, gets a fresh reply.
    #[graphql(default)]
    reply: bool,
    /// Refuse the edit with `CONFLICT` if the message has another revision by now.
    expected_revision: Option<i64>,
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
    /// An id you made for the sibling (a `UUIDv7` written as `message_…`).
    new_message_id: Option<ID>,
    /// An id you made for the reply (a `UUIDv7` written as `message_…`).
    reply_id: Option<ID>,
    /// Your id of this request.
    client_request_id: String,
}

/// Which message to select.
#[derive(InputObject)]
struct SelectMessageInput {
    /// The message.
    message_id: ID,
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
}

/// Which message to delete, with everything below it.
#[derive(InputObject)]
struct DeleteMessageInput {
    /// The message.
    message_id: ID,
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
}

/// Which message to restore.
#[derive(InputObject)]
struct RestoreMessageInput {
    /// A deleted message.
    message_id: ID,
    /// Refuse with `CONFLICT` if the session has another head by now.
    expected_head_id: Option<ID>,
}

/// Which message to hide, or to show again.
#[derive(InputObject)]
struct HideMessageInput {
    /// The message.
    message_id: ID,
    /// Whether models are to be kept from it. You see it either way.
    hidden: bool,
}

/// Which message to keep under a name.
#[derive(InputObject)]
struct BookmarkMessageInput {
    /// The message.
    message_id: ID,
    /// The name, 1 to 200 bytes; without one the bookmark is removed.
    name: Option<String>,
}

/// Which former text to have back.
#[derive(InputObject)]
struct RestoreRevisionInput {
    /// The message.
    message_id: ID,
    /// The number of the revision, from `Message.revisions`.
    revision: i64,
    /// Refuse with `CONFLICT` if the message has another revision by now.
    expected_revision: Option<i64>,
    /// Your id of this request.
    client_request_id: String,
}

/// A message and its session after a change, or why it was refused; if that is a `CONFLICT` for
/// `expectedHeadId` or `expectedRevision`, both are what they are now.
#[derive(SimpleObject)]
struct MessagePayload {
    /// The session, with its head where it is now.
    session: Option<Session>,
    /// The message.
    message: Option<Message>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations that edit the tree.
#[derive(Default)]
pub(super) struct MessageMutation;

#[Object]
impl MessageMutation {
    /// Edit a message: as a sibling, so that nothing is lost, or in place.
    async fn edit_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message, and its new text.")] input: EditMessageInput,
    ) -> Result<TurnPayload> {
        let id = input.message_id.clone();
        turn_payload(ctx, &id, edit(ctx, input).await).await
    }

    /// Select a message: the head returns to the leaf you last visited below it.
    async fn select_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message.")] input: SelectMessageInput,
    ) -> Result<MessagePayload> {
        let outcome = match move_head(&input.message_id, input.expected_head_id.as_ref()) {
            Ok((id, head)) => change::select(ctx.app(), ctx.viewer(), id, head).await,
            Err(error) => Err(error),
        };
        message_payload(ctx, &input.message_id, outcome).await
    }

    /// Delete a message and everything below it; replies being written there
    /// stop, and the head moves to the parent if it was below (from a root to
    /// the leaf you last visited below another one). It can be restored.
    async fn delete_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message.")] input: DeleteMessageInput,
    ) -> Result<MessagePayload> {
        let outcome = match move_head(&input.message_id, input.expected_head_id.as_ref()) {
            Ok((id, head)) => change::delete(ctx.app(), ctx.viewer(), id, head).await,
            Err(error) => Err(error),
        };
        message_payload(ctx, &input.message_id, outcome).await
    }

    /// Undo the deletion that took this message, whole; the head moves there. Refused with
    /// `CONFLICT` while what it hangs below is deleted, with `REPLY_RUNNING` while that is being
    /// written again.
    async fn restore_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message.")] input: RestoreMessageInput,
    ) -> Result<MessagePayload> {
        let outcome = match move_head(&input.message_id, input.expected_head_id.as_ref()) {
            Ok((id, head)) => change::restore(ctx.app(), ctx.viewer(), id, head).await,
            Err(error) => Err(error),
        };
        message_payload(ctx, &input.message_id, outcome).await
    }

    /// Keep models from a message, or show it to them again: later prompts leave it out.
    async fn hide_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message.")] input: HideMessageInput,
    ) -> Result<MessagePayload> {
        let outcome = match parse_id("input.messageId", &input.message_id) {
            Ok(id) => mark::hide(ctx.app(), ctx.viewer(), id, input.hidden).await,
            Err(error) => Err(error),
        };
        message_payload(ctx, &input.message_id, outcome).await
    }

    /// Keep a message under a name, or no longer; `Session.bookmarks` lists what you keep.
    async fn bookmark_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message, and its name.")] input: BookmarkMessageInput,
    ) -> Result<MessagePayload> {
        let outcome = match parse_id("input.messageId", &input.message_id) {
            Ok(id) => mark::bookmark(ctx.app(), ctx.viewer(), id, input.name).await,
            Err(error) => Err(error),
        };
        message_payload(ctx, &input.message_id, outcome).await
    }

    /// Make a former text of a message its text again, as a new revision: nothing is lost.
    async fn restore_revision(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message, and which of its texts.")] input: RestoreRevisionInput,
    ) -> Result<MessagePayload> {
        let id = input.message_id.clone();
        message_payload(ctx, &id, restore_revision(ctx, input).await).await
    }
}

async fn message_payload(
    ctx: &Context<'_>,
    id: &ID,
    outcome: Outcome<(crate::session::Session, tree::Message)>,
) -> Result<MessagePayload> {
    let (done, errors) = payload(outcome)?;
    let Some((session, message)) = done else {
        let (session, message) = story_as_it_is(ctx, &errors, id).await?;
        return Ok(MessagePayload { session, message, errors });
    };
    let (session, message) = (Some(session), Some(message));
    Ok(MessagePayload { session: session.map(Session), message: message.map(Message), errors })
}

fn move_head(message: &ID, head: Option<&ID>) -> Outcome<(MessageId, Option<MessageId>)> {
    let id = parse_id("input.messageId", message)?;
    Ok((id, expected_head(head)?))
}

async fn edit(ctx: &Context<'_>, input: EditMessageInput) -> Outcome<Turn> {
    let request = request_id(&input.client_request_id)?;
    let edit = Edit {
        message_id: parse_id("input.messageId", &input.message_id)?,
        content: input.content,
        mode: input.mode.map_or(change::EditMode::Sibling, Into::into),
        reply: input.reply,
        expected_revision: input.expected_revision,
        expected_head_id: expected_head(input.expected_head_id.as_ref())?,
        new_message_id: parse_optional_id("input.newMessageId", input.new_message_id.as_ref())?,
        reply_id: parse_optional_id("input.replyId", input.reply_id.as_ref())?,
    };
    change::edit(ctx.app(), ctx.viewer(), edit, &request).await
}

async fn restore_revision(
    ctx: &Context<'_>,
    input: RestoreRevisionInput,
) -> Outcome<(crate::session::Session, tree::Message)> {
    let request = request_id(&input.client_request_id)?;
    let wish = Return {
        message_id: parse_id("input.messageId", &input.message_id)?,
        revision: input.revision,
        expected_revision: input.expected_revision,
    };
    revision::restore(ctx.app(), ctx.viewer(), wish, &request).await
}
