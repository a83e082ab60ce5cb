//! Relay connections with `nodes` and, where it can be counted, `totalCount`.

use async_graphql::{
    Context, MaybeUndefined, OutputType, SimpleObject,
    connection::{Connection, Edge, EmptyFields},
};
use skald_base::{
    Error,
    graph::{DEFAULT_PAGE, MAX_PAGE, PageArguments, Slice},
};

/// What every connection has beside its edges.
#[derive(SimpleObject)]
pub(super) struct Total {
    /// How many nodes the whole list has, where that is known. Ask for it only
    /// if you show it: it costs a count.
    total_count: Option<i64>,
}

/// A page of `T`.
pub(super) type Page<T> = Connection<String, T, Total, EmptyFields>;

/// A page from a slice of rows.
pub(super) fn page<T: OutputType>(
    slice: Slice<T>,
    total_count: Option<i64>,
    cursor: impl Fn(&T) -> String,
) -> Page<T> {
    let Slice { rows, has_previous, has_next } = slice;
    let mut page =
        Connection::with_additional_fields(has_previous, has_next, Total { total_count });
    page.edges = rows.into_iter().map(|row| Edge::new(cursor(&row), row)).collect();
    page
}

/// What a page costs in complexity: as many nodes as may come, times what each costs.
pub(super) fn cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let size = first.or(last).and_then(|size| usize::try_from(size).ok());
    1 + size.unwrap_or(DEFAULT_PAGE).min(MAX_PAGE) * child
}

/// The same where the whole length may be asked for, which is read apart, even beside no nodes.
pub(super) fn counted_cost(first: Option<i32>, child: usize) -> usize {
    9 + cost(first, None, child)
}

/// The whole count, if the client asked for `totalCount`.
pub(super) async fn total<T: Into<Option<i64>>>(
    ctx: &Context<'_>,
    count: impl Future<Output = skald_base::Result<T>>,
) -> skald_base::Result<Option<i64>> {
    if ctx.look_ahead().field("totalCount").exists() {
        return count.await.map(Into::into);
    }
    Ok(None)
}

/// The arguments of a list that is read from the front.
pub(super) fn forward(first: Option<i32>, after: Option<String>) -> PageArguments {
    PageArguments { first, after, last: None, before: None }
}

/// A page of ids that are all in memory; the cursor is the id.
pub(super) fn slice_ids<I: Copy + ToString>(
    ids: &[I],
    page: &skald_base::graph::Page,
) -> skald_base::Result<Slice<I>> {
    let from = match page.after.as_deref() {
        None => 0,
        Some(after) => {
            let found = ids.iter().position(|id| id.to_string() == after);
            let index =
                found.ok_or_else(|| Error::invalid("after", "not a cursor of this list"))?;
            index + 1
        }
    };
    let rows: Vec<I> = ids.iter().skip(from).take(page.size).copied().collect();
    let has_next = from + rows.len() < ids.len();
    Ok(Slice { rows, has_previous: from > 0, has_next })
}

/// A field of an update: absent stays, null clears, a value sets.
#[expect(clippy::option_option, reason = "absent, cleared and set are three things")]
pub(super) fn change<T>(field: MaybeUndefined<T>) -> Option<Option<T>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}
