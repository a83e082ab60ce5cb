//! Writes a session as chats of `SillyTavern`: one path as one, or all of the tree in an archive.
//!
//! Such a chat is a path with swipes, so a tree is a chat for each leaf, and what branches share
//! is written in each of them. First the tree is read without its texts ([`mod@tree`]) and it is
//! planned which chats there are ([`mod@plan`]), how large they will be, too; then one chat after the
//! other is written, page by page ([`mod@lines`]).

mod archive;
mod lines;
mod plan;
mod tree;

use async_stream::try_stream;
use bytes::Bytes;
use futures_util::Stream;
use skald_base::{Error, Result, UserError, UserErrorCode};

use self::{
    archive::Archive,
    lines::Lines,
    plan::{Plan, Reading},
    tree::Tree,
};
use crate::{
    app::App,
    interchange::silly_tavern::{Entry, write},
    session::Session,
    store::{self, export::Bone, message::DepthCursor},
    tree::MessageId,
};

/// Messages of a tree at most; of more nobody could make a session again.
const MAX_MESSAGES: usize = 200_000;
/// Chats in an archive at most.
const MAX_CHATS: usize = 10_000;
/// Messages of which everything but the text is read at once.
const BONES: i64 = 2_048;
/// Bytes of an archive that wait before they go out.
const PIECE: usize = 64 * 1024;

/// The plan of the one chat that ends at `leaf`, if that is there, or else of all; a refusal if
/// they are too much.
pub(super) async fn plan(
    app: &App,
    session: &Session,
    leaf: Option<MessageId>,
) -> Result<Option<Plan>> {
    if let Some(leaf) = leaf {
        let most = i64::try_from(MAX_MESSAGES + 1).unwrap_or(i64::MAX);
        let mut tree = Tree::default();
        let bones = store::export::bones_of_path(&app.db, (session.id, leaf), most).await?;
        for bone in bones {
            tree.add(bone);
        }
        check_messages(&tree)?;
        return Ok(Plan::of_path(tree.whole(), leaf));
    }
    let tree = whole_tree(app, session).await?;
    let tips = store::export::tips(&app.db, session.id).await?;
    let plan = Plan::of_tree(tree, &Reading { head: session.head_id, tips });
    check_size(&plan, app.files.settings.export_bytes)?;
    Ok(Some(plan))
}

async fn whole_tree(app: &App, session: &Session) -> Result<Tree> {
    let mut tree = Tree::default();
    let mut after = DepthCursor::start();
    loop {
        let bones = store::export::bones(&app.db, session.id, after, BONES).await?;
        let Some(Bone { depth, created_at, id, .. }) = bones.last() else { break };
        after = DepthCursor::after(*depth, *created_at, *id);
        for bone in bones {
            tree.add(bone);
        }
        check_messages(&tree)?;
    }
    Ok(tree.whole())
}

fn check_messages(tree: &Tree) -> Result<()> {
    if tree.len() > MAX_MESSAGES {
        let message = format!("at most {MAX_MESSAGES} messages in this format: take NATIVE_JSON");
        return Err(too_much(message));
    }
    Ok(())
}

/// What branches share is in each of their chats, so a bushy tree may become very large.
fn check_size(plan: &Plan, most: u64) -> Result<()> {
    let (chats, bytes) = (plan.chats.len(), plan.sizes().iter().sum::<u64>());
    if chats > MAX_CHATS || bytes > most {
        let message = format!(
            "this story has {chats} chats of {bytes} bytes together, which is more than \
             {MAX_CHATS} or {most}: take one path with leafId, or NATIVE_JSON"
        );
        return Err(too_much(message));
    }
    Ok(())
}

fn too_much(message: String) -> Error {
    UserError::new(UserErrorCode::LimitExceeded, message).at("input.format").into()
}

/// The chat of one path.
pub(super) async fn chat(
    app: App,
    (session, title): (Session, String),
    plan: Plan,
) -> Result<impl Stream<Item = Result<Bytes>>> {
    let lines = Lines::new(app, &session, plan, title).await?;
    Ok(try_stream! {
        yield write::header(&lines.header(0)).into();
        let path = lines.path(0);
        let mut left = path.as_slice();
        while !left.is_empty() {
            let entries = lines.next(0, &mut left).await?;
            yield entries.iter().map(write::entry).collect::<String>().into();
        }
    })
}

/// An archive of all chats, which are called after the title.
pub(super) async fn archive(
    app: App,
    (session, title): (Session, String),
    plan: Plan,
) -> Result<impl Stream<Item = Result<Bytes>>> {
    let (last, sizes) = (session.last_activity_at, plan.sizes());
    let lines = Lines::new(app.clone(), &session, plan, title).await?;
    Ok(try_stream! {
        let mut archive = Archive::new();
        for (chat, size) in sizes.into_iter().enumerate() {
            let name = format!("{}.jsonl", lines.name(chat));
            archive.begin(&name, size, last).map_err(|error| broken(&error))?;
            archive.write(&write::header(&lines.header(chat))).map_err(|error| broken(&error))?;
            let path = lines.path(chat);
            let mut left = path.as_slice();
            while !left.is_empty() {
                let entries = lines.next(chat, &mut left).await?;
                archive = written(&app, archive, entries).await?;
                if let Some(piece) = archive.take(PIECE) {
                    yield piece;
                }
            }
        }
        yield archive.finish().map_err(|error| broken(&error))?;
    })
}

/// Packs lines on a thread that has time for it.
async fn written(app: &App, mut archive: Archive, entries: Vec<Entry>) -> Result<Archive> {
    let packing = app.lifecycle.tasks().spawn_blocking(move || {
        let packed = entries.iter().try_for_each(|entry| archive.write(&write::entry(entry)));
        packed.map(|()| archive)
    });
    let packed = packing.await.map_err(|_| Error::Internal("an export broke off".into()))?;
    packed.map_err(|error| broken(&error))
}

fn broken(error: &std::io::Error) -> Error {
    Error::Internal(format!("archive: {error}"))
}
