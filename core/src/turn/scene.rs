//! Reading what a prompt is made of.

use skald_base::{Error, Result};

use super::{Job, Speaker};
use crate::{
    app::App,
    prompt::{Begun, Scene, budget::MOST_MESSAGES},
    session::{Session, SessionId},
    store,
    tree::MessageId,
};

/// Which scene to read.
#[derive(Clone, Debug)]
pub(super) struct SceneKey {
    pub(super) session: SessionId,
    /// The message above the reply.
    pub(super) parent: Option<MessageId>,
    /// How deep the reply stands.
    pub(super) depth: i64,
    /// What was asked.
    pub(super) job: Job,
    /// What it goes on from, if it does not begin anew.
    pub(super) begun: Option<Begun>,
}

/// How much of the path to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// From where the last prompt's history began.
    AsBefore,
    /// As much as a prompt may ever hold.
    Most,
    /// The last messages alone: what a question is made of.
    Last,
}

/// Messages that are enough to see what was said last, though some be hidden.
const LAST: i64 = 16;

pub(super) async fn read(app: &App, key: &SceneKey, reach: Reach) -> Result<Scene> {
    let mut reader = app.db.reader();
    let session: Option<Session> = store::session::find_any(&mut reader, key.session).await?;
    let missing = || Error::Internal("a reply without its session".into());
    let session = session.ok_or_else(missing)?;
    let most = i64::try_from(MOST_MESSAGES).unwrap_or(i64::MAX);
    let (mut path, mut began_with) = (Vec::new(), None);
    if let Some(parent) = key.parent {
        let beginning = store::prompt::last_beginning(&mut reader, parent).await?;
        began_with = beginning.map(|(id, _)| id);
        let limit = match (beginning, reach) {
            (_, Reach::Last) => LAST,
            (Some((_, depth)), Reach::AsBefore) => (key.depth - depth).clamp(1, most),
            (None, Reach::AsBefore) | (_, Reach::Most) => most,
        };
        path = store::message::path_up(&mut reader, &[parent], limit).await?;
    }
    let persona = match session.persona_id {
        Some(id) => store::persona::find_any(&mut reader, id).await?,
        None => None,
    };
    let cast = store::session::cast(&mut reader, &[session.id]).await?;
    let speaker = match &key.job.speaker {
        Speaker::Character { id, .. } => *id,
        Speaker::Player | Speaker::Narrator { .. } => None,
    };
    let mut ids: Vec<_> = cast.iter().filter_map(|member| member.character_id).collect();
    ids.extend(speaker.filter(|speaker| !ids.contains(speaker)));
    let characters = store::character::by_ids(&app.db, &ids).await?;
    Ok(Scene {
        session,
        persona,
        cast,
        characters,
        job: key.job.clone(),
        path: path.into_iter().map(|step| step.message).collect(),
        depth: key.depth,
        began_with,
        begun: key.begun.clone(),
    })
}
