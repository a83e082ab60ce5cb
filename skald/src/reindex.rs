//! `skald reindex`: embeds all stories, without waiting for their next turn.

use std::{
    io::{IsTerminal, Write},
    sync::Arc,
};

use skald_base::Lifecycle;
use skald_core::memory::{Progress, reindex};

use crate::{Failure, cli::Options, config, models, say, wire};

/// Embeds what has no vector; on a terminal a line says how far it has come.
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let config = config::load(options)?;
    let models = models::open(&config).await.map_err(Failure::Usage)?;
    // The only embedding model of a server is known by its list.
    models.read_lists().await;
    let databases = wire::open(&config).await?;
    let app = wire::engine(&config, &databases, Arc::new(models), &Lifecycle::new());
    let is_watched = std::io::stdout().is_terminal();
    let outcome = reindex(&app, |progress| {
        if is_watched {
            let mut out = std::io::stdout();
            // Whoever watches may be gone.
            drop(write!(out, "\r{}", words(progress)).and_then(|()| out.flush()));
        }
    })
    .await;
    databases.close().await;
    if is_watched {
        say("");
    }
    match outcome {
        Ok(progress) => {
            say(&words(progress));
            Ok(())
        }
        Err(problem) => Err(Failure::Work(format!("{problem}; what was embedded stays"))),
    }
}

fn words(progress: Progress) -> String {
    let Progress { sessions, of, passages, embedded } = progress;
    format!("{sessions} of {of} sessions, {passages} passages, {embedded} of them embedded now")
}
