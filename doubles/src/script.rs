//! What a test told a double to do with the next calls.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::call::Endpoint;
use crate::delivery::Delivery;
use crate::reply::Reply;

/// How an answer in JSON is dressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsonShape {
    /// Nothing but JSON.
    #[default]
    Bare,
    /// Inside a fence of three back-ticks, with a sentence before it.
    Fenced,
    /// After thoughts in `<think>`.
    AfterThinking,
    /// Cut off in the middle, as at the limit of tokens.
    Truncated,
}

impl JsonShape {
    pub(crate) fn dress(self, json: &str) -> String {
        match self {
            Self::Bare => json.to_owned(),
            Self::Fenced => format!("Here is the JSON:\n```json\n{json}\n```\n"),
            Self::AfterThinking => format!("<think>\nIs {{}} enough? No.\n</think>\n\n{json}"),
            Self::Truncated => json.chars().take(json.chars().count() / 2).collect(),
        }
    }
}

/// What happens to one call instead of, or beside, a plain answer.
#[derive(Clone, Debug)]
pub(crate) enum Turn<F> {
    Fault(F),
    Reply(Reply),
}

/// What one call gets.
#[derive(Clone, Debug)]
pub struct Planned<F> {
    /// What goes wrong.
    pub fault: Option<F>,
    /// What is said; a story if nobody said anything.
    pub text: Option<String>,
    /// What is thought.
    pub thoughts: Option<String>,
    /// What is said to a request for JSON that the server honours.
    pub json: String,
    /// How that JSON is dressed.
    pub json_shape: JsonShape,
    /// The size of a chunk.
    pub words_per_chunk: usize,
}

/// The settings of a double; they can change at any time.
#[derive(Debug)]
pub(crate) struct Script<F>(Mutex<Settings<F>>);

#[derive(Debug)]
pub(crate) struct Settings<F> {
    pub(crate) once: VecDeque<(Endpoint, Turn<F>)>,
    pub(crate) always: Vec<(Endpoint, F)>,
    pub(crate) says_once: VecDeque<String>,
    pub(crate) says: Option<String>,
    pub(crate) thinks: Option<String>,
    pub(crate) json: String,
    pub(crate) json_shape: JsonShape,
    pub(crate) words_per_chunk: usize,
    pub(crate) deliver_once: VecDeque<Delivery>,
    pub(crate) deliver: Delivery,
}

impl<F> Default for Script<F> {
    fn default() -> Self {
        Self(Mutex::new(Settings {
            once: VecDeque::new(),
            always: Vec::new(),
            says_once: VecDeque::new(),
            says: None,
            thinks: None,
            json: "{}".to_owned(),
            json_shape: JsonShape::Bare,
            words_per_chunk: 3,
            deliver_once: VecDeque::new(),
            deliver: Delivery::new(),
        }))
    }
}

impl<F: Clone> Script<F> {
    pub(crate) fn settings(&self) -> MutexGuard<'_, Settings<F>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the next call to this endpoint gets: a whole reply, or a plan for one.
    pub(crate) fn take(&self, endpoint: Endpoint) -> Result<Planned<F>, Reply> {
        let mut settings = self.settings();
        let place = settings.once.iter().position(|(at, _)| *at == endpoint);
        let turn = place.and_then(|place| settings.once.remove(place)).map(|(_, turn)| turn);
        let fault = match turn {
            Some(Turn::Reply(reply)) => return Err(reply),
            Some(Turn::Fault(fault)) => Some(fault),
            None => settings.always.iter().find(|(at, _)| *at == endpoint).map(|(_, f)| f.clone()),
        };
        let said = match endpoint {
            Endpoint::Generate => settings.says_once.pop_front(),
            Endpoint::Count | Endpoint::Embed | Endpoint::Models | Endpoint::Other => None,
        };
        Ok(Planned {
            fault,
            text: said.or_else(|| settings.says.clone()),
            thoughts: settings.thinks.clone(),
            json: settings.json.clone(),
            json_shape: settings.json_shape,
            words_per_chunk: settings.words_per_chunk,
        })
    }

    /// How the next answer travels. Only what a model writes is delayed or damaged.
    pub(crate) fn delivery(&self, endpoint: Endpoint) -> Delivery {
        if endpoint != Endpoint::Generate {
            return Delivery::new();
        }
        let mut settings = self.settings();
        settings.deliver_once.pop_front().unwrap_or_else(|| settings.deliver.clone())
    }
}
