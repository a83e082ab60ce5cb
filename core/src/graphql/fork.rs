//! Forks in the graph.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use skald_base::graph::{ClientRequestId, parse_id, parse_optional_id};

use super::{
    context::Graph,
    session::{SessionPayload, respond},
};
use crate::session::{Session, fork};

/// Which messages a fork takes. Deleted ones stay behind.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "fork::ForkScope")]
enum ForkScope {
    /// The path from the root to the message.
    Path,
    /// That path, and the alternatives of each message on it, without what hangs below those.
    PathWithSiblings,
    /// That path, and everything below the message.
    Subtree,
}

/// Where to fork a session, and how.
#[derive(InputObject)]
struct ForkSessionInput {
    /// The session; it stays as it is.
    session_id: ID,
    /// The message to go on from.
    message_id: ID,
    /// Which messages the fork takes.
    scope: ForkScope,
    /// The title of the fork; the session's if absent or null.
    title: Option<String>,
    /// An id you made (a `UUIDv7` written as `session_…`) for the fork.
    id: Option<ID>,
    /// Your id of this request: sent again with the same input, it gives the first result.
    /// `CONFLICT` if the fork is still being made.
    client_request_id: String,
}

/// Mutations that fork.
#[derive(Default)]
pub(super) struct ForkMutation;

#[Object]
impl ForkMutation {
    /// Make a session of your own that goes on from a message of another one of yours.
    ///
    /// It has the other's settings, tags, persona, cast and messages, as they are, with new ids;
    /// nobody sees it before it is whole, and the other one does not change. Its head is the message,
    /// with `SUBTREE` the leaf below it where `selectMessage` would lead. A message that is being
    /// written comes with its text so far and is `INTERRUPTED`; without a word of text it stays
    /// behind, and as the named message it is refused with `REPLY_RUNNING`. `editedFrom` and
    /// `continuedFrom` are null where that message stayed behind, and `generation.prompt` is null
    /// for what the other session's models were told. What calls of models cost is counted there,
    /// not again here.
    async fn fork_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where to fork, and how.")] input: ForkSessionInput,
    ) -> Result<SessionPayload> {
        respond(run(ctx, input).await)
    }
}

async fn run(ctx: &Context<'_>, input: ForkSessionInput) -> skald_base::Result<Session> {
    let request = ClientRequestId::parse("input.clientRequestId", &input.client_request_id)?;
    let wish = fork::ForkWish {
        session_id: parse_id("input.sessionId", &input.session_id)?,
        message_id: parse_id("input.messageId", &input.message_id)?,
        scope: input.scope.into(),
        title: input.title,
        id: parse_optional_id("input.id", input.id.as_ref())?,
    };
    fork::fork(ctx.app(), ctx.viewer(), wish, &request).await
}
