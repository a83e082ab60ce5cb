//! The lines of chats, read from the database some at a time.

use std::collections::HashMap;

use skald_base::{Error, Result};

use super::plan::{Names, Plan};
use crate::{
    app::App,
    character::CharacterId,
    file::name,
    interchange::silly_tavern::{Entry, Header, Speaker, Version},
    session::{CastMember, Session},
    store::{self, export::Told},
    tree::MessageId,
};

/// Bytes of text that are read at once, about: never less than one line.
const PAGE_BYTES: u64 = 1024 * 1024;
/// Messages that are read at once at most.
const PAGE: usize = 256;

/// The chats of a plan, line by line.
pub(super) struct Lines {
    app: App,
    plan: Plan,
    names: Names,
    header: Header,
    faces: HashMap<CharacterId, String>,
}

impl Lines {
    /// The chats of a session, called after this title.
    pub(super) async fn new(
        app: App,
        session: &Session,
        plan: Plan,
        title: String,
    ) -> Result<Self> {
        let cast = store::session::cast(&mut app.db.reader(), &[session.id]).await?;
        let persona = match session.persona_id {
            Some(id) => store::persona::find_any(&mut app.db.reader(), id).await?,
            None => None,
        };
        let header = Header {
            user_name: persona.map(|persona| persona.profile.name),
            character_name: cast.first().map(|member| member.name.clone()),
            created_at: Some(session.created_at),
            ..Header::default()
        };
        let names = Names { title, count: plan.chats.len() };
        Ok(Self { app, plan, names, header, faces: faces(&cast) })
    }

    /// What a chat is called, without its ending.
    pub(super) fn name(&self, chat: usize) -> String {
        self.names.of(chat)
    }

    /// The head of a chat, which names the one it branches off.
    pub(super) fn header(&self, chat: usize) -> Header {
        let off = self.plan.chats.get(chat).and_then(|chat| chat.off);
        Header { main_chat: off.map(|off| self.names.of(off)), ..self.header.clone() }
    }

    /// The messages of a chat, from the root.
    pub(super) fn path(&self, chat: usize) -> Vec<u32> {
        self.plan.chats.get(chat).map(|chat| self.plan.path(chat)).unwrap_or_default()
    }

    /// The next lines of a chat, and what is left of its path after them.
    pub(super) async fn next(&self, chat: usize, left: &mut &[u32]) -> Result<Vec<Entry>> {
        let (page, rest) = left.split_at(self.page_end(left));
        *left = rest;
        let swipes = page.iter().filter_map(|number| self.plan.tree.swipes(*number));
        let numbers = swipes.flat_map(|swipes| &swipes.nodes);
        let ids: Vec<MessageId> =
            numbers.filter_map(|number| Some(self.plan.tree.node(*number)?.id)).collect();
        let told = store::export::told(&self.app.db, &ids).await?;
        let mut told: HashMap<_, _> = told.into_iter().map(|told| (told.id, told)).collect();
        let entries = page.iter().map(|number| self.entry(chat, *number, &mut told));
        let entries = entries.collect::<Result<Vec<Option<Entry>>>>()?;
        Ok(entries.into_iter().flatten().collect())
    }

    /// How many messages of a path are read at once.
    fn page_end(&self, path: &[u32]) -> usize {
        let (mut bytes, mut count) = (0, 0);
        let is_full = |number: &u32| {
            let swipes = self.plan.tree.swipes(*number);
            bytes += swipes.map_or(0, |swipes| swipes.bytes);
            count += swipes.map_or(0, |swipes| swipes.nodes.len());
            bytes > PAGE_BYTES || count > PAGE
        };
        path.iter().position(is_full).map_or(path.len(), |end| end.max(1))
    }

    /// The line of a message; none if by now it says nothing.
    fn entry(
        &self,
        chat: usize,
        number: u32,
        told: &mut HashMap<MessageId, Told>,
    ) -> Result<Option<Entry>> {
        let tree = &self.plan.tree;
        let swipes = tree.swipes(number).map_or(&[][..], |swipes| &swipes.nodes);
        let (mut versions, mut selected, mut speaker) = (Vec::new(), None, None);
        for swipe in swipes {
            let found = tree.node(*swipe).and_then(|node| told.remove(&node.id));
            let gone = || Error::conflict("the session was erased meanwhile");
            let told = found.ok_or_else(gone)?;
            if told.content.trim().is_empty() {
                continue;
            }
            if *swipe == number {
                selected = Some(versions.len());
                speaker =
                    Some((self.speaker(&told), told.hidden_from_prompt, told.bookmark.clone()));
            }
            versions.push(version(told));
        }
        let Some((selected, (speaker, hidden, bookmark))) = selected.zip(speaker) else {
            return Ok(None);
        };
        let branches = self.plan.branches(chat, number);
        let branches = branches.iter().map(|chat| self.names.of(*chat)).collect();
        let adapted = Vec::new();
        Ok(Some(Entry { speaker, hidden, bookmark, branches, versions, selected, adapted }))
    }

    fn speaker(&self, told: &Told) -> Speaker {
        let avatar = told.author_character_id.and_then(|id| self.faces.get(&id).cloned());
        Speaker { role: told.role, name: told.author_name.clone(), avatar }
    }
}

fn version(told: Told) -> Version {
    Version {
        content: told.content,
        thought: told.thought,
        model: told.model,
        sent_at: Some(told.created_at),
        started_at: told.started_at,
        finished_at: told.finished_at,
    }
}

/// In a group, the files by which its members are told apart: none is called like another one.
fn faces(cast: &[CastMember]) -> HashMap<CharacterId, String> {
    let mut faces = HashMap::new();
    if cast.len() < 2 {
        return faces;
    }
    for member in cast {
        let Some(id) = member.character_id else { continue };
        let name = name::stem(&member.name);
        let is_free = |face: &String| !faces.values().any(|taken| taken == face);
        let mut names = (1..).map(|n| match n {
            1 => format!("{name}.png"),
            n => format!("{name}{n}.png"),
        });
        if let Some(face) = names.find(is_free) {
            faces.entry(id).or_insert(face);
        }
    }
    faces
}
