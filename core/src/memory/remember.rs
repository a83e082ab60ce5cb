//! What comes to mind in a turn, or would.

use std::{collections::HashMap, sync::Arc};

use skald_base::{Error, Result, Viewer, graph::TextRule};

use super::{
    Heard, Recalled, Source,
    question::Question,
    select::select,
    story,
    told::{Passage, Told},
};
use crate::{
    app::App,
    prompt::{Plan, Scene, Telling, tokens::Calibration},
    recall::Hit,
    session::SessionId,
    store,
    tree::{Message, MessageId},
    turn::{self, PreviewWish, Reach, WishedSpeaker},
};

/// Passages that a turn looks at.
const CANDIDATES: usize = 40;
/// Passages that a preview shows, unless told otherwise, and at most.
const SHOWN: usize = 20;
const MOST_SHOWN: usize = 100;

/// Of which part of a path something should come to mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum RecallScope {
    BeforeWindow,
    Path,
}

/// What to try memory with.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the graph's input documents each field")]
pub struct RecallWish {
    pub session_id: SessionId,
    pub at: Option<MessageId>,
    pub text: Option<String>,
    pub context: Option<String>,
    pub speaker: Option<WishedSpeaker>,
    pub scope: RecallScope,
    pub first: Option<i32>,
}

/// A question, the path it is asked of, and how much may come of it.
struct Asked<'a> {
    question: &'a Question,
    session: SessionId,
    /// The last message that can come to mind.
    last: MessageId,
    /// Passages at most.
    most: usize,
    /// Tokens for those that go into a prompt.
    room: u32,
    telling: Telling<'a>,
}

/// Puts into a plan what comes to mind of the story above its history.
///
/// A reply without memories is better than none: what fails is logged.
pub async fn remind(app: &App, scene: &Scene, plan: &mut Plan, calibration: &Calibration) {
    let telling = Telling { language: &scene.session.settings.language, calibration };
    let session = scene.session.id;
    let (Some(question), Some(last)) = (Question::of(scene), above(scene, plan)) else { return };
    let (question, room) = (&question, plan.memory_room);
    let asked = Asked { question, session, last, most: CANDIDATES, room, telling };
    match recall(app, asked).await {
        Ok(recalled) => plan.remember(recalled, telling),
        Err(error) => {
            let error = error.describe();
            tracing::warn!(%session, error, "nothing came to mind: the database failed");
        }
    }
}

/// What would come to mind, strongest first; nothing is stored.
pub async fn preview(app: &App, viewer: &Viewer, wish: RecallWish) -> Result<Vec<Recalled>> {
    viewer.user()?;
    let text = wish.text.as_deref().unwrap_or_default();
    let before = wish.context.as_deref().unwrap_or_default();
    TextRule::optional(app.limits.message_bytes).check("input.text", text)?;
    TextRule::optional(app.limits.message_bytes).check("input.context", before)?;
    let most = shown(wish.first)?;
    let reach = match wish.scope {
        RecallScope::BeforeWindow => Reach::Most,
        RecallScope::Path => Reach::Last,
    };
    let context = wish.context.clone();
    let (scope, turn) = (wish.scope, wish.turn());
    let rehearsal = turn::rehearse(app, viewer, turn, reach).await?;
    let (scene, model) = (&rehearsal.scene, &rehearsal.model);
    let Some(mut question) = Question::of(scene) else { return Ok(Vec::new()) };
    if let Some(context) = context {
        question.asked_after(context);
    }
    let calibration = app.calibrations.of(model);
    let (last, room) = match scope {
        RecallScope::Path => (rehearsal.parent, turn::budget(app, model).memory),
        RecallScope::BeforeWindow => {
            let plan = turn::outline(app, &rehearsal)?;
            (above(scene, &plan), plan.memory_room)
        }
    };
    let Some(last) = last else { return Ok(Vec::new()) };
    let telling = Telling { language: &scene.session.settings.language, calibration: &calibration };
    let session = scene.session.id;
    recall(app, Asked { question: &question, session, last, most, room, telling }).await
}

impl RecallWish {
    /// The turn in which it would come to mind.
    fn turn(self) -> PreviewWish {
        PreviewWish {
            session_id: self.session_id,
            parent_id: self.at,
            content: self.text,
            speaker: self.speaker,
            instruction: None,
            model_id: None,
        }
    }
}

fn shown(first: Option<i32>) -> Result<usize> {
    let first = first.map_or(Some(SHOWN), |first| usize::try_from(first).ok());
    let allowed = first.filter(|first| (1..=MOST_SHOWN).contains(first));
    allowed.ok_or_else(|| Error::invalid("input.first", "first is a number from 1 to 100"))
}

/// The message above the history of a plan; none if the whole story went in, or nothing may come
/// to mind.
fn above(scene: &Scene, plan: &Plan) -> Option<MessageId> {
    let began_with = plan.began_with.filter(|_| plan.memory_room > 0)?;
    let is_first = |message: &&Message| message.id == began_with;
    scene.path.iter().find(is_first)?.parent_id
}

/// What comes to mind, strongest first, and what of it goes into a prompt.
async fn recall(app: &App, asked: Asked<'_>) -> Result<Vec<Recalled>> {
    let Asked { question, session, last, most, room, telling } = asked;
    let Some(told) = story::told(app, session, last).await? else { return Ok(Vec::new()) };
    let found = rank(app, told, question.clone(), most).await?;
    let mut ids: Vec<MessageId> = found.iter().map(|(passage, _)| passage.message).collect();
    ids.sort_unstable();
    ids.dedup();
    let heard = store::memory::heard(&app.db, &ids).await?;
    let heard: HashMap<MessageId, Heard> = heard.into_iter().map(|one| (one.id, one)).collect();
    let recalled = found.into_iter().filter_map(|(passage, hit)| {
        let message = heard.get(&passage.message)?;
        recalled(message, passage, hit)
    });
    let mut recalled: Vec<Recalled> = recalled.collect();
    let room = room.saturating_sub(telling.frame());
    select(&mut recalled, room, |one| telling.size(one));
    Ok(recalled)
}

/// Ranks where it holds nobody up; what asks is no answer.
async fn rank(
    app: &App,
    told: Arc<Told>,
    question: Question,
    most: usize,
) -> Result<Vec<(Passage, Hit)>> {
    let ranking = app.lifecycle.tasks().spawn_blocking(move || {
        let mut found = told.rank(&question, most + told.passages_of(&question.made_of));
        found.retain(|(passage, _)| !question.made_of.contains(&passage.message));
        found.truncate(most);
        found
    });
    ranking.await.map_err(|error| Error::Internal(error.to_string()))
}

/// A passage with its text; none if the message was edited since.
fn recalled(message: &Heard, passage: Passage, hit: Hit) -> Option<Recalled> {
    let Passage { revision, start, end, .. } = passage;
    let text = message.content.get(start..end).filter(|_| message.revision == revision)?;
    Some(Recalled {
        source: Source::Episode { message: message.id, revision, start, end },
        depth: message.depth,
        teller: message.author.author_name.clone(),
        text: text.trim().to_owned(),
        score: hit.score,
        lexical_rank: hit.lexical_rank,
        included: false,
        reason: hit.reason,
    })
}
