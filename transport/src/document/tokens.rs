//! Counts a document's tokens and brackets without parsing it.
//!
//! The parser recurses into brackets and keeps every token, so a hostile text must be refused
//! before it gets there. Wrong text is counted roughly: the parser will refuse it anyway.

/// How much there is to parse.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Words, numbers, strings and signs.
    pub(super) tokens: usize,
    /// Brackets that are open at the same time.
    pub(super) nesting: usize,
}

/// Reads `text` once, from left to right.
pub(super) fn extent(text: &str) -> Extent {
    let mut rest = text.as_bytes();
    let mut extent = Extent::default();
    let mut open = 0_usize;
    while let Some(&first) = rest.first() {
        let length = match first {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => 1,
            b'#' => run(rest, |byte| byte != b'\n' && byte != b'\r'),
            // The byte order mark may stand anywhere and means nothing.
            0xef if rest.starts_with(b"\xef\xbb\xbf") => 3,
            _ => {
                extent.tokens += 1;
                match first {
                    b'{' | b'[' | b'(' => {
                        open += 1;
                        extent.nesting = extent.nesting.max(open);
                    }
                    b'}' | b']' | b')' => open = open.saturating_sub(1),
                    _ => {}
                }
                token_length(first, rest)
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    extent
}

fn token_length(first: u8, rest: &[u8]) -> usize {
    match first {
        b'"' if rest.starts_with(b"\"\"\"") => block_string_length(rest),
        b'"' => string_length(rest),
        b'.' if rest.starts_with(b"...") => 3,
        b'0'..=b'9' | b'-' => {
            run(rest, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-'))
        }
        _ if is_name(first) => run(rest, is_name),
        _ => 1,
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| belongs(**byte)).count().max(1)
}

fn string_length(bytes: &[u8]) -> usize {
    let mut escaped = false;
    for (index, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            b'\n' | b'\r' => return index,
            _ => {}
        }
    }
    bytes.len()
}

fn block_string_length(bytes: &[u8]) -> usize {
    let mut at = 3;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(b"\\\"\"\"") {
            at += 4;
        } else if rest.starts_with(b"\"\"\"") {
            return at + 3;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_the_grammar_calls_tokens() {
        let cases = [
            ("", 0, 0),
            ("{ a }", 3, 1),
            ("{a...B}", 5, 1),
            ("query Q($x: Int = -1.5e+3) { a(x: $x, y: [1, 2]) }", 25, 3),
            ("{ a(s: \"} { \\\" [\") } # ((((", 8, 2),
            ("{ a(s: \"\"\"} \\\"\"\" {\"\"\") }", 8, 2),
            ("\u{feff}{ a @skip(if: true) }", 10, 2),
            ("{ a(s: \"open", 6, 2),
        ];
        for (text, tokens, nesting) in cases {
            assert_eq!(extent(text), Extent { tokens, nesting }, "{text}");
        }
    }
}
