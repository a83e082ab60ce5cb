//! Uploads: a player says what will come, sends it to a link, and names it where it is used.
//!
//! The bytes go to a file beside the final one and take its place only when all are there, so a
//! broken transfer leaves what an earlier one brought. A second transfer ends the first.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    pin::pin,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use skald_base::{
    Error, Id, Kind, Result, UserError, UserErrorCode, UserId, Viewer,
    graph::{ClientRequestId, TextRule},
    id::parse_any,
};
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Link, name, token::Grant};
use crate::{app::App, request, store};

/// Marks ids of uploads.
pub enum UploadKind {}
impl Kind for UploadKind {
    const PREFIX: &'static str = "upload";
}
/// The id of an upload.
pub type UploadId = Id<UploadKind>;

/// How often files that nobody will use are looked for.
const SWEEP: Duration = Duration::from_mins(10);
/// Files that one look at the database is about.
const SWEPT_AT_ONCE: usize = 256;

/// A file that a player sends.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the migration documents each field")]
pub struct Upload {
    pub id: UploadId,
    pub user_id: UserId,
    pub file_name: String,
    pub byte_size: Option<i64>,
    pub max_bytes: i64,
    pub received_bytes: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// What a player is going to send.
#[derive(Clone, Debug, Serialize)]
pub struct NewUpload {
    /// What the file is called.
    pub file_name: String,
    /// How many bytes it has, if that is known.
    pub byte_size: Option<i64>,
}

/// Why a file was not taken.
#[derive(Debug)]
pub enum Refused {
    /// The link allows nothing.
    Link,
    /// More bytes than allowed.
    TooLarge(i64),
    /// Not as many bytes as were announced.
    WrongSize(i64),
    /// The transfer broke off.
    Cut,
    /// Nothing came for too long.
    Idle,
    /// The same file is being sent once more.
    Replaced,
    /// Our fault.
    Fault(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Fault(disk(&error))
    }
}

/// Says nothing of where the file lies.
fn disk(error: &io::Error) -> Error {
    Error::Internal(format!("folder of files: {error}"))
}

/// Makes room for a file that will come, and a link to send it to.
pub async fn create(
    app: &App,
    viewer: &Viewer,
    new: NewUpload,
    request: &ClientRequestId,
) -> Result<(Upload, Link)> {
    let user = viewer.user()?;
    TextRule::required(1024).check("input.fileName", &new.file_name)?;
    let max_bytes = check_size(app, new.byte_size)?;
    let upload = Upload {
        id: app.ids.next(),
        user_id: user.id,
        file_name: name::shown(&new.file_name),
        byte_size: new.byte_size,
        max_bytes,
        received_bytes: None,
        created_at: app.clock.now(),
        expires_at: super::after(app, app.files.settings.upload_seconds),
    };
    let claim = request::Claim::new(user.id, "createUpload", request, &new);
    let mut tx = app.db.begin().await?;
    let now = upload.created_at;
    let upload = if let Some(first) = request::claim(app, &mut tx, &claim, &upload.id).await? {
        drop(tx);
        let found = store::file::find_upload(&mut app.db.reader(), first, user.id, now).await?;
        found.ok_or_else(|| Error::not_found("upload").at("input.clientRequestId"))?
    } else {
        store::lock_user(&mut tx, user.id).await?;
        check_quota(app, store::file::waiting(&mut tx, user.id, now).await?, max_bytes)?;
        store::file::insert_upload(&mut tx, &upload).await?;
        tx.commit().await?;
        upload
    };
    let grant = Grant::Upload { user: user.id, upload: upload.id };
    let token = super::seal(app, &grant, upload.expires_at).await?;
    let link = Link { path: format!("/files/uploads/{token}"), expires_at: upload.expires_at };
    Ok((upload, link))
}

/// How many bytes may come.
fn check_size(app: &App, byte_size: Option<i64>) -> Result<i64> {
    let most = i64::from(app.files.settings.upload_bytes);
    match byte_size {
        None => Ok(most),
        Some(size) if size < 1 => Err(Error::invalid("input.byteSize", "a file has bytes")),
        Some(size) if size > most => {
            let message = format!("a file may have {most} bytes");
            let error = UserError::new(UserErrorCode::LimitExceeded, message);
            Err(error.at("input.byteSize").into())
        }
        Some(size) => Ok(size),
    }
}

fn check_quota(app: &App, (count, bytes): (i64, i64), more: i64) -> Result<()> {
    let settings = &app.files.settings;
    let limited =
        |message: String| Err(UserError::new(UserErrorCode::LimitExceeded, message).into());
    if count >= i64::from(settings.uploads_per_user) {
        return limited(format!("{count} files wait already: use them, or let them expire"));
    }
    let most = i64::try_from(settings.upload_bytes_per_user).unwrap_or(i64::MAX);
    if bytes.saturating_add(more) > most {
        return limited(format!("the files that wait may have {most} bytes together"));
    }
    Ok(())
}

/// Takes the bytes that came to a link.
pub async fn receive<E>(
    app: &App,
    token: &str,
    announced: Option<u64>,
    body: impl Stream<Item = Result<Bytes, E>>,
) -> Result<(), Refused> {
    let Some(Grant::Upload { user, upload }) = super::open(app, token).await? else {
        return Err(Refused::Link);
    };
    let now = app.clock.now();
    let found = store::file::find_upload(&mut app.db.reader(), upload, user, now).await?;
    let upload = found.ok_or(Refused::Link)?;
    if announced.is_some_and(|bytes| i64::try_from(bytes).is_ok_and(|b| b > upload.max_bytes)) {
        return Err(Refused::TooLarge(upload.max_bytes));
    }
    let turn = Turn::take(app, upload.id);
    // However slowly it comes, it ends with the room it was made.
    let left = (upload.expires_at - now).to_std().unwrap_or_default();
    let received = tokio::select! {
        received = timeout(left, write(app, &upload, body)) => received.unwrap_or(Err(Refused::Link)),
        () = turn.replaced.cancelled() => Err(Refused::Replaced),
    }?;
    if store::file::set_received(&app.db, upload.id, received).await? {
        return Ok(());
    }
    remove(&path_of(app, upload.id)).await?;
    Err(Refused::Link)
}

/// Writes the file; how many bytes it has.
async fn write<E>(
    app: &App,
    upload: &Upload,
    body: impl Stream<Item = Result<Bytes, E>>,
) -> Result<i64, Refused> {
    fs::create_dir_all(&app.files.folder).await?;
    let part =
        Part(app.files.folder.join(format!("{}.{}.part", upload.id, app.ids.next::<UploadKind>())));
    let mut file = File::create(&part.0).await?;
    let mut body = pin!(body);
    let mut received = 0_i64;
    while let Some(piece) =
        timeout(app.files.idle(), body.next()).await.map_err(|_| Refused::Idle)?
    {
        let piece = piece.map_err(|_| Refused::Cut)?;
        received = received.saturating_add(i64::try_from(piece.len()).unwrap_or(i64::MAX));
        if received > upload.max_bytes {
            return Err(Refused::TooLarge(upload.max_bytes));
        }
        file.write_all(&piece).await?;
    }
    if let Some(size) = upload.byte_size.filter(|size| *size != received) {
        return Err(Refused::WrongSize(size));
    }
    file.flush().await?;
    file.sync_all().await?;
    match fs::rename(&part.0, path_of(app, upload.id)).await {
        // It expired and was swept while the last bytes came.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Refused::Link),
        renamed => Ok(renamed.map(|()| received)?),
    }
}

/// Where the bytes of an upload lie once all are there.
pub(crate) fn path_of(app: &App, id: UploadId) -> PathBuf {
    app.files.folder.join(id.to_string())
}

/// A file that is being written; dropped before it was renamed, it is gone.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // After the renaming there is nothing under this name, which is as it should be.
        drop(std::fs::remove_file(&self.0));
    }
}

/// The right to write an upload, until somebody else takes it.
struct Turn<'a> {
    app: &'a App,
    upload: UploadId,
    replaced: CancellationToken,
}

impl<'a> Turn<'a> {
    fn take(app: &'a App, upload: UploadId) -> Self {
        let replaced = CancellationToken::new();
        let mut receiving = app.files.receiving();
        if let Some(earlier) = receiving.insert(upload, replaced.clone()) {
            earlier.cancel();
        }
        drop(receiving);
        Self { app, upload, replaced }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut receiving = self.app.files.receiving();
        if !self.replaced.is_cancelled() {
            receiving.remove(&self.upload);
        }
    }
}

/// Looks again and again for files that nobody will use, until the end.
pub(crate) async fn run_sweeper(app: App) {
    let stopping = app.lifecycle.stopping().clone();
    while stopping.run_until_cancelled(tokio::time::sleep(SWEEP)).await.is_some() {
        if let Err(error) = sweep(&app).await {
            tracing::warn!(error = error.describe(), "files could not be swept");
        }
    }
}

/// Deletes uploads that have expired, and files whose upload was used or has expired.
pub async fn sweep(app: &App) -> Result<()> {
    store::file::delete_expired(&app.db, app.clock.now()).await?;
    let mut files = match fs::read_dir(&app.files.folder).await {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(disk(&error)),
    };
    let mut found = Vec::new();
    while let Some(file) = files.next_entry().await.map_err(|error| disk(&error))? {
        found.extend(owner(&file.path()).map(|id| (id, file.path())));
    }
    for some in found.chunks(SWEPT_AT_ONCE) {
        let ids: Vec<UploadId> = some.iter().map(|(id, _)| *id).collect();
        let kept: HashSet<UploadId> =
            store::file::existing(&app.db, &ids).await?.into_iter().collect();
        for (_, path) in some.iter().filter(|(id, _)| !kept.contains(id)) {
            remove(path).await?;
        }
    }
    Ok(())
}

/// The upload a file belongs to; files with other names are not ours to delete.
fn owner(path: &Path) -> Option<UploadId> {
    let name = path.file_name()?.to_str()?;
    let (prefix, uuid) = parse_any(name.split('.').next()?)?;
    (prefix == UploadKind::PREFIX).then(|| Id::from_uuid(uuid))
}

/// Deletes a file that may be gone already.
pub(crate) async fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(&error)),
        _ => Ok(()),
    }
}
