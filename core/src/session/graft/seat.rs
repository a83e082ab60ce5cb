//! Where the messages of a graft stand, kept small: a tree of 200,000 takes some 15 MB. Pure.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    hash::Hash,
};

use chrono::{DateTime, Utc};

use crate::tree::{MessageId, Place, Tip};

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
    /// The number of its parent's seat; a root's is its own.
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

    /// Where each message leads once these leaves were visited: to the one visited last below it.
    ///
    /// A leaf to which only itself leads is left out, unless it is a root.
    pub(super) fn tips(&self, mut visits: Vec<(K, DateTime<Utc>)>) -> Vec<Tip> {
        let children = self.seats.iter().filter(|seat| seat.depth > 0);
        let above: HashSet<u32> = children.map(|seat| seat.parent).collect();
        visits.sort_by_key(|(_, at)| Reverse(*at));
        let mut led = HashSet::new();
        let tip = |(key, visited_at): (K, DateTime<Utc>)| {
            let leaf = *self.numbers.get(&key)?;
            let top = self.lead(leaf, &mut led)?;
            let (leaf_seat, top_seat) = (self.seat(leaf)?, self.seat(top)?);
            let is_needed = top != leaf || top_seat.depth == 0 || above.contains(&leaf);
            let tip = Tip { leaf_id: leaf_seat.id, top_id: top_seat.id, visited_at };
            is_needed.then_some(tip)
        };
        visits.into_iter().filter_map(tip).collect()
    }

    /// Lets all above a leaf lead there that lead nowhere yet; the topmost of them.
    fn lead(&self, leaf: u32, led: &mut HashSet<u32>) -> Option<u32> {
        let above = |number: &u32| {
            let seat = self.seat(*number)?;
            (seat.depth > 0).then_some(seat.parent)
        };
        let way = std::iter::successors(Some(leaf), above);
        way.take_while(|number| led.insert(*number)).last()
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

    proptest! {
        /// From each message one returns to the leaf below it that was visited last.
        #[test]
        fn every_message_leads_to_the_leaf_visited_last(
            parents in prop::collection::vec(prop::option::weighted(0.95, 0_usize..60), 1..60),
            visits in prop::collection::vec(0_usize..80, 0..12),
        ) {
            let mut seats = Seats::new();
            let mut above: Vec<Option<usize>> = Vec::new();
            for (n, parent) in parents.iter().enumerate() {
                let parent = parent.filter(|_| n > 0).map(|parent| parent % n);
                seats.take((n, id(n)), parent, at(0)).unwrap();
                above.push(parent);
            }
            let path = |leaf: usize| std::iter::successors(Some(leaf), |n| above[*n]);
            let visits: Vec<(usize, DateTime<Utc>)> = (0..).map(at).zip(visits).map(|(at, n)| (n, at)).collect();
            let tips = seats.tips(visits.clone());
            let leads = |node: usize| {
                let row = |tip: &&Tip| {
                    let stretch = path(tip.leaf_id.uuid().as_u128() as usize).map(id);
                    let mut stretch = stretch.take_while(|n| above[tip.top_id.uuid().as_u128() as usize].map(id) != Some(*n));
                    stretch.any(|n| n == id(node))
                };
                let rows: Vec<&Tip> = tips.iter().filter(row).collect();
                assert!(rows.len() < 2, "two rows answer for one message");
                rows.first().map_or(id(node), |tip| tip.leaf_id)
            };
            for node in 0..parents.len() {
                let last = visits.iter().rev().find(|(leaf, _)| *leaf < parents.len() && path(*leaf).any(|n| n == node));
                prop_assert_eq!(leads(node), last.map_or(id(node), |(leaf, _)| id(*leaf)));
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
    fn a_seat_is_small() {
        assert!(size_of::<Seat>() <= 40);
    }
}
