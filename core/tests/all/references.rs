//! Whatever refers to a row that may be erased is found by an index: an erasure costs the same in a
//! large database as in a small one.

use skald_base::{
    Dialect,
    testing::{TestDb, each_database},
};
use skald_core::MIGRATIONS;

/// References whose columns no index begins with, and no key is among, as `table (columns)`.
const UNSERVED_POSTGRES: &str = "
    SELECT CAST(CAST(c.conrelid AS regclass) AS TEXT) || ' ' || pg_get_constraintdef(c.oid)
    FROM pg_constraint c
    WHERE c.contype = 'f' AND NOT EXISTS (
        SELECT 1 FROM pg_index i
        WHERE i.indrelid = c.conrelid
            AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) LIKE '(% IS NOT NULL)')
            AND ((CAST(i.indkey AS int2[]))[0 : cardinality(c.conkey) - 1] @> c.conkey
                OR (i.indisunique AND c.conkey @> CAST(i.indkey AS int2[]))))
    ORDER BY 1";

/// The same. One column after the other, in order; a partial index serves if it only leaves out
/// rows that refer to nothing.
const UNSERVED_SQLITE: &str = "
    WITH reference (owner, id, columns) AS (
        SELECT t.name, f.id, group_concat(f.\"from\", ',' ORDER BY f.seq)
        FROM sqlite_schema t, pragma_foreign_key_list(t.name) f
        WHERE t.type = 'table'
        GROUP BY t.name, f.id
    ), served (owner, columns) AS (
        SELECT t.name, group_concat(c.name, ',' ORDER BY c.seqno)
        FROM sqlite_schema t, pragma_index_list(t.name) i, pragma_index_info(i.name) c
        LEFT JOIN sqlite_schema text ON text.name = i.name
        WHERE t.type = 'table' AND (i.partial = 0 OR text.sql LIKE '% WHERE % IS NOT NULL')
        GROUP BY t.name, i.name
    )
    SELECT r.owner || ' (' || r.columns || ')'
    FROM reference r
    WHERE NOT EXISTS (
        SELECT 1 FROM served s
        WHERE s.owner = r.owner AND s.columns || ',' LIKE r.columns || ',%')
    ORDER BY 1";

#[tokio::test]
async fn no_erasure_searches_a_whole_table() {
    each_database(MIGRATIONS, async |TestDb { db, dir: _dir, .. }| {
        let references = match db.dialect() {
            Dialect::Sqlite => UNSERVED_SQLITE,
            Dialect::Postgres => UNSERVED_POSTGRES,
        };
        let unserved: Vec<(String,)> = db.read(references).all().await.unwrap();
        assert_eq!(unserved, [], "an index is missing");
    })
    .await;
}
