//! SQL on characters.

use skald_base::{
    Db, Result, Tx, UserId,
    db::Source,
    graph::{Page, Slice, parse_time_cursor},
};

use crate::character::{Character, CharacterId, Shelf};

macro_rules! columns {
    () => {
        "id, creator_id, name, description, appearance, personality, scenario, greeting, \
         alternate_greetings, example_dialogue, system_prompt, post_history_instructions, \
         creator_notes, language, tags, fandom, rating, avatar_url, visibility, version, \
         created_at, updated_at, deleted_at"
    };
}

pub(crate) async fn insert(tx: &mut Tx, character: &Character) -> Result<()> {
    const SQL: &str = concat!(
        "INSERT INTO character (",
        columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
          $18, $19, $20, $21, $22, $23)"
    );
    write(tx, SQL, character).await?;
    Ok(())
}

/// As `insert`, unless a character with this id is there; whether it was not.
pub(crate) async fn insert_if_new(tx: &mut Tx, character: &Character) -> Result<bool> {
    const SQL: &str = concat!(
        "INSERT INTO character (",
        columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
          $18, $19, $20, $21, $22, $23) ON CONFLICT (id) DO NOTHING"
    );
    Ok(write(tx, SQL, character).await? == 1)
}

pub(crate) async fn update(tx: &mut Tx, character: &Character) -> Result<()> {
    const SQL: &str = "
        UPDATE character
        SET creator_id = $2, name = $3, description = $4, appearance = $5, personality = $6,
            scenario = $7, greeting = $8, alternate_greetings = $9, example_dialogue = $10,
            system_prompt = $11, post_history_instructions = $12, creator_notes = $13,
            language = $14, tags = $15, fandom = $16, rating = $17, avatar_url = $18,
            visibility = $19, version = $20, created_at = $21, updated_at = $22, deleted_at = $23
        WHERE id = $1";
    write(tx, SQL, character).await?;
    Ok(())
}

/// Binds every column in the order of `columns!`.
async fn write(tx: &mut Tx, sql: &'static str, character: &Character) -> Result<u64> {
    let card = character.card.clone();
    let changed = tx
        .query(sql)
        .bind(character.id)
        .bind(character.creator_id)
        .bind(card.name)
        .bind(card.description)
        .bind(card.appearance)
        .bind(card.personality)
        .bind(card.scenario)
        .bind(card.greeting)
        .bind(card.alternate_greetings)
        .bind(card.example_dialogue)
        .bind(card.system_prompt)
        .bind(card.post_history_instructions)
        .bind(card.creator_notes)
        .bind(card.language)
        .bind(card.tags)
        .bind(card.fandom)
        .bind(card.rating)
        .bind(card.avatar_url)
        .bind(character.visibility)
        .bind(character.version)
        .bind(character.created_at)
        .bind(character.updated_at)
        .bind(character.deleted_at)
        .execute()
        .await?;
    Ok(changed)
}

/// What is true of a character `c` that the viewer may read, whose id is bound at this place:
/// published and there, or the viewer's own, or in a session of theirs.
macro_rules! readable {
    ($viewer:literal) => {
        concat!(
            "((c.visibility IN ('PUBLIC', 'UNLISTED') AND c.deleted_at IS NULL)
                OR c.creator_id = ",
            $viewer,
            "
                OR EXISTS (
                    SELECT 1 FROM cast_member m
                    JOIN session_participant p ON p.session_id = m.session_id
                    WHERE m.character_id = c.id AND p.user_id = ",
            $viewer,
            "))"
        )
    };
}

pub(super) use readable;

/// A character that the viewer may read.
pub(crate) async fn find_readable(
    source: &mut impl Source,
    id: CharacterId,
    viewer: Option<UserId>,
) -> Result<Option<Character>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM character c
          WHERE c.id = $1 AND ",
        readable!("$2")
    );
    Ok(source.sql(SQL).bind(id).bind(viewer).optional().await?)
}

/// Whoever may read it: for stories that use it.
pub(crate) async fn find_any(
    source: &mut impl Source,
    id: CharacterId,
) -> Result<Option<Character>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM character WHERE id = $1");
    Ok(source.sql(SQL).bind(id).optional().await?)
}

/// Lets nobody else change a character; stories with it go on.
pub(crate) async fn lock(tx: &mut Tx, id: CharacterId) -> Result<Option<Character>> {
    const SQLITE: &str =
        concat!("SELECT ", columns!(), " FROM character WHERE id = $1 AND deleted_at IS NULL");
    const POSTGRES: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM character WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"
    );
    let sql = tx.pick(SQLITE, POSTGRES);
    Ok(tx.query(sql).bind(id).optional().await?)
}

/// Characters of this name that are a player's own or public; their own first, the oldest first.
pub(crate) async fn named(db: &Db, viewer: UserId, name: &str) -> Result<Vec<Character>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM character
          WHERE name = $2 AND deleted_at IS NULL AND (creator_id = $1 OR visibility = 'PUBLIC')
          ORDER BY CASE WHEN creator_id = $1 THEN 0 ELSE 1 END, created_at, id
          LIMIT 100"
    );
    Ok(db.read(SQL).bind(viewer).bind(name.to_owned()).all().await?)
}

/// For a `DataLoader`: for casts, whoever may read them.
pub(crate) async fn by_ids(db: &Db, ids: &[CharacterId]) -> Result<Vec<Character>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM character WHERE id IN (..)");
    Ok(db.read(SQL).bind_list(ids).all().await?)
}

pub(crate) async fn page(
    db: &Db,
    viewer: Option<UserId>,
    shelf: Shelf,
    page: &Page,
) -> Result<Slice<Character>> {
    const CATALOGUE: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM character
          WHERE deleted_at IS NULL AND (visibility = 'PUBLIC' OR creator_id = $1)
              AND ($2 IS NULL OR (created_at, id) < ($2, $3))
          ORDER BY created_at DESC, id DESC
          LIMIT $4"
    );
    const MINE: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM character
          WHERE deleted_at IS NULL AND creator_id = $1
              AND ($2 IS NULL OR (created_at, id) < ($2, $3))
          ORDER BY created_at DESC, id DESC
          LIMIT $4"
    );
    let sql = match shelf {
        Shelf::Catalogue => CATALOGUE,
        Shelf::Mine => MINE,
    };
    let after = page.after.as_deref().map(|text| parse_time_cursor("after", text)).transpose()?;
    let rows = db
        .read(sql)
        .bind(viewer)
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, id): (_, CharacterId)| id))
        .bind(page.limit())
        .all()
        .await?;
    Ok(page.cut(rows))
}

pub(crate) async fn count(db: &Db, viewer: Option<UserId>, shelf: Shelf) -> Result<i64> {
    const CATALOGUE: &str = "
        SELECT count(*) FROM character
        WHERE deleted_at IS NULL AND (visibility = 'PUBLIC' OR creator_id = $1)";
    const MINE: &str =
        "SELECT count(*) FROM character WHERE deleted_at IS NULL AND creator_id = $1";
    let sql = match shelf {
        Shelf::Catalogue => CATALOGUE,
        Shelf::Mine => MINE,
    };
    let (count,): (i64,) = db.read(sql).bind(viewer).one().await?;
    Ok(count)
}
