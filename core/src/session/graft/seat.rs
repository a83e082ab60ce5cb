//! Where the messages of a graft stand, kept small: a tree of 200,000 takes some 15 MB. Pure.

use std::{collections::HashMap, hash::Hash};

use chrono::{DateTime, Utc};

use crate::tree::{MessageId, Place};

/// The places of all messages that were added, found by what they are called at home.
pub(super) struct Seats<K> {
    numbers: HashMap<K, u32>,
    seats: Vec<Seat>,
}

/// All that is remembered of a message.
#[derive(Clone, Copy)]
struct Seat {
    id: MessageId,
    depth: u32,
    /// The number of the seat above; a root's is its own.
    parent: u32,
    /// The number of the seat that its jump pointer leads to; a root's leads to itself.
    jump: u32,
    created_at: DateTime<Utc>,
}

/// Where a new message stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) place: Place,
    pub(super) parent_id: Option<MessageId>,
    /// Never before the parent's.
    pub(super) created_at: DateTime<Utc>,
}

/// Why a message cannot take a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    TakenAlready,
    ParentUnknown,
    Full,
}

impl<K: Copy + Eq + Hash> Seats<K> {
    pub(super) fn new() -> Self {
        Self { numbers: HashMap::new(), seats: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    /// The id of the message with this key.
    pub(super) fn find(&self, key: K) -> Option<MessageId> {
        self.seat(*self.numbers.get(&key)?).map(|seat| seat.id)
    }

    /// Gives a message its place below `parent`.
    pub(super) fn take(
        &mut self,
        (key, id): (K, MessageId),
        parent: Option<K>,
        created_at: DateTime<Utc>,
    ) -> Result<Taken, Refused> {
        if self.numbers.contains_key(&key) {
            return Err(Refused::TakenAlready);
        }
        let number = u32::try_from(self.seats.len()).map_err(|_| Refused::Full)?;
        let (seat, parent_id) = match parent {
            None => (Seat { id, depth: 0, parent: number, jump: number, created_at }, None),
            Some(parent) => {
                let seat = self.below(parent, id, created_at).ok_or(Refused::ParentUnknown)?;
                (seat, self.find(parent))
            }
        };
        self.numbers.insert(key, number);
        self.seats.push(seat);
        let place = self.place(number).ok_or(Refused::Full)?;
        Ok(Taken { place, parent_id, created_at: seat.created_at })
    }

    fn below(&self, parent: K, id: MessageId, created_at: DateTime<Utc>) -> Option<Seat> {
        let number = *self.numbers.get(&parent)?;
        let parent = self.seat(number)?;
        let far = parent.jump;
        let jump = self.place(far).filter(|_| parent.depth > 0);
        let (jump_id, _) = self.place(number)?.child_jump(jump.as_ref());
        // The jump leads to the parent, or where the jump of the parent's jump leads.
        let jump = if jump_id == parent.id { number } else { self.seat(far)?.jump };
        let created_at = created_at.max(parent.created_at);
        Some(Seat { id, depth: parent.depth + 1, parent: number, jump, created_at })
    }

    /// Of these leaves, the one visited last first, those to which anything leads: each with the
    /// topmost message that leads to it (see `store::tip`).
    pub(super) fn tops(&self, leaves: impl IntoIterator<Item = K>) -> Vec<(K, MessageId)> {
        let mut leads = vec![false; self.seats.len()];
        let mut has_below = leads.clone();
        for (number, seat) in (0..).zip(&self.seats) {
            if seat.parent != number {
                set(&mut has_below, seat.parent);
            }
        }
        let mut tops = Vec::new();
        for leaf in leaves {
            let Some(number) = self.numbers.get(&leaf) else { continue };
            let Some((top, seat)) = self.top_of(*number, &mut leads) else { continue };
            // To what is below nothing but itself leads: it is found without a row.
            if top != *number || seat.depth == 0 || is_set(&has_below, top) {
                tops.push((leaf, seat.id));
            }
        }
        tops
    }

    /// The topmost seat that leads to this leaf; none if the leaf itself leads elsewhere already.
    fn top_of(&self, leaf: u32, leads: &mut [bool]) -> Option<(u32, Seat)> {
        let mut found = None;
        let mut next = leaf;
        while !is_set(leads, next) {
            let seat = self.seat(next)?;
            set(leads, next);
            found = Some((next, seat));
            next = seat.parent;
        }
        found
    }

    fn seat(&self, number: u32) -> Option<Seat> {
        self.seats.get(usize::try_from(number).ok()?).copied()
    }

    fn place(&self, number: u32) -> Option<Place> {
        let seat = self.seat(number)?;
        let (id, depth) = (seat.id, i64::from(seat.depth));
        if seat.depth == 0 {
            return Some(Place { id, depth, jump_id: None, jump_depth: 0 });
        }
        let jump = self.seat(seat.jump)?;
        Some(Place { id, depth, jump_id: Some(jump.id), jump_depth: i64::from(jump.depth) })
    }
}

fn set(marks: &mut [bool], number: u32) {
    if let Some(mark) = usize::try_from(number).ok().and_then(|number| marks.get_mut(number)) {
        *mark = true;
    }
}

fn is_set(marks: &[bool], number: u32) -> bool {
    let mark = usize::try_from(number).ok().and_then(|number| marks.get(number));
    mark.copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn id(n: usize) -> MessageId {
        MessageId::from_uuid(Uuid::from_u128(n as u128))
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    proptest! {
        /// The same places as where each message is added to a stored parent.
        #[test]
        fn places_are_those_of_messages_added_one_by_one(
            nodes in prop::collection::vec((prop::option::weighted(0.98, 0_usize..300), 0_i64..50), 1..300),
        ) {
            let mut seats = Seats::new();
            let mut places: Vec<(Place, DateTime<Utc>)> = Vec::new();
            for (n, (parent, second)) in nodes.iter().enumerate() {
                let parent = parent.filter(|_| n > 0).map(|parent| parent % n);
                let taken = seats.take((n, id(n)), parent, at(*second)).unwrap();
                let expected = match parent.map(|parent| places[parent].0) {
                    None => Place { id: id(n), depth: 0, jump_id: None, jump_depth: 0 },
                    Some(above) => {
                        let jump = above.jump_id.map(|jump| places[jump.uuid().as_u128() as usize].0);
                        let (jump_id, jump_depth) = above.child_jump(jump.as_ref());
                        Place { id: id(n), depth: above.depth + 1, jump_id: Some(jump_id), jump_depth }
                    }
                };
                prop_assert_eq!(taken.place, expected);
                prop_assert_eq!(taken.parent_id, parent.map(id));
                let above = parent.map_or(at(0), |parent| places[parent].1);
                prop_assert_eq!(taken.created_at, at(*second).max(above));
                prop_assert_eq!(seats.find(n), Some(id(n)));
                places.push((expected, taken.created_at));
            }
        }
    }

    #[test]
    fn a_key_has_one_seat_and_a_parent_comes_first() {
        let mut seats = Seats::new();
        seats.take(("root", id(1)), None, at(1)).unwrap();
        let again = seats.take(("root", id(2)), None, at(1));
        assert_eq!(again.unwrap_err(), Refused::TakenAlready);
        let lost = seats.take(("leaf", id(2)), Some("nobody"), at(1));
        assert_eq!(lost.unwrap_err(), Refused::ParentUnknown);
        assert_eq!((seats.len(), seats.find("leaf")), (1, None));
    }

    #[test]
    fn a_message_leads_to_the_leaf_visited_last_below_it() {
        // 0 - 1 - 2 - 3, and below 1: 4 - 5, and 6; another root: 7.
        let mut seats = Seats::new();
        for (n, parent) in [None, Some(0), Some(1), Some(2), Some(1), Some(4), Some(1), None]
            .into_iter()
            .enumerate()
        {
            seats.take((n, id(n)), parent, at(0)).unwrap();
        }
        let tops = |leaves: &[usize]| -> Vec<(usize, usize)> {
            let tops = seats.tops(leaves.iter().copied());
            tops.into_iter().map(|(leaf, top)| (leaf, top.uuid().as_u128() as usize)).collect()
        };
        assert_eq!(tops(&[3, 5, 6, 7]), [(3, 0), (5, 4), (7, 7)], "6 leads to itself anyway");
        assert_eq!(tops(&[5, 3, 2]), [(5, 0), (3, 2)], "2 leads to 3");
        assert_eq!(tops(&[2, 5, 3]), [(2, 0), (5, 4)], "3 leads to itself anyway");
        assert_eq!(tops(&[3, 4, 3, 9]), [(3, 0), (4, 4)], "who goes on below 4 goes by it");
    }

    #[test]
    fn a_seat_is_small() {
        assert!(size_of::<Seat>() <= 40);
    }
}
