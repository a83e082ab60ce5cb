//! One SQL text, two databases: an owned query builder that dispatches at run time.
//!
//! `db.read(SQL).bind(id).optional::<Row>()`, `db.write(..)`, and inside a
//! transaction `tx.query(..)`. Both dialects take `$1`; what truly differs is
//! written side by side with [`Db::pick`]. The pitfalls, each of which cost
//! somebody an evening:
//!
//! * An unbound `$n` is NULL on SQLite and an error on PostgreSQL.
//! * Integers are `BIGINT`/`i64` everywhere; JSON columns hold objects or arrays.
//! * Never call [`Db::write`] while a [`Tx`] is open in the same task: SQLite
//!   has one writer, and it is the transaction.
//! * No transaction is held across a network await.

use std::{
    fmt::Write as _,
    path::Path,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{
    StreamExt, TryFutureExt, TryStreamExt,
    future::OptionFuture,
    stream::{self, BoxStream},
};
use sqlx::{
    Arguments, AssertSqlSafe, Connection as _, Encode, FromRow, PgPool, Postgres, SqlSafeStr,
    SqlStr, Sqlite, SqlitePool, Transaction, Type,
    migrate::{MigrateError, Migrator},
    postgres::{PgArguments, PgConnection, PgPoolOptions, PgRow},
    query_as_with, query_with,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode,
        SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};

pub use sqlx::{Error, Result};

mod door;

use self::door::{Door, Place};

/// A value that both databases can bind.
pub trait Bind:
    for<'q> Encode<'q, Sqlite> + Type<Sqlite> + for<'q> Encode<'q, Postgres> + Type<Postgres> + Send
{
}
impl<T> Bind for T where
    T: for<'q> Encode<'q, Sqlite>
        + Type<Sqlite>
        + for<'q> Encode<'q, Postgres>
        + Type<Postgres>
        + Send
{
}

/// A row that both databases can decode.
pub trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}
impl<T> Row for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}

/// Which SQL the database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL 15 or later.
    Postgres,
}

/// The migrations of one service: what both dialects share, and what differs.
#[derive(Clone, Copy)]
pub struct Migrations {
    /// DDL that both dialects take.
    pub common: &'static Migrator,
    /// DDL for SQLite alone.
    pub sqlite: &'static Migrator,
    /// DDL for PostgreSQL alone.
    pub postgres: &'static Migrator,
}

/// A database: pools of connections to SQLite or PostgreSQL.
#[derive(Clone)]
pub struct Db {
    pools: Pools,
    door: Door,
    statements: Arc<AtomicU64>,
}

#[derive(Clone)]
enum Pools {
    /// One writer, because SQLite has one; readers see its commits at once.
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
    },
    Postgres(PgPool),
}

/// For so long after its last use a connection is believed to live: asking it would be a second
/// way to the database for every statement.
const FRESH: Duration = Duration::from_secs(1);

/// So long a connection may take to come.
const ACQUIRE: Duration = Duration::from_secs(10);

/// So long whoever writes on SQLite may queue: in a burst it takes its turn instead of failing.
const QUEUE: Duration = Duration::from_secs(30);

/// A transaction; dropped without `commit`, it never happened.
pub struct Tx {
    inner: TxInner,
    /// Given back when the transaction ends; none if it walked past the door.
    _place: Option<Place>,
    statements: Arc<AtomicU64>,
}

enum TxInner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Where a statement can run: on the database itself, or inside a transaction.
pub trait Source {
    /// A statement there; on the database itself it may only read.
    fn sql(&mut self, sql: impl SqlSafeStr) -> Query<'_>;

    /// Which SQL is spoken there.
    fn dialect(&self) -> Dialect;
}

/// The database as a [`Source`] that only reads.
pub struct Reader<'a>(&'a Db);

impl Source for Reader<'_> {
    fn sql(&mut self, sql: impl SqlSafeStr) -> Query<'_> {
        self.0.read(sql)
    }

    fn dialect(&self) -> Dialect {
        self.0.dialect()
    }
}

impl Source for Tx {
    fn sql(&mut self, sql: impl SqlSafeStr) -> Query<'_> {
        self.query(sql)
    }

    fn dialect(&self) -> Dialect {
        Self::dialect(self)
    }
}

/// A statement with its values, ready to run.
#[must_use = "a query does nothing until it is run"]
pub struct Query<'c> {
    conn: Conn<'c>,
    /// Where it has to wait first.
    door: Option<Door>,
    sql: SqlStr,
    args: Result<Args>,
}

enum Conn<'c> {
    SqlitePool(&'c SqlitePool),
    Sqlite(&'c mut SqliteConnection),
    PgPool(&'c PgPool),
    Pg(&'c mut PgConnection),
}

enum Args {
    Sqlite(SqliteArguments),
    Pg(PgArguments),
}

/// Rows that one statement inserts at most.
pub const ROWS: usize = 64;

/// Rows in pieces whose lengths are powers of two, the largest first.
pub fn by_powers<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let most = rows.len().min(ROWS);
        let piece = 1_usize << most.checked_ilog2()?;
        let (first, rest) = rows.split_at(piece);
        rows = rest;
        Some(first)
    })
}

/// Statistics say how large tables were once: a walk up a story of 20,000 messages, planned for
/// the two that there were at the last start, does not end. Without any the indexes are used.
async fn forget_statistics(write: &SqlitePool) -> Result<()> {
    const ARE_THERE: &str = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_stat1'";
    let (tables,): (i64,) = sqlx::query_as(ARE_THERE).fetch_one(write).await?;
    if tables > 0 {
        sqlx::raw_sql("DELETE FROM sqlite_stat1; ANALYZE sqlite_schema").execute(write).await?;
    }
    Ok(())
}

impl Db {
    /// Opens the database at a `sqlite://` or `postgres://` URL.
    pub async fn connect(url: &str, connections: u32) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let pool = PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE)
                .test_before_acquire(false)
                .before_acquire(|connection, used| {
                    Box::pin(async move {
                        if used.idle_for > FRESH {
                            connection.ping().await?;
                        }
                        Ok(true)
                    })
                })
                .connect(url)
                .await?;
            // One connection is for what cannot wait.
            let door = Door::new(connections.saturating_sub(1), ACQUIRE);
            return Ok(Self::from_pools(Pools::Postgres(pool), door));
        }
        Self::open_sqlite(SqliteConnectOptions::from_str(url)?).await
    }

    /// Opens or creates the SQLite file at `path`.
    pub async fn open_file(path: &Path) -> Result<Self> {
        Self::open_sqlite(SqliteConnectOptions::new().filename(path)).await
    }

    async fn open_sqlite(options: SqliteConnectOptions) -> Result<Self> {
        // FULL, so that an acknowledged message survives a power cut.
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        // A file does not go away: asking whether it is there would be a second way to the
        // connection's thread for every statement.
        let pool = || {
            let options = SqlitePoolOptions::new().test_before_acquire(false);
            options.acquire_timeout(ACQUIRE)
        };
        // When the disk is full SQLite ends a transaction by itself, which the library does not
        // notice: its connection would refuse every transaction for ever, and there is only one.
        let write = pool().max_connections(1).before_acquire(|connection, _used| {
            Box::pin(async move {
                if connection.is_in_transaction() {
                    // The end of the last one may still be on its way; this is answered after it.
                    connection.ping().await?;
                }
                Ok(!connection.is_in_transaction())
            })
        });
        let write = write.connect_with(options.clone()).await?;
        forget_statistics(&write).await?;
        let read = pool().max_connections(4).connect_with(options.read_only(true)).await?;
        let door = Door::new(1, QUEUE);
        Ok(Self::from_pools(Pools::Sqlite { read, write }, door))
    }

    fn from_pools(pools: Pools, door: Door) -> Self {
        Self { pools, door, statements: Arc::default() }
    }

    /// Brings the schema up to date; running it again changes nothing.
    pub async fn migrate(&self, migrations: Migrations) -> Result<(), MigrateError> {
        let with = |only: &Migrator| {
            let mut all: Vec<_> = migrations.common.iter().chain(only.iter()).cloned().collect();
            all.sort_by_key(|migration| migration.version);
            Migrator::with_migrations(all)
        };
        match &self.pools {
            Pools::Sqlite { write, .. } => with(migrations.sqlite).run(write).await,
            Pools::Postgres(pool) => with(migrations.postgres).run(pool).await,
        }
    }

    /// Which SQL this database speaks.
    pub fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The text for this dialect, where two are needed.
    pub fn pick(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// How many statements this handle and its clones have sent.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// The database as a place to read from, for functions that also run in transactions.
    pub fn reader(&self) -> Reader<'_> {
        Reader(self)
    }

    /// A statement that only reads.
    pub fn read(&self, sql: impl SqlSafeStr) -> Query<'_> {
        let (conn, door) = match &self.pools {
            Pools::Sqlite { read, .. } => (Conn::SqlitePool(read), None),
            Pools::Postgres(pool) => (Conn::PgPool(pool), Some(self.door.clone())),
        };
        Query { door, ..Query::new(sql, conn, &self.statements) }
    }

    /// A statement that writes, in a transaction of its own.
    pub fn write(&self, sql: impl SqlSafeStr) -> Query<'_> {
        let conn = match &self.pools {
            Pools::Sqlite { write, .. } => Conn::SqlitePool(write),
            Pools::Postgres(pool) => Conn::PgPool(pool),
        };
        Query { door: Some(self.door.clone()), ..Query::new(sql, conn, &self.statements) }
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Tx> {
        let place = self.door.clone().pass().await?;
        Ok(Tx { _place: Some(place), ..self.begin_first().await? })
    }

    /// Begins a transaction before all others that wait: for what must be stored soon.
    pub async fn begin_first(&self) -> Result<Tx> {
        let inner = match &self.pools {
            // The write lock is taken up front: a transaction that upgrades half
            // way fails with SQLITE_BUSY at once, whatever the timeout.
            Pools::Sqlite { write, .. } => {
                TxInner::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?)
            }
            Pools::Postgres(pool) => TxInner::Postgres(pool.begin().await?),
        };
        Ok(Tx { inner, _place: None, statements: self.statements.clone() })
    }

    /// Ends all connections; SQLite folds its log into the file.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// A statement inside this transaction.
    pub fn query(&mut self, sql: impl SqlSafeStr) -> Query<'_> {
        let conn = match &mut self.inner {
            TxInner::Sqlite(tx) => Conn::Sqlite(tx),
            TxInner::Postgres(tx) => Conn::Pg(tx),
        };
        Query::new(sql, conn, &self.statements)
    }

    /// Which SQL this database speaks.
    pub fn dialect(&self) -> Dialect {
        match self.inner {
            TxInner::Sqlite(_) => Dialect::Sqlite,
            TxInner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The text for this dialect, where two are needed.
    pub fn pick(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// Makes everything in this transaction true at once.
    pub async fn commit(self) -> Result<()> {
        match self.inner {
            TxInner::Sqlite(tx) => tx.commit().await,
            TxInner::Postgres(tx) => tx.commit().await,
        }
    }
}

impl<'c> Query<'c> {
    fn new(sql: impl SqlSafeStr, conn: Conn<'c>, statements: &AtomicU64) -> Self {
        statements.fetch_add(1, Ordering::Relaxed);
        let args = match conn {
            Conn::SqlitePool(_) | Conn::Sqlite(_) => Args::Sqlite(SqliteArguments::default()),
            Conn::PgPool(_) | Conn::Pg(_) => Args::Pg(PgArguments::default()),
        };
        Self { conn, door: None, sql: sql.into_sql_str(), args: Ok(args) }
    }

    /// Binds the next `$n`.
    pub fn bind<T: Bind>(mut self, value: T) -> Self {
        if let Ok(args) = &mut self.args {
            let added = match args {
                Args::Sqlite(args) => args.add(value),
                Args::Pg(args) => args.add(value),
            };
            if let Err(error) = added {
                self.args = Err(Error::Encode(error));
            }
        }
        self
    }

    /// Replaces the `(..)` marker by placeholders and binds every value; use it last.
    ///
    /// The list is padded with its last value to a power of two, so that the
    /// statement cache sees few lengths.
    pub fn bind_list<T: Bind + Clone>(mut self, values: &[T]) -> Self {
        let from = match &self.args {
            Ok(Args::Sqlite(args)) => args.len(),
            Ok(Args::Pg(args)) => args.len(),
            Err(_) => return self,
        };
        let mut list = String::from("(");
        let padded = if values.is_empty() { 0 } else { values.len().next_power_of_two() };
        for (n, value) in
            values.iter().chain(values.last().into_iter().cycle()).take(padded).enumerate()
        {
            let comma = if n == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _always_ok = write!(list, "{comma}${}", from + n + 1);
            self = self.bind(value.clone());
        }
        list.push_str(if padded == 0 { "NULL)" } else { ")" });
        // Only `$n` placeholders are spliced in.
        self.sql = AssertSqlSafe(self.sql.as_str().replacen("(..)", &list, 1)).into_sql_str();
        self
    }

    /// Replaces the `(..)` marker after VALUES by a tuple for each row, whose values `bind`
    /// binds: as many as there are columns.
    ///
    /// At most [`ROWS`] rows, in counts that are powers of two (see [`by_powers`]), so that the
    /// statement cache sees few texts.
    pub fn bind_rows<T>(
        mut self,
        columns: usize,
        rows: &[T],
        bind: impl Fn(Self, &T) -> Self,
    ) -> Self {
        let from = match &self.args {
            Ok(Args::Sqlite(args)) => args.len(),
            Ok(Args::Pg(args)) => args.len(),
            Err(_) => return self,
        };
        let mut tuples = String::new();
        for row in 0..rows.len() {
            let comma = if row == 0 { "" } else { ", " };
            let first = from + row * columns + 1;
            let values: Vec<_> = (first..first + columns).map(|n| format!("${n}")).collect();
            // Writing to a string cannot fail.
            let _always_ok = write!(tuples, "{comma}({})", values.join(","));
        }
        // Only `$n` placeholders are spliced in.
        self.sql = AssertSqlSafe(self.sql.as_str().replacen("(..)", &tuples, 1)).into_sql_str();
        rows.iter().fold(self, bind)
    }

    /// Runs the statement; how many rows it changed.
    pub async fn execute(self) -> Result<u64> {
        let place = self.door.map(Door::pass);
        let _place = OptionFuture::from(place).await.transpose()?;
        Ok(match (self.conn, self.args?) {
            (Conn::SqlitePool(pool), Args::Sqlite(args)) => {
                query_with(self.sql, args).execute(pool).await?.rows_affected()
            }
            (Conn::Sqlite(conn), Args::Sqlite(args)) => {
                query_with(self.sql, args).execute(conn).await?.rows_affected()
            }
            (Conn::PgPool(pool), Args::Pg(args)) => {
                query_with(self.sql, args).execute(pool).await?.rows_affected()
            }
            (Conn::Pg(conn), Args::Pg(args)) => {
                query_with(self.sql, args).execute(conn).await?.rows_affected()
            }
            (Conn::SqlitePool(_) | Conn::Sqlite(_), Args::Pg(_))
            | (Conn::PgPool(_) | Conn::Pg(_), Args::Sqlite(_)) => {
                unreachable!("the arguments follow the connection")
            }
        })
    }

    /// Streams the rows as they come.
    pub fn fetch<T: Row>(self) -> BoxStream<'c, Result<T>> {
        let args = match self.args {
            Ok(args) => args,
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let rows = match (self.conn, args) {
            (Conn::SqlitePool(pool), Args::Sqlite(args)) => {
                query_as_with(self.sql, args).fetch(pool)
            }
            (Conn::Sqlite(conn), Args::Sqlite(args)) => query_as_with(self.sql, args).fetch(conn),
            (Conn::PgPool(pool), Args::Pg(args)) => query_as_with(self.sql, args).fetch(pool),
            (Conn::Pg(conn), Args::Pg(args)) => query_as_with(self.sql, args).fetch(conn),
            (Conn::SqlitePool(_) | Conn::Sqlite(_), Args::Pg(_))
            | (Conn::PgPool(_) | Conn::Pg(_), Args::Sqlite(_)) => {
                unreachable!("the arguments follow the connection")
            }
        };
        let Some(door) = self.door else { return rows };
        door.pass().map_ok(|place| place.hold_until_end(rows)).try_flatten_stream().boxed()
    }

    /// All rows.
    pub async fn all<T: Row>(self) -> Result<Vec<T>> {
        self.fetch().try_collect().await
    }

    /// The first row, if there is one.
    pub async fn optional<T: Row>(self) -> Result<Option<T>> {
        self.fetch().next().await.transpose()
    }

    /// The first row; none is an error.
    pub async fn one<T: Row>(self) -> Result<T> {
        self.optional().await?.ok_or(Error::RowNotFound)
    }
}
