//! Watching one reply: what is written, then what is being written, then its end.

use std::{sync::Arc, time::Duration};

use async_stream::try_stream;
use futures_util::Stream;
use skald_base::{Error, Result, Viewer};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Stage,
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
            content: draft.content.as_str().to_owned(),
            thought: draft.thought.as_str().to_owned(),
        }
    }
}

impl Snapshot {
    /// What a client that has `seen` needs, to have everything in this snapshot.
    ///
    /// A client may hold more than was saved before a crash: then it starts over.
    pub fn catch_up(&self, seen: &mut Seen, channels: &[Channel]) -> Vec<ReplyProgress> {
        let step =
            |step| ReplyProgress { message_id: self.message_id, attempt: self.attempt, step };
        if seen.exceeds(utf16_len(&self.content), utf16_len(&self.thought)) {
            *seen = Seen { content: utf16_len(&self.content), thought: utf16_len(&self.thought) };
            let (content, thought) = (self.content.clone(), self.thought.clone());
            return vec![step(ReplyStep::Reset { content, thought })];
        }
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
        loop {
            let (snapshot, ended) = look(&app, id).await?;
            for progress in snapshot.catch_up(&mut seen, &channels) {
                yield ReplyNews::Progress(progress);
            }
            if let Some(message) = ended {
                yield ReplyNews::Ended { message: Box::new(message), attempt: snapshot.attempt };
                return;
            }
            if known_stage.replace(snapshot.stage) != Some(snapshot.stage) {
                let step = ReplyStep::Stage { stage: snapshot.stage, failure: None, retry_at: None };
                let attempt = snapshot.attempt;
                yield ReplyNews::Progress(ReplyProgress { message_id: id, attempt, step });
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
                    Ok(LiveEvent::Stored(event)) if ends(&event.body.0, id) => break,
                    Ok(LiveEvent::Reply(_) | LiveEvent::Stored(_)) => continue,
                    Err(Missed) => break,
                };
                match take(progress, &mut seen, &channels) {
                    Taken::Nothing => {}
                    Taken::Gap => break,
                    Taken::News(news) => {
                        if let ReplyStep::Stage { stage, .. } = &news.step
                            && known_stage.replace(*stage) == Some(*stage)
                        {
                            continue;
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
    match &mut progress.step {
        ReplyStep::Stage { .. } => Taken::News(progress),
        ReplyStep::Reset { content, thought } => {
            *seen = Seen { content: utf16_len(content), thought: utf16_len(thought) };
            if channels.is_empty() { Taken::Nothing } else { Taken::News(progress) }
        }
        ReplyStep::Delta { channel, offset, text } => match seen.advance(*channel, *offset, text) {
            Advance::Known => Taken::Nothing,
            Advance::Gap => Taken::Gap,
            Advance::Send(..) if !channels.contains(channel) => Taken::Nothing,
            Advance::Send(from, rest) => {
                (*offset, *text) = (from, rest);
                Taken::News(progress)
            }
        },
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
    let mut reader = app.db.reader();
    let message = store::message::find(&mut reader, id).await?;
    let message = message.ok_or_else(|| Error::not_found("message"))?;
    let reply = store::reply::find(&mut reader, id).await?;
    let (attempt, stage) = reply.as_ref().map_or((1, Stage::Writing), |r| (r.attempt, r.stage));
    if !message.status.is_running() {
        let snapshot = Snapshot {
            message_id: id,
            attempt,
            stage,
            content: message.content.clone(),
            thought: message.thought.clone().unwrap_or_default(),
        };
        return Ok((snapshot, Some(message)));
    }
    let (content, thought) =
        reply.map_or_else(Default::default, |reply| (reply.draft_content, reply.draft_thought));
    Ok((Snapshot { message_id: id, attempt, stage, content, thought }, None))
}
