//! The operations that run on one socket, each under the id its client chose.

use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{self, AbortHandle, BoxStream, SelectAll, StreamExt, abortable};

use crate::answer::Answer;

/// What an operation brings.
#[derive(Debug)]
pub(super) enum Item {
    Answer { id: String, answer: Answer },
    End { id: String },
}

/// All of them, polled as one stream.
#[derive(Default)]
pub(super) struct Operations {
    running: HashMap<String, AbortHandle>,
    items: SelectAll<BoxStream<'static, Item>>,
}

impl Operations {
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.running.contains_key(id)
    }

    pub(super) fn start(&mut self, id: String, answers: BoxStream<'static, Answer>) {
        let (key, end) = (id.clone(), id.clone());
        let items = answers
            .map(move |answer| Item::Answer { id: id.clone(), answer })
            .chain(stream::once(async move { Item::End { id: end } }));
        // Aborted, it brings nothing more: not even its end, so the id is free at once.
        let (items, handle) = abortable(items);
        self.running.insert(key, handle);
        self.items.push(items.boxed());
    }

    /// Drops what runs under `id`; an unknown id has just ended by itself.
    pub(super) fn stop(&mut self, id: &str) {
        if let Some(handle) = self.running.remove(id) {
            handle.abort();
        }
    }

    pub(super) fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Item> {
        match Pin::new(&mut self.items).poll_next_unpin(cx) {
            Poll::Ready(Some(item)) => Poll::Ready(item),
            // Nothing runs; a new operation is started by a frame, which wakes the task.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
