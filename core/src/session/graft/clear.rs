//! Removing sessions that were not made to the end.

use skald_base::Result;
use uuid::Uuid;

use super::fresh_lease;
use crate::{
    app::App,
    library::{self, Change},
    session::SessionId,
    store,
    turn::recovery::Abandoned,
};

/// Messages removed in one transaction.
const AT_ONCE: i64 = 256;

/// Removes what there is of a session that is not whole, in short transactions.
pub(super) async fn clear(app: &App, id: SessionId, lease: Uuid) {
    if let Err(error) = try_clear(app, id, lease).await {
        let error = error.describe();
        tracing::warn!(%id, error, "cannot remove half a session: it is tried again later");
    }
}

async fn try_clear(app: &App, id: SessionId, lease: Uuid) -> Result<()> {
    loop {
        let mut tx = app.db.begin().await?;
        if !store::graft::renew(&mut tx, id, lease).await? {
            return Ok(());
        }
        if store::graft::remove_some(&mut tx, id, AT_ONCE).await? > 0 {
            tx.commit().await?;
            continue;
        }
        let (owner, people) = store::graft::remove_rest(&mut tx, id).await?;
        let gone: Vec<_> = people.into_iter().map(|node| (node, Change::Removed)).collect();
        return library::commit_any(app, tx, owner, &gone).await;
    }
}

/// Removes what processes that are gone left of sessions they made.
pub(crate) async fn recover(app: &App, abandoned: Abandoned) -> Result<()> {
    for id in store::graft::abandoned(&app.db, abandoned).await? {
        let lease = fresh_lease(app);
        if store::graft::take_over(&app.db, id, lease, abandoned).await? {
            tracing::info!(%id, "removes a session that was not made to the end");
            clear(app, id, lease).await;
        }
    }
    Ok(())
}
