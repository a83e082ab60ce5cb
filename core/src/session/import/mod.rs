//! Bringing a session in from files that were sent.
//!
//! A file is read twice: once to learn whether all of it is sound and what will have to be
//! adapted, once to store its messages through a [`super::graft::Graft`]. So what is malformed leaves nothing
//! behind, and a dry run is the first reading alone. It runs on when the client is gone; the same
//! request asked again gives the session.

mod check;
mod desk;
mod document;
mod list;
mod native;
mod people;
mod recognise;
mod report;
mod silly_tavern;

use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use skald_base::{Error, Result, UserError, UserErrorCode, Viewer, graph::ClientRequestId};
use tokio::sync::oneshot;

use self::{desk::Admission, document::Flaw};
pub use self::{
    desk::Desk,
    report::{ImportFormat, Note, Notes, Report},
};
use super::{Session, SessionId};
use crate::{
    app::App,
    character::CharacterId,
    file::upload::{self, Upload, UploadId},
    persona::PersonaId,
    request::{self, Claim},
    store,
};

/// Files of one import at most.
const MAX_FILES: usize = 100;

/// What a player wants to be made of files.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct ImportWish {
    pub upload_ids: Vec<UploadId>,
    pub dry_run: bool,
    pub character_id: Option<CharacterId>,
    pub persona_id: Option<PersonaId>,
    pub id: Option<SessionId>,
}

/// What was made of files.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The session; none after a dry run.
    pub session: Option<Session>,
    /// What became of the files.
    pub report: Report,
}

/// A file that was sent, on the disk.
#[derive(Clone, Debug)]
struct Source {
    upload: UploadId,
    file_name: String,
    path: PathBuf,
}

/// Makes a session of files, or tells what would be made.
pub async fn import(
    app: &App,
    viewer: &Viewer,
    wish: ImportWish,
    request: &ClientRequestId,
) -> Result<Imported> {
    let user = viewer.user()?;
    let claim = Claim::new(user.id, "importSession", request, &wish);
    let admission = Admission::get(app, &claim);
    // After it: what an equal request made that was there a moment ago is stored by now.
    if let Some(first) = first(app, &claim).await? {
        return again(app, viewer, first).await;
    }
    let admission = admission?;
    let sources = sources(app, viewer, &wish.upload_ids).await?;
    let id = request::fresh_id(app, "input.id", wish.id)?;
    let (tell, told) = oneshot::channel();
    let (app, viewer) = (app.clone(), *viewer);
    let tracker = app.lifecycle.clone();
    // A client may have less patience than a large file takes.
    tracker.spawn(async move {
        let made = match admission.turn().await {
            Ok(_turn) => made(&app, &viewer, (wish, id), (sources, claim)).await,
            Err(error) => Err(error),
        };
        // Whoever gets the answer may ask for the next at once.
        drop(admission);
        // Whoever asked may be gone.
        drop(tell.send(made));
    });
    told.await.map_err(|_| Error::Internal("an import ended without a word".into()))?
}

async fn made(
    app: &App,
    viewer: &Viewer,
    what: (ImportWish, SessionId),
    (sources, claim): (Vec<Source>, Claim),
) -> Result<Imported> {
    match recognise::recognise(app, &sources).await? {
        ImportFormat::NativeJson => native::import(app, viewer, what, (sources, claim)).await,
        ImportFormat::SillyTavern => {
            silly_tavern::import(app, viewer, what, (sources, claim)).await
        }
    }
}

/// The session that the same request made before; a dry run makes none.
async fn first(app: &App, claim: &Claim) -> Result<Option<SessionId>> {
    let mut tx = app.db.begin().await?;
    let Some(first) = request::first(&mut tx, claim).await? else { return Ok(None) };
    if store::graft::is_growing(&mut tx, first).await? {
        return Err(request::still_at_work());
    }
    Ok(Some(first))
}

/// What the same request did before.
async fn again(app: &App, viewer: &Viewer, id: SessionId) -> Result<Imported> {
    let session = super::get(app, viewer, id).await?;
    let report = store::import::report(&app.db, id).await?;
    let missing = || Error::Internal("an imported session has no report".into());
    Ok(Imported { session: Some(session), report: report.ok_or_else(missing)? })
}

/// The files behind uploads of the viewer, all of which have arrived.
async fn sources(app: &App, viewer: &Viewer, ids: &[UploadId]) -> Result<Vec<Source>> {
    let user = viewer.user()?.id;
    let at = "input.uploadIds";
    if ids.is_empty() {
        return Err(UserError::new(UserErrorCode::Blank, "name an upload").at(at).into());
    }
    if ids.len() > MAX_FILES {
        let message = format!("at most {MAX_FILES} files at once");
        return Err(UserError::new(UserErrorCode::TooLong, message).at(at).into());
    }
    let mut sources: Vec<Source> = Vec::with_capacity(ids.len());
    for id in ids {
        if sources.iter().any(|source| source.upload == *id) {
            return Err(Error::invalid(at, "an upload is named twice"));
        }
        let now = app.clock.now();
        let found = store::file::find_upload(&mut app.db.reader(), *id, user, now).await?;
        let Upload { file_name, received_bytes, .. } =
            found.ok_or_else(|| Error::not_found("upload").at(at))?;
        if received_bytes.is_none() {
            let message = format!("{file_name} has not arrived: PUT it to its address first");
            return Err(Error::conflict(message).at(at));
        }
        sources.push(Source { upload: *id, file_name, path: upload::path_of(app, *id) });
    }
    Ok(sources)
}

/// What a player is told in the end, and the files go.
async fn conclude(
    app: &App,
    sources: &[Source],
    made: Option<Session>,
    report: Report,
) -> Result<Imported> {
    let missing = || Error::conflict("this request was carried out meanwhile: ask again");
    let session = made.ok_or_else(missing)?;
    forget(app, sources).await?;
    Ok(Imported { session: Some(session), report })
}

/// Between the two readings there came other bytes.
fn sent_anew() -> Error {
    Error::conflict("a file was sent anew meanwhile: ask again")
}

/// When leaves were visited, the last one at the end: only their order is known, and that it was
/// before now.
fn visits<K: Copy>(app: &App, leaves: &[K]) -> Vec<(K, DateTime<Utc>)> {
    let now = app.clock.now();
    let ago = |back: usize| TimeDelta::milliseconds(i64::try_from(back).unwrap_or(i64::MAX));
    (1..).zip(leaves.iter().rev()).map(|(back, leaf)| (*leaf, now - ago(back))).collect()
}

/// The files were used: they go.
async fn forget(app: &App, sources: &[Source]) -> Result<()> {
    let ids: Vec<UploadId> = sources.iter().map(|source| source.upload).collect();
    store::file::delete_uploads(&app.db, &ids).await?;
    for source in sources {
        upload::remove(&source.path).await?;
    }
    Ok(())
}

/// What is wrong with a file, for whoever sent it.
fn refuse(source: &Source, flaw: &Flaw) -> Error {
    Error::invalid("input.uploadIds", format!("{}: {}", source.file_name, flaw.0))
}

/// Opens a file on a thread that may wait for the disk.
fn open(source: &Source) -> Result<impl Read + use<>, Flaw> {
    let file = std::fs::File::open(&source.path);
    let file = file.map_err(|_| Flaw("it is gone: send it again".into()))?;
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    // A byte order mark begins a file that an editor has saved.
    let start = reader.fill_buf().map_err(|_| Flaw("it cannot be read".into()))?;
    let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    reader.consume(mark);
    Ok(reader)
}
