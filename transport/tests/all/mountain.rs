//! A part of the toy schema that takes long to resolve.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::{Context, Object, Result};

use crate::toy::{Dropped, Signals};

/// An event, or an answer, that takes long to resolve.
pub(crate) struct Mountain(Arc<Signals>);

impl Mountain {
    pub(crate) fn of(ctx: &Context<'_>) -> Result<Self> {
        Ok(Self(Arc::clone(ctx.data::<Arc<Signals>>()?)))
    }
}

#[Object]
impl Mountain {
    /// Each takes a while, and none ever waits.
    async fn stones(&self) -> Vec<Stone> {
        self.0.entered.notify_one();
        let guard = Arc::new(Dropped(Arc::clone(&self.0)));
        (0..20_000).map(|_| Stone(Arc::clone(&guard))).collect()
    }

    /// Waits for ever.
    async fn peak(&self) -> bool {
        let _guard = Dropped(Arc::clone(&self.0));
        self.0.entered.notify_one();
        std::future::pending().await
    }

    async fn foot(&self) -> bool {
        true
    }
}

pub(crate) struct Stone(#[expect(dead_code, reason = "signals the end")] Arc<Dropped>);

#[Object]
impl Stone {
    async fn weight(&self) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1) {}
        true
    }
}
