//! What a client sent, and how its call ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::sync::watch;

/// What a call is about, told from its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The model writes: with a stream or in one piece.
    Generate,
    /// Counting tokens.
    Count,
    /// Vectors of texts.
    Embed,
    /// The list of models.
    Models,
    /// Anything else: what a server tells of itself, or an unknown path.
    Other,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The whole answer was handed over.
    Written,
    /// The double cut the socket, as it was told to.
    Cut,
    /// The client went away before it had the whole answer.
    Closed,
}

/// How a call ended, and when.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Who ended it.
    pub how: How,
    /// When the double noticed.
    pub at: Instant,
}

/// One request as it arrived.
#[derive(Debug)]
pub struct Call {
    /// Counts from 1, over all endpoints.
    pub number: usize,
    /// What it is about.
    pub endpoint: Endpoint,
    /// The method.
    pub method: Method,
    /// The path with the version, without the query.
    pub path: String,
    /// The query, without its question mark.
    pub query: Option<String>,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as it came over the wire.
    pub body: Bytes,
    /// The body as JSON; null if it is none.
    pub json: Value,
    /// When the request was complete.
    pub at: Instant,
    pub(crate) end: watch::Receiver<Option<End>>,
    pub(crate) written: Written,
}

/// What has been written of an answer, piece by piece, and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<(Instant, Bytes)>>>);

impl Written {
    pub(crate) fn note(&self, bytes: &Bytes) {
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.push((Instant::now(), bytes.clone()));
    }
}

impl Call {
    /// A header as text, if it came and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The value of a name in the query, as it was written (not decoded).
    pub fn query_value(&self, name: &str) -> Option<&str> {
        let pairs = self.query.as_deref()?.split('&');
        pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v)
    }

    /// The pieces of the answer's body that were handed over so far, and when.
    pub fn written(&self) -> Vec<(Instant, Bytes)> {
        self.written.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the call ended, if it has.
    pub fn ended(&self) -> Option<End> {
        *self.end.borrow()
    }

    /// Waits until the call has ended, however it does.
    pub async fn end(&self) -> End {
        let mut end = self.end.clone();
        let ended = end.wait_for(Option::is_some).await.map(|end| *end);
        ended.ok().flatten().expect("a call ends before its sender is dropped")
    }

    /// Waits until the client closes the socket, and says how long after the request that was.
    ///
    /// Panics if the call ended in another way: then nobody can close it any more.
    pub async fn closed(&self) -> Duration {
        let End { how, at } = self.end().await;
        assert_eq!(how, How::Closed, "the client did not close call {}", self.number);
        at - self.at
    }
}

/// Says how a call ended when it is dropped: nobody can forget to.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) how: How,
    pub(crate) told: watch::Sender<Option<End>>,
}

impl Ending {
    /// Until something else is said, a dropped answer means that the client went away.
    pub(crate) fn new() -> (Self, watch::Receiver<Option<End>>) {
        let (told, end) = watch::channel(None);
        (Self { how: How::Closed, told }, end)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.told.send_replace(Some(End { how: self.how, at: Instant::now() }));
    }
}
