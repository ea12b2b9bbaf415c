//! Sorted ranges and the search in them.

use std::net::IpAddr;

/// Addresses that are blocked. Takes 8 bytes a range of IPv4, 32 of IPv6; a search takes O(log n).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct IpFilter {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl IpFilter {
    pub(crate) fn new(v4: Vec<(u32, u32)>, v6: Vec<(u128, u128)>) -> Self {
        Self {
            v4: Ranges::merged(v4, |end| end.checked_add(1)),
            v6: Ranges::merged(v6, |end| end.checked_add(1)),
        }
    }

    /// Whether the address is on a list.
    pub fn blocks(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.v4.contains(ip.into()),
            IpAddr::V6(ip) => self.v6.contains(ip.into()),
        }
    }

    /// Ranges after those that overlap or touch became one.
    pub const fn range_count(&self) -> usize {
        self.v4.0.len() + self.v6.0.len()
    }

    /// Whether nothing is blocked.
    pub const fn is_empty(&self) -> bool {
        self.range_count() == 0
    }
}

/// Ranges, both ends included, in order, with something between each two.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Ranges<T>(Box<[(T, T)]>);

impl<T: Copy + Ord> Ranges<T> {
    fn merged(mut ranges: Vec<(T, T)>, next: impl Fn(T) -> Option<T>) -> Self {
        ranges.sort_unstable();
        ranges.dedup_by(|later, earlier| {
            // Nothing comes after the last address of all.
            let touches = next(earlier.1).is_none_or(|next| later.0 <= next);
            if touches {
                earlier.1 = earlier.1.max(later.1);
            }
            touches
        });
        Self(ranges.into_boxed_slice())
    }

    fn contains(&self, address: T) -> bool {
        let begun = self.0.partition_point(|(from, _)| *from <= address);
        begun.checked_sub(1).is_some_and(|at| self.0[at].1 >= address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn ranges_that_touch_or_overlap_become_one_up_to_the_last_address() {
        let last = u32::MAX;
        let ranges = vec![(5, 9), (1, 4), (20, 30), (25, 26), (last, last), (last - 1, last)];
        let filter = IpFilter::new(ranges, vec![(0, u128::MAX), (7, 7)]);
        assert_eq!(*filter.v4.0, [(1, 9), (20, 30), (last - 1, last)]);
        assert_eq!(*filter.v6.0, [(0, u128::MAX)]);
        assert!(!filter.blocks(Ipv4Addr::from(10).into()));
        assert!(filter.blocks(Ipv4Addr::BROADCAST.into()));
        assert!(filter.blocks(Ipv6Addr::LOCALHOST.into()));
    }

    #[test]
    fn an_empty_filter_blocks_nobody() {
        assert!(!IpFilter::default().blocks(Ipv4Addr::UNSPECIFIED.into()));
        assert!(IpFilter::default().is_empty());
    }

    #[test]
    fn ipv4_inside_ipv6_is_the_same_address() {
        let filter = IpFilter::new(vec![(0x0102_0304, 0x0102_0304)], Vec::new());
        assert!(filter.blocks(Ipv4Addr::new(1, 2, 3, 4).to_ipv6_mapped().into()));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_naive_list(
            small in prop::collection::vec((0_u32..100, 0_u32..100), 0..30),
            large in prop::collection::vec(any::<(u128, u128)>(), 0..10),
            probes in prop::collection::vec(any::<u128>(), 0..10),
        ) {
            let ordered = |(a, b): (u32, u32)| (a.min(b), a.max(b));
            let v4: Vec<_> = small.into_iter().map(ordered).collect();
            let v6: Vec<_> = large.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            let filter = IpFilter::new(v4.clone(), v6.clone());
            for address in 0..110 {
                let naive = v4.iter().any(|(from, to)| (*from..=*to).contains(&address));
                prop_assert_eq!(filter.blocks(Ipv4Addr::from(address).into()), naive);
            }
            let ends = v6.iter().flat_map(|(from, to)| {
                [*from, *to, from.wrapping_sub(1), to.wrapping_add(1)]
            });
            for address in ends.chain(probes) {
                let naive = v6.iter().any(|(from, to)| (*from..=*to).contains(&address));
                // IPv4 inside IPv6 is searched among IPv4.
                let ip = Ipv6Addr::from(address);
                if ip.to_ipv4_mapped().is_none() {
                    prop_assert_eq!(filter.blocks(ip.into()), naive);
                }
            }
            prop_assert!(filter.v4.0.is_sorted() && filter.v6.0.is_sorted());
            prop_assert!(filter.v4.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
