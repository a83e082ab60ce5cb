//! The list of sessions in the graph: filter, order, pages.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use skald_base::graph::parse_optional_id;

use super::{
    connection::{Page, counted_cost, forward, page, total},
    context::Graph,
    session::{Session, SessionMode},
};
use crate::session::list;

/// Which sessions a list shows; what you leave out does not matter.
#[derive(InputObject, Default)]
struct SessionFilter {
    /// True: only those put away; false: only those that are not. Left out, it is false, but among
    /// the deleted both.
    archived: Option<bool>,
    /// True: the deleted sessions, which can be restored, instead of those that are there.
    #[graphql(default)]
    deleted: bool,
    /// Only sessions that have all of these tags, whatever their case; 20 at most.
    tags: Option<Vec<String>>,
    /// Only sessions with this character in the cast.
    character_id: Option<ID>,
    /// Only sessions played as this persona.
    persona_id: Option<ID>,
    /// Only sessions driven like this.
    mode: Option<SessionMode>,
    /// Only sessions with this text in the title, whatever its case, in any script; 500 bytes at most.
    title: Option<String>,
}

/// By what sessions are ordered.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "list::SessionField")]
enum SessionOrderField {
    /// By `lastActivityAt`; newest first unless told otherwise.
    LastActivity,
    /// By `createdAt`; newest first unless told otherwise.
    Created,
    /// By the title, whatever its case; those without one come before all others.
    Title,
}

/// Which end of an order comes first.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "list::Direction")]
enum OrderDirection {
    /// The smallest, the oldest, the beginning of the alphabet.
    Ascending,
    /// The largest, the newest, the end of the alphabet.
    Descending,
}

/// The order of a list of sessions. Equal ones are ordered by id.
#[derive(InputObject)]
struct SessionOrder {
    /// By what; by last activity if absent.
    field: Option<SessionOrderField>,
    /// Which end comes first; if absent, what is new, and titles from their beginning.
    direction: Option<OrderDirection>,
}

/// Queries on the list of sessions.
#[derive(Default)]
pub(super) struct SessionListQuery;

#[Object]
impl SessionListQuery {
    /// Your sessions, newest activity first unless told otherwise; those put
    /// away and those deleted are left out unless you ask for them. 20 a page
    /// unless told otherwise, 100 at most. A cursor belongs to its order: in
    /// another one it is `BAD_USER_INPUT`.
    #[graphql(complexity = "counted_cost(first, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the graph's")]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sessions; all that are neither put away nor deleted if absent.")]
        filter: Option<SessionFilter>,
        #[graphql(desc = "Their order; newest activity first if absent.")] order_by: Option<
            SessionOrder,
        >,
        #[graphql(desc = "How many nodes from the front, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Page<Session>> {
        let request = forward(first, after).check_forward()?;
        let filter = read_filter(filter.unwrap_or_default())?;
        let order = read_order(order_by);
        let asked = (filter.clone(), order);
        let slice = list::list(ctx.app(), ctx.viewer(), asked, &request).await?;
        let total = total(ctx, list::count(ctx.app(), ctx.viewer(), filter)).await?;
        Ok(page(slice.map(Session), total, |session| order.cursor(&session.0)))
    }
}

fn read_filter(filter: SessionFilter) -> skald_base::Result<list::SessionFilter> {
    let character = filter.character_id.as_ref();
    Ok(list::SessionFilter {
        archived: filter.archived,
        deleted: filter.deleted,
        tags: filter.tags.unwrap_or_default(),
        character_id: parse_optional_id("filter.characterId", character)?,
        persona_id: parse_optional_id("filter.personaId", filter.persona_id.as_ref())?,
        mode: filter.mode.map(Into::into),
        title: filter.title,
    })
}

fn read_order(order: Option<SessionOrder>) -> list::SessionOrder {
    let (field, direction) = order.map_or((None, None), |order| (order.field, order.direction));
    let field = field.unwrap_or(SessionOrderField::LastActivity).into();
    let usual = list::SessionField::usual_direction(field);
    list::SessionOrder { field, direction: direction.map_or(usual, Into::into) }
}
