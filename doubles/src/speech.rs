//! What a model says in one answer, in chunks whose tokens are counted.

use crate::script::{JsonShape, Planned};
use crate::story;
use crate::tokens;

/// A piece of thoughts or text, as a stream sends it.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) text: String,
    pub(crate) tokens: usize,
}

/// Thoughts and text of one answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Speech {
    pub(crate) thoughts: Vec<Chunk>,
    pub(crate) text: Vec<Chunk>,
    /// The limit of tokens came before the end.
    pub(crate) cut_short: bool,
}

/// What a request allows and asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// The last words of the player, for the language.
    pub(crate) turn: String,
    /// At most so many tokens, thoughts included.
    pub(crate) limit: Option<usize>,
    /// The text ends before any of these.
    pub(crate) stops: Vec<String>,
    /// JSON was asked for, in a way this server honours.
    pub(crate) json: bool,
}

impl Speech {
    pub(crate) fn new<F>(planned: &Planned<F>, wish: &Wish) -> Self {
        let text = if wish.json {
            planned.json_shape.dress(&planned.json)
        } else {
            planned.text.clone().unwrap_or_else(|| story::for_turn(&wish.turn).to_owned())
        };
        let ends = wish.stops.iter().filter(|stop| !stop.is_empty());
        let end = ends.filter_map(|stop| text.find(stop)).min().unwrap_or(text.len());
        let text = text.get(..end).unwrap_or_default();
        let thoughts = planned.thoughts.as_deref().unwrap_or_default();
        let mut left = wish.limit.unwrap_or(usize::MAX);
        let mut cut_short = wish.json && planned.json_shape == JsonShape::Truncated;
        let mut take = |text| {
            let mut taken = Vec::new();
            for part in story::chunks(text, planned.words_per_chunk) {
                let tokens = tokens::count(part);
                if tokens > left {
                    cut_short = true;
                    left = 0;
                    break;
                }
                left -= tokens;
                taken.push(Chunk { text: part.to_owned(), tokens });
            }
            taken
        };
        let (thoughts, text) = (take(thoughts), take(text));
        Self { thoughts, text, cut_short }
    }
}

/// The tokens of these chunks.
pub(crate) fn tokens_of(chunks: &[Chunk]) -> usize {
    chunks.iter().map(|chunk| chunk.tokens).sum()
}

/// The text of these chunks.
pub(crate) fn text_of(chunks: &[Chunk]) -> String {
    chunks.iter().map(|chunk| chunk.text.as_str()).collect()
}
