//! Several files into one tree: what begins the same is the same. Pure.
//!
//! Of each message only a fingerprint and its date are kept, so that a tree of
//! 200,000 messages takes some 25 MB while it is merged.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{Entry, Speaker, Version};
use crate::tree::MessageRole;

/// Makes one tree of files, in the order they are given.
pub struct Merge {
    /// The message with this text in this role below this parent.
    known: HashMap<(Option<u32>, Fingerprint), u32>,
    dates: Vec<Dates>,
    since: DateTime<Utc>,
    /// When the last root was sent.
    last_root: Option<DateTime<Utc>>,
    ends: Vec<Option<u64>>,
    at: Option<u32>,
}

type Fingerprint = [u8; 16];

/// When a message was sent, and the last of those below it.
#[derive(Clone, Copy)]
struct Dates {
    own: DateTime<Utc>,
    below: DateTime<Utc>,
}

/// A message of the tree that was not there before.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// 0, 1, 2 … in the order they are given.
    pub key: u64,
    /// The message above it, which was given before.
    pub parent: Option<u64>,
    /// Who wrote it.
    pub speaker: Speaker,
    /// Whether models are not shown it.
    pub hidden: bool,
    /// The name of the checkpoint made here; only of the version the path goes through.
    pub bookmark: Option<String>,
    /// What it says.
    pub version: Version,
    /// When it was sent: never before the message above, nor before an earlier swipe of the same
    /// message, so that swipes keep their order. Without a date it comes after all its siblings.
    pub created_at: DateTime<Utc>,
}

impl Merge {
    /// An empty tree. A message without a date was sent with the one above, a root at `since`,
    /// which should be no later than what comes below it: the date in the header, for one.
    pub fn new(since: DateTime<Utc>) -> Self {
        let (known, dates, ends) = (HashMap::new(), Vec::new(), Vec::new());
        Self { known, dates, since, last_root: None, ends, at: None }
    }

    /// A file begins: its first message is a root.
    pub fn begin(&mut self) {
        self.at = None;
        self.ends.push(None);
    }

    /// Adds the next message of the file; what of it is new, the siblings in their order.
    pub fn add(&mut self, entry: Entry) -> Vec<Node> {
        let Entry { speaker, hidden, bookmark, versions, selected, .. } = entry;
        let (above, mut through) = (self.at, self.at);
        let mut new = Vec::new();
        let mut before = None;
        for (n, version) in versions.into_iter().enumerate() {
            let place = (above, fingerprint(speaker.role, &version.content));
            let known = self.known.get(&place).copied();
            let key = known.unwrap_or_else(|| u32::try_from(self.dates.len()).unwrap_or(u32::MAX));
            let is_selected = n == selected;
            if is_selected {
                through = Some(key);
            }
            if let Some(dates) = known.and_then(|key| self.dates_of(key)) {
                before = before.max(Some(dates.own));
                continue;
            }
            self.known.insert(place, key);
            let created_at = self.date_below(above, version.sent_at, before);
            before = Some(created_at);
            new.push(Node {
                key: key.into(),
                parent: above.map(u64::from),
                speaker: speaker.clone(),
                hidden,
                bookmark: bookmark.clone().filter(|_| is_selected),
                version,
                created_at,
            });
        }
        self.at = through;
        if let Some(end) = self.ends.last_mut() {
            *end = through.map(u64::from);
        }
        new
    }

    /// Where each file ended, in their order; none for a file without a message.
    pub fn ends(&self) -> &[Option<u64>] {
        &self.ends
    }

    fn dates_of(&mut self, key: u32) -> Option<&mut Dates> {
        self.dates.get_mut(usize::try_from(key).ok()?)
    }

    /// When a message below `above` was sent, which comes after the swipe of `before`.
    fn date_below(
        &mut self,
        above: Option<u32>,
        sent: Option<DateTime<Utc>>,
        before: Option<DateTime<Utc>>,
    ) -> DateTime<Utc> {
        let parent = above.and_then(|above| self.dates_of(above)).copied();
        let own = match parent {
            Some(parent) => sent.map_or(parent.below, |sent| sent.max(parent.own)),
            None => sent.or(self.last_root).unwrap_or(self.since),
        };
        let own = before.map_or(own, |before| own.max(before));
        match above.and_then(|above| self.dates_of(above)) {
            Some(parent) => parent.below = parent.below.max(own),
            None => self.last_root = self.last_root.max(Some(own)),
        }
        self.dates.push(Dates { own, below: own });
        own
    }
}

fn fingerprint(role: MessageRole, text: &str) -> Fingerprint {
    let role: u8 = match role {
        MessageRole::Player => 0,
        MessageRole::Character => 1,
        MessageRole::Narrator => 2,
        MessageRole::System => 3,
    };
    let whole = Sha256::new().chain_update([role]).chain_update(text).finalize();
    let mut half = Fingerprint::default();
    half.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    half
}
