//! What waits to be stored of a session that is being made, and how much it is.

use skald_base::{Result, Tx};

use crate::{
    store::{self, graft::OldText},
    tree::Message,
    turn::Reply,
};

/// Messages stored in one transaction at most.
const MESSAGES: usize = 256;
/// Bytes stored in one transaction, about.
const BYTES: usize = 1024 * 1024;
/// Bytes that a row takes beside its texts, about: rows without a text are work, too.
const ROW_BYTES: usize = 100;

/// What was added and is not stored yet.
#[derive(Default)]
pub(super) struct Batch {
    messages: Vec<Message>,
    old_texts: Vec<OldText>,
    replies: Vec<Reply>,
    bytes: usize,
}

impl Batch {
    /// Whether it is enough for one transaction.
    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= MESSAGES || self.bytes >= BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Adds a message and how a model wrote it: what comes with messages is added here.
    pub(super) fn add(&mut self, message: Message, reply: Option<Reply>) {
        let thought = message.thought.as_deref().map_or(0, str::len);
        self.bytes += ROW_BYTES + message.content.len() + thought;
        self.messages.push(message);
        if let Some(reply) = reply {
            let texts = [&reply.job.0.instruction, &reply.failure_message];
            self.bytes += ROW_BYTES + texts.into_iter().flatten().map(String::len).sum::<usize>();
            self.replies.push(reply);
        }
    }

    /// Adds what a message said before, after the message.
    pub(super) fn add_old(&mut self, text: OldText) {
        self.bytes += ROW_BYTES + text.content.len();
        self.old_texts.push(text);
    }

    pub(super) async fn store(&self, tx: &mut Tx) -> Result<()> {
        store::message::insert_all(tx, &self.messages).await?;
        store::graft::insert_revisions(tx, &self.old_texts).await?;
        store::reply::insert_ended(tx, &self.replies).await
    }
}
