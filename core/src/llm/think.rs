//! Tells thoughts in tags from the text of a reply, as it arrives. Pure.
//!
//! Servers without a parser for a model's thoughts send them in the midst of
//! the text, as `<think>…</think>`. They count only where models write them: at
//! the beginning of a reply. Later on a tag is prose, and nothing of prose is
//! held back: a `<` leaves as soon as it cannot begin a tag.
//!
//! Some templates write the opening tag themselves, so that only the closing
//! one arrives. At the very beginning it is dropped. After text it comes too
//! late, because that text is with the reader already, and stays where it is;
//! who reads whole answers (see `structured`) can do better.

/// What a reply is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text of the reply.
    Content(String),
    /// Hidden reasoning.
    Thought(String),
}

/// The tags by which models mark their thoughts.
const TAGS: [Tag; 3] = [
    Tag { opening: "<think>", closing: "</think>" },
    Tag { opening: "<thinking>", closing: "</thinking>" },
    Tag { opening: "<reasoning>", closing: "</reasoning>" },
];

#[derive(Clone, Copy, Debug)]
struct Tag {
    opening: &'static str,
    closing: &'static str,
}

/// Splits a reply that arrives in pieces.
///
/// White space around thoughts belongs to nobody, and a reply of nothing but
/// white space has no text.
#[derive(Debug, Default)]
pub struct ThinkSplitter {
    place: Place,
    /// What may yet turn out to be a tag, or white space before one.
    held: String,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// Nothing but white space has come.
    #[default]
    Start,
    /// Nothing but thoughts has come.
    AfterThought,
    /// Thoughts that this tag began, before their first letter.
    BeforeThought(Tag),
    /// Thoughts that this tag began.
    Thought(Tag),
    /// The text, to its end.
    Content,
}

impl ThinkSplitter {
    /// Takes the next text; what of the reply is certain by now.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        self.held.push_str(text);
        let mut pieces = Vec::new();
        while self.step(&mut pieces) {}
        pieces
    }

    /// The reply has ended; what was held back.
    pub fn finish(self) -> Option<Piece> {
        let held = self.held;
        match self.place {
            _ if held.trim().is_empty() => None,
            Place::BeforeThought(_) | Place::Thought(_) => Some(Piece::Thought(held)),
            Place::AfterThought => Some(Piece::Content(held.trim_start().to_owned())),
            Place::Start | Place::Content => Some(Piece::Content(held)),
        }
    }

    /// Lets out what is certain; true if more may be.
    fn step(&mut self, pieces: &mut Vec<Piece>) -> bool {
        match self.place {
            Place::Start | Place::AfterThought => self.begin(),
            Place::BeforeThought(tag) => {
                let begun = !self.skip_space().is_empty();
                if begun {
                    self.place = Place::Thought(tag);
                }
                begun
            }
            Place::Thought(tag) => self.think(tag, pieces),
            Place::Content => {
                let text = std::mem::take(&mut self.held);
                pieces.extend((!text.is_empty()).then_some(Piece::Content(text)));
                false
            }
        }
    }

    /// At the beginning: a tag, or the text.
    fn begin(&mut self) -> bool {
        let text = self.held.trim_start();
        if text.is_empty() {
            return false;
        }
        let mut undecided = false;
        for tag in TAGS {
            for (form, next) in
                [(tag.opening, Place::BeforeThought(tag)), (tag.closing, Place::AfterThought)]
            {
                match begins_with(text, form) {
                    Begins::Yes(rest) => {
                        self.held = rest.to_owned();
                        self.place = next;
                        return true;
                    }
                    Begins::Perhaps => undecided = true,
                    Begins::No => {}
                }
            }
        }
        if !undecided {
            if matches!(self.place, Place::AfterThought) {
                self.skip_space();
            }
            self.place = Place::Content;
        }
        !undecided
    }

    /// Amid thoughts: all of them up to what may be the closing tag.
    fn think(&mut self, tag: Tag, pieces: &mut Vec<Piece>) -> bool {
        let mut end = (self.held.len(), None);
        for (at, _) in self.held.match_indices('<') {
            let (_, tail) = self.held.split_at(at);
            match begins_with(tail, tag.closing) {
                Begins::Yes(rest) => {
                    end = (at, Some(rest.to_owned()));
                    break;
                }
                Begins::Perhaps => {
                    end = (at, None);
                    break;
                }
                Begins::No => {}
            }
        }
        let (at, rest) = end;
        let tail = self.held.split_off(at);
        let thought = std::mem::replace(&mut self.held, tail);
        pieces.extend((!thought.is_empty()).then_some(Piece::Thought(thought)));
        let Some(rest) = rest else { return false };
        self.held = rest;
        self.place = Place::AfterThought;
        true
    }

    /// Drops white space at the beginning; what is left.
    fn skip_space(&mut self) -> &str {
        let space = self.held.len() - self.held.trim_start().len();
        self.held.drain(..space);
        &self.held
    }
}

enum Begins<'a> {
    /// It does; this comes after.
    Yes(&'a str),
    /// The text is too short to tell.
    Perhaps,
    No,
}

/// Whether a text begins with a tag, in whatever case.
fn begins_with<'a>(text: &'a str, tag: &str) -> Begins<'a> {
    if let Some((head, rest)) = text.split_at_checked(tag.len())
        && head.eq_ignore_ascii_case(tag)
    {
        return Begins::Yes(rest);
    }
    match tag.get(..text.len()) {
        Some(head) if head.eq_ignore_ascii_case(text) => Begins::Perhaps,
        Some(_) | None => Begins::No,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Content and thoughts of a reply that arrives in these pieces.
    fn split<'a>(pieces: impl IntoIterator<Item = &'a str>) -> (String, String) {
        let mut splitter = ThinkSplitter::default();
        let mut all: Vec<Piece> = pieces.into_iter().flat_map(|text| splitter.push(text)).collect();
        all.extend(splitter.finish());
        let (mut content, mut thought) = (String::new(), String::new());
        for piece in all {
            match piece {
                Piece::Content(text) => content.push_str(&text),
                Piece::Thought(text) => {
                    assert!(content.is_empty(), "a thought after text");
                    thought.push_str(&text);
                }
            }
        }
        (content, thought)
    }

    #[test]
    fn thoughts_are_told_from_text() {
        for (reply, content, thought) in [
            ("Hello.", "Hello.", ""),
            ("  Hello.", "  Hello.", ""),
            ("<think>Hm.</think>Hello.", "Hello.", "Hm."),
            ("\n<think>\nHm.\n</think>\n\nHello.", "Hello.", "Hm.\n"),
            ("<Think>Hm.</THINK> Hello.", "Hello.", "Hm."),
            ("<thinking>Hm. </think> No.</thinking>Hello.", "Hello.", "Hm. </think> No."),
            ("<reasoning>2 < 3 </b></reasoning>Yes.", "Yes.", "2 < 3 </b>"),
            ("<think>\n\n</think>\n\nHello.", "Hello.", ""),
            ("<think>a</think> <think>b</think> Hello.", "Hello.", "ab"),
            ("<think>Hm.", "", "Hm."),
            ("<think>Hm.</thin", "", "Hm.</thin"),
            ("</think>\n\nHello.", "Hello.", ""),
            ("Hm.</think>Hello.", "Hm.</think>Hello.", ""),
            ("She said <think>loudly</think>.", "She said <think>loudly</think>.", ""),
            ("<3 you", "<3 you", ""),
            ("<thin", "<thin", ""),
            ("<think>a</think>\n<thin", "<thin", "a"),
            ("<thinker>", "<thinker>", ""),
            (" \n ", "", ""),
            ("<think>ё漢</think>ё<漢", "ё<漢", "ё漢"),
        ] {
            assert_eq!(split([reply]), (content.to_owned(), thought.to_owned()), "{reply:?}");
        }
    }

    #[test]
    fn prose_is_never_held_back() {
        let mut splitter = ThinkSplitter::default();
        assert_eq!(splitter.push("<th"), []);
        assert_eq!(splitter.push("e"), [Piece::Content("<the".into())]);
        assert_eq!(splitter.push(" <"), [Piece::Content(" <".into())]);
        let mut splitter = ThinkSplitter::default();
        assert_eq!(splitter.push("<think>a <"), [Piece::Thought("a ".into())]);
        assert_eq!(splitter.push("b"), [Piece::Thought("<b".into())]);
    }

    proptest! {
        /// However a reply is cut, it is the same reply.
        #[test]
        fn chunks_do_not_matter(
            parts in prop::collection::vec(
                "(<think>|</think>|</THINK>|<thinking>|</thinking>|<reasoning>|</|<|>| |\n|[a-zё漢]{1,3})",
                0..12,
            ),
            cuts in prop::collection::vec(0_usize..60, 0..8),
        ) {
            let reply = parts.concat();
            let mut cuts: Vec<usize> = cuts
                .into_iter()
                .filter(|cut| reply.is_char_boundary(*cut))
                .chain([0, reply.len()])
                .collect();
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| &reply[pair[0]..pair[1]]);
            let letters = reply.split_inclusive(|_| true);
            prop_assert_eq!(split(letters), split([reply.as_str()]));
            prop_assert_eq!(split(pieces), split([reply.as_str()]));
        }
    }
}
