//! What a refused change shows when the client's picture was out of date: the current state.
//!
//! Head, version and revision are what a client can be wrong about; a change that was refused for
//! one of them answers with its nouns as they are now, so that a screen is right again without
//! another request.

use std::{hash::Hash, str::FromStr};

use async_graphql::{Context, ID, Result, dataloader::Loader};
use skald_base::{UserError, UserErrorCode};

use super::{
    context::Graph,
    loaders::{Batch, LoadError, Value},
    message::Message,
    session::Session,
};
use crate::{session::SessionId, tree::MessageId};

/// The fields by which a client says what it believes.
const BELIEFS: [&str; 3] = ["expectedHeadId", "expectedVersion", "expectedRevision"];

/// Whether a change was refused because something had changed before it.
fn is_stale(errors: &[UserError]) -> bool {
    errors.iter().any(|error| {
        let field = error.path.as_ref().and_then(|path| path.last());
        error.code == UserErrorCode::Conflict
            && field.is_some_and(|field| BELIEFS.contains(&field.as_str()))
    })
}

/// What stands under `id` now, if a change to it was refused because it had changed before.
pub(super) async fn as_it_is<I>(
    ctx: &Context<'_>,
    errors: &[UserError],
    id: &ID,
) -> Result<Option<Value<I>>>
where
    I: FromStr + Clone + Eq + Hash + Send + Sync + 'static,
    Batch: Loader<I, Error = LoadError>,
{
    match id.parse::<I>() {
        Ok(id) if is_stale(errors) => Ok(ctx.loaders().load(id).await?),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// The same of a story: the session, and the message if `id` names one.
pub(super) async fn story_as_it_is(
    ctx: &Context<'_>,
    errors: &[UserError],
    id: &ID,
) -> Result<(Option<Session>, Option<Message>)> {
    let message = as_it_is::<MessageId>(ctx, errors, id).await?;
    let session = match &message {
        Some(message) => ctx.loaders().load(message.session_id).await?,
        None => as_it_is::<SessionId>(ctx, errors, id).await?,
    };
    Ok((session.map(Session), message.map(Message)))
}
