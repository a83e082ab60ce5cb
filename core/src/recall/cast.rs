//! Names: whom a text means. Pure.

use std::collections::BTreeSet;

use super::words::{Case, Word, words};

/// Somebody of a cast, by the number of their name in it.
pub type Person = usize;

/// The names of those who may speak or be meant, the player's among them.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    names: Vec<Name>,
}

/// A word of somebody's name.
#[derive(Clone, Debug)]
struct Name {
    form: String,
    term: String,
    person: Person,
    /// Will, Mai: in small letters it is another word.
    is_filler: bool,
}

/// The addressed character's words.
const YOU: &str = "you your yours yourself ты тебя тебе тобой тобою твой твоя твое твои твоего твоей \
    твоему твоим твоем твоих твоими твою вы вас вам вами ваш ваша ваше ваши вашего вашей вашему \
    вашим вашем ваших вашими вашу";

/// The asking person's words.
const I: &str = "i me my mine myself i'm i've i'd i'll я меня мне мной мною мой моя мое мои моего \
    моей моему моим моем моих моими мою";

impl Cast {
    /// A cast of people with these names; the first is number 0.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut cast = Self::default();
        for (person, name) in names.into_iter().enumerate() {
            let parts = words(name);
            // "The Captain" is known by "Captain"; "Will" has nothing else.
            let only_stop_words = parts.iter().all(|word| word.is_filler);
            let known = parts.into_iter().filter(|word| only_stop_words || !word.is_filler);
            cast.names.extend(known.map(|word| {
                let Word { form, term, is_filler, .. } = word;
                Name { form, term, person, is_filler }
            }));
        }
        cast
    }

    /// Whom this word names; `begins` says whether a sentence begins with it.
    ///
    /// Written as the name is, it names them in small letters too; another form of it, as
    /// «Мире» of «Мира», only with a capital letter.
    fn named<'a>(&'a self, word: &'a Word, begins: bool) -> impl Iterator<Item = Person> + 'a {
        let found = self.names.iter().filter(move |name| {
            if name.is_filler {
                name.form == word.form && word.case == Case::Capital && (!begins || word.is_owner)
            } else {
                name.form == word.form || word.case == Case::Capital && name.term == word.term
            }
        });
        found.map(|name| name.person)
    }

    /// A text without the names in it; what was between them stays, with single spaces.
    pub(super) fn without_names(&self, text: &str) -> String {
        let mut rest = String::with_capacity(text.len());
        let mut end = 0;
        for (word, begins) in with_beginnings(text) {
            if self.named(&word, begins).next().is_some() {
                rest.push_str(text.get(end..word.range.start).unwrap_or_default());
                end = word.range.end;
            }
        }
        rest.push_str(text.get(end..).unwrap_or_default());
        rest.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// The words of a text, each with whether a sentence begins with it.
fn with_beginnings(text: &str) -> impl Iterator<Item = (Word, bool)> + '_ {
    let mut end = 0;
    words(text).into_iter().enumerate().map(move |(n, word)| {
        let gap = text.get(end..word.range.start).unwrap_or_default();
        let begins = n == 0 || gap.contains(['.', '!', '?', '…', '\n', '"', '«', '“']);
        end = word.range.end;
        (word, begins)
    })
}

/// A text apart from the names in it.
pub(super) struct Told<'a> {
    pub(super) text: &'a str,
    /// Its words that are no names.
    pub(super) words: Vec<Word>,
    /// Who is named in it.
    pub(super) named: BTreeSet<Person>,
    /// Whether it says "you" to somebody.
    pub(super) says_you: bool,
    /// Whether it says "I".
    pub(super) says_i: bool,
}

impl<'a> Told<'a> {
    /// Reads a text.
    pub(super) fn new(text: &'a str, cast: &Cast) -> Self {
        let mut told = Self {
            text,
            words: Vec::new(),
            named: BTreeSet::new(),
            says_you: false,
            says_i: false,
        };
        for (word, begins) in with_beginnings(text) {
            let people: Vec<Person> = cast.named(&word, begins).collect();
            told.named.extend(&people);
            if people.is_empty() {
                told.hear(&word);
                told.words.push(word);
            }
        }
        told
    }

    /// How the text has a term.
    pub(super) fn written(&self, term: &str) -> String {
        let word = self.words.iter().find(|word| word.term == term);
        let written = word.and_then(|word| self.text.get(word.range.clone()));
        written.unwrap_or(term).to_lowercase()
    }

    fn hear(&mut self, word: &Word) {
        let written = self.text.get(word.range.clone()).unwrap_or_default();
        let written = written.to_lowercase().replace('’', "'").replace('ё', "е");
        let is_one_of = |list: &str| list.split_whitespace().any(|other| other == written);
        self.says_you |= is_one_of(YOU) || written.starts_with("you'");
        self.says_i |= is_one_of(I);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_every_form() {
        let cast = Cast::new(["Mira Vale", "Will", "The Captain", "Мира", "Олег"]);
        for (text, named, rest) in [
            ("What did Mira's brother say to the captain?", vec![0, 2], "brother say"),
            ("what did mira vale sing", vec![0], "sing"),
            ("What did Will do? Will's sword", vec![1], "sword"),
            ("Will it rain? I will go.", vec![], "rain go"),
            ("Что Олегу говорила Мира?", vec![3, 4], "говор"),
            ("Когда Мире снился мир?", vec![3], "снил мир"),
            ("the end", vec![], "end"),
        ] {
            let told = Told::new(text, &cast);
            assert_eq!(told.named.into_iter().collect::<Vec<_>>(), named, "{text}");
            let rest_of = super::super::words::terms(&told.words).join(" ");
            assert_eq!(rest_of, rest, "{text}");
        }
    }

    #[test]
    fn a_text_without_names_keeps_the_rest() {
        let cast = Cast::new(["Mira Vale", "Will", "Олег"]);
        for (text, rest) in [
            ("What did Mira's brother say to MIRA VALE?", "What did brother say to ?"),
            ("Where was he,  Will? He will come.", "Where was he, ? He will come."),
            ("Что Олегу снилось?", "Что снилось?"),
            ("Mira", ""),
            ("", ""),
        ] {
            assert_eq!(cast.without_names(text), rest, "{text}");
        }
    }

    #[test]
    fn you_and_i_are_heard() {
        for (text, you, i) in [
            ("Where were you?", true, false),
            ("You’re late", true, false),
            ("I'm home", false, true),
            ("Ты помнишь мою сестру?", true, true),
            ("Вам её не вернуть", true, false),
            ("The youth is mined", false, false),
        ] {
            let told = Told::new(text, &Cast::default());
            assert_eq!((told.says_you, told.says_i), (you, i), "{text}");
        }
    }
}
