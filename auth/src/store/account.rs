//! Accounts in SQL.

use chrono::{DateTime, Utc};
use skald_base::{
    Db, Result, Role, Tx, UserId,
    graph::{Page, parse_time_cursor},
};

use crate::{
    account::{Account, Credentials, NewAccount, ProfileChange, Search},
    name::Login,
};

const INSERT: &str = "
    INSERT INTO account (id, username, username_key, username_skeleton, username_look, email,
        email_key, password_hash, role, display_name, birth_date, client_request_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

/// Adds an account; a name that somebody has is a unique violation.
pub(crate) async fn insert(tx: &mut Tx, new: &NewAccount) -> Result<()> {
    let account = &new.account;
    tx.query(INSERT)
        .bind(account.id)
        .bind(account.username.clone())
        .bind(new.username_key.clone())
        .bind(new.username_skeleton.clone())
        .bind(new.username_look.clone())
        .bind(account.email.clone())
        .bind(new.email_key.clone())
        .bind(new.password_hash.clone())
        .bind(account.role)
        .bind(account.display_name.clone())
        .bind(account.birth_date)
        .bind(new.client_request_id.clone())
        .bind(account.created_at)
        .execute()
        .await?;
    Ok(())
}

const FIND_MANY: &str = "
    SELECT id, username, email, role, display_name, avatar_url, about, birth_date, created_at
    FROM account
    WHERE id IN (..)";

/// The accounts with these ids, in any order.
pub(crate) async fn find_many(db: &Db, ids: &[UserId]) -> Result<Vec<Account>> {
    Ok(db.read(FIND_MANY).bind_list(ids).all().await?)
}

const FIND: &str = "
    SELECT id, username, email, role, display_name, avatar_url, about, birth_date, created_at
    FROM account
    WHERE id = $1";

/// The account with this id.
pub(crate) async fn find(db: &Db, id: UserId) -> Result<Option<Account>> {
    Ok(db.read(FIND).bind(id).optional().await?)
}

/// The account with this id, as a transaction sees it.
pub(crate) async fn find_in(tx: &mut Tx, id: UserId) -> Result<Option<Account>> {
    Ok(tx.query(FIND).bind(id).optional().await?)
}

const FIND_BY_USERNAME: &str = "
    SELECT id, username, email, role, display_name, avatar_url, about, birth_date, created_at
    FROM account
    WHERE username_key = $1";

/// The account with this folded username.
pub(crate) async fn find_by_username(db: &Db, key: &str) -> Result<Option<Account>> {
    let found = db.read(FIND_BY_USERNAME).bind(key.to_owned());
    Ok(found.optional().await?)
}

const CREDENTIALS: &str = "SELECT id, password_hash FROM account WHERE id = $1";
const CREDENTIALS_BY_USERNAME: &str =
    "SELECT id, password_hash FROM account WHERE username_key = $1";
const CREDENTIALS_BY_EMAIL: &str = "SELECT id, password_hash FROM account WHERE email_key = $1";
const CREDENTIALS_BY_REQUEST: &str = "
    SELECT id, password_hash
    FROM account
    WHERE client_request_id = $1 AND username_key = $2 AND email_key = $3";

/// The hash of a user's password.
pub(crate) async fn credentials(db: &Db, id: UserId) -> Result<Option<Credentials>> {
    Ok(db.read(CREDENTIALS).bind(id).optional().await?)
}

/// Whom somebody claims to be.
pub(crate) async fn credentials_by_login(db: &Db, login: &Login) -> Result<Option<Credentials>> {
    let (sql, key) = match login {
        Login::Username(key) => (CREDENTIALS_BY_USERNAME, key),
        Login::Email(key) => (CREDENTIALS_BY_EMAIL, key),
    };
    Ok(db.read(sql).bind(key.clone()).optional().await?)
}

/// The account that this very registration made before.
pub(crate) async fn credentials_by_request(
    db: &Db,
    new: &NewAccount,
) -> Result<Option<Credentials>> {
    let found = db
        .read(CREDENTIALS_BY_REQUEST)
        .bind(new.client_request_id.clone())
        .bind(new.username_key.clone())
        .bind(new.email_key.clone());
    Ok(found.optional().await?)
}

const UPDATE_PROFILE: &str = "
    UPDATE account
    SET display_name = $2, about = $3, avatar_url = $4, birth_date = $5
    WHERE id = $1";

/// Stores a changed profile.
pub(crate) async fn update_profile(db: &Db, id: UserId, change: ProfileChange) -> Result<()> {
    db.write(UPDATE_PROFILE)
        .bind(id)
        .bind(change.display_name)
        .bind(change.about)
        .bind(change.avatar_url)
        .bind(change.birth_date)
        .execute()
        .await?;
    Ok(())
}

const SET_PASSWORD: &str = "UPDATE account SET password_hash = $2 WHERE id = $1";

/// Stores the hash of a new password.
pub(crate) async fn set_password(tx: &mut Tx, id: UserId, hash: &str) -> Result<()> {
    let set = tx.query(SET_PASSWORD).bind(id).bind(hash.to_owned());
    set.execute().await?;
    Ok(())
}

const STRENGTHEN: &str = "
    UPDATE account
    SET password_hash = $3
    WHERE id = $1 AND password_hash = $2";

/// Puts a stronger hash of the same password in place, unless the password changed meanwhile;
/// the credentials as they are, if it did not.
pub(crate) async fn strengthen(db: &Db, old: Credentials, hash: String) -> Result<Credentials> {
    let write = db.write(STRENGTHEN).bind(old.id).bind(old.password_hash.clone());
    let changed = write.bind(hash.clone()).execute().await?;
    Ok(if changed == 1 { Credentials { password_hash: hash, ..old } } else { old })
}

const LOCK: &str = "SELECT id, password_hash FROM account WHERE id = $1 AND password_hash = $2";
const LOCK_POSTGRES: &str = "
    SELECT id, password_hash
    FROM account
    WHERE id = $1 AND password_hash = $2
    FOR UPDATE";

/// Locks an account whose password is still this one; false if it is not.
pub(crate) async fn lock_credentials(tx: &mut Tx, known: &Credentials) -> Result<bool> {
    let sql = tx.pick(LOCK, LOCK_POSTGRES);
    let lock = tx.query(sql).bind(known.id).bind(known.password_hash.clone());
    Ok(lock.optional::<Credentials>().await?.is_some())
}

const SET_ROLE: &str = "UPDATE account SET role = $2 WHERE id = $1";

/// Stores a role; false if there is no such account.
pub(crate) async fn set_role(tx: &mut Tx, id: UserId, role: Role) -> Result<bool> {
    let changed = tx.query(SET_ROLE).bind(id).bind(role).execute().await?;
    Ok(changed == 1)
}

const LIST: &str = "
    SELECT id, username, email, role, display_name, avatar_url, about, birth_date, created_at
    FROM account
    WHERE ($1 IS NULL OR username_key LIKE $1 ESCAPE '!' OR email_key = $2)
        AND ($3 IS NULL OR (created_at, id) < ($3, $4))
    ORDER BY created_at DESC, id DESC
    LIMIT $5";

/// A page of accounts and one more, newest first.
pub(crate) async fn list(db: &Db, search: &Search, page: &Page) -> Result<Vec<Account>> {
    let after = page.after.as_deref();
    let after: Option<(DateTime<Utc>, UserId)> =
        after.map(|cursor| parse_time_cursor("after", cursor)).transpose()?;
    let rows = db
        .read(LIST)
        .bind(search.username_pattern())
        .bind(search.email_key())
        .bind(after.map(|(at, _)| at))
        .bind(after.map(|(_, id)| id))
        .bind(page.limit());
    Ok(rows.all().await?)
}

const COUNT: &str = "
    SELECT count(*)
    FROM account
    WHERE ($1 IS NULL OR username_key LIKE $1 ESCAPE '!' OR email_key = $2)";

/// How many accounts a search finds.
pub(crate) async fn count(db: &Db, search: &Search) -> Result<i64> {
    let count = db.read(COUNT).bind(search.username_pattern()).bind(search.email_key());
    let (count,): (i64,) = count.one().await?;
    Ok(count)
}
