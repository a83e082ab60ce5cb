//! Words by which a player sorts their sessions: what they may be. Pure.

use std::collections::HashSet;

use skald_base::{Result, UserError, UserErrorCode, graph::TextRule};

use crate::fold::fold;

/// Tags on one session at most.
const MAX_TAGS: usize = 20;
/// Bytes in a tag at most.
const MAX_TAG_BYTES: usize = 100;

/// These tags, trimmed, of those that differ only in case the first; sent at `path`.
pub(super) fn check(path: &str, tags: Vec<String>) -> Result<Vec<String>> {
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for tag in tags {
        let tag = tag.trim();
        TextRule::required(MAX_TAG_BYTES).check(path, tag)?;
        if seen.insert(fold(tag)) {
            kept.push(tag.to_owned());
        }
    }
    if kept.len() > MAX_TAGS {
        let message = format!("at most {MAX_TAGS} tags");
        return Err(UserError::new(UserErrorCode::TooLong, message).at(path).into());
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_trimmed_and_unique() {
        let tags = |list: &[&str]| {
            let list = list.iter().map(ToString::to_string).collect();
            check("input.tags", list)
        };
        assert_eq!(tags(&[" Море ", "море", "Sea"]).unwrap(), ["Море", "Sea"]);
        assert_eq!(tags(&[]).unwrap(), [""; 0]);
        assert!(tags(&[" "]).is_err());
        assert!(tags(&["\0"]).is_err());
        assert!(tags(&["я".repeat(50).as_str()]).is_ok());
        assert!(tags(&["я".repeat(51).as_str()]).is_err());
        let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
        assert!(check("input.tags", many[1..].to_vec()).is_ok());
        assert!(check("input.tags", many).is_err());
    }
}
