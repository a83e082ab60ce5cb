//! What a model would be told, before anything is sent.

use skald_base::{Error, Result, Viewer, graph::TextRule};

use super::{
    Failure, Job, Speaker, WishedSpeaker,
    ask::{self, Asking},
    check_instruction, choose_speaker,
    scene::{self, Reach, SceneKey},
};
use crate::{
    app::App,
    character::CharacterId,
    prompt::{Plan, Scene},
    session::{self, SessionId},
    store,
    tree::{Author, Message, MessageId, MessageRole, MessageStatus},
};

/// A turn as it could be sent.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct PreviewWish {
    pub session_id: SessionId,
    pub parent_id: Option<MessageId>,
    pub content: Option<String>,
    pub speaker: Option<WishedSpeaker>,
    pub instruction: Option<String>,
    pub model_id: Option<String>,
}

/// What a model would be told.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The model that would be asked.
    pub model: String,
    /// The plan of the prompt.
    pub plan: Plan,
    /// The body of the provider's request; none if the model has no wire.
    pub body: Option<String>,
}

/// A turn as it could be sent, ready to be planned.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsal {
    /// What its prompt would be made of.
    pub(crate) scene: Scene,
    /// The model that would be asked.
    pub(crate) model: String,
    /// The message of the story that it goes on from.
    pub(crate) parent: Option<MessageId>,
}

/// Plans the prompt of a turn without sending it.
pub async fn preview(app: &App, viewer: &Viewer, wish: PreviewWish) -> Result<Preview> {
    viewer.user()?;
    check_instruction(wish.instruction.as_deref())?;
    let content = wish.content.as_deref().unwrap_or_default();
    TextRule::optional(app.limits.message_bytes).check("input.content", content)?;
    let Rehearsal { scene, model, .. } = rehearse(app, viewer, wish, Reach::Most).await?;
    let asking = Asking { model: &model, seed: 0, attempt: 1 };
    let asked = ask::compose_with(app, &scene, asking, app.calibrations.of(&model)).await;
    let asked = asked.map_err(does_not_fit)?;
    Ok(Preview { model, plan: asked.plan, body: asked.body })
}

/// The plan of a rehearsed turn's prompt, before anything comes to mind.
pub(crate) fn outline(app: &App, rehearsal: &Rehearsal) -> Result<Plan> {
    let Rehearsal { scene, model, .. } = rehearsal;
    ask::outline(app, scene, model, &app.calibrations.of(model)).map_err(does_not_fit)
}

fn does_not_fit(failure: Failure) -> Error {
    Error::invalid("input", failure.message)
}

/// Reads what a turn would be made of, as far as it is to be read.
pub(crate) async fn rehearse(
    app: &App,
    viewer: &Viewer,
    wish: PreviewWish,
    reach: Reach,
) -> Result<Rehearsal> {
    let user = viewer.user()?;
    let session = session::get(app, viewer, wish.session_id).await;
    let session = session.map_err(|error| error.at("input.sessionId"))?;
    let parent = find_parent(app, &session, wish.parent_id).await?;
    let character: Option<CharacterId> = match wish.speaker {
        Some(WishedSpeaker::Character(id)) => Some(id),
        Some(WishedSpeaker::Narrator(_)) | None => None,
    };
    let speaker = match wish.speaker {
        Some(WishedSpeaker::Narrator(task)) => Speaker::Narrator { task },
        Some(WishedSpeaker::Character(_)) | None => {
            let mut reader = app.db.reader();
            choose_speaker(&mut reader, session.id, character, parent.as_ref()).await?
        }
    };
    if let Some(model) = &wish.model_id {
        app.check_model("input.modelId", model)?;
    }
    let wanted = wish.model_id.or_else(|| session.settings.story_model.clone());
    let model = app.story_model(wanted);
    let job = Job { instruction: wish.instruction, ..Job::new(speaker, user.minor) };
    let depth = parent.as_ref().map_or(0, |parent| parent.depth + 1);
    let parent = parent.map(|parent| parent.id);
    let key = SceneKey { session: session.id, parent, depth, job, begun: None };
    let mut scene = scene::read(app, &key, reach).await?;
    let content = wish.content.unwrap_or_default();
    if !content.trim().is_empty() {
        let message = unsent(app, &scene, content);
        scene.path.push(message);
        scene.depth += 1;
    }
    Ok(Rehearsal { scene, model, parent })
}

async fn find_parent(
    app: &App,
    session: &session::Session,
    wanted: Option<MessageId>,
) -> Result<Option<Message>> {
    let Some(id) = wanted.or(session.head_id) else { return Ok(None) };
    let found = store::message::find(&mut app.db.reader(), id).await?;
    let here = |message: &Message| message.session_id == session.id && message.deleted_at.is_none();
    match found.filter(here) {
        Some(parent) => Ok(Some(parent)),
        None => Err(Error::not_found("message").at("input.parentId")),
    }
}

/// A message of the player's that exists in the preview alone.
fn unsent(app: &App, scene: &Scene, content: String) -> Message {
    let author = Author {
        author_name: scene.player_name().to_owned(),
        author_persona_id: scene.persona.as_ref().map(|persona| persona.id),
        ..Author::default()
    };
    Message {
        id: app.ids.next(),
        session_id: scene.session.id,
        parent_id: None,
        depth: scene.depth,
        jump_id: None,
        jump_depth: 0,
        role: MessageRole::Player,
        author,
        content,
        thought: None,
        status: MessageStatus::Complete,
        revision: 1,
        edited_from_id: None,
        continued_from_id: None,
        hidden_from_prompt: false,
        bookmark: None,
        created_at: app.clock.now(),
        edited_at: None,
        deleted_at: None,
        deletion_id: None,
    }
}
