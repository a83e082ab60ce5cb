//! The operations that run on one socket, each under the id its client chose.
//!
//! A ready-made set of streams keeps a stopped one until it is polled again, and a slow client
//! decides when that is. Here stopping drops it at once, so that what a socket holds is never more
//! than what it runs.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::stream::{BoxStream, StreamExt};
use futures_util::task::AtomicWaker;

use crate::answer::Answer;

/// What an operation brings.
#[derive(Debug)]
pub(super) enum Item {
    Answer { id: String, answer: Answer },
    End { id: String },
}

/// All of them, each polled only after it asked to be.
#[derive(Default)]
pub(super) struct Operations {
    running: HashMap<String, Running>,
    /// The bytes of the requests that run.
    bytes: usize,
    ready: Arc<Ready>,
}

struct Running {
    answers: BoxStream<'static, Answer>,
    bytes: usize,
    /// Not begun, or between two answers: it holds nothing that others wait for.
    rests: bool,
    signal: Arc<Signal>,
    waker: Waker,
}

impl Operations {
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// How many bytes the clients' requests had that run.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.running.contains_key(id)
    }

    /// Starts what a request of `bytes` bytes asked for.
    pub(super) fn start(&mut self, id: String, bytes: usize, answers: BoxStream<'static, Answer>) {
        self.stop(&id);
        let signal = Arc::new(Signal {
            id: id.as_str().into(),
            is_queued: AtomicBool::new(false),
            ready: Arc::clone(&self.ready),
        });
        signal.wake_by_ref();
        self.bytes += bytes;
        let waker = Waker::from(Arc::clone(&signal));
        self.running.insert(id, Running { answers, bytes, rests: true, signal, waker });
    }

    /// Drops what runs under `id`; an unknown id has just ended by itself.
    pub(super) fn stop(&mut self, id: &str) {
        let Some(running) = self.running.remove(id) else { return };
        self.bytes -= running.bytes;
        // From now on its wakers find it queued already, and so never queue it again.
        running.signal.is_queued.store(true, Ordering::SeqCst);
        self.ready.queue().retain(|signal| !Arc::ptr_eq(signal, &running.signal));
    }

    /// The next item; without `room` for answers at most one of each operation, which is in the
    /// middle of it.
    ///
    /// What is in the middle may hold a connection to the database, or a transaction: stopped
    /// there, it would have everybody wait for the client who does not read.
    pub(super) fn poll_item(&mut self, room: bool, cx: &mut Context<'_>) -> Poll<Item> {
        self.ready.socket.register(cx.waker());
        // Once around: an operation that is always ready must not keep the socket from reading.
        let round = self.ready.queue().len();
        for _ in 0..round {
            let Some(signal) = self.ready.queue().pop_front() else { return Poll::Pending };
            let Some(running) = self.running.get_mut(&*signal.id) else { continue };
            if running.rests && !room {
                self.ready.queue().push_back(signal);
                continue;
            }
            signal.is_queued.store(false, Ordering::SeqCst);
            let mut cx = Context::from_waker(&running.waker);
            let id = || signal.id.as_ref().to_owned();
            match running.answers.poll_next_unpin(&mut cx) {
                Poll::Ready(Some(answer)) => {
                    running.rests = true;
                    signal.wake_by_ref();
                    return Poll::Ready(Item::Answer { id: id(), answer });
                }
                Poll::Ready(None) => return Poll::Ready(Item::End { id: id() }),
                Poll::Pending => running.rests = false,
            }
        }
        let may_go_on = |signal: &Arc<Signal>| {
            room || self.running.get(&*signal.id).is_some_and(|running| !running.rests)
        };
        if self.ready.queue().iter().any(may_go_on) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// Who wants to be polled, in the order of asking.
#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<Arc<Signal>>>,
    socket: AtomicWaker,
}

impl Ready {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Signal>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Queues one operation when it can go on.
struct Signal {
    id: Box<str>,
    is_queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::SeqCst) {
            self.ready.queue().push_back(Arc::clone(self));
            self.ready.socket.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use futures_util::task::{noop_waker, noop_waker_ref};
    use tokio::sync::mpsc::{self, Sender};

    use super::*;

    /// Counts how often it was dropped.
    struct Guard(Arc<std::sync::atomic::AtomicUsize>);

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_stopped_operation_is_gone_before_anything_is_polled() {
        let drops = Arc::default();
        let mut operations = Operations::default();
        for round in 1..=1000 {
            let guard = Guard(Arc::clone(&drops));
            let answers = stream::pending().map(move |answer| {
                let _guard = &guard;
                answer
            });
            operations.start("a".to_owned(), 10, answers.boxed());
            assert_eq!((operations.len(), operations.bytes()), (1, 10));
            operations.stop("a");
            assert_eq!(drops.load(Ordering::SeqCst), round);
        }
        assert_eq!((operations.len(), operations.bytes()), (0, 0));
        assert!(operations.ready.queue().is_empty());
    }

    #[test]
    fn a_waker_that_outlives_its_operation_queues_nothing() {
        let mut operations = Operations::default();
        operations.start("a".to_owned(), 0, stream::pending().boxed());
        let waker = operations.running["a"].waker.clone();
        assert!(operations.poll_item(true, &mut Context::from_waker(&noop_waker())).is_pending());
        operations.stop("a");
        waker.wake();
        assert!(operations.ready.queue().is_empty());
    }

    #[test]
    fn without_room_only_what_is_in_the_middle_goes_on() {
        let mut operations = Operations::default();
        let mut cx = Context::from_waker(noop_waker_ref());
        let mut poll = |operations: &mut Operations, room| match operations.poll_item(room, &mut cx)
        {
            Poll::Ready(Item::Answer { id, .. }) => id,
            Poll::Ready(Item::End { id }) => format!("end of {id}"),
            Poll::Pending => "nothing".to_owned(),
        };
        let (sender, receiver) = told_to();
        operations.start("a".to_owned(), 0, receiver);
        assert_eq!(poll(&mut operations, true), "nothing");
        let answers = stream::repeat_with(|| Answer::refused(Vec::new()));
        operations.start("b".to_owned(), 0, answers.boxed());
        assert_eq!(poll(&mut operations, false), "nothing", "b has not begun");
        sender.try_send(()).unwrap();
        sender.try_send(()).unwrap();
        assert_eq!(poll(&mut operations, false), "a");
        assert_eq!(poll(&mut operations, false), "nothing", "a has had its say");
        assert_eq!(poll(&mut operations, true), "b");
        assert_eq!(poll(&mut operations, true), "a");
    }

    /// Answers whenever it is told to.
    fn told_to() -> (Sender<()>, BoxStream<'static, Answer>) {
        let (sender, mut receiver) = mpsc::channel(2);
        let answers = stream::poll_fn(move |cx| receiver.poll_recv(cx));
        (sender, answers.map(|()| Answer::refused(Vec::new())).boxed())
    }

    #[test]
    fn ready_operations_take_turns() {
        let mut operations = Operations::default();
        for id in ["a", "b"] {
            let answers = stream::repeat_with(|| Answer::refused(Vec::new())).take(2);
            operations.start(id.to_owned(), 0, answers.boxed());
        }
        let mut seen = String::new();
        while operations.len() > 0 {
            match operations.poll_item(true, &mut Context::from_waker(&noop_waker())) {
                Poll::Ready(Item::Answer { id, .. }) => seen += &id,
                Poll::Ready(Item::End { id }) => operations.stop(&id),
                Poll::Pending => panic!("both are ready"),
            }
        }
        assert_eq!(seen, "abab");
    }
}
