//! SQL on lorebooks and on where they are attached.

use skald_base::{
    Db, Result, Tx, UserId,
    db::{Source, by_powers},
    graph::{Page, Slice, parse_time_cursor},
};
use uuid::Uuid;

use crate::{
    character::Shelf,
    lorebook::{Lorebook, LorebookId, attachment::Target, entry::LoreEntry},
    session::SessionId,
};

macro_rules! columns {
    () => {
        "b.id, b.creator_id, b.name, b.description, b.settings, b.visibility, b.version, \
         b.created_at, b.updated_at, b.deleted_at"
    };
}

/// What is true of a book `b` that the viewer may read, whose id is bound at this place: published
/// and there, or the viewer's own, or attached to something of theirs, or to a character of the
/// same creator with whom they play.
macro_rules! book_readable {
    ($viewer:literal) => {
        concat!(
            "((b.visibility IN ('PUBLIC', 'UNLISTED') AND b.deleted_at IS NULL)
                OR b.creator_id = ",
            $viewer,
            "
                OR EXISTS (
                    SELECT 1 FROM lorebook_attachment u
                    WHERE u.lorebook_id = b.id
                        AND (EXISTS (SELECT 1 FROM session_participant p
                                WHERE p.session_id = u.session_id AND p.user_id = ",
            $viewer,
            ")
                            OR EXISTS (SELECT 1 FROM persona o
                                WHERE o.id = u.persona_id AND o.owner_id = ",
            $viewer,
            ")
                            OR EXISTS (SELECT 1 FROM character c
                                WHERE c.id = u.character_id AND c.creator_id = ",
            $viewer,
            ")
                            OR EXISTS (SELECT 1 FROM cast_member m
                                JOIN character c ON c.id = m.character_id
                                JOIN session_participant p ON p.session_id = m.session_id
                                WHERE m.character_id = u.character_id
                                    AND c.creator_id = b.creator_id AND p.user_id = ",
            $viewer,
            "))))"
        )
    };
}

pub(super) use book_readable;

/// A book, and what it is attached to.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Attached {
    pub(crate) target_id: Uuid,
    #[sqlx(flatten)]
    pub(crate) book: Lorebook,
}

pub(crate) async fn insert(tx: &mut Tx, book: &Lorebook) -> Result<()> {
    const SQL: &str = "
        INSERT INTO lorebook (id, creator_id, name, description, settings, visibility, version,
            created_at, updated_at, deleted_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    write(tx, SQL, book).await
}

pub(crate) async fn update(tx: &mut Tx, book: &Lorebook) -> Result<()> {
    const SQL: &str = "
        UPDATE lorebook
        SET creator_id = $2, name = $3, description = $4, settings = $5, visibility = $6,
            version = $7, created_at = $8, updated_at = $9, deleted_at = $10
        WHERE id = $1";
    write(tx, SQL, book).await
}

async fn write(tx: &mut Tx, sql: &'static str, book: &Lorebook) -> Result<()> {
    let cover = book.cover.clone();
    let query = tx.query(sql).bind(book.id).bind(book.creator_id).bind(cover.name);
    let query = query.bind(cover.description).bind(cover.settings).bind(book.visibility);
    let query = query.bind(book.version).bind(book.created_at).bind(book.updated_at);
    query.bind(book.deleted_at).execute().await?;
    Ok(())
}

/// Those of these books that the viewer may read, in no order.
pub(crate) async fn readable(
    source: &mut impl Source,
    ids: &[LorebookId],
    viewer: Option<UserId>,
) -> Result<Vec<Lorebook>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM lorebook b WHERE ",
        book_readable!("$1"),
        " AND b.id IN (..)"
    );
    Ok(source.sql(SQL).bind(viewer).bind_list(ids).all().await?)
}

/// Lets nobody else change a book; stories with it go on.
pub(crate) async fn lock(tx: &mut Tx, id: LorebookId) -> Result<Option<Lorebook>> {
    const SQLITE: &str =
        concat!("SELECT ", columns!(), " FROM lorebook b WHERE b.id = $1 AND b.deleted_at IS NULL");
    const POSTGRES: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM lorebook b WHERE b.id = $1 AND b.deleted_at IS NULL FOR NO KEY UPDATE"
    );
    let sql = tx.pick(SQLITE, POSTGRES);
    Ok(tx.query(sql).bind(id).optional().await?)
}

macro_rules! on_shelf {
    (Catalogue) => {
        " FROM lorebook b
          WHERE b.deleted_at IS NULL AND (b.visibility = 'PUBLIC' OR b.creator_id = $1)"
    };
    (Mine) => {
        " FROM lorebook b WHERE b.deleted_at IS NULL AND b.creator_id = $1"
    };
}

macro_rules! page_of {
    ($shelf:ident) => {
        concat!(
            "SELECT ",
            columns!(),
            on_shelf!($shelf),
            " AND ($2 IS NULL OR (b.created_at, b.id) < ($2, $3))
              ORDER BY b.created_at DESC, b.id DESC
              LIMIT $4"
        )
    };
}

pub(crate) async fn page(
    db: &Db,
    viewer: Option<UserId>,
    shelf: Shelf,
    page: &Page,
) -> Result<Slice<Lorebook>> {
    let sql = match shelf {
        Shelf::Catalogue => page_of!(Catalogue),
        Shelf::Mine => page_of!(Mine),
    };
    let after = page.after.as_deref().map(|text| parse_time_cursor("after", text)).transpose()?;
    let rows = db
        .read(sql)
        .bind(viewer)
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, id): (_, LorebookId)| id))
        .bind(page.limit())
        .all()
        .await?;
    Ok(page.cut(rows))
}

pub(crate) async fn count(
    source: &mut impl Source,
    viewer: Option<UserId>,
    shelf: Shelf,
) -> Result<i64> {
    let sql = match shelf {
        Shelf::Catalogue => concat!("SELECT count(*)", on_shelf!(Catalogue)),
        Shelf::Mine => concat!("SELECT count(*)", on_shelf!(Mine)),
    };
    let (count,): (i64,) = source.sql(sql).bind(viewer).one().await?;
    Ok(count)
}

/// For a `DataLoader`: the books of these targets that the viewer may read, in order.
pub(crate) async fn of_targets(
    db: &Db,
    targets: &[Uuid],
    viewer: Option<UserId>,
) -> Result<Vec<Attached>> {
    const SQL: &str = concat!(
        "SELECT a.target_id, ",
        columns!(),
        " FROM lorebook_attachment a
          JOIN lorebook b ON b.id = a.lorebook_id
          WHERE ",
        book_readable!("$1"),
        " AND a.target_id IN (..)
          ORDER BY a.position"
    );
    Ok(db.read(SQL).bind(viewer).bind_list(targets).all().await?)
}

/// What is attached to a target, in order.
pub(crate) async fn attached_to(tx: &mut Tx, target: Target) -> Result<Vec<LorebookId>> {
    const SQL: &str =
        "SELECT lorebook_id FROM lorebook_attachment WHERE target_id = $1 ORDER BY position";
    let rows: Vec<(LorebookId,)> = tx.query(SQL).bind(target.uuid()).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Attaches these books to a locked target, in this order, and no others.
pub(crate) async fn set_attached(tx: &mut Tx, target: Target, books: &[LorebookId]) -> Result<()> {
    const CLEAR: &str = "DELETE FROM lorebook_attachment WHERE target_id = $1";
    const INSERT: &str = "
        INSERT INTO lorebook_attachment (lorebook_id, session_id, character_id, persona_id,
            position)
        VALUES (..)";
    tx.query(CLEAR).bind(target.uuid()).execute().await?;
    let (session, character, persona) = match target {
        Target::Session(id) => (Some(id), None, None),
        Target::Character(id) => (None, Some(id), None),
        Target::Persona(id) => (None, None, Some(id)),
    };
    let rows: Vec<(i64, LorebookId)> = (0..).zip(books.iter().copied()).collect();
    for some in by_powers(&rows) {
        let insert = tx.query(INSERT).bind_rows(5, some, |query, (position, book)| {
            query.bind(*book).bind(session).bind(character).bind(persona).bind(*position)
        });
        insert.execute().await?;
    }
    Ok(())
}

/// Attaches to a session that is being made what is attached to the one it is forked from.
pub(crate) async fn copy_attached(tx: &mut Tx, from: SessionId, to: SessionId) -> Result<()> {
    const SQL: &str = "
        INSERT INTO lorebook_attachment (lorebook_id, session_id, position)
        SELECT lorebook_id, $2, position FROM lorebook_attachment WHERE target_id = $1";
    tx.query(SQL).bind(from.uuid()).bind(to).execute().await?;
    Ok(())
}

/// Entries that recall looks at in one session at most.
const MAX_RECALLABLE: i64 = 10_000;
/// Bytes of their texts at most.
const MAX_RECALLABLE_BYTES: i64 = 8 * 1024 * 1024;

/// The enabled entries marked for recall of all books that belong to a session: attached to it, to
/// its persona, or to a character on stage. There the book has to be the character's creator's, or
/// published: what somebody else withdrew is not told to those who begin to play later.
///
/// Oldest first; of very many the oldest alone.
pub(crate) async fn recallable(db: &Db, session: SessionId) -> Result<Vec<LoreEntry>> {
    const SQL: &str = concat!(
        "WITH used (id) AS (
             SELECT lorebook_id FROM lorebook_attachment WHERE target_id = $1
             UNION
             SELECT a.lorebook_id
             FROM session s JOIN lorebook_attachment a ON a.target_id = s.persona_id
             WHERE s.id = $1
             UNION
             SELECT a.lorebook_id
             FROM cast_member m
             JOIN character c ON c.id = m.character_id
             JOIN lorebook_attachment a ON a.target_id = m.character_id
             JOIN lorebook b ON b.id = a.lorebook_id
             WHERE m.session_id = $1
                 AND (b.creator_id = c.creator_id
                     OR (b.visibility IN ('PUBLIC', 'UNLISTED') AND b.deleted_at IS NULL))
         ),
         fitting (id, place, bytes) AS (
             SELECT e.id, row_number() OVER in_order, sum(octet_length(e.content)) OVER in_order
             FROM used JOIN lore_entry e ON e.lorebook_id = used.id
             WHERE e.enabled AND e.recall AND e.content <> ''
             WINDOW in_order AS (ORDER BY e.created_at, e.id)
         )
         SELECT ",
        super::lore_entry::columns!(),
        " FROM fitting JOIN lore_entry e ON e.id = fitting.id
          WHERE fitting.place <= $2 AND fitting.bytes <= $3
          ORDER BY e.created_at, e.id"
    );
    let query = db.read(SQL).bind(session.uuid()).bind(MAX_RECALLABLE).bind(MAX_RECALLABLE_BYTES);
    Ok(query.all().await?)
}
