//! Idempotency: the same request twice does what it did once.
//!
//! A client that lost an answer sends the same `clientRequestId` with the same
//! input again and gets the first result; with other input it is a conflict.
//! The claim is a row in the transaction that does the work, so there is no
//! moment in which one exists without the other.

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use skald_base::{Error, Id, Kind, Result, Tx, UserId, graph::ClientRequestId};

use crate::{app::App, store};

/// A request, as the table of requests knows it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Whose request it is; ids of different users never meet.
    pub user: UserId,
    /// The mutation.
    pub kind: &'static str,
    /// The id the client chose.
    pub request: ClientRequestId,
    /// SHA-256 of the input.
    pub input_hash: Vec<u8>,
}

impl Claim {
    /// A claim for `kind` with this input.
    pub fn new(
        user: UserId,
        kind: &'static str,
        request: &ClientRequestId,
        input: &impl Serialize,
    ) -> Self {
        let bytes = serde_json::to_vec(input).unwrap_or_default();
        let input_hash = Sha256::digest(&bytes).to_vec();
        Self { user, kind, request: request.clone(), input_hash }
    }
}

/// Claims the request for `result`, or gives the result of the first time.
///
/// Concurrent requests with the same id wait for each other here.
pub async fn claim<T>(app: &App, tx: &mut Tx, claim: &Claim, result: &T) -> Result<Option<T>>
where
    T: Serialize + DeserializeOwned,
{
    let json = serde_json::json!({ "made": result });
    if store::request::insert(tx, claim, json, app.clock.now()).await? {
        return Ok(None);
    }
    match first(tx, claim).await? {
        Some(first) => Ok(Some(first)),
        None => Err(Error::Internal("a refused request id has no row".into())),
    }
}

/// The result of the first request with this id, if there was one; it is not claimed.
pub async fn first<T: DeserializeOwned>(tx: &mut Tx, claim: &Claim) -> Result<Option<T>> {
    let Some(first) = store::request::find(tx, claim).await? else { return Ok(None) };
    if first.kind != claim.kind || first.input_hash != claim.input_hash {
        let message = "this clientRequestId was used with other input";
        return Err(Error::conflict(message).at("input.clientRequestId"));
    }
    let made = first.result.0.get("made").cloned().unwrap_or_default();
    serde_json::from_value(made)
        .map(Some)
        .map_err(|error| Error::Internal(format!("client_request.result: {error}")))
}

/// The same request is being carried out.
pub fn still_at_work() -> Error {
    let message = "this request is still being carried out: ask again in a moment";
    Error::conflict(message).at("input.clientRequestId")
}

/// The id the client made, checked, or a fresh one.
pub fn fresh_id<K: Kind>(app: &App, path: &str, wanted: Option<Id<K>>) -> Result<Id<K>> {
    match wanted {
        None => Ok(app.ids.next()),
        Some(id) if id.uuid().get_version_num() == 7 => Ok(id),
        Some(_) => Err(Error::invalid(path, "a client-made id must be a UUIDv7")),
    }
}

/// A second row with the same primary key is a conflict of client-made ids.
pub fn id_taken(error: Error) -> Error {
    if error.is_unique_violation() {
        return Error::conflict("an id in this request is already used");
    }
    error
}
