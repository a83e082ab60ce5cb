//! Reading a chat, line by line. Pure.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use super::{
    Adapted, Entry, Header, Item, Speaker, Version, date,
    lines::{Line, Lines},
    surrogates::replace_lone,
};
use crate::tree::MessageRole;

/// Bytes that one line may have, unless told otherwise.
pub const MOST_LINE_BYTES: usize = 8 * 1024 * 1024;
/// Swipes of a message that are read at most, besides the selected one.
pub(super) const MOST_SWIPES: usize = 1_000;
/// Values in one line at most: a small line of many would take far more memory than it has bytes.
const MOST_VALUES: usize = 100_000;

/// The name under which the program speaks for itself.
const PROGRAM: &str = "SillyTavern System";

/// Reads a chat as its bytes come.
pub struct Reader {
    lines: Lines,
    items: VecDeque<Item>,
    has_begun: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(MOST_LINE_BYTES)
    }
}

impl Reader {
    /// A reader that skips lines with more bytes than this.
    pub fn new(most_line_bytes: usize) -> Self {
        Self { lines: Lines::new(most_line_bytes), items: VecDeque::new(), has_begun: false }
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, line) = self.lines.take(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
            self.take_line(line);
        }
    }

    /// The file has ended; its last line may have no end of its own.
    pub fn end(&mut self) {
        let line = self.lines.end();
        self.take_line(line);
    }

    fn take_line(&mut self, line: Option<(u64, Line)>) {
        let Some((number, line)) = line else { return };
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let item = match line {
            Line::TooLong => Err("the line is too long"),
            Line::Whole(line) => read_line(line, number, is_first),
        };
        let skipped = |reason| Item::Skipped { line: number, reason };
        self.items.push_back(item.unwrap_or_else(skipped));
    }
}

/// What the lines say, as far as they have come: after more bytes there may be more.
impl Iterator for Reader {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        self.items.pop_front()
    }
}

fn read_line(mut line: Vec<u8>, number: u64, is_first: bool) -> Result<Item, &'static str> {
    if values(&line) > MOST_VALUES {
        return Err("the line has too many parts");
    }
    let mut adapted = Vec::new();
    let value = serde_json::from_slice::<Value>(&line).or_else(|_| {
        let has_halves = replace_lone(&mut line);
        adapted.extend(has_halves.then_some(Adapted::HalfCharacter));
        serde_json::from_slice(&line).map_err(|_| "the line is no JSON")
    })?;
    let Value::Object(mut fields) = value else {
        return Err("the line is no message");
    };
    if fields.contains_key("mes") || fields.contains_key("swipes") {
        return read_entry(&mut fields, adapted).map(|entry| Item::Entry { line: number, entry });
    }
    let names_head = ["chat_metadata", "user_name", "character_name", "create_date"];
    if is_first && names_head.iter().any(|name| fields.contains_key(*name)) {
        return Ok(Item::Header(read_header(&mut fields)));
    }
    Err("the line is no message")
}

/// How many values a line of JSON has at most: before each stands one of these, outside of texts.
fn values(line: &[u8]) -> usize {
    let (mut count, mut is_text, mut is_escaped) = (0, false, false);
    for byte in line {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b'[' | b',' | b':' if !is_text => count += 1,
            _ => {}
        }
    }
    count
}

fn read_header(fields: &mut Map<String, Value>) -> Header {
    let mut metadata = match fields.remove("chat_metadata") {
        Some(Value::Object(metadata)) => metadata,
        Some(_) | None => Map::new(),
    };
    // Newer files say "unused" where names were.
    let name = |field| text(fields.get(field)).filter(|name| name != "unused");
    Header {
        user_name: name("user_name"),
        character_name: name("character_name"),
        created_at: fields.get("create_date").and_then(date::read),
        main_chat: text(metadata.remove("main_chat").as_ref()),
        metadata,
    }
}

fn read_entry(
    fields: &mut Map<String, Value>,
    mut adapted: Vec<Adapted>,
) -> Result<Entry, &'static str> {
    let extra = fields.get("extra").and_then(Value::as_object).cloned().unwrap_or_default();
    let (versions, selected) = read_versions(fields, &extra, &mut adapted)?;
    let is_system = is_true(fields.get("is_system"));
    let (role, always_hidden) = role(fields, &extra, is_system);
    if ["image", "images", "file", "files", "media"].iter().any(|name| is_there(extra.get(*name))) {
        adapted.push(Adapted::Attachment);
    }
    if is_there(extra.get("memory")) {
        adapted.push(Adapted::Summary);
    }
    let avatar = text(fields.get("original_avatar")).or_else(|| text(fields.get("force_avatar")));
    let branches = extra.get("branches").and_then(Value::as_array);
    Ok(Entry {
        speaker: Speaker { role, name: text(fields.get("name")).unwrap_or_default(), avatar },
        hidden: is_system || always_hidden,
        bookmark: text(extra.get("bookmark_link")),
        branches: branches.into_iter().flatten().filter_map(|name| text(Some(name))).collect(),
        versions,
        selected,
        adapted,
    })
}

/// As what somebody speaks, and whether that is never shown to models.
fn role(
    fields: &Map<String, Value>,
    extra: &Map<String, Value>,
    is_system: bool,
) -> (MessageRole, bool) {
    let kind = extra.get("type").and_then(Value::as_str).unwrap_or_default();
    let is_program = fields.get("name").and_then(Value::as_str) == Some(PROGRAM);
    match kind {
        "narrator" => (MessageRole::Narrator, false),
        "comment" | "help" | "welcome" | "welcome_prompt" | "group" | "empty" | "generic"
        | "slash_commands" | "formatting" | "hotkeys" | "macros" | "assistant_note" => {
            (MessageRole::System, true)
        }
        _ if is_true(fields.get("is_user")) => (MessageRole::Player, false),
        _ if is_system && is_program => (MessageRole::System, true),
        _ => (MessageRole::Character, false),
    }
}

/// All swipes and which is selected. Where they and the message's text disagree, the text is right.
fn read_versions(
    fields: &Map<String, Value>,
    extra: &Map<String, Value>,
    adapted: &mut Vec<Adapted>,
) -> Result<(Vec<Version>, usize), &'static str> {
    let mes = fields.get("mes").and_then(content);
    let swipes = fields.get("swipes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if swipes.len() > MOST_SWIPES {
        adapted.push(Adapted::TooManySwipes);
    }
    let infos = fields.get("swipe_info").and_then(Value::as_array);
    let nothing = Map::new();
    let mut versions: Vec<Version> = Vec::new();
    let wanted = swipe_id(fields);
    let is_read = |n: usize| n < MOST_SWIPES || Some(n) == wanted;
    for (n, swipe) in swipes.iter().enumerate().filter(|(n, _)| is_read(*n)) {
        let info = infos.and_then(|infos| infos.get(n)).and_then(Value::as_object);
        let info = info.unwrap_or(&nothing);
        let info_extra = info.get("extra").and_then(Value::as_object).unwrap_or(&nothing);
        versions.push(version(content(swipe).unwrap_or_default(), info, info_extra, adapted));
    }
    let own = |content, adapted: &mut Vec<Adapted>| version(content, fields, extra, adapted);
    // One past the end: another swipe was being written, with dots in the place of its text.
    let is_begun = !swipes.is_empty() && wanted == Some(swipes.len());
    let wanted = wanted.map(|n| if n < swipes.len() { n.min(MOST_SWIPES) } else { n });
    let says_nothing = |mes: &String| mes.trim().is_empty() || (is_begun && mes == "...");
    let selected = match (mes.filter(|mes| !says_nothing(mes)), wanted) {
        (None, wanted) => {
            let there = wanted.filter(|n| *n < versions.len());
            if there.is_none() && !versions.is_empty() {
                adapted.push(Adapted::SwipeMissing);
            }
            there.unwrap_or(versions.len().saturating_sub(1))
        }
        (Some(mes), wanted) => place_text(&mut versions, wanted, own(mes, adapted), adapted),
    };
    keep_distinct(versions, selected, adapted)
}

/// Puts the message's own text where it belongs among the swipes; where that is.
fn place_text(
    versions: &mut Vec<Version>,
    wanted: Option<usize>,
    own: Version,
    adapted: &mut Vec<Adapted>,
) -> usize {
    let same = |version: &Version| version.content == own.content;
    let slot = wanted.filter(|n| versions.get(*n).is_some_and(same));
    let slot = slot.or_else(|| {
        let found = versions.iter().rposition(same);
        if found.is_some() && wanted.is_some() {
            adapted.push(Adapted::SwipeMissing);
        }
        found
    });
    let slot = slot.or_else(|| {
        let broken = wanted.filter(|n| *n < versions.len());
        if broken.is_some() {
            adapted.push(Adapted::SelectedSwipe);
        }
        broken
    });
    if let Some((n, version)) = slot.and_then(|n| Some((n, versions.get_mut(n)?))) {
        let noted = std::mem::take(version);
        *version = Version {
            thought: own.thought.or(noted.thought),
            model: own.model.or(noted.model),
            sent_at: own.sent_at.or(noted.sent_at),
            started_at: own.started_at.or(noted.started_at),
            finished_at: own.finished_at.or(noted.finished_at),
            content: own.content,
        };
        return n;
    }
    if !versions.is_empty() {
        adapted.push(Adapted::SwipeMissing);
    }
    versions.push(own);
    versions.len() - 1
}

/// Leaves out swipes that are empty or said before.
fn keep_distinct(
    versions: Vec<Version>,
    selected: usize,
    adapted: &mut Vec<Adapted>,
) -> Result<(Vec<Version>, usize), &'static str> {
    let before = versions.len();
    let places = distinct(&versions);
    let mut kept: Vec<Version> = Vec::new();
    for (n, (version, at)) in versions.into_iter().zip(&places).enumerate() {
        let Some(at) = *at else { continue };
        match kept.get_mut(at) {
            // The selected one knows more of itself.
            Some(other) if n == selected => *other = version,
            Some(_) => {}
            None => kept.push(version),
        }
    }
    if kept.len() < before {
        adapted.push(Adapted::SwipeDropped);
    }
    let last = kept.len().checked_sub(1).ok_or("the message is empty")?;
    let place = places.get(selected).copied().flatten();
    Ok((kept, place.unwrap_or(last)))
}

/// Which of the different texts each version has, by its place among them; none if it is empty.
fn distinct(versions: &[Version]) -> Vec<Option<usize>> {
    let mut known: HashMap<&str, usize> = HashMap::new();
    let mut place_of = |content| {
        let next = known.len();
        *known.entry(content).or_insert(next)
    };
    let texts = versions.iter().map(|version| version.content.as_str());
    texts.map(|text| (!text.trim().is_empty()).then(|| place_of(text))).collect()
}

fn version(
    content: String,
    fields: &Map<String, Value>,
    extra: &Map<String, Value>,
    adapted: &mut Vec<Adapted>,
) -> Version {
    let sent = fields.get("send_date").filter(|sent| is_there(Some(sent)));
    let sent_at = sent.and_then(date::read);
    if sent.is_some() && sent_at.is_none() {
        adapted.push(Adapted::Date);
    }
    Version {
        content,
        thought: text(extra.get("reasoning")),
        model: text(extra.get("model")),
        sent_at,
        started_at: fields.get("gen_started").and_then(date::read),
        finished_at: fields.get("gen_finished").and_then(date::read),
    }
}

/// A text, or a text inside an object, as Chub writes it.
fn content(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) => fields.get("message").and_then(content),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

fn swipe_id(fields: &Map<String, Value>) -> Option<usize> {
    let id = fields.get("swipe_id")?;
    let number = id.as_u64().or_else(|| id.as_str()?.trim().parse().ok())?;
    usize::try_from(number).ok()
}

fn text(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// Flags are booleans; old files have numbers and words too.
fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(word)) => word.eq_ignore_ascii_case("true"),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
    }
}

fn is_there(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => true,
    }
}
