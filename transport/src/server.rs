//! The router: which path leads where, and what every response carries.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_graphql::Executor;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::{Extensions, HeaderName, HeaderValue, StatusCode, header};

use crate::answer::Answer;
use crate::caller::Authenticator;
use crate::error::{code, coded};
use crate::lifecycle::{Asset, Readiness, Shutdown};
use crate::places::Places;
use crate::request_id::{self, RequestId};
use crate::settings::Settings;
use crate::{http as graphql_http, origin, page};

/// Everything the transport needs from the binary.
pub struct Transport<E> {
    /// The schema, or anything else that executes GraphQL.
    ///
    /// Without [`TimeLimit`](crate::TimeLimit) the events of its subscriptions take what they take.
    pub executor: E,
    /// Decides who is asking.
    pub authenticator: Arc<dyn Authenticator>,
    /// Answers `/readyz`.
    pub readiness: Arc<dyn Readiness>,
    /// The page's files; may be empty.
    pub assets: &'static [Asset],
    /// More routes, for which pages of other sites and the end of the process count as here.
    pub routes: Router,
    /// Limits and switches.
    pub settings: Settings,
    /// How the process ends.
    pub shutdown: Shutdown,
}

/// What handlers share.
pub(crate) struct Server<E> {
    pub(crate) executor: E,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) settings: Settings,
    pub(crate) shutdown: Shutdown,
    pub(crate) places: Places,
}

impl<E: Executor> Transport<E> {
    /// Serves `/graphql`, `/`, `/healthz` and `/readyz`.
    ///
    /// It has no fallback, so the binary may merge its own routes.
    pub fn router(self) -> Router {
        let Self { executor, authenticator, readiness, assets, routes, settings, shutdown } = self;
        let cors = origin::cors(&settings.allowed_origins);
        let page = if settings.graphiql { page::routes(assets) } else { Router::new() };
        let closing = shutdown.clone();
        let health = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready).with_state((readiness, shutdown.clone())));
        let places = Places::new(settings.websocket.per_address);
        let server = Arc::new(Server { executor, authenticator, settings, shutdown, places });
        Router::new()
            .route("/graphql", any(graphql_http::serve::<E>).with_state(server))
            .merge(page)
            .merge(routes)
            .layer(middleware::from_fn_with_state(closing, refuse_while_closing))
            .layer(cors)
            .merge(health)
            .layer(middleware::from_fn(mark))
    }
}

/// The address of the other end, if [`serve`](crate::serve) accepted the connection.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

async fn ready(State((readiness, shutdown)): State<(Arc<dyn Readiness>, Shutdown)>) -> Response {
    if shutdown.closing.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n").into_response();
    }
    match readiness.ready().await {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason + "\n").into_response(),
    }
}

async fn refuse_while_closing(
    State(shutdown): State<Shutdown>,
    request: Request,
    next: Next,
) -> Response {
    if !shutdown.closing.is_cancelled() {
        return next.run(request).await;
    }
    let error = coded(code::UNAVAILABLE, "the server is restarting", None);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8")),
        (header::RETRY_AFTER, HeaderValue::from_static("1")),
    ];
    let body = Answer::refused(vec![error]).to_json();
    (StatusCode::SERVICE_UNAVAILABLE, headers, body).into_response()
}

/// Gives the request its id, and the response what protects a browser from our answers.
async fn mark(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Some(value) = id.header_value() {
        headers.insert(request_id::HEADER, value);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}
