//! Which web pages may call this server: CORS for requests, a check of `Origin` for sockets.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::request_id;

/// Tells browsers which pages may read answers; never reflects an origin that is not listed.
pub(crate) fn cors(allowed: &[String]) -> CorsLayer {
    let origins = if allowed.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(allowed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("last-event-id"),
            request_id::HEADER,
        ])
        .expose_headers([request_id::HEADER])
        .max_age(Duration::from_mins(10))
}

/// Browsers do not apply CORS to sockets, so the server must look itself.
pub(crate) fn may_connect(headers: &HeaderMap, allowed: &[String]) -> bool {
    // Only browsers send it, and they always do.
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let is_listed = allowed.iter().any(|listed| listed == "*" || listed == origin);
    is_listed || is_same(origin, headers)
}

fn is_same(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    host.zip(authority).is_some_and(|(host, authority)| host.eq_ignore_ascii_case(authority))
}
