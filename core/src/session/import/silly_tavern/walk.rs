//! Walks through chats on the disk, one line at a time, and merges them.
//!
//! Both readings of an import walk the same way, so they find the same messages.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};

use super::{
    fit::{Names, fit},
    items::each_item,
};
use crate::{
    interchange::silly_tavern::{Header, Item, Merge, Node},
    session::import::{
        Source,
        document::{Flaw, MAX_MESSAGES},
    },
};

/// What stands in a line.
pub(super) enum Found {
    Header(Header),
    /// What of a message the tree had not, and what was changed to fit.
    Message {
        line: usize,
        nodes: Vec<Node>,
        adapted: Vec<&'static str>,
    },
    Skipped {
        line: usize,
        reason: &'static str,
    },
}

/// Takes what is found, with the number of its file; false to stop.
pub(super) type Take<'a> = &'a mut dyn FnMut(usize, Found) -> bool;

/// Where each file ended; or which file has a flaw.
pub(super) fn walk(
    sources: &[Source],
    since: DateTime<Utc>,
    take: Take<'_>,
) -> Result<Vec<Option<u64>>, (usize, Flaw)> {
    let mut walk = Walk { merge: Merge::new(since), count: 0, names: Names::default(), take };
    for (number, source) in sources.iter().enumerate() {
        walk.file(number, source).map_err(|flaw| (number, flaw))?;
    }
    Ok(walk.merge.ends().to_vec())
}

struct Walk<'a> {
    merge: Merge,
    count: usize,
    names: Names,
    take: Take<'a>,
}

impl Walk<'_> {
    fn file(&mut self, number: usize, source: &Source) -> Result<(), Flaw> {
        self.merge.begin();
        self.names = Names::default();
        let stopped = each_item(super::super::open(source)?, |item| {
            let found = match self.found(item) {
                Ok(found) => found,
                Err(flaw) => return ControlFlow::Break(flaw),
            };
            if (self.take)(number, found) {
                return ControlFlow::Continue(());
            }
            ControlFlow::Break(Flaw("nobody reads on".into()))
        });
        stopped?.map_or(Ok(()), Err)
    }

    fn found(&mut self, item: Item) -> Result<Found, Flaw> {
        let place = |line: u64| usize::try_from(line).unwrap_or(usize::MAX);
        let (line, entry) = match item {
            Item::Header(header) => {
                let header = self.names.of(header);
                return Ok(Found::Header(header));
            }
            Item::Skipped { line, reason } => {
                return Ok(Found::Skipped { line: place(line), reason });
            }
            Item::Entry { line, entry } => (place(line), entry),
        };
        let (entry, adapted) = match fit(entry, &self.names) {
            Ok(fitting) => fitting,
            Err(reason) => return Ok(Found::Skipped { line, reason }),
        };
        let nodes = self.merge.add(entry);
        self.count += nodes.len();
        if self.count > MAX_MESSAGES {
            return Err(Flaw(format!("more than {MAX_MESSAGES} messages")));
        }
        Ok(Found::Message { line, nodes, adapted })
    }
}
