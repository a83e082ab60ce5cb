//! The sentences of Russian.
//!
//! Names are not declined and gender is not known, so a name stands only in the
//! nominative, beside a verb in the present, or as an address.

mod narration;
mod places;
mod speech;

use super::tongue::{Tongue, Typography};

/// Russian.
pub(super) static RUSSIAN: Tongue = Tongue {
    typography: Typography {
        cyrillic: true,
        i: "я",
        i_capital: "Я",
        someone: "Кто-то",
        guest: "гость",
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
    note: "(Пишет офлайн-рассказчик Скальда: он складывает сцены из заготовок.)",
};
