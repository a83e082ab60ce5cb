//! JSON that comes outside of events: whole values out of pieces of text. Pure.
//!
//! Each character is looked at once, however small the pieces are, and what is
//! kept is bounded.

use serde_json::Value;

/// How much is kept of what is not whole, and of what is no JSON.
const MAX_HELD: usize = 1024 * 1024;

/// More came than one value may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

/// Text that came outside of events.
#[derive(Debug, Default)]
pub(super) struct Loose {
    /// The beginning of a value.
    held: String,
    /// How many brackets of it are open.
    depth: usize,
    in_text: bool,
    escaped: bool,
    /// What is no JSON: perhaps a page.
    noise: String,
}

impl Loose {
    /// Takes a piece; the values that it completes.
    pub(super) fn push(&mut self, piece: &str) -> Result<Vec<Value>, TooMuch> {
        let mut values = Vec::new();
        let mut rest = piece;
        while !rest.is_empty() {
            if self.depth == 0 {
                // Chunks in a growing array, whose beginning and end do not matter.
                rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "[],".contains(c));
                if !rest.starts_with('{') {
                    self.dismiss(rest);
                    break;
                }
            }
            let end =
                rest.bytes().position(|byte| self.closes(byte)).map_or(rest.len(), |at| at + 1);
            let (taken, after) = rest.split_at(end);
            self.held.push_str(taken);
            rest = after;
            if self.depth > 0 {
                break;
            }
            let held = std::mem::take(&mut self.held);
            match serde_json::from_str(&held) {
                Ok(value) => values.push(value),
                Err(_) => self.dismiss(&held),
            }
        }
        if self.held.len() > MAX_HELD { Err(TooMuch) } else { Ok(values) }
    }

    /// What came that is no JSON, nor the beginning of any.
    pub(super) fn noise(&mut self) -> &str {
        let held = std::mem::take(&mut self.held);
        let parsed = serde_json::from_str::<Value>(&held);
        if parsed.is_err_and(|error| !error.is_eof()) {
            self.dismiss(&held);
        }
        &self.noise
    }

    /// Whether a byte of a value is its last one.
    fn closes(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    fn dismiss(&mut self, text: &str) {
        let room = MAX_HELD.saturating_sub(self.noise.len());
        self.noise.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_found_wherever_they_are_split() {
        let text = "[{\"a\":\"}\\\"{ 漢\"},\r\n{\"b\":[{}]}]";
        for (at, _) in text.char_indices() {
            let (first, second) = text.split_at(at);
            let mut loose = Loose::default();
            let mut values = loose.push(first).unwrap();
            values.extend(loose.push(second).unwrap());
            assert_eq!(values, [json!({ "a": "}\"{ 漢" }), json!({ "b": [{}] })], "{at}");
            assert_eq!(loose.noise(), "");
        }
    }

    #[test]
    fn what_is_no_json_is_kept_for_the_error() {
        for text in ["<html>", "{no json}", "{no json", "data"] {
            let mut loose = Loose::default();
            assert_eq!(loose.push(text), Ok(Vec::new()));
            assert_eq!(loose.noise(), text);
        }
    }

    #[test]
    fn little_is_kept_of_much_and_each_letter_is_read_once() {
        let mut loose = Loose::default();
        loose.push("{\"a\":\"").unwrap();
        let pushed = (0..MAX_HELD).try_for_each(|_| loose.push("aa").map(drop));
        assert_eq!(pushed, Err(TooMuch));
        let mut loose = Loose::default();
        (0..MAX_HELD).for_each(|_| drop(loose.push("page").unwrap()));
        assert_eq!(loose.noise().len(), MAX_HELD);
    }
}
