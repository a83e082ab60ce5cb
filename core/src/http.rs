//! What the story engine says outside of GraphQL: files, by links that mutations give.
//!
//! A link is all the permission there is, so that `curl` and a browser's download work. A refusal
//! is one sentence, and the same whether a link is forged, expired or leads to nothing.

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use futures_util::StreamExt;
use skald_base::{Error, UserErrorCode};

use crate::{
    app::App,
    file::{name, upload},
    session::export,
};

/// Serves `/files/uploads/TOKEN` and `/files/exports/TOKEN/NAME`.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/files/uploads/{token}", put(take))
        .route("/files/exports/{token}/{name}", get(give))
        .with_state(app)
}

async fn take(State(app): State<App>, Path(token): Path<String>, request: Request) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let announced = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let body = request.into_body().into_data_stream();
    match upload::receive(&app, &token, announced, body).await {
        Ok(()) => plain(StatusCode::NO_CONTENT, String::new()),
        Err(refused) => refuse(refused),
    }
}

fn refuse(refused: upload::Refused) -> Response {
    use upload::Refused;
    let (status, sentence) = match refused {
        Refused::Link => return forbidden(),
        Refused::TooLarge(most) => {
            (StatusCode::PAYLOAD_TOO_LARGE, format!("this file may have {most} bytes"))
        }
        Refused::WrongSize(size) => {
            (StatusCode::BAD_REQUEST, format!("{size} bytes were announced and did not come"))
        }
        Refused::Cut => (StatusCode::BAD_REQUEST, "the file ended too early: send it again".into()),
        Refused::Idle => {
            (StatusCode::REQUEST_TIMEOUT, "nothing came for too long: send it again".into())
        }
        Refused::Replaced => (StatusCode::CONFLICT, "the file was sent once more meanwhile".into()),
        Refused::Fault(error) => return fault(&error),
    };
    plain(status, sentence)
}

async fn give(State(app): State<App>, Path((token, _)): Path<(String, String)>) -> Response {
    match export::download(&app, &token).await {
        Ok(Some(download)) => saved(download),
        Ok(None) => forbidden(),
        Err(Error::User(refused)) => {
            let is_full = refused.code == UserErrorCode::RateLimited;
            // Or the story has grown too large since the link was made.
            let status = if is_full { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::CONFLICT };
            plain(status, refused.message)
        }
        Err(error) => fault(&error),
    }
}

/// A file for the disk of whoever asked; no cache keeps it.
fn saved(download: export::Download) -> Response {
    let bytes = download.bytes.map(|piece| {
        piece.map_err(|error| {
            // The connection breaks off, so that nobody takes a part for the whole.
            tracing::error!(error = error.describe(), "an export broke off");
            std::io::Error::other("the export broke off")
        })
    });
    let headers = [
        (header::CONTENT_TYPE, download.content_type.to_owned()),
        (header::CONTENT_DISPOSITION, name::content_disposition(&download.file_name)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, Body::from_stream(bytes)).into_response()
}

fn forbidden() -> Response {
    plain(StatusCode::FORBIDDEN, "the link is not valid, or not any more".into())
}

fn fault(error: &Error) -> Response {
    tracing::error!(error = error.describe(), "a file could not be served");
    plain(StatusCode::INTERNAL_SERVER_ERROR, "the server failed: try again later".into())
}

fn plain(status: StatusCode, mut sentence: String) -> Response {
    if !sentence.is_empty() {
        sentence.push('\n');
    }
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, sentence).into_response()
}
