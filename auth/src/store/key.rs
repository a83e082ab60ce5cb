//! Signing keys in SQL.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result};

use crate::key::StoredKey;

const LIST: &str = "
    SELECT kid, private_key, sealed, created_at, retired_at
    FROM signing_key
    WHERE retired_at IS NULL OR retired_at > $1
    ORDER BY created_at DESC, kid";

/// The keys that sign, or retired after `since`; newest first.
pub(crate) async fn list(db: &Db, since: DateTime<Utc>) -> Result<Vec<StoredKey>> {
    Ok(db.read(LIST).bind(since).all().await?)
}

const RETIRE: &str = "UPDATE signing_key SET retired_at = $1 WHERE retired_at IS NULL";
const INSERT: &str = "
    INSERT INTO signing_key (kid, private_key, sealed, created_at)
    VALUES ($1, $2, $3, $4)";

/// Makes a new key the one that signs; those before it only verify from now on.
pub(crate) async fn take_over(db: &Db, key: &StoredKey) -> Result<()> {
    let mut tx = db.begin().await?;
    tx.query(RETIRE).bind(key.created_at).execute().await?;
    tx.query(INSERT)
        .bind(key.kid.clone())
        .bind(key.private_key.clone())
        .bind(key.sealed)
        .bind(key.created_at)
        .execute()
        .await?;
    Ok(tx.commit().await?)
}

const REMOVE: &str = "DELETE FROM signing_key WHERE kid = $1";

/// Forgets a key.
pub(crate) async fn remove(db: &Db, kid: &str) -> Result<()> {
    db.write(REMOVE).bind(kid.to_owned()).execute().await?;
    Ok(())
}

const PURGE: &str = "DELETE FROM signing_key WHERE retired_at < $1";

/// Forgets keys that retired before `since`.
pub(crate) async fn purge(db: &Db, since: DateTime<Utc>) -> Result<u64> {
    Ok(db.write(PURGE).bind(since).execute().await?)
}
