//! Removing sessions that were not made to the end.

use skald_base::Result;

use crate::{app::App, session::SessionId, store, turn::recovery::Abandoned};

/// Messages removed in one transaction.
const AT_ONCE: i64 = 256;

/// Removes what there is of a session that is not whole, in short transactions.
pub(super) async fn clear(app: &App, id: SessionId) {
    if let Err(error) = try_clear(app, id).await {
        let error = error.describe();
        tracing::warn!(%id, error, "cannot remove half a session: it is tried again later");
    }
}

async fn try_clear(app: &App, id: SessionId) -> Result<()> {
    loop {
        let mut tx = app.db.begin().await?;
        if !store::graft::renew(&mut tx, id, app.replies.process()).await? {
            return Ok(());
        }
        if store::graft::remove_some(&mut tx, id, AT_ONCE).await? > 0 {
            tx.commit().await?;
            continue;
        }
        store::graft::remove_rest(&mut tx, id).await?;
        return Ok(tx.commit().await?);
    }
}

/// Removes what processes that are gone left of sessions they made.
pub(crate) async fn recover(app: &App, abandoned: Abandoned) -> Result<()> {
    for id in store::graft::abandoned(&app.db, abandoned).await? {
        if store::graft::take_over(&app.db, id, app.replies.process(), abandoned).await? {
            tracing::info!(%id, "removes a session that was not made to the end");
            clear(app, id).await;
        }
    }
    Ok(())
}
