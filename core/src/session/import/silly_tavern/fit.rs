//! Makes what a chat says fit to be stored: names, lengths, moments. Pure.

use chrono::{DateTime, Datelike, Utc};

use crate::{
    interchange::silly_tavern::{Adapted, Entry, Header, Version},
    tree::MessageRole,
};

/// Bytes of one text at most, as in Skald's own format.
const TEXT_BYTES: usize = 1024 * 1024;
/// Bytes of a name at most, as for those that a player gives.
const NAME_BYTES: usize = 200;
/// Bytes of the address of a picture at most: it is kept with each alternative of a message.
const AVATAR_BYTES: usize = 2048;

const NAMELESS: &str = "a message without a name got one";
const CUT: &str = "a name that was too long was cut";
const NUL: &str = "NUL characters were replaced";

/// Who a message without a name is from, as the head of its file says.
#[derive(Default)]
pub(super) struct Names {
    player: Option<String>,
    character: Option<String>,
}

impl Names {
    /// Takes the names from the head of a file, and gives it back with those that fit.
    pub(super) fn of(&mut self, mut header: Header) -> Header {
        for name in [&mut header.user_name, &mut header.character_name] {
            *name = name.take().map(|name| short(&name).0).filter(|name| !name.is_empty());
        }
        header.created_at = header.created_at.filter(|at| is_moment(*at));
        self.player.clone_from(&header.user_name);
        self.character.clone_from(&header.character_name);
        header
    }

    fn for_role(&self, role: MessageRole) -> String {
        let name = match role {
            MessageRole::Player => self.player.as_deref().unwrap_or("User"),
            MessageRole::Character => self.character.as_deref().unwrap_or("Assistant"),
            MessageRole::Narrator => "Narrator",
            MessageRole::System => "System",
        };
        name.to_owned()
    }
}

/// The message as it can be stored and what was changed, or why it cannot be.
pub(super) fn fit(
    mut entry: Entry,
    names: &Names,
) -> Result<(Entry, Vec<&'static str>), &'static str> {
    let mut notes: Vec<&'static str> = Vec::new();
    let (name, change) = short(&entry.speaker.name);
    entry.speaker.name = name;
    notes.extend(change);
    if entry.speaker.name.is_empty() {
        entry.speaker.name = names.for_role(entry.speaker.role);
        notes.push(NAMELESS);
    }
    // It only tells people of one name apart.
    entry.speaker.avatar = entry.speaker.avatar.filter(|avatar| avatar.len() <= AVATAR_BYTES);
    if let Some(bookmark) = entry.bookmark.take() {
        let (name, change) = short(&bookmark);
        entry.bookmark = Some(name).filter(|name| !name.is_empty());
        notes.extend(change);
    }
    for version in &mut entry.versions {
        fit_version(version, &mut notes)?;
    }
    notes.extend(entry.adapted.iter().map(|adapted| adapted.sentence()));
    notes.sort_unstable();
    notes.dedup();
    Ok((entry, notes))
}

fn fit_version(version: &mut Version, notes: &mut Vec<&'static str>) -> Result<(), &'static str> {
    if version.content.len() > TEXT_BYTES {
        return Err("the text is longer than 1048576 bytes");
    }
    if version.thought.as_ref().is_some_and(|thought| thought.len() > TEXT_BYTES) {
        version.thought = None;
        notes.push("a thought that was longer than 1048576 bytes was left out");
    }
    for text in [Some(&mut version.content), version.thought.as_mut()].into_iter().flatten() {
        if text.contains('\0') {
            *text = text.replace('\0', "\u{fffd}");
            notes.push(NUL);
        }
    }
    if let Some(model) = version.model.take() {
        let (name, change) = short(&model);
        version.model = Some(name).filter(|name| !name.is_empty());
        notes.extend(change);
    }
    for moment in [&mut version.sent_at, &mut version.started_at, &mut version.finished_at] {
        if moment.is_some_and(|at| !is_moment(at)) {
            *moment = None;
            notes.push(Adapted::Date.sentence());
        }
    }
    Ok(())
}

/// A name that can be stored, and what was done to it.
fn short(name: &str) -> (String, Option<&'static str>) {
    let clean = name.trim().replace('\0', "\u{fffd}");
    let end = clean.floor_char_boundary(NAME_BYTES);
    let (start, rest) = clean.split_at_checked(end).unwrap_or((&clean, ""));
    (start.trim_end().to_owned(), (!rest.is_empty()).then_some(CUT))
}

/// Both databases keep these years, and order them rightly.
fn is_moment(at: DateTime<Utc>) -> bool {
    (1..=9999).contains(&at.year())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::interchange::silly_tavern::{Item, Reader};

    fn entry(message: &Value) -> Entry {
        let mut reader = Reader::default();
        reader.feed(message.to_string().as_bytes());
        reader.end();
        match reader.next() {
            Some(Item::Entry { entry, .. }) => entry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_are_short_and_there() {
        let mut names = Names::default();
        names.of(Header { user_name: Some(" Astrid ".into()), ..Header::default() });
        for (message, name, expected) in [
            (json!({ "mes": "x", "name": " Mira " }), "Mira".to_owned(), None),
            (json!({ "mes": "x", "is_user": true }), "Astrid".to_owned(), Some(NAMELESS)),
            (json!({ "mes": "x" }), "Assistant".to_owned(), Some(NAMELESS)),
            (json!({ "mes": "x", "name": "я".repeat(101) }), "я".repeat(100), Some(CUT)),
        ] {
            let (entry, notes) = fit(entry(&message), &names).unwrap();
            assert_eq!((entry.speaker.name, notes.first().copied()), (name, expected), "{message}");
        }
    }

    #[test]
    fn what_no_database_keeps_is_changed_or_skipped() {
        let names = Names::default();
        let message = json!({ "mes": "a\0b", "name": "M", "send_date": 400_000_000_000_000_i64,
            "extra": { "reasoning": "x".repeat(TEXT_BYTES + 1), "bookmark_link": " " } });
        let (fitting, notes) = fit(entry(&message), &names).unwrap();
        assert_eq!(fitting.versions[0].content, "a\u{fffd}b");
        assert_eq!((&fitting.versions[0].thought, &fitting.bookmark), (&None, &None));
        assert_eq!(fitting.versions[0].sent_at, None);
        assert_eq!(notes.len(), 3, "{notes:?}");
        let huge = "x".repeat(4 * 1024 * 1024);
        for (avatar, expected) in [("mira.png", Some("mira.png")), (&*huge, None)] {
            let message = json!({ "mes": "x", "name": "M", "original_avatar": avatar });
            let (fitting, _) = fit(entry(&message), &names).unwrap();
            assert_eq!(fitting.speaker.avatar.as_deref(), expected);
        }
        let long = json!({ "mes": "x".repeat(TEXT_BYTES + 1), "name": "M" });
        assert!(fit(entry(&long), &names).is_err());
    }
}
