//! The model: a double that says numbered words, and knows what it said when.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use serde_json::Value;
use skald_doubles::{Call, Delivery, Endpoint, How, OpenAiDouble, OpenAiFault, Profile};
use tokio::time::{interval, timeout};

/// From a call to its first word.
const FIRST: Duration = Duration::from_millis(100);
/// From one word to the next: a hundred a second.
const PACE: Duration = Duration::from_millis(10);
/// From one call that is refused to the next.
const STUMBLE: Duration = Duration::from_millis(300);
/// Words in a reply.
const WORDS: usize = 200;
/// Texts that are laid ready for one round; nobody plays that quickly.
const TEXTS: usize = 600;

/// The model of one lane.
pub(super) struct Model {
    double: OpenAiDouble,
    /// The number of the last text that was laid ready.
    last: usize,
    /// Calls that belong to earlier rounds.
    old: usize,
}

/// What one call was told, and when.
pub(super) struct Said {
    /// The whole text of the call.
    pub(super) text: String,
    /// After how many bytes of text when.
    pub(super) steps: Vec<(usize, Instant)>,
    /// When whoever asked went away, if it did.
    pub(super) closed: Option<Instant>,
}

impl Model {
    pub(super) async fn start() -> Self {
        let double = OpenAiDouble::start(Profile::Plain).await;
        double.words_per_chunk(1);
        Self { double, last: 0, old: 0 }
    }

    pub(super) fn url(&self) -> String {
        self.double.url()
    }

    /// From now on it writes at the pace of a model; what was said before is of no interest.
    pub(super) fn write_slowly(&mut self) {
        self.old = self.double.call_count();
        for text in self.texts() {
            self.double.says_once(text);
        }
        self.double.deliver(Delivery::new().headers_after(FIRST).pace(PACE));
    }

    /// Refuses a call now and then, for so long: such a reply fails before its first word.
    pub(super) async fn stumble(&self, time: Duration) {
        let mut ticks = interval(STUMBLE);
        let stumbling = async {
            loop {
                ticks.tick().await;
                self.double.fails_once(OpenAiFault::NoCredits);
            }
        };
        // It never ends by itself.
        let _time_is_up: Result<(), _> = timeout(time, stumbling).await;
    }

    /// From now on it writes at once, and refuses nothing.
    pub(super) fn write_quickly(&self) {
        self.double.works();
        self.double.deliver(Delivery::new());
    }

    /// Begins again as another process: the connections of the old one are gone.
    pub(super) async fn die(&mut self) {
        let mut next = Self::start().await;
        next.last = self.last;
        for text in next.texts() {
            next.double.says_once(text);
        }
        *self = next;
    }

    /// What was said in this round.
    pub(super) fn said(&self) -> Vec<Said> {
        let calls = self.double.calls();
        let ours = |call: &&std::sync::Arc<Call>| {
            call.endpoint == Endpoint::Generate && call.number > self.old
        };
        calls.iter().filter(ours).map(|call| Said::of(call)).collect()
    }

    fn texts(&mut self) -> impl Iterator<Item = String> + use<> {
        let Range { start, end } = self.last..self.last + TEXTS;
        self.last = end;
        (start..end).map(|number| {
            let words: Vec<String> = (1..=WORDS).map(|word| word.to_string()).collect();
            format!("tale-{number} {}", words.join(" "))
        })
    }
}

impl Said {
    fn of(call: &Call) -> Self {
        let (mut text, mut steps) = (String::new(), Vec::new());
        for (at, bytes) in call.written() {
            text.push_str(&content(&bytes));
            steps.push((text.len(), at));
        }
        let closed = call.ended().filter(|end| end.how != How::Written).map(|end| end.at);
        Self { text, steps, closed }
    }

    /// How much of the time before `until` the `stored` part of the text does not cover.
    pub(super) fn lost(&self, stored: usize, until: Option<Instant>) -> Duration {
        let until = match (self.closed, until) {
            (Some(closed), Some(until)) => closed.min(until),
            (Some(at), None) | (None, Some(at)) => at,
            // Neither was it cut off, nor did the server die: all of it should be there.
            (None, None) => Instant::now(),
        };
        let missing = self.steps.iter().find(|(length, _)| *length > stored);
        missing.map_or(Duration::ZERO, |(_, at)| until.saturating_duration_since(*at))
    }
}

/// The text in an event of a stream.
fn content(event: &[u8]) -> String {
    let json = event.strip_prefix(b"data: ").unwrap_or_default();
    let json: Value = serde_json::from_slice(json).unwrap_or_default();
    let text = json.pointer("/choices/0/delta/content").and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The number of a text, from its first word.
pub(super) fn tag(text: &str) -> Option<&str> {
    let (first, _) = text.split_once(' ').unwrap_or((text, ""));
    first.starts_with("tale-").then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_measured_from_its_first_word_on() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let steps = vec![(0, at(0)), (6, at(100)), (8, at(200)), (10, at(300))];
        let said = Said { text: "tale-1 2 3".into(), steps, closed: None };
        let lost = |stored, until| said.lost(stored, Some(at(until))).as_millis();
        assert_eq!(lost(10, 1000), 0);
        assert_eq!(lost(8, 1000), 700);
        assert_eq!(lost(0, 1000), 900);
        assert_eq!(lost(6, 150), 0, "what was said after the end is nobody's loss");
        let said = Said { closed: Some(at(250)), ..said };
        assert_eq!(said.lost(6, Some(at(1000))).as_millis(), 50);
        assert_eq!(said.lost(6, None).as_millis(), 50);
    }

    #[test]
    fn a_text_is_known_by_its_first_word() {
        assert_eq!(tag("tale-12 1 2"), Some("tale-12"));
        assert_eq!(tag("tale-1"), Some("tale-1"));
        assert_eq!(tag("I sit down."), None);
        assert_eq!(content(b"data: {\"choices\":[{\"delta\":{\"content\":\" 7\"}}]}\n\n"), " 7");
        assert_eq!(content(b"data: [DONE]\n\n"), "");
    }
}
