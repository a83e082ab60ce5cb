//! What auth says outside of GraphQL: its public keys.

use axum::{
    Json, Router,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};

use crate::app::Auth;

/// Serves `/.well-known/jwks.json`: the keys that verify access tokens (RFC 7517).
pub fn router(auth: Auth) -> Router {
    Router::new().route("/.well-known/jwks.json", get(jwks)).with_state(auth)
}

async fn jwks(State(auth): State<Auth>) -> Response {
    // A verifier that meets an unknown kid asks again; the cache may be short.
    let caching = [(header::CACHE_CONTROL, "public, max-age=60")];
    (caching, Json(auth.jwks())).into_response()
}
