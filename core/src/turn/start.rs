//! Starting a reply: who speaks, below what, and whether there is room for one more.

use skald_base::{Error, Result, UserError, UserErrorCode, UserId, db::Source};
use sqlx::types::Json;

use super::{
    Job, NarratorTask, Reply, Speaker, Stage,
    run::{self, Start},
};
use crate::{
    app::App,
    character::CharacterId,
    prompt::Begun,
    request,
    session::{
        CastMember, Session, SessionId,
        change::{ParentPlace, SessionChange},
    },
    store,
    tree::{Author, Message, MessageId, MessageRole, MessageStatus},
};

/// The message to go on from: the named one or the head, and nobody writes it any more.
pub(crate) async fn open_parent(
    change: &mut SessionChange<'_>,
    id: Option<MessageId>,
) -> Result<Option<Message>> {
    let Some(id) = id.or(change.session.head_id) else { return Ok(None) };
    let parent = change.message(id, "input.parentId").await?;
    if parent.status.is_running() {
        let message = "the message above is still being written: stop it or wait for its end";
        let error = UserError::new(UserErrorCode::ReplyRunning, message);
        return Err(error.at("input.parentId").into());
    }
    Ok(Some(parent))
}

/// The message above another version of `message`, if nobody writes it any more.
pub(super) async fn parent_of(
    change: &mut SessionChange<'_>,
    message: &Message,
) -> Result<Option<Message>> {
    match message.parent_id {
        Some(_) => {
            let parent = open_parent(change, message.parent_id).await;
            parent.map_err(|error| error.at("input.messageId"))
        }
        None => Ok(None),
    }
}

/// Stores what the player wrote.
pub(super) async fn player_message(
    change: &mut SessionChange<'_>,
    parent: Option<&Message>,
    (id, user): (Option<MessageId>, UserId),
    content: String,
) -> Result<Message> {
    let place = place_below(change, parent).await?;
    let author = player_author(change, user).await?;
    let id = id.unwrap_or_else(|| change.app.ids.next());
    let mut message = change.draft_message(id, MessageRole::Player, author, place.as_ref());
    message.content = content;
    message.status = MessageStatus::Complete;
    store::message::insert(&mut change.tx, &message).await.map_err(request::id_taken)?;
    Ok(message)
}

/// Who writes as the session's persona.
async fn player_author(change: &mut SessionChange<'_>, user: UserId) -> Result<Author> {
    let persona = match change.session.persona_id {
        Some(id) => store::persona::find_any(&mut change.tx, id).await?,
        None => None,
    };
    let nobody = || crate::prompt::template::player(&change.session.settings.language).to_owned();
    Ok(Author {
        author_name: persona.as_ref().map_or_else(nobody, |p| p.profile.name.clone()),
        author_avatar_url: persona.as_ref().and_then(|p| p.profile.avatar_url.clone()),
        author_user_id: Some(user),
        author_persona_id: persona.map(|persona| persona.id),
        author_character_id: None,
    })
}

async fn place_below(
    change: &mut SessionChange<'_>,
    parent: Option<&Message>,
) -> Result<Option<ParentPlace>> {
    match parent {
        Some(parent) => ParentPlace::below(&mut change.tx, parent).await.map(Some),
        None => Ok(None),
    }
}

/// What `start_reply` needs to know.
pub(crate) struct Order {
    pub(crate) id: Option<MessageId>,
    pub(crate) user: UserId,
    pub(crate) job: Job,
    /// What it goes on from, if it does not begin anew.
    pub(crate) begun: Option<Begun>,
}

impl Order {
    /// An order for a reply that begins anew.
    pub(crate) fn new(id: Option<MessageId>, user: UserId, job: Job) -> Self {
        Self { id, user, job, begun: None }
    }
}

/// A reply that is stored but not committed: [`begin`] it after the commit.
pub(crate) struct Started {
    pub(crate) message: Message,
    reply: Reply,
}

/// Stores an empty message and the job that will fill it; there is [room](check_limits) for it.
pub(crate) async fn start_reply(
    change: &mut SessionChange<'_>,
    parent: Option<&Message>,
    order: Order,
) -> Result<Started> {
    let place = place_below(change, parent).await?;
    let (role, author) = reply_author(change, &order).await?;
    let id = order.id.unwrap_or_else(|| change.app.ids.next());
    let mut message = change.draft_message(id, role, author, place.as_ref());
    if let Some(begun) = order.begun {
        message.continued_from_id = begun.from;
        message.content = begun.text;
    }
    store::message::insert(&mut change.tx, &message).await.map_err(request::id_taken)?;
    let app = change.app;
    let wanted = order.job.model.clone().or_else(|| change.session.settings.story_model.clone());
    let reply = Reply {
        message_id: message.id,
        session_id: message.session_id,
        user_id: order.user,
        job: Json(order.job),
        model: app.story_model(wanted),
        attempt: 1,
        stage: Stage::Recalling,
        leased_by: Some(app.replies.process()),
        stop_requested: false,
        draft_content: message.content.clone(),
        draft_thought: String::new(),
        failure_code: None,
        failure_message: None,
        retry_at: None,
        finish_reason: None,
        prompt_tokens: None,
        cached_tokens: None,
        output_tokens: None,
        thought_tokens: None,
        cost: None,
        created_at: message.created_at,
        first_text_at: None,
        finished_at: None,
    };
    store::reply::insert(&mut change.tx, &reply).await?;
    Ok(Started { message, reply })
}

/// Sets the writing of a committed reply going.
pub(crate) fn begin(app: &App, started: Started, session: &Session) -> Message {
    let Started { message, reply } = started;
    let begins_with = message.content.clone();
    let added_at = session.last_sequence;
    run::spawn(app, Start { reply, begins_with, added_at, tries: 1 });
    message
}

/// Refuses one more running reply than there may be. Asked before anything of a turn is stored.
pub(crate) async fn check_limits(change: &mut SessionChange<'_>, user: UserId) -> Result<()> {
    let session = change.session.id;
    let limits = &change.app.limits;
    // The session is locked already; the player's other sessions are not.
    store::lock_user(&mut change.tx, user).await?;
    let (of_user, of_session) = store::reply::count_running(&mut change.tx, user, session).await?;
    let exceeded = |what: &str, allowed: i64| {
        let message = format!("at most {allowed} replies may be written at once {what}");
        Err(UserError::new(UserErrorCode::LimitExceeded, message).into())
    };
    if of_session >= limits.replies_per_session {
        return exceeded("in one session", limits.replies_per_session);
    }
    if of_user >= limits.replies_per_user {
        return exceeded("for one player", limits.replies_per_user);
    }
    Ok(())
}

async fn reply_author(
    change: &mut SessionChange<'_>,
    order: &Order,
) -> Result<(MessageRole, Author)> {
    let (id, name) = match &order.job.speaker {
        Speaker::Character { id, name } => (id, name),
        Speaker::Player => {
            return Ok((MessageRole::Player, player_author(change, order.user).await?));
        }
        Speaker::Narrator { .. } => {
            let narrator = crate::prompt::template::narrator(&change.session.settings.language);
            let author = Author { author_name: narrator.into(), ..Author::default() };
            return Ok((MessageRole::Narrator, author));
        }
    };
    // The live name and avatar, as sessions follow the live character.
    let character = match id {
        Some(id) => store::character::find_any(&mut change.tx, *id).await?,
        None => None,
    };
    let author = Author {
        author_name: character.as_ref().map_or_else(|| name.clone(), |c| c.card.name.clone()),
        author_avatar_url: character.as_ref().and_then(|c| c.card.avatar_url.clone()),
        author_character_id: *id,
        ..Author::default()
    };
    Ok((MessageRole::Character, author))
}

/// The wanted member of the cast, or who spoke last on the path, or the first.
pub(crate) async fn choose_speaker(
    source: &mut impl Source,
    session: SessionId,
    wanted: Option<CharacterId>,
    parent: Option<&Message>,
) -> Result<Speaker> {
    let cast = store::session::cast(source, &[session]).await?;
    if let Some(wanted) = wanted {
        let member = cast.into_iter().find(|member| member.character_id == Some(wanted));
        let member = member
            .ok_or_else(|| Error::not_found("character in the cast").at("input.speakerId"))?;
        return Ok(as_speaker(member));
    }
    let mut last = None;
    if let (Some(parent), true) = (parent, cast.len() > 1) {
        let recent = store::message::path_up(source, &[parent.id], 12).await?;
        last = recent.into_iter().rev().find_map(|step| step.message.author.author_character_id);
    }
    let member = cast
        .iter()
        .find(|member| last.is_some() && member.character_id == last)
        .or_else(|| cast.first())
        .cloned();
    member.map(as_speaker).ok_or_else(|| Error::not_found("cast"))
}

fn as_speaker(member: CastMember) -> Speaker {
    Speaker::Character { id: member.character_id, name: member.name }
}

/// Who wrote a message, so that another version has the same author and task.
pub(super) async fn speaker_of(
    change: &mut SessionChange<'_>,
    message: &Message,
) -> Result<Speaker> {
    match message.role {
        MessageRole::Character => Ok(Speaker::Character {
            id: message.author.author_character_id,
            name: message.author.author_name.clone(),
        }),
        MessageRole::Narrator => {
            let reply = store::reply::find(&mut change.tx, message.id).await?;
            Ok(reply.map_or(Speaker::Narrator { task: NarratorTask::Scene }, |r| r.job.0.speaker))
        }
        MessageRole::Player | MessageRole::System => {
            // The player may have had it written.
            if let Some(reply) = store::reply::find(&mut change.tx, message.id).await? {
                return Ok(reply.job.0.speaker);
            }
            let message = "only what a model wrote, or a greeting, can be written again";
            Err(Error::invalid("input.messageId", message))
        }
    }
}
