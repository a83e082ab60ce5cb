//! A player's list of sessions: which ones, in which order, from where on.

use chrono::{DateTime, Utc};
use skald_base::{
    Error, Result, Viewer,
    graph::{Page, Slice, TextRule},
};

use super::{Session, SessionId, SessionMode, tags};
use crate::{app::App, character::CharacterId, fold::fold, persona::PersonaId, store};

/// Which sessions a list shows; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only those put away, or only those that are not. Unless told otherwise what is put away
    /// is left out, but not among the deleted.
    pub archived: Option<bool>,
    /// The deleted ones instead of those that are there.
    pub deleted: bool,
    /// With all of these tags.
    pub tags: Vec<String>,
    /// With this character in the cast.
    pub character_id: Option<CharacterId>,
    /// Played as this persona.
    pub persona_id: Option<PersonaId>,
    /// Driven like this.
    pub mode: Option<SessionMode>,
    /// With this in the title.
    pub title: Option<String>,
}

/// By what sessions are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum SessionField {
    LastActivity,
    Created,
    Title,
}

/// Which end of an order comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the graph documents them")]
pub enum Direction {
    Ascending,
    Descending,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOrder {
    /// By what.
    pub field: SessionField,
    /// Which end comes first.
    pub direction: Direction,
}

/// Where a session stands in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// By a moment.
    At(DateTime<Utc>),
    /// By a folded title.
    Titled(String),
}

impl SessionField {
    /// The direction that people expect: what is new first, titles from the beginning.
    pub fn usual_direction(self) -> Direction {
        match self {
            Self::LastActivity | Self::Created => Direction::Descending,
            Self::Title => Direction::Ascending,
        }
    }
}

impl SessionFilter {
    /// The same in the form in which it is compared.
    fn check(self) -> Result<Self> {
        let title = self.title.unwrap_or_default();
        TextRule::optional(500).check("filter.title", &title)?;
        Ok(Self {
            archived: self.archived.or((!self.deleted).then_some(false)),
            tags: tags::check("filter.tags", self.tags)?.iter().map(|tag| fold(tag)).collect(),
            title: Some(fold(&title)).filter(|title| !title.is_empty()),
            ..self
        })
    }
}

impl SessionOrder {
    /// The word by which cursors know this order.
    fn word(self) -> String {
        let field = match self.field {
            SessionField::LastActivity => "activity",
            SessionField::Created => "created",
            SessionField::Title => "title",
        };
        let direction = match self.direction {
            Direction::Ascending => "up",
            Direction::Descending => "down",
        };
        format!("{field}-{direction}")
    }

    /// The place behind a session.
    pub fn cursor(self, session: &Session) -> String {
        let standing = match self.field {
            SessionField::LastActivity => session.last_activity_at.timestamp_micros().to_string(),
            SessionField::Created => session.created_at.timestamp_micros().to_string(),
            SessionField::Title => session.settings.folded_title(),
        };
        format!("{}~{}~{standing}", self.word(), session.id)
    }

    /// Reads a cursor; one of another order is refused.
    fn parse_cursor(self, text: &str) -> Result<(Standing, SessionId)> {
        let parse = || {
            let (word, rest) = text.split_once('~')?;
            let (id, standing) = rest.split_once('~')?;
            let standing = match self.field {
                SessionField::Title => Standing::Titled(standing.to_owned()),
                SessionField::LastActivity | SessionField::Created => {
                    Standing::At(DateTime::from_timestamp_micros(standing.parse().ok()?)?)
                }
            };
            (word == self.word() && !text.contains('\0')).then_some((standing, id.parse().ok()?))
        };
        parse().ok_or_else(|| Error::invalid("after", "not a cursor of this list in this order"))
    }
}

/// The viewer's sessions that pass the filter.
pub async fn list(
    app: &App,
    viewer: &Viewer,
    (filter, order): (SessionFilter, SessionOrder),
    page: &Page,
) -> Result<Slice<Session>> {
    let user = viewer.user()?;
    let filter = filter.check()?;
    let after = page.after.as_deref().map(|text| order.parse_cursor(text)).transpose()?;
    let limit = page.limit();
    let rows = store::session_list::page(&app.db, user.id, (&filter, order, after), limit).await?;
    Ok(page.cut(rows))
}

/// How many sessions of the viewer pass the filter.
pub async fn count(app: &App, viewer: &Viewer, filter: SessionFilter) -> Result<i64> {
    let user = viewer.user()?;
    store::session_list::count(&app.db, user.id, &filter.check()?).await
}

/// Folds the titles of sessions from before titles were folded.
pub async fn fold_titles(app: &App) -> Result<()> {
    let mut after = None;
    loop {
        let unfolded = store::session_list::unfolded(&app.db, after).await?;
        let Some((last, _)) = unfolded.last() else { return Ok(()) };
        after = Some(*last);
        let mut tx = app.db.begin().await?;
        for (id, title) in unfolded {
            store::session_list::set_folded(&mut tx, id, fold(&title)).await?;
        }
        tx.commit().await?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_a_cursor_or_an_error(text in ".{0,60}") {
            for field in [SessionField::LastActivity, SessionField::Title] {
                let order = SessionOrder { field, direction: Direction::Ascending };
                drop(order.parse_cursor(&text));
            }
        }
    }
}
