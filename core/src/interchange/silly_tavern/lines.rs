//! Lines out of pieces of a file, as they come, none longer than allowed. Pure.

/// Cuts pieces of a file into lines.
pub(super) struct Lines {
    most: usize,
    line: Vec<u8>,
    /// The current line, from 1.
    number: u64,
    is_too_long: bool,
}

/// A line, without its end.
pub(super) enum Line {
    Whole(Vec<u8>),
    TooLong,
}

impl Lines {
    pub(super) fn new(most: usize) -> Self {
        Self { most, line: Vec::new(), number: 1, is_too_long: false }
    }

    /// Takes bytes up to the end of a line; how many, and the line if that was its end.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, Option<(u64, Line)>) {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (piece, _) = bytes.split_at(end.unwrap_or(bytes.len()));
        if self.line.len() + piece.len() > self.most {
            self.is_too_long = true;
            self.line = Vec::new();
        }
        if !self.is_too_long {
            self.line.extend_from_slice(piece);
        }
        match end {
            None => (bytes.len(), None),
            Some(end) => (end + 1, self.end()),
        }
    }

    /// The end of the line, or of the file; blank lines are no lines.
    pub(super) fn end(&mut self) -> Option<(u64, Line)> {
        let number = self.number;
        self.number += 1;
        if std::mem::take(&mut self.is_too_long) {
            return Some((number, Line::TooLong));
        }
        let line = std::mem::take(&mut self.line);
        // A byte order mark begins a file that an editor has saved.
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if number == 1 => rest.to_vec(),
            Some(_) | None => line,
        };
        let is_blank = line.trim_ascii().is_empty();
        (!is_blank).then_some((number, Line::Whole(line)))
    }
}
