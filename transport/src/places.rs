//! How many sockets and streams one address may have open.
//!
//! A limit per socket means little to somebody who may open thousands of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

use crate::error::{Refusal, limit_exceeded};

/// The low half of an IPv6 address, which its owner chooses freely.
const HOST_BITS: u128 = u64::MAX as u128;

/// The places of every address.
#[derive(Debug)]
pub(crate) struct Places {
    allowed: usize,
    taken: Arc<Taken>,
}

/// Only addresses that have something open.
type Taken = Mutex<HashMap<IpAddr, usize>>;

/// One socket or stream; dropped, its place is free again.
#[derive(Debug)]
pub(crate) struct Place {
    owner: IpAddr,
    taken: Arc<Taken>,
}

impl Places {
    /// So many for each address; 0 for no limit.
    pub(crate) fn new(allowed: usize) -> Self {
        Self { allowed, taken: Arc::default() }
    }

    /// Takes a place for `peer`; without an address or a limit there is nothing to count.
    pub(crate) fn take(&self, peer: Option<IpAddr>) -> Result<Option<Place>, Refusal> {
        let Some(owner) = peer.map(owner).filter(|_| self.allowed > 0) else { return Ok(None) };
        let mut taken = lock(&self.taken);
        let count = taken.entry(owner).or_default();
        if *count >= self.allowed {
            let error = limit_exceeded("connections", self.allowed);
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, error));
        }
        *count += 1;
        drop(taken);
        Ok(Some(Place { owner, taken: Arc::clone(&self.taken) }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.owner);
            }
        }
    }
}

/// Whoever has an IPv6 address has its whole /64 network.
fn owner(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !HOST_BITS).into(),
        address @ IpAddr::V4(_) => address,
    }
}

fn lock(taken: &Taken) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(places: &Places, address: &str) -> Result<Option<Place>, Refusal> {
        places.take(Some(address.parse().unwrap()))
    }

    #[test]
    fn each_network_has_its_places_until_they_are_dropped() {
        let places = Places::new(2);
        let first = take(&places, "2001:db8::1").unwrap();
        let second = take(&places, "2001:db8::ffff:2").unwrap();
        assert!(take(&places, "2001:db8::3").is_err());
        let other = take(&places, "2001:db8:0:1::3").unwrap();
        drop(first);
        let third = take(&places, "2001:db8::3").unwrap();
        assert!(take(&places, "2001:db8::3").is_err());
        drop((second, other, third));
        assert!(lock(&places.taken).is_empty(), "addresses that left are forgotten");
    }

    #[test]
    fn an_ipv4_address_is_the_same_within_ipv6() {
        let places = Places::new(1);
        let _place = take(&places, "192.0.2.1").unwrap();
        assert!(take(&places, "::ffff:192.0.2.1").is_err());
        assert!(take(&places, "192.0.2.2").is_ok());
    }

    #[test]
    fn zero_is_no_limit() {
        let places = Places::new(0);
        assert!(take(&places, "192.0.2.1").unwrap().is_none());
        assert!(Places::new(1).take(None).unwrap().is_none());
    }
}
