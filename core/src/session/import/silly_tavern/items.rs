//! What stands in a chat file, one line after the other.

use std::{io::Read, ops::ControlFlow};

use crate::{
    interchange::silly_tavern::{Item, Reader},
    session::import::document::Flaw,
};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// Gives each line's content to `take` until it has enough; what it broke off with, if it did.
pub(in crate::session::import) fn each_item<T>(
    mut file: impl Read,
    mut take: impl FnMut(Item) -> ControlFlow<T>,
) -> Result<Option<T>, Flaw> {
    let mut reader = Reader::default();
    let mut piece = vec![0; PIECE];
    loop {
        let count = file.read(&mut piece).map_err(|_| Flaw("it cannot be read".into()))?;
        match piece.get(..count) {
            Some(bytes) if count > 0 => reader.feed(bytes),
            Some(_) | None => reader.end(),
        }
        if let ControlFlow::Break(enough) = reader.by_ref().try_for_each(&mut take) {
            return Ok(Some(enough));
        }
        if count == 0 {
            return Ok(None);
        }
    }
}
