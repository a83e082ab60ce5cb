//! Batched reads: a nested page costs a fixed number of statements.
//!
//! One loader answers every kind of key. It is made for one operation and
//! caches nothing, so rows never leak between viewers and an event of a
//! subscription never shows an old row.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::Hash,
};

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::runtime::{TokioSpawner, TokioTimer};
use skald_base::{Error, UserId, Viewer};
use uuid::Uuid;

use crate::{
    app::App,
    character::{Character, CharacterId},
    fact::{Fact, FactId},
    lorebook::{
        Lorebook, LorebookId,
        entry::{LoreEntry, LoreEntryId},
    },
    persona::{Persona, PersonaId},
    prompt::record::{BlockRecord, PlanRecord, Runs},
    session::{CastMember, Session, SessionId},
    store::{self, alternatives::Sibling, memory::Wording},
    tree::{AlternativesKey, Below, Message, MessageId, outline::TreeStats},
    turn::Reply,
    usage::ModelSum,
};

/// The loaders of one operation.
pub(super) struct Loaders(DataLoader<Batch>);

/// Why a batch could not be read: our fault, so it has no code and is masked.
#[derive(Clone, Debug)]
pub(super) struct LoadError(String);

impl std::fmt::Display for LoadError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<Error> for LoadError {
    fn from(error: Error) -> Self {
        Self(error.describe())
    }
}

/// The first facts of a character or a persona.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct FactsKey {
    /// Whom they are about.
    pub(super) owner: Uuid,
    /// How many facts at most.
    pub(super) limit: i64,
}

/// The lorebooks attached to a session, a character or a persona.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct AttachedKey(pub(super) Uuid);

/// The job that wrote a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ReplyKey(pub(super) MessageId);

/// The plan of a reply's prompt.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PlanKey(pub(super) MessageId);

/// Stored blocks of prompts, in this order.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct BlocksKey {
    /// The session they belong to.
    pub(super) session: SessionId,
    /// Their numbers.
    pub(super) blocks: Runs,
}

/// What a message said in one of its revisions.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct WordingKey {
    /// The message.
    pub(super) message: MessageId,
    /// Its revision.
    pub(super) revision: i64,
}

/// The cast of a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CastKey(pub(super) SessionId);

/// The tags of a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TagsKey(pub(super) SessionId);

/// The replies that are being written in a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RunningKey(pub(super) SessionId);

/// What calls of models cost in a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct UsageKey(pub(super) SessionId);

/// What the messages of a session add up to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StatsKey(pub(super) SessionId);

/// The leaf that selecting a message returns to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ReturnKey(pub(super) MessageId);

/// The children of a message, both sides.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ChildrenKey(pub(super) MessageId);

/// The last message that a message shares with the path to a head.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SharedKey {
    /// The head.
    pub(super) head: MessageId,
    /// The message.
    pub(super) message: MessageId,
}

/// The last messages of the path to a leaf.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PathKey {
    /// The leaf.
    pub(super) leaf: MessageId,
    /// How many messages at most.
    pub(super) size: i64,
}

impl Loaders {
    /// Loaders for one operation of this viewer.
    pub(super) fn new(app: App, viewer: Viewer) -> Self {
        let batch = Batch { app, viewer: viewer.id() };
        Self(DataLoader::new(batch, TokioSpawner::current(), TokioTimer::default()))
    }

    /// The value of a key, read together with the others asked for meanwhile.
    pub(super) async fn load<K>(&self, key: K) -> Result<Option<Value<K>>, LoadError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Batch: Loader<K, Error = LoadError>,
    {
        self.0.load_one(key).await
    }

    /// The values of these keys in their order; missing ones are left out.
    pub(super) async fn load_all<K>(&self, keys: &[K]) -> Result<Vec<Value<K>>, LoadError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Batch: Loader<K, Error = LoadError>,
    {
        let mut found = self.0.load_many(keys.iter().cloned()).await?;
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }

    /// The values of these keys that there are.
    pub(super) async fn load_each<K>(&self, keys: &[K]) -> Result<HashMap<K, Value<K>>, LoadError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Batch: Loader<K, Error = LoadError>,
    {
        self.0.load_many(keys.iter().cloned()).await
    }

    /// As `load_all`, but without waiting for others.
    ///
    /// For events: they are put together one after the other, and whatever comes behind, the
    /// first words of a reply for one, would wait each time for company that does not come.
    pub(super) async fn load_alone<K>(&self, keys: &[K]) -> Result<Vec<Value<K>>, LoadError>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Batch: Loader<K, Error = LoadError>,
    {
        let mut found = self.0.loader().load(keys).await?;
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }
}

pub(super) type Value<K> = <Batch as Loader<K>>::Value;
type Loaded<K, V> = Result<HashMap<K, V>, LoadError>;

/// Reads batches.
pub(super) struct Batch {
    app: App,
    viewer: Option<UserId>,
}

impl Loader<PersonaId> for Batch {
    type Value = Persona;
    type Error = LoadError;

    async fn load(&self, keys: &[PersonaId]) -> Loaded<PersonaId, Persona> {
        let mut rows = store::persona::by_ids(&self.app.db, keys).await?;
        rows.retain(|persona| Some(persona.owner_id) == self.viewer);
        Ok(rows.into_iter().map(|persona| (persona.id, persona)).collect())
    }
}

impl Loader<CharacterId> for Batch {
    type Value = Character;
    type Error = LoadError;

    async fn load(&self, keys: &[CharacterId]) -> Loaded<CharacterId, Character> {
        let rows = store::character::by_ids(&self.app.db, keys).await?;
        Ok(rows.into_iter().map(|character| (character.id, character)).collect())
    }
}

impl Loader<FactId> for Batch {
    type Value = Fact;
    type Error = LoadError;

    async fn load(&self, keys: &[FactId]) -> Loaded<FactId, Fact> {
        let mut reader = self.app.db.reader();
        let rows = store::fact::readable(&mut reader, keys, self.viewer).await?;
        Ok(rows.into_iter().map(|fact| (fact.id, fact)).collect())
    }
}

impl Loader<FactsKey> for Batch {
    type Value = Vec<Fact>;
    type Error = LoadError;

    async fn load(&self, keys: &[FactsKey]) -> Loaded<FactsKey, Vec<Fact>> {
        let mut loaded = HashMap::new();
        // One statement for each size that the operation asks for, which is one in practice.
        let limits: BTreeSet<i64> = keys.iter().map(|key| key.limit).collect();
        for limit in limits {
            let of_size = keys.iter().filter(|key| key.limit == limit);
            let owners: Vec<Uuid> = of_size.map(|key| key.owner).collect();
            let rows = store::fact::first_of(&self.app.db, &owners, limit).await?;
            loaded.extend(group(rows, |fact| FactsKey { owner: fact.owner.uuid(), limit }));
        }
        Ok(loaded)
    }
}

impl Loader<LorebookId> for Batch {
    type Value = Lorebook;
    type Error = LoadError;

    async fn load(&self, keys: &[LorebookId]) -> Loaded<LorebookId, Lorebook> {
        let mut reader = self.app.db.reader();
        let rows = store::lorebook::readable(&mut reader, keys, self.viewer).await?;
        Ok(rows.into_iter().map(|book| (book.id, book)).collect())
    }
}

impl Loader<LoreEntryId> for Batch {
    type Value = LoreEntry;
    type Error = LoadError;

    async fn load(&self, keys: &[LoreEntryId]) -> Loaded<LoreEntryId, LoreEntry> {
        let rows = store::lore_entry::readable(&self.app.db, keys, self.viewer).await?;
        Ok(rows.into_iter().map(|entry| (entry.id, entry)).collect())
    }
}

impl Loader<AttachedKey> for Batch {
    type Value = Vec<Lorebook>;
    type Error = LoadError;

    async fn load(&self, keys: &[AttachedKey]) -> Loaded<AttachedKey, Vec<Lorebook>> {
        let targets: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let rows = store::lorebook::of_targets(&self.app.db, &targets, self.viewer).await?;
        let rows = rows.into_iter().map(|row| (AttachedKey(row.target_id), row.book));
        let groups = group(rows.collect(), |(key, _)| *key);
        Ok(groups.into_iter().map(|(key, rows)| (key, second(rows))).collect())
    }
}

impl Loader<SessionId> for Batch {
    type Value = Session;
    type Error = LoadError;

    async fn load(&self, keys: &[SessionId]) -> Loaded<SessionId, Session> {
        let Some(viewer) = self.viewer else { return Ok(HashMap::new()) };
        let rows = store::session::by_ids(&self.app.db, keys, viewer).await?;
        Ok(rows.into_iter().map(|session| (session.id, session)).collect())
    }
}

impl Loader<MessageId> for Batch {
    type Value = Message;
    type Error = LoadError;

    async fn load(&self, keys: &[MessageId]) -> Loaded<MessageId, Message> {
        let Some(viewer) = self.viewer else { return Ok(HashMap::new()) };
        let rows = store::message::by_ids(&self.app.db, keys, viewer).await?;
        Ok(rows.into_iter().map(|message| (message.id, message)).collect())
    }
}

impl Loader<ReplyKey> for Batch {
    type Value = Reply;
    type Error = LoadError;

    async fn load(&self, keys: &[ReplyKey]) -> Loaded<ReplyKey, Reply> {
        let ids: Vec<MessageId> = keys.iter().map(|key| key.0).collect();
        let rows = store::reply::by_ids(&self.app.db, &ids).await?;
        Ok(rows.into_iter().map(|reply| (ReplyKey(reply.message_id), reply)).collect())
    }
}

impl Loader<PlanKey> for Batch {
    type Value = PlanRecord;
    type Error = LoadError;

    async fn load(&self, keys: &[PlanKey]) -> Loaded<PlanKey, PlanRecord> {
        let ids: Vec<MessageId> = keys.iter().map(|key| key.0).collect();
        let rows = store::prompt::plans(&self.app.db, &ids).await?;
        Ok(rows.into_iter().map(|plan| (PlanKey(plan.message_id), plan)).collect())
    }
}

impl Loader<BlocksKey> for Batch {
    type Value = Vec<BlockRecord>;
    type Error = LoadError;

    async fn load(&self, keys: &[BlocksKey]) -> Loaded<BlocksKey, Vec<BlockRecord>> {
        // One statement for each session, whose plans share most of their blocks.
        let mut wanted: HashMap<SessionId, BTreeSet<i64>> = HashMap::new();
        for key in keys {
            wanted.entry(key.session).or_default().extend(key.blocks.numbers());
        }
        let mut found = HashMap::new();
        for (session, numbers) in wanted {
            let numbers: Vec<i64> = numbers.into_iter().collect();
            let rows = store::prompt::blocks(&self.app.db, session, &numbers).await?;
            found.extend(rows.into_iter().map(|row| ((session, row.number), row)));
        }
        let of = |key: &BlocksKey| {
            let numbers = key.blocks.numbers().into_iter();
            numbers.filter_map(|number| found.get(&(key.session, number)).cloned()).collect()
        };
        Ok(keys.iter().map(|key| (key.clone(), of(key))).collect())
    }
}

impl Loader<WordingKey> for Batch {
    type Value = String;
    type Error = LoadError;

    async fn load(&self, keys: &[WordingKey]) -> Loaded<WordingKey, String> {
        let keyed: Vec<(MessageId, i64)> =
            keys.iter().map(|key| (key.message, key.revision)).collect();
        let rows = store::memory::wordings(&self.app.db, &keyed).await?;
        let said = rows.into_iter().map(|row| {
            let Wording { message_id: message, revision, content } = row;
            (WordingKey { message, revision }, content)
        });
        let wanted: HashSet<&WordingKey> = keys.iter().collect();
        Ok(said.filter(|(key, _)| wanted.contains(key)).collect())
    }
}

impl Loader<CastKey> for Batch {
    type Value = Vec<CastMember>;
    type Error = LoadError;

    async fn load(&self, keys: &[CastKey]) -> Loaded<CastKey, Vec<CastMember>> {
        let ids: Vec<SessionId> = keys.iter().map(|key| key.0).collect();
        let rows = store::session::cast(&mut self.app.db.reader(), &ids).await?;
        Ok(group(rows, |member| CastKey(member.session_id)))
    }
}

impl Loader<TagsKey> for Batch {
    type Value = Vec<String>;
    type Error = LoadError;

    async fn load(&self, keys: &[TagsKey]) -> Loaded<TagsKey, Vec<String>> {
        let ids: Vec<SessionId> = keys.iter().map(|key| key.0).collect();
        let rows = store::session_list::tags(&self.app.db, &ids).await?;
        let rows = rows.into_iter().map(|row| (TagsKey(row.session_id), row.tag));
        let groups = group(rows.collect(), |(key, _)| *key);
        Ok(groups.into_iter().map(|(key, rows)| (key, second(rows))).collect())
    }
}

impl Loader<RunningKey> for Batch {
    type Value = Vec<MessageId>;
    type Error = LoadError;

    async fn load(&self, keys: &[RunningKey]) -> Loaded<RunningKey, Vec<MessageId>> {
        let ids: Vec<SessionId> = keys.iter().map(|key| key.0).collect();
        let rows = store::reply::running_in(&self.app.db, &ids).await?;
        let groups = group(rows, |(session, _)| RunningKey(*session));
        Ok(groups.into_iter().map(|(key, rows)| (key, second(rows))).collect())
    }
}

impl Loader<UsageKey> for Batch {
    type Value = Vec<ModelSum>;
    type Error = LoadError;

    async fn load(&self, keys: &[UsageKey]) -> Loaded<UsageKey, Vec<ModelSum>> {
        let ids: Vec<SessionId> = keys.iter().map(|key| key.0).collect();
        let rows = store::usage::of_sessions(&self.app.db, &ids).await?;
        let groups = group(rows, |(session, _)| UsageKey(*session));
        Ok(groups.into_iter().map(|(key, rows)| (key, second(rows))).collect())
    }
}

impl Loader<StatsKey> for Batch {
    type Value = TreeStats;
    type Error = LoadError;

    async fn load(&self, keys: &[StatsKey]) -> Loaded<StatsKey, TreeStats> {
        let ids: Vec<SessionId> = keys.iter().map(|key| key.0).collect();
        let rows = store::outline::stats(&self.app.db, &ids).await?;
        Ok(rows.into_iter().map(|(session, stats)| (StatsKey(session), stats)).collect())
    }
}

impl Loader<AlternativesKey> for Batch {
    type Value = Vec<MessageId>;
    type Error = LoadError;

    async fn load(&self, keys: &[AlternativesKey]) -> Loaded<AlternativesKey, Vec<MessageId>> {
        let (mut parents, mut sessions) = (Vec::new(), Vec::new());
        for key in keys {
            match key.below {
                Below::Message(parent) => parents.push(parent),
                Below::Session(session) => sessions.push(session),
            }
        }
        let mut rows = Vec::new();
        if !parents.is_empty() {
            rows = store::alternatives::below_messages(&self.app.db, &parents).await?;
        }
        if !sessions.is_empty() {
            rows.extend(store::alternatives::roots(&self.app.db, &sessions).await?);
        }
        let rows = rows.into_iter().map(|sibling| (alternatives(&sibling), sibling.id));
        let groups = group(rows.collect(), |(key, _)| *key);
        Ok(groups.into_iter().map(|(key, rows)| (key, second(rows))).collect())
    }
}

impl Loader<ChildrenKey> for Batch {
    type Value = Vec<MessageId>;
    type Error = LoadError;

    async fn load(&self, keys: &[ChildrenKey]) -> Loaded<ChildrenKey, Vec<MessageId>> {
        let ids: Vec<MessageId> = keys.iter().map(|key| key.0).collect();
        let rows = store::alternatives::below_messages(&self.app.db, &ids).await?;
        let rows = rows.into_iter().filter_map(|row| Some((ChildrenKey(row.parent_id?), row.id)));
        let groups = group(rows.collect(), |(key, _)| *key);
        Ok(groups.into_iter().map(|(key, rows)| (key, second(rows))).collect())
    }
}

impl Loader<SharedKey> for Batch {
    type Value = MessageId;
    type Error = LoadError;

    async fn load(&self, keys: &[SharedKey]) -> Loaded<SharedKey, MessageId> {
        let mut by_head: HashMap<MessageId, Vec<MessageId>> = HashMap::new();
        for key in keys {
            by_head.entry(key.head).or_default().push(key.message);
        }
        let mut loaded = HashMap::new();
        // One statement for each session, which has one head.
        for (head, messages) in by_head {
            let mut reader = self.app.db.reader();
            let rows = store::message::forks(&mut reader, head, &messages).await?;
            let shared = |(message, shared, _)| (SharedKey { head, message }, shared);
            loaded.extend(rows.into_iter().map(shared));
        }
        Ok(loaded)
    }
}

impl Loader<ReturnKey> for Batch {
    type Value = MessageId;
    type Error = LoadError;

    async fn load(&self, keys: &[ReturnKey]) -> Loaded<ReturnKey, MessageId> {
        let ids: Vec<MessageId> = keys.iter().map(|key| key.0).collect();
        let found = store::tip::newest_below_each(&self.app.db, &ids).await?;
        Ok(found.into_iter().map(|(message, leaf)| (ReturnKey(message), leaf)).collect())
    }
}

impl Loader<PathKey> for Batch {
    type Value = Vec<Message>;
    type Error = LoadError;

    async fn load(&self, keys: &[PathKey]) -> Loaded<PathKey, Vec<Message>> {
        let mut loaded = HashMap::new();
        // One statement for each size that the operation asks for, which is one in practice.
        let sizes: HashSet<i64> = keys.iter().map(|key| key.size).collect();
        for size in sizes {
            let of_size = keys.iter().filter(|key| key.size == size);
            let leaves: Vec<MessageId> = of_size.map(|key| key.leaf).collect();
            let steps = store::message::path_up(&mut self.app.db.reader(), &leaves, size).await?;
            for step in steps {
                let key = PathKey { leaf: step.leaf_id, size };
                loaded.entry(key).or_insert_with(Vec::new).push(step.message);
            }
        }
        Ok(loaded)
    }
}

fn alternatives(sibling: &Sibling) -> AlternativesKey {
    let below = sibling.parent_id.map_or(Below::Session(sibling.session_id), Below::Message);
    AlternativesKey { below, side: sibling.role.side() }
}

fn group<K: Hash + Eq, V>(rows: Vec<V>, key: impl Fn(&V) -> K) -> HashMap<K, Vec<V>> {
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

fn second<A, B>(rows: Vec<(A, B)>) -> Vec<B> {
    rows.into_iter().map(|(_, value)| value).collect()
}
