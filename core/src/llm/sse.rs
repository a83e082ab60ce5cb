//! Server-sent events from providers, however the bytes arrive. Pure.
//!
//! Accepts what real servers send: LF, CR and CRLF; letters and line ends split
//! over chunks; `data:` with or without a space; events of several lines;
//! comments; a last event without its blank line; and text that is no event at
//! all, such as a bare JSON error in the middle of a stream.
//!
//! Source: the HTML standard, "Server-sent events", 9.2.6.

/// The longest event that is accepted, in bytes.
const MAX_EVENT: usize = 16 * 1024 * 1024;

/// What a stream of events holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The data of one event.
    Data(String),
    /// Lines that are no field of an event.
    Stray(String),
}

impl Frame {
    /// Whether it is more than a sign of life.
    pub fn says_something(&self) -> bool {
        let (Self::Data(text) | Self::Stray(text)) = self;
        !text.trim().is_empty()
    }
}

/// An event is longer than anything a model writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Turns bytes into frames.
#[derive(Debug, Default)]
pub struct SseParser {
    /// The current line, without its end.
    line: Vec<u8>,
    /// The last byte was a CR: an LF after it belongs to the same line end.
    after_cr: bool,
    data: Option<Vec<u8>>,
    stray: Vec<u8>,
}

impl SseParser {
    /// Takes the next bytes; the frames that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, TooLong> {
        let mut frames = Vec::new();
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, tail) = rest.split_at(end);
            self.line.extend_from_slice(line);
            self.end_line(&mut frames);
            rest = match tail {
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
                [] => &[],
            };
        }
        self.line.extend_from_slice(rest);
        let held = self.line.len() + self.stray.len() + self.data.as_ref().map_or(0, Vec::len);
        if held > MAX_EVENT { Err(TooLong) } else { Ok(frames) }
    }

    /// The stream has ended; what was not yet complete counts all the same.
    pub fn finish(mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut frames);
        }
        self.end_event(&mut frames);
        self.end_stray(&mut frames);
        frames
    }

    fn end_line(&mut self, frames: &mut Vec<Frame>) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
        if line.is_empty() {
            self.end_event(frames);
            self.end_stray(frames);
        } else if line.starts_with(b":") {
            // A comment: the server lives.
        } else if let Some(value) = field(line, b"data") {
            self.end_stray(frames);
            match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            }
        } else if ["event", "id", "retry"].iter().any(|name| field(line, name.as_bytes()).is_some())
        {
            self.end_stray(frames);
        } else {
            self.end_event(frames);
            self.stray.extend_from_slice(line);
            self.stray.push(b'\n');
        }
    }

    fn end_event(&mut self, frames: &mut Vec<Frame>) {
        if let Some(data) = self.data.take() {
            frames.push(Frame::Data(text(data)));
        }
    }

    fn end_stray(&mut self, frames: &mut Vec<Frame>) {
        if !self.stray.is_empty() {
            frames.push(Frame::Stray(text(std::mem::take(&mut self.stray))));
        }
    }
}

/// The value of a line, if it is this field.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        [_, ..] => None,
    }
}

/// Whole lines are decoded, so a letter is never split.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(text: &str) -> Frame {
        Frame::Data(text.into())
    }

    fn stray(text: &str) -> Frame {
        Frame::Stray(text.into())
    }

    /// All frames of a stream that arrives in these pieces.
    fn parse(pieces: &[&[u8]]) -> Vec<Frame> {
        let mut parser = SseParser::default();
        let mut frames: Vec<Frame> =
            pieces.iter().flat_map(|piece| parser.push(piece).unwrap()).collect();
        frames.extend(parser.finish());
        frames
    }

    #[test]
    fn what_servers_send_is_understood() {
        for (stream, expected) in [
            ("data: {}\r\n\r\ndata: a\r\n\r\n", vec![data("{}"), data("a")]),
            ("data:a\n\ndata:  b\n\n", vec![data("a"), data(" b")]),
            ("data: a\rdata: b\r\rdata: c\r\r", vec![data("a\nb"), data("c")]),
            (": ping\n\ndata: a\n: OPENROUTER PROCESSING\n\n", vec![data("a")]),
            ("event: error\nid: 7\nretry: 3\ndata: x\n\n", vec![data("x")]),
            ("data: a\n\ndata: [DONE]", vec![data("a"), data("[DONE]")]),
            ("data\n\n", vec![data("")]),
            ("\u{feff}data: a\n\n", vec![data("a")]),
            (
                "data: a\n\n{\n  \"error\": {\n    \"code\": 503\n  }\n}\n",
                vec![data("a"), stray("{\n  \"error\": {\n    \"code\": 503\n  }\n}\n")],
            ),
            (
                "data: a\n{\"error\":1}\n\ndata: b\n\n",
                vec![data("a"), stray("{\"error\":1}\n"), data("b")],
            ),
            ("<html>\n<b>502</b>", vec![stray("<html>\n<b>502</b>\n")]),
            ("dataset: a\n\n", vec![stray("dataset: a\n")]),
            ("", vec![]),
        ] {
            assert_eq!(parse(&[stream.as_bytes()]), expected, "{stream:?}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = SseParser::default();
        let megabyte = vec![b'a'; 1024 * 1024];
        let refused = (0..32).any(|_| parser.push(&megabyte).is_err());
        assert!(refused);
    }

    proptest! {
        /// However the network cuts the bytes, the frames are the same.
        #[test]
        fn chunks_do_not_matter(
            lines in prop::collection::vec("(data: ?[a-zё漢😀]{0,6}|: ping|event: e|\\{\"x\"|)", 0..12),
            end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            cuts in prop::collection::vec(0_usize..200, 0..8),
        ) {
            let stream = lines.join(end);
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(parse(&pieces), parse(&[bytes]));
        }
    }
}
