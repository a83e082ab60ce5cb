//! Who may make a session: each request once, few at a time.

use skald_base::{Result, Tx, UserError, UserErrorCode};

use crate::{
    app::App,
    request::{self, Claim},
    session::SessionId,
    store,
};

/// What became of the claim of a request that makes a session.
pub(crate) enum Claimed {
    /// It is the first: what its session needs can be stored here, then [`Graft::plant`](super::Graft::plant) it.
    New(Tx),
    /// It is a repeat: this session was made before.
    Made(SessionId),
}

/// Claims the request for a session with this id.
pub(crate) async fn claim(app: &App, id: SessionId, claim: &Claim) -> Result<Claimed> {
    let mut tx = app.db.begin().await?;
    if let Some(first) = request::claim(app, &mut tx, claim, &id).await? {
        return made_before(&mut tx, first).await.map(Claimed::Made);
    }
    store::lock_user(&mut tx, claim.user).await?;
    let allowed = app.limits.grafts_per_user;
    if store::graft::count(&mut tx, claim.user).await? >= allowed {
        let message = format!("at most {allowed} sessions may be forked or imported at once");
        return Err(UserError::new(UserErrorCode::LimitExceeded, message).into());
    }
    Ok(Claimed::New(tx))
}

/// The session that an earlier request made, once it is whole.
pub(super) async fn made_before(tx: &mut Tx, first: SessionId) -> Result<SessionId> {
    if store::graft::is_growing(tx, first).await? {
        return Err(request::still_at_work());
    }
    Ok(first)
}
