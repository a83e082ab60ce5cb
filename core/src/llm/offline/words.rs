//! Reading the player's last line: what it does, and which words of it to echo.
//!
//! Knows Russian and English by word lists, nothing by grammar: a wrong guess only
//! makes a reply a little less apt.

/// Longer lines are read from their end; what was said last counts.
const READ_CHARS: usize = 2_000;
const ECHO_CHARS: usize = 48;

/// What a line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Silence,
    Greeting,
    Farewell,
    Question(Asks),
    Action,
    Statement,
}

/// What a question is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    Place,
    Person,
    Reason,
    Other,
}

/// A line as it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) intent: Intent,
    /// A phrase of the line, safe to quote: words and single spaces only.
    pub(super) echo: Option<String>,
}

const GREETINGS: &str = "hello hi hey greetings evening morning howdy привет здравствуй здравствуйте приветствую \
    добрый доброе здорово";
const FAREWELLS: &str = "bye goodbye farewell goodnight прощай прощайте свидания встречи бывай";
const QUESTION_WORDS: &str = "who whom whose where why when how what which кто кого кому чей где куда откуда почему зачем \
    когда как что чего какой какая какие сколько";
/// Words too common to be echoed.
const COMMON: &str = "the and but for are was were you your yours his her hers him its our their them they she \
    this that these those there here with from into onto about have has had not don't can could \
    would should will shall just very really who whom where why when how what which does did \
    then than tell please know think want like some any all out let let's i'm i'll it's is me my \
    we это этот эта эти того тебя тебе меня мне мной нас нам вас вам его ему она они оно их ним \
    ней как что чтобы кто где куда почему зачем когда если или для так там тут здесь уже ещё еще \
    очень просто только был была было были есть быть нет все всё ли же бы не ни но да мой моя \
    моё мои твой твоя твоё твои свой свою свои ты вы мы он знаешь знаю скажи расскажи хочу \
    можешь можно надо нужно пожалуйста";
/// Words that open a phrase which stands well alone.
const OPENERS: &str = "the a an в во на к ко из под за над у от до про о об с со через сквозь";
const VERB_ENDINGS: &str = "ть ся сь шь ет ёт ит ют ат ят ут аю яю ею ла ли ing о";

/// Reads a line.
pub(super) fn read(line: &str) -> Reading {
    let line = tail(line, READ_CHARS);
    let (spoken, acted) = split_action(line);
    let words = words(&spoken);
    let intent = intent(&spoken, &words, &acted);
    let echo = match intent {
        Intent::Silence | Intent::Greeting | Intent::Farewell => None,
        Intent::Action => best_phrase(&acted, true),
        Intent::Question(_) | Intent::Statement => {
            whole(&spoken, &words).or_else(|| best_phrase(&spoken, false))
        }
    };
    Reading { intent, echo }
}

/// Whether a text holds one of the keys, given with spaces between; a trailing `*` matches any ending.
pub(super) fn mentions(text: &str, keys: &str) -> bool {
    mention(text, keys).is_some()
}

/// How many words stand before the first mention of a key.
pub(super) fn mention(text: &str, keys: &str) -> Option<usize> {
    words(tail(text, READ_CHARS)).iter().position(|word| {
        let word = word.to_lowercase();
        keys.split(' ').any(|key| match key.strip_suffix('*') {
            Some(stem) => word.starts_with(stem),
            None => word == key,
        })
    })
}

fn intent(spoken: &str, words: &[&str], acted: &str) -> Intent {
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let starts_with =
        |list: &str, within: usize| lower.iter().take(within).any(|word| is_in(word, list));
    let asks = spoken.contains(['?', '？', '؟']);
    if lower.is_empty() {
        let still = words_count(acted) == 0;
        return if still { Intent::Silence } else { Intent::Action };
    }
    if (starts_with(FAREWELLS, 6) && lower.len() <= 12) || is_poka(&lower) {
        return Intent::Farewell;
    }
    if starts_with(GREETINGS, 2) && (!asks || lower.len() <= 5) && lower.len() <= 12 {
        return Intent::Greeting;
    }
    if asks || (lower.len() > 1 && starts_with(QUESTION_WORDS, 1) && !spoken.contains('!')) {
        return Intent::Question(asked(&lower));
    }
    Intent::Statement
}

/// "Пока" is a farewell alone or after "ну", else it means "while".
fn is_poka(words: &[String]) -> bool {
    words.len() <= 2 && words.last().is_some_and(|word| word == "пока")
}

fn asked(words: &[String]) -> Asks {
    for word in words {
        match word.as_str() {
            "where" | "где" | "куда" | "откуда" => return Asks::Place,
            "who" | "whom" | "whose" | "кто" | "кого" | "кому" | "чей" => {
                return Asks::Person;
            }
            "why" | "почему" | "зачем" => return Asks::Reason,
            "what" | "how" | "when" | "что" | "как" | "когда" => return Asks::Other,
            _ => {}
        }
    }
    Asks::Other
}

/// Parts between asterisks are deeds, the rest is speech.
fn split_action(line: &str) -> (String, String) {
    let (mut spoken, mut acted) = (String::new(), String::new());
    for (index, part) in line.split('*').filter(|part| !part.is_empty()).enumerate() {
        let is_deed = (index % 2 == 1) != line.starts_with('*');
        let side = if is_deed { &mut acted } else { &mut spoken };
        side.push_str(part);
        side.push(' ');
    }
    (spoken, acted)
}

/// A short line is echoed as it stands, with its question mark.
fn whole(spoken: &str, words: &[&str]) -> Option<String> {
    let sentence = spoken.trim();
    let inner = sentence.trim_end_matches(['?', '.', '!', '…', ' ']);
    let plain = inner.chars().all(|c| is_word_char(c) || c == ' ');
    if !(2..=6).contains(&words.len()) || !plain || inner.chars().count() > ECHO_CHARS {
        return None;
    }
    let mark = if sentence.ends_with('?') { "?" } else { "" };
    Some(format!("{}{mark}", words.join(" ")))
}

/// The run of words most worth repeating. Of a deed only a thing will do, since a
/// verb in the character's mouth would sound like a correction.
fn best_phrase(text: &str, of_deed: bool) -> Option<String> {
    text.split(['.', ',', '!', '?', ';', ':', '—', '\n', '…', '"', '«', '»'])
        .flat_map(|clause| phrases(&words(clause), of_deed))
        .filter(|(_, phrase)| phrase.chars().count() <= ECHO_CHARS)
        .max_by_key(|(score, _)| *score)
        .map(|(_, phrase)| phrase)
}

fn phrases(words: &[&str], of_deed: bool) -> Vec<(usize, String)> {
    let opened = words.windows(2).enumerate().filter_map(|(at, pair)| {
        let [opener, first] = pair else { return None };
        if !is_in(&opener.to_lowercase(), OPENERS) || !is_telling(first) {
            return None;
        }
        let run: Vec<&str> = words
            .iter()
            .skip(at + 1)
            .take(3)
            .copied()
            .take_while(|word| is_telling(word))
            .collect();
        Some((
            6 + run.iter().map(|word| word.chars().count()).sum::<usize>(),
            opened_phrase(opener, &run),
        ))
    });
    let last = words.split_last().filter(|(last, before)| is_telling(last) && !before.is_empty());
    let last = last.filter(|(last, _)| !of_deed || !(is_verb_like(last) || last.is_ascii()));
    let last = last.map(|(last, _)| (last.chars().count(), (*last).to_owned()));
    opened.chain(last).collect()
}

/// What the player called "a door" is "the door" once it is spoken of again.
fn opened_phrase(opener: &str, run: &[&str]) -> String {
    let opener = opener.to_lowercase();
    let opener = if matches!(opener.as_str(), "a" | "an") { "the" } else { &opener };
    format!("{opener} {}", run.join(" "))
}

fn is_telling(word: &str) -> bool {
    word.chars().count() >= 3 && !is_in(&word.to_lowercase(), COMMON)
}

fn is_verb_like(word: &str) -> bool {
    let word = word.to_lowercase();
    VERB_ENDINGS.split(' ').any(|ending| word.ends_with(ending))
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\'' | '’' | '-')
}

fn words(text: &str) -> Vec<&str> {
    text.split(|c| !is_word_char(c))
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .collect()
}

fn is_in(word: &str, list: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

fn words_count(text: &str) -> usize {
    words(text).len()
}

fn tail(text: &str, chars: usize) -> &str {
    let start = text.char_indices().rev().nth(chars.saturating_sub(1)).map_or(0, |(at, _)| at);
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(line: &str) -> (Intent, Option<String>) {
        let Reading { intent, echo } = read(line);
        (intent, echo)
    }

    #[test]
    fn tells_what_a_line_does() {
        let table = [
            ("", Intent::Silence),
            ("...", Intent::Silence),
            ("Hello there!", Intent::Greeting),
            ("Добрый вечер, Мира.", Intent::Greeting),
            ("Привет, как дела?", Intent::Greeting),
            ("Hello. Where does the old road behind the mill go?", Intent::Question(Asks::Place)),
            ("Пока!", Intent::Farewell),
            ("Подожди, пока стихнет дождь.", Intent::Statement),
            ("До свидания, смотрительница", Intent::Farewell),
            ("*opens the old door*", Intent::Action),
            ("*кивает* Кто там живёт?", Intent::Question(Asks::Person)),
            ("Почему погас маяк", Intent::Question(Asks::Reason)),
            ("I trust you.", Intent::Statement),
        ];
        for (line, expected) in table {
            assert_eq!(reading(line).0, expected, "{line}");
        }
    }

    #[test]
    fn picks_words_worth_repeating() {
        let table = [
            ("What is in the cellar?", Some("What is in the cellar?")),
            ("*slowly opens the old door*", Some("the old door")),
            ("*lights a lamp and waits*", Some("the lamp")),
            ("*подхожу к окну и молчу*", Some("к окну")),
            ("*открываю дверь*", Some("дверь")),
            ("*киваю и улыбаюсь*", None),
            ("*nods*", None),
            ("Hello!", None),
            (
                "I walked all night because somebody had told me about the drowned bells.",
                Some("the drowned bells"),
            ),
        ];
        for (line, expected) in table {
            assert_eq!(reading(line).1.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn an_echo_carries_no_markup() {
        for line in
            ["<b>the {{user}} key</b> [x]?", "tell me about the {{char}} \u{202e}mirror now"]
        {
            let echo = reading(line).1.unwrap_or_default();
            assert!(!echo.contains(['{', '<', '[', '\u{202e}']), "{echo}");
        }
    }
}
