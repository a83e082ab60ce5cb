//! Subscriptions: one reply, or everything in a session.

use async_graphql::{Context, ID, Result, Subscription};
use futures_util::{Stream, StreamExt, TryStreamExt};
use skald_base::{Error, graph::parse_id};

use super::{
    context::Graph,
    event::{Occasion, ReplyChannel, ReplyEvent, SessionEvent, ended, progress, session_event},
    library::{LibraryEvent, library_event},
    message::Message,
};
use crate::{
    events::Channel,
    library,
    session::{self, SessionId},
    tree::MessageId,
    turn::{
        text::Seen,
        watch::{self, ReplyNews},
    },
};

/// The subscriptions of the story engine.
#[derive(Clone, Copy, Default)]
pub struct CoreSubscription;

/// What clients can watch.
#[Subscription(name = "Subscription")]
impl CoreSubscription {
    /// One reply: what is written from the offsets on, then what is being
    /// written, then its end. Closes after `ReplyFinished` or `ReplyFailed`.
    ///
    /// To resume, pass the lengths of the texts you have, in UTF-16 code units
    /// (JavaScript's `text.length`). Closing it does not stop the reply.
    #[expect(clippy::too_many_arguments, reason = "they are the graph's")]
    async fn reply<'ctx>(
        &self,
        ctx: &Context<'ctx>,
        #[graphql(desc = "The reply's message.")] message_id: ID,
        #[graphql(desc = "The length of the content you have; 0 if absent.")] offset: Option<i32>,
        #[graphql(desc = "The length of the thought you have; 0 if absent.")]
        thought_offset: Option<i32>,
        #[graphql(desc = "Which texts you want; both if absent.")] channels: Option<
            Vec<ReplyChannel>,
        >,
    ) -> Result<impl Stream<Item = Result<ReplyEvent>> + use<'ctx>> {
        let id: MessageId = parse_id("messageId", &message_id)?;
        let seen = Seen {
            attempt: None,
            content: check_offset("offset", offset)?,
            thought: check_offset("thoughtOffset", thought_offset)?,
        };
        let app = ctx.app().clone();
        let viewer = *ctx.viewer();
        let occasion = occasion_of(ctx, id).await?;
        let clock = app.clock.clone();
        let news = watch::watch(app, viewer, id, seen, chosen(channels)).await?;
        Ok(news.map_err(Into::into).map_ok(move |news| {
            let occasion = Occasion { at: clock.now(), ..occasion };
            match news {
                ReplyNews::Progress(step) => progress(occasion, step),
                ReplyNews::Ended { message, attempt } => {
                    ended(occasion, attempt, Message(*message))
                }
            }
        }))
    }

    /// Everything in a session, in order: all that a chat screen needs.
    ///
    /// Pass `Session.sequence` (or the sequence of the last event you saw) as
    /// `after` and nothing is missed: stored events are replayed, then comes
    /// `CaughtUp`, then what happens. Deltas of replies come between them.
    /// After `CaughtUp` each running reply tells its stage, and the first delta
    /// of each channel is at offset 0 with all its text so far; where there is
    /// no delta, there is no text yet. `channels: []` means no deltas.
    async fn session_events<'ctx>(
        &self,
        ctx: &'ctx Context<'ctx>,
        #[graphql(desc = "The session.")] session_id: ID,
        #[graphql(desc = "The last sequence you have; from now on if absent.")] after: Option<i64>,
        #[graphql(desc = "Which texts of replies you want; both if absent.")] channels: Option<
            Vec<ReplyChannel>,
        >,
    ) -> Result<impl Stream<Item = Result<SessionEvent>> + use<'ctx>> {
        let id: SessionId = parse_id("sessionId", &session_id)?;
        let (app, viewer) = (ctx.app().clone(), *ctx.viewer());
        let news = session::watch::watch(app, viewer, id, after, chosen(channels)).await?;
        Ok(news.map_err(Into::into).and_then(move |news| session_event(ctx, id, news)).boxed())
    }

    /// What changes among your personas, your own characters and your sessions, in order: it keeps
    /// lists true, on a second device too.
    ///
    /// The first time subscribe without `after`, wait for `LibraryCaughtUp`, then read your lists;
    /// later pass the `cursor` of the last event you saw. Of each node only the last change is
    /// replayed. A session changes with everything that moves its `lastActivityAt`.
    async fn library_events<'ctx>(
        &self,
        ctx: &'ctx Context<'ctx>,
        #[graphql(desc = "The last cursor you have; from now on if absent.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<LibraryEvent>> + use<'ctx>> {
        let news = library::watch::watch(ctx.app().clone(), *ctx.viewer(), after).await?;
        let events = news.map_err(Into::into).and_then(move |news| library_event(ctx, news));
        Ok(events.try_filter_map(|event| std::future::ready(Ok(event))).boxed())
    }
}

fn chosen(channels: Option<Vec<ReplyChannel>>) -> Vec<Channel> {
    match channels {
        None => vec![Channel::Content, Channel::Thought],
        Some(channels) => channels.into_iter().map(Channel::from).collect(),
    }
}

fn check_offset(name: &str, offset: Option<i32>) -> Result<usize> {
    let offset = usize::try_from(offset.unwrap_or(0));
    offset.map_err(|_| Error::invalid(name, format!("{name} must be 0 or more")).into())
}

/// Where a reply's events happen; the message must be the viewer's.
async fn occasion_of(ctx: &Context<'_>, id: MessageId) -> Result<Occasion> {
    ctx.viewer().user()?;
    let missing = || Error::not_found("message");
    let message = ctx.loaders().load_alone(&[id]).await?.pop().ok_or_else(missing)?;
    let session = ctx.loaders().load_alone(&[message.session_id]).await?.pop();
    let session = session.ok_or_else(missing)?;
    let (sequence, session_id) = (session.last_sequence, session.id);
    Ok(Occasion { sequence, at: ctx.app().clock.now(), session_id })
}
