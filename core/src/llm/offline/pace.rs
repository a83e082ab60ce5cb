//! How fast a script is played.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::super::{Chunk, ChunkStream};
use super::script::{Step, UNITS_PER_TOKEN, weight};

/// How fast text arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it is read, but still piece by piece. For tests.
    Instant,
    /// At about so many tokens a second, by the runtime's clock.
    TokensPerSecond(NonZeroU32),
}

impl Pace {
    /// So many tokens a second; zero counts as one.
    pub fn tokens_per_second(tokens: u32) -> Self {
        Self::TokensPerSecond(NonZeroU32::new(tokens).unwrap_or(NonZeroU32::MIN))
    }

    async fn keep(self, chunk: &Chunk) {
        let units = match chunk {
            Chunk::Content(text) | Chunk::Thought(text) => weight(text),
            Chunk::Usage(_) | Chunk::Finished { .. } => return,
        };
        match self {
            Self::Instant => tokio::task::yield_now().await,
            Self::TokensPerSecond(rate) => {
                let micros = units * 1_000_000 / (UNITS_PER_TOKEN * u64::from(rate.get()));
                tokio::time::sleep(Duration::from_micros(micros)).await;
            }
        }
    }
}

impl Default for Pace {
    /// Sixty tokens a second: a little faster than most people read.
    fn default() -> Self {
        Self::tokens_per_second(60)
    }
}

/// Plays a script; a stream that is dropped plays no further.
pub(super) fn play(script: Vec<Step>, pace: Pace) -> ChunkStream {
    stream::unfold(VecDeque::from(script), move |mut steps| async move {
        loop {
            match steps.pop_front()? {
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Send(chunk) => {
                    pace.keep(&chunk).await;
                    return Some((Ok(chunk), steps));
                }
                Step::Fail(error) => return Some((Err(error), VecDeque::new())),
                Step::Hang => std::future::pending::<()>().await,
            }
        }
    })
    .boxed()
}
