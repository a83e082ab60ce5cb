//! Files in the graph: links by which they come and go.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use skald_base::{
    UserError,
    graph::{ClientRequestId, parse_id, parse_optional_id, payload},
};

use super::context::Graph;
use crate::{
    file::{
        Link,
        upload::{self, NewUpload},
    },
    session::export::{self, ExportWish},
};

/// Where clients find this server, such as `https://chat.example.org`: links begin with it.
#[derive(Clone, Debug)]
pub struct LinkBase(pub String);

/// A link with the server's address in front; without one it begins with a slash.
fn url(ctx: &Context<'_>, link: &Link) -> String {
    let base = ctx.data_opt::<LinkBase>().map(|LinkBase(base)| base.trim_end_matches('/'));
    format!("{}{}", base.unwrap_or_default(), link.path)
}

/// How a session is written down.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "export::ExportFormat")]
enum ExportFormat {
    /// All of it: settings, persona and cast by content, every message with its branches,
    /// revisions, thoughts and models.
    NativeJson,
    /// Chats of `SillyTavern`, each one path through the story with the alternatives beside it as
    /// swipes. With `leafId` it is one chat, a JSONL file; without, a ZIP archive with a chat for
    /// each leaf that is not a swipe of another chat already, numbered in the order in which they
    /// were read last: where the story stands is the end of the last one. `LIMIT_EXCEEDED` if they
    /// are too many or too large together, for what branches share is in each of them. Earlier
    /// revisions, links between versions, how a writing ended, and everything deleted stay behind.
    SillyTavern,
    /// One path as a text to read, thoughts left out.
    Markdown,
}

/// Room for a file that you are going to send.
#[derive(SimpleObject)]
struct Upload {
    /// Its id, such as `upload_01jd…`: name it where the file is used.
    id: ID,
    /// Where to `PUT` the bytes, without any other header; 204 says that they are there. As long as
    /// they are not used you may send them again. Whoever has the link may send: keep it.
    url: String,
    /// When room and file are gone, if nothing used them.
    expires_at: DateTime<Utc>,
    /// How many bytes may come; more are refused with 413.
    max_bytes: i64,
}

/// Which file will come.
#[derive(InputObject)]
struct CreateUploadInput {
    /// What it is called; reports name it so. Folders in it are left out.
    file_name: String,
    /// How many bytes it has, if you know: then exactly so many have to come.
    byte_size: Option<i64>,
    /// Your id of this request: sent again with the same input, it gives the first result.
    client_request_id: String,
}

/// Room for a file, or why there is none.
#[derive(SimpleObject)]
struct CreateUploadPayload {
    /// The room; null if `errors` says why not.
    upload: Option<Upload>,
    /// Why it could not be made; empty if it was.
    errors: Vec<UserError>,
}

/// Which session to write down, and how.
#[derive(InputObject)]
struct ExportSessionInput {
    /// The session.
    session_id: ID,
    /// How it is written down.
    format: ExportFormat,
    /// For formats that hold one path: where it ends. If absent, `MARKDOWN` ends at the head, and
    /// `SILLY_TAVERN` takes every path.
    leaf_id: Option<ID>,
}

/// A link to a file that is made while you fetch it.
#[derive(SimpleObject)]
struct Export {
    /// Where to `GET` it, without any other header. Whoever has the link can read it: keep it.
    url: String,
    /// Until when you may begin to fetch it.
    expires_at: DateTime<Utc>,
    /// What the file is called.
    file_name: String,
}

/// A link to an export, or why there is none.
#[derive(SimpleObject)]
struct ExportSessionPayload {
    /// The link; null if `errors` says why not.
    export: Option<Export>,
    /// Why it could not be made; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations on files.
#[derive(Default)]
pub(super) struct FileMutation;

#[Object]
impl FileMutation {
    /// Make room for a file that you are going to send; `LIMIT_EXCEEDED` if it is too large, or too
    /// many of yours wait to be used.
    async fn create_upload(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which file.")] input: CreateUploadInput,
    ) -> Result<CreateUploadPayload> {
        let (made, errors) = payload(create(ctx, input).await)?;
        let upload = made.map(|(upload, link)| Upload {
            id: upload.id.into(),
            url: url(ctx, &link),
            expires_at: upload.expires_at,
            max_bytes: upload.max_bytes,
        });
        Ok(CreateUploadPayload { upload, errors })
    }

    /// Get a link to a session as a file. It holds what is there when you fetch it; what is still
    /// being written goes out as it is so far.
    async fn export_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session, and how.")] input: ExportSessionInput,
    ) -> Result<ExportSessionPayload> {
        let (made, errors) = payload(export(ctx, input).await)?;
        let export = made.map(|(link, file_name)| Export {
            url: url(ctx, &link),
            expires_at: link.expires_at,
            file_name,
        });
        Ok(ExportSessionPayload { export, errors })
    }
}

async fn create(
    ctx: &Context<'_>,
    input: CreateUploadInput,
) -> skald_base::Result<(upload::Upload, Link)> {
    let request = ClientRequestId::parse("input.clientRequestId", &input.client_request_id)?;
    let new = NewUpload { file_name: input.file_name, byte_size: input.byte_size };
    upload::create(ctx.app(), ctx.viewer(), new, &request).await
}

async fn export(
    ctx: &Context<'_>,
    input: ExportSessionInput,
) -> skald_base::Result<(Link, String)> {
    let wish = ExportWish {
        session: parse_id("input.sessionId", &input.session_id)?,
        format: input.format.into(),
        leaf: parse_optional_id("input.leafId", input.leaf_id.as_ref())?,
    };
    export::link(ctx.app(), ctx.viewer(), wish).await
}
