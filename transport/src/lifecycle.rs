//! How the transport starts serving, reports its health and ends.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How the process asks the transport to end, and waits until it has.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Cancelled when the process wants to end: sockets close, streams end, new requests get 503.
    pub closing: CancellationToken,
    /// Connections and sockets that still run; [`Shutdown::finish`] waits for them.
    pub tasks: TaskTracker,
    /// Cancelled when sockets have had their time to end.
    pub(crate) abandoned: CancellationToken,
}

impl Shutdown {
    /// Ends what still runs after [`serve`](crate::serve): waits `at_most` that long, then gives it
    /// up. False if something was given up.
    ///
    /// Work that never waits for anything cannot be stopped, so it may still run afterwards.
    pub async fn finish(&self, at_most: Duration) -> bool {
        self.closing.cancel();
        self.tasks.close();
        let is_finished = tokio::time::timeout(at_most, self.tasks.wait()).await.is_ok();
        if !is_finished {
            tracing::warn!(tasks = self.tasks.len(), "sockets were still busy and are given up");
            self.abandoned.cancel();
        }
        is_finished
    }
}

/// Whether the server can do its work, for `/readyz`.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// Ok, or what is missing in words an operator understands.
    async fn ready(&self) -> Result<(), String>;
}

/// A file of the page, embedded into the binary.
#[derive(Clone, Copy)]
pub struct Asset {
    /// Where it is served, such as `index.html` or `assets/index-4f2a91bc.js`.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its contents.
    pub bytes: &'static [u8],
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asset")
            .field("path", &self.path)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// When a caller's time is over, on the clock that timers use.
#[expect(clippy::disallowed_methods, reason = "the one place that relates a token's end to now")]
pub(crate) fn instant_of(time: DateTime<Utc>) -> Option<Instant> {
    let left = (time - Utc::now()).to_std().unwrap_or(Duration::ZERO);
    // Further away than the clock can count is as good as never.
    Instant::now().checked_add(left)
}
