//! Revocations in SQL.

use chrono::{DateTime, Utc};
use skald_base::{Db, Ids, Kind, Result, Role, SignInId, Tx, UserId};

use crate::revocation::Revocation;

/// Marks ids of revocations; they are never shown.
enum RevocationKind {}
impl Kind for RevocationKind {
    const PREFIX: &'static str = "revocation";
}

#[derive(sqlx::FromRow)]
struct Row {
    sign_in_id: Option<SignInId>,
    account_id: Option<UserId>,
    role: Option<Role>,
    created_at: DateTime<Utc>,
}

const INSERT: &str = "
    INSERT INTO revocation (id, sign_in_id, account_id, role, created_at)
    VALUES ($1, $2, $3, $4, $5)";

/// Notes what access tokens do not know, for every process to read.
pub(crate) async fn insert(
    tx: &mut Tx,
    ids: &Ids,
    revocation: Revocation,
    now: DateTime<Utc>,
) -> Result<()> {
    let (sign_in, user, role) = match revocation {
        Revocation::SignInEnded(id) => (Some(id), None, None),
        Revocation::RoleChanged(id, role) => (None, Some(id), Some(role)),
    };
    tx.query(INSERT)
        .bind(ids.next::<RevocationKind>())
        .bind(sign_in)
        .bind(user)
        .bind(role)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

const SINCE: &str = "
    SELECT sign_in_id, account_id, role, created_at
    FROM revocation
    WHERE created_at > $1
    ORDER BY created_at, id";

/// What was revoked after `since` and when, oldest first.
pub(crate) async fn since(
    db: &Db,
    since: DateTime<Utc>,
) -> Result<Vec<(Revocation, DateTime<Utc>)>> {
    let rows: Vec<Row> = db.read(SINCE).bind(since).all().await?;
    let read = |row: Row| match (row.sign_in_id, row.account_id, row.role) {
        (Some(id), _, _) => Some((Revocation::SignInEnded(id), row.created_at)),
        (None, Some(id), Some(role)) => Some((Revocation::RoleChanged(id, role), row.created_at)),
        // A CHECK constraint rules this out.
        (None, None, _) | (None, Some(_), None) => None,
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

const LAST_ROLE_CHANGE: &str = "
    SELECT created_at
    FROM revocation
    WHERE account_id = $1
    ORDER BY created_at DESC
    LIMIT 1";

/// When a user's role changed last, as far as it is still noted.
pub(crate) async fn last_role_change(tx: &mut Tx, user: UserId) -> Result<Option<DateTime<Utc>>> {
    let last: Option<(DateTime<Utc>,)> = tx.query(LAST_ROLE_CHANGE).bind(user).optional().await?;
    Ok(last.map(|(at,)| at))
}

const PURGE: &str = "DELETE FROM revocation WHERE created_at < $1";

/// Forgets what was revoked before `before`.
pub(crate) async fn purge(db: &Db, before: DateTime<Utc>) -> Result<u64> {
    Ok(db.write(PURGE).bind(before).execute().await?)
}
