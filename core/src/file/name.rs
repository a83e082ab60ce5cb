//! Names of files: what may be shown, sent in a header, put into an address. Pure.
//!
//! No name ever becomes a path: files lie under ids.

use std::fmt::Write as _;

/// Characters of a name at most, its ending apart.
const MAX_CHARS: usize = 100;
/// Bytes of a name at most, its ending apart: file systems take 255 with it.
const MAX_BYTES: usize = 200;
/// Names that mean a device on Windows, whatever the ending.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// What a client calls a file, without folders and what nobody can see.
pub fn shown(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let visible: String = last.chars().filter(|letter| !is_unseen(*letter)).collect();
    let name = visible.trim_matches(|letter: char| letter.is_whitespace() || letter == '.');
    if name.is_empty() { "file".into() } else { name.chars().take(MAX_CHARS).collect() }
}

/// A name for a file with this title, which every system takes.
pub fn of_title(title: &str, ending: &str) -> String {
    format!("{}.{ending}", stem(title))
}

/// Such a name without its ending.
pub fn stem(title: &str) -> String {
    let replace = |letter: char| match letter {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => ' ',
        other if other.is_whitespace() => ' ',
        other => other,
    };
    let plain: String = title.chars().map(replace).filter(|letter| !is_unseen(*letter)).collect();
    let mut name = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    name = name.chars().take(MAX_CHARS).collect();
    name.truncate(name.floor_char_boundary(MAX_BYTES));
    let name = name.trim_matches([' ', '.']);
    if name.is_empty() {
        return "session".into();
    }
    if is_device(name) { format!("_{name}") } else { name.into() }
}

fn is_device(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let mut numbered = ["com", "lpt"].iter().filter_map(|port| first.strip_prefix(port));
    DEVICES.contains(&first.as_str())
        || numbered.any(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
}

/// Controls, and marks that turn the direction of writing, so that an ending looks like another.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The header `content-disposition` of a file to save (RFC 6266): the name in ASCII for old
/// clients, then the whole name (RFC 5987).
pub fn content_disposition(name: &str) -> String {
    let plain = |letter: char| match letter {
        '"' | '\\' | '%' => '_',
        letter if letter.is_ascii_graphic() || letter == ' ' => letter,
        _ => '_',
    };
    let ascii: String = name.chars().map(plain).collect();
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", percent_encode(name))
}

/// A name as a part of an address: everything but the unreserved characters is encoded.
pub fn percent_encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _always_ok = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_no_path() {
        for (sent, expected) in [
            ("story.json", "story.json"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\chat.jsonl", "chat.jsonl"),
            ("..", "file"),
            ("a/", "file"),
            ("  Гавань \u{1F3EE}.json ", "Гавань \u{1F3EE}.json"),
            ("x\u{202e}nosj.exe\0", "xnosj.exe"),
        ] {
            assert_eq!(shown(sent), expected, "{sent:?}");
        }
    }

    #[test]
    fn a_title_becomes_a_name() {
        for (title, expected) in [
            ("The Lantern Inn", "The Lantern Inn.md"),
            ("Маяк: ночь/день?", "Маяк ночь день.md"),
            ("  ...  ", "session.md"),
            ("a\r\nb", "a b.md"),
            ("Con", "_Con.md"),
            ("com1 . 2", "_com1 . 2.md"),
            ("Comet", "Comet.md"),
        ] {
            assert_eq!(of_title(title, "md"), expected, "{title:?}");
        }
        assert_eq!(of_title(&"я".repeat(500), "md").chars().count(), MAX_CHARS + 3);
        assert_eq!(stem(&"灯".repeat(500)).len(), 198);
    }

    #[test]
    fn a_header_carries_any_name() {
        assert_eq!(
            content_disposition("Маяк \"1\".md"),
            "attachment; filename=\"____ _1_.md\"; \
             filename*=UTF-8''%D0%9C%D0%B0%D1%8F%D0%BA%20%221%22.md"
        );
    }

    proptest! {
        #[test]
        fn no_name_breaks_a_header_or_leaves_a_folder(title in "\\PC{0,40}|.{0,40}") {
            for name in [of_title(&title, "json"), shown(&title)] {
                let header = content_disposition(&name);
                prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                prop_assert_eq!(header.matches('"').count(), 2);
                prop_assert!(!name.contains(['/', '\\']) && name != ".." && !name.is_empty());
            }
        }
    }
}
