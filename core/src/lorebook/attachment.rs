//! Where lorebooks belong to: to a session, a character or a persona, in an order.

use skald_base::{Error, Result, Tx, UserError, UserErrorCode, Viewer};
use uuid::Uuid;

use super::LorebookId;
use crate::{
    app::App,
    character::CharacterId,
    events::EventBody,
    fact::FactOwner,
    library::{self, Change},
    persona::PersonaId,
    session::{SessionId, change::SessionChange},
    store,
};

/// Lorebooks attached to one target at most.
const MAX_ATTACHED: usize = 32;

/// What a lorebook can be attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are what their names say")]
pub enum Target {
    Session(SessionId),
    Character(CharacterId),
    Persona(PersonaId),
}

/// What becomes of an attachment.
#[derive(Clone, Copy, Debug)]
pub enum Attach {
    /// It is there, in this place among the others; where it is, or last, if absent.
    At(Option<usize>),
    /// It is not there.
    Nowhere,
}

impl Target {
    /// The id without its kind.
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Session(id) => id.uuid(),
            Self::Character(id) => id.uuid(),
            Self::Persona(id) => id.uuid(),
        }
    }
}

/// Attaches a lorebook that the viewer may read to something of theirs, moves it, or detaches it.
///
/// Doing it again changes nothing, so it needs no request id.
pub async fn attach(
    app: &App,
    viewer: &Viewer,
    (book, target): (LorebookId, Target),
    attach: Attach,
) -> Result<()> {
    match target {
        Target::Session(id) => {
            let opened = SessionChange::open(app, viewer, id).await;
            let mut change = opened.map_err(|error| error.at("input.targetId"))?;
            if place(&mut change.tx, viewer, (book, target), attach).await? {
                change.record(EventBody::SessionUpdated {});
            }
            change.commit().await.map(drop)
        }
        Target::Character(id) => {
            attach_to(app, viewer, (book, FactOwner::Character(id), target), attach).await
        }
        Target::Persona(id) => {
            attach_to(app, viewer, (book, FactOwner::Persona(id), target), attach).await
        }
    }
}

async fn attach_to(
    app: &App,
    viewer: &Viewer,
    (book, owner, target): (LorebookId, FactOwner, Target),
    attach: Attach,
) -> Result<()> {
    let mut tx = app.db.begin().await?;
    owner.lock(&mut tx, viewer, "input.targetId").await?;
    let is_changed = place(&mut tx, viewer, (book, target), attach).await?;
    let change = (owner.into(), Change::Changed);
    let changes = if is_changed { &[change][..] } else { &[] };
    library::commit_any(app, tx, viewer.user()?.id, changes).await
}

/// Whether anything changed; the target is locked.
async fn place(
    tx: &mut Tx,
    viewer: &Viewer,
    (book, target): (LorebookId, Target),
    attach: Attach,
) -> Result<bool> {
    let before = store::lorebook::attached_to(tx, target).await?;
    let after = match attach {
        Attach::Nowhere => before.iter().copied().filter(|id| *id != book).collect(),
        Attach::At(position) => {
            let found = store::lorebook::readable(tx, &[book], viewer.id()).await?;
            let is_there = found.iter().any(|book| book.deleted_at.is_none());
            if !is_there {
                return Err(Error::not_found("lorebook").at("input.lorebookId"));
            }
            placed(&before, book, position)
        }
    };
    if after.len() > MAX_ATTACHED {
        let message = format!("at most {MAX_ATTACHED} lorebooks in one place");
        let error = UserError::new(UserErrorCode::LimitExceeded, message);
        return Err(error.at("input.targetId").into());
    }
    if after == before {
        return Ok(false);
    }
    store::lorebook::set_attached(tx, target, &after).await?;
    Ok(true)
}

/// The list with the book in this place; where it is, or at the end, if none is named.
fn placed<I: Copy + PartialEq>(before: &[I], book: I, position: Option<usize>) -> Vec<I> {
    let present = before.iter().position(|id| *id == book);
    let mut after: Vec<I> = before.iter().copied().filter(|id| *id != book).collect();
    let at = position.or(present).unwrap_or(after.len()).min(after.len());
    after.insert(at, book);
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_has_its_place() {
        for (before, book, position, after) in [
            (&[][..], 1, None, &[1][..]),
            (&[1, 2], 3, None, &[1, 2, 3]),
            (&[1, 2], 3, Some(0), &[3, 1, 2]),
            (&[1, 2], 3, Some(9), &[1, 2, 3]),
            (&[1, 2, 3], 2, None, &[1, 2, 3]),
            (&[1, 2, 3], 1, Some(2), &[2, 3, 1]),
            (&[1, 2, 3], 3, Some(1), &[1, 3, 2]),
        ] {
            assert_eq!(placed(before, book, position), after, "{before:?} {book} {position:?}");
        }
    }
}
