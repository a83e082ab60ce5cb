//! Watching a session: the log after a sequence, then everything as it happens.

use std::collections::HashMap;

use async_stream::try_stream;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use skald_base::{Error, Result, Viewer};

use super::SessionId;
use crate::{
    app::App,
    events::{Channel, EventBody, LiveEvent, Missed, ReplyProgress, SessionEvent},
    store,
    tree::MessageId,
    turn::{
        text::Seen,
        watch::{Snapshot, Taken, take},
    },
};

/// What a watcher of a session is told.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionNews {
    /// The number of the stored event, or of the last one before a live-only event.
    pub sequence: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    pub what: What,
}

/// What happened in a session.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Something that is stored.
    Stored(EventBody),
    /// A running reply moved on.
    Progress(ReplyProgress),
    /// The replay is over; what follows is happening now.
    CaughtUp,
    /// The log does not reach back that far: read the session again.
    ResyncNeeded,
}

/// Watches a session from a sequence (or from now) until the client leaves.
///
/// Fails with `NOT_FOUND` if there is no such session, or it is not the viewer's.
pub async fn watch(
    app: App,
    viewer: Viewer,
    id: SessionId,
    after: Option<i64>,
    channels: Vec<Channel>,
) -> Result<impl Stream<Item = Result<SessionNews>> + use<>> {
    if after.is_some_and(|after| after < 0) {
        return Err(Error::invalid("after", "after is a sequence: 0 or more"));
    }
    super::get(&app, &viewer, id).await?;
    // Listening begins before the look that counts: nothing falls in between.
    let mut live = app.live.listen(id);
    let last = super::get(&app, &viewer, id).await?.last_sequence;
    let from = after.unwrap_or(last);
    Ok(try_stream! {
        let mut cursor = Cursor { app: app.clone(), id, sequence: from, replies: HashMap::new(), channels };
        if from > last || last - from > i64::from(app.limits.replay_events) {
            yield cursor.resync(last);
        }
        let replayed = cursor.replay(last).await?;
        cursor.find_running().await?;
        for news in replayed {
            yield news;
        }
        yield cursor.news(What::CaughtUp);
        for news in cursor.look_at_replies() {
            yield news;
        }
        loop {
            let news = match live.next().await.as_deref() {
                Ok(LiveEvent::Stored(event)) => cursor.take_stored(event.clone()).await?,
                Ok(LiveEvent::Reply(progress)) => cursor.take_progress(progress.clone()),
                Err(Missed) => {
                    let mut news = cursor.replay_to_end().await?;
                    news.extend(cursor.look_at_replies());
                    news
                }
            };
            for news in news {
                yield news;
            }
        }
    })
}

/// How far a watcher has come.
struct Cursor {
    app: App,
    id: SessionId,
    sequence: i64,
    /// What was told of the messages whose end, if they are replies, is still
    /// to be told. News of any other reply is void: its end was told, or had
    /// come before this watcher did.
    replies: HashMap<MessageId, Seen>,
    channels: Vec<Channel>,
}

impl Cursor {
    fn news(&self, what: What) -> SessionNews {
        SessionNews { sequence: self.sequence, at: self.app.clock.now(), what }
    }

    /// The next stored event, or everything up to it if one before it was missed.
    async fn take_stored(&mut self, event: SessionEvent) -> Result<Vec<SessionNews>> {
        if event.sequence <= self.sequence {
            return Ok(Vec::new());
        }
        if event.sequence > self.sequence + 1 {
            return self.replay(event.sequence).await;
        }
        Ok(vec![self.stored(event)])
    }

    fn stored(&mut self, event: SessionEvent) -> SessionNews {
        self.sequence = event.sequence;
        match &event.body.0 {
            EventBody::MessagesAdded { messages, .. } => {
                self.replies.extend(messages.iter().map(|id| (*id, Seen::default())));
            }
            EventBody::MessageUpdated { message, retried: true } => {
                self.replies.insert(*message, Seen::default());
            }
            EventBody::ReplyFinished { message } | EventBody::ReplyFailed { message } => {
                self.replies.remove(message);
            }
            EventBody::MessageUpdated { .. }
            | EventBody::MessagesDeleted { .. }
            | EventBody::MessagesRestored { .. }
            | EventBody::HeadMoved { .. }
            | EventBody::SessionUpdated {}
            | EventBody::SessionDeleted {} => {}
        }
        SessionNews { sequence: event.sequence, at: event.at, what: What::Stored(event.body.0) }
    }

    /// Reads the log up to its end, which is at `last` or beyond; a resync where it was cut.
    async fn replay(&mut self, last: i64) -> Result<Vec<SessionNews>> {
        let mut news = Vec::new();
        let mut is_cut = false;
        loop {
            let page = store::event::after(&self.app.db, self.id, self.sequence, 200).await?;
            let full = page.len() == 200;
            for event in page {
                if event.sequence > self.sequence + 1 {
                    is_cut = true;
                    news.push(self.resync(last.max(event.sequence)));
                } else if event.sequence == self.sequence + 1 {
                    news.push(self.stored(event));
                }
            }
            if !full {
                break;
            }
        }
        if self.sequence < last {
            is_cut = true;
            news.push(self.resync(last));
        }
        if is_cut {
            self.find_running().await?;
        }
        Ok(news)
    }

    /// Reads the log up to its end, wherever that is.
    async fn replay_to_end(&mut self) -> Result<Vec<SessionNews>> {
        let session = store::session::find_any(&mut self.app.db.reader(), self.id).await?;
        self.replay(session.map_or(self.sequence, |session| session.last_sequence)).await
    }

    /// Goes on from `sequence`; what was before has to be read from the session itself.
    fn resync(&mut self, sequence: i64) -> SessionNews {
        self.sequence = sequence;
        self.news(What::ResyncNeeded)
    }

    /// Finds the replies that were added before this watcher came and run still.
    ///
    /// Asked of the database after the replay, so that their end lies ahead; in
    /// memory a reply stands a moment longer than it runs.
    async fn find_running(&mut self) -> Result<()> {
        for (_, id) in store::reply::running_in(&self.app.db, &[self.id]).await? {
            self.replies.entry(id).or_default();
        }
        Ok(())
    }

    /// How far the replies that run have come, and everything that is written of them.
    ///
    /// The stage tells a client that had been away what no delta does: that there is
    /// no text, or not any more, and why. Those whose message was not told yet are left for the live feed, which
    /// brings their message first and their text after it.
    fn look_at_replies(&mut self) -> Vec<SessionNews> {
        let mut running = self.app.replies.in_session(self.id);
        running.retain(|reply| reply.added_at <= self.sequence);
        let mut news = Vec::new();
        for snapshot in running.iter().map(Snapshot::from) {
            if self.replies.contains_key(&snapshot.message_id) {
                news.push(self.news(What::Progress(snapshot.stage())));
            }
            news.extend(self.look_at(&snapshot));
        }
        news
    }

    fn look_at(&mut self, snapshot: &Snapshot) -> Vec<SessionNews> {
        let Some(seen) = self.replies.get_mut(&snapshot.message_id) else { return Vec::new() };
        let steps = snapshot.catch_up(seen, &self.channels);
        steps.into_iter().map(|step| self.news(What::Progress(step))).collect()
    }

    fn take_progress(&mut self, progress: ReplyProgress) -> Vec<SessionNews> {
        let id = progress.message_id;
        let Some(seen) = self.replies.get_mut(&id) else { return Vec::new() };
        match take(progress, seen, &self.channels) {
            Taken::News(news) => vec![self.news(What::Progress(news))],
            Taken::Nothing => Vec::new(),
            Taken::Gap => match self.app.replies.find(id) {
                Some(reply) => self.look_at(&Snapshot::from(&reply)),
                None => Vec::new(),
            },
        }
    }
}
