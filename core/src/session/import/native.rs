//! A session from a document in Skald's own format.

use std::io::Read;

use skald_base::{Error, Result, Viewer, viewer::SignedIn};
use sqlx::types::Json;
use tokio::sync::mpsc;

use super::{
    ImportFormat, ImportWish, Imported, Report, Source,
    document::{self, Flaw, Outline},
    people::{People, Settled},
};
use crate::{
    app::App,
    request::Claim,
    session::{
        self, Session, SessionId, Settings,
        graft::{self, Claimed, Graft, Revision, Scion, Stock},
        native::{GenerationRecord, MessageRecord},
        tags,
    },
    store,
    tree::{Author, MessageRole},
    turn::{Failure, Job, Reply, Speaker, Stage},
};

/// Messages that wait to be stored.
const QUEUE: usize = 4;

/// Makes the session, or tells what would be made.
pub(super) async fn import(
    app: &App,
    viewer: &Viewer,
    (wish, id): (ImportWish, SessionId),
    (sources, claim): (Vec<Source>, Claim),
) -> Result<Imported> {
    let [source] = sources.as_slice() else {
        let message = "a session in this format is one file";
        return Err(Error::invalid("input.uploadIds", message));
    };
    let outline = survey(app, source).await.map_err(|flaw| super::refuse(source, &flaw))?;
    let settings = &outline.head.session.settings;
    settings.check(app, settings).map_err(|error| {
        let flaw = Flaw(format!("settings: {}", error.describe()));
        super::refuse(source, &flaw)
    })?;
    let mut report = Report::new(ImportFormat::NativeJson);
    report.messages = outline.messages;
    for field in &outline.unknown {
        let message = format!("{field} is not known to this version");
        report.skipped.add(&source.file_name, None, message);
    }
    note_lost_models(app, settings, (&source.file_name, &mut report));
    let people = People::find(app, viewer, &outline.head, &wish).await?;
    people.note((&source.file_name, &mut report));
    if wish.dry_run {
        return Ok(Imported { session: None, report });
    }
    let made = make(app, viewer, (id, &outline, people), (source, &claim, &report)).await?;
    super::conclude(app, &sources, made, report).await
}

/// Reads a whole document for what is in it and whether it is sound.
async fn survey(app: &App, source: &Source) -> Result<Outline, Flaw> {
    let source = source.clone();
    let reading = app.lifecycle.tasks().spawn_blocking(move || {
        let mut file = super::open(&source)?;
        let mut first = [0_u8; 1];
        let count = file.read(&mut first).map_err(|_| Flaw("it cannot be read".into()))?;
        if count == 0 {
            return Err(Flaw("it is empty".into()));
        }
        document::read(first.as_slice().chain(file), &mut |_| true)
    });
    reading.await.unwrap_or_else(|_| Err(Flaw("it could not be read to the end".into())))
}

/// A story whose model is not here goes on with the server's.
fn note_lost_models(app: &App, settings: &Settings, (file, report): (&str, &mut Report)) {
    let Settings { story_model, supervisor_model, fallback_model, .. } = settings;
    for model in [story_model, supervisor_model, fallback_model].into_iter().flatten() {
        if !app.has_model(model) {
            let message = format!("this server has no model {model}: its own takes the place");
            report.adapted.add(file, None, message);
        }
    }
}

/// Stores the session; none if the same request did so meanwhile.
async fn make(
    app: &App,
    viewer: &Viewer,
    (id, outline, people): (SessionId, &Outline, People),
    (source, claim, report): (&Source, &Claim, &Report),
) -> Result<Option<Session>> {
    let record = &outline.head.session;
    let Claimed::New(mut tx) = graft::claim(app, id, claim).await? else { return Ok(None) };
    let settled = people.settle(app, claim.user, &mut tx).await?;
    let stock = Stock {
        id,
        mode: record.mode,
        settings: record.settings.clone(),
        persona_id: settled.player(record.persona),
        cast: settled.cast(&record.cast),
        tags: tags::check("input.uploadIds", record.tags.clone())?,
        archived_at: record.archived_at,
        forked: None,
        copies: settled.copies(),
    };
    let mut graft = *Graft::plant(app, tx, stock, claim).await?;
    let stored = async {
        store::import::insert(&app.db, id, report, record.created_at).await?;
        store_messages(app, viewer.user()?, (source, outline, &settled), &mut graft).await
    };
    if let Err(error) = stored.await {
        graft.discard().await;
        return Err(error);
    }
    graft.finish(outline.selected, &super::visits(app, &outline.tips)).await?;
    session::get(app, viewer, id).await.map(Some)
}

/// Reads the document once more and stores its messages as they come.
async fn store_messages(
    app: &App,
    user: SignedIn,
    (source, outline, settled): (&Source, &Outline, &Settled),
    graft: &mut Graft<usize>,
) -> Result<()> {
    let (send, mut messages) = mpsc::channel::<MessageRecord>(QUEUE);
    let file = source.clone();
    let reading = app.lifecycle.tasks().spawn_blocking(move || {
        document::read(super::open(&file)?, &mut |message| send.blocking_send(message).is_ok())
    });
    while let Some(message) = messages.recv().await {
        graft.add(scion(app, user, settled, message)).await?;
    }
    let read = reading.await.map_err(|_| Error::Internal("an import broke off".into()))?;
    // What was sound before and is not, or is different, was sent meanwhile.
    let again = read.map_err(|flaw| super::refuse(source, &flaw))?;
    if again == *outline { Ok(()) } else { Err(super::sent_anew()) }
}

fn scion(app: &App, user: SignedIn, settled: &Settled, message: MessageRecord) -> Scion<usize> {
    let author = message.author;
    let character = settled.character(author.character);
    let reply = message.generation.map(|generation| {
        let speaker = match (message.role, generation.task) {
            (MessageRole::Player, _) => Speaker::Player,
            (_, Some(task)) => Speaker::Narrator { task },
            (_, None) => Speaker::Character { id: character, name: author.name.clone() },
        };
        reply(app, user, speaker, generation)
    });
    Scion {
        key: message.number,
        parent: message.parent,
        role: message.role,
        author: Author {
            author_name: author.name,
            author_avatar_url: author.avatar_url,
            author_user_id: author.player.then_some(user.id),
            author_persona_id: settled.persona(author.persona),
            author_character_id: character,
        },
        content: message.content,
        thought: message.thought,
        status: message.status,
        revisions: message
            .revisions
            .into_iter()
            .map(|old| Revision { content: old.content, created_at: old.created_at })
            .collect(),
        hidden_from_prompt: message.hidden_from_prompt,
        bookmark: message.bookmark,
        edited_from: message.edited_from,
        continued_from: message.continued_from,
        created_at: message.created_at,
        edited_at: message.edited_at,
        reply,
    }
}

/// The ended job; the graft sets its message and its session.
fn reply(app: &App, user: SignedIn, speaker: Speaker, generation: GenerationRecord) -> Reply {
    let failure = generation.failure.map(|failure| Failure::new(failure.code, failure.message));
    let [prompt, cached, output, thought] = match generation.tokens {
        Some(tokens) => tokens.map(Some),
        None => [None; 4],
    };
    Reply {
        message_id: app.ids.next(),
        session_id: app.ids.next(),
        user_id: user.id,
        job: Json(Job {
            speaker,
            instruction: generation.instruction,
            temperature: generation.temperature,
            model: None,
            minor: user.minor,
        }),
        model: generation.model,
        attempt: generation.attempt,
        stage: Stage::Writing,
        leased_by: None,
        stop_requested: false,
        draft_content: String::new(),
        draft_thought: String::new(),
        failure_code: failure.as_ref().map(|failure| failure.code),
        failure_message: failure.map(|failure| failure.message),
        retry_at: None,
        finish_reason: generation.finish_reason,
        prompt_tokens: prompt,
        cached_tokens: cached,
        output_tokens: output,
        thought_tokens: thought,
        cost: generation.cost,
        created_at: generation.created_at,
        first_text_at: generation.first_text_at,
        finished_at: Some(generation.finished_at),
    }
}
