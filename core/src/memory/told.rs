//! What was told on a stretch of a path, ready to be asked. Pure.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    meaning::{Around, Seen},
    passage::cut,
    people::{Key, People},
    question::Question,
};
use crate::{
    embedding::{
        Scope, TextHash,
        fill::{Job, Place},
    },
    recall::{Cast, Hit, Index, Item, Meaning, Person, Query},
    session::SessionId,
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
    /// Of each passage by what its vector is found.
    hashes: Vec<TextHash>,
    around: Around,
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

/// Whom a question is about.
struct Asked {
    cast: Cast,
    addressed: Option<Person>,
    asking: Option<Person>,
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
            self.hashes.push(TextHash::of(text));
            let day = Some(message.created_at.date_naive());
            self.index.push(&Item { text, speaker, scene: self.scene, day });
            let (start, end) = (range.start, range.end);
            let (message, revision) = (message.id, message.revision);
            self.passages.push(Passage { message, revision, start, end });
        }
    }

    /// What comes to mind for a question, best first; at most so many passages.
    pub(super) fn rank(
        &self,
        question: &Question,
        seen: Option<&Seen>,
        most: usize,
    ) -> Vec<(Passage, Hit)> {
        let asked = self.asked(question);
        let cosines = seen.map(|seen| seen.sight.cosines());
        let around = seen.map(|seen| self.around.learn(&self.index, &seen.sight));
        let meaning = seen.zip(cosines.as_deref()).zip(around.as_deref());
        let meaning = meaning.map(|((seen, cosines), surroundings)| Meaning {
            cosines,
            surroundings,
            weights: seen.weights,
        });
        let hits = self.index.rank(&Query { meaning, ..asked.query(question) }, most);
        let found = |hit: Hit| Some((*self.passages.get(hit.item)?, hit));
        hits.into_iter().filter_map(found).collect()
    }

    /// What an embedder is asked of a question.
    pub(super) fn meant(&self, question: &Question) -> Option<String> {
        self.asked(question).query(question).meant()
    }

    /// By what the vectors of the passages are found.
    pub(super) fn hashes(&self) -> &[TextHash] {
        &self.hashes
    }

    /// These passages, to be embedded in this order.
    pub(super) fn job(&self, session: SessionId, passages: impl Iterator<Item = usize>) -> Job {
        let text = |item: usize| {
            let (hash, passage) = (self.hashes.get(item)?, self.passages.get(item)?);
            let Passage { message: id, start, end, .. } = *passage;
            Some((*hash, Place::Message { id, start, end }))
        };
        Job { scope: Scope::of(session), texts: passages.filter_map(text).collect() }
    }

    /// Whom a question is about.
    fn asked(&self, question: &Question) -> Asked {
        let mut people = self.people.clone();
        for (key, name) in &question.people {
            people.meet(key.clone(), name);
        }
        let mut person = |who: &Option<(Key, String)>| {
            who.as_ref().map(|(key, name)| people.meet(key.clone(), name))
        };
        let (addressed, asking) = (person(&question.addressed), person(&question.asking));
        Asked { cast: people.cast(), addressed, asking }
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
        let passage = size_of::<Passage>() + size_of::<TextHash>() + size_of::<(f32, bool)>();
        self.index.bytes() + self.passages.capacity() * passage + messages
    }
}

impl Asked {
    fn query<'a>(&'a self, question: &'a Question) -> Query<'a> {
        let Self { ref cast, addressed, asking } = *self;
        let (text, context) = (&*question.text, &*question.context);
        Query { text, context, cast, addressed, asking, meaning: None }
    }
}

/// By what the vectors of a message's passages are found.
pub(crate) fn hashes_of(content: &str) -> Vec<TextHash> {
    let passages = cut(content).into_iter();
    passages.filter_map(|range| content.get(range)).map(TextHash::of).collect()
}
