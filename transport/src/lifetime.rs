//! When a subscription or socket has to end although its client wants more.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::caller::Caller;
use crate::lifecycle::{Shutdown, instant_of};

/// Why it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The server restarts or stops.
    Closing,
    /// The caller's token is too old.
    Expired,
    /// The caller signed out, or was thrown out.
    Revoked,
}

/// Waits for the first reason to end.
///
/// The waits live as long as the connection: registering them again for every event would make
/// all connections queue for one lock.
pub(crate) struct Lifetime {
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    revoked: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    expiry: Option<Pin<Box<Sleep>>>,
}

impl Lifetime {
    /// Of a connection that has not said who it is.
    pub(crate) fn anonymous(shutdown: &Shutdown) -> Self {
        Self { closing: wait(&shutdown.closing), revoked: None, expiry: None }
    }

    pub(crate) fn of(caller: &Caller, shutdown: &Shutdown) -> Self {
        let mut lifetime = Self::anonymous(shutdown);
        lifetime.bind(caller);
        lifetime
    }

    /// From now on it also ends with the caller's rights.
    pub(crate) fn bind(&mut self, caller: &Caller) {
        self.revoked = Some(wait(caller.revoked()));
        self.expiry = caller
            .expires_at()
            .and_then(instant_of)
            .map(|end| Box::pin(tokio::time::sleep_until(Instant::from_std(end))));
    }

    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        if self.closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ending::Closing);
        }
        if self.revoked.as_mut().is_some_and(|wait| wait.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Ending::Revoked);
        }
        if self.expiry.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Ending::Expired);
        }
        Poll::Pending
    }
}

fn wait(token: &CancellationToken) -> Pin<Box<WaitForCancellationFutureOwned>> {
    Box::pin(token.clone().cancelled_owned())
}
