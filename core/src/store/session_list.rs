//! SQL on a player's list of sessions, and on the tags it is searched by.

use skald_base::{Db, Result, Tx, UserId, db::Query};
use sqlx::AssertSqlSafe;

use super::session::columns;
use crate::{
    fold::fold,
    session::{
        Session, SessionId,
        list::{Direction, SessionField, SessionFilter, SessionOrder, Standing},
    },
};

/// A tag of one session among several.
#[derive(sqlx::FromRow)]
pub(crate) struct Tag {
    pub(crate) session_id: SessionId,
    pub(crate) tag: String,
}

/// What a filter lets through; its values are `$1` to `$7`, its tags stand for `(..)`.
///
/// Whose list it is decides the owner, who is the only one who takes part today; in a session
/// that is still being made nobody does.
fn conditions(filter: &SessionFilter) -> String {
    let mut sql = String::from(
        "s.owner_id = $1
            AND EXISTS (
                SELECT 1 FROM session_participant p WHERE p.session_id = s.id AND p.user_id = $1)
            AND (s.deleted_at IS NOT NULL) = $2
            AND ($3 IS NULL OR (s.archived_at IS NOT NULL) = $3)
            AND ($4 IS NULL OR s.persona_id = $4)
            AND ($5 IS NULL OR EXISTS (
                SELECT 1 FROM cast_member c WHERE c.session_id = s.id AND c.character_id = $5))
            AND ($6 IS NULL OR s.mode = $6)
            AND ($7 IS NULL OR s.title_folded LIKE $7 ESCAPE '!')",
    );
    if !filter.tags.is_empty() {
        sql.push_str(
            " AND (SELECT count(*) FROM session_tag t
                   WHERE t.session_id = s.id AND t.folded IN (..)) = ",
        );
        sql.push_str(&filter.tags.len().to_string());
    }
    sql
}

fn bind<'a>(query: Query<'a>, owner: UserId, filter: &SessionFilter) -> Query<'a> {
    let escape = |title: &String| title.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    let pattern = filter.title.as_ref().map(|title| format!("%{}%", escape(title)));
    query
        .bind(owner)
        .bind(filter.deleted)
        .bind(filter.archived)
        .bind(filter.persona_id)
        .bind(filter.character_id)
        .bind(filter.mode)
        .bind(pattern)
}

/// A page in an order: `$8` is its size, `$9` and `$10` the place it comes after.
fn page_sql(filter: &SessionFilter, order: SessionOrder, is_after: bool) -> String {
    let column = match order.field {
        SessionField::LastActivity => "s.last_activity_at",
        SessionField::Created => "s.created_at",
        SessionField::Title => "s.title_folded",
    };
    let (word, sign) = match order.direction {
        Direction::Ascending => ("ASC", ">"),
        Direction::Descending => ("DESC", "<"),
    };
    let after = format!("AND ({column}, s.id) {sign} ($9, $10)");
    let after = if is_after { after } else { String::new() };
    format!(
        "SELECT {} FROM session s WHERE {} {after} ORDER BY {column} {word}, s.id {word} LIMIT $8",
        columns!(),
        conditions(filter),
    )
}

/// Up to `limit` sessions behind a place in an order.
pub(crate) async fn page(
    db: &Db,
    owner: UserId,
    (filter, order, after): (&SessionFilter, SessionOrder, Option<(Standing, SessionId)>),
    limit: i64,
) -> Result<Vec<Session>> {
    let sql = page_sql(filter, order, after.is_some());
    // Only fixed words, and the number of tags, are put together.
    let mut query = bind(db.read(AssertSqlSafe(sql)), owner, filter).bind(limit);
    if let Some((standing, id)) = after {
        query = match standing {
            Standing::At(at) => query.bind(at),
            Standing::Titled(title) => query.bind(title),
        };
        query = query.bind(id);
    }
    Ok(with_tags(query, filter).all().await?)
}

pub(crate) async fn count(db: &Db, owner: UserId, filter: &SessionFilter) -> Result<i64> {
    let sql = format!("SELECT count(*) FROM session s WHERE {}", conditions(filter));
    let query = bind(db.read(AssertSqlSafe(sql)), owner, filter);
    let (count,): (i64,) = with_tags(query, filter).one().await?;
    Ok(count)
}

fn with_tags<'a>(query: Query<'a>, filter: &SessionFilter) -> Query<'a> {
    if filter.tags.is_empty() { query } else { query.bind_list(&filter.tags) }
}

/// Some sessions after this one whose title is not folded yet, or folds to nothing.
pub(crate) async fn unfolded(
    db: &Db,
    after: Option<SessionId>,
) -> Result<Vec<(SessionId, String)>> {
    const SQL: &str = "
        SELECT id, title
        FROM session
        WHERE title_folded = '' AND title IS NOT NULL AND ($1 IS NULL OR id > $1)
        ORDER BY id
        LIMIT 500";
    Ok(db.read(SQL).bind(after).all().await?)
}

pub(crate) async fn set_folded(tx: &mut Tx, id: SessionId, folded: String) -> Result<()> {
    const SQL: &str = "UPDATE session SET title_folded = $2 WHERE id = $1";
    tx.query(SQL).bind(id).bind(folded).execute().await?;
    Ok(())
}

/// Replaces the tags of a session.
pub(crate) async fn set_tags(tx: &mut Tx, session: SessionId, tags: &[String]) -> Result<()> {
    const CLEAR: &str = "DELETE FROM session_tag WHERE session_id = $1";
    const INSERT: &str = "
        INSERT INTO session_tag (session_id, folded, position, tag) VALUES ($1, $2, $3, $4)";
    tx.query(CLEAR).bind(session).execute().await?;
    for (position, tag) in (0_i64..).zip(tags) {
        let query = tx.query(INSERT).bind(session).bind(fold(tag)).bind(position);
        query.bind(tag.clone()).execute().await?;
    }
    Ok(())
}

/// For a `DataLoader`: the tags of these sessions, in their order.
pub(crate) async fn tags(db: &Db, sessions: &[SessionId]) -> Result<Vec<Tag>> {
    const SQL: &str = "
        SELECT session_id, tag FROM session_tag WHERE session_id IN (..)
        ORDER BY session_id, position";
    Ok(db.read(SQL).bind_list(sessions).all().await?)
}

#[cfg(test)]
mod tests {
    use skald_base::{
        Dialect,
        testing::{TestDb, fresh},
    };

    use super::*;

    #[tokio::test]
    async fn every_order_is_read_from_its_index() {
        let TestDb { db, dir: _dir, .. } = fresh(Dialect::Sqlite, crate::MIGRATIONS).await.unwrap();
        for (field, index) in [
            (SessionField::LastActivity, "session_by_activity"),
            (SessionField::Created, "session_by_creation"),
            (SessionField::Title, "session_by_title"),
        ] {
            for direction in [Direction::Ascending, Direction::Descending] {
                let order = SessionOrder { field, direction };
                let filter = SessionFilter { tags: vec!["a".into()], ..SessionFilter::default() };
                for is_after in [false, true] {
                    let sql = page_sql(&filter, order, is_after).replace("(..)", "('a')");
                    let plan = db.read(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
                    let steps: Vec<(i64, i64, i64, String)> = plan.all().await.unwrap();
                    let steps: Vec<String> = steps.into_iter().map(|(.., step)| step).collect();
                    let steps = steps.join("; ");
                    assert!(steps.contains(index), "{steps}");
                    assert!(!steps.contains("TEMP B-TREE"), "{steps}");
                }
            }
        }
    }
}
