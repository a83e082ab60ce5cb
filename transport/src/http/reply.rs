//! Writes answers and refusals as HTTP responses.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::accept::Media;
use crate::answer::Answer;
use crate::error::{Refusal, code};

/// Writes an answer; `media` is `None` if the client does not read JSON.
pub(super) fn answer(answer: &Answer, media: Option<Media>) -> Response {
    write(status(answer, media), answer, media)
}

/// Writes why a request was not even looked at.
pub(super) fn refusal(refusal: Refusal, media: Option<Media>) -> Response {
    let mut response = write(refusal.status, &Answer::refused(refusal.errors), media);
    let hint = match refusal.status {
        StatusCode::UNAUTHORIZED => {
            Some((header::WWW_AUTHENTICATE, r#"Bearer realm="graphql", error="invalid_token""#))
        }
        // A mutation by GET, or a method that GraphQL does not have: POST always works.
        StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, "POST")),
        // What was not read of the body must not be taken for the next request.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            Some((header::CONNECTION, "close"))
        }
        _ => None,
    };
    if let Some((name, value)) = hint {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn status(answer: &Answer, media: Option<Media>) -> StatusCode {
    if !answer.is_request_error() {
        let gave_up = answer.has_no_data() && answer.has_code(code::TIMEOUT);
        return if gave_up { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::OK };
    }
    // Clients that read `application/json` only look for errors in a 200, except that a document
    // over a limit was not looked at.
    if media == Some(Media::Json) && !answer.has_code(code::LIMIT_EXCEEDED) {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    }
}

fn write(status: StatusCode, answer: &Answer, media: Option<Media>) -> Response {
    let content_type = match media {
        Some(Media::GraphqlJson) => "application/graphql-response+json; charset=utf-8",
        Some(Media::Json | Media::EventStream | Media::Multipart) | None => {
            "application/json; charset=utf-8"
        }
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, answer.to_json()).into_response()
}
