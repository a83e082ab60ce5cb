//! SQL on files: the key of links, and uploads.

use chrono::{DateTime, Utc};
use skald_base::{Db, Result, Tx, UserId, db::Source};

use crate::file::upload::{Upload, UploadId};

macro_rules! columns {
    () => {
        "id, user_id, file_name, byte_size, max_bytes, received_bytes, created_at, expires_at"
    };
}

/// Keeps the key that is there, if there is one.
pub(crate) async fn insert_key(db: &Db, secret: Vec<u8>, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "
        INSERT INTO file_key (id, secret, created_at) VALUES (1, $1, $2)
        ON CONFLICT (id) DO NOTHING";
    db.write(SQL).bind(secret).bind(now).execute().await?;
    Ok(())
}

pub(crate) async fn key(db: &Db) -> Result<Vec<u8>> {
    let (secret,): (Vec<u8>,) = db.read("SELECT secret FROM file_key WHERE id = 1").one().await?;
    Ok(secret)
}

pub(crate) async fn insert_upload(tx: &mut Tx, upload: &Upload) -> Result<()> {
    const SQL: &str = "
        INSERT INTO upload (id, user_id, file_name, byte_size, max_bytes, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.query(SQL)
        .bind(upload.id)
        .bind(upload.user_id)
        .bind(upload.file_name.clone())
        .bind(upload.byte_size)
        .bind(upload.max_bytes)
        .bind(upload.created_at)
        .bind(upload.expires_at)
        .execute()
        .await?;
    Ok(())
}

/// A user's upload, if it is not used and not expired.
pub(crate) async fn find_upload(
    source: &mut impl Source,
    id: UploadId,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Option<Upload>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM upload WHERE id = $1 AND user_id = $2 AND expires_at > $3"
    );
    Ok(source.sql(SQL).bind(id).bind(user).bind(now).optional().await?)
}

/// How many uploads of a user wait, and how many bytes they have, or may have, together.
pub(crate) async fn waiting(tx: &mut Tx, user: UserId, now: DateTime<Utc>) -> Result<(i64, i64)> {
    const SQL: &str = "
        SELECT count(*), CAST(coalesce(sum(coalesce(received_bytes, max_bytes)), 0) AS BIGINT)
        FROM upload
        WHERE user_id = $1 AND expires_at > $2";
    Ok(tx.query(SQL).bind(user).bind(now).one().await?)
}

/// Notes that all bytes are there; false if the upload was used or swept meanwhile.
pub(crate) async fn set_received(db: &Db, id: UploadId, bytes: i64) -> Result<bool> {
    const SQL: &str = "UPDATE upload SET received_bytes = $2 WHERE id = $1";
    Ok(db.write(SQL).bind(id).bind(bytes).execute().await? == 1)
}

/// Forgets uploads that were used.
pub(crate) async fn delete_uploads(db: &Db, ids: &[UploadId]) -> Result<()> {
    db.write("DELETE FROM upload WHERE id IN (..)").bind_list(ids).execute().await?;
    Ok(())
}

pub(crate) async fn delete_expired(db: &Db, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "DELETE FROM upload WHERE expires_at <= $1";
    db.write(SQL).bind(now).execute().await?;
    Ok(())
}

/// Which of these uploads there are.
pub(crate) async fn existing(db: &Db, ids: &[UploadId]) -> Result<Vec<UploadId>> {
    let rows: Vec<(UploadId,)> =
        db.read("SELECT id FROM upload WHERE id IN (..)").bind_list(ids).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
