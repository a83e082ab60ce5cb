//! The project's own texts for models: how to write, what is data, what is asked.
//!
//! There are two hands, [`english`] and [`russian`]. Neither translates the
//! other: each says what it must in the way of its own literature. Other
//! languages get the English text, which names them. A hand is a file here and
//! a branch in each function that asks `is_russian`.
//!
//! The order inside the system text is for prefix caches and for weight: what
//! is constant for all players comes first, then who is on stage, and last the
//! player's own wish. Whose reply it is stands in none of it, since that changes
//! from turn to turn: it is the direction, which comes after the history.

mod english;
mod fence;
mod russian;

pub use self::fence::{fenced, plain, untagged};
use super::Scene;
use crate::{
    session::{NarrativeVoice, Style},
    turn::Speaker,
};

/// What the system text depends on; names are fit for a sentence.
struct Brief<'a> {
    /// Whom the player plays.
    player: String,
    /// Who is on stage.
    cast: Vec<String>,
    /// The session's language, as a BCP 47 tag.
    language: &'a str,
    /// In which grammatical person the story is told.
    voice: NarrativeVoice,
    /// How the player wants it written.
    style: &'a Style,
    /// Whether the player said that they are not of age.
    minor: bool,
    /// What persona and cast are to each other, fenced; empty if nobody said.
    relationship: String,
    /// The mood to keep, fenced; empty if nobody chose one.
    atmosphere: String,
    /// The player's own instruction, fenced; empty if there is none.
    wish: String,
}

impl<'a> Brief<'a> {
    fn new(scene: &'a Scene) -> Self {
        let settings = &scene.session.settings;
        let fenced_if_any = |tag: &str, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.trim().is_empty());
            text.map_or_else(String::new, |text| fenced(tag, scene.player_name(), text))
        };
        Self {
            player: plain(scene.player_name()),
            cast: scene.members().iter().map(|member| plain(member.name)).collect(),
            language: &settings.language,
            voice: settings.narrative_voice,
            style: &settings.style,
            minor: scene.job.minor,
            relationship: fenced_if_any("relationship", &settings.relationship),
            atmosphere: fenced_if_any("atmosphere", &settings.style.atmosphere),
            wish: fenced_if_any("wish", &settings.style.instruction),
        }
    }
}

fn is_russian(language: &str) -> bool {
    primary(language).eq_ignore_ascii_case("ru")
}

/// The language itself: what a tag says before regions and scripts.
fn primary(language: &str) -> &str {
    language.split('-').next().unwrap_or(language)
}

/// What the narrator is called in a session of this language.
pub fn narrator(language: &str) -> &'static str {
    if is_russian(language) { "Рассказчик" } else { "Narrator" }
}

/// What a player without a persona is called.
pub fn player(language: &str) -> &'static str {
    if is_russian(language) { "Игрок" } else { "Player" }
}

/// How to write: the first block of every prompt.
pub fn system(scene: &Scene) -> String {
    let brief = Brief::new(scene);
    let paragraphs =
        if is_russian(brief.language) { russian::system(&brief) } else { english::system(&brief) };
    let paragraphs: Vec<String> =
        paragraphs.into_iter().filter(|paragraph| !paragraph.is_empty()).collect();
    paragraphs.join("\n\n")
}

/// How a character's creator wants them played, fenced as data; empty if nobody said.
pub fn manner(name: &str, text: &str) -> String {
    if text.trim().is_empty() { String::new() } else { fenced("manner", name, text) }
}

/// How a character talks, fenced as data; empty if there are no examples.
pub fn examples(name: &str, text: &str) -> String {
    if text.trim().is_empty() { String::new() } else { fenced("examples", name, text) }
}

/// The word before what comes to mind.
pub fn before_memories(language: &str) -> &'static str {
    if is_russian(language) { russian::BEFORE_MEMORIES } else { english::BEFORE_MEMORIES }
}

/// What somebody told once, fenced as data.
pub fn memory(teller: &str, text: &str) -> String {
    fenced("memory", teller, text)
}

/// Whose reply it is; empty where the system text says so, which it does of a character who is
/// alone on stage.
pub fn direction(scene: &Scene) -> String {
    let is_russian = is_russian(&scene.session.settings.language);
    let members = scene.members();
    let others = members.iter().filter(|member| !member.speaks).map(|member| plain(member.name));
    let others = others.collect::<Vec<_>>().join(", ");
    match &scene.job.speaker {
        Speaker::Player => {
            let player = plain(scene.player_name());
            let voice = scene.session.settings.narrative_voice;
            let write_player =
                if is_russian { russian::write_player } else { english::write_player };
            write_player(&player, voice, &others)
        }
        Speaker::Narrator { task } if is_russian => russian::narrate(*task, &others),
        Speaker::Narrator { task } => english::narrate(*task, &others),
        Speaker::Character { .. } if others.is_empty() => String::new(),
        Speaker::Character { name, .. } => {
            let name = plain(scene.speaker_name().unwrap_or(name));
            let speak_as = if is_russian { russian::speak_as } else { english::speak_as };
            speak_as(&name, &others)
        }
    }
}

/// The player's first word, where a conversation would begin with the model's.
pub fn opening(language: &str) -> &'static str {
    if is_russian(language) { "Сцена открывается." } else { "The scene opens." }
}

/// The player's last word, where a conversation would end with the model's.
pub fn go_on(language: &str) -> &'static str {
    if is_russian(language) { "Продолжай." } else { "Go on." }
}

/// The player's last word, where the model goes on from what it has written already.
pub fn go_on_from(language: &str) -> &'static str {
    if is_russian(language) {
        "Продолжай ровно с того места, где текст оборвался, и ничего не повторяй. Если дальше \
         идёт пробел, с него и начни."
    } else {
        "Continue exactly where you stopped, repeat nothing. If a space comes next, begin with it."
    }
}

#[cfg(test)]
mod tests;
