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
        Ok(Ok(response)) => Answer::new(response, request_id, settings.documents.complexity),
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
    let (request_id, complexity) = (request_id.clone(), settings.documents.complexity);
    let responses = executor.execute_stream(request, None);
    caught(responses)
        .map(move |response| match response {
            Some(response) => Answer::new(response, &request_id, complexity),
            None => panicked(&request_id),
        })
        .boxed()
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
