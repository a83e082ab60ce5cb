//! A double of servers that speak the OpenAI wire format.
//!
//! How servers differ is in `profile`, what is refused in `check`, how a stream looks in
//! `answer`, what can be broken in `fault`, what a server tells of itself in `native`.

#![expect(clippy::indexing_slicing, reason = "JSON without a field gives null, not a panic")]

mod answer;
mod check;
mod embed;
mod error;
mod fault;
mod native;
mod profile;

use std::sync::{Mutex, PoisonError};

pub use self::fault::Fault as OpenAiFault;
pub use self::profile::{
    Done, JsonRules, Overflow, Profile, ReasoningField, Role, Rule, Template, Traits, UsageForm,
};

use self::error::Refusal;
use crate::call::{Call, Endpoint};
use crate::double::{Double, Wire};
use crate::reply::Reply;
use crate::script::Planned;
use crate::tokens::PrefixCache;

/// A server that speaks the OpenAI wire format.
pub type OpenAiDouble = Double<OpenAi>;

/// The OpenAI wire format, in the dialect of one server.
#[derive(Debug)]
pub struct OpenAi {
    profile: Profile,
    traits: Mutex<Traits>,
    key: Mutex<Option<String>>,
    cache: PrefixCache,
}

impl Double<OpenAi> {
    /// Starts a server of this kind; only OpenRouter asks for a key, and takes any.
    pub async fn start(profile: Profile) -> Self {
        let traits = Mutex::new(profile.traits());
        let (key, cache) = (Mutex::default(), PrefixCache::default());
        Self::serve(OpenAi { profile, traits, key, cache }).await
    }

    /// Changes how the server behaves: a smaller context, another template.
    pub fn behaves(&self, change: impl FnOnce(&mut Traits)) {
        change(&mut self.wire.traits.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// How the server behaves now.
    pub fn traits(&self) -> Traits {
        self.wire.traits()
    }

    /// Takes only this key from now on.
    pub fn needs_key(&self, key: impl Into<String>) {
        *self.wire.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.into());
    }
}

impl Wire for OpenAi {
    type Fault = OpenAiFault;
    const BASE: &'static str = "/v1";

    fn endpoint(&self, path: &str) -> Endpoint {
        match path {
            "/v1/chat/completions" => Endpoint::Generate,
            "/v1/embeddings" => Endpoint::Embed,
            "/v1/models" => Endpoint::Models,
            "/tokenize" => Endpoint::Count,
            _ => Endpoint::Other,
        }
    }

    fn answer(&self, call: &Call, planned: Planned<OpenAiFault>) -> Reply {
        if let Some(reply) = planned.fault.as_ref().and_then(|fault| fault.instead(call)) {
            return reply;
        }
        self.respond(call, &planned).unwrap_or_else(|refusal| refusal)
    }
}

impl OpenAi {
    fn traits(&self) -> Traits {
        *self.traits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, call: &Call, planned: &Planned<OpenAiFault>) -> Result<Reply, Refusal> {
        self.check_key(call)?;
        let traits = self.traits();
        match call.endpoint {
            Endpoint::Generate => {
                let json = check::body(call)?;
                check::chat(json, &traits)?;
                answer::chat(self, call, &traits, planned)
            }
            Endpoint::Embed => embed::embeddings(check::body(call)?, &traits, self.profile),
            Endpoint::Models => Ok(native::models(self.profile, &traits)),
            Endpoint::Count | Endpoint::Other => native::other(self.profile, &traits, call),
        }
    }

    fn check_key(&self, call: &Call) -> Result<(), Refusal> {
        let key = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let expected = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        match (expected.as_deref(), key) {
            (Some(expected), Some(key)) if expected == key => Ok(()),
            (Some(_), _) => Err(error::bad_key()),
            // The list of models is public.
            (None, None)
                if self.profile == Profile::OpenRouter && call.endpoint == Endpoint::Generate =>
            {
                Err(error::bad_key())
            }
            (None, _) => Ok(()),
        }
    }
}
