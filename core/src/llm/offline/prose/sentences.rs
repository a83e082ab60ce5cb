//! One sentence for each purpose.

use rand::Rng;

use super::super::super::Voice;
use super::super::detail;
use super::super::words::{self, Asks, Intent};
use super::template::capitalised;
use super::tongue::{Pool, Temper};
use super::weaver::{OPENING_DEPTH, Weaver, by_name};

impl Weaver<'_> {
    pub(super) fn first_words(&mut self) -> Option<String> {
        let narration = &self.tongue.narration;
        let is_opening = self.story.depth <= OPENING_DEPTH;
        self.draw(if is_opening { narration.openings } else { narration.beats })
    }

    pub(super) fn sight(&mut self) -> Option<String> {
        let pool = self.place.map_or(self.tongue.narration.anywhere, |place| place.sights);
        self.draw(pool)
    }

    pub(super) fn anywhere(&mut self) -> Option<String> {
        self.draw(self.tongue.narration.anywhere)
    }

    pub(super) fn gesture(&mut self) -> Option<String> {
        let narration = &self.tongue.narration;
        let glimpses = self.values.voice == Voice::Second && self.rng.random_ratio(2, 3);
        self.draw(if glimpses { narration.glimpses } else { narration.gestures })
    }

    /// A gesture that does not begin with who makes it.
    pub(super) fn touch(&mut self) -> Option<String> {
        let narration = &self.tongue.narration;
        let second = self.values.voice == Voice::Second;
        self.draw(if second { narration.glimpses } else { narration.touches })
    }

    pub(super) fn musing(&mut self) -> Option<String> {
        self.draw(self.tongue.narrator.recap_musings)
    }

    pub(super) fn reaction(&mut self) -> Option<String> {
        let narration = &self.tongue.narration;
        let echoed = match self.reading.intent {
            Intent::Question(_) => Some(narration.echoed_questions),
            Intent::Statement => Some(narration.echoed_statements),
            Intent::Silence | Intent::Greeting | Intent::Farewell | Intent::Action => None,
        };
        match (echoed, self.reading.echo.clone()) {
            (Some(pool), Some(echo)) => self.draw_with(pool, &echo),
            _ => self.draw(self.by_intent(&self.tongue.reactions)),
        }
    }

    /// The paragraph in which the speaker says something.
    pub(super) fn speech(&mut self) -> Vec<String> {
        let temper = self.temper();
        let tag = temper.and_then(|temper| self.draw(temper.tags)).unwrap_or_default();
        let mut line = self.draw(self.line_pool()).unwrap_or_default();
        if let Some(echo) =
            self.reading.echo.as_deref().filter(|_| self.reading.intent == Intent::Action)
        {
            line = format!("{}? {line}", capitalised(echo));
        }
        let coda = match self.reading.intent {
            Intent::Farewell => self.draw(self.tongue.narration.partings),
            Intent::Silence
            | Intent::Greeting
            | Intent::Question(_)
            | Intent::Action
            | Intent::Statement => temper.and_then(|temper| self.draw(temper.codas)),
        };
        let coda = coda.unwrap_or_default();
        let line = match line.strip_suffix('.') {
            Some(line) => format!("{line},"),
            None => line,
        };
        vec![if self.tongue.typography.cyrillic {
            format!("— {line} — {tag}. — {coda}")
        } else {
            format!("“{line}” {tag}. “{coda}”")
        }]
    }

    fn line_pool(&self) -> Pool {
        let questions = &self.tongue.questions;
        match self.reading.intent {
            Intent::Silence if self.story.depth <= OPENING_DEPTH => self.tongue.lines.greeting,
            Intent::Question(Asks::Place) => questions.place,
            Intent::Question(Asks::Person) => questions.person,
            Intent::Question(Asks::Reason) => questions.reason,
            Intent::Silence
            | Intent::Greeting
            | Intent::Farewell
            | Intent::Question(Asks::Other)
            | Intent::Action
            | Intent::Statement => self.by_intent(&self.tongue.lines),
        }
    }

    /// The speaker's manner: from the description, else the name decides for good.
    fn temper(&self) -> Option<&'static Temper> {
        let tempers = self.tongue.tempers;
        let described =
            tempers.iter().find(|temper| words::mentions(&self.story.about_speaker, temper.keys));
        described.or_else(|| by_name(tempers, &self.values.name))
    }

    pub(super) fn detail(&mut self) -> Option<String> {
        let detail = self.details.pop()?;
        let narration = &self.tongue.narration;
        let is_narration = detail.is_named && self.values.voice != Voice::First;
        let pool = if is_narration { narration.named_details } else { narration.quoted_details };
        self.draw_with(pool, &detail.text)
    }

    pub(super) fn rumour(&mut self) -> Option<String> {
        let about = detail::details(
            &self.story.about_player,
            &self.values.player,
            self.tongue.typography.cyrillic,
        );
        let about = self.pick(&about)?;
        self.draw_with(self.tongue.narration.rumours, &about.text)
    }

    /// The instruction as weather, as mood, or as a whisper from the wings.
    pub(super) fn aside(&mut self) -> Option<String> {
        let instruction = self.story.instruction.as_deref()?;
        let mood = self.tongue.moods.iter().find(|mood| words::mentions(instruction, mood.keys));
        if let Some(mood) = mood {
            return self.draw(mood.sentences);
        }
        let quote = detail::quotable(instruction)?;
        self.draw_with(self.tongue.narration.asides, &quote)
    }

    pub(super) fn other(&mut self) -> Option<String> {
        let other = self.others.pop()?;
        self.draw_with(self.tongue.narration.others, &other)
    }

    pub(super) fn presence(&mut self) -> Option<String> {
        let other = self.others.pop()?;
        self.draw_with(self.tongue.narrator.presences, &other)
    }

    pub(super) fn hook(&mut self) -> Option<String> {
        let narration = &self.tongue.narration;
        let parting = self.reading.intent == Intent::Farewell;
        self.draw(if parting { narration.farewell_hooks } else { narration.hooks })
    }
}
