//! A session from chats of `SillyTavern`.
//!
//! The files are walked through twice ([`mod@walk`]): [`mod@survey`] learns who speaks, when it began and
//! what has to be adapted, which is all of a dry run; then the messages go to a graft.

mod fit;
mod items;
mod people;
mod stage;
mod survey;
mod walk;

use chrono::{DateTime, Utc};
use skald_base::{Error, Result, Viewer, viewer::SignedIn};
use tokio::sync::mpsc;

pub(super) use self::items::each_item;
use self::{
    people::Faces,
    survey::{Survey, survey},
    walk::{Found, walk},
};
use super::{
    ImportWish, Imported, Source,
    people::{People, Settled},
};
use crate::{
    app::App,
    interchange::silly_tavern::{Node, scion},
    request::Claim,
    session::{
        self, Session, SessionId, SessionMode, Settings,
        graft::{self, Claimed, Graft, Member, Stock},
    },
    store,
    tree::{Author, MessageRole},
};

/// Messages that wait to be stored.
const QUEUE: usize = 4;

/// Everybody of the story, as they are known here.
struct Company {
    survey: Survey,
    settled: Settled,
    faces: Faces,
}

/// Makes the session, or tells what would be made.
pub(super) async fn import(
    app: &App,
    viewer: &Viewer,
    (wish, id): (ImportWish, SessionId),
    (sources, claim): (Vec<Source>, Claim),
) -> Result<Imported> {
    let files = sources.clone();
    let reading = app.lifecycle.tasks().spawn_blocking(move || survey(&files));
    let mut survey = finished(&sources, reading.await)?;
    let first = sources.first().map_or("", |source| source.file_name.as_str());
    let about = (&survey.stage, &wish);
    let (people, faces) = people::find(app, viewer, about, (first, &mut survey.report)).await?;
    let report = survey.report.clone();
    if wish.dry_run {
        return Ok(Imported { session: None, report });
    }
    let made = make(app, viewer, (id, survey, people, faces), (&sources, &claim)).await?;
    super::conclude(app, &sources, made, report).await
}

/// What a reading of the files gave.
fn finished<T>(
    sources: &[Source],
    read: std::result::Result<std::result::Result<T, (usize, super::Flaw)>, tokio::task::JoinError>,
) -> Result<T> {
    let read = read.map_err(|_| Error::Internal("an import broke off".into()))?;
    read.map_err(|(file, flaw)| match sources.get(file) {
        Some(source) => super::refuse(source, &flaw),
        None => Error::Internal("an import read a file too many".into()),
    })
}

/// Stores the session; none if the same request did so meanwhile.
async fn make(
    app: &App,
    viewer: &Viewer,
    (id, survey, people, faces): (SessionId, Survey, People, Faces),
    (sources, claim): (&[Source], &Claim),
) -> Result<Option<Session>> {
    let Claimed::New(mut tx) = graft::claim(app, id, claim).await? else { return Ok(None) };
    let settled = people.settle(app, claim.user, &mut tx).await?;
    let company = Company { survey, settled, faces };
    let Company { survey, settled, .. } = &company;
    let stock = Stock {
        id,
        mode: SessionMode::Sandbox,
        settings: Settings { language: survey.language().into(), ..Settings::default() },
        persona_id: settled.persona(Some(0)),
        cast: company.members(),
        tags: Vec::new(),
        archived_at: None,
        forked: None,
        copies: settled.copies(),
    };
    let mut graft = *Graft::plant(app, tx, stock, claim).await?;
    let began_at = survey.began_at.unwrap_or_else(|| app.clock.now());
    let stored = async {
        store::import::insert(&app.db, id, &survey.report, began_at).await?;
        let user = viewer.user()?;
        store_messages(app, user, (sources, began_at), (&company, &mut graft)).await
    };
    if let Err(error) = stored.await {
        graft.discard().await;
        return Err(error);
    }
    let ends: Vec<u64> = survey.ends.iter().copied().flatten().collect();
    graft.finish(ends.last().copied(), &super::visits(app, &ends)).await?;
    session::get(app, viewer, id).await.map(Some)
}

/// Reads the files once more and stores their messages as they come.
async fn store_messages(
    app: &App,
    user: SignedIn,
    (sources, began_at): (&[Source], DateTime<Utc>),
    (company, graft): (&Company, &mut Graft<u64>),
) -> Result<()> {
    let (send, mut messages) = mpsc::channel::<Node>(QUEUE);
    let files = sources.to_vec();
    let reading = app.lifecycle.tasks().spawn_blocking(move || {
        walk(&files, began_at, &mut |_, found| match found {
            Found::Header(_) | Found::Skipped { .. } => true,
            Found::Message { nodes, .. } => {
                nodes.into_iter().all(|node| send.blocking_send(node).is_ok())
            }
        })
    });
    while let Some(node) = messages.recv().await {
        let author = company.author(user, &node);
        graft.add(scion(node, author, user.id)).await?;
    }
    let ends = finished(sources, reading.await)?;
    if ends != company.survey.ends || graft.len() != company.survey.report.messages {
        return Err(super::sent_anew());
    }
    Ok(())
}

impl Company {
    /// Who is on stage, under the names that the chats know.
    fn members(&self) -> Vec<Member> {
        let roles = self.survey.stage.cast.iter().map(|role| &role.name);
        // A character that the player named stands there even if nobody speaks.
        let names = roles.chain(self.faces.names.iter().skip(self.survey.stage.cast.len()));
        let member = |(place, name): (usize, &String)| Member {
            character_id: self.settled.character(Some(place)),
            name: name.clone(),
            avatar_url: self.faces.cast.get(place).cloned().flatten(),
        };
        names.enumerate().map(member).collect()
    }

    fn author(&self, user: SignedIn, node: &Node) -> Author {
        let Node { speaker, .. } = node;
        let author = Author { author_name: speaker.name.clone(), ..Author::default() };
        match speaker.role {
            MessageRole::Narrator | MessageRole::System => author,
            MessageRole::Player => {
                let is_player = self.survey.stage.player.as_ref() == Some(&speaker.name);
                let place = is_player.then_some(0);
                Author {
                    author_user_id: Some(user.id),
                    author_persona_id: self.settled.persona(place),
                    author_avatar_url: self.faces.player.clone().filter(|_| is_player),
                    ..author
                }
            }
            MessageRole::Character => {
                let place = self.survey.stage.place(speaker);
                let face = place.and_then(|place| self.faces.cast.get(place));
                Author {
                    author_character_id: self.settled.character(place),
                    author_avatar_url: face.cloned().flatten(),
                    ..author
                }
            }
        }
    }
}
