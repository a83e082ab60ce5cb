//! SQL on vectors of texts.

use std::collections::HashSet;

use futures_util::TryStreamExt;
use skald_base::{Db, Result, Tx, db::by_powers};
use uuid::Uuid;

use crate::{
    embedding::{Scope, Space, TextHash},
    session::SessionId,
    tree::MessageId,
};

/// Reads all vectors of a scope, in no order.
pub(crate) async fn read_all(
    db: &Db,
    (scope, space): (Scope, &Space),
    mut take: impl FnMut(TextHash, &[u8]),
) -> Result<()> {
    const SQL: &str = "
        SELECT hash, vector FROM embedding
        WHERE scope_id = $1 AND model = $2 AND dimensions = $3";
    let query = db.read(SQL).bind(scope.uuid()).bind(space.model.clone()).bind(dimensions(space));
    let mut rows = query.fetch::<(Vec<u8>, Vec<u8>)>();
    while let Some((hash, vector)) = rows.try_next().await? {
        if let Some(hash) = TextHash::from_bytes(&hash) {
            take(hash, &vector);
        }
    }
    Ok(())
}

/// The vectors of these texts, as far as they are there, in no order.
pub(crate) async fn find(
    db: &Db,
    (scope, space): (Scope, &Space),
    texts: &[TextHash],
) -> Result<Vec<(TextHash, Vec<u8>)>> {
    const SQL: &str = "
        SELECT hash, vector FROM embedding
        WHERE scope_id = $1 AND model = $2 AND dimensions = $3 AND hash IN (..)";
    let query = db.read(SQL).bind(scope.uuid()).bind(space.model.clone()).bind(dimensions(space));
    let rows: Vec<(Vec<u8>, Vec<u8>)> = query.bind_list(&bytes(texts)).all().await?;
    let found =
        rows.into_iter().filter_map(|(hash, vector)| Some((TextHash::from_bytes(&hash)?, vector)));
    Ok(found.collect())
}

/// Which of these texts have a vector in a scope.
pub(crate) async fn known(
    db: &Db,
    (scope, space): (Scope, &Space),
    texts: &[TextHash],
) -> Result<HashSet<TextHash>> {
    const SQL: &str = "
        SELECT hash FROM embedding
        WHERE scope_id = $1 AND model = $2 AND dimensions = $3 AND hash IN (..)";
    let query = db.read(SQL).bind(scope.uuid()).bind(space.model.clone()).bind(dimensions(space));
    let rows: Vec<(Vec<u8>,)> = query.bind_list(&bytes(texts)).all().await?;
    Ok(rows.iter().filter_map(|(hash,)| TextHash::from_bytes(hash)).collect())
}

/// What these messages say now, in no order.
pub(crate) async fn contents(db: &Db, ids: &[MessageId]) -> Result<Vec<(MessageId, String)>> {
    const SQL: &str = "SELECT id, content FROM message WHERE id IN (..)";
    Ok(db.read(SQL).bind_list(ids).all().await?)
}

/// Gives a scope the vectors of these texts that another scope has.
pub(crate) async fn copy(
    db: &Db,
    (scope, space): (Scope, &Space),
    texts: &[TextHash],
) -> Result<u64> {
    const SQL: &str = "
        INSERT INTO embedding (scope_id, model, dimensions, hash, vector)
        SELECT $1, model, dimensions, hash, vector
        FROM embedding
        WHERE scope_id <> $1 AND model = $2 AND dimensions = $3 AND hash IN (..)
        ON CONFLICT DO NOTHING";
    let query = db.write(SQL).bind(scope.uuid()).bind(space.model.clone()).bind(dimensions(space));
    Ok(query.bind_list(&bytes(texts)).execute().await?)
}

/// Stores vectors of a scope; those that are there stay.
pub(crate) async fn save(
    db: &Db,
    (scope, space): (Scope, &Space),
    vectors: &[(TextHash, Vec<u8>)],
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO embedding (scope_id, model, dimensions, hash, vector)
        VALUES (..)
        ON CONFLICT DO NOTHING";
    let mut tx = db.begin().await?;
    for rows in by_powers(vectors) {
        let query = tx.query(SQL).bind_rows(5, rows, |query, (hash, vector)| {
            query
                .bind(scope.uuid())
                .bind(space.model.clone())
                .bind(dimensions(space))
                .bind(hash.bytes())
                .bind(vector.clone())
        });
        query.execute().await?;
    }
    Ok(tx.commit().await?)
}

/// Erases a batch of the vectors of a scope that are not of this space.
pub(crate) async fn erase_others(db: &Db, scope: Scope, space: &Space) -> Result<u64> {
    const SQL: &str = "
        DELETE FROM embedding WHERE (scope_id, model, dimensions, hash) IN (
            SELECT scope_id, model, dimensions, hash FROM embedding
            WHERE scope_id = $1 AND (model <> $2 OR dimensions <> $3)
            LIMIT 500)";
    let query = db.write(SQL).bind(scope.uuid()).bind(space.model.clone()).bind(dimensions(space));
    Ok(query.execute().await?)
}

/// Erases a batch of the vectors of a scope, whatever model made them.
pub(crate) async fn erase_all(db: &Db, scope: Scope) -> Result<u64> {
    const SQL: &str = "
        DELETE FROM embedding WHERE (scope_id, model, dimensions, hash) IN (
            SELECT scope_id, model, dimensions, hash FROM embedding WHERE scope_id = $1 LIMIT 500)";
    Ok(db.write(SQL).bind(scope.uuid()).execute().await?)
}

/// The sessions that are not deleted, each with its selected leaf.
pub(crate) async fn heads(db: &Db) -> Result<Vec<(SessionId, MessageId)>> {
    const SQL: &str = "
        SELECT id, head_id FROM session
        WHERE deleted_at IS NULL AND head_id IS NOT NULL
        ORDER BY id DESC";
    Ok(db.read(SQL).all().await?)
}

/// Erases the vectors of these texts of a scope.
pub(crate) async fn erase(tx: &mut Tx, scope: Scope, texts: &[TextHash]) -> Result<u64> {
    const SQL: &str = "DELETE FROM embedding WHERE scope_id = $1 AND hash IN (..)";
    let mut sum = 0;
    for texts in texts.chunks(500) {
        sum += tx.query(SQL).bind(scope.uuid()).bind_list(&bytes(texts)).execute().await?;
    }
    Ok(sum)
}

/// Scopes that have vectors and are nowhere else any more.
///
/// Steps from scope to scope through the index, whatever each of them has.
pub(crate) async fn orphans(db: &Db) -> Result<Vec<Scope>> {
    const SQL: &str = "
        WITH RECURSIVE scope (id) AS (
            SELECT (SELECT scope_id FROM embedding ORDER BY scope_id LIMIT 1)
            UNION ALL
            SELECT (
                SELECT e.scope_id FROM embedding e
                WHERE e.scope_id > scope.id ORDER BY e.scope_id LIMIT 1)
            FROM scope
            WHERE scope.id IS NOT NULL
        )
        SELECT s.id FROM scope s
        WHERE s.id IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM session o WHERE o.id = s.id)
            AND NOT EXISTS (SELECT 1 FROM character o WHERE o.id = s.id)
            AND NOT EXISTS (SELECT 1 FROM persona o WHERE o.id = s.id)";
    let rows: Vec<(Uuid,)> = db.read(SQL).all().await?;
    Ok(rows.into_iter().map(|(id,)| Scope::from_uuid(id)).collect())
}

fn bytes(texts: &[TextHash]) -> Vec<Vec<u8>> {
    texts.iter().map(|hash| hash.bytes()).collect()
}

fn dimensions(space: &Space) -> i64 {
    i64::try_from(space.dimensions).unwrap_or(i64::MAX)
}
