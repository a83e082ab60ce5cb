//! Dates in a text, who asks when, and who tells a time. Pure.

use std::{
    collections::{BTreeSet, HashSet},
    sync::LazyLock,
};

use chrono::{Months, NaiveDate};

use super::{
    cast::Told,
    words::{Case, Word},
};

/// Days after a date in which it is still spoken of: one tells what happened.
const AFTER: f64 = 30.0;
/// Days before it.
const BEFORE: f64 = 7.0;

const ENGLISH_MONTHS: &str =
    "january february march april may june july august september october november december";

/// All forms of a month, each row a month.
const RUSSIAN_MONTHS: [&str; 12] = [
    "январь января январю январем январе",
    "февраль февраля февралю февралем феврале",
    "март марта марту мартом марте",
    "апрель апреля апрелю апрелем апреле",
    "май мая маю маем мае",
    "июнь июня июню июнем июне",
    "июль июля июлю июлем июле",
    "август августа августу августом августе",
    "сентябрь сентября сентябрю сентябрем сентябре",
    "октябрь октября октябрю октябрем октябре",
    "ноябрь ноября ноябрю ноябрем ноябре",
    "декабрь декабря декабрю декабрем декабре",
];

/// Words of those who tell a time. May and March are told by their capitals.
const TIMES: &str = "yesterday today tonight tomorrow ago last next recently since until weekend \
    week weeks month months year years day days morning evening night summer winter spring autumn \
    fall monday tuesday wednesday thursday friday saturday sunday january february april june july \
    august september october november december вчера сегодня завтра позавчера назад недавно скоро \
    неделя неделю недели месяц месяца год года лет день дня дней утром вечером ночью летом зимой \
    весной осенью понедельник вторник среда среду четверг пятница пятницу суббота субботу \
    воскресенье";

static TIME_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| TIMES.split_whitespace().collect());

/// What asks for a time, where a clause begins.
const WHEN: [&[&str]; 7] = [
    &["when"],
    &["how", "long"],
    &["what which", "date day month year time"],
    &["how", "many", "days weeks months years"],
    &["когда"],
    &["как", "давно долго"],
    &["сколько", "дней недель месяцев лет"],
];
const IN_WHICH: &[&str] = &["в", "каком", "году месяце"];

/// A date as somebody names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Named {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
}

/// The stretches of time that a text names.
#[derive(Clone, Debug, Default)]
pub(super) struct Dates(Vec<(NaiveDate, NaiveDate)>);

impl Dates {
    /// Of a text; a date without a year is meant of each of these years.
    pub(super) fn of(told: &Told<'_>, years: &BTreeSet<i32>) -> Self {
        let ranges = named(told).into_iter().flat_map(|date| match date.year {
            Some(year) => vec![date.range(year)],
            None => years.iter().map(|year| date.range(*year)).collect(),
        });
        Self(ranges.flatten().collect())
    }

    /// How near a day is to one of them: 1 within, 0 a month after and a week before.
    pub(super) fn nearness(&self, day: NaiveDate) -> f64 {
        let near = self.0.iter().map(|(first, last)| {
            let days = |days: i64| f64::from(i32::try_from(days.max(0)).unwrap_or(i32::MAX));
            let (after, before) = ((day - *last).num_days(), (*first - day).num_days());
            1.0 - days(after) / AFTER - days(before) / BEFORE
        });
        near.fold(0.0, f64::max)
    }
}

impl Named {
    /// The first and the last day that are meant; none for the 30th of February.
    fn range(self, year: i32) -> Option<(NaiveDate, NaiveDate)> {
        let date = |month, day| NaiveDate::from_ymd_opt(year, month, day);
        match (self.month, self.day) {
            (None, _) => Some((date(1, 1)?, date(12, 31)?)),
            (Some(month), Some(day)) => Some((date(month, day)?, date(month, day)?)),
            (Some(month), None) => {
                let first = date(month, 1)?;
                Some((first, first.checked_add_months(Months::new(1))?.pred_opt()?))
            }
        }
    }
}

/// The dates that a text names: months with what stands around them, else years alone.
fn named(told: &Told<'_>) -> Vec<Named> {
    let words = &told.words;
    let word = |n: Option<usize>| n.and_then(|n| words.get(n));
    let mut dates = Vec::new();
    for (n, found) in words.iter().enumerate() {
        let Some(month) = month(found) else { continue };
        let is_of = |n| word(n).is_some_and(|word| word.form == "of" || word.form == "го");
        let before = n.checked_sub(1);
        let before = if is_of(before) { n.checked_sub(2) } else { before };
        let day_before = word(before).and_then(day);
        let day_after = word(Some(n + 1)).and_then(day).filter(|_| day_before.is_none());
        let next = n + 1 + usize::from(day_after.is_some());
        let next = next + usize::from(is_of(Some(next)));
        let year = word(Some(next)).and_then(year);
        dates.push(Named { year, month: Some(month), day: day_before.or(day_after) });
    }
    if dates.is_empty() {
        let years = words.iter().filter_map(year);
        dates.extend(years.map(|year| Named { year: Some(year), month: None, day: None }));
    }
    dates
}

fn month(word: &Word) -> Option<u32> {
    let english = ENGLISH_MONTHS
        .split(' ')
        .position(|month| word.case == Case::Capital && month == word.form);
    let is_form = |forms: &str| forms.split(' ').any(|form| form == word.form);
    let month = english.or_else(|| RUSSIAN_MONTHS.iter().position(|forms| is_form(forms)))?;
    u32::try_from(month + 1).ok()
}

fn day(word: &Word) -> Option<u32> {
    let ends = ["st", "nd", "rd", "th"]; // typos: ignore
    let digits = ends.iter().find_map(|end| word.form.strip_suffix(end)).unwrap_or(&word.form);
    if digits.len() > 2 {
        return None;
    }
    digits.parse().ok().filter(|day| *day > 0)
}

fn year(word: &Word) -> Option<i32> {
    let year: i32 = word.form.parse().ok()?;
    (1900..2100).contains(&year).then_some(year)
}

/// Whether a text asks when something was.
pub(super) fn asks_when(told: &Told<'_>) -> bool {
    let words = &told.words;
    (0..words.len()).any(|n| {
        let Some(rest) = words.get(n..) else { return false };
        let begins_clause = match n.checked_sub(1).and_then(|before| words.get(before)) {
            None => true,
            Some(before) => {
                let gap =
                    rest.first().and_then(|word| told.text.get(before.range.end..word.range.start));
                before.form == "since"
                    || before.form == "с"
                    || gap.is_some_and(|gap| gap.contains([',', '.', ';', '!', '?', '…', '\n']))
            }
        };
        begins_clause && WHEN.iter().chain([&IN_WHICH]).any(|row| is_row(row, rest))
    })
}

/// Whether words begin with this row, in each place of which one of several may stand.
fn is_row(row: &[&str], words: &[Word]) -> bool {
    let fits = |(choice, word): (&&str, &Word)| choice.split(' ').any(|form| form == word.form);
    words.len() >= row.len() && row.iter().zip(words).all(fits)
}

/// Whether a text with these words tells a time.
pub(super) fn tells_time(words: &[Word]) -> bool {
    words.iter().any(|word| {
        let is_month = word.case == Case::Capital && (word.form == "may" || word.form == "march");
        is_month || TIME_WORDS.contains(word.form.as_str()) || year(word).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recall::{Cast, words::words};

    fn told<'a>(text: &'a str, names: &[&'a str]) -> Told<'a> {
        Told::new(text, &Cast::new(names.iter().copied()))
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_read() {
        let date = |year, month, day| Named { year, month, day };
        for (text, expected) in [
            ("What happened on 5 May 2023?", vec![date(Some(2023), Some(5), Some(5))]),
            ("on the 5th of May", vec![date(None, Some(5), Some(5))]),
            ("on June 21st, 2022", vec![date(Some(2022), Some(6), Some(21))]),
            (
                "in July of 2021 or in August",
                vec![date(Some(2021), Some(7), None), date(None, Some(8), None)],
            ),
            ("you may march in 2020", vec![date(Some(2020), None, None)]),
            ("5-го мая 2023 года", vec![date(Some(2023), Some(5), Some(5))]),
            ("в сентябре", vec![date(None, Some(9), None)]),
            ("with April in 1999", vec![date(Some(1999), None, None)]),
            ("42 swords", vec![]),
        ] {
            assert_eq!(named(&told(text, &["April"])), expected, "{text}");
        }
    }

    #[test]
    fn a_day_is_near_a_date_for_a_while() {
        let years = BTreeSet::from([2022, 2023]);
        for (text, day, near) in [
            ("on 5 May 2023", "2023-05-05", 1.0),
            ("on 5 May", "2023-05-05", 1.0),
            ("in May 2023", "2023-05-31", 1.0),
            ("in May 2023", "2023-06-15", 0.5),
            ("in May 2023", "2022-05-15", 0.0),
            ("on 8 May", "2022-05-01", 0.0),
            ("in 2022", "2022-12-31", 1.0),
            ("on 30 February", "2023-02-28", 0.0),
        ] {
            let nearness = Dates::of(&told(text, &[]), &years).nearness(date(day));
            assert!((nearness - near).abs() < 1e-9, "{text} {day} {nearness}");
        }
    }

    #[test]
    fn who_asks_when_is_told_from_who_tells() {
        for (text, asks) in [
            ("When did we meet?", true),
            ("Remember the lake? How long did we stay", true),
            ("Since when do you ride", true),
            ("How many weeks was that?", true),
            ("which day was it", true),
            ("Скажи, когда мы встретились?", true),
            ("В каком году ты родилась?", true),
            ("I was there when it rained", false),
            ("How many swords have you?", false),
        ] {
            assert_eq!(asks_when(&told(text, &[])), asks, "{text}");
        }
        for (text, tells) in [
            ("We met last winter.", true),
            ("It was in May.", true),
            ("You may go.", false),
            ("Это было летом.", true),
            ("Back in 1989", true),
            ("The lake is deep.", false),
        ] {
            assert_eq!(tells_time(&words(text)), tells, "{text}");
        }
    }
}
