//! Taking a session out: as a document that holds all of it, as chats for another program, or as
//! a text to read.
//!
//! A link is made first; what it leads to is written from the database page by page while it is
//! read, and nothing is stored.

mod markdown;
mod native;
mod prose;
mod silly_tavern;

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use skald_base::{Error, Result, Viewer};

use super::Session;
use crate::{
    app::App,
    file::{self, Link, Sending, name, token::Grant},
    session::SessionId,
    store,
    tree::{Message, MessageId},
    turn::Reply,
};

/// Messages that are read at once: text and thought of each may have 1 MiB.
const PAGE: i64 = 8;

/// How a session is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum ExportFormat {
    NativeJson,
    SillyTavern,
    Markdown,
}

impl ExportFormat {
    /// Its number in links, which are good across versions of the program.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::NativeJson => 1,
            Self::SillyTavern => 2,
            Self::Markdown => 3,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        let all = [Self::NativeJson, Self::SillyTavern, Self::Markdown];
        all.into_iter().find(|format| format.code() == code)
    }

    /// The ending of its files and their media type: of one path, or of all of it.
    fn kind(self, leaf: Option<MessageId>) -> (&'static str, &'static str) {
        match (self, leaf) {
            (Self::NativeJson, _) => ("skald.json", "application/json"),
            (Self::SillyTavern, Some(_)) => ("jsonl", "application/x-ndjson"),
            (Self::SillyTavern, None) => ("zip", "application/zip"),
            (Self::Markdown, _) => ("md", "text/markdown; charset=utf-8"),
        }
    }
}

/// What an export is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ExportWish {
    /// Which session.
    pub session: SessionId,
    /// In which format.
    pub format: ExportFormat,
    /// Where the path ends, for formats that hold one path.
    pub leaf: Option<MessageId>,
}

/// A file on its way out.
pub struct Download {
    /// What it is called.
    pub file_name: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes, made while they are read.
    pub bytes: BoxStream<'static, Result<Bytes>>,
}

/// A link to a session as a file, and what the file is called.
pub async fn link(app: &App, viewer: &Viewer, wish: ExportWish) -> Result<(Link, String)> {
    let user = viewer.user()?.id;
    let session = super::get(app, viewer, wish.session).await;
    let session = session.map_err(|error| error.at("input.sessionId"))?;
    let ExportWish { session: id, format, leaf } = wish;
    if let Some(leaf) = leaf {
        if format == ExportFormat::NativeJson {
            let message = "this format holds the whole session, not one path";
            return Err(Error::invalid("input.leafId", message));
        }
        let found = store::message::find(&mut app.db.reader(), leaf).await?;
        found
            .filter(|message| message.session_id == id && message.deleted_at.is_none())
            .ok_or_else(|| Error::not_found("message").at("input.leafId"))?;
    }
    if format == ExportFormat::SillyTavern {
        silly_tavern::plan(app, &session, leaf).await?;
    }
    let file_name = name::of_title(&title(app, &session).await?, format.kind(leaf).0);
    let grant = Grant::Export { user, session: id, format, leaf };
    Ok((file::export_link(app, &grant, &file_name).await?, file_name))
}

/// What a link leads to, unless too many of the player's are on their way; nothing if it allows nothing, or the session is not there any more.
pub async fn download(app: &App, token: &str) -> Result<Option<Download>> {
    let Some(Grant::Export { user, session, format, leaf }) = file::open(app, token).await? else {
        return Ok(None);
    };
    let found = store::session::find(&mut app.db.reader(), session, user).await?;
    let Some(session) = found else { return Ok(None) };
    let title = title(app, &session).await?;
    let sending = Sending::begin(app, user)?;
    let (ending, content_type) = format.kind(leaf);
    let file_name = name::of_title(&title, ending);
    let app = app.clone();
    let bytes = match (format, leaf) {
        (ExportFormat::NativeJson, _) => native::stream(app, session).boxed(),
        (ExportFormat::SillyTavern, leaf) => {
            let plan = silly_tavern::plan(&app, &session, leaf).await?;
            let Some(plan) = plan else { return Ok(None) };
            let story = (session, name::stem(&title));
            match leaf {
                Some(_) => silly_tavern::chat(app, story, plan).await?.boxed(),
                None => silly_tavern::archive(app, story, plan).await?.boxed(),
            }
        }
        (ExportFormat::Markdown, leaf) => markdown::stream(app, session, leaf).boxed(),
    };
    // It is on its way for as long as somebody reads it.
    let bytes = bytes.inspect(move |_| _ = &sending).boxed();
    Ok(Some(Download { file_name, content_type, bytes }))
}

/// The message as its reply, which was read after it, leaves it: one that was being written and has
/// ended in between is read again.
async fn beside(app: &App, message: Message, reply: Option<&Reply>) -> Result<Message> {
    let has_ended = reply.is_some_and(|reply| reply.finished_at.is_some());
    if !message.status.is_running() || !has_ended {
        return Ok(message);
    }
    let found = store::message::find(&mut app.db.reader(), message.id).await?;
    Ok(found.unwrap_or(message))
}

/// What a session is called: its title, or who is on stage.
async fn title(app: &App, session: &Session) -> Result<String> {
    if let Some(title) = &session.settings.title {
        return Ok(title.clone());
    }
    let cast = store::session::cast(&mut app.db.reader(), &[session.id]).await?;
    let names: Vec<String> = cast.into_iter().map(|member| member.name).collect();
    Ok(names.join(", "))
}
