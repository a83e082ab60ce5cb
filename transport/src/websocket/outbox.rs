//! Messages on their way to a client that may be slow.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::ws::{Message, WebSocket};
use futures_util::Sink;
use tokio::time::Instant;

/// A queue in front of the socket; whoever fills it looks at its room first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Message>,
    is_flushed: bool,
    stalled_since: Option<Instant>,
}

impl Outbox {
    pub(super) fn push(&mut self, message: Message) {
        self.queue.push_back(message);
        self.is_flushed = false;
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Since when the client has not taken anything although something waits.
    pub(super) fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since
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
        let progress = self.poll_progress(socket, cx);
        if progress.is_pending() {
            self.stalled_since.get_or_insert_with(Instant::now);
        } else {
            self.stalled_since = None;
            self.is_flushed = true;
        }
        progress
    }

    fn poll_progress(
        &mut self,
        socket: &mut WebSocket,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), axum::Error>> {
        let mut socket = Pin::new(socket);
        while !self.queue.is_empty() {
            ready!(socket.as_mut().poll_ready(cx))?;
            self.stalled_since = None;
            if let Some(message) = self.queue.pop_front() {
                socket.as_mut().start_send(message)?;
            }
        }
        socket.poll_flush(cx)
    }
}
