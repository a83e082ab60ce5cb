//! What time brings to a socket, on one timer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::settings::WebSocketLimits;

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// `connection_init` did not come, or is still being looked at.
    Init,
    /// The client does not read.
    SlowConsumer,
    /// The client did not even answer a ping.
    Silence,
    /// It is time to ask whether the client is there.
    Ping,
}

/// The times a socket watches.
///
/// Most of them move with every message, so the timer is only set when an earlier one appears; if
/// it rings for a time that has moved away, it is set again.
pub(super) struct Alarms {
    init: Option<Instant>,
    heard: Instant,
    ping: Instant,
    ping_interval: Duration,
    write_timeout: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Alarms {
    pub(super) fn new(limits: &WebSocketLimits) -> Self {
        let now = Instant::now();
        // An interval of zero would ring for ever.
        let ping_interval = limits.ping_interval().max(Duration::from_millis(1));
        let init = now + limits.init_wait();
        let ping = now + ping_interval;
        Self {
            init: Some(init),
            heard: now,
            ping,
            ping_interval,
            write_timeout: limits.write_timeout(),
            timer: Box::pin(tokio::time::sleep_until(init.min(ping))),
        }
    }

    pub(super) fn initialised(&mut self) {
        self.init = None;
    }

    /// Any frame is a sign of life.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    pub(super) fn poll_alarm(
        &mut self,
        waiting_since: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<Alarm> {
        let slow = waiting_since.map(|since| since + self.write_timeout);
        let due = self.due(slow);
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let alarm = self.ring(slow, Instant::now());
            let due = self.due(slow);
            self.timer.as_mut().reset(due);
            if let Some(alarm) = alarm {
                return Poll::Ready(alarm);
            }
        }
        Poll::Pending
    }

    fn due(&self, slow: Option<Instant>) -> Instant {
        [self.init, slow].into_iter().flatten().fold(self.ping, Instant::min)
    }

    fn ring(&mut self, slow: Option<Instant>, now: Instant) -> Option<Alarm> {
        let is_due = |time: Option<Instant>| time.is_some_and(|time| time <= now);
        if is_due(self.init) {
            return Some(Alarm::Init);
        }
        if is_due(slow) {
            return Some(Alarm::SlowConsumer);
        }
        if self.ping > now {
            return None;
        }
        self.ping = now + self.ping_interval;
        let is_silent = now.duration_since(self.heard) >= self.ping_interval * 2;
        Some(if is_silent { Alarm::Silence } else { Alarm::Ping })
    }
}
