//! Who is asking: access tokens become viewers, viewers come with their loaders.

use async_graphql::Request;
use async_trait::async_trait;
use skald_auth::{Auth, ClientAddress, TokenError, UserAgent, Verifier};
use skald_base::Viewer;
use skald_core::{
    App,
    graphql::{LinkBase, prepare},
};
use skald_transport::{AuthenticationError, Authenticator, Caller, Credentials, Readiness};

use crate::wire::Databases;

/// Lets callers in by their access token; without one they are anonymous.
pub(crate) struct Gate {
    auth: Auth,
    app: App,
    verifier: Verifier,
    public_url: Option<String>,
}

impl Gate {
    /// A gate that trusts the keys of `auth`; links begin with `public_url`, if there is one.
    pub(crate) fn new(auth: Auth, app: App, public_url: Option<String>) -> Self {
        let verifier = auth.verifier();
        Self { auth, app, verifier, public_url }
    }

    /// What every operation of this viewer is given.
    fn preparation(
        &self,
        viewer: Viewer,
        client: Client,
    ) -> impl Fn(Request) -> Request + Send + Sync + 'static {
        let (auth, app) = (self.auth.clone(), self.app.clone());
        move |request| {
            let request = prepare(&app, viewer, request).data(auth.loader());
            let request = request.data(client.address).data(client.agent.clone());
            match &client.base {
                Some(base) => request.data(LinkBase(base.clone())),
                None => request,
            }
        }
    }
}

/// What is known of a client beside who is asking.
struct Client {
    address: ClientAddress,
    agent: UserAgent,
    base: Option<String>,
}

#[async_trait]
impl Authenticator for Gate {
    async fn authenticate(&self, credentials: Credentials) -> Result<Caller, AuthenticationError> {
        let client = Client {
            address: ClientAddress(credentials.peer),
            agent: UserAgent(credentials.user_agent),
            base: self.public_url.clone().or(credentials.base),
        };
        let Some(token) = credentials.bearer else {
            return Ok(Caller::new(None, self.preparation(Viewer::Anonymous, client)));
        };
        let verified = self.verifier.verify(&token).map_err(|error| AuthenticationError {
            message: match error {
                TokenError::Expired => "the access token has expired",
                TokenError::Ended => "this sign-in has ended",
                TokenError::Invalid => "the access token is not valid",
            },
        })?;
        let ended = self.verifier.watch(&verified);
        let expires_at = verified.expires_at;
        let preparation = self.preparation(Viewer::from(verified), client);
        Ok(Caller::new(Some(expires_at), preparation).revoked_by(ended))
    }
}

/// Ready when both databases answer.
pub(crate) struct Health(pub(crate) Databases);

#[async_trait]
impl Readiness for Health {
    async fn ready(&self) -> Result<(), String> {
        for (name, db) in [("auth", &self.0.auth), ("core", &self.0.core)] {
            let answer = db.read("SELECT 1").one::<(i32,)>().await;
            answer.map_err(|_| format!("the {name} database does not answer"))?;
        }
        Ok(())
    }
}
