//! The sentences of English.

mod narration;
mod places;
mod speech;

use super::tongue::{Tongue, Typography};

/// English.
pub(super) static ENGLISH: Tongue = Tongue {
    typography: Typography {
        cyrillic: false,
        i: "I",
        i_capital: "I",
        someone: "Someone",
        guest: "stranger",
    },
    places: places::PLACES,
    moods: places::MOODS,
    tempers: speech::TEMPERS,
    narration: narration::NARRATION,
    reactions: narration::REACTIONS,
    lines: speech::LINES,
    questions: speech::QUESTIONS,
    narrator: narration::NARRATOR,
    thoughts: speech::THOUGHTS,
    note: "(This is Skald's offline storyteller, a stand-in that writes from templates.)",
};
