//! What may stand in a document, beyond its being JSON of the right form. Pure.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, Utc};
use skald_base::Error;

use super::document::Head;
use crate::{
    fact,
    session::{
        MAX_CAST, Settings,
        native::{AuthorRecord, GenerationRecord, MessageRecord},
        tags,
    },
};

/// Bytes of one text at most: what a model may write in one reply.
const TEXT_BYTES: usize = 1024 * 1024;
/// Bytes of a name or an address at most.
const NAME_BYTES: usize = 2048;
/// Bytes of the name of a bookmark at most, as for those that a player gives.
const BOOKMARK_BYTES: usize = 200;
/// Attempts at a reply at most: another one can always be counted.
const MAX_ATTEMPT: i64 = 1_000_000;
/// People of one kind at most.
pub(super) const MAX_PEOPLE: usize = 500;
/// Facts about all of them at most.
pub(super) const MAX_FACTS: usize = 20_000;

type Checked = Result<(), String>;

/// Everything before the messages.
pub(super) fn check_head(head: &Head) -> Checked {
    let Head { session, personas, characters, .. } = head;
    if session.cast.len() > MAX_CAST {
        return Err(format!("more than {MAX_CAST} characters on stage"));
    }
    let Settings { story_model, supervisor_model, fallback_model, .. } = &session.settings;
    for model in [story_model, supervisor_model, fallback_model].into_iter().flatten() {
        check_text("a model", model, NAME_BYTES)?;
    }
    for (place, persona) in personas.iter().enumerate() {
        persona.check().map_err(|error| format!("persona {place}: {}", words(&error)))?;
    }
    for (place, character) in characters.iter().enumerate() {
        character.check().map_err(|error| format!("character {place}: {}", words(&error)))?;
    }
    check_facts(head)?;
    tags::check("tags", session.tags.clone())
        .map_err(|error| format!("tags: {}", words(&error)))?;
    check_place("persona", session.persona, personas.len())?;
    for member in &session.cast {
        check_text("the name on stage", &member.name, NAME_BYTES)?;
        check_text(
            "the picture on stage",
            member.avatar_url.as_deref().unwrap_or_default(),
            NAME_BYTES,
        )?;
        check_place("character", member.character, characters.len())?;
    }
    let times = [Some(session.created_at), session.archived_at];
    times.into_iter().flatten().try_for_each(check_time)
}

/// Each is about one of them, none of them has too many, and each says something.
fn check_facts(head: &Head) -> Checked {
    let mut counts = HashMap::new();
    for (number, fact) in head.facts.iter().enumerate() {
        if fact.persona.is_some() == fact.character.is_some() {
            return Err(format!("fact {number} is not about one persona or one character"));
        }
        check_place("persona", fact.persona, head.personas.len())?;
        check_place("character", fact.character, head.characters.len())?;
        let count = counts.entry((fact.persona, fact.character)).or_insert(0);
        *count += 1;
        if *count > fact::MAX_FACTS {
            return Err(format!("more than {} facts about one person", fact::MAX_FACTS));
        }
        fact.note().map_err(|error| format!("fact {number}: {}", words(&error)))?;
    }
    Ok(())
}

fn words(error: &Error) -> String {
    error.describe()
}

/// A message that stands at this place of the list.
pub(super) fn check_message(head: &Head, place: usize, message: &MessageRecord) -> Checked {
    if message.number != place {
        return Err(format!("it stands where message {place} should: they are numbered from 0"));
    }
    for (what, number) in [
        ("parent", message.parent),
        ("editedFrom", message.edited_from),
        ("continuedFrom", message.continued_from),
    ] {
        if number.is_some_and(|number| number >= place) {
            return Err(format!("its {what} does not stand before it"));
        }
    }
    if message.status.is_running() {
        return Err("it is still being written".into());
    }
    check_text("content", &message.content, TEXT_BYTES)?;
    check_text("thought", message.thought.as_deref().unwrap_or_default(), TEXT_BYTES)?;
    check_text("bookmark", message.bookmark.as_deref().unwrap_or_default(), BOOKMARK_BYTES)?;
    check_author(head, &message.author)?;
    for revision in &message.revisions {
        check_text("a revision", &revision.content, TEXT_BYTES)?;
        check_time(revision.created_at)?;
    }
    let times = [Some(message.created_at), message.edited_at];
    times.into_iter().flatten().try_for_each(check_time)?;
    message.generation.as_ref().map_or(Ok(()), check_generation)
}

fn check_author(head: &Head, author: &AuthorRecord) -> Checked {
    check_text("the author's name", &author.name, NAME_BYTES)?;
    let picture = author.avatar_url.as_deref().unwrap_or_default();
    check_text("the author's picture", picture, NAME_BYTES)?;
    check_place("persona", author.persona, head.personas.len())?;
    check_place("character", author.character, head.characters.len())
}

fn check_generation(generation: &GenerationRecord) -> Checked {
    check_text("model", &generation.model, NAME_BYTES)?;
    let instruction = generation.instruction.as_deref().unwrap_or_default();
    check_text("instruction", instruction, TEXT_BYTES)?;
    let failure = generation.failure.as_ref().map(|failure| failure.message.as_str());
    check_text("failure", failure.unwrap_or_default(), TEXT_BYTES)?;
    let numbers = generation.tokens.into_iter().flatten().chain(generation.cost);
    if numbers.into_iter().any(|number| number < 0) {
        return Err("generation has a negative number".into());
    }
    if !(1..=MAX_ATTEMPT).contains(&generation.attempt) {
        return Err(format!("generation.attempt is not between 1 and {MAX_ATTEMPT}"));
    }
    let GenerationRecord { created_at, first_text_at, finished_at, .. } = generation;
    let times = [Some(*created_at), *first_text_at, Some(*finished_at)];
    times.into_iter().flatten().try_for_each(check_time)
}

fn check_text(what: &str, text: &str, most: usize) -> Checked {
    if text.len() > most {
        return Err(format!("{what} is longer than {most} bytes"));
    }
    if text.contains('\0') {
        return Err(format!("{what} contains a NUL character"));
    }
    Ok(())
}

fn check_place(what: &str, place: Option<usize>, count: usize) -> Checked {
    match place {
        Some(place) if place >= count => Err(format!("there is no {what} {place}")),
        Some(_) | None => Ok(()),
    }
}

/// Both databases keep these years, and order them rightly.
fn check_time(at: DateTime<Utc>) -> Checked {
    if (1..=9999).contains(&at.year()) { Ok(()) } else { Err("a time is out of range".into()) }
}
