//! A double of the Gemini API, version v1beta.
//!
//! Paths and framing are in `answer`, what is refused in `check`, what can be broken in
//! `fault`, what a model is able to do in `model` (a table: a new model is a new row).

#![expect(clippy::indexing_slicing, reason = "JSON without a field gives null, not a panic")]

mod answer;
mod check;
mod embed;
mod error;
mod fault;
mod fields;
mod model;

use std::sync::{Mutex, PoisonError};

pub use self::fault::Fault as GeminiFault;

use self::error::Refusal;
use self::model::Model;
use crate::call::{Call, Endpoint};
use crate::double::{Double, Wire};
use crate::reply::Reply;
use crate::script::Planned;
use crate::tokens::PrefixCache;

/// A server that speaks the Gemini API.
pub type GeminiDouble = Double<Gemini>;

/// The Gemini API, version v1beta.
#[derive(Debug, Default)]
pub struct Gemini {
    key: Mutex<Option<String>>,
    cache: PrefixCache,
}

impl Double<Gemini> {
    /// Starts a server that takes any key.
    pub async fn start() -> Self {
        Self::serve(Gemini::default()).await
    }

    /// Takes only this key from now on.
    pub fn needs_key(&self, key: impl Into<String>) {
        *self.wire.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.into());
    }
}

impl Wire for Gemini {
    type Fault = GeminiFault;
    const BASE: &'static str = "/v1beta";

    fn endpoint(&self, path: &str) -> Endpoint {
        match path.rsplit_once(':').map(|(_, method)| method) {
            Some("generateContent" | "streamGenerateContent") => Endpoint::Generate,
            Some("countTokens") => Endpoint::Count,
            Some("embedContent" | "batchEmbedContents") => Endpoint::Embed,
            None if path.starts_with("/v1beta/models") => Endpoint::Models,
            Some(_) | None => Endpoint::Other,
        }
    }

    fn answer(&self, call: &Call, planned: Planned<GeminiFault>) -> Reply {
        if let Some(reply) = planned.fault.as_ref().and_then(|fault| fault.instead(call)) {
            return reply;
        }
        self.respond(call, &planned).unwrap_or_else(|refusal| refusal.reply())
    }
}

impl Gemini {
    fn respond(&self, call: &Call, planned: &Planned<GeminiFault>) -> Result<Reply, Refusal> {
        self.check_key(call)?;
        let path = call.path.strip_prefix("/v1beta/models").ok_or_else(error::no_such_path)?;
        let Some((id, method)) = path.strip_prefix('/').and_then(|path| path.split_once(':'))
        else {
            return model::list_or_one(call, path);
        };
        let model = Model::find(id).ok_or_else(|| error::no_such_model(id, method))?;
        model.check_method(method)?;
        let json = check::body(call)?;
        match method {
            "embedContent" => embed::one(model, json),
            "batchEmbedContents" => embed::batch(model, json),
            "countTokens" => answer::count(json),
            _ => {
                check::generate(json, model)?;
                Ok(answer::generate(self, call, model, planned))
            }
        }
    }

    fn check_key(&self, call: &Call) -> Result<(), Refusal> {
        let key = call.header("x-goog-api-key").or_else(|| call.query_value("key"));
        let Some(key) = key.filter(|key| !key.is_empty()) else {
            return Err(error::no_key());
        };
        let expected = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if expected.as_ref().is_some_and(|expected| expected != key) {
            return Err(error::bad_key());
        }
        Ok(())
    }
}
