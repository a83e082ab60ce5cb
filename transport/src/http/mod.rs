//! GraphQL over HTTP: POST and GET, answered as JSON, SSE or multipart.
//!
//! The order of checks is the order of cost: what headers tell comes first, then who is asking,
//! then the body, then the document.

mod accept;
mod body;
mod reply;
mod stream;

use std::sync::Arc;

use async_graphql::Executor;
use async_graphql::parser::types::OperationType;
use axum::extract::{FromRequestParts, Request, State, WebSocketUpgrade};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::StreamExt;
use http::request::Parts;
use http::{Method, StatusCode, header};

use self::accept::{Accept, Media};
use self::stream::Framing;
use crate::answer::Answer;
use crate::caller::{Caller, Credentials};
use crate::document::{Operation, Params};
use crate::error::{Refusal, code, coded};
use crate::execution;
use crate::lifetime::Lifetime;
use crate::request_id::RequestId;
use crate::server::{Server, peer};
use crate::websocket;

/// Answers everything on the GraphQL path.
pub(crate) async fn serve<E: Executor>(
    State(server): State<Arc<Server<E>>>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if is_websocket(&parts) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => websocket::upgrade(server, upgrade, &parts)
                .unwrap_or_else(|refusal| reply::refusal(refusal, None)),
            Err(rejection) => rejection.into_response(),
        };
    }
    let accept = Accept::of(&parts.headers);
    if is_visit(&parts, &accept) && server.settings.graphiql {
        return Redirect::to("/").into_response();
    }
    let exchange = Exchange { accept, request_id: request_id(&parts), server };
    let outcome = match parts.method {
        Method::POST => exchange.post(&parts, body).await,
        Method::GET => exchange.get(&parts).await,
        _ => Err(method_not_allowed("use POST or GET")),
    };
    outcome.unwrap_or_else(|refusal| reply::refusal(refusal, exchange.accept.json()))
}

/// Clients also offer other upgrades (`h2c`), which may be ignored.
fn is_websocket(parts: &Parts) -> bool {
    let upgrade = parts.headers.get(header::UPGRADE);
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Somebody typed the address into a browser.
fn is_visit(parts: &Parts, accept: &Accept) -> bool {
    let asks = parts
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair.starts_with("query=")));
    parts.method == Method::GET && accept.prefers_html() && !asks
}

pub(crate) fn request_id(parts: &Parts) -> RequestId {
    parts.extensions.get().cloned().unwrap_or_else(|| RequestId::of(&parts.headers))
}

fn method_not_allowed(message: &str) -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, coded(code::BAD_REQUEST, message, None))
}

fn not_acceptable(message: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_ACCEPTABLE, coded(code::BAD_REQUEST, message, None))
}

/// One request and what is known of it from its headers.
struct Exchange<E> {
    server: Arc<Server<E>>,
    accept: Accept,
    request_id: RequestId,
}

impl<E: Executor> Exchange<E> {
    async fn post(&self, parts: &Parts, body: axum::body::Body) -> Result<Response, Refusal> {
        self.check_accept()?;
        body::check_content_type(&parts.headers)?;
        let caller = self.authenticate(parts).await?;
        let body = body::read(&parts.headers, body, &self.server.settings.requests).await?;
        let params = Params::from_body(&body)?;
        match Operation::prepare(params, &self.server.settings) {
            Ok(operation) => self.run(parts, &caller, operation).await,
            Err(error) => Ok(self.refuse(error)),
        }
    }

    async fn get(&self, parts: &Parts) -> Result<Response, Refusal> {
        self.check_accept()?;
        let caller = self.authenticate(parts).await?;
        let params = Params::from_uri(&parts.uri)?;
        let operation = match Operation::prepare(params, &self.server.settings) {
            Ok(operation) => operation,
            Err(error) => return Ok(self.refuse(error)),
        };
        if operation.kind == OperationType::Mutation {
            return Err(method_not_allowed("a mutation needs POST"));
        }
        self.run(parts, &caller, operation).await
    }

    fn check_accept(&self) -> Result<(), Refusal> {
        if self.accept.single().is_some() {
            return Ok(());
        }
        Err(not_acceptable("accept application/graphql-response+json or application/json"))
    }

    async fn authenticate(&self, parts: &Parts) -> Result<Caller, Refusal> {
        let credentials = Credentials::from_headers(&parts.headers, peer(&parts.extensions));
        self.server.authenticator.authenticate(credentials).await.map_err(|error| {
            let error = coded(code::UNAUTHENTICATED, error.message, None);
            Refusal::new(StatusCode::UNAUTHORIZED, error)
        })
    }

    fn refuse(&self, error: async_graphql::ServerError) -> Response {
        reply::answer(&Answer::refused(vec![error]), self.accept.json())
    }

    async fn run(
        &self,
        parts: &Parts,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Response, Refusal> {
        let Server { executor, settings, .. } = &*self.server;
        let request = caller.prepare(operation.request);
        if operation.kind == OperationType::Subscription {
            let media = self.accept.streaming().ok_or_else(|| {
                not_acceptable("a subscription needs text/event-stream, multipart or a WebSocket")
            })?;
            let place = self.server.places.take(peer(&parts.extensions))?;
            let answers = execution::subscribe(executor, request, &self.request_id, settings);
            // The place is taken for as long as the stream is not dropped.
            let answers = answers.inspect(move |_| _ = &place).boxed();
            return Ok(self.stream(media, answers, caller).await);
        }
        let answer = execution::execute(executor, request, &self.request_id, settings).await;
        match self.accept.single() {
            Some(media @ (Media::EventStream | Media::Multipart)) => {
                let answers = futures_util::stream::once(async { answer }).boxed();
                Ok(self.stream(media, answers, caller).await)
            }
            media => Ok(reply::answer(&answer, media)),
        }
    }

    async fn stream(&self, media: Media, answers: stream::Answers, caller: &Caller) -> Response {
        let framing = if media == Media::Multipart { Framing::Multipart } else { Framing::Events };
        let lifetime = Lifetime::of(caller, &self.server.shutdown);
        match stream::open(answers).await {
            Ok(answers) => {
                let answers = stream::driven(answers, &self.server.shutdown.tasks);
                stream::response(framing, answers, lifetime, &self.server.settings)
            }
            // A client that asked for a stream looks at the status before it reads JSON.
            Err(answer) => reply::answer(&answer, None),
        }
    }
}
