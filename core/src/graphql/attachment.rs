//! What lorebooks are attached to, in the graph.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use skald_base::{
    Error, Id, Kind, UserError,
    graph::{PageArguments, Slice, parse_id, payload},
    id::parse_any,
};
use uuid::Uuid;

use super::{
    connection::{Page, page, slice_ids},
    context::Graph,
    loaders::AttachedKey,
    lorebook::Lorebook,
    node::{self, Node},
};
use crate::{
    character::CharacterKind,
    lorebook::{
        self, LorebookId,
        attachment::{Attach, Target, attach},
    },
    persona::PersonaKind,
    session::SessionKind,
};

/// A page of what is attached to something that the viewer sees; the cursor is the book's id.
pub(super) async fn lorebooks_of(
    ctx: &Context<'_>,
    target: Uuid,
    request: PageArguments,
) -> Result<Page<Lorebook>> {
    let request = request.check_forward()?;
    let books = ctx.loaders().load(AttachedKey(target)).await?.unwrap_or_default();
    let ids: Vec<LorebookId> = books.iter().map(|book| book.id).collect();
    let count = i64::try_from(ids.len()).ok();
    let Slice { rows, has_previous, has_next } = slice_ids(&ids, &request)?;
    let on_page = |book: &lorebook::Lorebook| rows.contains(&book.id);
    let rows = books.into_iter().filter(on_page).map(Lorebook::from).collect();
    let slice = Slice { rows, has_previous, has_next };
    Ok(page(slice, count, |book: &Lorebook| book.row_id.to_string()))
}

/// What to attach a lorebook to.
#[derive(InputObject)]
struct AttachLorebookInput {
    /// A lorebook that you may read.
    lorebook_id: ID,
    /// A session, a character or a persona of yours; 32 lorebooks each at most.
    target_id: ID,
    /// Its place among the lorebooks there, from 0; the last one if absent or too large, or where
    /// it is if it is there already.
    position: Option<i32>,
}

/// What to detach a lorebook from.
#[derive(InputObject)]
struct DetachLorebookInput {
    /// The lorebook.
    lorebook_id: ID,
    /// A session, a character or a persona of yours.
    target_id: ID,
}

/// What a lorebook was attached to or detached from, or why it was not.
#[derive(SimpleObject)]
pub(super) struct LorebookAttachmentPayload {
    /// The session, character or persona as it is now, with its `lorebooks`; null if `errors`
    /// says why not.
    target: Option<Node>,
    /// Why it could not be done; empty if it was.
    errors: Vec<UserError>,
}

/// Mutations on what lorebooks are attached to.
#[derive(Default)]
pub(super) struct AttachmentMutation;

#[Object]
impl AttachmentMutation {
    /// Attach a lorebook to a session, a character or a persona of yours, or move it there. Doing
    /// it again changes nothing.
    ///
    /// Whoever plays with a character of yours can read the books of yours that are attached to it.
    async fn attach_lorebook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which lorebook, and where to.")] input: AttachLorebookInput,
    ) -> Result<LorebookAttachmentPayload> {
        let Ok(position) = input.position.map(usize::try_from).transpose() else {
            let error = Error::invalid("input.position", "a position is 0 or more");
            return attached(ctx, &input.target_id, Err(error)).await;
        };
        let outcome = go(ctx, (&input.lorebook_id, &input.target_id), Attach::At(position)).await;
        attached(ctx, &input.target_id, outcome).await
    }

    /// Detach a lorebook. It is no error if it was not attached.
    async fn detach_lorebook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which lorebook, and where from.")] input: DetachLorebookInput,
    ) -> Result<LorebookAttachmentPayload> {
        let outcome = go(ctx, (&input.lorebook_id, &input.target_id), Attach::Nowhere).await;
        attached(ctx, &input.target_id, outcome).await
    }
}

async fn attached(
    ctx: &Context<'_>,
    target: &ID,
    outcome: skald_base::Result<()>,
) -> Result<LorebookAttachmentPayload> {
    let (done, errors) = payload(outcome)?;
    let target = match done {
        Some(()) => node::find(ctx, "input.targetId", target).await?,
        None => None,
    };
    Ok(LorebookAttachmentPayload { target, errors })
}

async fn go(
    ctx: &Context<'_>,
    (book, target): (&ID, &ID),
    where_to: Attach,
) -> skald_base::Result<()> {
    let book = parse_id("input.lorebookId", book)?;
    let target = parse_target("input.targetId", target)?;
    attach(ctx.app(), ctx.viewer(), (book, target), where_to).await
}

fn parse_target(path: &str, id: &ID) -> skald_base::Result<Target> {
    match parse_any(id) {
        Some((SessionKind::PREFIX, uuid)) => Ok(Target::Session(Id::from_uuid(uuid))),
        Some((CharacterKind::PREFIX, uuid)) => Ok(Target::Character(Id::from_uuid(uuid))),
        Some((PersonaKind::PREFIX, uuid)) => Ok(Target::Persona(Id::from_uuid(uuid))),
        Some(_) | None => {
            let message = "expected the id of a session, a character or a persona";
            Err(Error::invalid(path, message))
        }
    }
}
