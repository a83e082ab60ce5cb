//! The time limit of what a schema executes, event by event.
//!
//! From outside, a subscription that resolves an event looks like one that waits for the next, so
//! only an extension of the schema can tell how long one event takes.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, ResolveInfo,
};
use async_graphql::{Response, ServerResult, Value};
use async_trait::async_trait;

use crate::error::timed_out;
use crate::settings::RequestLimits;

/// Ends each operation, and each event of a subscription, that takes longer than `query_ms`.
///
/// Give it to the schema: `Schema::build(…).extension(TimeLimit::new(&settings.requests))`. It also
/// lets other tasks run between fields. Resolvers that never wait for anything would otherwise
/// resolve a large answer in one go, and neither the time nor a client that has left be noticed.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit {
    allowed: Duration,
}

impl TimeLimit {
    /// The limit that the transport itself applies to queries.
    #[must_use]
    pub fn new(limits: &RequestLimits) -> Self {
        Self { allowed: limits.query() }
    }
}

impl ExtensionFactory for TimeLimit {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(*self)
    }
}

#[async_trait]
impl Extension for TimeLimit {
    /// Wraps a query, a mutation, or one event.
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let execution = next.run(ctx, operation_name);
        match tokio::time::timeout(self.allowed, execution).await {
            Ok(response) => response,
            Err(_) => Response::from_errors(vec![timed_out(self.allowed)]),
        }
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        tokio::task::consume_budget().await;
        next.run(ctx, info).await
    }
}
