//! From a message of a chat to one that is grafted. Pure.

use skald_base::UserId;
use sqlx::types::Json;

use super::{Node, Version};
use crate::{
    session::graft::Scion,
    tree::{Author, MessageRole, MessageStatus},
    turn::{Job, NarratorTask, Reply, Speaker, Stage},
};

/// The message as a graft takes it: `author` is who wrote it, as far as we know them, and `user`
/// for whom a model wrote it.
pub fn scion(node: Node, author: Author, user: UserId) -> Scion<u64> {
    let role = node.speaker.role;
    let model = node.version.model.clone().filter(|_| role != MessageRole::Player);
    let reply = model.map(|model| reply(&node, model, &author, user));
    Scion {
        key: node.key,
        parent: node.parent,
        role,
        author,
        content: node.version.content,
        thought: node.version.thought,
        status: MessageStatus::Complete,
        revisions: Vec::new(),
        hidden_from_prompt: node.hidden,
        bookmark: node.bookmark,
        edited_from: None,
        continued_from: None,
        created_at: node.created_at,
        edited_at: None,
        reply,
    }
}

/// How a model wrote it: which one, and when, is all that a chat says.
fn reply(node: &Node, model: String, author: &Author, user: UserId) -> Reply {
    let speaker = match node.speaker.role {
        MessageRole::Narrator | MessageRole::System => {
            Speaker::Narrator { task: NarratorTask::Scene }
        }
        MessageRole::Player | MessageRole::Character => {
            Speaker::Character { id: author.author_character_id, name: author.author_name.clone() }
        }
    };
    let job = Job { speaker, instruction: None, temperature: None, model: None, minor: false };
    let Version { started_at, finished_at, .. } = node.version;
    let created_at = started_at.unwrap_or(node.created_at);
    Reply {
        // The graft knows these.
        message_id: crate::tree::MessageId::from_uuid(uuid::Uuid::nil()),
        session_id: crate::session::SessionId::from_uuid(uuid::Uuid::nil()),
        user_id: user,
        job: Json(job),
        model,
        attempt: 1,
        stage: Stage::Writing,
        leased_by: None,
        stop_requested: false,
        draft_content: String::new(),
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
        created_at,
        first_text_at: None,
        finished_at: Some(finished_at.unwrap_or(created_at).max(created_at)),
    }
}
