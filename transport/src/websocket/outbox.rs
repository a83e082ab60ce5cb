//! Messages on their way to a client that may be slow.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::ws::{Message, WebSocket};
use futures_util::Sink;
use tokio::time::Instant;

/// Answers wait for a client to take this much before the next one is asked for.
const MAX_BYTES: usize = 1024 * 1024;

/// A queue in front of the socket; whoever fills it looks at its room first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Waiting>,
    /// What the socket has accepted and the client has not taken.
    in_flight: Option<Mark>,
    /// Of the queue and of what is in flight.
    bytes: usize,
    is_flushed: bool,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    mark: Mark,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    bytes: usize,
    since: Instant,
}

impl Outbox {
    pub(super) fn push(&mut self, message: Message) {
        let mark = Mark { bytes: length(&message), since: Instant::now() };
        self.bytes += mark.bytes;
        self.queue.push_back(Waiting { message, mark });
        self.is_flushed = false;
    }

    /// How much waits.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether fewer messages wait than `messages`.
    pub(super) fn has_places(&self, messages: usize) -> bool {
        self.queue.len() < messages
    }

    /// Whether one more answer may come, of any size.
    pub(super) fn has_room(&self, messages: usize) -> bool {
        self.has_places(messages) && self.bytes < MAX_BYTES
    }

    /// Since when the oldest message waits for the client.
    ///
    /// A client that takes one message now and then, while many wait, is slow all the same.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let waiting = self.queue.front().map(|waiting| waiting.mark);
        self.in_flight.or(waiting).map(|mark| mark.since)
    }

    /// Writes as much as the client takes; ready with nothing left, or an error.
    pub(super) fn poll_write(
        &mut self,
        socket: &mut WebSocket,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), axum::Error>> {
        if self.is_flushed {
            return Poll::Ready(Ok(()));
        }
        let mut socket = Pin::new(socket);
        while !self.queue.is_empty() {
            ready!(socket.as_mut().poll_ready(cx))?;
            self.taken();
            if let Some(Waiting { message, mark }) = self.queue.pop_front() {
                self.in_flight = Some(mark);
                socket.as_mut().start_send(message)?;
            }
        }
        ready!(socket.poll_flush(cx))?;
        self.taken();
        self.is_flushed = true;
        Poll::Ready(Ok(()))
    }

    fn taken(&mut self) {
        self.bytes -= self.in_flight.take().map_or(0, |mark| mark.bytes);
    }
}

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}
