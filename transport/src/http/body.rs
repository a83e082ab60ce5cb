//! Reads a request body within its limits of type, size and time.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::error::{Refusal, code, coded, limit_exceeded, set};
use crate::settings::RequestLimits;

/// Other types are refused: a page of another site may send them without asking first.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if value.is_some_and(is_json) {
        return Ok(());
    }
    let error = coded(code::BAD_REQUEST, "content-type must be application/json in utf-8", None);
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error))
}

fn is_json(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: &RequestLimits,
) -> Result<Bytes, Refusal> {
    let too_large = || {
        let error = limit_exceeded("bodyBytes", limits.body_bytes);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error)
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.body_bytes) {
        return Err(too_large());
    }
    let reading = Limited::new(body, limits.body_bytes).collect();
    match tokio::time::timeout(limits.body_read(), reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::bad_request("the body ended too early")),
        Err(_) => Err(too_slow(limits)),
    }
}

fn too_slow(limits: &RequestLimits) -> Refusal {
    let message = format!("the body took longer than {} ms", limits.body_read_ms);
    let mut error = coded(code::TIMEOUT, message, None);
    set(&mut error, "limit", "bodyReadMs");
    set(&mut error, "allowed", limits.body_read_ms);
    Refusal::new(StatusCode::REQUEST_TIMEOUT, error)
}
