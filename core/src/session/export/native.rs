//! Writes a session in Skald's own format (`session::native`), from the root outwards.

use std::collections::HashMap;

use async_stream::try_stream;
use bytes::Bytes;
use futures_util::Stream;
use serde::Serialize;
use skald_base::{Error, Result};
use uuid::Uuid;

use super::PAGE;
use crate::{
    app::App,
    character::{Card, CharacterId},
    fact::Note,
    persona::{PersonaId, PersonaProfile},
    session::{
        Session,
        native::{
            AuthorRecord, CastRecord, FORMAT, FactRecord, FailureRecord, GenerationRecord, MAJOR,
            MINOR, MessageRecord, RevisionRecord, SessionRecord,
        },
    },
    store::{self, fork::OldText, message::DepthCursor},
    tree::{Message, MessageId, MessageStatus},
    turn::{Reply, Speaker},
};

/// Bytes that go out together, if there are as many.
const PIECE: usize = 32 * 1024;

/// The document, piece by piece.
pub(super) fn stream(app: App, session: Session) -> impl Stream<Item = Result<Bytes>> {
    try_stream! {
        let people = People::of(&app, &session).await?;
        yield head(&app, &session, &people).await?;
        let mut numbers = HashMap::new();
        let mut after = DepthCursor::start();
        loop {
            let page = store::message::by_depth(&app.db, session.id, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = DepthCursor::of(last);
            let mut replies = replies(&app, &page).await?;
            let mut text = String::new();
            for message in page {
                let told = (replies.remove(&message.id), message);
                let Some(line) = line(&app, &people, &mut numbers, told).await? else { continue };
                text.push_str(&line.begin);
                let (mut texts, mut written) = (OldTexts::of(&line), 0);
                while let Some(some) = texts.next(&app).await? {
                    text.push_str(if written == 0 { ",\"revisions\":[" } else { "," });
                    written += some.len();
                    text.push_str(&some.join(","));
                    yield std::mem::take(&mut text).into();
                }
                text.push_str(if written == 0 { "" } else { "]" });
                text.push_str(&line.end);
                if text.len() >= PIECE {
                    yield std::mem::take(&mut text).into();
                }
            }
            yield text.into();
        }
        yield tail(&app, &session, &numbers).await?;
    }
}

/// Everybody a session knows, by content: two who are written alike are one.
struct People {
    personas: Vec<Person<PersonaProfile>>,
    characters: Vec<Person<Card>>,
    persona_places: HashMap<PersonaId, usize>,
    character_places: HashMap<CharacterId, usize>,
}

/// What is written about somebody, and what is known of them, in order.
type Person<T> = (T, Vec<Note>);

impl People {
    async fn of(app: &App, session: &Session) -> Result<Self> {
        let cast = store::session::cast(&mut app.db.reader(), &[session.id]).await?;
        let authors = store::export::authors(&app.db, session.id).await?;
        let first: Vec<PersonaId> = session.persona_id.into_iter().collect();
        let others: Vec<PersonaId> = authors.iter().filter_map(|(persona, _)| *persona).collect();
        let rows = store::persona::by_ids(&app.db, &[&first[..], &others].concat()).await?;
        let mut notes = notes(app, rows.iter().map(|row| row.id.uuid())).await?;
        let mut with = |id: Uuid| notes.remove(&id).unwrap_or_default();
        let known = rows.into_iter().map(|row| (row.id, (row.profile, with(row.id.uuid()))));
        let known = known.collect();
        let (personas, persona_places) = places(&first, others, &known)?;
        let first: Vec<CharacterId> =
            cast.iter().filter_map(|member| member.character_id).collect();
        let others: Vec<CharacterId> = authors.iter().filter_map(|(_, speaker)| *speaker).collect();
        let rows = store::character::by_ids(&app.db, &[&first[..], &others].concat()).await?;
        let mut notes = self::notes(app, rows.iter().map(|row| row.id.uuid())).await?;
        let mut with = |id: Uuid| notes.remove(&id).unwrap_or_default();
        let known = rows.into_iter().map(|row| (row.id, (row.card, with(row.id.uuid()))));
        let known = known.collect();
        let (characters, character_places) = places(&first, others, &known)?;
        Ok(Self { personas, characters, persona_places, character_places })
    }

    /// Everything that is known of anybody.
    fn facts(&self) -> Vec<FactRecord> {
        let mut facts = Vec::new();
        for (place, (_, notes)) in self.personas.iter().enumerate() {
            let of = |note: &Note| FactRecord::of(Some(place), None, note.clone());
            facts.extend(notes.iter().map(of));
        }
        for (place, (_, notes)) in self.characters.iter().enumerate() {
            let of = |note: &Note| FactRecord::of(None, Some(place), note.clone());
            facts.extend(notes.iter().map(of));
        }
        facts
    }
}

/// What is known of these personas or characters.
async fn notes(app: &App, owners: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, Vec<Note>>> {
    let owners: Vec<Uuid> = owners.collect();
    let mut notes: HashMap<Uuid, Vec<Note>> = HashMap::new();
    for fact in store::fact::of_owners(&app.db, &owners).await? {
        notes.entry(fact.owner.uuid()).or_default().push(fact.note);
    }
    Ok(notes)
}

/// A list of people, each once, and where each id stands in it.
///
/// The first ones keep their order; the others are ordered by what is written about them, since
/// their ids are not the same in every database.
fn places<I, T>(
    first: &[I],
    others: Vec<I>,
    known: &HashMap<I, T>,
) -> Result<(Vec<T>, HashMap<I, usize>)>
where
    I: Copy + Eq + std::hash::Hash,
    T: Clone + PartialEq + Serialize,
{
    let mut named = Vec::new();
    for id in others {
        if let Some(person) = known.get(&id) {
            named.push((json(person)?, id));
        }
    }
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    let order = first.iter().copied().chain(named.into_iter().map(|(_, id)| id));
    let (mut list, mut places) = (Vec::new(), HashMap::new());
    for id in order {
        let Some(person) = known.get(&id) else { continue };
        let place = list.iter().position(|other| other == person);
        let place = place.unwrap_or_else(|| {
            list.push(person.clone());
            list.len() - 1
        });
        places.insert(id, place);
    }
    Ok((list, places))
}

/// Everything before the messages.
async fn head(app: &App, session: &Session, people: &People) -> Result<Bytes> {
    let cast = store::session::cast(&mut app.db.reader(), &[session.id]).await?;
    let cast = cast.into_iter().map(|member| CastRecord {
        name: member.name,
        avatar_url: member.avatar_url,
        character: member.character_id.and_then(|id| people.character_places.get(&id).copied()),
    });
    let tags = store::session_list::tags(&app.db, &[session.id]).await?;
    let record = SessionRecord {
        mode: session.mode,
        settings: session.settings.clone(),
        created_at: session.created_at,
        archived_at: session.archived_at,
        tags: tags.into_iter().map(|tag| tag.tag).collect(),
        persona: session.persona_id.and_then(|id| people.persona_places.get(&id).copied()),
        cast: cast.collect(),
    };
    let session = json(&record)?;
    let mut text = format!(
        "{{\"format\":\"{FORMAT}\",\"version\":\"{MAJOR}.{MINOR}\",\n\"session\":{session},\n"
    );
    list(&mut text, "personas", people.personas.iter().map(|(profile, _)| profile))?;
    list(&mut text, "characters", people.characters.iter().map(|(card, _)| card))?;
    let facts = people.facts();
    if !facts.is_empty() {
        list(&mut text, "facts", facts.iter())?;
    }
    text.push_str("\"messages\":[");
    Ok(text.into())
}

/// A list with one line for each entry.
fn list(
    text: &mut String,
    name: &str,
    entries: impl Iterator<Item = impl Serialize>,
) -> Result<()> {
    text.extend(["\"", name, "\":["]);
    for (place, entry) in entries.enumerate() {
        text.push_str(if place == 0 { "\n" } else { ",\n" });
        text.push_str(&json(&entry)?);
    }
    text.push_str("],\n");
    Ok(())
}

/// The line of a message: what it said before stands in the middle, and may be long.
struct Line {
    message: MessageId,
    /// Those before it are what it said before.
    revision: i64,
    begin: String,
    end: String,
}

/// What a message said before, a few texts at a time.
struct OldTexts {
    message: MessageId,
    after: i64,
    before: i64,
}

impl OldTexts {
    fn of(line: &Line) -> Self {
        Self { message: line.message, after: 0, before: line.revision }
    }

    /// The next ones as they are written down; none after the last.
    async fn next(&mut self, app: &App) -> Result<Option<Vec<String>>> {
        if self.after + 1 >= self.before {
            return Ok(None);
        }
        let places = (self.after, self.before);
        let texts = store::fork::old_texts(&app.db, self.message, places).await?;
        self.after = texts.last().map_or(self.before, |last| last.revision);
        let record = |OldText { content, created_at, .. }: OldText| {
            json(&RevisionRecord { content, created_at })
        };
        let written = texts.into_iter().map(record).collect::<Result<Vec<String>>>()?;
        Ok((!written.is_empty()).then_some(written))
    }
}

/// How models wrote the messages of a page.
async fn replies(app: &App, page: &[Message]) -> Result<HashMap<MessageId, Reply>> {
    let ids: Vec<MessageId> = page.iter().map(|message| message.id).collect();
    let replies = store::reply::by_ids(&app.db, &ids).await?;
    Ok(replies.into_iter().map(|reply| (reply.message_id, reply)).collect())
}

/// The line of a message; none if it was added above the page that is being read.
async fn line(
    app: &App,
    people: &People,
    numbers: &mut HashMap<MessageId, usize>,
    (reply, message): (Option<Reply>, Message),
) -> Result<Option<Line>> {
    // What came too late has no number.
    let parent = message.parent_id.map(|parent| numbers.get(&parent).copied());
    if parent == Some(None) {
        return Ok(None);
    }
    let message = super::beside(app, message, reply.as_ref()).await?;
    let (id, revision) = (message.id, message.revision);
    let number = numbers.len();
    numbers.insert(id, number);
    let number_of = |id: Option<MessageId>| id.and_then(|id| numbers.get(&id).copied());
    let record = MessageRecord {
        number,
        parent: parent.flatten(),
        author: author_record(people, &message),
        edited_from: number_of(message.edited_from_id),
        continued_from: number_of(message.continued_from_id),
        ..message_record(app, message, reply)
    };
    let (begin, end) = around_revisions(record)?;
    let comma = if number == 0 { "\n" } else { ",\n" };
    Ok(Some(Line { message: id, revision, begin: format!("{comma}{begin}"), end }))
}

/// A record as it is written down, cut where its revisions belong.
fn around_revisions(mut record: MessageRecord) -> Result<(String, String)> {
    let generation = record.generation.take();
    let mut begin = json(&record)?;
    // Revisions and generation are its last two fields.
    begin.pop();
    let end = match generation {
        Some(generation) => format!(",\"generation\":{}}}", json(&generation)?),
        None => "}".into(),
    };
    Ok((begin, end))
}

/// A message by itself. What is still being written goes out as it is so far, interrupted.
fn message_record(app: &App, message: Message, reply: Option<Reply>) -> MessageRecord {
    let mut record = MessageRecord {
        number: 0,
        parent: None,
        role: message.role,
        author: AuthorRecord::default(),
        content: message.content,
        thought: message.thought,
        status: message.status,
        hidden_from_prompt: message.hidden_from_prompt,
        bookmark: message.bookmark,
        edited_from: None,
        continued_from: None,
        created_at: message.created_at,
        edited_at: message.edited_at,
        revisions: Vec::new(),
        generation: None,
    };
    let Some(reply) = reply else { return record };
    if message.status.is_running() {
        record.status = MessageStatus::Interrupted;
        // One that continues another had its text before its first word.
        if !reply.draft_content.is_empty() {
            record.content.clone_from(&reply.draft_content);
        }
        let thought = Some(reply.draft_thought.clone());
        record.thought = thought.filter(|thought| !thought.is_empty());
    }
    record.generation = Some(generation_record(app, reply));
    record
}

fn generation_record(app: &App, reply: Reply) -> GenerationRecord {
    let tokens = |reply: &Reply| {
        Some([
            reply.prompt_tokens?,
            reply.cached_tokens?,
            reply.output_tokens?,
            reply.thought_tokens?,
        ])
    };
    GenerationRecord {
        tokens: tokens(&reply),
        failure: reply
            .failure()
            .map(|failure| FailureRecord { code: failure.code, message: failure.message }),
        model: reply.model,
        attempt: reply.attempt,
        task: match reply.job.0.speaker {
            Speaker::Narrator { task } => Some(task),
            Speaker::Character { .. } | Speaker::Player => None,
        },
        instruction: reply.job.0.instruction,
        temperature: reply.job.0.temperature,
        finish_reason: reply.finish_reason,
        cost: reply.cost,
        created_at: reply.created_at,
        first_text_at: reply.first_text_at,
        finished_at: reply.finished_at.unwrap_or_else(|| app.clock.now()),
    }
}

fn author_record(people: &People, message: &Message) -> AuthorRecord {
    let author = &message.author;
    AuthorRecord {
        name: author.author_name.clone(),
        avatar_url: author.author_avatar_url.clone(),
        player: author.author_user_id.is_some(),
        persona: author.author_persona_id.and_then(|id| people.persona_places.get(&id).copied()),
        character: author
            .author_character_id
            .and_then(|id| people.character_places.get(&id).copied()),
    }
}

/// Everything after the messages.
async fn tail(app: &App, session: &Session, numbers: &HashMap<MessageId, usize>) -> Result<Bytes> {
    let tips = store::export::tips(&app.db, session.id).await?;
    let tips: Vec<usize> = tips.iter().filter_map(|leaf| numbers.get(leaf).copied()).collect();
    let head = session.head_id.and_then(|head| numbers.get(&head));
    Ok(format!("],\n\"head\":{},\n\"tips\":{}}}\n", json(&head)?, json(&tips)?).into())
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Internal(format!("export: {error}")))
}
