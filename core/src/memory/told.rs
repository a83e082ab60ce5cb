//! What was told on a stretch of a path, ready to be asked. Pure.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    passage::cut,
    people::{Key, People},
    question::Question,
};
use crate::{
    recall::{Hit, Index, Item, Query},
    tree::{Author, MessageId, MessageRole, MessageStatus},
};

/// After a pause of this length another scene begins.
const PAUSE: TimeDelta = TimeDelta::hours(6);

/// A message of a path, without what never comes to mind.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Heard {
    pub(crate) id: MessageId,
    pub(crate) depth: i64,
    pub(crate) role: MessageRole,
    #[sqlx(flatten)]
    pub(crate) author: Author,
    pub(crate) content: String,
    pub(crate) revision: i64,
    pub(crate) status: MessageStatus,
    pub(crate) hidden_from_prompt: bool,
    pub(crate) created_at: DateTime<Utc>,
}

/// What was told on a stretch of a path.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    index: Index,
    /// In the order of telling, as in the index.
    passages: Vec<Passage>,
    people: People,
    /// All messages of the stretch, those that cannot come to mind too.
    messages: HashSet<MessageId>,
    scene: u32,
    last_at: Option<DateTime<Utc>>,
}

/// Where the text of a passage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    pub(super) message: MessageId,
    pub(super) revision: i64,
    /// In bytes.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Told {
    /// Hears the next message.
    pub(super) fn hear(&mut self, message: &Heard) {
        self.messages.insert(message.id);
        if message.hidden_from_prompt
            || message.status.is_running()
            || message.content.trim().is_empty()
        {
            return;
        }
        if self.last_at.is_some_and(|last| message.created_at - last > PAUSE) {
            self.scene += 1;
        }
        self.last_at = Some(message.created_at);
        let key = Key::of(message.role, &message.author);
        let speaker = key.map(|key| self.people.meet(key, &message.author.author_name));
        for range in cut(&message.content) {
            let text = message.content.get(range.clone()).unwrap_or_default();
            let day = Some(message.created_at.date_naive());
            self.index.push(&Item { text, speaker, scene: self.scene, day });
            let (start, end) = (range.start, range.end);
            let (message, revision) = (message.id, message.revision);
            self.passages.push(Passage { message, revision, start, end });
        }
    }

    /// What comes to mind for a question, best first; at most so many passages.
    pub(super) fn rank(&self, question: &Question, most: usize) -> Vec<(Passage, Hit)> {
        let mut people = self.people.clone();
        for (key, name) in &question.people {
            people.meet(key.clone(), name);
        }
        let mut person = |who: &Option<(Key, String)>| {
            who.as_ref().map(|(key, name)| people.meet(key.clone(), name))
        };
        let (addressed, asking) = (person(&question.addressed), person(&question.asking));
        let (text, context, cast) = (&*question.text, &*question.context, &people.cast());
        let query = Query { text, context, cast, addressed, asking, meaning: None };
        let hits = self.index.rank(&query, most);
        let found = |hit: Hit| Some((*self.passages.get(hit.item)?, hit));
        hits.into_iter().filter_map(found).collect()
    }

    /// How many passages these messages have.
    pub(super) fn passages_of(&self, messages: &[MessageId]) -> usize {
        let is_meant = |passage: &&Passage| messages.contains(&passage.message);
        self.passages.iter().rev().filter(is_meant).count()
    }

    /// Whether a message stands on the stretch.
    pub(super) fn holds(&self, message: MessageId) -> bool {
        self.messages.contains(&message)
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let messages = self.messages.capacity() * (size_of::<MessageId>() + 1);
        self.index.bytes() + self.passages.capacity() * size_of::<Passage>() + messages
    }
}
