//! A small schema with everything that can go right or wrong.

#![expect(clippy::unused_async, reason = "resolvers are asynchronous")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_graphql::{
    Context, EmptySubscription, Error, ErrorExtensions, Guard, MergedSubscription, Object, Result,
    Schema, SimpleObject, Subscription,
};
use futures_util::stream::{self, Stream, StreamExt};
use skald_transport::TimeLimit;
use tokio::sync::Notify;

use crate::mountain::Mountain;

pub(crate) type Toy = Schema<Query, Mutation, Subscriptions>;

/// Who asked, as the toy authenticator says.
pub(crate) struct Viewer(pub(crate) String);

/// What tests wait for instead of sleeping.
#[derive(Default)]
pub(crate) struct Signals {
    /// Somebody is inside `wait` or `silence`.
    pub(crate) entered: Notify,
    /// Lets `wait` go on.
    pub(crate) released: Notify,
    /// A `firehose`, `silence` or `wait` was dropped.
    pub(crate) dropped: Notify,
    pub(crate) drops: AtomicUsize,
    pub(crate) poured: AtomicUsize,
}

impl Signals {
    /// Waits until the streams have stopped because nobody takes what they bring.
    pub(crate) async fn poured_to_the_brim(&self) {
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = self.poured.load(Ordering::SeqCst);
            if now > 0 && now == before {
                return;
            }
            before = now;
        }
    }
}

/// Signals when a resolver or stream is dropped.
pub(crate) struct Dropped(pub(crate) Arc<Signals>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Ordering::SeqCst);
        self.0.dropped.notify_one();
    }
}

pub(crate) fn schema(signals: Arc<Signals>, time_limit: TimeLimit) -> Toy {
    Schema::build(Query, Mutation, Subscriptions::default())
        .data(signals)
        .limit_complexity(400)
        .extension(time_limit)
        .finish()
}

fn denied() -> Error {
    Error::new("not yours").extend_with(|_, extensions| extensions.set("code", "FORBIDDEN"))
}

fn fault() -> Error {
    Error::new("the database at 10.0.0.7 is gone")
}

/// Not `!`, or the macro's code behind it would be unreachable.
fn explode<T>() -> T {
    panic!("on purpose")
}

/// Lets nobody through.
struct Never;

impl Guard for Never {
    async fn check(&self, _: &Context<'_>) -> Result<()> {
        Err(denied())
    }
}

pub(crate) struct Query;

#[derive(SimpleObject)]
#[graphql(complex)]
pub(crate) struct Node {
    name: String,
}

#[async_graphql::ComplexObject]
impl Node {
    async fn child(&self) -> Node {
        Node { name: format!("{}.child", self.name) }
    }

    async fn denied(&self) -> Option<Result<String>> {
        Some(Err(denied()))
    }

    async fn required(&self) -> Result<String> {
        Err(denied())
    }
}

#[Object]
impl Query {
    async fn hello(&self) -> &'static str {
        "hello"
    }

    async fn echo(&self, text: String) -> String {
        text
    }

    async fn sum(&self, #[graphql(validator(maximum = 10))] a: i32, b: Option<i32>) -> i32 {
        a + b.unwrap_or_default()
    }

    async fn viewer(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(ctx.data::<Viewer>()?.0.clone())
    }

    async fn node(&self) -> Node {
        Node { name: "node".to_owned() }
    }

    async fn maybe_node(&self) -> Option<Node> {
        Some(Node { name: "node".to_owned() })
    }

    async fn nodes(&self) -> Vec<Node> {
        vec![Node { name: "one".to_owned() }, Node { name: "two".to_owned() }]
    }

    /// Fails under `!`.
    async fn required(&self) -> Result<String> {
        Err(denied())
    }

    /// Nullable and fallible, as the conventions say.
    async fn nullable(&self) -> Option<Result<String>> {
        Some(Err(denied()))
    }

    /// Nullable and fallible the wrong way round.
    async fn nullable_inside(&self) -> Result<Option<String>> {
        Err(denied())
    }

    #[graphql(guard = "Never")]
    async fn guarded(&self) -> Option<bool> {
        Some(true)
    }

    async fn fault(&self) -> Option<Result<String>> {
        Some(Err(fault()))
    }

    async fn io_fault(&self) -> Option<Result<String>> {
        let cause = std::io::Error::other("Failed to parse \"/etc/skald\"");
        Some(Err(cause.into()))
    }

    async fn panic(&self) -> String {
        explode()
    }

    async fn faults(&self) -> Vec<Option<Result<String>>> {
        (0..50).map(|_| Some(Err(fault()))).collect()
    }

    /// Far more than can be resolved in any time, though nothing waits.
    async fn mountain(&self, ctx: &Context<'_>) -> Result<Mountain> {
        Mountain::of(ctx)
    }

    async fn wait(&self, ctx: &Context<'_>) -> Result<bool> {
        let signals = ctx.data::<Arc<Signals>>()?;
        let _guard = Dropped(Arc::clone(signals));
        signals.entered.notify_one();
        signals.released.notified().await;
        Ok(true)
    }
}

pub(crate) struct Mutation;

#[Object]
impl Mutation {
    async fn touch(&self) -> bool {
        true
    }
}

#[derive(MergedSubscription, Default)]
pub(crate) struct Subscriptions(Streams, EmptySubscription);

#[derive(Default)]
pub(crate) struct Streams;

#[Subscription]
impl Streams {
    /// Three ticks, slow enough to be seen one by one.
    async fn tick(&self) -> impl Stream<Item = i32> {
        stream::unfold(0, |count| async move {
            tokio::time::sleep(Duration::from_millis(150)).await;
            (count < 3).then_some((count + 1, count + 1))
        })
    }

    /// Nothing, for ever.
    async fn silence(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = i32>> {
        let signals = Arc::clone(ctx.data::<Arc<Signals>>()?);
        signals.entered.notify_one();
        let guard = Dropped(signals);
        Ok(stream::pending().map(move |count| {
            let _guard = &guard;
            count
        }))
    }

    /// A kilobyte at a time, for ever.
    async fn firehose(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = String>> {
        let signals = Arc::clone(ctx.data::<Arc<Signals>>()?);
        let guard = Dropped(Arc::clone(&signals));
        Ok(stream::repeat_with(move || {
            let _guard = &guard;
            signals.poured.fetch_add(1, Ordering::SeqCst);
            "x".repeat(1024)
        }))
    }

    /// Two megabytes at a time, for ever.
    async fn megabytes(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = String>> {
        let signals = Arc::clone(ctx.data::<Arc<Signals>>()?);
        let guard = Dropped(Arc::clone(&signals));
        Ok(stream::repeat_with(move || {
            let _guard = &guard;
            signals.poured.fetch_add(1, Ordering::SeqCst);
            "x".repeat(2 * 1024 * 1024)
        }))
    }

    /// Two events.
    async fn mountains(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = Mountain>> {
        Ok(stream::iter([Mountain::of(ctx)?, Mountain::of(ctx)?]))
    }

    /// An event, then one that cannot be resolved, then a fault.
    async fn troubled(&self) -> impl Stream<Item = Result<i32>> {
        stream::iter([Ok(1), Err(denied()), Err(fault())])
    }

    /// Cannot even start.
    async fn refused(&self) -> Result<impl Stream<Item = i32>> {
        Err::<stream::Pending<i32>, _>(denied())
    }

    async fn explosive(&self) -> impl Stream<Item = i32> {
        stream::iter([1, 2]).map(|count| if count == 2 { explode() } else { count })
    }

    async fn viewer_of(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = String>> {
        let viewer = ctx.data::<Viewer>()?.0.clone();
        Ok(stream::once(async move { viewer }))
    }
}
