//! Imports in the graph.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use skald_base::{
    UserError,
    graph::{ClientRequestId, parse_ids, parse_optional_id, payload},
};

use super::{context::Graph, session::Session};
use crate::session::import::{self, ImportWish, Imported};

/// From what a session was made.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "import::ImportFormat")]
enum ImportFormat {
    /// A document in Skald's own format, as `exportSession` gives it.
    NativeJson,
    /// Chats of `SillyTavern`: JSONL files, one path through a story each.
    SillyTavern,
}

/// Which files become a session.
#[derive(InputObject)]
struct ImportSessionInput {
    /// Uploads of yours whose bytes have arrived; 1 to 100, all of one format. In
    /// Skald's own format it is one file; chats of `SillyTavern` are merged in this order by what
    /// they begin with, and the story goes on where the last one ends.
    upload_ids: Vec<ID>,
    /// Only tell what would be made: nothing changes, and the files can still be used.
    #[graphql(default)]
    dry_run: bool,
    /// Who stands first on stage, in the place of whom the files name.
    character_id: Option<ID>,
    /// Whom you play, in the place of whom the files name.
    persona_id: Option<ID>,
    /// An id you made for the session (a `UUIDv7` written as `session_…`).
    id: Option<ID>,
    /// Your id of this request: sent again with the same input, it gives the first result. While
    /// the first one is still at work it is a `CONFLICT`: ask again in a moment.
    client_request_id: String,
}

/// One thing that you should know about a file.
#[derive(SimpleObject)]
struct ImportNote {
    /// The file, as you called it.
    file_name: String,
    /// The line it is about, from 1; null if it is about the whole file.
    line: Option<i32>,
    /// What it is, as an English sentence without a full stop.
    message: String,
}

/// What became of your files.
#[derive(SimpleObject)]
struct ImportReport {
    /// What they were.
    format: ImportFormat,
    /// How many messages were taken.
    imported: i64,
    /// What was changed to fit, in the order of the files; the first 100.
    adapted: Vec<ImportNote>,
    /// How many such changes there are.
    adapted_count: i64,
    /// What was left out, in the order of the files; the first 100.
    skipped: Vec<ImportNote>,
    /// How many such things there are.
    skipped_count: i64,
}

impl From<import::Report> for ImportReport {
    fn from(report: import::Report) -> Self {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let notes = |notes: import::Notes| {
            let note = |note: import::Note| ImportNote {
                file_name: note.file_name,
                line: note.line.and_then(|line| i32::try_from(line).ok()),
                message: note.message,
            };
            (notes.first.into_iter().map(note).collect(), count(notes.count))
        };
        let (adapted, adapted_count) = notes(report.adapted);
        let (skipped, skipped_count) = notes(report.skipped);
        Self {
            format: report.format.into(),
            imported: count(report.messages),
            adapted,
            adapted_count,
            skipped,
            skipped_count,
        }
    }
}

/// A session that was made of files, or why it could not be.
#[derive(SimpleObject)]
struct ImportSessionPayload {
    /// The session; null after a dry run, or if `errors` says why not.
    session: Option<Session>,
    /// What became of the files; null if `errors` says why nothing did.
    report: Option<ImportReport>,
    /// Why it could not be done, with the place in the file; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations that bring sessions in.
#[derive(Default)]
pub(super) struct ImportMutation;

#[Object]
impl ImportMutation {
    /// Make a session of files that you sent; what they are is seen from what is in them. Skald's
    /// own format: persona and cast are found among yours and in the catalogue if they are written
    /// alike, else private copies are made, and a malformed file changes nothing. Chats of
    /// `SillyTavern`: they are found by name (your own first, your default persona if there is none),
    /// else private ones with nothing but the name are made, and lines that are no messages are
    /// skipped. The files are deleted when they were used.
    async fn import_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which files, and what is to be different.")] input: ImportSessionInput,
    ) -> Result<ImportSessionPayload> {
        let (made, errors) = payload(make(ctx, input).await)?;
        let (session, report) = match made {
            Some(Imported { session, report }) => (session.map(Session), Some(report.into())),
            None => (None, None),
        };
        Ok(ImportSessionPayload { session, report, errors })
    }
}

async fn make(ctx: &Context<'_>, input: ImportSessionInput) -> skald_base::Result<Imported> {
    let request = ClientRequestId::parse("input.clientRequestId", &input.client_request_id)?;
    let wish = ImportWish {
        upload_ids: parse_ids("input.uploadIds", &input.upload_ids)?,
        dry_run: input.dry_run,
        character_id: parse_optional_id("input.characterId", input.character_id.as_ref())?,
        persona_id: parse_optional_id("input.personaId", input.persona_id.as_ref())?,
        id: parse_optional_id("input.id", input.id.as_ref())?,
    };
    import::import(ctx.app(), ctx.viewer(), wish, &request).await
}
