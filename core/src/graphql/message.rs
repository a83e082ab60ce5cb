//! Messages in the graph. Their mutations are in [`super::turn`] and [`super::tree`].

use std::borrow::Cow;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use skald_base::graph::parse_id;

use super::{
    alternatives::{Alternatives, message_page},
    character::Character,
    connection::{Page, cost, forward},
    context::Graph,
    generation::Generation,
    loaders::{ChildrenKey, ReplyKey, ReturnKey},
    persona::Persona,
    revision::{MessageRevision, revision_page},
    session::Session,
    user::UserRef,
};
use crate::{
    store,
    tree::{self, MessageId},
    turn,
};

/// What a message is in the story.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "tree::MessageRole")]
pub(super) enum MessageRole {
    /// The player says and does it, as their persona: written by hand, or by a model in their name
    /// (`impersonate`).
    Player,
    /// A character says and does it.
    Character,
    /// The narrator tells it.
    Narrator,
    /// A note outside the story.
    System,
}

/// How far the writing of a message has come. The last four are terminal.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "tree::MessageStatus")]
pub(super) enum MessageStatus {
    /// Asked for; no text yet.
    Pending,
    /// Text arrives.
    Writing,
    /// Written to its end, or up to the model's limit (`finishReason: LENGTH`).
    Complete,
    /// Stopped by a player; what was written stays.
    Stopped,
    /// The server or the model gave up in the middle; what was written stays.
    Interrupted,
    /// The model could not write it; `generation.failure` says why, and `retryReply` tries again.
    /// A reply that went on from another has that one's text, and no more.
    Failed,
}

/// Who wrote a message: names as they were, links to who they are now.
#[derive(SimpleObject)]
struct Author {
    /// On which side of the story.
    kind: MessageRole,
    /// The name it was written under.
    name: String,
    /// The picture it was written under.
    avatar_url: Option<String>,
    /// The persona, if it is yours.
    persona: Option<Persona>,
    /// The character; null if it is gone for good.
    character: Option<Character>,
    /// The user who wrote it, or had it written as their persona; null for the story's side.
    user: Option<UserRef>,
}

/// A node of a story's tree.
#[derive(Clone)]
pub(super) struct Message(pub(super) tree::Message);

impl Message {
    /// The row, with the draft in the place of the text while it is being written.
    async fn current(&self, ctx: &Context<'_>) -> Result<Cow<'_, tree::Message>> {
        if !self.0.status.is_running() {
            return Ok(Cow::Borrowed(&self.0));
        }
        let row = self.0.clone();
        if let Some(running) = ctx.app().replies.find(row.id) {
            let draft = running.draft();
            return Ok(Cow::Owned(with_draft(row, draft.content.into(), draft.thought.into())));
        }
        // Another process writes it, or it has ended since it was read.
        let row = ctx.loaders().load(row.id).await?.unwrap_or(row);
        if !row.status.is_running() {
            return Ok(Cow::Owned(row));
        }
        let (row, reply) = match ctx.loaders().load(ReplyKey(row.id)).await? {
            // It ended after the message was read.
            Some(reply) if reply.finished_at.is_some() => {
                turn::watch::stored(ctx.app(), row.id).await?
            }
            reply => (row, reply),
        };
        let reply = reply.filter(|_| row.status.is_running());
        Ok(Cow::Owned(match reply {
            Some(reply) => with_draft(row, reply.draft_content, reply.draft_thought),
            None => row,
        }))
    }
}

/// A message that is being written, with its texts so far; with the first text it is `WRITING`.
fn with_draft(row: tree::Message, content: String, thought: String) -> tree::Message {
    // A reply that goes on from a text begins with it.
    let is_pending = content == row.content;
    let status = if is_pending { row.status } else { tree::MessageStatus::Writing };
    let thought = (!thought.is_empty()).then_some(thought);
    tree::Message { content, thought, status, ..row }
}

/// A node of a story's tree.
#[Object]
impl Message {
    /// The id, such as `message_01jd…`; also a cursor of `Session.path`.
    pub(super) async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The session it belongs to.
    async fn session(&self, ctx: &Context<'_>) -> Result<Session> {
        let session = ctx.loaders().load(self.0.session_id).await?;
        session.map(Session).ok_or_else(|| skald_base::Error::not_found("session").into())
    }

    /// The message it follows; null at a root.
    async fn parent(&self, ctx: &Context<'_>) -> Option<Result<Self>> {
        let loaded = ctx.loaders().load(self.0.parent_id?).await;
        loaded.map(|found| found.map(Self)).map_err(Into::into).transpose()
    }

    /// The id of the message it follows; null at a root. Never changes.
    async fn parent_id(&self) -> Option<ID> {
        self.0.parent_id.map(ID::from)
    }

    /// How many messages are above it on its path.
    async fn depth(&self) -> i64 {
        self.0.depth
    }

    /// What it is in the story.
    async fn role(&self) -> MessageRole {
        self.0.role.into()
    }

    /// Who wrote it.
    async fn author(&self, ctx: &Context<'_>) -> Result<Author> {
        let author = self.0.author.clone();
        let selected = |name| ctx.look_ahead().field(name).exists();
        let persona = match author.author_persona_id.filter(|_| selected("persona")) {
            Some(id) => ctx.loaders().load(id).await?.map(Persona::from),
            None => None,
        };
        let character = match author.author_character_id.filter(|_| selected("character")) {
            Some(id) => ctx.loaders().load(id).await?.map(Character::from),
            None => None,
        };
        Ok(Author {
            kind: self.0.role.into(),
            name: author.author_name,
            avatar_url: author.author_avatar_url,
            persona,
            character,
            user: author.author_user_id.map(UserRef),
        })
    }

    /// The text; while it is being written, the text so far.
    async fn content(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(self.current(ctx).await?.into_owned().content)
    }

    /// The beginning of the text, for lists: 120 characters unless told
    /// otherwise, 1,000 at most; white space is folded.
    async fn excerpt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many characters at most; 120 if absent.")] length: Option<i32>,
    ) -> Result<String> {
        let length = usize::try_from(length.unwrap_or(120)).unwrap_or(0).min(1000);
        let row = self.current(ctx).await?;
        let words: Vec<&str> = row.content.split_whitespace().collect();
        Ok(words.join(" ").chars().take(length).collect())
    }

    /// The model's hidden reasoning; never part of the story. Ask for it when it is opened.
    async fn thought(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        self.current(ctx).await.map(|row| row.into_owned().thought).transpose()
    }

    /// Whether there is hidden reasoning.
    async fn has_thought(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.current(ctx).await?.thought.is_some())
    }

    /// How far the writing has come.
    async fn status(&self, ctx: &Context<'_>) -> Result<MessageStatus> {
        Ok(self.current(ctx).await?.status.into())
    }

    /// All messages in this place, itself among them: what a client shows as swipes.
    async fn alternatives(&self) -> Alternatives {
        Alternatives(self.0.alternatives())
    }

    /// Which of the alternatives it is, counted from 0.
    async fn position(&self, ctx: &Context<'_>) -> Result<i32> {
        let ids = ctx.loaders().load(self.0.alternatives()).await?.unwrap_or_default();
        // A deleted message is none of them: it stands where it would be.
        let position = ids.iter().position(|id| *id == self.0.id);
        let position = position.unwrap_or_else(|| ids.iter().filter(|id| **id < self.0.id).count());
        Ok(i32::try_from(position).unwrap_or(i32::MAX))
    }

    /// The messages that follow it, on both sides, in order; 20 a page unless
    /// told otherwise, 100 at most.
    #[graphql(complexity = "cost(first, None, child_complexity)")]
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Self>> {
        let ids = ctx.loaders().load(ChildrenKey(self.0.id)).await?.unwrap_or_default();
        message_page(ctx, &ids, first, after).await
    }

    /// How a model wrote it; null for what was written by hand.
    async fn generation(&self, ctx: &Context<'_>) -> Option<Result<Generation>> {
        let mut reply = match ctx.loaders().load(ReplyKey(self.0.id)).await {
            Ok(reply) => reply?,
            Err(error) => return Some(Err(error.into())),
        };
        if let Some(running) = ctx.app().replies.find(self.0.id) {
            let draft = running.draft();
            reply.attempt = draft.attempt;
            reply.stage = draft.stage;
            reply.failure_code = draft.failure.as_ref().map(|failure| failure.code);
            reply.failure_message = draft.failure.map(|failure| failure.message);
            reply.retry_at = draft.retry_at;
            reply.first_text_at = draft.first_text_at;
        }
        Some(Ok(Generation(reply)))
    }

    /// Counts edits in place, from 1; send it as `expectedRevision`.
    async fn revision(&self) -> i64 {
        self.0.revision
    }

    /// What it said before it was edited in place, oldest first; 20 a page unless told
    /// otherwise, 100 at most. `restoreRevision` makes one of them the text again.
    #[graphql(complexity = "cost(first, None, child_complexity)")]
    async fn revisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<MessageRevision>> {
        revision_page(ctx, &self.0, forward(first, after)).await
    }

    /// The message this is an edited sibling of.
    async fn edited_from(&self, ctx: &Context<'_>) -> Option<Result<Self>> {
        let loaded = ctx.loaders().load(self.0.edited_from_id?).await;
        loaded.map(|found| found.map(Self)).map_err(Into::into).transpose()
    }

    /// The leaf that `selectMessage` would make the head: switch to it at once, confirm later.
    async fn returns_to(&self, ctx: &Context<'_>) -> Result<Self> {
        let leaf = ctx.loaders().load(ReturnKey(self.0.id)).await?;
        match leaf.filter(|leaf| *leaf != self.0.id) {
            Some(leaf) => {
                let found = ctx.loaders().load(leaf).await?;
                Ok(found.map_or_else(|| self.clone(), Self))
            }
            None => Ok(self.clone()),
        }
    }

    /// The name under which you keep it, of 1 to 200 bytes; null if you do not.
    async fn bookmark(&self) -> Option<&str> {
        self.0.bookmark.as_deref()
    }

    /// The cut reply whose text this one begins with (`continueReply`).
    async fn continued_from(&self, ctx: &Context<'_>) -> Option<Result<Self>> {
        let loaded = ctx.loaders().load(self.0.continued_from_id?).await;
        loaded.map(|found| found.map(Self)).map_err(Into::into).transpose()
    }

    /// Whether models are not shown this message.
    async fn hidden_from_prompt(&self) -> bool {
        self.0.hidden_from_prompt
    }

    /// When it was added.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was edited in place last.
    async fn edited_at(&self) -> Option<DateTime<Utc>> {
        self.0.edited_at
    }

    /// When it was deleted; it can be restored.
    async fn deleted_at(&self) -> Option<DateTime<Utc>> {
        self.0.deleted_at
    }
}

/// Queries on messages.
#[derive(Default)]
pub(super) struct MessageQuery;

#[Object]
impl MessageQuery {
    /// One message of a session of yours, deleted or not; null if there is none with this id.
    async fn message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: ID,
    ) -> Option<Result<Message>> {
        let id: MessageId = match parse_id("id", &id) {
            Ok(id) => id,
            Err(error) => return Some(Err(error.into())),
        };
        if let Err(error) = ctx.viewer().user() {
            return Some(Err(error.into()));
        }
        match ctx.loaders().load(id).await {
            Ok(found) => found.map(|row| Ok(Message(row))),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// The messages that are being written for you now, in all sessions.
    async fn running_replies(&self, ctx: &Context<'_>) -> Result<Vec<Message>> {
        let user = ctx.viewer().user()?;
        let ids = store::reply::running_for(&ctx.app().db, user.id).await?;
        let rows = ctx.loaders().load_all(&ids).await?;
        Ok(rows.into_iter().map(Message).collect())
    }
}
