//! Search: the messages of a session that hold what somebody looks for.
//!
//! A message is found by its terms ([`crate::text`]), which are stored with
//! its final text, so that both databases and all languages answer the same:
//! every word has to be there in some form, the last one perhaps unfinished,
//! what stands in quotation marks as a row. Newest texts come first; a rank
//! would differ between the databases.

pub(crate) mod indexer;
mod query;
pub mod snippet;
mod terms;

use skald_base::{
    Error, Result, UserError, UserErrorCode,
    graph::{Page, Slice, TextRule},
};

use self::snippet::Snippet;
pub(crate) use self::{
    query::{Part, Query},
    terms::{Terms, row, token},
};
use crate::{app::App, session::SessionId, store, tree::Message};

/// Bytes of a search text at most.
pub const LONGEST_TEXT: usize = 500;

/// Hits that are counted at most.
pub const MOST_COUNTED: i64 = 1000;

/// A message that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Its place among all that can be found: a newer text has a higher one.
    pub number: i64,
    /// The message.
    pub message: Message,
    /// Why it was found; empty before it is [explained](Search::explain).
    pub snippet: Snippet,
}

/// What somebody looks for in a session.
pub struct Search {
    session: SessionId,
    query: Query,
}

impl Search {
    /// Reads what was typed; the session is the viewer's.
    pub fn new(session: SessionId, text: &str) -> Result<Self> {
        TextRule::required(LONGEST_TEXT).check("text", text)?;
        let no_word =
            || UserError::new(UserErrorCode::Blank, "there is no word in text").at("text");
        let query = Query::parse(text).ok_or_else(no_word)?;
        Ok(Self { session, query })
    }

    /// A page of hits, newest texts first. Cursors are numbers of hits.
    pub async fn page(&self, app: &App, page: &Page) -> Result<Slice<Hit>> {
        let after = page.after.as_deref().map(str::parse).transpose();
        let after = after.map_err(|_| Error::invalid("after", "not a cursor of this list"))?;
        let window = (after.unwrap_or(i64::MAX), page.limit());
        let found = store::search::page(&app.db, self.session, &self.query, window).await?;
        Ok(page.cut(found).map(|found| {
            let (number, message) = (found.number, found.message);
            Hit { number, message, snippet: Snippet::default() }
        }))
    }

    /// Why they were found. Long texts take a while: on a thread where nobody waits for it.
    pub async fn explain(&self, app: &App, hits: Slice<Hit>) -> Result<Slice<Hit>> {
        let query = self.query.clone();
        let reading = app.lifecycle.tasks().spawn_blocking(move || {
            hits.map(|hit| {
                let snippet = Snippet::of(&hit.message.content, &query);
                Hit { snippet, ..hit }
            })
        });
        reading.await.map_err(|_| Error::Internal("a search could not be explained".into()))
    }

    /// How many hits there are; not known where there are more than [`MOST_COUNTED`].
    pub async fn count(&self, app: &App) -> Result<Option<i64>> {
        let most = MOST_COUNTED + 1;
        let count = store::search::count(&app.db, self.session, &self.query, most).await?;
        Ok((count <= MOST_COUNTED).then_some(count))
    }
}
