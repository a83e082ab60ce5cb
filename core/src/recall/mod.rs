//! Recall: which passages of a story come to mind for a text. Pure.
//!
//! An [`Index`] is built once of the passages that can come to mind, in the
//! order of telling, and asked as often as somebody speaks. Nothing of it needs a
//! model: words, who spoke, when, and what stands beside what. Where there is an embedder, what it
//! says of meaning counts beside the words.
//!
//! | module | what it holds |
//! |---|---|
//! | `words`, `stop` | words with meaning, by their stems ([`crate::text`] cuts and folds) |
//! | `cast` | names, and who "you" and "I" are |
//! | `neighbours` | whose words count for whom within a scene |
//! | `index`, `lexical` | BM25 over words pooled from neighbours |
//! | `dense` | what an embedder says: how near passages and what stands around them are |
//! | `question` | what asks is worth less than what answers |
//! | `date` | dates in a text; who asks when, and who tells a time |
//! | `rank`, `reason` | all of it together, and why in plain words |
//!
//! Where it comes from: BM25 is S. E. Robertson and others, "Okapi at TREC-3" (1994), with the
//! weight of rare words as Lucene has it; words are stemmed by Snowball (M. F. Porter), whose
//! lists of stop words these are. Pooling and all signals beside the words are the project's own;
//! each was measured, and `skald-bench recall` measures them again.

mod cast;
mod date;
mod dense;
mod index;
mod lexical;
mod neighbours;
mod question;
mod rank;
mod reason;
mod stop;
mod words;

use chrono::NaiveDate;

pub use self::{
    cast::{Cast, Person},
    dense::{Meaning, Surroundings, Weights, product},
    index::Index,
    rank::{Hit, Parts},
};

/// A passage that can come to mind.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// What was told.
    pub text: &'a str,
    /// Who told it, if that is somebody of the cast.
    pub speaker: Option<Person>,
    /// The scene it belongs to: within it, passages explain one another.
    pub scene: u32,
    /// The day on which it was told.
    pub day: Option<NaiveDate>,
}

/// What something should come to mind for.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// What somebody says or asks.
    pub text: &'a str,
    /// What was said before it: its words count too, all together half as much.
    pub context: &'a str,
    /// Whom names in it mean.
    pub cast: &'a Cast,
    /// Whom "you" means.
    pub addressed: Option<Person>,
    /// Whom "I" means.
    pub asking: Option<Person>,
    /// What an embedder says of [`Query::meant`], if there is one.
    pub meaning: Option<Meaning<'a>>,
}

impl Query<'_> {
    /// What an embedder is asked; none if nothing is left without the names.
    ///
    /// Names are cut out: their bearers' every word would be near. Who says only "And then?" means
    /// what was said before.
    pub fn meant(&self) -> Option<String> {
        let text = self.cast.without_names(self.text);
        if !terms(&text).is_empty() {
            return Some(text);
        }
        let both = format!("{}\n{text}", self.cast.without_names(self.context));
        Some(both.trim().to_owned()).filter(|both| !both.is_empty())
    }
}

/// What a text is about: the stems of its words with meaning, in order.
pub fn terms(text: &str) -> Vec<String> {
    words::terms(&words::words(text))
}

#[cfg(test)]
mod tests;
