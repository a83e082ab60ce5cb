//! The weaver: draws sentences, never the same twice in a reply.

use rand::{Rng, rngs::StdRng, seq::SliceRandom};

use super::super::super::{NarratorTask, Request, Role, Story, Voice};
use super::super::detail::{self, Detail};
use super::super::words::{self, Intent, Reading};
use super::template::Values;
use super::tongue::{self, ByIntent, Place, Pool, Tongue};

/// How many turns back, and how much of each, the weaver remembers.
const REMEMBERED_TURNS: usize = 12;
const REMEMBERED_CHARS: usize = 4_000;
/// How many thoughts make a thought long.
const MUSINGS: usize = 3;
/// Up to this depth a reply may be the first of its story.
pub(super) const OPENING_DEPTH: u32 = 2;
/// How many of the places, counted from the first, suit a story of which nothing is known.
const NEUTRAL_PLACES: usize = 3;

/// One reply in the making.
pub(super) struct Weaver<'a> {
    pub(super) request: &'a Request,
    pub(super) story: &'a Story,
    pub(super) tongue: &'static Tongue,
    pub(super) values: Values,
    pub(super) reading: Reading,
    pub(super) details: Vec<Detail>,
    pub(super) place: Option<&'static Place>,
    pub(super) others: Vec<String>,
    pub(super) rng: StdRng,
    /// What earlier replies said; drawn again only when nothing else is left.
    told: String,
    /// Templates already in this reply.
    used: Vec<&'static str>,
}

impl<'a> Weaver<'a> {
    pub(super) fn new(request: &'a Request, mut rng: StdRng) -> Self {
        let story = &request.story;
        let tongue = tongue::of(&story.language);
        let typography = &tongue.typography;
        let speaker = story.speaker.as_deref().unwrap_or_default();
        let name = detail::name(speaker, typography.someone);
        let player = detail::name(&story.player, typography.guest);
        let voice = if story.speaker.is_some() { story.voice } else { Voice::Third };
        let mut details = detail::details(&story.about_speaker, &name, typography.cyrillic);
        details.shuffle(&mut rng);
        let mut others = others(story, &name, &player);
        others.shuffle(&mut rng);
        Self {
            request,
            story,
            tongue,
            values: Values::new(voice, typography, name, player),
            reading: words::read(&story.last_line),
            details,
            place: place(request, tongue),
            others,
            rng,
            told: told(request),
            used: Vec::new(),
        }
    }

    /// Goes on after `text`: elsewhere, and with other words.
    pub(super) fn turn_page(&mut self, text: &str) {
        self.told.push_str(text);
        self.used.clear();
        self.place = self.pick(self.tongue.places);
        self.details.clear();
    }

    /// What is thought before writing.
    pub(super) fn thought(&mut self, at_length: bool) -> String {
        let thoughts = &self.tongue.thoughts;
        let narrates = self.story.speaker.is_none();
        let first = if narrates {
            self.draw(thoughts.narrator)
        } else if let Some(echo) = self.reading.echo.clone() {
            self.draw_with(thoughts.echoed, &echo)
        } else {
            let pool = self.by_intent(&thoughts.intents);
            self.draw(pool)
        };
        let mut sentences: Vec<String> = first.into_iter().collect();
        for _ in 0..if at_length { MUSINGS } else { 0 } {
            sentences.extend(self.draw(thoughts.musings));
        }
        if !narrates {
            sentences.extend(self.draw(thoughts.closing));
        }
        sentences.join(" ")
    }

    /// What writes here, said once, at the start of a story.
    pub(super) fn note(&self) -> Option<&'static str> {
        let note = self.tongue.note;
        let is_first = self.story.depth <= OPENING_DEPTH && !self.told.contains(note);
        is_first.then_some(note)
    }

    pub(super) fn by_intent(&self, pools: &'static ByIntent) -> Pool {
        match self.reading.intent {
            Intent::Silence => pools.silence,
            Intent::Greeting => pools.greeting,
            Intent::Farewell => pools.farewell,
            Intent::Question(_) => pools.question,
            Intent::Action => pools.action,
            Intent::Statement => pools.statement,
        }
    }

    pub(super) fn draw(&mut self, pool: Pool) -> Option<String> {
        self.draw_with(pool, "")
    }

    /// A sentence not used in this reply, if possible not told lately either.
    pub(super) fn draw_with(&mut self, pool: Pool, slot: &str) -> Option<String> {
        let mut order = pool.to_vec();
        order.shuffle(&mut self.rng);
        order.retain(|template| !self.used.contains(template));
        let filled = |template: &&'static str| (*template, self.values.fill(template, slot));
        let is_untold =
            |(_, sentence): &(_, String)| !self.told.contains(sentence.trim_end_matches('.'));
        let untold = order.iter().map(filled).find(is_untold);
        let (template, sentence) = untold.or_else(|| order.first().map(filled))?;
        self.used.push(template);
        Some(sentence)
    }

    pub(super) fn pick<'l, T>(&mut self, from: &'l [T]) -> Option<&'l T> {
        let at = self.rng.random_range(0..from.len().max(1));
        from.get(at)
    }
}

/// Where the story stands: as the player last said, as the character's world is
/// described, else somewhere quiet that stays the same for the same cast.
fn place(request: &Request, tongue: &'static Tongue) -> Option<&'static Place> {
    let story = &request.story;
    // A transition's instruction names where it leads, not where it starts.
    let leaves = story.task == Some(NarratorTask::Transition);
    let instruction = story.instruction.as_deref().filter(|_| !leaves).unwrap_or_default();
    let earlier = request.turns.iter().rev().skip(1).filter(|turn| turn.role == Role::User);
    let clues = [instruction, &story.last_line]
        .into_iter()
        .chain(
            earlier.take(REMEMBERED_TURNS).flat_map(|turn| turn.blocks.iter().map(String::as_str)),
        )
        .chain([story.about_speaker.as_str()]);
    for clue in clues {
        let place = mentioned(tongue.places, clue);
        if place.is_some() {
            return place;
        }
    }
    let cast = story.cast.concat();
    by_name(tongue.places.get(..NEUTRAL_PLACES).unwrap_or_default(), &cast)
}

/// The place a text speaks of first.
pub(super) fn mentioned(places: &'static [Place], text: &str) -> Option<&'static Place> {
    let found = places.iter().filter_map(|place| Some((words::mention(text, place.keys)?, place)));
    found.min_by_key(|(at, _)| *at).map(|(_, place)| place)
}

/// Always the same choice for the same name.
pub(super) fn by_name<T>(from: &'static [T], name: &str) -> Option<&'static T> {
    let sum = name.chars().fold(0_usize, |sum, c| sum.wrapping_mul(31).wrapping_add(c as usize));
    from.get(sum % from.len().max(1))
}

/// Who else is on stage.
fn others(story: &Story, name: &str, player: &str) -> Vec<String> {
    let mut others: Vec<String> = Vec::new();
    for member in &story.cast {
        let member = detail::name(member, "");
        if !member.is_empty() && member != name && member != player && !others.contains(&member) {
            others.push(member);
        }
    }
    others
}

fn told(request: &Request) -> String {
    let replies = request.turns.iter().rev().filter(|turn| turn.role == Role::Model);
    replies
        .take(REMEMBERED_TURNS)
        .flat_map(|turn| turn.blocks.iter())
        .flat_map(|text| text.chars().take(REMEMBERED_CHARS).chain(['\n']))
        .collect()
}
