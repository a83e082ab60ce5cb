//! All stories are embedded, without waiting for their next turn.

use super::story;
use crate::{
    app::App,
    embedding::fill::{self, Failure},
    llm::ModelRole,
    store,
};

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Sessions that are done.
    pub sessions: usize,
    /// All sessions.
    pub of: usize,
    /// Passages that were looked at.
    pub passages: usize,
    /// Passages that were embedded.
    pub embedded: usize,
}

/// Embeds what has no vector on the selected path of each session, and erases the vectors of
/// other models. The error is a sentence for whoever runs the server.
///
/// What is embedded stays: after an error it goes on where it was.
pub async fn reindex(app: &App, mut tell: impl FnMut(Progress) + Send) -> Result<Progress, String> {
    if app.llm.role(ModelRole::Embedding).is_none() {
        return Err("no model has the role of the embedder: name one in roles.embedding".into());
    }
    let database = |error: skald_base::Error| format!("the database failed: {}", error.describe());
    let heads = store::embedding::heads(&app.db).await.map_err(database)?;
    let mut progress = Progress { of: heads.len(), ..Progress::default() };
    for (session, head) in heads {
        let told = story::told(app, session, head).await.map_err(database)?;
        let Some(told) = told else { continue };
        let newest_first = (0..told.hashes().len()).rev();
        let job = told.job(session, newest_first);
        let mut settled = |passages| {
            progress.passages += passages;
            tell(progress);
        };
        let embedded =
            fill::work(app, job, &mut settled).await.map_err(|failure| match failure {
                Failure::Database(error) => database(error),
                Failure::Model(error) => format!("the embedder failed: {error} ({})", error.detail),
            })?;
        progress.embedded += embedded;
        progress.sessions += 1;
        tell(progress);
    }
    Ok(progress)
}
