//! What a model turned out not to take, learned from its refusals. Pure.
//!
//! What models can do is data, and data can be wrong or old. A refusal that
//! names an option is worth a second try without it.

use std::collections::BTreeSet;

/// Something that a model refused, and is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quirk {
    /// It takes no penalties.
    Penalties,
    /// It takes no options for choosing words, penalties included.
    Samplers,
    /// It cannot be told this level of thinking or this budget.
    ThinkingLevel,
    /// It cannot be asked about its thinking at all.
    ThinkingConfig,
}

/// What is known of one model.
pub(super) type Quirks = BTreeSet<Quirk>;

/// What a message of a refused request says about the model, if it is known already
/// that it is about the request and not about the key.
pub(super) fn learn(message: &str, known: &Quirks) -> Option<Quirk> {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["penalty"]) {
        return Some(Quirk::Penalties);
    }
    // "include_thoughts is only enabled when thinking is enabled."
    if says(&["thinking", "include_thoughts", "includethoughts"]) {
        let is_about_level = says(&["level", "budget"]);
        return Some(if is_about_level && !known.contains(&Quirk::ThinkingLevel) {
            Quirk::ThinkingLevel
        } else {
            Quirk::ThinkingConfig
        });
    }
    // A number out of its range is the operator's to mend.
    let samplers = ["temperature", "top_p", "topp", "top_k", "topk", "sampling", "sampler"];
    (says(&samplers) && !says(&["range", "must be"])).then_some(Quirk::Samplers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_is_not_taken() {
        use Quirk::{Penalties, Samplers, ThinkingConfig, ThinkingLevel};
        let level = || [ThinkingLevel].into();
        for (message, known, expected) in [
            ("Penalty is not enabled for this model", Quirks::new(), Some(Penalties)),
            ("Penalty is not enabled for models/gemini-2.5-flash", Quirks::new(), Some(Penalties)),
            ("Thinking level MINIMAL is not supported", Quirks::new(), Some(ThinkingLevel)),
            ("Thinking level is not supported", level(), Some(ThinkingConfig)),
            ("Budget 0 is invalid. It only works in thinking mode.", level(), Some(ThinkingConfig)),
            (
                "Budget 0 is invalid. It only works in thinking mode.",
                Quirks::new(),
                Some(ThinkingLevel),
            ),
            ("Thinking is not enabled for this model.", Quirks::new(), Some(ThinkingConfig)),
            ("Sampling parameters are not supported.", Quirks::new(), Some(Samplers)),
            ("Unknown name \"topK\" at 'generation_config'", Quirks::new(), Some(Samplers)),
            ("temperature must be in the range [0.0, 2.0].", Quirks::new(), None),
            ("contents is not specified", Quirks::new(), None),
        ] {
            assert_eq!(learn(message, &known), expected, "{message}");
        }
    }
}
