//! The player's own message: a deed and a line, for whoever has it written.

use rand::{Rng, rngs::StdRng};

use super::super::super::{Story, Voice};
use super::super::detail;
use super::tongue;

/// What a player may do, in the first, the second and the third person; `{}` is a name.
const ENGLISH_DEEDS: [[&str; 3]; 5] = [
    ["I step a little closer.", "You step a little closer.", "{} steps a little closer."],
    ["For a while I say nothing.", "For a while you say nothing.", "For a while {} says nothing."],
    [
        "I look around, and back again.",
        "You look around, and back again.",
        "{} looks around, and back again.",
    ],
    ["I take a slow breath.", "You take a slow breath.", "{} takes a slow breath."],
    ["I lower my voice.", "You lower your voice.", "{} speaks more quietly now."],
];
const ENGLISH_LINES: [&str; 6] = [
    "“Go on. I'm listening.”",
    "“And if it were you, what would you do?”",
    "“Then let us not wait any longer.”",
    "“Tell me how it began.”",
    "“There is something you are leaving out.”",
    "“Show me.”",
];
/// In the present tense, which asks nobody's gender.
const RUSSIAN_DEEDS: [[&str; 3]; 5] = [
    ["Я делаю шаг ближе.", "Ты делаешь шаг ближе.", "{} делает шаг ближе."],
    ["Какое-то время я молчу.", "Какое-то время ты молчишь.", "Какое-то время {} молчит."],
    [
        "Я оглядываюсь и снова поднимаю глаза.",
        "Ты оглядываешься и снова поднимаешь глаза.",
        "{} оглядывается и снова поднимает глаза.",
    ],
    ["Я перевожу дыхание.", "Ты переводишь дыхание.", "{} переводит дыхание."],
    ["Я говорю тише.", "Ты говоришь тише.", "{} говорит тише."],
];
const RUSSIAN_LINES: [&str; 6] = [
    "— И что было дальше?",
    "— С чего всё началось?",
    "— Тогда не будем больше ждать.",
    "— Есть что-то ещё, верно?",
    "— Можно взглянуть?",
    "— Продолжай. Мне правда интересно.",
];

/// What the player does and says.
pub(super) fn message(story: &Story, rng: &mut StdRng) -> String {
    let typography = &tongue::of(&story.language).typography;
    let (deeds, lines) = if typography.cyrillic {
        (RUSSIAN_DEEDS, RUSSIAN_LINES)
    } else {
        (ENGLISH_DEEDS, ENGLISH_LINES)
    };
    let deed = deeds.get(rng.random_range(0..deeds.len())).copied().unwrap_or_default();
    let [first, second, third] = deed;
    let deed = match story.voice {
        Voice::First => first,
        Voice::Second => second,
        Voice::Third => third,
    };
    let line = lines.get(rng.random_range(0..lines.len())).copied().unwrap_or_default();
    let player = detail::name(&story.player, typography.guest);
    format!("{}\n\n{line}", deed.replace("{}", &player))
}
