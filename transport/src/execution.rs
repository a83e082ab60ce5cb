//! Runs operations on the executor, so that a panic or a long query hurts only its own answer.

use std::future;
use std::panic::AssertUnwindSafe;

use async_graphql::{Executor, Request, Response};
use futures_util::stream::{BoxStream, StreamExt};
use futures_util::{FutureExt, Stream};

use crate::answer::{Answer, internal_error};
use crate::error::timed_out;
use crate::request_id::RequestId;
use crate::settings::Settings;

/// Runs a query or mutation, for at most the configured time.
pub(crate) async fn execute<E: Executor>(
    executor: &E,
    request: Request,
    request_id: &RequestId,
    settings: &Settings,
) -> Answer {
    let execution = AssertUnwindSafe(executor.execute(request)).catch_unwind();
    match tokio::time::timeout(settings.requests.query(), execution).await {
        Ok(Ok(response)) => Limits::of(settings).apply(response, request_id),
        Ok(Err(_)) => panicked(request_id),
        Err(_) => Answer::interrupted(timed_out(settings.requests.query())),
    }
}

/// Starts a subscription; nothing runs until the stream is polled.
pub(crate) fn subscribe<E: Executor>(
    executor: &E,
    request: Request,
    request_id: &RequestId,
    settings: &Settings,
) -> BoxStream<'static, Answer> {
    let (request_id, limits) = (request_id.clone(), Limits::of(settings));
    let responses = executor.execute_stream(request, None);
    caught(responses)
        .map(move |response| match response {
            Some(response) => limits.apply(response, &request_id),
            None => panicked(&request_id),
        })
        .boxed()
}

/// What an answer has to know of the settings.
#[derive(Clone, Copy)]
struct Limits {
    complexity: usize,
    bytes: usize,
}

impl Limits {
    fn of(settings: &Settings) -> Self {
        Self { complexity: settings.documents.complexity, bytes: settings.requests.answer_bytes }
    }

    fn apply(self, response: Response, request_id: &RequestId) -> Answer {
        Answer::new(response, request_id, self.complexity).within(self.bytes)
    }
}

/// `None` once, at the end, if the stream panicked.
fn caught(
    responses: impl Stream<Item = Response> + Send + 'static,
) -> impl Stream<Item = Option<Response>> + Send {
    AssertUnwindSafe(responses).catch_unwind().map(Result::ok).scan(false, |panicked, response| {
        let item = (!*panicked).then(|| {
            *panicked = response.is_none();
            response
        });
        future::ready(item)
    })
}

fn panicked(request_id: &RequestId) -> Answer {
    tracing::error!(%request_id, "a resolver panicked");
    Answer::interrupted(internal_error(request_id))
}
