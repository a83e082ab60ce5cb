use std::{pin::pin, sync::Mutex};

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use skald_base::{
    Db, Dialect,
    testing::{self, TestDb},
    viewer::UserId,
};
use sqlx::types::Json;
use uuid::Uuid;

type Row = (UserId, DateTime<Utc>, i64, bool, Json<Vec<String>>, Option<Vec<u8>>);

async fn both(test: impl AsyncFn(Db)) {
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        // The folder must outlive the database in it.
        let Some(TestDb { db, dir: _dir, .. }) = testing::empty(dialect).await else {
            return;
        };
        test(db).await;
    }
}

fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_790_000_000_000_000 + micros).unwrap()
}

async fn insert(db: &Db, row: &Row) {
    let (id, at, n, yes, data, bytes) = row.clone();
    db.write("INSERT INTO t VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(id)
        .bind(at)
        .bind(n)
        .bind(yes)
        .bind(data)
        .bind(bytes)
        .execute()
        .await
        .unwrap();
}

#[tokio::test]
async fn values_survive_and_moments_sort() {
    both(async |db| {
        db.write(
            "CREATE TABLE t (id UUID PRIMARY KEY, at TIMESTAMPTZ NOT NULL, n BIGINT NOT NULL,
             yes BOOLEAN NOT NULL, data JSONB NOT NULL, bytes BYTEA)",
        )
        .execute()
        .await
        .unwrap();
        let micros = [0, 1, 10, 999, 1_000, 1_001, 100_000, 999_999, 1_000_000, 1_500_000];
        let mut rows: Vec<Row> = Vec::new();
        for (n, micros) in (0_i64..).zip(micros) {
            let id = UserId::from_uuid(Uuid::from_u128(n.unsigned_abs().into()));
            let tags = Json(vec!["ё".to_owned(), n.to_string()]);
            rows.push((id, at(micros), n, n % 2 == 0, tags, (n == 3).then(|| vec![1, 2])));
        }
        for row in rows.iter().rev() {
            insert(&db, row).await;
        }
        let read: Vec<Row> =
            db.read("SELECT id, at, n, yes, data, bytes FROM t ORDER BY at").all().await.unwrap();
        assert_eq!(read, rows);
        let ids: Vec<UserId> = [5, 2, 7].map(|n| UserId::from_uuid(Uuid::from_u128(n))).to_vec();
        let some: Vec<(i64,)> = db
            .read("SELECT n FROM t WHERE id IN (..) AND n > 2 ORDER BY n")
            .bind_list(&ids)
            .all()
            .await
            .unwrap();
        assert_eq!(some, [(5,), (7,)]);
        let none: Vec<(i64,)> = db
            .read("SELECT n FROM t WHERE id IN (..)")
            .bind_list::<UserId>(&[])
            .all()
            .await
            .unwrap();
        assert_eq!(none, []);
        let later: (i64,) = db
            .read("SELECT count(*) FROM t WHERE (at, id) > ($1, $2)")
            .bind(at(999))
            .bind(ids[1])
            .one()
            .await
            .unwrap();
        assert_eq!(later.0, 7);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_transaction_never_happened_and_violations_are_told_apart() {
    both(async |db| {
        db.write("CREATE TABLE t (n BIGINT PRIMARY KEY)").execute().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.query("INSERT INTO t VALUES ($1)").bind(1_i64).execute().await.unwrap();
        drop(tx);
        let mut tx = db.begin().await.unwrap();
        tx.query("INSERT INTO t VALUES ($1)").bind(2_i64).execute().await.unwrap();
        tx.commit().await.unwrap();
        let rows: Vec<(i64,)> = db.read("SELECT n FROM t").all().await.unwrap();
        assert_eq!(rows, [(2,)]);
        let twice = db.write("INSERT INTO t VALUES ($1)").bind(2_i64).execute().await.unwrap_err();
        assert!(skald_base::Error::from(twice).is_unique_violation());
        let before = db.statements();
        db.read("SELECT n FROM t").all::<(i64,)>().await.unwrap();
        assert_eq!(db.statements() - before, 1);
    })
    .await;
}

#[tokio::test]
async fn concurrent_writers_wait_for_each_other() {
    both(async |db| {
        db.write("CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
            .execute()
            .await
            .unwrap();
        db.write("INSERT INTO t VALUES (1, 0)").execute().await.unwrap();
        let bump = || async {
            let mut tx = db.begin().await.unwrap();
            let lock =
                tx.pick("SELECT n FROM t WHERE id = 1", "SELECT n FROM t WHERE id = 1 FOR UPDATE");
            let (n,): (i64,) = tx.query(lock).one().await.unwrap();
            tx.query("UPDATE t SET n = $1 WHERE id = 1").bind(n + 1).execute().await.unwrap();
            tx.commit().await.unwrap();
        };
        futures_util::future::join_all((0..50).map(|_| bump())).await;
        let (n,): (i64,) = db.read("SELECT n FROM t").one().await.unwrap();
        assert_eq!(n, 50);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_wait_goes_before_all_who_queue() {
    both(async |db| {
        let sqlite = db.dialect() == Dialect::Sqlite;
        let mut held = Vec::new();
        // All connections that there are, or all but the one that is kept.
        for _ in 0..if sqlite { 1 } else { 7 } {
            held.push(db.begin().await.unwrap());
        }
        let order = Mutex::new(Vec::new());
        let queue = (0..5).map(|n| {
            let (db, order) = (&db, &order);
            async move {
                let tx = db.begin().await.unwrap();
                order.lock().unwrap().push(n);
                tx.commit().await.unwrap();
            }
        });
        let mut queue = pin!(futures_util::future::join_all(queue));
        assert!(queue.as_mut().now_or_never().is_none(), "they queue");
        let mut first = pin!(db.begin_first());
        if sqlite {
            assert!(first.as_mut().now_or_never().is_none(), "there is one writer");
            held.clear();
        }
        let tx = first.await.unwrap();
        assert_eq!(*order.lock().unwrap(), [0; 0], "the others wait");
        tx.commit().await.unwrap();
        // One place is given back, so that all of the queue go through it one after another.
        held.pop();
        queue.await;
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4], "they come as they came");
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_ends_a_transaction_and_not_all_that_follow() {
    let database = testing::empty(Dialect::Sqlite).await.unwrap();
    let db = &database.db;
    db.write("CREATE TABLE chest (gold TEXT NOT NULL)").execute().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    // As long as this connection lives, the file may not grow beyond this.
    let limit = tx.query("PRAGMA max_page_count = 20").optional::<(i64,)>().await;
    assert_eq!(limit.unwrap(), Some((20,)));
    let full = tx.query("INSERT INTO chest VALUES (hex(zeroblob(1000000)))").execute().await;
    assert!(full.unwrap_err().to_string().contains("full"));
    drop(tx);
    for _ in 0..2 {
        let mut tx = db.begin().await.unwrap();
        tx.query("INSERT INTO chest VALUES ('a coin')").execute().await.unwrap();
        tx.commit().await.unwrap();
    }
    let (coins,): (i64,) = db.read("SELECT count(*) FROM chest").one().await.unwrap();
    assert_eq!(coins, 2);
}

#[tokio::test]
async fn plans_do_not_follow_what_a_file_once_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("story.db");
    let small = Db::open_file(&path).await.unwrap();
    small.write("CREATE TABLE t (id BIGINT PRIMARY KEY)").execute().await.unwrap();
    small.write("INSERT INTO t VALUES (1), (2)").execute().await.unwrap();
    small.write("ANALYZE").execute().await.unwrap();
    let rows = async |db: &Db| -> i64 {
        let (rows,) = db.read("SELECT count(*) FROM sqlite_stat1").one().await.unwrap();
        rows
    };
    assert_eq!(rows(&small).await, 1);
    small.close().await;
    let again = Db::open_file(&path).await.unwrap();
    assert_eq!(rows(&again).await, 0);
    again.close().await;
    // Nor does closing it make new ones.
    assert_eq!(rows(&Db::open_file(&path).await.unwrap()).await, 0);
}
