//! Which format files have, by what is in them: a name says nothing.

use std::{io::Read, ops::ControlFlow};

use skald_base::{Error, Result};

use super::{ImportFormat, Source, document::Flaw, silly_tavern::each_item};
use crate::{app::App, interchange::silly_tavern::Item};

/// The format that all files have.
pub(super) async fn recognise(app: &App, sources: &[Source]) -> Result<ImportFormat> {
    let files = sources.to_vec();
    let looking = app.lifecycle.tasks().spawn_blocking(move || {
        files
            .iter()
            .map(|source| is_chat(super::open(source)?))
            .collect::<Result<Vec<bool>, Flaw>>()
    });
    let looked = looking.await.map_err(|_| Error::Internal("an import broke off".into()))?;
    let chats = looked.map_err(|Flaw(flaw)| Error::invalid("input.uploadIds", flaw))?;
    let mut others = chats.iter().zip(sources).filter(|(is_chat, _)| !**is_chat);
    match others.next() {
        None => Ok(ImportFormat::SillyTavern),
        Some((_, other)) if chats.contains(&true) => {
            let message = format!(
                "{} is no chat, and another file is one: send files of one format",
                other.file_name
            );
            Err(Error::invalid("input.uploadIds", message))
        }
        Some(_) => Ok(ImportFormat::NativeJson),
    }
}

/// Whether there is a line of a chat in it. Those of a document in Skald's own format are no JSON
/// by themselves, or no messages of a chat.
fn is_chat(file: impl Read) -> Result<bool, Flaw> {
    let found = each_item(file, |item| match item {
        Item::Skipped { .. } => ControlFlow::Continue(()),
        Item::Header(_) | Item::Entry { .. } => ControlFlow::Break(()),
    });
    Ok(found?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_known_by_its_first_line_that_is_one() {
        for (content, expected) in [
            ("", false),
            ("not json\n[1]\n", false),
            ("{\"spec\":\"chara_card_v2\"}", false),
            (
                "{\"format\":\"skald-session\",\"version\":\"1.0\",\n\"messages\":[\n{\"number\":0}]}",
                false,
            ),
            ("{\"format\":\"skald-session\",\"messages\":[{\"mes\":\"x\"}]}", false),
            ("{\"user_name\":\"unused\",\"chat_metadata\":{}}", true),
            ("{\"name\":\"Mira\",\"mes\":\"Hello.\"}", true),
            ("\u{feff}{\"name\":\"Mira\",\"mes\":\"Hello.\"}\r\n", true),
            ("oops\n{\"name\":\"Mira\",\"mes\":\"Hello.\"}", true),
        ] {
            assert_eq!(is_chat(content.as_bytes()), Ok(expected), "{content}");
        }
    }
}
