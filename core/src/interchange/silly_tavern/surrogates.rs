//! Halves of characters, as programs write them that cut a text in the middle of an emoji. Pure.

/// What takes the place of half a character.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// Replaces the escapes of surrogates that stand alone, of which no text can be made; false if there
/// are none.
pub(super) fn replace_lone(json: &mut [u8]) -> bool {
    let mut has_replaced = false;
    let mut at = 0;
    while let Some(rest) = json.get(at..).filter(|rest| !rest.is_empty()) {
        at += match (escaped(rest), rest.get(6..).and_then(escaped)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                if let Some(half) = json.get_mut(at..at + 6) {
                    half.copy_from_slice(REPLACEMENT);
                }
                has_replaced = true;
                6
            }
            (Some(_), _) => 6,
            // What is escaped is no beginning of an escape.
            (None, _) if rest.starts_with(b"\\") => 2,
            (None, _) => 1,
        };
    }
    has_replaced
}

/// The number of the escape `\uXXXX` that a text begins with.
fn escaped(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_halves_are_replaced() {
        for (text, expected) in [
            (r"plain", r"plain"),
            (r"cut \ud83d", r"cut \ufffd"),
            (r"\ud83d!", r"\ufffd!"),
            (r"\uDE00 first", r"\ufffd first"),
            (r"\ud83d\ude00", r"\ud83d\ude00"),
            (r"\ud83d\ud83d\ude00", r"\ufffd\ud83d\ude00"),
            (r"\ude00\ud83d", r"\ufffd\ufffd"),
            (r"\\ud83d", r"\\ud83d"),
            (r"\\\ud83d", r"\\\ufffd"),
            (r"\u0041\n\ud83", r"\u0041\n\ud83"),
            ("🏮 \\ud83d", "🏮 \\ufffd"),
        ] {
            let mut json = text.as_bytes().to_vec();
            assert_eq!(replace_lone(&mut json), text != expected, "{text}");
            assert_eq!(String::from_utf8(json).unwrap(), expected);
        }
    }
}
