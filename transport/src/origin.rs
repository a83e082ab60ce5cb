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
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("last-event-id"),
            request_id::HEADER,
        ])
        .expose_headers([header::CONTENT_DISPOSITION, request_id::HEADER])
        .max_age(Duration::from_mins(10))
}

/// Where the client found this server, such as `https://chat.example.org`, by its own account.
///
/// A proxy that speaks TLS says so in `x-forwarded-proto`. Whoever claims anything else deceives
/// only themselves: the answer is theirs.
pub(crate) fn base(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name)?.to_str().ok();
    let host = text(header::HOST).filter(|host| is_authority(host))?;
    let forwarded = text(HeaderName::from_static("x-forwarded-proto"));
    let is_https = forwarded.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    Some(format!("{}://{host}", if is_https { "https" } else { "http" }))
}

/// A name or an address, perhaps with a port: nothing that would lead elsewhere within a URL.
fn is_authority(host: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    (1..=255).contains(&host.len()) && host.bytes().all(is_plain)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_the_address_it_came_by() {
        for (host, proto, expected) in [
            ("127.0.0.1:8000", None, Some("http://127.0.0.1:8000")),
            ("[::1]:8000", None, Some("http://[::1]:8000")),
            ("chat.example.org", Some("https"), Some("https://chat.example.org")),
            ("chat.example.org", Some("javascript"), Some("http://chat.example.org")),
            ("a@b", None, None),
            ("example.org/x?", None, None),
            ("", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            if let Some(proto) = proto {
                headers.insert("x-forwarded-proto", HeaderValue::from_static(proto));
            }
            assert_eq!(base(&headers).as_deref(), expected, "{host} {proto:?}");
        }
        assert_eq!(base(&HeaderMap::new()), None);
    }
}
