//! How an answer travels: slowly, in crumbs, with a stop, or cut off at any byte.
//!
//! Delivery knows nothing of what is written, so every cut is possible in every answer:
//! inside a letter of UTF-8, between CR and LF, inside a number.

use std::time::Duration;

use bytes::Bytes;

use crate::reply::{Gate, Piece, Reply};

/// How the answers of a double travel; by default at once and whole.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    before: Vec<Piece>,
    pace: Option<Duration>,
    hold: Option<(usize, Gate)>,
    stop: Option<(usize, Stop)>,
    split: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Stop {
    Clean,
    Cut,
}

impl Delivery {
    /// At once and whole.
    pub fn new() -> Self {
        Self::default()
    }

    /// A pause before the status line.
    #[must_use]
    pub fn headers_after(mut self, pause: Duration) -> Self {
        self.before.push(Piece::Pause(pause));
        self
    }

    /// No status line before the gate opens.
    #[must_use]
    pub fn hold_headers(mut self, gate: &Gate) -> Self {
        self.before.push(Piece::Wait(gate.clone()));
        self
    }

    /// A pause between any two events.
    #[must_use]
    pub fn pace(mut self, pause: Duration) -> Self {
        self.pace = Some(pause);
        self
    }

    /// Writes this many events and goes on when the gate opens.
    #[must_use]
    pub fn hold_after(mut self, events: usize, gate: &Gate) -> Self {
        self.hold = Some((events, gate.clone()));
        self
    }

    /// Writes the first bytes of the body, then closes the socket without an end.
    #[must_use]
    pub fn cut_at(mut self, byte: usize) -> Self {
        self.stop = Some((byte, Stop::Cut));
        self
    }

    /// Writes the first bytes of the body, then ends it as if that were all.
    #[must_use]
    pub fn end_at(mut self, byte: usize) -> Self {
        self.stop = Some((byte, Stop::Clean));
        self
    }

    /// Writes so many bytes at a time, each time over the socket before the next.
    #[must_use]
    pub fn split_every(mut self, bytes: usize) -> Self {
        self.split = Some(bytes.max(1));
        self
    }

    pub(crate) fn apply(self, mut reply: Reply) -> Reply {
        let mut before = self.before;
        before.append(&mut reply.before);
        reply.before = before;
        if let Some((events, gate)) = self.hold {
            let place = events.min(reply.body.len());
            reply.body.insert(place, Piece::Wait(gate));
        }
        if let Some(pause) = self.pace {
            reply.body = paced(reply.body, pause);
        }
        if let Some((byte, stop)) = self.stop {
            reply.body = stopped(reply.body, byte, stop);
        }
        if let Some(size) = self.split {
            reply.body = split(reply.body, size);
        }
        reply
    }
}

fn paced(pieces: Vec<Piece>, pause: Duration) -> Vec<Piece> {
    let mut paced = Vec::with_capacity(pieces.len() * 2);
    for piece in pieces {
        if !paced.is_empty() && matches!(piece, Piece::Bytes(_)) {
            paced.push(Piece::Pause(pause));
        }
        paced.push(piece);
    }
    paced
}

fn stopped(pieces: Vec<Piece>, byte: usize, stop: Stop) -> Vec<Piece> {
    let mut left = byte;
    let mut kept = Vec::new();
    for piece in pieces {
        let Piece::Bytes(bytes) = piece else {
            kept.push(piece);
            continue;
        };
        if bytes.len() > left {
            kept.push(Piece::Bytes(bytes.slice(..left)));
            if matches!(stop, Stop::Cut) {
                kept.push(Piece::Cut);
            }
            return kept;
        }
        left -= bytes.len();
        kept.push(Piece::Bytes(bytes));
    }
    // The body is shorter than that: a cut falls behind its last byte.
    if matches!(stop, Stop::Cut) {
        kept.push(Piece::Cut);
    }
    kept
}

fn split(pieces: Vec<Piece>, size: usize) -> Vec<Piece> {
    let crumbs = |mut bytes: Bytes| {
        let mut crumbs = Vec::new();
        while !bytes.is_empty() {
            crumbs.push(Piece::Bytes(bytes.split_to(size.min(bytes.len()))));
            crumbs.push(Piece::Flush);
        }
        crumbs
    };
    let each = |piece| match piece {
        Piece::Bytes(bytes) => crumbs(bytes),
        other @ (Piece::Flush | Piece::Pause(_) | Piece::Wait(_) | Piece::Silence | Piece::Cut) => {
            vec![other]
        }
    };
    pieces.into_iter().flat_map(each).collect()
}
