//! Connection ids: proof that who asks over UDP receives at the address it writes from (BEP 15).
//!
//! An id is a keyed hash of the address and the minute, so nothing is remembered of those who got one.
//! The port is left out: a router may give a client another one for its next packet.

use piecework_hash::sha256;
use piecework_types::Time;
use std::net::IpAddr;

/// How long one minute of ids lasts.
const STEP_MICROS: u64 = 60 * 1_000_000;

/// Steps that count: a client may use an id for a minute, and a tracker takes it for two (BEP 15).
const STEPS: u64 = 3;

/// Makes and checks ids. Knows one secret, which it shows to nobody.
#[derive(Clone)]
pub(super) struct ConnectionIds {
    secret: [u8; 32],
}

impl ConnectionIds {
    pub(super) const fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// The id for this address; counts for two minutes at least and three at most.
    pub(super) fn give(&self, ip: IpAddr, now: Time) -> u64 {
        self.of_step(ip, now.as_micros() / STEP_MICROS)
    }

    pub(super) fn accepts(&self, id: u64, ip: IpAddr, now: Time) -> bool {
        let step = now.as_micros() / STEP_MICROS;
        let mut steps = (0..STEPS).filter_map(|back| step.checked_sub(back));
        steps.any(|step| self.of_step(ip, step) == id)
    }

    fn of_step(&self, ip: IpAddr, step: u64) -> u64 {
        let mut message = [0; 32 + 8 + 16];
        message[..32].copy_from_slice(&self.secret);
        message[32..40].copy_from_slice(&step.to_be_bytes());
        let ip = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        message[40..].copy_from_slice(&ip.octets());
        let mut id = [0; 8];
        id.copy_from_slice(&sha256(&message).0[..8]);
        u64::from_be_bytes(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_id_counts_for_two_minutes_at_least_and_three_at_most() {
        let ids = ConnectionIds::new([7; 32]);
        let ip = IpAddr::from([1, 2, 3, 4]);
        for second in [0, 1, 59, 60, 61, 12_345] {
            let given = Time::ZERO + Duration::from_secs(second);
            let id = ids.give(ip, given);
            for after in [0, 60, 120] {
                assert!(
                    ids.accepts(id, ip, given + Duration::from_secs(after)),
                    "{second} {after}"
                );
            }
            assert!(!ids.accepts(id, ip, given + Duration::from_secs(180)), "{second}");
        }
    }

    #[test]
    fn an_id_counts_at_its_address_and_with_its_key_only() {
        let ids = ConnectionIds::new([7; 32]);
        let id = ids.give([1, 2, 3, 4].into(), Time::ZERO);
        assert!(!ids.accepts(id, [1, 2, 3, 5].into(), Time::ZERO));
        assert!(!ids.accepts(id ^ 1, [1, 2, 3, 4].into(), Time::ZERO));
        assert!(!ConnectionIds::new([8; 32]).accepts(id, [1, 2, 3, 4].into(), Time::ZERO));
    }
}
