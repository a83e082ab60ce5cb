//! What a model would be told, before anything is sent.

use skald_base::{Error, Result, Viewer, graph::TextRule};

use super::{
    Job, Speaker, WishedSpeaker,
    ask::{self, Asking},
    check_instruction, choose_speaker,
    scene::{self, Extent, SceneKey},
};
use crate::{
    app::App,
    character::CharacterId,
    prompt::Plan,
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

/// Plans the prompt of a turn without sending it.
pub async fn preview(app: &App, viewer: &Viewer, wish: PreviewWish) -> Result<Preview> {
    let user = viewer.user()?;
    check_instruction(wish.instruction.as_deref())?;
    let content = wish.content.as_deref().unwrap_or_default();
    TextRule::optional(app.limits.message_bytes).check("input.content", content)?;
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
    let mut scene = scene::read(app, &key, Extent::Most).await?;
    if !content.trim().is_empty() {
        let message = unsent(app, &scene.session.id, (content, depth));
        scene.path.push(message);
        scene.depth += 1;
    }
    let asking = Asking { model: &model, seed: 0, attempt: 1 };
    let asked = ask::compose_with(app, &scene, asking, app.calibrations.of(&model));
    let asked = asked.map_err(|failure| Error::invalid("input", failure.message))?;
    Ok(Preview { model, plan: asked.plan, body: asked.body })
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
fn unsent(app: &App, session: &SessionId, (content, depth): (&str, i64)) -> Message {
    Message {
        id: app.ids.next(),
        session_id: *session,
        parent_id: None,
        depth,
        jump_id: None,
        jump_depth: 0,
        role: MessageRole::Player,
        author: Author::default(),
        content: content.to_owned(),
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
