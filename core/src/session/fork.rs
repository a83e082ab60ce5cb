//! Forks: a new session that goes on from a message of an old one.
//!
//! Which messages the fork takes is decided at one moment, by their ids; what
//! they say is read and stored some at a time, through a [`Graft`]. What
//! belongs to one message is copied in [`scion()`]; what names several
//! is to be copied before the graft is finished, with [`Graft::made_of`] as
//! the way from old ids to new ones.

use std::collections::HashMap;

use serde::Serialize;
use skald_base::{Error, Result, UserError, UserErrorCode, Viewer, graph::ClientRequestId};
use tokio::sync::oneshot;

use super::{
    Session, SessionId, get,
    graft::{Graft, Member, Opened, Revision, Scion, Stock},
};
use crate::{
    app::App,
    request::{self, Claim},
    store::{self, fork::Tip},
    tree::{Message, MessageId, MessageStatus},
    turn::{Reply, watch::Snapshot},
};

/// Messages read at once at most.
const BATCH: usize = 256;
/// Bytes of text read at once, about: more only if one message has more.
const BATCH_BYTES: i64 = 1024 * 1024;

/// Which messages a fork takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum ForkScope {
    Path,
    PathWithSiblings,
    Subtree,
}

/// A wish for a fork.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct ForkWish {
    pub session_id: SessionId,
    pub message_id: MessageId,
    pub scope: ForkScope,
    pub title: Option<String>,
    pub id: Option<SessionId>,
}

/// Makes a new session that goes on from a message of the viewer's.
///
/// It is made to the end whether or not the client waits for it.
pub async fn fork(
    app: &App,
    viewer: &Viewer,
    wish: ForkWish,
    request: &ClientRequestId,
) -> Result<Session> {
    let user = viewer.user()?;
    let id = request::fresh_id(app, "input.id", wish.id)?;
    let claim = Claim::new(user.id, "forkSession", request, &wish);
    // Before the source is asked for, which may be gone by the time of the repeat.
    let opened = if let Some(opened) = Graft::repeat(app, &claim).await? {
        opened
    } else {
        let stock = stock_of(app, viewer, &wish, id).await?;
        Graft::open(app, stock, &claim).await?
    };
    let graft = match opened {
        Opened::Made(first) => return get(app, viewer, first).await,
        Opened::New(graft) => graft,
    };
    let (done, end) = oneshot::channel();
    let copying = Copying { app: app.clone(), wish, graft: *graft, left_out: HashMap::new() };
    app.lifecycle.spawn(async move {
        // A client that is gone does not hear of it.
        let _nobody_may_listen = done.send(copying.run().await);
    });
    end.await.map_err(|_| Error::Internal("a fork ended without a word".into()))?
}

/// The old session as the new one begins, if the viewer may fork it there.
async fn stock_of(app: &App, viewer: &Viewer, wish: &ForkWish, id: SessionId) -> Result<Stock> {
    let source = get(app, viewer, wish.session_id).await;
    let source = source.map_err(|error| error.at("input.sessionId"))?;
    if source.deleted_at.is_some() {
        let message = "the session is deleted: restore it first";
        return Err(Error::conflict(message).at("input.sessionId"));
    }
    let mut reader = app.db.reader();
    let message = store::message::find(&mut reader, wish.message_id).await?;
    let message = message.filter(|m| m.session_id == source.id && m.deleted_at.is_none());
    let message = message.ok_or_else(|| Error::not_found("message").at("input.messageId"))?;
    if message.status.is_running() && text_so_far(app, &message).await?.is_empty() {
        let message = "nothing is written of this message yet: wait, or fork the one above it";
        let error = UserError::new(UserErrorCode::ReplyRunning, message);
        return Err(error.at("input.messageId").into());
    }
    let mut settings = source.settings.clone();
    settings.title = wish.title.clone().or(settings.title);
    settings.check(app, &source.settings)?;
    let cast = store::session::cast(&mut reader, &[source.id]).await?;
    let tags = store::session_list::tags(&app.db, &[source.id]).await?;
    let member = |member: super::CastMember| Member {
        character_id: member.character_id,
        name: member.name,
        avatar_url: member.avatar_url,
    };
    Ok(Stock {
        id,
        mode: source.mode,
        settings,
        persona_id: source.persona_id,
        cast: cast.into_iter().map(member).collect(),
        tags: tags.into_iter().map(|tag| tag.tag).collect(),
        // Whoever forks wants to go on.
        archived_at: None,
        forked: Some((source.id, message.id)),
        copies: Vec::new(),
    })
}

async fn text_so_far(app: &App, message: &Message) -> Result<String> {
    if let Some(running) = app.replies.find(message.id) {
        return Ok(Snapshot::from(&running).content);
    }
    let reply = store::reply::find(&mut app.db.reader(), message.id).await?;
    let draft = reply.map(|reply| reply.draft_content).filter(|draft| !draft.is_empty());
    // One that continues another had its text before its first word.
    Ok(draft.unwrap_or_else(|| message.content.clone()))
}

/// A fork that is being made.
struct Copying {
    app: App,
    wish: ForkWish,
    graft: Graft<MessageId>,
    /// Replies without a word yet, which stay behind, and the messages above them.
    left_out: HashMap<MessageId, Option<MessageId>>,
}

impl Copying {
    async fn run(mut self) -> Result<Session> {
        match self.copy().await {
            Ok((head, tips)) => {
                let tips: Vec<_> = tips.iter().map(|tip| (tip.leaf_id, tip.visited_at)).collect();
                self.graft.finish(Some(head), &tips).await
            }
            Err(error) => {
                self.graft.discard().await;
                Err(error)
            }
        }
    }

    /// Copies the messages; the head, and the leaves that were visited.
    async fn copy(&mut self) -> Result<(MessageId, Vec<Tip>)> {
        let at = (self.wish.session_id, self.wish.message_id);
        let taken = store::fork::taken(&self.app.db, at, self.wish.scope).await?;
        for some in taken.chunks(BATCH) {
            let ids: Vec<MessageId> = some.iter().map(|taken| taken.id).collect();
            let sizes = store::fork::sizes(&self.app.db, &ids).await?.into_iter().collect();
            for few in by_size(&ids, &sizes) {
                self.copy_some(few).await?;
            }
        }
        let mut tips = store::fork::tips(&self.app.db, self.wish.session_id).await?;
        for tip in &mut tips {
            tip.leaf_id = self.instead_of(tip.leaf_id);
        }
        tips.retain(|tip| self.graft.made_of(tip.leaf_id).is_some());
        let depth = taken.iter().find(|taken| taken.id == at.1).map(|taken| taken.depth);
        let head = match self.wish.scope {
            ForkScope::Path | ForkScope::PathWithSiblings => None,
            // Whatever the fork has as deep as the message is the message, or below it.
            ForkScope::Subtree => tips.iter().find(|tip| Some(tip.depth) >= depth),
        };
        let head = head.map_or_else(|| self.instead_of(at.1), |tip| tip.leaf_id);
        Ok((head, tips))
    }

    async fn copy_some(&mut self, ids: &[MessageId]) -> Result<()> {
        let db = self.app.db.clone();
        let messages = store::fork::messages(&db, ids).await?;
        let mut messages: HashMap<_, _> = messages.into_iter().map(|m| (m.id, m)).collect();
        // After the messages: who has ended there has ended here.
        let replies = store::reply::by_ids(&db, ids).await?;
        let mut replies: HashMap<_, _> = replies.into_iter().map(|r| (r.message_id, r)).collect();
        for id in ids {
            let Some(message) = messages.remove(id) else {
                return Err(Error::conflict("the session was erased meanwhile"));
            };
            let (message, reply) = self.at_rest(message, replies.remove(id)).await?;
            if message.status.is_running() {
                // No word of it is there yet.
                self.left_out.insert(message.id, message.parent_id);
                continue;
            }
            let revision = message.revision;
            let copy = self.graft.add_edited(scion(message, reply), revision - 1).await?;
            self.copy_revisions((*id, revision), copy).await?;
        }
        Ok(())
    }

    /// What a message said before it came to this revision, a few texts at a time.
    async fn copy_revisions(
        &mut self,
        (id, revision): (MessageId, i64),
        copy: MessageId,
    ) -> Result<()> {
        let mut after = 0;
        while after + 1 < revision {
            let old_texts = store::fork::old_texts(&self.app.db, id, (after, revision)).await?;
            let Some(last) = old_texts.last() else { break };
            after = last.revision;
            for old in old_texts {
                let text = Revision { content: old.content, created_at: old.created_at };
                self.graft.add_revision(copy, old.revision, text).await?;
            }
        }
        Ok(())
    }

    /// A message that is being written, as if it had been cut off now.
    async fn at_rest(
        &self,
        mut message: Message,
        mut reply: Option<Reply>,
    ) -> Result<(Message, Option<Reply>)> {
        if !message.status.is_running() {
            return Ok((message, reply));
        }
        if reply.as_ref().is_some_and(|reply| reply.finished_at.is_some()) {
            // It ended between the two reads.
            let found = store::message::find(&mut self.app.db.reader(), message.id).await?;
            return Ok((found.unwrap_or(message), reply));
        }
        let saved = reply.as_ref().map(|reply| (&reply.draft_content, &reply.draft_thought));
        let saved = saved.map(|(content, thought)| (content.clone(), thought.clone()));
        let running = self.app.replies.find(message.id).map(|running| Snapshot::from(&running));
        let live = running.map(|snapshot| (snapshot.content, snapshot.thought));
        let (content, thought) = live.or(saved).unwrap_or_default();
        if !content.is_empty() {
            message.content = content;
            message.thought = Some(thought).filter(|thought| !thought.is_empty());
        }
        // One that continues another had its text before its first word.
        if !message.content.is_empty() {
            message.status = MessageStatus::Interrupted;
        }
        if let Some(reply) = &mut reply {
            reply.finished_at = Some(self.app.clock.now());
            (reply.failure_code, reply.failure_message, reply.retry_at) = (None, None, None);
        }
        Ok((message, reply))
    }

    /// The message itself, or the one above it if it stayed behind.
    fn instead_of(&self, id: MessageId) -> MessageId {
        self.left_out.get(&id).copied().flatten().unwrap_or(id)
    }
}

/// A message with all that belongs to it, but for what it said before.
fn scion(message: Message, reply: Option<Reply>) -> Scion<MessageId> {
    Scion {
        key: message.id,
        parent: message.parent_id,
        role: message.role,
        author: message.author,
        content: message.content,
        thought: message.thought,
        status: message.status,
        revisions: Vec::new(),
        hidden_from_prompt: message.hidden_from_prompt,
        bookmark: message.bookmark,
        edited_from: message.edited_from_id,
        continued_from: message.continued_from_id,
        created_at: message.created_at,
        edited_at: message.edited_at,
        reply,
    }
}

/// The ids in pieces whose texts are not much together.
fn by_size<'a>(
    ids: &'a [MessageId],
    sizes: &HashMap<MessageId, i64>,
) -> impl Iterator<Item = &'a [MessageId]> {
    let mut bytes = 0;
    ids.chunk_by(move |before, next| {
        let size = |id| sizes.get(id).copied().unwrap_or_default();
        bytes += size(before);
        let fits = bytes + size(next) <= BATCH_BYTES;
        if !fits {
            bytes = 0;
        }
        fits
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn large_messages_are_read_one_by_one() {
        let ids: Vec<MessageId> =
            (0..6).map(|n| MessageId::from_uuid(Uuid::from_u128(n))).collect();
        for (mebibytes, expected) in [
            ([0, 0, 0, 0, 0, 0], vec![6]),
            ([2, 2, 2, 2, 2, 2], vec![1, 1, 1, 1, 1, 1]),
            ([0, 1, 0, 1, 0, 0], vec![3, 3]),
            ([0, 9, 0, 0, 0, 0], vec![1, 1, 4]),
        ] {
            let sizes = ids.iter().copied().zip(mebibytes.map(|size| size * BATCH_BYTES)).collect();
            let pieces: Vec<usize> = by_size(&ids, &sizes).map(<[_]>::len).collect();
            assert_eq!(pieces, expected, "{mebibytes:?}");
        }
        assert_eq!(by_size(&[], &HashMap::new()).count(), 0);
    }
}
