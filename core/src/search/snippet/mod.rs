//! The piece of a message that shows why it was found. Pure.

use std::{
    collections::{HashMap, hash_map::Entry},
    ops::Range,
};

use super::query::{Match, Query};
use crate::text::{self, Word};

/// Characters of a snippet at most, marks of what is left out included.
pub const LONGEST: usize = 240;

const LEFT_OUT: char = '…';

/// A piece of a message, and where what was looked for stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snippet {
    /// The piece: white space folded, `…` where something is left out.
    pub text: String,
    /// What was found, in order, none over another: in UTF-16 code units of `text`.
    pub highlights: Vec<Range<usize>>,
}

impl Snippet {
    /// The piece of `text` that holds most of what was looked for.
    pub(crate) fn of(text: &str, query: &Query) -> Self {
        let words = text::words(text);
        let matches = query.matches(&words);
        let whole = trimmed(text, 0..text.len());
        let piece = if length(text, &whole) <= LONGEST {
            whole.clone()
        } else {
            let best = best(text, &words, &matches);
            around(text, &whole, &words, best.unwrap_or(whole.start..whole.start))
        };
        let found = matches.iter().filter_map(|found| place(&words, found));
        cut(text, &whole, &piece, &merged(found.collect()))
    }
}

/// Room for text between two marks of what is left out.
const ROOM: usize = LONGEST - 2;

fn place(words: &[Word], found: &Match) -> Option<Range<usize>> {
    let words = words.get(found.words.clone())?;
    Some(words.first()?.range.start..words.last()?.range.end)
}

/// The first piece that holds as many parts, then as many matches as fit together.
///
/// A window slides over the matches and counts what it holds: a text may have tens of thousands.
fn best(text: &str, words: &[Word], matches: &[Match]) -> Option<Range<usize>> {
    let places: Vec<Spot> = spots(text, words, matches);
    let mut held: HashMap<usize, usize> = HashMap::new();
    let mut best: Option<((usize, usize), &[Spot])> = None;
    let mut end = 0;
    for (n, first) in places.iter().enumerate() {
        // The first one is shown even if it is too long.
        while let Some(next) = places.get(end).filter(|next| end == n || next.fits_after(first)) {
            *held.entry(next.part).or_default() += 1;
            end += 1;
        }
        let score = (held.len(), end - n);
        if best.as_ref().is_none_or(|(highest, _)| score > *highest) {
            best = Some((score, places.get(n..end)?));
        }
        if let Entry::Occupied(mut count) = held.entry(first.part) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
    let (_, piece) = best?;
    Some(piece.first()?.bytes.start..piece.iter().map(|spot| spot.bytes.end).max()?)
}

/// Where a match stands.
struct Spot {
    part: usize,
    bytes: Range<usize>,
    /// The same in characters.
    chars: Range<usize>,
}

impl Spot {
    /// Whether a piece from the beginning of an earlier match holds this one.
    fn fits_after(&self, first: &Self) -> bool {
        self.chars.end.max(first.chars.end) - first.chars.start <= ROOM
    }
}

/// Where the matches stand, in order.
fn spots(text: &str, words: &[Word], matches: &[Match]) -> Vec<Spot> {
    let (mut byte, mut passed) = (0, 0);
    // Words follow one another: each piece of the text is counted once.
    let mut chars_to = |to: usize| {
        passed += text.get(byte..to).map_or(0, |piece| piece.chars().count());
        byte = to;
        passed
    };
    let chars = words.iter().map(|word| chars_to(word.range.start)..chars_to(word.range.end));
    let chars: Vec<Range<usize>> = chars.collect();
    let spot = |found: &Match| {
        let chars = chars.get(found.words.clone())?;
        let chars = chars.first()?.start..chars.last()?.end;
        Some(Spot { part: found.part, bytes: place(words, found)?, chars })
    };
    matches.iter().filter_map(spot).collect()
}

/// The piece with what stands around it, as far as there is room; words stay whole.
fn around(text: &str, whole: &Range<usize>, words: &[Word], piece: Range<usize>) -> Range<usize> {
    let free = ROOM.saturating_sub(length(text, &piece));
    let before = length(text, &(whole.start..piece.start));
    let after = length(text, &(piece.end..whole.end));
    let lead = (free / 2).max(free.saturating_sub(after)).min(before);
    let from = back(text, piece.start, lead).max(whole.start);
    let start = if from == whole.start {
        from
    } else {
        let first = words.partition_point(|word| word.range.start < from);
        words.get(first).map_or(piece.start, |word| word.range.start.min(piece.start))
    };
    let to = forth(text, start, ROOM).min(whole.end);
    if to == whole.end {
        return start..to;
    }
    let last = words.partition_point(|word| word.range.end <= to).checked_sub(1);
    let end = last.and_then(|last| words.get(last)).map(|word| word.range.end);
    // A word that does not fit alone is cut where the room ends.
    start..end.filter(|end| *end > start).unwrap_or(to)
}

/// Copies a piece, white space folded, and says where the found ranges came to stand.
fn cut(text: &str, whole: &Range<usize>, piece: &Range<usize>, found: &[Range<usize>]) -> Snippet {
    let mut snippet = Snippet::default();
    let mut units = 0;
    let mut put = |out: &mut String, c: char| {
        out.push(c);
        units += c.len_utf16();
        units
    };
    let mut unit_at = vec![0];
    if piece.start > whole.start {
        unit_at = vec![put(&mut snippet.text, LEFT_OUT)];
    }
    // Where each byte of the piece came to stand.
    let mut blank = false;
    for c in text.get(piece.clone()).unwrap_or_default().chars() {
        let before = unit_at.last().copied().unwrap_or_default();
        let after = match (c.is_whitespace(), blank) {
            (true, true) => before,
            (true, false) => put(&mut snippet.text, ' '),
            (false, _) => put(&mut snippet.text, c),
        };
        blank = c.is_whitespace();
        unit_at.extend(std::iter::repeat_n(before, c.len_utf8() - 1));
        unit_at.push(after);
    }
    if piece.end < whole.end {
        put(&mut snippet.text, LEFT_OUT);
    }
    let inside = |range: &Range<usize>| {
        let (start, end) = (range.start.max(piece.start), range.end.min(piece.end));
        let unit = |at: usize| unit_at.get(at.checked_sub(piece.start)?).copied();
        (start < end).then(|| Some(unit(start)?..unit(end)?)).flatten()
    };
    snippet.highlights = found.iter().filter_map(inside).collect();
    snippet
}

/// Ranges that lie over each other become one.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let piece = text.get(range).unwrap_or_default();
    let start = piece.len() - piece.trim_start().len();
    start..start + piece.trim().len()
}

/// How many characters are in there; beyond the longest snippet all are too many.
fn length(text: &str, range: &Range<usize>) -> usize {
    text.get(range.clone()).map_or(0, |piece| piece.chars().take(LONGEST + 1).count())
}

fn back(text: &str, at: usize, chars: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.char_indices().rev().take(chars).last().map_or(at, |(start, _)| start)
}

fn forth(text: &str, at: usize, chars: usize) -> usize {
    let after = text.get(at..).unwrap_or_default();
    after.char_indices().nth(chars).map_or(text.len(), |(end, _)| at + end)
}

#[cfg(test)]
mod tests;
