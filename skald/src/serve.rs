//! `skald serve`: the all-in-one server, from start to a graceful end.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow};
use skald_base::{Dialect, Lifecycle, telemetry};
use skald_core::{
    App,
    llm::{ModelRole, offline},
};
use skald_transport::{Shutdown, Transport, serve};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    Failure,
    cli::ServeOptions,
    config::{self, Config},
    gate::{Gate, Health},
    models, nearby,
    page::PAGE,
    say, schema,
    wire::{self, Databases},
};

/// Time that sockets have to say goodbye.
const SOCKETS_END: Duration = Duration::from_secs(5);

/// Serves until a signal, then ends in order.
pub(crate) async fn run(options: ServeOptions) -> Result<(), Failure> {
    let config = config::load(&options.options)?;
    telemetry::start(&config.log).map_err(Failure::Usage)?;
    let models = models::open(&config).await.map_err(Failure::Usage)?;
    let databases = wire::open(&config).await?;
    let lifecycle = Lifecycle::new();
    let auth = wire::auth(&config, &databases).await?;
    let app = wire::engine(&config, &databases, Arc::new(models.clone()), &lifecycle);
    // What an earlier process left is taken up before anybody is let in.
    app.start().await.map_err(|error| anyhow!("cannot start the engine: {}", error.describe()))?;
    auth.background(&lifecycle);
    lifecycle.spawn(models.keep_lists(lifecycle.clone()));

    let shutdown = Shutdown::default();
    let router = Transport {
        executor: schema::merged(Some((auth.clone(), app.clone())), &config.transport),
        authenticator: Arc::new(Gate::new(auth.clone(), app.clone(), config.public_url.clone())),
        readiness: Arc::new(Health(databases.clone())),
        assets: PAGE,
        routes: skald_core::http::router(app.clone()),
        settings: config.transport.clone(),
        shutdown: shutdown.clone(),
    }
    .router()
    .merge(skald_auth::http::router(auth));
    let listener = TcpListener::bind(config.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr().context("cannot tell the address")?;
    // Before anybody hears that it is ready: a signal that nobody waits for kills.
    let signals = Signals::new().context("cannot listen for signals")?;
    let stop = shutdown.clone();
    let server = serve(listener, router, shutdown.clone(), config.transport.write_patience());
    greet(&config, &databases, &app, &format!("http://{address}/"));
    app.start_purge();
    if config.providers.is_empty() {
        lifecycle.spawn(nearby::offer(lifecycle.clone()));
    }

    let signalled = async move {
        signals.next().await;
        tracing::info!("stopping: letting replies finish");
        stop.closing.cancel();
    };
    lifecycle.spawn(signalled);
    server.await.context("the server failed")?;
    shutdown.finish(SOCKETS_END).await;
    lifecycle.stop(Duration::from_secs(config.grace_seconds)).await;
    databases.close().await;
    Ok(())
}

/// The first line is for scripts, the others for people.
fn greet(config: &Config, databases: &Databases, app: &App, url: &str) {
    say(&format!("ready {url}"));
    let page = if PAGE.is_empty() {
        "  play     the page was not built: npm ci && npm run build in web/, then build again"
            .into()
    } else {
        format!("  play     {url} is GraphiQL: open it in a browser and follow the tour")
    };
    say(&page);
    say(&format!("  model    {}", who_does_what(app)));
    let place = match databases.core.dialect() {
        Dialect::Sqlite => format!("{} ({})", config.data.display(), databases.describe()),
        Dialect::Postgres => databases.describe(),
    };
    say(&format!("  stories  lie in {place}"));
}

/// Who writes, judges and embeds, as one line.
fn who_does_what(app: &App) -> String {
    let roles = [
        (ModelRole::Story, "writes"),
        (ModelRole::Supervisor, "judges"),
        (ModelRole::Embedding, "embeds"),
    ];
    let chosen = roles.map(|(role, does)| Some(format!("{} {does}", app.llm.role(role)?.model)));
    let line = chosen.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if app.default_model() != offline::MODEL_ID {
        return line;
    }
    format!(
        "{line}: a stand-in that needs no key; for a real model set GEMINI_API_KEY, or \
         OPENAI_BASE_URL for a server of your own"
    )
}

/// The signals by which a server is asked to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they do not kill the process.
    fn new() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(mut self) {
        tokio::select! {
            _signal = self.terminate.recv() => {}
            _signal = self.interrupt.recv() => {}
        }
    }
}
