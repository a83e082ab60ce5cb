//! SQL on personas.

use chrono::{DateTime, Utc};
use skald_base::{
    Db, Result, Tx, UserId,
    db::Source,
    graph::{Page, Slice, parse_time_cursor},
};

use crate::persona::{Persona, PersonaId};

macro_rules! columns {
    () => {
        "id, owner_id, name, description, appearance, personality, age, gender, avatar_url, \
         tags, fandom, is_default, version, created_at, updated_at, deleted_at"
    };
}

pub(crate) async fn insert(tx: &mut Tx, persona: &Persona) -> Result<()> {
    const SQL: &str = concat!(
        "INSERT INTO persona (",
        columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    );
    let Persona { id, owner_id, profile, is_default, version, .. } = persona.clone();
    tx.query(SQL)
        .bind(id)
        .bind(owner_id)
        .bind(profile.name)
        .bind(profile.description)
        .bind(profile.appearance)
        .bind(profile.personality)
        .bind(profile.age)
        .bind(profile.gender)
        .bind(profile.avatar_url)
        .bind(profile.tags)
        .bind(profile.fandom)
        .bind(is_default)
        .bind(version)
        .bind(persona.created_at)
        .bind(persona.updated_at)
        .bind(persona.deleted_at)
        .execute()
        .await?;
    Ok(())
}

pub(crate) async fn update(tx: &mut Tx, persona: &Persona) -> Result<()> {
    const SQL: &str = "
        UPDATE persona
        SET name = $2, description = $3, appearance = $4, personality = $5, age = $6, gender = $7,
            avatar_url = $8, tags = $9, fandom = $10, is_default = $11, version = $12,
            updated_at = $13
        WHERE id = $1";
    let profile = persona.profile.clone();
    tx.query(SQL)
        .bind(persona.id)
        .bind(profile.name)
        .bind(profile.description)
        .bind(profile.appearance)
        .bind(profile.personality)
        .bind(profile.age)
        .bind(profile.gender)
        .bind(profile.avatar_url)
        .bind(profile.tags)
        .bind(profile.fandom)
        .bind(persona.is_default)
        .bind(persona.version)
        .bind(persona.updated_at)
        .execute()
        .await?;
    Ok(())
}

pub(crate) async fn any(tx: &mut Tx, owner: UserId) -> Result<bool> {
    const SQL: &str = "SELECT count(*) FROM persona WHERE owner_id = $1 AND deleted_at IS NULL";
    let (count,): (i64,) = tx.query(SQL).bind(owner).one().await?;
    Ok(count > 0)
}

/// Which persona was the default.
pub(crate) async fn clear_default(tx: &mut Tx, owner: UserId) -> Result<Option<PersonaId>> {
    const SQL: &str = "
        UPDATE persona SET is_default = FALSE WHERE owner_id = $1 AND is_default RETURNING id";
    let row: Option<(PersonaId,)> = tx.query(SQL).bind(owner).optional().await?;
    Ok(row.map(|(id,)| id))
}

pub(crate) async fn find(
    source: &mut impl Source,
    id: PersonaId,
    owner: UserId,
) -> Result<Option<Persona>> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM persona WHERE id = $1 AND owner_id = $2");
    Ok(source.sql(SQL).bind(id).bind(owner).optional().await?)
}

/// Whoever owns it: for stories that use it.
pub(crate) async fn find_any(source: &mut impl Source, id: PersonaId) -> Result<Option<Persona>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM persona WHERE id = $1");
    Ok(source.sql(SQL).bind(id).optional().await?)
}

/// A player's personas of this name, oldest first.
pub(crate) async fn named(db: &Db, owner: UserId, name: &str) -> Result<Vec<Persona>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM persona
          WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL
          ORDER BY created_at, id"
    );
    Ok(db.read(SQL).bind(owner).bind(name.to_owned()).all().await?)
}

pub(crate) async fn find_default(
    source: &mut impl Source,
    owner: UserId,
) -> Result<Option<Persona>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM persona WHERE owner_id = $1 AND is_default AND deleted_at IS NULL"
    );
    Ok(source.sql(SQL).bind(owner).optional().await?)
}

macro_rules! living {
    () => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM persona WHERE id = $1 AND owner_id = $2 AND deleted_at IS NULL"
        )
    };
}

/// Lets nobody else change a persona; stories with it go on.
pub(crate) async fn lock(tx: &mut Tx, id: PersonaId, owner: UserId) -> Result<Option<Persona>> {
    let sql = tx.pick(living!(), concat!(living!(), " FOR NO KEY UPDATE"));
    Ok(tx.query(sql).bind(id).bind(owner).optional().await?)
}

/// The same for who deletes it: waits for whoever stores a row that names it.
pub(crate) async fn lock_to_delete(
    tx: &mut Tx,
    id: PersonaId,
    owner: UserId,
) -> Result<Option<Persona>> {
    let sql = tx.pick(living!(), concat!(living!(), " FOR UPDATE"));
    Ok(tx.query(sql).bind(id).bind(owner).optional().await?)
}

/// For a `DataLoader`: whoever owns them.
pub(crate) async fn by_ids(db: &Db, ids: &[PersonaId]) -> Result<Vec<Persona>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM persona WHERE id IN (..)");
    Ok(db.read(SQL).bind_list(ids).all().await?)
}

pub(crate) async fn page(db: &Db, owner: UserId, page: &Page) -> Result<Slice<Persona>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM persona
          WHERE owner_id = $1 AND deleted_at IS NULL
              AND ($2 IS NULL OR (created_at, id) > ($2, $3))
          ORDER BY created_at, id
          LIMIT $4"
    );
    let after = page.after.as_deref().map(|text| parse_time_cursor("after", text)).transpose()?;
    let rows = db
        .read(SQL)
        .bind(owner)
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, id): (_, PersonaId)| id))
        .bind(page.limit())
        .all()
        .await?;
    Ok(page.cut(rows))
}

/// For good if no session and no message knows it; else only out of sight.
pub(crate) async fn delete(tx: &mut Tx, id: PersonaId, now: DateTime<Utc>) -> Result<()> {
    const ERASE: &str = "
        DELETE FROM persona
        WHERE id = $1
            AND NOT EXISTS (SELECT 1 FROM session WHERE persona_id = $1)
            AND NOT EXISTS (SELECT 1 FROM message WHERE author_persona_id = $1)";
    const HIDE: &str = "
        UPDATE persona SET deleted_at = $2, is_default = FALSE, version = version + 1
        WHERE id = $1";
    if tx.query(ERASE).bind(id).execute().await? == 0 {
        tx.query(HIDE).bind(id).bind(now).execute().await?;
    }
    Ok(())
}

pub(crate) async fn count(db: &Db, owner: UserId) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM persona WHERE owner_id = $1 AND deleted_at IS NULL";
    let (count,): (i64,) = db.read(SQL).bind(owner).one().await?;
    Ok(count)
}
