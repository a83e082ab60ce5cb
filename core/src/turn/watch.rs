//! Watching one reply: what is written, then what is being written, then its end.

use std::{sync::Arc, time::Duration};

use async_stream::try_stream;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use skald_base::{Error, Result, Viewer};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Failure, Reply, Stage,
    reply::RunningReply,
    text::{Advance, Seen, rest_from, utf16_len},
};
use crate::{
    app::App,
    events::{Channel, EventBody, LiveEvent, Missed, ReplyProgress, ReplyStep},
    session, store,
    tree::{Message, MessageId},
};

/// What a watcher of a reply is told.
#[derive(Clone, Debug, PartialEq)]
pub enum ReplyNews {
    /// It moved on.
    Progress(ReplyProgress),
    /// It ended, and this is the message.
    Ended {
        /// The message in its final form.
        message: Box<Message>,
        /// Which attempt it was.
        attempt: i64,
    },
}

/// What of a reply is where, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The reply's message.
    pub message_id: MessageId,
    /// Which attempt.
    pub attempt: i64,
    /// The stage it is in.
    pub stage: Stage,
    /// Why it waits to be retried, if it does.
    pub failure: Option<Failure>,
    /// Until when it waits.
    pub retry_at: Option<DateTime<Utc>>,
    /// The content so far.
    pub content: String,
    /// The thought so far.
    pub thought: String,
}

impl From<&Arc<RunningReply>> for Snapshot {
    fn from(reply: &Arc<RunningReply>) -> Self {
        let draft = reply.draft();
        Self {
            message_id: reply.message_id,
            attempt: draft.attempt,
            stage: draft.stage,
            failure: draft.failure,
            retry_at: draft.retry_at,
            content: draft.content.as_str().to_owned(),
            thought: draft.thought.as_str().to_owned(),
        }
    }
}

impl Snapshot {
    /// What a client that has `seen` needs, to have everything in this snapshot.
    ///
    /// A client may hold text of an attempt that failed, or more than was saved
    /// before a crash: then it starts over.
    pub fn catch_up(&self, seen: &mut Seen, channels: &[Channel]) -> Vec<ReplyProgress> {
        let step =
            |step| ReplyProgress { message_id: self.message_id, attempt: self.attempt, step };
        if seen.is_older_than(self.attempt)
            || seen.exceeds(utf16_len(&self.content), utf16_len(&self.thought))
        {
            *seen = Seen::all_of(self.attempt, &self.content, &self.thought);
            if channels.is_empty() {
                return Vec::new();
            }
            let (content, thought) = (self.content.clone(), self.thought.clone());
            return vec![step(ReplyStep::Reset { content, thought })];
        }
        seen.attempt = Some(self.attempt);
        let mut steps = Vec::new();
        for (channel, text) in
            [(Channel::Thought, &self.thought), (Channel::Content, &self.content)]
        {
            let from = match channel {
                Channel::Content => &mut seen.content,
                Channel::Thought => &mut seen.thought,
            };
            if let Some((offset, rest)) = rest_from(text, *from)
                && !rest.is_empty()
                && channels.contains(&channel)
            {
                steps.push(step(ReplyStep::Delta { channel, offset, text: rest.to_owned() }));
            }
            *from = utf16_len(text);
        }
        steps
    }

    /// The stage, as news.
    pub fn stage(&self) -> ReplyProgress {
        let Self { message_id, attempt, stage, failure, retry_at, .. } = self.clone();
        let step = ReplyStep::Stage { stage, failure, retry_at };
        ReplyProgress { message_id, attempt, step }
    }
}

/// Watches a reply from the offsets the client has, until its end.
///
/// Fails with `NOT_FOUND` if there is no such message, or it is not the viewer's.
pub async fn watch(
    app: App,
    viewer: Viewer,
    id: MessageId,
    mut seen: Seen,
    channels: Vec<Channel>,
) -> Result<impl Stream<Item = Result<ReplyNews>> + use<>> {
    let missing = || Error::not_found("message");
    let message = store::message::find(&mut app.db.reader(), id).await?.ok_or_else(missing)?;
    session::get(&app, &viewer, message.session_id).await.map_err(|error| match error {
        Error::User(_) => missing(),
        Error::Unauthenticated | Error::Database(_) | Error::Internal(_) => error,
    })?;
    // Listening begins before the first look: nothing falls in between.
    let mut live = app.live.listen(message.session_id);
    Ok(try_stream! {
        let mut look_again = interval(Duration::from_secs(2));
        look_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known_stage = None;
        let mut is_over = false;
        loop {
            // While its end is being told, the reply may still stand in memory.
            // … and if it was tried again meanwhile, it is not over any more.
            let is_told = std::mem::take(&mut is_over);
            let looked = if is_told { look_at_stored(&app, id).await } else { look(&app, id).await };
            let (snapshot, ended) = looked?;
            for progress in snapshot.catch_up(&mut seen, &channels) {
                yield ReplyNews::Progress(progress);
            }
            if let Some(message) = ended {
                yield ReplyNews::Ended { message: Box::new(message), attempt: snapshot.attempt };
                return;
            }
            let stage = (snapshot.attempt, snapshot.stage);
            if known_stage.replace(stage) != Some(stage) {
                yield ReplyNews::Progress(snapshot.stage());
            }
            look_again.reset();
            // Until something is missing, or for two seconds in case the last event was lost.
            loop {
                let event = tokio::select! {
                    event = live.next() => event,
                    _tick = look_again.tick() => break,
                };
                let progress = match event.as_deref() {
                    Ok(LiveEvent::Reply(progress)) if progress.message_id == id => progress.clone(),
                    Ok(LiveEvent::Stored(event)) if ends(&event.body.0, id) => {
                        is_over = true;
                        break;
                    }
                    Ok(LiveEvent::Reply(_) | LiveEvent::Stored(_)) => continue,
                    Err(Missed) => break,
                };
                match take(progress, &mut seen, &channels) {
                    Taken::Nothing => {}
                    Taken::Gap => break,
                    Taken::News(news) => {
                        if let ReplyStep::Stage { stage, .. } = &news.step {
                            let stage = (news.attempt, *stage);
                            if known_stage.replace(stage) == Some(stage) {
                                continue;
                            }
                        }
                        yield ReplyNews::Progress(news);
                    }
                }
            }
        }
    })
}

/// What a live step means to a client that has `seen`.
pub enum Taken {
    /// Tell it.
    News(ReplyProgress),
    /// The client has it, or did not ask for it.
    Nothing,
    /// Something is missing: look at the whole.
    Gap,
}

/// Takes a live step.
pub fn take(mut progress: ReplyProgress, seen: &mut Seen, channels: &[Channel]) -> Taken {
    let attempt = progress.attempt;
    if seen.attempt.is_some_and(|seen| seen > attempt) {
        return Taken::Nothing;
    }
    match &mut progress.step {
        ReplyStep::Stage { .. } => Taken::News(progress),
        ReplyStep::Reset { content, thought } => {
            if seen.attempt == Some(attempt) {
                return Taken::Nothing;
            }
            *seen = Seen::all_of(attempt, content, thought);
            if channels.is_empty() { Taken::Nothing } else { Taken::News(progress) }
        }
        // The reset between the attempts was missed.
        ReplyStep::Delta { .. } if seen.is_older_than(attempt) => Taken::Gap,
        ReplyStep::Delta { channel, offset, text } => {
            seen.attempt = Some(attempt);
            match seen.advance(*channel, *offset, text) {
                Advance::Known => Taken::Nothing,
                Advance::Gap => Taken::Gap,
                Advance::Send(..) if !channels.contains(channel) => Taken::Nothing,
                Advance::Send(from, rest) => {
                    (*offset, *text) = (from, rest);
                    Taken::News(progress)
                }
            }
        }
    }
}

fn ends(event: &EventBody, id: MessageId) -> bool {
    match event {
        EventBody::ReplyFinished { message } | EventBody::ReplyFailed { message } => *message == id,
        EventBody::MessagesAdded { .. }
        | EventBody::MessageUpdated { .. }
        | EventBody::MessagesDeleted { .. }
        | EventBody::MessagesRestored { .. }
        | EventBody::HeadMoved { .. }
        | EventBody::SessionUpdated {}
        | EventBody::SessionDeleted {} => false,
    }
}

/// The reply as it is now: from this process's memory, else from the database.
async fn look(app: &App, id: MessageId) -> Result<(Snapshot, Option<Message>)> {
    if let Some(running) = app.replies.find(id) {
        return Ok((Snapshot::from(&running), None));
    }
    look_at_stored(app, id).await
}

/// A message and the job that writes it, as they are stored at one moment.
pub async fn stored(app: &App, id: MessageId) -> Result<(Message, Option<Reply>)> {
    let mut reader = app.db.reader();
    loop {
        let message = store::message::find(&mut reader, id).await?;
        let message = message.ok_or_else(|| Error::not_found("message"))?;
        let reply = store::reply::find(&mut reader, id).await?;
        let has_ended = reply.as_ref().is_some_and(|reply| reply.finished_at.is_some());
        // Both end in one transaction: if only one has, that came between the two reads.
        if !(message.status.is_running() && has_ended) {
            return Ok((message, reply));
        }
    }
}

/// The reply as it is stored; the message if it has ended.
async fn look_at_stored(app: &App, id: MessageId) -> Result<(Snapshot, Option<Message>)> {
    let (message, reply) = stored(app, id).await?;
    let mut snapshot = Snapshot {
        message_id: id,
        attempt: reply.as_ref().map_or(1, |reply| reply.attempt),
        stage: reply.as_ref().map_or(Stage::Writing, |reply| reply.stage),
        failure: reply.as_ref().and_then(Reply::failure),
        retry_at: reply.as_ref().and_then(|reply| reply.retry_at),
        content: message.content.clone(),
        thought: message.thought.clone().unwrap_or_default(),
    };
    if !message.status.is_running() {
        return Ok((snapshot, Some(message)));
    }
    (snapshot.content, snapshot.thought) =
        reply.map(|reply| (reply.draft_content, reply.draft_thought)).unwrap_or_default();
    Ok((snapshot, None))
}
