//! Writing a chat, one line at a time; each line ends with a line feed. Pure.

use serde_json::{Map, Value, json};

use super::{Entry, Header, Speaker, Version, date};
use crate::tree::MessageRole;

/// The first line of a file.
pub fn header(header: &Header) -> String {
    let mut metadata = header.metadata.clone();
    if let Some(main_chat) = &header.main_chat {
        metadata.insert("main_chat".into(), json!(main_chat));
    }
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "unused".into());
    line(&json!({
        "user_name": name(&header.user_name),
        "character_name": name(&header.character_name),
        "create_date": header.created_at.map(date::write),
        "chat_metadata": metadata,
    }))
}

/// A message with its alternatives as swipes.
pub fn entry(entry: &Entry) -> String {
    let Speaker { role, name, avatar } = &entry.speaker;
    let selected = entry.versions.get(entry.selected);
    let mut fields = selected.map(moments).unwrap_or_default();
    fields.insert("name".into(), json!(name));
    fields.insert("is_user".into(), json!(*role == MessageRole::Player));
    let is_system = entry.hidden || *role == MessageRole::System;
    fields.insert("is_system".into(), json!(is_system));
    fields.insert("mes".into(), json!(selected.map_or("", |version| &version.content)));
    if let Some(avatar) = avatar {
        fields.insert("original_avatar".into(), json!(avatar));
    }
    let mut extra = selected.map(|version| extra(version, *role)).unwrap_or_default();
    if let Some(bookmark) = &entry.bookmark {
        extra.insert("bookmark_link".into(), json!(bookmark));
    }
    if !entry.branches.is_empty() {
        extra.insert("branches".into(), json!(entry.branches));
    }
    fields.insert("extra".into(), Value::Object(extra));
    if entry.versions.len() > 1 {
        let texts: Vec<&str> = entry.versions.iter().map(|v| v.content.as_str()).collect();
        let infos: Vec<Value> = entry.versions.iter().map(|v| info(v, *role)).collect();
        fields.insert("swipe_id".into(), json!(entry.selected));
        fields.insert("swipes".into(), json!(texts));
        fields.insert("swipe_info".into(), json!(infos));
    }
    line(&Value::Object(fields))
}

fn info(version: &Version, role: MessageRole) -> Value {
    let mut fields = moments(version);
    fields.insert("extra".into(), Value::Object(extra(version, role)));
    Value::Object(fields)
}

fn moments(version: &Version) -> Map<String, Value> {
    let moments = [
        ("send_date", version.sent_at),
        ("gen_started", version.started_at),
        ("gen_finished", version.finished_at),
    ];
    let known =
        moments.into_iter().filter_map(|(name, at)| Some((name.into(), json!(date::write(at?)))));
    known.collect()
}

fn extra(version: &Version, role: MessageRole) -> Map<String, Value> {
    let kind = match role {
        MessageRole::Narrator => Some("narrator"),
        MessageRole::System => Some("comment"),
        MessageRole::Player | MessageRole::Character => None,
    };
    let words = [
        ("type", kind),
        ("model", version.model.as_deref()),
        ("reasoning", version.thought.as_deref()),
    ];
    words.into_iter().filter_map(|(name, word)| Some((name.into(), json!(word?)))).collect()
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}
