//! Stories go into the database directly: played through the API they would take days.
//!
//! Account, session and greeting are made through the API, so that whose they are is the
//! program's own doing; what follows is the same text for both databases.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};
use skald_base::Db;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::tree::{Node, Tree};

/// Rows of one statement; PostgreSQL takes 65,535 values, SQLite half of that.
const ROWS: usize = 500;

const WORDS: [&str; 24] = [
    "the", "lantern", "swung", "over", "a", "dark", "stair", "and", "nobody", "answered", "when",
    "she", "called", "his", "name", "again", "rain", "ran", "down", "every", "window", "of", "old",
    "house",
];

/// The message at which a session of the API begins.
pub(crate) async fn root_of(db: &Db, session: Uuid) -> Result<Uuid> {
    const SQL: &str = "SELECT head_id FROM session WHERE id = $1";
    let (root,): (Uuid,) = db.read(SQL).bind(session).one().await.context("no greeting")?;
    Ok(root)
}

/// Stores a story below the session's greeting; its head is the end of the main path.
pub(crate) async fn story(db: &Db, session: Uuid, tree: &Tree) -> Result<()> {
    const HEAD: &str = "UPDATE session SET head_id = $2 WHERE id = $1";
    let first = first_moment(db, session, tree).await?;
    let numbers: Vec<usize> = (1..tree.nodes.len()).collect();
    for chunk in numbers.chunks(ROWS) {
        messages(db, session, tree, (chunk, first)).await?;
    }
    let mut tips: Vec<(usize, usize)> =
        tree.forks.iter().map(|fork| (fork.top, fork.leaf)).collect();
    tips.push((0, tree.leaf()));
    db.write("DELETE FROM branch_tip WHERE session_id = $1").bind(session).execute().await?;
    for chunk in tips.chunks(ROWS) {
        branch_tips(db, session, tree, (chunk, first)).await?;
    }
    let head = tree.node(tree.leaf()).id;
    db.write(HEAD).bind(session).bind(head).execute().await?;
    Ok(())
}

/// When the greeting would have been written, had the story been played until now.
async fn first_moment(db: &Db, session: Uuid, tree: &Tree) -> Result<DateTime<Utc>> {
    const SQL: &str = "SELECT created_at FROM session WHERE id = $1";
    let (now,): (DateTime<Utc>,) = db.read(SQL).bind(session).one().await?;
    Ok(now - pace(tree.nodes.len()))
}

/// The story grew by one message every few seconds.
fn pace(messages: usize) -> Duration {
    Duration::seconds(7 * i64::try_from(messages).unwrap_or(i64::MAX / 7))
}

async fn messages(
    db: &Db,
    session: Uuid,
    tree: &Tree,
    (numbers, first): (&[usize], DateTime<Utc>),
) -> Result<()> {
    let sql = format!(
        "INSERT INTO message (session_id, id, parent_id, depth, jump_id, jump_depth, role,
            author_name, content, created_at, status, revision, hidden_from_prompt)
         VALUES {}",
        rows(numbers.len(), 10, ", 'COMPLETE', 1, FALSE")
    );
    let mut query = db.write(AssertSqlSafe(sql));
    for number in numbers {
        let Node { id, parent, depth, jump } = tree.node(*number);
        let (role, name) = if depth % 2 == 0 { ("CHARACTER", "Mira") } else { ("PLAYER", "Freya") };
        let jump = jump.map(|jump| tree.node(jump));
        query = query
            .bind(session)
            .bind(id)
            .bind(parent.map(|parent| tree.node(parent).id))
            .bind(i64::try_from(depth)?)
            .bind(jump.map(|jump| jump.id))
            .bind(i64::try_from(jump.map_or(0, |jump| jump.depth))?)
            .bind(role)
            .bind(name)
            .bind(text(*number))
            .bind(first + pace(*number));
    }
    query.execute().await?;
    Ok(())
}

/// Where the player has been: to the end of each branch, and on the main path now.
async fn branch_tips(
    db: &Db,
    session: Uuid,
    tree: &Tree,
    (tips, first): (&[(usize, usize)], DateTime<Utc>),
) -> Result<()> {
    let sql = format!(
        "INSERT INTO branch_tip (session_id, top_id, leaf_id, visited_at) VALUES {}",
        rows(tips.len(), 4, "")
    );
    let mut query = db.write(AssertSqlSafe(sql));
    for (top, leaf) in tips {
        query = query.bind(session).bind(tree.node(*top).id).bind(tree.node(*leaf).id);
        query = query.bind(first + pace(*leaf));
    }
    query.execute().await?;
    Ok(())
}

/// Places for so many rows of so many values, each followed by the same constants.
fn rows(count: usize, values: usize, constants: &str) -> String {
    let mut text = String::new();
    for row in 0..count {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for value in 0..values {
            let comma = if value == 0 { "" } else { ", " };
            // Writing to a string cannot fail.
            let _always_ok = write!(text, "{comma}${}", row * values + value + 1);
        }
        text.push_str(constants);
        text.push(')');
    }
    text
}

/// A text of 200 to 800 bytes, another one for each number.
fn text(number: usize) -> String {
    let mut state = number.wrapping_mul(2_654_435_761) ^ 0x9e37;
    let length = 200 + state % 600;
    let mut text = format!("({number})");
    while text.len() < length - 10 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push(' ');
        text.push_str(WORDS.get((state >> 33) % WORDS.len()).copied().unwrap_or_default());
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_as_long_as_messages_are() {
        for number in 0..5000 {
            assert!((190..=800).contains(&text(number).len()), "{}", text(number));
        }
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn rows_have_places_of_their_own() {
        assert_eq!(rows(2, 2, ", TRUE"), "($1, $2, TRUE), ($3, $4, TRUE)");
    }
}
