//! Tokens: proof that who stores something here can be reached at the address it writes from (BEP 5).
//!
//! A token is a keyed hash of what it is for, so nothing is remembered of those who got one. Its key
//! changes every five minutes and the last one still counts: a token lives for five to ten minutes.

use crate::{EndpointIndex, NodeId};
use piecework_hash::sha256;
use piecework_types::Time;
use std::net::IpAddr;

/// How long one key is used (BEP 5).
const KEY_LIFE_MICROS: u64 = 5 * 60 * 1_000_000;

/// Bytes of a token of ours: as hard to guess as to find in a flood of announces.
pub(crate) const TOKEN_BYTES: usize = 8;

/// Makes and checks tokens and transaction ids. Knows one secret, which it shows to nobody.
#[derive(Clone)]
pub(crate) struct Keys {
    secret: [u8; 32],
}

/// What a token is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// Which of our addresses gave it (BEP 45).
    pub(crate) endpoint: EndpointIndex,
    /// Who got it.
    pub(crate) ip: IpAddr,
    /// What may be stored.
    pub(crate) target: NodeId,
}

impl Keys {
    pub(crate) const fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    pub(crate) fn token(&self, purpose: Purpose, now: Time) -> [u8; TOKEN_BYTES] {
        self.token_of(purpose, now.as_micros() / KEY_LIFE_MICROS)
    }

    pub(crate) fn accepts(&self, token: &[u8], purpose: Purpose, now: Time) -> bool {
        let key = now.as_micros() / KEY_LIFE_MICROS;
        let mut keys = [Some(key), key.checked_sub(1)].into_iter().flatten();
        keys.any(|key| token == self.token_of(purpose, key))
    }

    /// Two bytes that a stranger cannot foresee, for the transaction with this number.
    pub(crate) fn mark(&self, number: u64) -> [u8; 2] {
        let digest = sha256(&[&self.secret[..], b"mark", &number.to_be_bytes()].concat());
        [digest.0[0], digest.0[1]]
    }

    fn token_of(&self, purpose: Purpose, key: u64) -> [u8; TOKEN_BYTES] {
        let mut message = [0; 32 + 5 + 8 + 1 + 16 + 20];
        message[..32].copy_from_slice(&self.secret);
        message[32..37].copy_from_slice(b"token");
        message[37..45].copy_from_slice(&key.to_be_bytes());
        message[45] = purpose.endpoint.0;
        let ip = match purpose.ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        message[46..62].copy_from_slice(&ip.octets());
        message[62..].copy_from_slice(&purpose.target.0);
        let digest = sha256(&message);
        let mut token = [0; TOKEN_BYTES];
        token.copy_from_slice(&digest.0[..TOKEN_BYTES]);
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PURPOSE: Purpose = Purpose {
        endpoint: EndpointIndex(0),
        ip: IpAddr::V4(std::net::Ipv4Addr::new(1, 2, 3, 4)),
        target: NodeId([1; 20]),
    };

    #[test]
    fn a_token_counts_for_five_minutes_at_least_and_ten_at_most() {
        let keys = Keys::new([7; 32]);
        for second in [0, 1, 299, 300, 301, 12_345] {
            let given = Time::ZERO + Duration::from_secs(second);
            let token = keys.token(PURPOSE, given);
            let after = |minutes: u64| given + Duration::from_secs(60 * minutes);
            assert!(
                keys.accepts(&token, PURPOSE, given) && keys.accepts(&token, PURPOSE, after(5))
            );
            assert!(!keys.accepts(&token, PURPOSE, after(10)), "{second}");
        }
    }

    #[test]
    fn a_token_counts_for_its_address_target_and_endpoint_only() {
        let keys = Keys::new([7; 32]);
        let token = keys.token(PURPOSE, Time::ZERO);
        for other in [
            Purpose { ip: [1, 2, 3, 5].into(), ..PURPOSE },
            Purpose { target: NodeId([2; 20]), ..PURPOSE },
            Purpose { endpoint: EndpointIndex(1), ..PURPOSE },
        ] {
            assert!(!keys.accepts(&token, other, Time::ZERO));
        }
        assert!(!Keys::new([8; 32]).accepts(&token, PURPOSE, Time::ZERO));
        assert!(
            !keys.accepts(&token[..7], PURPOSE, Time::ZERO)
                && !keys.accepts(b"", PURPOSE, Time::ZERO)
        );
    }
}
