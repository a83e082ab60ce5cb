//! Laying out a reply: which kinds of sentence stand in which paragraph.

use rand::Rng;

use super::super::super::{NarratorTask, Role};
use super::super::detail;
use super::tongue::Place;
use super::weaver::{Weaver, mentioned};

const FEWEST_WORDS: usize = 95;
const MOST_WORDS: usize = 170;

/// Paragraphs, each of sentences.
pub(super) type Passage = Vec<Vec<String>>;

impl Weaver<'_> {
    /// The paragraphs of one reply.
    pub(super) fn passage(&mut self) -> Passage {
        let mut passage = match (&self.story.speaker, self.story.task) {
            (Some(_), _) => self.scene_with_speaker(),
            (None, Some(NarratorTask::Transition)) => self.transition(),
            (None, Some(NarratorTask::Recap)) => self.recap(),
            (None, Some(NarratorTask::Scene) | None) => self.scene(),
        };
        self.fill_up(&mut passage);
        passage
    }

    fn scene_with_speaker(&mut self) -> Passage {
        let first_words = self.first_words();
        let sight = self.sight();
        let reaction = self.reaction();
        // Two sentences in a row that begin with the same name read like a list.
        let is_named = reaction.as_ref().is_some_and(|said| self.values.is_subject_of(said));
        let gesture = if is_named { self.touch() } else { self.gesture() };
        let speech = self.speech();
        let aside = self.aside();
        let hook = self.hook();
        let close: Vec<String> = [self.detail(), aside].into_iter().flatten().collect();
        let mut passage = match self.rng.random_range(0..4_u8) {
            0 => vec![join([first_words, sight]), join([reaction, gesture]), speech, close],
            1 => vec![
                join([first_words, reaction]),
                speech,
                [join([gesture, sight]), close].concat(),
            ],
            2 => vec![
                join([sight, first_words, reaction]),
                speech,
                [join([gesture]), close].concat(),
            ],
            _ => vec![
                join([reaction, gesture]),
                speech,
                [join([first_words, sight]), close].concat(),
            ],
        };
        self.extras(&mut passage);
        append(&mut passage, hook);
        passage
    }

    fn scene(&mut self) -> Passage {
        let beginning = [self.first_words(), self.sight(), self.sight()];
        let middle = [self.anywhere(), self.presence(), self.sight()];
        let aside = self.aside();
        let end = [aside, self.presence(), self.draw(self.tongue.narrator.hooks)];
        vec![join(beginning), join(middle), join(end)]
    }

    fn transition(&mut self) -> Passage {
        let narrator = &self.tongue.narrator;
        let leaving = [self.sight(), self.draw(narrator.passages)];
        self.place = self.destination();
        let aside = self.aside();
        let arriving = [aside, self.draw(narrator.arrivals), self.sight(), self.sight()];
        let end = [self.anywhere(), self.presence(), self.draw(narrator.hooks)];
        vec![join(leaving), join(arriving), join(end)]
    }

    fn recap(&mut self) -> Passage {
        let narrator = &self.tongue.narrator;
        let opening = [self.draw(narrator.recap_openings), self.draw(narrator.recap_musings)];
        let frames = narrator.recap_moments.iter();
        let moments = self.moments().into_iter().zip(frames);
        let mut moments: Vec<String> =
            moments.map(|(moment, frame)| self.values.fill(frame, &moment)).collect();
        let latest = detail::quotable(&self.story.last_line);
        moments.extend(latest.and_then(|line| self.draw_with(narrator.recap_latest, &line)));
        let aside = self.aside();
        let end = [self.draw(narrator.recap_musings), aside, self.draw(narrator.recap_hooks)];
        vec![join(opening), moments, join(end)]
    }

    /// What may be added while there is room: others, talk, one more detail.
    fn extras(&mut self, passage: &mut Passage) {
        if let Some(other) = self.other().filter(|_| has_room(passage, 45)) {
            append(passage, Some(other));
        }
        // One voice from outside is enough.
        if self.story.instruction.is_some() {
            return;
        }
        if self.rng.random_ratio(1, 3) && has_room(passage, 55) {
            let rumour = self.rumour();
            append(passage, rumour);
        }
        if self.rng.random_ratio(1, 3) && has_room(passage, 55) {
            let detail = self.detail();
            append(passage, detail);
        }
    }

    /// Brings a short passage up to length without touching how it ends.
    fn fill_up(&mut self, passage: &mut Passage) {
        passage.retain(|paragraph| !paragraph.is_empty());
        // A transition's first paragraph is still in the old place.
        let filled = usize::from(
            self.story.task == Some(NarratorTask::Transition) && self.story.speaker.is_none(),
        );
        let mut turn = 0_usize;
        while count_words(&paragraphs(passage)) < FEWEST_WORDS {
            let more = match (self.story.task, &self.story.speaker) {
                (_, Some(_)) if turn % 3 == 1 => self.touch(),
                (Some(NarratorTask::Recap), None) if turn < 6 => self.musing(),
                _ if turn.is_multiple_of(3) => self.sight(),
                _ => self.anywhere(),
            };
            turn += 1;
            let paragraph = passage.get_mut(filled).filter(|_| turn < 24);
            let Some((more, paragraph)) = more.zip(paragraph) else {
                return;
            };
            paragraph.push(more);
        }
    }

    /// Where a transition leads: as told, else anywhere but here.
    fn destination(&mut self) -> Option<&'static Place> {
        let told = self.story.instruction.as_deref().unwrap_or(&self.story.last_line);
        let here = self.place.map(|place| place.sights);
        let elsewhere: Vec<&'static Place> =
            self.tongue.places.iter().filter(|place| Some(place.sights) != here).collect();
        let named = mentioned(self.tongue.places, told).filter(|place| Some(place.sights) != here);
        named.or_else(|| self.pick(&elsewhere).copied())
    }

    /// Up to three sentences of the story so far, in their order.
    fn moments(&self) -> Vec<String> {
        let replies: Vec<String> = self
            .request
            .turns
            .iter()
            .filter(|turn| turn.role == Role::Model)
            .filter_map(|turn| detail::quotable(turn.blocks.first()?.split(['.', '\n']).next()?))
            .collect();
        let step = replies.len().div_ceil(3).max(1);
        replies.into_iter().step_by(step).collect()
    }
}

/// The text of a passage.
pub(super) fn paragraphs(passage: &Passage) -> String {
    let filled = passage.iter().filter(|paragraph| !paragraph.is_empty());
    filled.map(|paragraph| paragraph.join(" ")).collect::<Vec<_>>().join("\n\n")
}

pub(super) fn count_words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
}

fn has_room(passage: &Passage, words: usize) -> bool {
    count_words(&paragraphs(passage)) + words <= MOST_WORDS
}

fn join<const N: usize>(sentences: [Option<String>; N]) -> Vec<String> {
    sentences.into_iter().flatten().collect()
}

fn append(passage: &mut Passage, sentence: Option<String>) {
    if let Some(last) = passage.last_mut() {
        last.extend(sentence);
    }
}
