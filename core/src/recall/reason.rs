//! Why a passage comes to mind, in plain words. Pure.

use super::{index::Index, lexical::Wanted, rank::Hit};

/// Words that a reason names at most, the rarest of them.
const MOST_WORDS: usize = 5;
/// So many passages are called near in meaning.
const NEAREST: usize = 20;

impl Index {
    /// Why a passage has this score.
    pub(super) fn reason(&self, hit: &Hit, wanted: &[Wanted]) -> String {
        let (item, parts) = (hit.item, &hit.parts);
        let own = self.shared(item, wanted);
        let beside = [-2, -1, 1, 2].into_iter().filter_map(|n| self.neighbours.at(item, n));
        let beside: Vec<&Wanted> = beside
            .flat_map(|other| self.shared(other, wanted))
            .filter(|one| !own.iter().any(|other| other.term == one.term))
            .collect();
        let mut reasons = Vec::new();
        let mut say = |holds: bool, why: String| reasons.extend(holds.then_some(why));
        say(!own.is_empty(), format!("it has {}", quoted(&own)));
        say(!beside.is_empty(), format!("beside it stands {}", quoted(&beside)));
        let is_near = hit.dense_rank.is_some_and(|rank| rank <= NEAREST);
        say(is_near, "its meaning is near".into());
        say(parts.speaker > 0.0, "it was told by whom you mean".into());
        say(parts.date > 0.0, "it was told about the time you name".into());
        say(parts.when > 0.0, "it tells a time, and you ask for one".into());
        say(parts.question < 0.0, "but it asks more than it tells".into());
        if reasons.is_empty() {
            reasons.push("nothing nearer was told".into());
        }
        reasons.join("; ")
    }

    /// What a passage itself has of what is looked for.
    fn shared<'a>(&self, item: usize, wanted: &'a [Wanted]) -> Vec<&'a Wanted> {
        let has = |one: &&Wanted| {
            let postings = self.postings(&one.term);
            postings.binary_search_by_key(&item, |posting| posting.item()).is_ok()
        };
        wanted.iter().filter(has).collect()
    }
}

fn quoted(words: &[&Wanted]) -> String {
    let mut rarest: Vec<&Wanted> = Vec::new();
    for word in words {
        if !rarest.iter().any(|known| known.term == word.term) {
            rarest.push(word);
        }
    }
    rarest.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    rarest.truncate(MOST_WORDS);
    let words: Vec<String> = rarest.iter().map(|one| format!("\"{}\"", one.written)).collect();
    words.join(", ")
}
