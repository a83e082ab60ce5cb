//! From a configuration to services: databases, auth, the engine.

use std::{
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::Arc,
};

use anyhow::{Context, anyhow};
use skald_auth::Auth;
use skald_base::{Clock, Db, Dialect, Ids, Lifecycle, Migrations, SystemClock, config::Secret};
use skald_core::{App, Files, Setup, llm::Llm};

use crate::config::Config;

/// The two databases, migrated, and the lock on the data folder.
#[derive(Clone)]
pub(crate) struct Databases {
    pub(crate) auth: Db,
    pub(crate) core: Db,
    /// Held as long as anything of this process may write.
    _lock: Option<Arc<File>>,
}

impl Databases {
    /// What the databases are, for people.
    pub(crate) fn describe(&self) -> String {
        let name = |db: &Db| match db.dialect() {
            Dialect::Sqlite => "SQLite",
            Dialect::Postgres => "PostgreSQL",
        };
        format!("auth on {}, core on {}", name(&self.auth), name(&self.core))
    }

    /// Ends all connections.
    pub(crate) async fn close(&self) {
        self.auth.close().await;
        self.core.close().await;
    }
}

/// Opens and migrates the databases; a data folder belongs to one process at a time.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Databases> {
    let urls = [&config.database.auth_url, &config.database.core_url];
    let uses_folder =
        urls.iter().any(|url| url.as_ref().is_none_or(|url| url.expose().starts_with("sqlite")));
    let lock = if uses_folder { Some(Arc::new(lock(&config.data)?)) } else { None };
    let auth = open_one(config, "auth", skald_auth::MIGRATIONS).await?;
    let core = open_one(config, "core", skald_core::MIGRATIONS).await?;
    Ok(Databases { auth, core, _lock: lock })
}

async fn open_one(config: &Config, name: &str, migrations: Migrations) -> anyhow::Result<Db> {
    let url = match name {
        "auth" => &config.database.auth_url,
        _ => &config.database.core_url,
    };
    let db = match url.as_ref().map(Secret::expose) {
        Some(url) => Db::connect(url, config.database.connections).await,
        None => Db::open_file(&config.data.join(format!("{name}.db"))).await,
    }
    .with_context(|| format!("cannot open the {name} database"))?;
    db.migrate(migrations).await.with_context(|| format!("cannot migrate the {name} database"))?;
    Ok(db)
}

fn lock(folder: &Path) -> anyhow::Result<File> {
    let shown = folder.display();
    // Keys and stories lie here: nobody else on this machine needs to look.
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).with_context(|| format!("cannot create folder {shown}"))?;
    let path = folder.join("skald.lock");
    let file = File::create(&path).with_context(|| format!("cannot write in folder {shown}"))?;
    file.try_lock().map_err(|_| anyhow!("another skald process uses folder {shown}"))?;
    Ok(file)
}

/// Builds auth on its open database.
pub(crate) async fn auth(config: &Config, databases: &Databases) -> anyhow::Result<Auth> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = Ids::new(clock.clone());
    let auth = Auth::open(databases.auth.clone(), config.auth.clone(), clock, ids).await;
    auth.context("cannot start auth")
}

/// Builds the engine on its open database.
pub(crate) fn engine(
    config: &Config,
    databases: &Databases,
    llm: Arc<dyn Llm>,
    lifecycle: &Lifecycle,
) -> App {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let folder = config.files.folder.clone().unwrap_or_else(|| config.data.join("files"));
    App::new(Setup {
        db: databases.core.clone(),
        ids: Ids::new(clock.clone()),
        clock,
        llm,
        lifecycle: lifecycle.clone(),
        limits: config.limits.clone(),
        memory: config.memory.clone(),
        files: Files::new(config.files.clone(), folder),
    })
}
