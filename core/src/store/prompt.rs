//! SQL on prompts: blocks that are stored once for a session, and plans made of them.

use std::collections::HashMap;

use skald_base::{Db, Result, Tx, db::Source};
use sqlx::types::Json;

use crate::{
    prompt::{
        Block, BlockSource,
        record::{BlockRecord, PlanRecord},
    },
    session::SessionId,
    tree::MessageId,
};

/// The numbers of these blocks, in their order; new ones are stored.
///
/// The session has to be locked, so that no number is given twice.
pub(crate) async fn number_blocks(
    tx: &mut Tx,
    session: SessionId,
    blocks: &[Block],
) -> Result<Vec<i64>> {
    const KNOWN: &str = "
        SELECT hash, number FROM prompt_block WHERE session_id = $1 AND hash IN (..)";
    const LAST: &str = "
        SELECT CAST(coalesce(max(number), 0) AS BIGINT) FROM prompt_block WHERE session_id = $1";
    let hashes: Vec<Vec<u8>> = blocks.iter().map(Block::hash).collect();
    let known = tx.query(KNOWN).bind(session).bind_list(&hashes).all().await?;
    let mut known: HashMap<Vec<u8>, i64> = known.into_iter().collect();
    let mut numbers = Vec::with_capacity(blocks.len());
    let mut last = None;
    for (block, hash) in blocks.iter().zip(hashes) {
        if let Some(number) = known.get(&hash) {
            numbers.push(*number);
            continue;
        }
        let before = match last {
            Some(last) => last,
            None => tx.query(LAST).bind(session).one::<(i64,)>().await?.0,
        };
        let number = before + 1;
        insert(tx, (session, number), &hash, block).await?;
        known.insert(hash, number);
        numbers.push(number);
        last = Some(number);
    }
    Ok(numbers)
}

async fn insert(
    tx: &mut Tx,
    (session, number): (SessionId, i64),
    hash: &[u8],
    block: &Block,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO prompt_block (session_id, number, hash, kind, role, source, text)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.query(SQL)
        .bind(session)
        .bind(number)
        .bind(hash.to_vec())
        .bind(block.kind)
        .bind(block.role)
        .bind(block.source.map(BlockSource::id))
        .bind(block.text.clone())
        .execute()
        .await?;
    Ok(())
}

/// Stores a reply's plan; one of a later attempt stays.
pub(crate) async fn save(tx: &mut Tx, plan: &PlanRecord) -> Result<()> {
    const SQL: &str = "
        INSERT INTO prompt_plan (message_id, session_id, attempt, began_with, plan)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (message_id) DO UPDATE
        SET attempt = excluded.attempt, began_with = excluded.began_with, plan = excluded.plan
        WHERE prompt_plan.attempt <= excluded.attempt";
    tx.query(SQL)
        .bind(plan.message_id)
        .bind(plan.session_id)
        .bind(plan.attempt)
        .bind(plan.began_with)
        .bind(Json(plan.plan.0.clone()))
        .execute()
        .await?;
    Ok(())
}

/// Where the history of the nearest planned reply at or above a message began, and how deep.
pub(crate) async fn last_beginning(
    source: &mut impl Source,
    message: MessageId,
) -> Result<Option<(MessageId, i64)>> {
    const SQL: &str = "
        WITH RECURSIVE up (id, parent_id, n) AS (
            SELECT id, parent_id, 1 FROM message WHERE id = $1
            UNION ALL
            SELECT m.id, m.parent_id, up.n + 1
            FROM up JOIN message m ON m.id = up.parent_id
            WHERE up.n < 16
        )
        SELECT m.id, m.depth
        FROM up
        JOIN prompt_plan p ON p.message_id = up.id
        JOIN message m ON m.id = p.began_with
        ORDER BY up.n
        LIMIT 1";
    Ok(source.sql(SQL).bind(message).optional().await?)
}

/// For a `DataLoader`: the plans of these replies.
pub(crate) async fn plans(db: &Db, ids: &[MessageId]) -> Result<Vec<PlanRecord>> {
    const SQL: &str = "
        SELECT message_id, session_id, attempt, began_with, plan
        FROM prompt_plan
        WHERE message_id IN (..)";
    Ok(db.read(SQL).bind_list(ids).all().await?)
}

/// These blocks of a session, in no order.
pub(crate) async fn blocks(
    db: &Db,
    session: SessionId,
    numbers: &[i64],
) -> Result<Vec<BlockRecord>> {
    const SQL: &str = "
        SELECT number, kind, role, source, text
        FROM prompt_block
        WHERE session_id = $1 AND number IN (..)";
    Ok(db.read(SQL).bind(session).bind_list(numbers).all().await?)
}
