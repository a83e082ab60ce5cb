//! SQL on entries of lorebooks.

use skald_base::{
    Db, Result, Tx, UserId,
    db::{Source, by_powers},
    graph::{Page, Slice, parse_time_cursor},
};

use super::lorebook::book_readable;
use crate::lorebook::{
    LorebookId,
    entry::{LoreEntry, LoreEntryId},
};

macro_rules! columns {
    () => {
        "e.id, e.lorebook_id, e.title, e.content, e.keys, e.secondary_keys, e.enabled, \
         e.constant, e.recall, e.insertion_order, e.settings, e.version, e.created_at, \
         e.updated_at"
    };
}

pub(super) use columns;

pub(crate) async fn insert(tx: &mut Tx, entries: &[LoreEntry]) -> Result<()> {
    const SQL: &str = "
        INSERT INTO lore_entry (id, lorebook_id, title, content, keys, secondary_keys, enabled,
            constant, recall, insertion_order, settings, version, created_at, updated_at)
        VALUES (..)";
    for some in by_powers(entries) {
        let insert = tx.query(SQL).bind_rows(14, some, |query, entry| {
            let lore = entry.lore.clone();
            let query = query.bind(entry.id).bind(entry.lorebook_id);
            let query = query.bind(lore.title).bind(lore.content).bind(lore.keys);
            let query = query.bind(lore.secondary_keys).bind(lore.enabled).bind(lore.constant);
            let query = query.bind(lore.recall).bind(lore.insertion_order).bind(lore.settings);
            query.bind(entry.version).bind(entry.created_at).bind(entry.updated_at)
        });
        insert.execute().await?;
    }
    Ok(())
}

pub(crate) async fn update(tx: &mut Tx, entry: &LoreEntry) -> Result<()> {
    const SQL: &str = "
        UPDATE lore_entry
        SET title = $2, content = $3, keys = $4, secondary_keys = $5, enabled = $6,
            constant = $7, recall = $8, insertion_order = $9, settings = $10, version = $11,
            updated_at = $12
        WHERE id = $1";
    let lore = entry.lore.clone();
    let query = tx.query(SQL).bind(entry.id).bind(lore.title).bind(lore.content).bind(lore.keys);
    let query = query.bind(lore.secondary_keys).bind(lore.enabled).bind(lore.constant);
    let query = query.bind(lore.recall).bind(lore.insertion_order).bind(lore.settings);
    query.bind(entry.version).bind(entry.updated_at).execute().await?;
    Ok(())
}

/// Removes these entries of a book; those that were there.
pub(crate) async fn delete(
    tx: &mut Tx,
    book: LorebookId,
    ids: &[LoreEntryId],
) -> Result<Vec<LoreEntryId>> {
    const SQL: &str = "DELETE FROM lore_entry WHERE lorebook_id = $1 AND id IN (..) RETURNING id";
    let rows: Vec<(LoreEntryId,)> = tx.query(SQL).bind(book).bind_list(ids).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// These entries, if they are this book's, in no order.
pub(crate) async fn of_book(
    source: &mut impl Source,
    book: LorebookId,
    ids: &[LoreEntryId],
) -> Result<Vec<LoreEntry>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM lore_entry e WHERE e.lorebook_id = $1 AND e.id IN (..)"
    );
    Ok(source.sql(SQL).bind(book).bind_list(ids).all().await?)
}

/// Those of these entries whose books the viewer may read, in no order.
pub(crate) async fn readable(
    db: &Db,
    ids: &[LoreEntryId],
    viewer: Option<UserId>,
) -> Result<Vec<LoreEntry>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM lore_entry e JOIN lorebook b ON b.id = e.lorebook_id WHERE ",
        book_readable!("$1"),
        " AND e.id IN (..)"
    );
    Ok(db.read(SQL).bind(viewer).bind_list(ids).all().await?)
}

/// The entries of one book, in the order in which they were made.
pub(crate) async fn page(db: &Db, book: LorebookId, page: &Page) -> Result<Slice<LoreEntry>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM lore_entry e
          WHERE e.lorebook_id = $1 AND ($2 IS NULL OR (e.created_at, e.id) > ($2, $3))
          ORDER BY e.created_at, e.id
          LIMIT $4"
    );
    let after = page.after.as_deref().map(|text| parse_time_cursor("after", text)).transpose()?;
    let rows = db
        .read(SQL)
        .bind(book)
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, id): (_, LoreEntryId)| id))
        .bind(page.limit())
        .all()
        .await?;
    Ok(page.cut(rows))
}

pub(crate) async fn count(source: &mut impl Source, book: LorebookId) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM lore_entry WHERE lorebook_id = $1";
    let (count,): (i64,) = source.sql(SQL).bind(book).one().await?;
    Ok(count)
}
