//! How many connections there are, and whose.
//!
//! Invariant: at most [`CONNECTIONS_MAX`], of one sender at most [`SENDER_CONNECTIONS_MAX`]; a place is free
//! again when its [`Seat`] is dropped, however its connection ended.

use piecework_types::Sender;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

/// Connections at a time. Each is one descriptor and two buffers of 8 KiB.
const CONNECTIONS_MAX: usize = 512;

/// Those of one address or IPv6 /64: as many as a client with a thousand torrents opens at once.
const SENDER_CONNECTIONS_MAX: usize = 64;

/// The places.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: RefCell<BTreeMap<Sender, usize>>,
}

/// A place that is taken.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Rc<Seats>,
    sender: Sender,
}

impl Seats {
    /// Takes a place, if there is one for this address.
    pub(super) fn take(self: &Rc<Self>, ip: IpAddr) -> Option<Seat> {
        let sender = Sender::of(ip.to_canonical());
        let mut taken = self.taken.borrow_mut();
        let of_sender = taken.get(&sender).copied().unwrap_or(0);
        if of_sender >= SENDER_CONNECTIONS_MAX || taken.values().sum::<usize>() >= CONNECTIONS_MAX {
            return None;
        }
        taken.insert(sender, of_sender + 1);
        Some(Seat { seats: Rc::clone(self), sender })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.borrow_mut();
        if let Some(count) = taken.get_mut(&self.sender) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.sender);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_one_sender_and_for_all_and_come_back() {
        let seats = Rc::new(Seats::default());
        let take = |number: u32| seats.take(std::net::Ipv4Addr::from(number).into());
        let mut of_one: Vec<_> = (0..100).filter_map(|_| take(1)).collect();
        assert_eq!(of_one.len(), SENDER_CONNECTIONS_MAX);
        let others: Vec<_> = (2..1000).filter_map(take).collect();
        assert_eq!(others.len(), CONNECTIONS_MAX - SENDER_CONNECTIONS_MAX);
        drop(of_one.pop());
        assert!(take(1).is_some());
        drop((of_one, others));
        assert!(seats.taken.borrow().is_empty());
    }
}
