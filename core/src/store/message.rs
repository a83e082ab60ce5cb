//! SQL on messages: nodes and paths.

use chrono::{DateTime, Utc};
use skald_base::{
    Db, Result, Tx, UserId,
    db::{Query, Source, by_powers},
};
use uuid::Uuid;

use crate::{
    session::SessionId,
    tree::{Message, MessageId, Place},
    turn::Ending,
};

macro_rules! columns {
    () => {
        "m.id, m.session_id, m.parent_id, m.depth, m.jump_id, m.jump_depth, m.role, \
         m.author_name, m.author_avatar_url, m.author_user_id, m.author_persona_id, \
         m.author_character_id, m.content, m.thought, m.status, m.revision, m.edited_from_id, \
         m.continued_from_id, m.hidden_from_prompt, m.bookmark, m.created_at, m.edited_at, m.deleted_at, m.deletion_id"
    };
}
pub(crate) use columns;

/// One step of two messages on their way up to where their paths meet.
///
/// The deeper one walks up to the other's depth; then both go up together, by
/// jumps as long as the jumps lead to different messages: O(log depth) steps.
macro_rules! step_of_pair {
    () => {
        "FROM pair p
            JOIN message a ON a.id = CASE
                WHEN p.a_depth < p.b_depth THEN p.a
                WHEN p.a_depth > p.b_depth AND p.a_far >= p.b_depth THEN p.a_jump
                WHEN p.a_depth > p.b_depth THEN p.a_up
                WHEN p.a_jump <> p.b_jump THEN p.a_jump
                ELSE p.a_up END
            JOIN message b ON b.id = CASE
                WHEN p.b_depth < p.a_depth THEN p.b
                WHEN p.b_depth > p.a_depth AND p.b_far >= p.a_depth THEN p.b_jump
                WHEN p.b_depth > p.a_depth THEN p.b_up
                WHEN p.a_jump <> p.b_jump THEN p.b_jump
                ELSE p.b_up END
            WHERE p.a <> p.b"
    };
}
pub(super) use step_of_pair;

/// A message on the way up from a leaf.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Step {
    /// The leaf the walk began at.
    pub(crate) leaf_id: MessageId,
    #[sqlx(flatten)]
    pub(crate) message: Message,
}

/// Stores a message.
pub(crate) async fn insert(tx: &mut Tx, message: &Message) -> Result<()> {
    insert_all(tx, std::slice::from_ref(message)).await
}

/// Stores messages, each after those that it names. Texts that are final can be found from here on.
pub(crate) async fn insert_all(tx: &mut Tx, messages: &[Message]) -> Result<()> {
    const SQL: &str = "
        INSERT INTO message (id, session_id, parent_id, depth, jump_id, jump_depth, role,
            author_name, author_avatar_url, author_user_id, author_persona_id,
            author_character_id, content, thought, status, revision, edited_from_id,
            continued_from_id, hidden_from_prompt, bookmark, created_at, edited_at)
        VALUES (..)";
    for some in by_powers(messages) {
        tx.query(SQL).bind_rows(22, some, bind_row).execute().await?;
    }
    for message in messages.iter().filter(|message| !message.status.is_running()) {
        super::search::index(tx, (message.session_id, message.id), &message.content).await?;
    }
    Ok(())
}

fn bind_row<'c>(query: Query<'c>, message: &Message) -> Query<'c> {
    let author = message.author.clone();
    query
        .bind(message.id)
        .bind(message.session_id)
        .bind(message.parent_id)
        .bind(message.depth)
        .bind(message.jump_id)
        .bind(message.jump_depth)
        .bind(message.role)
        .bind(author.author_name)
        .bind(author.author_avatar_url)
        .bind(author.author_user_id)
        .bind(author.author_persona_id)
        .bind(author.author_character_id)
        .bind(message.content.clone())
        .bind(message.thought.clone())
        .bind(message.status)
        .bind(message.revision)
        .bind(message.edited_from_id)
        .bind(message.continued_from_id)
        .bind(message.hidden_from_prompt)
        .bind(message.bookmark.clone())
        .bind(message.created_at)
        .bind(message.edited_at)
}

pub(crate) async fn find(source: &mut impl Source, id: MessageId) -> Result<Option<Message>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM message m WHERE m.id = $1");
    Ok(source.sql(SQL).bind(id).optional().await?)
}

pub(crate) async fn find_place(source: &mut impl Source, id: MessageId) -> Result<Option<Place>> {
    const SQL: &str = "SELECT id, depth, jump_id, jump_depth FROM message WHERE id = $1";
    let row: Option<(MessageId, i64, Option<MessageId>, i64)> =
        source.sql(SQL).bind(id).optional().await?;
    Ok(row.map(|(id, depth, jump_id, jump_depth)| Place { id, depth, jump_id, jump_depth }))
}

/// For a `DataLoader`: messages of sessions in which this user takes part.
pub(crate) async fn by_ids(db: &Db, ids: &[MessageId], viewer: UserId) -> Result<Vec<Message>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM message m
          JOIN session_participant p ON p.session_id = m.session_id AND p.user_id = $1
          WHERE m.id IN (..)"
    );
    Ok(db.read(SQL).bind(viewer).bind_list(ids).all().await?)
}

/// From each leaf up to `limit` messages towards the root; the leaf last.
pub(crate) async fn path_up(
    source: &mut impl Source,
    leaves: &[MessageId],
    limit: i64,
) -> Result<Vec<Step>> {
    const SQL: &str = concat!(
        "WITH RECURSIVE up (leaf_id, id, parent_id, n) AS (
             SELECT id, id, parent_id, 1 FROM message WHERE id IN (..)
             UNION ALL
             SELECT up.leaf_id, m.id, m.parent_id, up.n + 1
             FROM up JOIN message m ON m.id = up.parent_id
             WHERE up.n < $1
         )
         SELECT up.leaf_id, ",
        columns!(),
        " FROM up JOIN message m ON m.id = up.id ORDER BY up.leaf_id, up.n DESC"
    );
    Ok(source.sql(SQL).bind(limit).bind_list(leaves).all().await?)
}

/// The ancestor of `from` at `depth`, in O(log depth) steps; `from` itself if it is there.
pub(crate) async fn ancestor_at(
    source: &mut impl Source,
    from: MessageId,
    depth: i64,
) -> Result<Option<MessageId>> {
    const SQL: &str = "
        WITH RECURSIVE walk (id, parent_id, depth, jump_id, jump_depth) AS (
            SELECT id, parent_id, depth, jump_id, jump_depth FROM message WHERE id = $1
            UNION ALL
            SELECT m.id, m.parent_id, m.depth, m.jump_id, m.jump_depth
            FROM walk w
            JOIN message m
                ON m.id = CASE WHEN w.jump_depth >= $2 THEN w.jump_id ELSE w.parent_id END
            WHERE w.depth > $2
        )
        SELECT id FROM walk WHERE depth = $2";
    let row: Option<(MessageId,)> = source.sql(SQL).bind(from).bind(depth).optional().await?;
    Ok(row.map(|(id,)| id))
}

/// The deepest message that is above (or is) both.
pub(crate) async fn common_ancestor(
    source: &mut impl Source,
    one: MessageId,
    other: MessageId,
) -> Result<Option<MessageId>> {
    Ok(fork(source, one, other).await?.map(|(id, _)| id))
}

/// The deepest message that is above (or is) both, and its depth.
pub(super) async fn fork(
    source: &mut impl Source,
    one: MessageId,
    other: MessageId,
) -> Result<Option<(MessageId, i64)>> {
    let found = forks(source, one, &[other]).await?;
    Ok(found.first().map(|(_, ancestor, depth)| (*ancestor, *depth)))
}

/// Each of the others with the deepest message that is above (or is) both it and this one, and
/// the depth of that.
pub(crate) async fn forks(
    source: &mut impl Source,
    one: MessageId,
    others: &[MessageId],
) -> Result<Vec<(MessageId, MessageId, i64)>> {
    const SQL: &str = concat!(
        "WITH RECURSIVE pair
             (other, a, a_up, a_depth, a_jump, a_far, b, b_up, b_depth, b_jump, b_far) AS (
             SELECT b.id, a.id, a.parent_id, a.depth, a.jump_id, a.jump_depth,
                 b.id, b.parent_id, b.depth, b.jump_id, b.jump_depth
             FROM message a, message b
             WHERE a.id = $1 AND b.id IN (..)
             UNION ALL
             SELECT p.other, a.id, a.parent_id, a.depth, a.jump_id, a.jump_depth,
                 b.id, b.parent_id, b.depth, b.jump_id, b.jump_depth ",
        step_of_pair!(),
        ")
         SELECT other, a, a_depth FROM pair WHERE a = b"
    );
    Ok(source.sql(SQL).bind(one).bind_list(others).all().await?)
}

/// Whether anything living hangs below a message.
pub(crate) async fn has_children(tx: &mut Tx, id: MessageId) -> Result<bool> {
    const SQL: &str = "SELECT id FROM message WHERE parent_id = $1 AND deleted_at IS NULL LIMIT 1";
    let row: Option<(MessageId,)> = tx.query(SQL).bind(id).optional().await?;
    Ok(row.is_some())
}

/// A page of a session's living messages in order of creation, of those that `$which` holds for.
macro_rules! page {
    ($which:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM message m
              WHERE m.session_id = $1 AND ",
            $which,
            " AND ($2 IS NULL OR (m.created_at, m.id) > ($2, $3))
              ORDER BY m.created_at, m.id
              LIMIT $4"
        )
    };
}

fn bind_page(query: Query<'_>, after: Option<(DateTime<Utc>, MessageId)>, limit: i64) -> Query<'_> {
    query.bind(after.map(|(at, _)| at)).bind(after.map(|(_, id)| id)).bind(limit)
}

/// The whole tree in order of creation, deleted messages left out.
pub(crate) async fn all_in_session(
    db: &Db,
    session: SessionId,
    after: Option<(DateTime<Utc>, MessageId)>,
    limit: i64,
) -> Result<Vec<Message>> {
    const SQL: &str = page!("m.deleted_at IS NULL");
    Ok(bind_page(db.read(SQL).bind(session), after, limit).all().await?)
}

/// How far a tree was read, level by level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DepthCursor {
    pub(super) depth: i64,
    pub(super) at: DateTime<Utc>,
    pub(super) id: MessageId,
}

impl DepthCursor {
    /// Before every message.
    pub(crate) fn start() -> Self {
        Self { depth: -1, at: DateTime::UNIX_EPOCH, id: MessageId::from_uuid(Uuid::nil()) }
    }

    /// After this message.
    pub(crate) fn of(message: &Message) -> Self {
        Self::after(message.depth, message.created_at, message.id)
    }

    /// After the message that stands so.
    pub(crate) fn after(depth: i64, at: DateTime<Utc>, id: MessageId) -> Self {
        Self { depth, at, id }
    }
}

/// The living messages of a session, parents before their children.
pub(crate) async fn by_depth(
    db: &Db,
    session: SessionId,
    after: DepthCursor,
    limit: i64,
) -> Result<Vec<Message>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM message m
          WHERE m.session_id = $1 AND (m.depth, m.created_at, m.id) > ($2, $3, $4)
              AND m.deleted_at IS NULL
          ORDER BY m.depth, m.created_at, m.id
          LIMIT $5"
    );
    let query = db.read(SQL).bind(session).bind(after.depth).bind(after.at).bind(after.id);
    Ok(query.bind(limit).all().await?)
}

/// The bookmarked messages of a session in order of their creation, deleted ones left out.
pub(crate) async fn bookmarked_in_session(
    db: &Db,
    session: SessionId,
    after: Option<(DateTime<Utc>, MessageId)>,
    limit: i64,
) -> Result<Vec<Message>> {
    const SQL: &str = page!("m.bookmark IS NOT NULL AND m.deleted_at IS NULL");
    Ok(bind_page(db.read(SQL).bind(session), after, limit).all().await?)
}

/// How many living messages of a session are bookmarked.
pub(crate) async fn count_bookmarked(db: &Db, session: SessionId) -> Result<i64> {
    const SQL: &str = "
        SELECT count(*) FROM message
        WHERE session_id = $1 AND bookmark IS NOT NULL AND deleted_at IS NULL";
    let (count,): (i64,) = db.read(SQL).bind(session).one().await?;
    Ok(count)
}

/// Sets what a player has marked a message with.
pub(crate) async fn set_marks(tx: &mut Tx, message: &Message) -> Result<()> {
    const SQL: &str = "UPDATE message SET hidden_from_prompt = $2, bookmark = $3 WHERE id = $1";
    let query = tx.query(SQL).bind(message.id).bind(message.hidden_from_prompt);
    query.bind(message.bookmark.clone()).execute().await?;
    Ok(())
}

/// The text a reply ended with, which can be found from here on.
pub(crate) async fn finish(
    tx: &mut Tx,
    (session, id): (SessionId, MessageId),
    ending: &Ending,
) -> Result<()> {
    const SQL: &str = "UPDATE message SET content = $2, thought = $3, status = $4 WHERE id = $1";
    let thought = (!ending.thought.is_empty()).then(|| ending.thought.clone());
    let query = tx.query(SQL).bind(id).bind(ending.content.clone()).bind(thought);
    query.bind(ending.status).execute().await?;
    super::search::index(tx, (session, id), &ending.content).await
}

/// A failed reply is asked for again: nothing of the failed attempt is left, nor found.
pub(crate) async fn begin_again(tx: &mut Tx, id: MessageId) -> Result<()> {
    const SQL: &str = "UPDATE message SET status = 'PENDING', thought = NULL WHERE id = $1";
    tx.query(SQL).bind(id).execute().await?;
    super::search::forget(tx, id).await
}

/// How many living messages a session has.
pub(crate) async fn count(db: &Db, session: SessionId) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM message WHERE session_id = $1 AND deleted_at IS NULL";
    let (count,): (i64,) = db.read(SQL).bind(session).one().await?;
    Ok(count)
}
