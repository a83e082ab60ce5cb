//! SQL on the terms of messages, by which they are found.

use skald_base::{Db, Dialect, Result, Tx, db};
use sqlx::AssertSqlSafe;

use super::message::columns;
use crate::{
    search::{Part, Query, Terms, row, token},
    session::SessionId,
    text,
    tree::{Message, MessageId},
};

/// The advisory lock of whoever indexes afterwards: any number that nobody else takes.
const INDEXER: i64 = 0x0073_6561_7263_6800;

/// A message that was found.
#[derive(sqlx::FromRow)]
pub(crate) struct Found {
    pub(crate) number: i64,
    #[sqlx(flatten)]
    pub(crate) message: Message,
}

/// A message that cannot be found yet.
#[derive(sqlx::FromRow)]
pub(crate) struct Unindexed {
    pub(crate) id: MessageId,
    pub(crate) session_id: SessionId,
    pub(crate) content: String,
}

/// Lets a message be found by its final text; an empty one by nothing.
pub(crate) async fn index(
    tx: &mut Tx,
    (session, message): (SessionId, MessageId),
    content: &str,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO message_terms (message_id, session_id, version, terms, extra)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (message_id) DO UPDATE
        SET version = excluded.version, terms = excluded.terms, extra = excluded.extra";
    if content.is_empty() {
        return Ok(());
    }
    let Terms { terms, extra } = Terms::of(session, content);
    let query = tx.query(SQL).bind(message).bind(session).bind(text::VERSION);
    query.bind(terms).bind(extra).execute().await?;
    Ok(())
}

/// Lets a message not be found any more: its text is not final again.
pub(crate) async fn forget(tx: &mut Tx, message: MessageId) -> Result<()> {
    const SQL: &str = "DELETE FROM message_terms WHERE message_id = $1";
    tx.query(SQL).bind(message).execute().await?;
    Ok(())
}

/// Messages with a final text and without terms of today's version, newest first.
pub(crate) async fn unindexed(db: &Db, before: MessageId, limit: i64) -> Result<Vec<Unindexed>> {
    const SQL: &str = "
        SELECT m.id, m.session_id, m.content
        FROM message m
        LEFT JOIN message_terms t ON t.message_id = m.id AND t.version = $2
        WHERE m.id < $1 AND t.message_id IS NULL AND m.content <> ''
            AND m.status NOT IN ('PENDING', 'WRITING')
        ORDER BY m.id DESC
        LIMIT $3";
    Ok(db.read(SQL).bind(before).bind(text::VERSION).bind(limit).all().await?)
}

/// Lets messages be found that were stored without terms: each one below all that are there.
///
/// Whatever was indexed in the meantime stays: it is newer.
pub(crate) async fn index_afterwards(db: &Db, batch: &[Unindexed]) -> Result<()> {
    const ALONE: &str = "SELECT pg_advisory_xact_lock($1)";
    const SQL: &str = "
        INSERT INTO message_terms (number, message_id, session_id, version, terms, extra)
        SELECT (SELECT CASE WHEN min(number) < 0 THEN min(number) ELSE 0 END - 1 FROM message_terms),
            m.id, m.session_id, $2, $3, $4
        FROM message m
        WHERE m.id = $1
        ON CONFLICT (message_id) DO UPDATE
        SET version = excluded.version, terms = excluded.terms, extra = excluded.extra
        WHERE message_terms.version <> excluded.version";
    let mut tx = db.begin().await?;
    // Two replicas would count down to the same number.
    if tx.dialect() == Dialect::Postgres {
        tx.query(ALONE).bind(INDEXER).execute().await?;
    }
    for message in batch {
        let Terms { terms, extra } = Terms::of(message.session_id, &message.content);
        let query = tx.query(SQL).bind(message.id).bind(text::VERSION);
        query.bind(terms).bind(extra).execute().await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Living messages of a session that hold all of it and are numbered below `before`; newest first.
///
/// SQLite's index is read in this order and stops when there are enough. PostgreSQL's brings
/// everything, so what is said all the time is looked for among the newest messages first.
pub(crate) async fn page(
    db: &Db,
    session: SessionId,
    query: &Query,
    (before, limit): (i64, i64),
) -> Result<Vec<Found>> {
    let wish = Wish { db, session, query, before, limit };
    if db.dialect() == Dialect::Postgres {
        let found: Vec<Found> = wish.select(NEWEST).all().await?;
        if i64::try_from(found.len()) == Ok(limit) {
            return Ok(found);
        }
    }
    Ok(wish.select(db.pick(INDEXED_SQLITE, INDEXED_POSTGRES)).all().await?)
}

/// How many living messages of a session hold all of it; no more than `most` are counted.
pub(crate) async fn count(db: &Db, session: SessionId, query: &Query, most: i64) -> Result<i64> {
    let wish = Wish { db, session, query, before: i64::MAX, limit: most };
    let sql = wish.sql("1", db.pick(INDEXED_SQLITE, INDEXED_POSTGRES));
    let (count,): (i64,) =
        wish.bind(format!("SELECT count(*) FROM ({sql}) AS found")).one().await?;
    Ok(count)
}

/// The rows that hold the words ($1) below a number ($2), newest first.
const INDEXED_SQLITE: &str = "
    FROM message_search
    CROSS JOIN message_terms t ON t.number = message_search.rowid
    CROSS JOIN message m ON m.id = t.message_id
    WHERE message_search MATCH $1 AND message_search.rowid < $2
        AND m.session_id = $3 AND m.deleted_at IS NULL";

/// The same. OFFSET 0 keeps everything else out of the inner query: the planner knows nothing of
/// words that come together, and would rather walk through the whole session.
const INDEXED_POSTGRES: &str = "
    FROM (
        SELECT number, message_id, terms
        FROM message_terms
        WHERE words @@ CAST(CAST($1 AS TEXT) AS TSQUERY)
        OFFSET 0) t
    JOIN message m ON m.id = t.message_id
    WHERE t.number < $2 AND m.session_id = $3 AND m.deleted_at IS NULL";

/// The same, as far as it is found among the newest messages of the session.
const NEWEST: &str = "
    FROM (
        SELECT number, message_id, terms, words
        FROM message_terms
        WHERE number < $2 AND session_id = $3
        ORDER BY number DESC
        LIMIT 2000) t
    JOIN message m ON m.id = t.message_id
    WHERE t.words @@ CAST(CAST($1 AS TEXT) AS TSQUERY) AND m.deleted_at IS NULL";

/// What is looked for, and how much of it is wanted.
struct Wish<'a> {
    db: &'a Db,
    session: SessionId,
    query: &'a Query,
    before: i64,
    limit: i64,
}

impl<'a> Wish<'a> {
    fn select(&self, from: &str) -> db::Query<'a> {
        let columns = concat!("t.number, ", columns!());
        self.bind(self.sql(columns, from))
    }

    /// Rows of words ($4 …) are compared in what the index left.
    fn sql(&self, columns: &str, from: &str) -> String {
        let rows = rows(self.query).len();
        let position = self.db.pick("instr", "strpos");
        let compare = |n| format!(" AND {position}(t.terms, ${n}) > 0");
        let compared: String = (4..rows + 4).map(compare).collect();
        let number = self.db.pick("message_search.rowid", "t.number");
        let limit_at = rows + 4;
        format!("SELECT {columns} {from}{compared} ORDER BY {number} DESC LIMIT ${limit_at}")
    }

    fn bind(&self, sql: String) -> db::Query<'a> {
        // Only text of this file and `$n` placeholders are put together.
        let statement = self.db.read(AssertSqlSafe(sql));
        let words = words(self.db, self.session, self.query);
        let mut statement = statement.bind(words).bind(self.before).bind(self.session);
        for row in rows(self.query) {
            statement = statement.bind(row);
        }
        statement.bind(self.limit)
    }
}

/// Rows of several words, as they stand in `terms`.
fn rows(query: &Query) -> Vec<String> {
    let rows = query.parts().iter().filter_map(|part| match part {
        Part::Row(terms) if terms.len() > 1 => Some(row(terms.iter().map(String::as_str))),
        Part::Row(_) | Part::Begun { .. } => None,
    });
    rows.collect()
}

/// The words, as the index of this database is asked for them.
///
/// Terms are letters, digits and marks; in quotation marks none of them is syntax.
fn words(db: &Db, session: SessionId, query: &Query) -> String {
    let word = |term: &str| match db.dialect() {
        Dialect::Sqlite => format!("\"{}\"", term.replace('"', "")),
        Dialect::Postgres => format!("'{}'", term.replace(['\'', '\\'], "")),
    };
    let mut all = vec![word(&token(session))];
    for part in query.parts() {
        match part {
            Part::Row(terms) => all.extend(terms.iter().map(|term| word(term))),
            Part::Begun { term, form } => {
                let (term, form) = (word(term), word(form));
                all.push(match db.dialect() {
                    Dialect::Sqlite => format!("({term} OR {form} *)"),
                    Dialect::Postgres => format!("({term} | {form}:*)"),
                });
            }
        }
    }
    all.dedup();
    all.join(db.pick(" AND ", " & "))
}
