//! What a model is told for one reply: reads the scene, plans the prompt.

use skald_base::Result;

use super::{Failure, FailureCode, NarratorTask, Reply, Speaker};
use crate::{
    app::App,
    llm::{self, Options, Output, Request},
    prompt::{self, Scene},
    session::NarrativeVoice,
    store,
};

/// Messages of the path that are read for a prompt at most; the budget decides how many go in.
const WINDOW: i64 = 400;

/// The request to the model; a failure if the prompt cannot be built.
pub(super) async fn request(app: &App, reply: &Reply) -> Result<Result<Request, Failure>> {
    let scene = read(app, reply).await?;
    let model = app.model(&reply.model);
    let abilities = model.map(|model| model.abilities).unwrap_or_default();
    let budget = prompt::Budget::for_context(abilities.context_tokens);
    let plan = match prompt::plan(&scene, budget) {
        Ok(plan) => plan,
        Err(too_large) => {
            let message = too_large.to_string();
            return Ok(Err(Failure { code: FailureCode::PromptTooLarge, message }));
        }
    };
    let job = &reply.job.0;
    Ok(Ok(Request {
        model: reply.model.clone(),
        abilities,
        system: plan.system(),
        turns: plan.turns(),
        stop: vec![format!("\n{}:", scene.player_name())],
        max_output_tokens: budget.reply,
        options: Options { temperature: job.temperature, ..Options::default() },
        output: Output::Prose,
        seed: seed(reply),
        story: story(&scene, reply),
    }))
}

/// Differs for every swipe, and for every attempt at it.
fn seed(reply: &Reply) -> u64 {
    let (high, low) = reply.message_id.uuid().as_u64_pair();
    high.rotate_left(17) ^ low ^ reply.attempt.unsigned_abs()
}

async fn read(app: &App, reply: &Reply) -> Result<Scene> {
    let mut reader = app.db.reader();
    let missing = || skald_base::Error::Internal("a reply without its message or session".into());
    let message = store::message::find(&mut reader, reply.message_id).await?.ok_or_else(missing)?;
    let session = store::session::find_any(&mut reader, reply.session_id).await?;
    let session = session.ok_or_else(missing)?;
    let path = match message.parent_id {
        Some(parent) => store::message::path_up(&mut reader, &[parent], WINDOW).await?,
        None => Vec::new(),
    };
    let persona = match session.persona_id {
        Some(id) => store::persona::find_any(&mut reader, id).await?,
        None => None,
    };
    let cast = store::session::cast(&mut reader, &[session.id]).await?;
    let speaker = match &reply.job.0.speaker {
        Speaker::Character { id: Some(id), .. } => {
            store::character::find_any(&mut reader, *id).await?
        }
        Speaker::Character { id: None, .. } | Speaker::Narrator { .. } => None,
    };
    Ok(Scene {
        session,
        persona,
        cast,
        speaker,
        job: reply.job.0.clone(),
        path: path.into_iter().map(|step| step.message).collect(),
        depth: message.depth,
    })
}

fn story(scene: &Scene, reply: &Reply) -> llm::Story {
    let (speaker, task) = match &scene.job.speaker {
        Speaker::Character { name, .. } => (Some(scene.speaker_name().unwrap_or(name)), None),
        Speaker::Narrator { task } => (None, Some(*task)),
    };
    llm::Story {
        attempt: u32::try_from(reply.attempt).unwrap_or(1),
        language: scene.session.settings.language.clone(),
        speaker: speaker.map(ToOwned::to_owned),
        task: task.map(|task| match task {
            NarratorTask::Scene => llm::NarratorTask::Scene,
            NarratorTask::Transition => llm::NarratorTask::Transition,
            NarratorTask::Recap => llm::NarratorTask::Recap,
        }),
        player: scene.player_name().to_owned(),
        cast: scene.cast.iter().map(|member| member.name.clone()).collect(),
        about_speaker: scene.about_speaker(),
        about_player: scene.about_player(),
        last_line: scene.last_line().to_owned(),
        instruction: scene.job.instruction.clone(),
        depth: u32::try_from(scene.depth).unwrap_or(u32::MAX),
        voice: match scene.session.settings.narrative_voice {
            NarrativeVoice::First => llm::Voice::First,
            NarrativeVoice::Second => llm::Voice::Second,
            NarrativeVoice::Third => llm::Voice::Third,
        },
    }
}
