//! What a language brings to the weaving: pools of sentences, and where each is used.
//!
//! A sentence is a small template (see [`super::template`]). A new language is a
//! folder beside `english/` that fills this struct, and a line in [`of`].

use super::{english, russian};

/// Sentences of which any may be taken.
pub(super) type Pool = &'static [&'static str];

/// One language's sentences.
pub(super) struct Tongue {
    pub(super) typography: Typography,
    pub(super) places: &'static [Place],
    pub(super) moods: &'static [Mood],
    pub(super) tempers: &'static [Temper],
    pub(super) narration: Narration,
    pub(super) reactions: ByIntent,
    pub(super) lines: ByIntent,
    pub(super) questions: Questions,
    pub(super) narrator: NarratorPools,
    pub(super) thoughts: Thoughts,
    /// Says, in parentheses, what writes here.
    pub(super) note: &'static str,
}

/// How the language writes speech and stands in for missing names.
pub(super) struct Typography {
    pub(super) cyrillic: bool,
    pub(super) i: &'static str,
    pub(super) i_capital: &'static str,
    pub(super) someone: &'static str,
    pub(super) guest: &'static str,
}

/// A place and what the senses find there.
pub(super) struct Place {
    /// Words that call it up, with spaces between; a trailing `*` matches any ending.
    pub(super) keys: &'static str,
    pub(super) sights: Pool,
}

/// A turn of weather or feeling that an instruction may ask for.
pub(super) struct Mood {
    pub(super) keys: &'static str,
    pub(super) sentences: Pool,
}

/// A character's manner of speaking.
pub(super) struct Temper {
    pub(super) keys: &'static str,
    pub(super) tags: Pool,
    pub(super) codas: Pool,
}

/// Narration around the speaker.
pub(super) struct Narration {
    pub(super) openings: Pool,
    pub(super) beats: Pool,
    pub(super) anywhere: Pool,
    pub(super) gestures: Pool,
    /// Gestures that do not begin with who makes them.
    pub(super) touches: Pool,
    /// What "you" perceive, for stories told in the second person.
    pub(super) glimpses: Pool,
    pub(super) echoed_questions: Pool,
    pub(super) echoed_statements: Pool,
    /// Around a sentence about the speaker that begins with a name or pronoun.
    pub(super) named_details: Pool,
    pub(super) quoted_details: Pool,
    pub(super) rumours: Pool,
    pub(super) asides: Pool,
    pub(super) others: Pool,
    pub(super) hooks: Pool,
    pub(super) farewell_hooks: Pool,
    pub(super) partings: Pool,
}

/// A pool for each thing a player's line may do.
pub(super) struct ByIntent {
    pub(super) greeting: Pool,
    pub(super) farewell: Pool,
    pub(super) question: Pool,
    pub(super) action: Pool,
    pub(super) silence: Pool,
    pub(super) statement: Pool,
}

/// Answers to particular questions.
pub(super) struct Questions {
    pub(super) place: Pool,
    pub(super) person: Pool,
    pub(super) reason: Pool,
}

/// What the narrator says when no character speaks.
pub(super) struct NarratorPools {
    pub(super) passages: Pool,
    pub(super) arrivals: Pool,
    pub(super) recap_openings: Pool,
    pub(super) recap_moments: Pool,
    pub(super) recap_latest: Pool,
    pub(super) recap_musings: Pool,
    pub(super) recap_hooks: Pool,
    pub(super) presences: Pool,
    pub(super) hooks: Pool,
}

/// What the storyteller thinks before it writes.
pub(super) struct Thoughts {
    pub(super) echoed: Pool,
    pub(super) intents: ByIntent,
    pub(super) narrator: Pool,
    pub(super) closing: Pool,
    pub(super) musings: Pool,
}

/// The sentences for a BCP 47 tag; English where there are none.
pub(super) fn of(language: &str) -> &'static Tongue {
    let primary = language.split(['-', '_']).next().unwrap_or_default();
    if primary.trim().eq_ignore_ascii_case("ru") { &russian::RUSSIAN } else { &english::ENGLISH }
}
