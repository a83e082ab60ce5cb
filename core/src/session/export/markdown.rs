//! Writes one path of a session as a text to read.

use async_stream::try_stream;
use bytes::Bytes;
use futures_util::Stream;
use skald_base::Result;

use super::{PAGE, prose::Words};
use crate::{
    app::App,
    session::Session,
    store,
    tree::{Message, MessageId},
};

/// The path to a leaf, or to the head; thoughts are left out.
pub(super) fn stream(
    app: App,
    session: Session,
    leaf: Option<MessageId>,
) -> impl Stream<Item = Result<Bytes>> {
    try_stream! {
        let words = Words::of(&session.settings.language);
        yield title_page(&app, &session, words).await?.into();
        let leaf = match leaf.or(session.head_id) {
            Some(leaf) => store::message::find(&mut app.db.reader(), leaf).await?,
            None => None,
        };
        let Some(leaf) = leaf else { return };
        for from in (0..=leaf.depth).step_by(usize::try_from(PAGE).unwrap_or(1)) {
            let to = leaf.depth.min(from + PAGE - 1);
            yield page(&app, &leaf, (from, to), words).await?.into();
        }
    }
}

async fn title_page(app: &App, session: &Session, words: Words) -> Result<String> {
    let cast = store::session::cast(&mut app.db.reader(), &[session.id]).await?;
    let cast: Vec<String> = cast.into_iter().map(|member| member.name).collect();
    let persona = match session.persona_id {
        Some(id) => store::persona::find_any(&mut app.db.reader(), id).await?,
        None => None,
    };
    let player = persona.map(|persona| persona.profile.name);
    Ok(words.title_page(session.settings.title.as_deref(), &cast, player.as_deref()))
}

async fn page(app: &App, leaf: &Message, (from, to): (i64, i64), words: Words) -> Result<String> {
    let mut reader = app.db.reader();
    let last = store::message::ancestor_at(&mut reader, leaf.id, to).await?.unwrap_or(leaf.id);
    let mut text = String::new();
    for step in store::message::path_up(&mut reader, &[last], to - from + 1).await? {
        let message = step.message;
        let (message, content) = text_so_far(app, message).await?;
        if !content.trim().is_empty() {
            let speaker = &message.author.author_name;
            text.push_str(&words.message(speaker, &content, message.hidden_from_prompt));
        }
    }
    Ok(text)
}

/// What is written of a message, finished or not.
async fn text_so_far(app: &App, message: Message) -> Result<(Message, String)> {
    let mut message = message;
    let mut draft = String::new();
    if message.status.is_running() {
        let reply = store::reply::find(&mut app.db.reader(), message.id).await?;
        message = super::beside(app, message, reply.as_ref()).await?;
        draft = reply.map(|reply| reply.draft_content).unwrap_or_default();
    }
    // One that continues another had its text before its first word.
    let content = if draft.is_empty() { message.content.clone() } else { draft };
    Ok((message, content))
}
