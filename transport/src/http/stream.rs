//! Many answers in one HTTP response: server-sent events and Apollo's multipart.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};
use tokio_util::task::TaskTracker;

use crate::answer::{Answer, json};
use crate::error::{code, coded};
use crate::lifetime::{Ending, Lifetime};
use crate::settings::Settings;

pub(super) type Answers = BoxStream<'static, Answer>;

/// Looks at what is there at once, so that a request error can still have its status.
///
/// Validation does not wait for anything, so it is over after the first poll.
pub(super) async fn open(mut answers: Answers) -> Result<Answers, Answer> {
    match futures_util::poll!(answers.next()) {
        Poll::Ready(Some(answer)) if answer.is_request_error() => Err(answer),
        Poll::Ready(Some(answer)) => Ok(stream::iter([answer]).chain(answers).boxed()),
        Poll::Ready(None) => Ok(stream::empty().boxed()),
        Poll::Pending => Ok(answers),
    }
}

/// Works on an answer that has begun, whether or not anybody reads; the next one is begun when
/// this one is taken.
///
/// The body of a response is not polled while its reader is slow. What is in the middle of an
/// answer may hold a connection to the database, or a transaction: stopped there, it would have
/// everybody wait for the client who does not read. It ends when the reader leaves.
pub(super) fn driven(mut answers: Answers, tasks: &TaskTracker) -> Answers {
    let (sender, mut receiver) = mpsc::channel(1);
    tasks.spawn(async move {
        while let Ok(place) = sender.reserve().await {
            let answer = tokio::select! {
                () = sender.closed() => None,
                answer = answers.next() => answer,
            };
            let Some(answer) = answer else { return };
            place.send(answer);
        }
    });
    stream::poll_fn(move |cx| receiver.poll_recv(cx)).boxed()
}

pub(super) fn response(
    framing: Framing,
    answers: Answers,
    lifetime: Lifetime,
    settings: &Settings,
) -> Response {
    let heartbeat = Duration::from_millis(match framing {
        Framing::Events => settings.streams.sse_heartbeat_ms,
        Framing::Multipart => settings.streams.multipart_heartbeat_ms,
    });
    let frames = Frames {
        framing,
        answers,
        lifetime,
        heartbeat,
        silence: Box::pin(tokio::time::sleep(heartbeat)),
        state: State::Opening,
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(framing.content_type())),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // nginx would collect events until its buffer is full.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(frames)).into_response()
}

/// How answers are written one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    Events,
    Multipart,
}

#[derive(Serialize)]
struct Payload<'a> {
    payload: Option<&'a Answer>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [async_graphql::ServerError],
}

impl Framing {
    fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream; charset=utf-8",
            Self::Multipart => "multipart/mixed;boundary=graphql;subscriptionSpec=1.0",
        }
    }

    /// Tells the client that the stream is open although nothing has happened yet.
    fn opening(self) -> &'static str {
        match self {
            Self::Events => ":\n\n",
            Self::Multipart => "\r\n--graphql",
        }
    }

    fn heartbeat(self) -> String {
        match self {
            Self::Events => ":\n\n".to_owned(),
            Self::Multipart => part("{}"),
        }
    }

    fn answer(self, answer: &Answer) -> String {
        match self {
            Self::Events => format!("event: next\ndata: {}\n\n", answer.to_json()),
            // Errors before execution concern the stream, not one of its events.
            Self::Multipart if answer.is_request_error() => {
                part(&json(&Payload { payload: None, errors: answer.errors() }))
            }
            Self::Multipart => part(&json(&Payload { payload: Some(answer), errors: &[] })),
        }
    }

    fn complete(self) -> &'static str {
        match self {
            Self::Events => "event: complete\ndata:\n\n",
            Self::Multipart => "--\r\n",
        }
    }

    fn ending(self, ending: Ending) -> String {
        let message = match ending {
            Ending::Closing if matches!(self, Self::Events) => {
                // Without `complete` the client knows that it has to come again.
                return String::new();
            }
            Ending::Closing => coded(code::UNAVAILABLE, "the server is restarting", None),
            Ending::Expired => coded(code::UNAUTHENTICATED, "the token has expired", None),
            Ending::Revoked => coded(code::UNAUTHENTICATED, "the token was revoked", None),
        };
        self.answer(&Answer::refused(vec![message])) + self.complete()
    }
}

/// The boundary follows at once: clients read a part when they see its end.
fn part(body: &str) -> String {
    format!("\r\ncontent-type: application/json\r\n\r\n{body}\r\n--graphql")
}

#[derive(Clone, Copy, Debug)]
enum State {
    Opening,
    Open,
    Done,
}

struct Frames {
    framing: Framing,
    answers: Answers,
    lifetime: Lifetime,
    heartbeat: Duration,
    silence: Pin<Box<Sleep>>,
    state: State,
}

impl Frames {
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        if let Poll::Ready(ending) = self.lifetime.poll_end(cx) {
            self.state = State::Done;
            return Poll::Ready(Some(self.framing.ending(ending)));
        }
        if let Poll::Ready(answer) = self.answers.poll_next_unpin(cx) {
            self.silence.as_mut().reset(Instant::now() + self.heartbeat);
            let Some(answer) = answer else {
                self.state = State::Done;
                return Poll::Ready(Some(self.framing.complete().to_owned()));
            };
            return Poll::Ready(Some(self.framing.answer(&answer)));
        }
        std::task::ready!(self.silence.as_mut().poll(cx));
        self.silence.as_mut().reset(Instant::now() + self.heartbeat);
        Poll::Ready(Some(self.framing.heartbeat()))
    }
}

impl Stream for Frames {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frames = self.get_mut();
        let frame = match frames.state {
            State::Opening => {
                frames.state = State::Open;
                Some(frames.framing.opening().to_owned())
            }
            State::Open => std::task::ready!(frames.poll_open(cx)),
            State::Done => None,
        };
        Poll::Ready(frame.map(|frame| Ok(Bytes::from(frame))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::{Semaphore, oneshot};
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn answer() -> Answer {
        Answer::refused(Vec::new())
    }

    #[tokio::test]
    async fn what_is_in_the_middle_goes_on_although_nobody_reads() {
        let places = Arc::new(Semaphore::new(1));
        let (go_on, told) = oneshot::channel();
        let held = Arc::clone(&places);
        let answers = stream::once(async move {
            let _place = held.acquire().await;
            told.await.unwrap();
            answer()
        });
        let answers = open(answers.boxed()).await.ok().unwrap();
        assert_eq!(places.available_permits(), 0, "it has begun");
        let mut unread = driven(answers, &TaskTracker::new());
        go_on.send(()).unwrap();
        let free = timeout(PATIENCE, places.acquire()).await;
        assert!(free.is_ok(), "the place is given back");
        assert!(unread.next().await.is_some(), "the answer waits");
        assert!(unread.next().await.is_none());
    }

    #[tokio::test]
    async fn what_nobody_reads_is_not_made() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let answers = stream::repeat_with(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            answer()
        });
        let mut slow = driven(answers.boxed(), &TaskTracker::new());
        for taken in 1..10 {
            assert!(slow.next().await.is_some());
            tokio::task::yield_now().await;
            assert!(made.load(Ordering::Relaxed) <= taken + 1, "one is made ahead");
        }
    }

    #[tokio::test]
    async fn who_leaves_ends_what_was_begun() {
        let (held, dropped) = oneshot::channel::<()>();
        let answers = stream::once(async move {
            let _held = held;
            std::future::pending::<Answer>().await
        });
        let answers = open(answers.boxed()).await.ok().unwrap();
        drop(driven(answers, &TaskTracker::new()));
        let ended = timeout(PATIENCE, dropped).await;
        assert!(ended.is_ok_and(|told| told.is_err()), "it is dropped");
    }
}
