//! GraphQL over WebSocket: the protocol `graphql-transport-ws`.
//!
//! One task per socket owns everything: it reads frames, drives the operations and writes, and
//! never waits for one of them alone. `connection` is that loop; `message` is the language,
//! `operations` what runs, `outbox` what waits to be written, `alarms` what time brings.

mod alarms;
mod close;
mod connection;
mod message;
mod operations;
mod outbox;

use std::sync::Arc;

use async_graphql::Executor;
use axum::extract::WebSocketUpgrade;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;

use self::connection::Connection;
use crate::caller::Credentials;
use crate::error::{Refusal, code, coded};
use crate::http::request_id;
use crate::origin;
use crate::server::{Server, peer};

const PROTOCOL: &str = "graphql-transport-ws";
/// The library's default of 128 KiB would be most of an idle connection's memory.
const READ_BUFFER: usize = 4096;

/// Turns the request into a socket that speaks GraphQL.
pub(crate) fn upgrade<E: Executor>(
    server: Arc<Server<E>>,
    upgrade: WebSocketUpgrade,
    parts: &Parts,
) -> Result<Response, Refusal> {
    if !origin::may_connect(&parts.headers, &server.settings.allowed_origins) {
        let error = coded(code::FORBIDDEN, "this origin may not connect", None);
        return Err(Refusal::new(StatusCode::FORBIDDEN, error));
    }
    let limit = server.settings.websocket.message_bytes;
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(limit)
        .max_frame_size(limit);
    if upgrade.selected_protocol().is_none() {
        return Err(Refusal::bad_request("offer the subprotocol graphql-transport-ws"));
    }
    let peer = peer(&parts.extensions);
    let place = server.places.take(peer)?;
    let credentials = Credentials::from_headers(&parts.headers, peer);
    let request_id = request_id(parts);
    // The library spawns the socket's task itself; the token lets a shutdown wait for it.
    let running = server.shutdown.tasks.token();
    Ok(upgrade.on_upgrade(move |socket| async move {
        let abandoned = server.shutdown.abandoned.clone();
        let connection = Connection::new(server, socket, credentials, request_id);
        abandoned.run_until_cancelled(connection.run()).await;
        drop((running, place));
    }))
}
