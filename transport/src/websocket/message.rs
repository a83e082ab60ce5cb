//! The messages of graphql-transport-ws.

use async_graphql::ServerError;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::close::Close;
use crate::answer::{Answer, json};
use crate::document::Params;

/// An id is a key of a map and comes back with every message.
const MAX_ID_BYTES: usize = 256;

/// A longer ping is answered without its payload, which the protocol allows.
///
/// Pongs wait for a client that may never take them.
const MAX_ECHO_BYTES: usize = 1024;

/// What a client says.
#[derive(Debug)]
pub(super) enum Incoming {
    Init(Map<String, Json>),
    Ping(Option<Json>),
    Pong,
    Subscribe { id: String, params: Params },
    Complete { id: String },
}

impl Incoming {
    pub(super) fn parse(text: &str) -> Result<Self, Close> {
        let Ok(Json::Object(mut message)) = serde_json::from_str(text) else {
            return Err(Close::bad_request("Invalid message received"));
        };
        let Some(Json::String(kind)) = message.remove("type") else {
            return Err(Close::bad_request("Message is missing the 'type' property"));
        };
        let payload = message.remove("payload").filter(|payload| !payload.is_null());
        match kind.as_str() {
            "connection_init" => Ok(Self::Init(object(payload)?.unwrap_or_default())),
            "ping" => {
                let payload = object(payload)?.filter(|_| text.len() <= MAX_ECHO_BYTES);
                Ok(Self::Ping(payload.map(Json::Object)))
            }
            "pong" => Ok(Self::Pong),
            "subscribe" => Self::subscribe(id(&mut message)?, payload),
            "complete" => Ok(Self::Complete { id: id(&mut message)? }),
            _ => Err(Close::bad_request("Invalid message type")),
        }
    }

    fn subscribe(id: String, payload: Option<Json>) -> Result<Self, Close> {
        let payload = object(payload)?;
        let params = payload.and_then(|payload| Params::from_members(payload).ok());
        match params {
            Some(params) => Ok(Self::Subscribe { id, params }),
            None => Err(Close::bad_request("The 'subscribe' message has an invalid payload")),
        }
    }
}

fn object(payload: Option<Json>) -> Result<Option<Map<String, Json>>, Close> {
    match payload {
        None => Ok(None),
        Some(Json::Object(object)) => Ok(Some(object)),
        Some(_) => Err(Close::bad_request("The 'payload' property must be an object")),
    }
}

fn id(message: &mut Map<String, Json>) -> Result<String, Close> {
    match message.remove("id") {
        Some(Json::String(id)) if (1..=MAX_ID_BYTES).contains(&id.len()) => Ok(id),
        _ => Err(Close::bad_request("Message is missing a valid 'id' property")),
    }
}

/// What the server says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Outgoing<'a> {
    ConnectionAck,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Json>,
    },
    Next {
        id: &'a str,
        payload: &'a Answer,
    },
    Error {
        id: &'a str,
        payload: &'a [ServerError],
    },
    Complete {
        id: &'a str,
    },
}

impl Outgoing<'_> {
    pub(super) fn to_json(&self) -> String {
        json(self)
    }
}
