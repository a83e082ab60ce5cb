//! SQL on facts of characters and personas.

use skald_base::{
    Db, Result, Tx, UserId,
    db::{Source, by_powers},
    graph::{Page, Slice, parse_time_cursor},
};
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};
use uuid::Uuid;

use super::character::readable;
use crate::{
    character::CharacterId,
    fact::{Fact, FactId, FactOwner},
    persona::PersonaId,
};

macro_rules! columns {
    () => {
        "f.id, f.character_id, f.persona_id, f.text, f.category, f.keys, f.version, \
         f.created_at, f.updated_at"
    };
}

impl<'r, R: Row> FromRow<'r, R> for FactOwner
where
    &'static str: ColumnIndex<R>,
    Option<CharacterId>: Decode<'r, R::Database> + Type<R::Database>,
    PersonaId: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        if let Some(character) = row.try_get::<Option<CharacterId>, _>("character_id")? {
            return Ok(Self::Character(character));
        }
        row.try_get("persona_id").map(Self::Persona)
    }
}

pub(crate) async fn insert(tx: &mut Tx, facts: &[Fact]) -> Result<()> {
    const SQL: &str = "
        INSERT INTO fact (id, character_id, persona_id, text, category, keys, version, created_at,
            updated_at)
        VALUES (..)";
    for some in by_powers(facts) {
        let insert = tx.query(SQL).bind_rows(9, some, |query, fact| {
            let (character, persona) = match fact.owner {
                FactOwner::Character(id) => (Some(id), None),
                FactOwner::Persona(id) => (None, Some(id)),
            };
            let note = fact.note.clone();
            let query = query.bind(fact.id).bind(character).bind(persona).bind(note.text);
            let query = query.bind(note.category).bind(note.keys).bind(fact.version);
            query.bind(fact.created_at).bind(fact.updated_at)
        });
        insert.execute().await?;
    }
    Ok(())
}

pub(crate) async fn update(tx: &mut Tx, fact: &Fact) -> Result<()> {
    const SQL: &str = "
        UPDATE fact SET text = $2, category = $3, keys = $4, version = $5, updated_at = $6
        WHERE id = $1";
    let note = fact.note.clone();
    let query = tx.query(SQL).bind(fact.id).bind(note.text).bind(note.category).bind(note.keys);
    query.bind(fact.version).bind(fact.updated_at).execute().await?;
    Ok(())
}

pub(crate) async fn delete(tx: &mut Tx, id: FactId) -> Result<()> {
    tx.query("DELETE FROM fact WHERE id = $1").bind(id).execute().await?;
    Ok(())
}

/// Those of these facts whose owners the viewer may read, in no order.
pub(crate) async fn readable(
    source: &mut impl Source,
    ids: &[FactId],
    viewer: Option<UserId>,
) -> Result<Vec<Fact>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM fact f
          LEFT JOIN character c ON c.id = f.character_id
          LEFT JOIN persona o ON o.id = f.persona_id
          WHERE (o.owner_id = $1 OR ",
        readable!("$1"),
        ") AND f.id IN (..)"
    );
    Ok(source.sql(SQL).bind(viewer).bind_list(ids).all().await?)
}

/// Everything that is known of these characters and personas, by owner, oldest first.
pub(crate) async fn of_owners(db: &Db, owners: &[Uuid]) -> Result<Vec<Fact>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM fact f WHERE f.owner_id IN (..) ORDER BY f.owner_id, f.created_at, f.id"
    );
    Ok(db.read(SQL).bind_list(owners).all().await?)
}

/// For a `DataLoader`: the first facts of each of these owners, oldest first.
pub(crate) async fn first_of(db: &Db, owners: &[Uuid], limit: i64) -> Result<Vec<Fact>> {
    const SQL: &str = concat!(
        "WITH placed (id, place) AS (
             SELECT id, row_number() OVER (PARTITION BY owner_id ORDER BY created_at, id)
             FROM fact WHERE owner_id IN (..)
         )
         SELECT ",
        columns!(),
        " FROM placed JOIN fact f ON f.id = placed.id
          WHERE placed.place <= $1
          ORDER BY f.created_at, f.id"
    );
    Ok(db.read(SQL).bind(limit).bind_list(owners).all().await?)
}

/// The facts of one owner, oldest first.
pub(crate) async fn page(db: &Db, owner: FactOwner, page: &Page) -> Result<Slice<Fact>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM fact f
          WHERE f.owner_id = $1 AND ($2 IS NULL OR (f.created_at, f.id) > ($2, $3))
          ORDER BY f.created_at, f.id
          LIMIT $4"
    );
    let after = page.after.as_deref().map(|text| parse_time_cursor("after", text)).transpose()?;
    let rows = db
        .read(SQL)
        .bind(owner.uuid())
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, id): (_, FactId)| id))
        .bind(page.limit())
        .all()
        .await?;
    Ok(page.cut(rows))
}

pub(crate) async fn count(source: &mut impl Source, owner: FactOwner) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM fact WHERE owner_id = $1";
    let (count,): (i64,) = source.sql(SQL).bind(owner.uuid()).one().await?;
    Ok(count)
}
