//! Files that come and go over HTTP, by links that need no other permission.
//!
//! A mutation makes a link ([`token`]), which says what it allows and for whom, signed with a key
//! that all processes share. Behind a link the owner's access is checked once more. What is sent
//! lies in a folder until it is used or expires ([`upload`]); what is fetched is made on the fly.

pub mod name;
pub mod token;
pub mod upload;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::rand;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use skald_base::{Error, Result, UserError, UserErrorCode, UserId};
use tokio_util::sync::CancellationToken;

use self::{
    token::{Grant, LinkKey},
    upload::UploadId,
};
use crate::{app::App, store};

/// What players may send and fetch as files.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileSettings {
    /// Folder of files that were sent and not used yet. Default: `files` in the data folder.
    /// Processes that share a database share it, too.
    pub folder: Option<PathBuf>,
    /// Bytes of one file at most. Default 134217728.
    pub upload_bytes: u32,
    /// Files of one player that wait to be used at most. Default 100.
    pub uploads_per_user: u32,
    /// Bytes of all files of one player that wait to be used at most. Default 536870912.
    pub upload_bytes_per_user: u64,
    /// Seconds after which a file that was not used is deleted. Default 3600.
    pub upload_seconds: u32,
    /// Seconds for which a link to an export is good. Default 3600.
    pub export_seconds: u32,
    /// Bytes of all chats in one exported archive at most, before they are packed: what branches
    /// share is written in each of them. Default 1073741824.
    pub export_bytes: u64,
    /// Milliseconds without any data after which receiving a file is given up. Default 30000.
    pub idle_ms: u32,
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            folder: None,
            upload_bytes: 128 * 1024 * 1024,
            uploads_per_user: 100,
            upload_bytes_per_user: 512 * 1024 * 1024,
            upload_seconds: 3600,
            export_seconds: 3600,
            export_bytes: 1024 * 1024 * 1024,
            idle_ms: 30_000,
        }
    }
}

/// The files of this process: where they lie, and which are coming in.
#[derive(Debug)]
pub struct Files {
    /// What is allowed.
    pub settings: FileSettings,
    folder: PathBuf,
    /// Each is cancelled when its file is sent once more.
    receiving: Mutex<HashMap<UploadId, CancellationToken>>,
    /// To whom files are on their way, once for each.
    sending: Mutex<Vec<UserId>>,
}

/// Files on their way to one player at once, from one process.
const MOST_DOWNLOADS: usize = 4;

/// A file on its way to a player; dropped, it makes room for another.
pub(crate) struct Sending {
    app: App,
    user: UserId,
}

impl Sending {
    /// Begins one, unless too many are on their way already.
    pub(crate) fn begin(app: &App, user: UserId) -> Result<Self> {
        let mut sending = app.files.sending();
        if sending.iter().filter(|other| **other == user).count() >= MOST_DOWNLOADS {
            let message = format!("at most {MOST_DOWNLOADS} files may be fetched at once");
            return Err(UserError::new(UserErrorCode::RateLimited, message).into());
        }
        sending.push(user);
        drop(sending);
        Ok(Self { app: app.clone(), user })
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut sending = self.app.files.sending();
        let place = sending.iter().position(|user| *user == self.user);
        place.map(|place| sending.swap_remove(place));
    }
}

/// A link as a client gets it: everything after the server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The path, from the slash.
    pub path: String,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
}

impl Files {
    /// Files in this folder, which need not be there yet.
    pub fn new(settings: FileSettings, folder: PathBuf) -> Self {
        Self { settings, folder, receiving: Mutex::default(), sending: Mutex::default() }
    }

    fn idle(&self) -> Duration {
        Duration::from_millis(self.settings.idle_ms.into())
    }

    fn receiving(&self) -> MutexGuard<'_, HashMap<UploadId, CancellationToken>> {
        self.receiving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sending(&self) -> MutexGuard<'_, Vec<UserId>> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the key of this database, once, and deletes files that nobody will use.
pub async fn at_start(app: &App) -> Result<()> {
    let mut secret = [0_u8; token::KEY_BYTES];
    rand::fill(&mut secret).map_err(|_| Error::Internal("no randomness for a key".into()))?;
    store::file::insert_key(&app.db, secret.to_vec(), app.clock.now()).await?;
    upload::sweep(app).await
}

/// A moment so many seconds from now.
fn after(app: &App, seconds: u32) -> DateTime<Utc> {
    app.clock.now() + TimeDelta::seconds(seconds.into())
}

/// Signs what a link allows.
pub(crate) async fn seal(app: &App, grant: &Grant, expires_at: DateTime<Utc>) -> Result<String> {
    Ok(key(app).await?.seal(grant, expires_at))
}

/// Signs a link to an export, good for as long as the settings say.
pub(crate) async fn export_link(app: &App, grant: &Grant, file_name: &str) -> Result<Link> {
    let expires_at = after(app, app.files.settings.export_seconds);
    let token = seal(app, grant, expires_at).await?;
    let path = format!("/files/exports/{token}/{}", name::percent_encode(file_name));
    Ok(Link { path, expires_at })
}

/// What a link allows; nothing if it was not made here, was changed or has expired.
pub(crate) async fn open(app: &App, token: &str) -> Result<Option<Grant>> {
    Ok(key(app).await?.open(token, app.clock.now()))
}

async fn key(app: &App) -> Result<LinkKey> {
    Ok(LinkKey::new(&store::file::key(&app.db).await?))
}
