//! Sign-ins and refresh tokens in SQL.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, SignInId, Tx, UserId};

use crate::sign_in::{RefreshToken, SignIn, TokenHash};

const INSERT: &str = "
    INSERT INTO sign_in (id, account_id, created_at, last_used_at, expires_at, user_agent)
    VALUES ($1, $2, $3, $4, $5, $6)";

/// Adds a sign-in.
pub(crate) async fn insert(tx: &mut Tx, sign_in: &SignIn) -> Result<()> {
    tx.query(INSERT)
        .bind(sign_in.id)
        .bind(sign_in.account_id)
        .bind(sign_in.created_at)
        .bind(sign_in.last_used_at)
        .bind(sign_in.expires_at)
        .bind(sign_in.user_agent.clone())
        .execute()
        .await?;
    Ok(())
}

const FIND: &str = "
    SELECT id, account_id, created_at, last_used_at, expires_at, ended_at, user_agent
    FROM sign_in
    WHERE id = $1";

/// The sign-in with this id.
pub(crate) async fn find(db: &Db, id: SignInId) -> Result<Option<SignIn>> {
    Ok(db.read(FIND).bind(id).optional().await?)
}

const LOCK: &str = "
    SELECT id, account_id, created_at, last_used_at, expires_at, ended_at, user_agent
    FROM sign_in
    WHERE id = (SELECT sign_in_id FROM refresh_token WHERE hash = $1)";
const LOCK_POSTGRES: &str = "
    SELECT id, account_id, created_at, last_used_at, expires_at, ended_at, user_agent
    FROM sign_in
    WHERE id = (SELECT sign_in_id FROM refresh_token WHERE hash = $1)
    FOR UPDATE";

/// The sign-in of a token, locked: parallel refreshes of one family queue up here.
pub(crate) async fn lock_by_token(tx: &mut Tx, hash: &TokenHash) -> Result<Option<SignIn>> {
    let sql = tx.pick(LOCK, LOCK_POSTGRES);
    Ok(tx.query(sql).bind(hash.clone()).optional().await?)
}

const LIST: &str = "
    SELECT id, account_id, created_at, last_used_at, expires_at, ended_at, user_agent
    FROM sign_in
    WHERE account_id = $1 AND ended_at IS NULL AND expires_at > $2
    ORDER BY last_used_at DESC, id DESC
    LIMIT 100";

/// A user's sign-ins that have not ended, latest use first; 100 at most.
pub(crate) async fn list(db: &Db, user: UserId, now: DateTime<Utc>) -> Result<Vec<SignIn>> {
    Ok(db.read(LIST).bind(user).bind(now).all().await?)
}

const TOUCH: &str = "UPDATE sign_in SET last_used_at = $2 WHERE id = $1";

/// Notes that a sign-in was used.
pub(crate) async fn touch(tx: &mut Tx, id: SignInId, now: DateTime<Utc>) -> Result<()> {
    tx.query(TOUCH).bind(id).bind(now).execute().await?;
    Ok(())
}

const END: &str = "UPDATE sign_in SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";

/// Ends a sign-in; false if it had ended before.
pub(crate) async fn end(tx: &mut Tx, id: SignInId, now: DateTime<Utc>) -> Result<bool> {
    let ended = tx.query(END).bind(id).bind(now).execute().await?;
    Ok(ended == 1)
}

const END_ALL: &str = "
    UPDATE sign_in
    SET ended_at = $2
    WHERE account_id = $1 AND ended_at IS NULL AND id <> $3
    RETURNING id";

/// Ends a user's sign-ins, all but one if that is given; which they were.
pub(crate) async fn end_all(
    tx: &mut Tx,
    user: UserId,
    but: Option<SignInId>,
    now: DateTime<Utc>,
) -> Result<Vec<SignInId>> {
    // No sign-in has the nil id.
    let but = but.unwrap_or(SignInId::from_uuid(sqlx::types::Uuid::nil()));
    let ended = tx.query(END_ALL).bind(user).bind(now).bind(but);
    let ended: Vec<(SignInId,)> = ended.all().await?;
    Ok(ended.into_iter().map(|(id,)| id).collect())
}

const INSERT_TOKEN: &str = "
    INSERT INTO refresh_token (hash, sign_in_id, predecessor, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5)";

/// Adds a refresh token.
pub(crate) async fn insert_token(tx: &mut Tx, token: &RefreshToken) -> Result<()> {
    tx.query(INSERT_TOKEN)
        .bind(token.hash.clone())
        .bind(token.sign_in_id)
        .bind(token.predecessor.clone())
        .bind(token.created_at)
        .bind(token.expires_at)
        .execute()
        .await?;
    Ok(())
}

const FIND_TOKEN: &str = "
    SELECT hash, sign_in_id, predecessor, created_at, expires_at, used_at, replaced_at
    FROM refresh_token
    WHERE hash = $1";

/// The refresh token with this hash.
pub(crate) async fn find_token(tx: &mut Tx, hash: &TokenHash) -> Result<Option<RefreshToken>> {
    let found = tx.query(FIND_TOKEN).bind(hash.clone());
    Ok(found.optional().await?)
}

const USE_TOKEN: &str = "UPDATE refresh_token SET used_at = $2 WHERE hash = $1";

/// Notes that a token was exchanged for a successor.
pub(crate) async fn use_token(tx: &mut Tx, hash: &TokenHash, now: DateTime<Utc>) -> Result<()> {
    let used = tx.query(USE_TOKEN).bind(hash.clone()).bind(now);
    used.execute().await?;
    Ok(())
}

const REPLACE_SUCCESSOR: &str = "
    UPDATE refresh_token
    SET replaced_at = $2
    WHERE predecessor = $1 AND replaced_at IS NULL AND used_at IS NULL";

/// Withdraws the unused successor of a token; false if it was used already.
pub(crate) async fn replace_successor(
    tx: &mut Tx,
    predecessor: &TokenHash,
    now: DateTime<Utc>,
) -> Result<bool> {
    let replaced = tx.query(REPLACE_SUCCESSOR).bind(predecessor.clone());
    Ok(replaced.bind(now).execute().await? == 1)
}

const PURGE: &str = "
    DELETE FROM sign_in
    WHERE expires_at < $1 OR ended_at < $2 OR last_used_at < $2";
const PURGE_TOKENS: &str = "DELETE FROM refresh_token WHERE expires_at < $1";

/// Forgets sign-ins that nobody can use any more, with their tokens; how many.
pub(crate) async fn purge(db: &Db, now: DateTime<Utc>, unused: DateTime<Utc>) -> Result<u64> {
    db.write(PURGE_TOKENS).bind(now).execute().await?;
    Ok(db.write(PURGE).bind(now).bind(unused).execute().await?)
}
