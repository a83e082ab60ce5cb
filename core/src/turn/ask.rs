//! From a scene to a request, and the record of it by which a reply explains itself.

use skald_base::{Error, Result};
use sqlx::types::Json;

use super::{
    Failure, FailureCode, NarratorTask, Reply, Speaker,
    scene::{self, Reach, SceneKey},
};
use crate::{
    app::App,
    calibration::Counted,
    llm::{
        self, Abilities, LastTurn, Model, ModelRole, Options, Output, Request, Thinking,
        registry::split,
    },
    memory,
    prompt::{
        self, Begun, Budget, GoingOn, Plan, Scene,
        record::{PlanBody, PlanRecord},
        tokens::Calibration,
    },
    session::NarrativeVoice,
    store,
    tree::Message,
};

/// A request, and the plan of its prompt.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) plan: Plan,
    /// The body of the provider's HTTP request; none if the model has no wire.
    pub(super) body: Option<String>,
    calibration: Calibration,
}

/// The model that is asked, and what makes this call differ from others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    pub(super) model: &'a str,
    pub(super) seed: u64,
    pub(super) attempt: i64,
}

/// The request for a reply; a failure if the prompt cannot be built.
pub(super) async fn for_reply(app: &App, reply: &Reply) -> Result<Result<Asked, Failure>> {
    let missing = || Error::Internal("a reply without its message".into());
    let message = store::message::find(&mut app.db.reader(), reply.message_id).await?;
    let message = message.ok_or_else(missing)?;
    let key = SceneKey {
        session: reply.session_id,
        parent: message.parent_id,
        depth: message.depth,
        job: reply.job.0.clone(),
        begun: begun(message),
    };
    let asking = Asking { model: &reply.model, seed: seed(reply), attempt: reply.attempt };
    let scene = scene::read(app, &key, Reach::AsBefore).await?;
    let asked = match compose(app, &scene, asking).await {
        Ok(asked) if asked.plan.underfilled => {
            let scene = scene::read(app, &key, Reach::Most).await?;
            compose(app, &scene, asking).await
        }
        asked => asked,
    };
    Ok(asked)
}

/// What a reply goes on from is the text of its message until it ends.
fn begun(message: Message) -> Option<Begun> {
    let Message { content: text, continued_from_id: from, .. } = message;
    (!text.is_empty()).then_some(Begun { from, text })
}

/// Differs for every swipe, and for every attempt at it.
fn seed(reply: &Reply) -> u64 {
    let (high, low) = reply.message_id.uuid().as_u64_pair();
    high.rotate_left(17) ^ low ^ reply.attempt.unsigned_abs()
}

/// The model that takes over if the one that writes a reply cannot: the session's choice, else
/// the server's.
pub(super) async fn fallback(app: &App, reply: &Reply) -> Result<Option<String>> {
    let session = store::session::find_any(&mut app.db.reader(), reply.session_id).await?;
    let chosen = session.and_then(|session| session.settings.fallback_model);
    // Who chose another model did not choose what the server's own falls back to.
    let usual = || {
        let role = app.llm.role(ModelRole::Story)?;
        role.fallback.filter(|_| role.model == reply.model)
    };
    let model = chosen.filter(|model| app.has_model(model)).or_else(usual);
    Ok(model.filter(|model| *model != reply.model && app.has_model(model)))
}

/// Plans the prompt and makes the request of it.
pub(super) async fn compose(
    app: &App,
    scene: &Scene,
    asking: Asking<'_>,
) -> Result<Asked, Failure> {
    let asked = compose_with(app, scene, asking, app.calibrations.of(asking.model)).await?;
    let limit = asked.request.abilities.context_tokens.saturating_sub(asked.plan.budget.reply);
    // An estimate is good enough, unless the model's limit is near.
    if asked.plan.tokens < limit / 100 * 95 {
        return Ok(asked);
    }
    let Ok(Some(counted)) = app.llm.count(&asked.request).await else { return Ok(asked) };
    let (weight, context) = (asked.plan.weight, asked.request.abilities.context_tokens);
    app.calibrations.learn(asking.model, Counted { weight, tokens: counted, context });
    if counted <= limit {
        return Ok(asked);
    }
    compose_with(app, scene, asking, app.calibrations.of(asking.model)).await
}

/// The same, as far as this process knows: nobody else is asked.
pub(super) async fn compose_with(
    app: &App,
    scene: &Scene,
    asking: Asking<'_>,
    calibration: Calibration,
) -> Result<Asked, Failure> {
    let mut plan = outline(app, scene, asking.model, &calibration)?;
    memory::remind(app, scene, &mut plan, &calibration).await;
    let abilities = abilities(app, asking.model);
    let going_on = going_on(&abilities);
    let options = with_wishes(options_for(app, asking.model), scene);
    let options = match (&scene.begun, going_on) {
        // Servers refuse to think about an answer that has begun.
        (Some(_), GoingOn::Prefill) => Options { thinking: Some(Thinking::None), ..options },
        (Some(_), GoingOn::Asked) | (None, _) => options,
    };
    let abilities = with_room(abilities, &plan);
    let request = Request {
        model: asking.model.to_owned(),
        abilities,
        system: plan.system(),
        turns: plan.turns(),
        stop: scene.others().iter().map(|name| format!("\n{name}:")).collect(),
        max_output_tokens: plan.budget.reply,
        options,
        output: Output::Prose,
        seed: asking.seed,
        story: story(scene, asking.attempt),
    };
    let body = app.llm.body(&request);
    Ok(Asked { request, plan, body, calibration })
}

/// The plan of a prompt, before anything comes to mind.
pub(super) fn outline(
    app: &App,
    scene: &Scene,
    model: &str,
    calibration: &Calibration,
) -> Result<Plan, Failure> {
    let going_on = going_on(&abilities(app, model));
    prompt::plan(scene, budget(app, model), calibration, going_on)
        .map_err(|too_large| Failure::new(FailureCode::PromptTooLarge, too_large.to_string()))
}

/// What a model's prompt is fitted into.
pub(crate) fn budget(app: &App, model: &str) -> Budget {
    let abilities = abilities(app, model);
    let context = app.calibrations.context(model, abilities.context_tokens);
    let reply = options_for(app, model).max_output_tokens;
    Budget::new(context, reply, abilities.thinks).with_memory(&app.memory)
}

fn abilities(app: &App, model: &str) -> Abilities {
    app.model(model).map(|model: Model| model.abilities).unwrap_or_default()
}

/// What the operator chose for stories; what is one server's own goes to that server alone.
fn options_for(app: &App, model: &str) -> Options {
    let Some(role) = app.llm.role(ModelRole::Story) else { return Options::default() };
    let mut options = role.options;
    if split(&role.model).0 != split(model).0 {
        options.extra.clear();
    }
    options
}

/// Some servers refuse a limit of the reply that prompt and context leave no room for.
fn with_room(abilities: Abilities, plan: &Plan) -> Abilities {
    let prompt = plan.tokens.saturating_add(plan.tokens / 20);
    let room = abilities.context_tokens.saturating_sub(prompt).max(plan.budget.reply);
    let most = abilities.output_tokens.map_or(room, |most| most.min(room));
    Abilities { output_tokens: Some(most), ..abilities }
}

/// How a model is brought to go on from a text.
fn going_on(abilities: &Abilities) -> GoingOn {
    let can = abilities.prefill && abilities.last_turn == LastTurn::Any;
    if can { GoingOn::Prefill } else { GoingOn::Asked }
}

/// What was wished for this reply comes before what holds for all.
fn with_wishes(options: Options, scene: &Scene) -> Options {
    Options { temperature: scene.job.temperature.or(options.temperature), ..options }
}

impl Asked {
    /// The plan as it is stored, once its blocks have these numbers.
    fn record(&self, reply: &Reply, numbers: &[i64], body: Option<&str>) -> PlanRecord {
        let body =
            PlanBody::of(&self.plan, &self.calibration, numbers, (&self.request.model, body));
        PlanRecord {
            message_id: reply.message_id,
            session_id: reply.session_id,
            attempt: reply.attempt,
            began_with: self.plan.began_with,
            plan: Json(body),
        }
    }

    /// Stores what was asked, so that the reply can say it for ever.
    pub(super) async fn store(&self, app: &App, reply: &Reply, body: Option<&str>) -> Result<()> {
        let mut tx = app.db.begin().await?;
        // Two replies of one session may bring the same new block at once.
        if store::session::lock_any(&mut tx, reply.session_id).await?.is_none() {
            return Ok(());
        }
        let blocks = &self.plan.blocks;
        let numbers = store::prompt::number_blocks(&mut tx, reply.session_id, blocks).await?;
        store::prompt::save(&mut tx, &self.record(reply, &numbers, body)).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn story(scene: &Scene, attempt: i64) -> llm::Story {
    let (speaker, task) = match &scene.job.speaker {
        Speaker::Character { name, .. } => (Some(scene.speaker_name().unwrap_or(name)), None),
        Speaker::Narrator { task } => (None, Some(*task)),
        Speaker::Player => (None, None),
    };
    llm::Story {
        attempt: u32::try_from(attempt).unwrap_or(1),
        language: scene.session.settings.language.clone(),
        speaker: speaker.map(ToOwned::to_owned),
        task: task.map(|task| match task {
            NarratorTask::Scene => llm::NarratorTask::Scene,
            NarratorTask::Transition => llm::NarratorTask::Transition,
            NarratorTask::Recap => llm::NarratorTask::Recap,
        }),
        writes_player: matches!(scene.job.speaker, Speaker::Player),
        player: scene.player_name().to_owned(),
        cast: scene.cast.iter().map(|member| member.name.clone()).collect(),
        about_speaker: scene.about_speaker(),
        about_player: scene.about_player(),
        last_line: scene.last_line().to_owned(),
        instruction: scene.job.instruction.clone(),
        begun: scene.begun.as_ref().map(|begun| begun.text.clone()).unwrap_or_default(),
        depth: u32::try_from(scene.depth).unwrap_or(u32::MAX),
        voice: match scene.session.settings.narrative_voice {
            NarrativeVoice::First => llm::Voice::First,
            NarrativeVoice::Second => llm::Voice::Second,
            NarrativeVoice::Third => llm::Voice::Third,
        },
    }
}
