//! The HTTP part: receives calls, keeps them, and writes answers piece by piece.
//!
//! An answer that its client leaves is dropped by the HTTP library at once, before the
//! headers as well as inside the body; what is dropped tells the call that it was closed.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::ListenerExt;
use futures_util::stream;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::call::{Call, Ending, Endpoint, How, Written};
use crate::reply::{Piece, Reply};

/// The servers take so much inline; more is a mistake of the test.
const LARGEST_BODY: usize = 100 << 20;
/// A benchmark makes many calls; only the last ones are kept.
const CALLS_KEPT: usize = 1024;

/// What answers the calls of a server.
pub(crate) trait Answers: Send + Sync + 'static {
    /// What a path is about.
    fn endpoint(&self, path: &str) -> Endpoint;
    /// The whole answer to a call.
    fn answer(&self, call: &Call) -> Reply;
}

/// A listening server; it goes away, with its connections, when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<Log>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

struct Shared<A> {
    answers: Arc<A>,
    log: Arc<Log>,
    stop: CancellationToken,
}

impl Server {
    pub(crate) async fn start<A: Answers>(answers: Arc<A>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        // What is written goes out at once: splitting is what some tests are about.
        let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
        let log = Arc::new(Log::default());
        let stop = CancellationToken::new();
        let shared = Shared { answers, log: log.clone(), stop: stop.clone() };
        let router = Router::new().fallback(receive::<A>).with_state(Arc::new(shared));
        #[expect(clippy::disallowed_methods, reason = "the task ends with the double it serves")]
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Self { address, log, stop, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

/// The calls received so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    kept: Mutex<Kept>,
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Kept {
    calls: VecDeque<Arc<Call>>,
    received: usize,
    /// The number of the last call that `next` gave out.
    given: usize,
}

impl Log {
    /// Numbers a call and keeps it, in one step: numbers rise along the list.
    fn keep(&self, numbered: impl FnOnce(usize) -> Call) -> Arc<Call> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.received += 1;
        let call = Arc::new(numbered(kept.received));
        if kept.calls.len() == CALLS_KEPT {
            kept.calls.pop_front();
        }
        kept.calls.push_back(call.clone());
        drop(kept);
        self.count.send_modify(|count| *count += 1);
        call
    }

    pub(crate) fn calls(&self) -> Vec<Arc<Call>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.calls.iter().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        *self.count.borrow()
    }

    fn take_next(&self) -> Option<Arc<Call>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let next = kept.calls.iter().find(|call| call.number > kept.given).cloned()?;
        kept.given = next.number;
        Some(next)
    }

    pub(crate) async fn next(&self) -> Arc<Call> {
        let mut count = self.count.subscribe();
        loop {
            count.mark_unchanged();
            if let Some(call) = self.take_next() {
                return call;
            }
            drop(count.changed().await);
        }
    }
}

async fn receive<A: Answers>(State(shared): State<Arc<Shared<A>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    let (ending, end) = Ending::new();
    let path = parts.uri.path().to_owned();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let call = shared.log.keep(|number| Call {
        number,
        endpoint: shared.answers.endpoint(&path),
        method: parts.method,
        path,
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        json,
        body,
        at: Instant::now(),
        end,
        written: Written::default(),
    });
    let reply = shared.answers.answer(&call);
    for piece in &reply.before {
        if !wait(piece, &shared.stop).await {
            break;
        }
    }
    respond(reply, ending, (call.written.clone(), shared.stop.clone()))
}

fn respond(
    reply: Reply,
    ending: Ending,
    (written, stop): (Written, CancellationToken),
) -> Response {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let writing = Writing { pieces: reply.body.into_iter(), ending, written, stop };
    let body = Body::from_stream(stream::unfold(writing, Writing::step));
    response.body(body).expect("doubles write valid headers")
}

/// A body on its way.
struct Writing {
    pieces: std::vec::IntoIter<Piece>,
    ending: Ending,
    written: Written,
    stop: CancellationToken,
}

impl Writing {
    async fn step(mut self) -> Option<(io::Result<bytes::Bytes>, Self)> {
        loop {
            match self.pieces.next() {
                None => {
                    self.ending.how = How::Written;
                    return None;
                }
                Some(Piece::Bytes(bytes)) => {
                    self.written.note(&bytes);
                    return Some((Ok(bytes), self));
                }
                Some(Piece::Cut) => {
                    // What was written before goes out first.
                    tokio::task::yield_now().await;
                    self.ending.how = How::Cut;
                    return Some((Err(io::ErrorKind::ConnectionReset.into()), self));
                }
                Some(piece) => {
                    if !wait(&piece, &self.stop).await {
                        return Some((Err(io::ErrorKind::ConnectionReset.into()), self));
                    }
                }
            }
        }
    }
}

/// Waits as the piece says; false if the double went away meanwhile.
async fn wait(piece: &Piece, stop: &CancellationToken) -> bool {
    let waiting = async {
        match piece {
            Piece::Bytes(_) | Piece::Cut => {}
            Piece::Flush => tokio::task::yield_now().await,
            Piece::Pause(pause) => tokio::time::sleep(*pause).await,
            Piece::Wait(gate) => gate.opened().await,
            Piece::Silence => std::future::pending().await,
        }
    };
    stop.run_until_cancelled(waiting).await.is_some()
}
